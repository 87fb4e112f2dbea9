//! `check` and `plan`: policies from files or the cluster, compared with live Azure.

use std::collections::BTreeMap;
use std::time::Duration;

use kube::{Api, ResourceExt, api::ListParams};
use serde_json::json;

use super::{
    CliError,
    args::{AzureArguments, CheckArguments, ModeName, Output, PlanArguments},
    connect, files,
};
use crate::{
    api::{FunctionIdentityPolicy, IdentityBoundary, Mode},
    clock::Clock,
    observe::Surveys,
    pipeline::{Intent, Pipeline},
    policy::{Authority, Boundary, Policy},
    report::{self, ExitCode, Report, Situation},
};

pub(super) async fn check(azure: AzureArguments, verb: CheckArguments) -> Result<ExitCode, CliError> {
    compare(azure, verb, None, false).await
}

pub(super) async fn plan(azure: AzureArguments, verb: PlanArguments) -> Result<ExitCode, CliError> {
    let mode = verb.mode.map(|mode| match mode {
        ModeName::Report => Mode::Report,
        ModeName::DryRun => Mode::DryRun,
        ModeName::Enforce => Mode::Enforce,
    });
    compare(azure, verb.check, mode, true).await
}

async fn compare(
    azure: AzureArguments,
    verb: CheckArguments,
    mode: Option<Mode>,
    with_plan: bool,
) -> Result<ExitCode, CliError> {
    let (mut policies, authority) = if verb.file.is_empty() { from_cluster(&verb).await? } else { from_files(&verb)? };
    if policies.is_empty() {
        return Err(CliError::new("there is no FunctionIdentityPolicy to check"));
    }
    if let Some(mode) = mode {
        for policy in &mut policies {
            policy.spec.mode = mode;
        }
    }
    let pipeline = Pipeline::new(connect::azure(&azure)?, Surveys::new(Clock::System, Duration::MAX), Clock::System);
    let mut reports = Vec::new();
    for policy in &policies {
        let duplicate_of = earlier_for_the_same_app(&policies, policy);
        reports.push(pipeline.pass(policy, &authority, duplicate_of, Intent::Look).await);
    }
    let code = ExitCode::worst(reports.iter().map(|report| exit_code(report, &verb)));
    match verb.output {
        Output::Text => {
            let texts: String = reports.iter().map(|report| report::text(report, with_plan)).collect();
            super::print(&format!("{texts}{}\n", summary(&reports, &verb)));
        }
        Output::Json => {
            let reports: Vec<_> = reports.iter().map(report::json).collect();
            super::print(&format!("{:#}\n", json!({ "exitCode": code as u8, "policies": reports })));
        }
    }
    if matches!(authority, Authority::Caller) {
        eprintln!("note: no boundary given; checked with the caller's own Azure rights");
    }
    Ok(code)
}

fn exit_code(report: &Report, verb: &CheckArguments) -> ExitCode {
    match report.situation() {
        Situation::Propagating(_) if verb.allow_propagating => ExitCode::Compliant,
        Situation::CompliantWithFindings if verb.strict => ExitCode::Drift,
        _ => report.exit_code(),
    }
}

fn summary(reports: &[Report], verb: &CheckArguments) -> String {
    let count = |wanted| reports.iter().filter(|report| exit_code(report, verb) == wanted).count();
    format!(
        "{} checked: {} compliant, {} drifted, {} undetermined, {} in error",
        reports.len(),
        count(ExitCode::Compliant),
        count(ExitCode::Drift),
        count(ExitCode::Undetermined),
        count(ExitCode::Error),
    )
}

/// Of two policies for one app the one that comes first acts, as in the cluster the older does.
fn earlier_for_the_same_app(policies: &[FunctionIdentityPolicy], policy: &FunctionIdentityPolicy) -> Option<String> {
    let target = Policy::parse(policy).ok()?.target;
    policies
        .iter()
        .take_while(|other| !std::ptr::eq(*other, policy))
        .find(|other| Policy::parse(other).is_ok_and(|other| other.target == target))
        .map(|other| format!("{}/{}", other.namespace().unwrap_or_default(), other.name_any()))
}

fn from_files(verb: &CheckArguments) -> Result<(Vec<FunctionIdentityPolicy>, Authority), CliError> {
    let mut found = files::read(&verb.file)?;
    found.boundaries.extend(files::read(&verb.boundary)?.boundaries);
    let authority = if found.boundaries.is_empty() {
        Authority::Caller
    } else {
        let boundaries = found.boundaries.iter().map(Boundary::from).collect();
        // Labels of namespaces are the cluster's: from files only names select.
        Authority::Boundaries { boundaries, namespaces: BTreeMap::new() }
    };
    Ok((found.policies, authority))
}

async fn from_cluster(verb: &CheckArguments) -> Result<(Vec<FunctionIdentityPolicy>, Authority), CliError> {
    let client = connect::cluster().await?;
    let unreadable = |what: &str, error: kube::Error| CliError::new(format!("cannot read {what}: {error}"));
    let everything = ListParams::default();
    let policies: Api<FunctionIdentityPolicy> = match (&verb.namespace, verb.all_namespaces) {
        (_, true) => Api::all(client.clone()),
        (Some(namespace), false) => Api::namespaced(client.clone(), namespace),
        (None, false) => Api::default_namespaced(client.clone()),
    };
    let mut policies = match &verb.name {
        Some(name) => vec![policies.get(name).await.map_err(|error| unreadable("the policy", error))?],
        None => policies.list(&everything).await.map_err(|error| unreadable("policies", error))?.items,
    };
    policies.sort_by_key(|policy| (policy.creation_timestamp().map(|time| time.0), policy.name_any()));
    let boundaries = if verb.boundary.is_empty() {
        let api: Api<IdentityBoundary> = Api::all(client.clone());
        api.list(&everything).await.map_err(|error| unreadable("boundaries", error))?.items
    } else {
        files::read(&verb.boundary)?.boundaries
    };
    let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(client);
    let namespaces = namespaces.list(&everything).await.map_err(|error| unreadable("namespaces", error))?;
    let labels = namespaces.items.iter().map(|namespace| (namespace.name_any(), namespace.labels().clone()));
    let boundaries = boundaries.iter().map(Boundary::from).collect();
    Ok((policies, Authority::Boundaries { boundaries, namespaces: labels.collect() }))
}
