//! The `rehearse` program.
fn main() {}
