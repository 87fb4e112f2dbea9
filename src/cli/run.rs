//! `run`: the operator, from flags to shutdown.

use futures::FutureExt;
use tokio::{net::TcpListener, signal::unix};

use super::{CliError, args::RunArguments, connect, logging};
use crate::{
    clock::Clock,
    controller::{self, Candidate, Health, Operator},
    observe::Surveys,
    pipeline::Pipeline,
    report,
};

/// Returns the exit code: that of an error when another operator leads in our place. Whoever restarts us makes us stand
/// by for it.
pub(super) async fn run(verb: RunArguments) -> Result<u8, CliError> {
    let RunArguments {
        azure,
        health_listen,
        concurrency,
        max_survey_age,
        lease_name,
        lease_namespace,
        lease_duration,
        log,
    } = verb;
    logging::start(log);
    let clock = Clock::System;
    let azure = connect::azure(&azure)?;
    let client = connect::cluster("set KUBECONFIG, or run in a cluster").await?;
    let health = Health::default();
    let listener = TcpListener::bind(health_listen)
        .await
        .map_err(|error| CliError::new(format!("cannot listen on {health_listen} for probes: {error}")))?;
    tokio::spawn(controller::serve(listener, health.clone()));

    let mut terminate = signal(unix::SignalKind::terminate())?;
    let mut interrupt = signal(unix::SignalKind::interrupt())?;
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("shutting down: passes under way finish, no new one begins");
    };
    let instance = instance();
    let candidate = Candidate {
        namespace: lease_namespace.unwrap_or_else(|| client.default_namespace().to_owned()),
        lease: lease_name,
        duration: lease_duration,
        identity: identity(&instance),
    };
    let operator = Operator {
        client,
        pipeline: Pipeline::new(azure, Surveys::new(clock, max_survey_age), clock),
        clock,
        concurrency,
        health,
        instance,
        candidate,
    };
    tracing::info!(version = env!("CARGO_PKG_VERSION"), probes = %health_listen, "starting");
    match controller::run(operator, shutdown.boxed()).await {
        Ok(()) => Ok(0),
        Err(lost) => {
            tracing::error!("{lost}; ending at once, because another operator may act now");
            Ok(report::ExitCode::Error as u8)
        }
    }
}

fn signal(kind: unix::SignalKind) -> Result<unix::Signal, CliError> {
    unix::signal(kind).map_err(|error| CliError::new(format!("signals cannot be watched: {error}")))
}

/// The pod's name, which Kubernetes puts into the environment as `HOSTNAME`.
#[expect(clippy::disallowed_methods, reason = "the command line is where the environment is read")]
fn instance() -> String {
    std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "rolecall".to_owned())
}

/// Who holds a lease. A container that is started again has the name of the one before it, which may still have written
/// something that we know nothing of.
#[expect(clippy::disallowed_methods, reason = "no two processes may take each other for themselves")]
fn identity(instance: &str) -> String {
    format!("{instance}_{}", uuid::Uuid::new_v4())
}
