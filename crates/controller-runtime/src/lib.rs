//! controller-runtime.
