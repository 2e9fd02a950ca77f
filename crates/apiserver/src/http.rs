//! The server as clients on the network see it: HTTPS, discovery, resources, watches, logs.
//!
//! Reading order: [`server`] (sockets, TLS, life and end of connections), [`route`] (what a path
//! names and who answers), [`resource`] (requests on objects), [`watch`] and [`log`] (streams). The
//! rest is what they lean on: [`path`], [`query`], [`accept`] (reading a request), [`body`],
//! [`respond`], [`shape`] (writing an answer), [`discovery`], [`auth`], [`certs`], [`kubeconfig`].
//!
//! Invariant: every request is served by the same synchronous [`crate::ApiServer`] that components
//! in the process call; nothing here reads or writes the store by itself.

mod accept;
mod body;
pub mod certs;
mod discovery;
pub mod kubeconfig;
mod path;
mod query;
mod respond;
