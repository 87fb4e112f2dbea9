//! Rolecall compares the managed identities and roles that a `FunctionIdentityPolicy` declares with live Azure, and
//! either reports the drift or puts it right.
//!
//! observe → evaluate → plan → apply → verify → report. Everything below `azure` is free of `async`, clock,
//! environment and randomness; `tests/it/architecture.rs` holds that line.

pub mod api;
pub mod apply;
pub mod azure;
pub mod catalog;
pub mod cli;
pub mod clock;
pub mod controller;
pub mod evaluate;
pub mod metrics;
pub mod model;
pub mod observe;
pub mod pipeline;
pub mod plan;
pub mod policy;
pub mod report;
#[cfg(feature = "sandbox")]
pub mod sandbox;
