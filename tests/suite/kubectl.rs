//! What `kubectl` prints and does: one file per topic.

mod bad_input;
mod create;
mod deployment_config;
mod discovery;
mod guestbook;
mod image_stream;
mod pod;
mod versions;
mod watch;
