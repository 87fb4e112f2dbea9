//! Every integration test in one binary: one link instead of a dozen.

mod architecture;
mod cluster;
mod contract;
mod controller;
mod crds;
