//! Explanations of clusters that have only an API server and a scheduler, and of objects alone.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod cluster;
mod clusters;
mod findings;
mod placements;
mod random;
