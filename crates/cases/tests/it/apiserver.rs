//! The API server: admission, access, the reading of requests, and what becomes of objects.

mod access;
mod admission;
mod objects;
mod requests;

use crate::harness::Suites;

pub(crate) fn register(suites: &mut Suites) {
    access::register(suites);
    admission::register(suites);
    objects::register(suites);
    requests::register(suites);
}
