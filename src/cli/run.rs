//! `run`: the operator, from flags to shutdown.

use std::net::SocketAddr;

use futures::FutureExt;
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, ResourceExt};
use tokio::{net::TcpListener, signal::unix};

use super::{CliError, args::RunArguments, connect, logging};
use crate::{
    clock::Clock,
    controller::{self, Candidate, Health, Operator},
    metrics::Metrics,
    model::innermost,
    observe::Surveys,
    pipeline::{BreakerLimits, Pipeline, Settings},
    report,
};

/// Returns the exit code: that of an error when another operator leads in our place. Whoever restarts us makes us stand
/// by for it.
pub(super) async fn run(verb: RunArguments) -> Result<u8, CliError> {
    let RunArguments {
        azure,
        health_listen,
        metrics_listen,
        concurrency,
        max_survey_age,
        installation_id,
        max_mode,
        max_writes_per_hour,
        max_drift_share,
        max_list_shrink,
        lease_name,
        lease_namespace,
        lease_duration,
        log,
    } = verb;
    logging::start(log);
    let clock = Clock::System;
    let metrics = Metrics::default();
    metrics.started(clock.now());
    let azure = connect::azure(&azure, metrics.clone())?;
    let client = connect::cluster("set KUBECONFIG, or run in a cluster").await?;
    let installation = match installation_id {
        Some(id) => id,
        None => installation(&client).await?,
    };
    let settings = Settings {
        installation: Some(installation.clone()),
        max_mode: max_mode.into(),
        max_writes_per_hour,
        breaker: BreakerLimits { drift: max_drift_share, shrink: max_list_shrink },
    };
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
    let instance = instance();
    let candidate = Candidate {
        namespace: lease_namespace.unwrap_or_else(|| client.default_namespace().to_owned()),
        lease: lease_name,
        duration: lease_duration,
        identity: identity(&instance),
    };
    let operator = Operator {
        client,
        pipeline: Pipeline::new(azure, Surveys::new(clock, max_survey_age), clock).with(settings),
        clock,
        concurrency,
        health,
        instance,
        candidate,
    };
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"), probes = %health_listen, metrics = %metrics_listen, installation, "starting"
    );
    match controller::run(operator, shutdown.boxed()).await {
        Ok(()) => Ok(0),
        Err(lost) => {
            tracing::error!("{lost}; ending at once, because another operator may act now");
            Ok(report::ExitCode::Error as u8)
        }
    }
}

async fn listen(address: SocketAddr, what: &str) -> Result<TcpListener, CliError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| CliError::new(format!("cannot listen on {address} for {what}: {error}")))
}

fn signal(kind: unix::SignalKind) -> Result<unix::Signal, CliError> {
    unix::signal(kind).map_err(|error| CliError::new(format!("signals cannot be watched: {error}")))
}

/// What stands for this cluster: it does not change while the cluster lives, and no other cluster has it.
async fn installation(client: &kube::Client) -> Result<String, CliError> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let kube_system = namespaces.get("kube-system").await.map_err(|error| {
        CliError::new(format!("the namespace `kube-system` cannot be read: {}", innermost(&error)))
            .with_hint("its uid names the installation; or give `--installation-id`")
    })?;
    kube_system.uid().ok_or_else(|| CliError::new("the namespace `kube-system` has no uid"))
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
