//! SPDY connections.
