//! End to end: the real binary as operator, a real kube-apiserver, Azure simulated by another process. One API server,
//! one simulator and one operator serve all of these tests; each has a namespace and a subscription of its own. The
//! operator has the chart's `ServiceAccount` and rights; the tests themselves are the administrator.
//!
//! The API server is the binary of `ROLECALL_CLUSTER_BIN` or of `make cluster-binary`, or a cluster that
//! `ROLECALL_KUBECONFIG` names. Without any the tests say so and pass, except in CI.

pub(super) mod account;
mod arm;
mod columns;
mod command_line;
mod defaults;
mod deletion;
mod immutable;
mod kstatus;
mod kubectl;
mod lifecycle;
mod metrics;
mod operator;
mod process;
pub(super) mod request;
mod rivals;
mod scene;
mod schema;
pub(super) mod stage;
mod verdicts;
