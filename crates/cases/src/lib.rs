//! Upstream's own tables against this project's functions.
//!
//! The tables (inputs with the results that Kubernetes 1.11 and OpenShift 3.11 gave) are not part of the
//! project. `tests/it` reads them from the directory that the environment variable `CASES_DIR` names
//! and is skipped without it. `ratchet.txt` names every file of that directory with the count of rows
//! that pass.
//!
//! Invariant: a count in `ratchet.txt` only grows, and no row's text is copied into the project.
