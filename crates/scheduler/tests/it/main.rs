//! The scheduler over an API server in a simulated world.

mod cluster;
mod placing;
mod waiting;
