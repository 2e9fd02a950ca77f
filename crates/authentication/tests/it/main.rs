//! Logging in over HTTPS, and what users, groups and tokens then mean.

mod browser;
mod cluster;
mod http;
mod login;
mod scopes;
mod story;
mod transcript;
mod users;
mod walk;
