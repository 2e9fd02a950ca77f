//! deployments.
