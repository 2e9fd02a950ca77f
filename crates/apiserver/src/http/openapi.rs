//! OpenAPI documents as clients fetch them.
//!
//! Invariant: the index names each document with its hash; under that name a document never
//! changes, so clients may keep it for good.

mod gnostic;
mod swagger;

use std::sync::OnceLock;

use apimachinery::Status;
use bytes::Bytes;
use hyper::{StatusCode, header};

use super::accept::clauses;
use super::body::Body;
use super::respond::{self, Answer};
use super::route::{Asked, tagged};
use crate::ApiServer;

const YEAR: &str = "public, immutable, max-age=31536000";

/// What a client that wants protobuf accepts …
const PROTOBUF_ASKED: &str = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
/// … and what it is answered; the name asked for is no valid media type.
const PROTOBUF_GIVEN: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
/// Where clients of Kubernetes before 1.10 find the protobuf form.
const LEGACY_PROTOBUF: &str = "/swagger-2.0.0.pb-v1";

/// `/openapi/v2` and its older names; made when first asked for and then kept.
pub(crate) fn v2(asked: &Asked) -> Result<Answer, Status> {
    static JSON: OnceLock<Bytes> = OnceLock::new();
    static PROTOBUF: OnceLock<Bytes> = OnceLock::new();
    let known = asked.header(header::IF_NONE_MATCH);
    let wanted = clauses(asked.accept()).first().is_some_and(|first| first.media == PROTOBUF_ASKED);
    let (media, bytes) = if wanted || asked.parts.uri.path() == LEGACY_PROTOBUF {
        let encode = || Bytes::from(gnostic::encode(&swagger::document()));
        (PROTOBUF_GIVEN, PROTOBUF.get_or_init(encode))
    } else {
        let encode = || Bytes::from(swagger::document().to_string());
        ("application/json", JSON.get_or_init(encode))
    };
    Ok(respond::tagged(media, bytes.clone(), known, asked.wishes))
}

/// `/openapi/v3`
pub(crate) fn v3_index(api: &ApiServer, asked: &Asked) -> Result<Answer, Status> {
    let mut index = api::openapi::v3_index();
    for (group, version, hash) in api.custom_documents() {
        let root = format!("apis/{group}/{version}");
        let url = format!("/openapi/v3/{root}?hash={hash}");
        index["paths"][root] = apimachinery::json!({"serverRelativeURL": url});
    }
    tagged(asked, "application/json", &index)
}

/// `/openapi/v3/<path>?hash=<hash>`; a request with another hash is sent to the present one.
pub(crate) fn v3_document(api: &ApiServer, asked: &Asked, path: &str) -> Result<Answer, Status> {
    let (group, version) = match path.split('/').collect::<Vec<_>>().as_slice() {
        ["api", version] => ("", *version),
        ["apis", group, version] => (*group, *version),
        _ => return Err(Status::no_such_path()),
    };
    let custom = || {
        let all = api.custom_documents();
        all.into_iter().find(|(g, v, _)| g == group && v == version).map(|(_, _, hash)| hash)
    };
    let hash = api::openapi::v3_hash(group, version).or_else(custom);
    let hash = hash.ok_or_else(Status::no_such_path)?;
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
        let document = api::openapi::v3_document(group, version)
            .or_else(|| api.custom_document(group, version))
            .ok_or_else(Status::no_such_path)?;
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
