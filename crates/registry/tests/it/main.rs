//! The registry as clients meet it: over a socket, with a cluster behind it.

mod access;
mod client;
mod pulls;
mod pushes;
mod through;
mod trouble;
