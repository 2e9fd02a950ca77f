//! What an engine's error means to a caller.

use bollard::errors::Error as EngineError;

use crate::runtime::Error;

/// The error as the node agent passes it on.
pub(super) fn from_engine(error: EngineError) -> Error {
    match error {
        EngineError::DockerResponseServerError { message, .. } => {
            Error::Engine(format!("Error response from daemon: {message}"))
        }
        EngineError::DockerStreamError { error } => {
            Error::Engine(format!("Error response from daemon: {error}"))
        }
        EngineError::JsonDataError { message, .. } => Error::Engine(message),
        EngineError::RequestTimeoutError => {
            Error::Engine("the engine took too long to answer".to_owned())
        }
        other => Error::Unavailable(format!(
            "Cannot connect to the Docker daemon. Is the docker daemon running? ({other})"
        )),
    }
}

/// As [`from_engine`], where 404 means that `id` is not there.
pub(super) fn about(id: &str, error: EngineError) -> Error {
    if is_missing(&error) { Error::NoSuchContainer(id.to_owned()) } else { from_engine(error) }
}

/// Whether the thing asked for is not there.
pub(super) fn is_missing(error: &EngineError) -> bool {
    status(error) == Some(404)
}

/// Whether the name is taken, or the thing is being removed already.
pub(super) fn is_conflict(error: &EngineError) -> bool {
    status(error) == Some(409)
}

fn status(error: &EngineError) -> Option<u16> {
    match error {
        EngineError::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}
