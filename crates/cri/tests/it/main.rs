//! The runtimes against the conformance suite, and what is particular to each.

#[cfg(test)]
mod builtin;
#[cfg(test)]
mod docker;
#[cfg(test)]
mod sim;
#[cfg(test)]
mod streams;
