//! The crate over a real API server: roles of a new cluster, users, projects.

mod bindings;
mod bootstrap;
mod cluster;
mod controllers;
mod everything;
mod impersonation;
mod projects;
mod reviews;
