//! What `kubectl` prints and does: one file per topic.

mod audit;
mod bad_input;
mod commands;
mod create;
mod debug;
mod deployment_config;
mod discovery;
mod guestbook;
mod image_stream;
mod pod;
mod stateful_set;
mod streams;
mod token;
mod versions;
mod watch;
mod why;
mod workload;
mod workload_drain;
