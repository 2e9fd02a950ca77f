//! Holder of the cluster test suite; the tests are in suite/.
