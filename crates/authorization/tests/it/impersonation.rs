//! impersonation
