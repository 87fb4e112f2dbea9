//! `run`: the operator, from flags to shutdown.

use std::net::SocketAddr;

use futures::FutureExt;
use tokio::{net::TcpListener, signal::unix};

use super::{CliError, args::RunArguments, connect, logging};
use crate::{
    clock::Clock,
    controller::{self, Health, Operator},
    metrics::Metrics,
    observe::Surveys,
    pipeline::Pipeline,
};

pub(super) async fn run(verb: RunArguments) -> Result<(), CliError> {
    let RunArguments { azure, health_listen, metrics_listen, concurrency, max_survey_age, log } = verb;
    logging::start(log);
    let clock = Clock::System;
    let metrics = Metrics::default();
    metrics.started(clock.now());
    let azure = connect::azure(&azure, metrics.clone())?;
    let client = connect::cluster("set KUBECONFIG, or run in a cluster").await?;
    let health = Health::default();
    tokio::spawn(controller::serve(listen(health_listen, "probes").await?, health.clone()));
    tokio::spawn(controller::serve_metrics(listen(metrics_listen, "metrics").await?, metrics));

    let mut terminate = signal(unix::SignalKind::terminate())?;
    let mut interrupt = signal(unix::SignalKind::interrupt())?;
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("shutting down: passes under way finish, no new one begins");
    };
    let operator = Operator {
        client,
        pipeline: Pipeline::new(azure, Surveys::new(clock, max_survey_age), clock),
        clock,
        concurrency,
        health,
        instance: instance(),
    };
    tracing::info!(version = env!("CARGO_PKG_VERSION"), probes = %health_listen, metrics = %metrics_listen, "starting");
    controller::run(operator, shutdown.boxed()).await;
    Ok(())
}

async fn listen(address: SocketAddr, what: &str) -> Result<TcpListener, CliError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| CliError::new(format!("cannot listen on {address} for {what}: {error}")))
}

fn signal(kind: unix::SignalKind) -> Result<unix::Signal, CliError> {
    unix::signal(kind).map_err(|error| CliError::new(format!("signals cannot be watched: {error}")))
}

/// The pod's name, which Kubernetes puts into the environment as `HOSTNAME`.
#[expect(clippy::disallowed_methods, reason = "the command line is where the environment is read")]
fn instance() -> String {
    std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "rolecall".to_owned())
}
