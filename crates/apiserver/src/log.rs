//! The seam to whoever can read the output of containers.

use std::fmt::Debug;
use std::pin::Pin;

use apimachinery::Status;
use apimachinery::Value;
use bytes::Bytes;
use futures_core::Stream;

use crate::call::LogOptions;

/// Chunks of text, ending when the log does.
pub type LogStream = Pin<Box<dyn Stream<Item = Bytes> + Send>>;

/// Opens logs of containers that have run or run now.
pub trait PodLogs: Send + Sync + Debug {
    /// Opens the log of `container` of `pod`; the caller has checked that it has been started.
    ///
    /// # Errors
    /// When the runtime cannot give it.
    fn open(&self, pod: &Value, container: &str, options: &LogOptions)
    -> Result<LogStream, Status>;
}
