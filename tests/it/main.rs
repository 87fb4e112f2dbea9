//! Every integration test in one binary: one link instead of a dozen.

mod architecture;
mod crds;
mod faults;
mod recorded;
