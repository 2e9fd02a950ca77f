//! apiserver.

pub mod http;
