//! The server as clients on the network see it: HTTPS, discovery, resources, watches, logs.
//!
//! Reading order: [`server`] (sockets, life and end of connections), [`route`] (what a path names
//! and who answers), [`resource`] (requests on objects), [`watch`] and [`log`] (streams), [`stream`]
//! (exec, attach, port-forward), [`proxy`], [`audit`]. The rest is what they lean on: [`tls`], [`certs`], [`kubeconfig`],
//! [`auth`] (who is there), [`site`] (pages that are no API), [`path`], [`query`], [`accept`], [`content`], [`body`] (reading a
//! request), [`shape`], [`columns`], [`respond`], [`slow`] (writing an answer), [`discovery`],
//! [`openapi`] (what there is), [`limit`] (how many at once).
//!
//! Invariant: every request is served by the same synchronous [`crate::ApiServer`] that components
//! in the process call; nothing here reads or writes the store by itself.

pub mod accept;
mod audit;
mod auth;
mod body;
pub mod certs;
mod columns;
mod content;
pub mod discovery;
pub mod kubeconfig;
mod limit;
mod log;
mod member;
mod openapi;
pub mod path;
mod personal;
mod proxy;
mod query;
mod resource;
mod respond;
mod route;
mod server;
mod shape;
mod site;
mod slow;
mod stream;
mod tls;
mod watch;

pub use auth::{Authenticator, Gate, authenticated};
pub use server::{Config, Error, Server};
pub use site::Site;

/// Frames of SPDY/3.1, as the streams of `exec`, `attach` and `port-forward` read them.
pub mod spdy {
    pub use super::stream::spdy::frame::{Decoder, Error, Frame};
}

#[cfg(test)]
mod tests;
