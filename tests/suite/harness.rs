//! What the tests stand on.

pub(crate) mod kubectl;
pub(crate) mod raw;
pub(crate) mod served;
pub(crate) mod simulated;
pub(crate) mod transcript;

use std::path::{Path, PathBuf};

/// A file or directory under `fixtures/`.
pub(crate) fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(path)
}

/// `fixture`, as an argument of a command line.
pub(crate) fn fixture_argument(path: &str) -> String {
    fixture(path).to_str().unwrap().to_owned()
}
