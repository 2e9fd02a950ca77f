//! Pages beside the API: what others serve on this server's address, e.g. how people log in.
//!
//! Invariant: a page is asked before the caller is recognised; it must decide by itself whom to trust.

use std::fmt;
use std::sync::Arc;

use apimachinery::Status;
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::{Request, Response};

use super::body::{self, Body};
use super::respond::Answer;
use super::route::Asked;

/// Serves paths that are no API. It may take its time: it runs beside the network's threads.
pub trait Site: Send + Sync + fmt::Debug {
    /// Learns where clients reach the server; called once, before any request.
    fn opened(&self, _url: &str) {}

    /// Whether a path is this site's to answer.
    fn serves(&self, path: &str) -> bool;

    /// Answers a request.
    fn answer(&self, request: &Request<Bytes>) -> Response<Bytes>;
}

/// Hands a request over.
pub(crate) async fn answer(
    site: &Arc<dyn Site>,
    asked: Asked,
    incoming: &mut Option<Incoming>,
) -> Result<Answer, Status> {
    let request = Request::from_parts(asked.parts, body::read(incoming).await?);
    let site = Arc::clone(site);
    let answered = tokio::task::spawn_blocking(move || site.answer(&request)).await;
    let response = answered.map_err(|_| Status::internal("the page could not be made"))?;
    Ok(response.map(Body::Full))
}
