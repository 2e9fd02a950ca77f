//! Whole clusters, in process and through real `kubectl` binaries.
//!
//! Reading order: [`harness`] (a served cluster, a kubectl, a transcript), [`kubectl`] (what clients
//! see), [`oc`] (the requests of `oc`), [`clients`] (helm and libraries), [`registry`] (docker and skopeo), [`sim`] (what happens on a virtual clock), [`binary`] (the program itself).
//!
//! Invariant: nothing sleeps; tests wait for what they wait for, by watches or by the loop.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests fail by panicking and say what they leave out"
)]

mod binary;
mod clients;
mod harness;
mod kubectl;
mod oc;
mod registry;
mod sim;
