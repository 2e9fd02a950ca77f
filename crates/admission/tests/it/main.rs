//! The rules and their controllers at work on an API server with the controllers of workloads.

mod accounts;
mod cluster;
mod quota;
mod security;
mod webhooks;
