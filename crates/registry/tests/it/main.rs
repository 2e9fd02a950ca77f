//! The registry as clients meet it: over a socket, with a cluster behind it.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod access;
mod client;
mod prune;
mod pulls;
mod pushes;
mod through;
mod trouble;
