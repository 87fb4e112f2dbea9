//! Every integration test in one binary: one link instead of a dozen.

mod architecture;
mod azure;
mod cli;
mod cluster;
mod contract;
mod controller;
mod faults;
mod generated;
mod guards;
mod metrics;
mod recorded;
mod scenarios;
mod schema;
mod survey;
