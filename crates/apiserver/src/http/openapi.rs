//! OpenAPI documents as clients fetch them.
//!
//! Invariant: the index names each document with its hash; under that name a document never
//! changes, so clients may keep it for good.

use apimachinery::Status;

use super::respond::Answer;
use super::route::Asked;

pub(crate) fn v2(_asked: &Asked) -> Result<Answer, Status> {
    Err(Status::no_such_path())
}
pub(crate) fn v3_index(_asked: &Asked) -> Result<Answer, Status> {
    Err(Status::no_such_path())
}
pub(crate) fn v3_document(_asked: &Asked, _path: &str) -> Result<Answer, Status> {
    Err(Status::no_such_path())
}
