//! OpenAPI documents as clients fetch them.
//!
//! Invariant: the index names each document with its hash; under that name a document never
//! changes, so clients may keep it for good.

use apimachinery::Status;
use bytes::Bytes;
use hyper::{StatusCode, header};

use super::body::Body;
use super::respond::{self, Answer};
use super::route::{Asked, tagged};

const YEAR: &str = "public, immutable, max-age=31536000";

/// `/openapi/v2`, which is not served yet.
pub(crate) fn v2(_asked: &Asked) -> Result<Answer, Status> {
    Err(Status::no_such_path())
}

/// `/openapi/v3`
pub(crate) fn v3_index(asked: &Asked) -> Result<Answer, Status> {
    tagged(asked, "application/json", &api::openapi::v3_index())
}

/// `/openapi/v3/<path>?hash=<hash>`; a request with another hash is sent to the present one.
pub(crate) fn v3_document(asked: &Asked, path: &str) -> Result<Answer, Status> {
    let (group, version) = match path.split('/').collect::<Vec<_>>().as_slice() {
        ["api", version] => ("", *version),
        ["apis", group, version] => (*group, *version),
        _ => return Err(Status::no_such_path()),
    };
    let hash = api::openapi::v3_hash(group, version).ok_or_else(Status::no_such_path)?;
    let asked_hash = asked.query.text("hash");
    if !asked_hash.is_empty() && asked_hash != hash {
        return Ok(moved(&format!("/openapi/v3/{path}?hash={hash}")));
    }
    let tag = format!("\"{hash}\"");
    let mut answer = if asked.header(header::IF_NONE_MATCH) == tag {
        let mut answer = Answer::new(Body::Full(Bytes::new()));
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
        answer
    } else {
        let document =
            api::openapi::v3_document(group, version).ok_or_else(Status::no_such_path)?;
        respond::json(StatusCode::OK, &document, asked.wishes)
    };
    let caching = if asked_hash.is_empty() { "no-cache, private" } else { YEAR };
    let headers = answer.headers_mut();
    respond::set(headers, header::ETAG, &tag);
    respond::set(headers, header::CACHE_CONTROL, caching);
    respond::set(headers, header::VARY, "Accept");
    Ok(answer)
}

fn moved(place: &str) -> Answer {
    let mut answer = Answer::new(Body::Full(Bytes::new()));
    *answer.status_mut() = StatusCode::MOVED_PERMANENTLY;
    respond::set(answer.headers_mut(), header::LOCATION, place);
    answer
}
