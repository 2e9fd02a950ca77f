//! The runtimes against the conformance suite, and what is particular to each.

mod builtin;
mod sim;
