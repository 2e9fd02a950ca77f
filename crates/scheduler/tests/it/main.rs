//! The scheduler over an API server in a simulated world.

mod cluster;
mod extenders;
mod placing;
mod preempting;
mod recalling;
mod waiting;
