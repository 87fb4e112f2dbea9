//! Every integration test in one binary: one link instead of a dozen.

mod access;
mod architecture;
mod azure;
mod cli;
mod cluster;
mod contract;
mod controller;
mod cosmos;
mod diagnosis;
mod ends;
mod evidence;
mod existence;
mod faults;
mod generated;
mod guards;
mod logs;
mod metrics;
mod network;
mod recorded;
mod sandbox;
mod scenarios;
mod schema;
mod settings;
mod storm;
mod survey;
mod targets;
