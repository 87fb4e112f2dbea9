//! Which policies a verb looks at, against whom and on whose authority, and the passes over them.

use std::{collections::BTreeMap, time::Duration};

use kube::{Api, ResourceExt, api::ListParams};

use super::{
    CliError,
    args::{AzureArguments, SubjectArguments},
    connect, files,
};
use crate::{
    api::{FunctionIdentityPolicy, IdentityBoundary},
    clock::Clock,
    metrics::Metrics,
    model::{innermost, spelling::did_you_mean},
    observe::Surveys,
    pipeline::{Intent, Pipeline},
    policy::{Authority, Boundary, acts_instead},
    report::{PassResult, Report},
};

/// What is checked, against whom, on whose authority.
pub(super) struct Subjects {
    pub(super) policies: Vec<FunctionIdentityPolicy>,
    /// Every policy that may be about the same app, those checked among them.
    rivals: Vec<FunctionIdentityPolicy>,
    authority: Authority,
    /// The boundaries are those of files that the caller holds: who they select is no secret to them.
    from_files: bool,
}

/// The policies that the arguments name; at least one.
pub(super) async fn read(verb: &SubjectArguments) -> Result<Subjects, CliError> {
    let subjects = if verb.file.is_empty() { from_cluster(verb).await? } else { from_files(verb)? };
    if subjects.policies.is_empty() {
        let error = CliError::new("there is no FunctionIdentityPolicy to check");
        return Err(if verb.file.is_empty() {
            error.with_hint("`-n NAMESPACE` looks elsewhere, `-A` everywhere")
        } else {
            error
        });
    }
    let by_boundaries = matches!(subjects.authority, Authority::Boundaries { .. });
    if by_boundaries && subjects.policies.iter().any(|policy| policy.namespace().is_none()) {
        eprintln!("note: boundaries select by namespace, and a policy of these files names none: give it with `-n`");
    }
    Ok(subjects)
}

impl Subjects {
    /// One pass over each of them, one after the other.
    pub(super) async fn pass(&self, azure: &AzureArguments, intent: Intent) -> Result<Vec<Report>, CliError> {
        let surveys = Surveys::new(Clock::System, Duration::MAX);
        let pipeline = Pipeline::new(connect::azure(azure, Metrics::default())?, surveys, Clock::System);
        let mut reports = Vec::new();
        for policy in &self.policies {
            let duplicate_of = acts_instead(policy, &self.rivals, &self.authority);
            reports.push(pipeline.pass(policy, &self.authority, duplicate_of, intent).await);
        }
        Ok(reports)
    }

    /// Whether there are others where the policies come from.
    pub(super) fn are_several(&self) -> bool {
        self.rivals.len() > 1
    }

    /// Says what the reports rest on and do not show.
    pub(super) fn tell(&self, reports: &[Report]) {
        if self.from_files {
            for report in reports {
                tell_unselected(report, &self.authority);
            }
        }
        if matches!(self.authority, Authority::Caller) {
            eprintln!("note: no boundary given; checked with the caller's own Azure rights");
        }
    }
}

/// Which boundaries were given and are not for the namespace of a policy that is outside.
fn tell_unselected(report: &Report, authority: &Authority) {
    let (PassResult::OutsideBoundary(_), Authority::Boundaries { boundaries, namespaces }) =
        (&report.finding, authority)
    else {
        return;
    };
    // That a policy names none is told already.
    if report.namespace.is_empty() {
        return;
    }
    let none = BTreeMap::new();
    let labels = namespaces.get(&report.namespace).unwrap_or(&none);
    for boundary in boundaries.iter().filter(|boundary| !boundary.selects(&report.namespace, labels)) {
        let names: Vec<_> = boundary.namespaces().iter().map(|name| format!("`{name}`")).collect();
        let whom = if names.is_empty() { "none by name".to_owned() } else { names.join(", ") };
        eprintln!(
            "note: boundary `{}` does not select the namespace `{}` of policy `{}`; it selects {whom}",
            boundary.name(),
            report.namespace,
            report.name
        );
    }
}

fn from_files(verb: &SubjectArguments) -> Result<Subjects, CliError> {
    let mut found = files::read(&verb.file)?;
    for policy in &mut found.policies {
        if policy.metadata.namespace.is_none() {
            policy.metadata.namespace.clone_from(&verb.namespace);
        }
    }
    let given = files::read(&verb.boundary)?.boundaries;
    if given.is_empty() && !verb.boundary.is_empty() {
        return Err(CliError::new("the files given by `--boundary` hold no IdentityBoundary"));
    }
    found.boundaries.extend(given);
    for boundary in found.boundaries.iter().filter(|boundary| !boundary.spec.namespaces.match_labels.is_empty()) {
        let name = boundary.name_any();
        eprintln!(
            "note: boundary `{name}` selects by labels, which files do not tell: by those it selects nothing here"
        );
    }
    let authority = if found.boundaries.is_empty() {
        Authority::Caller
    } else {
        let boundaries = found.boundaries.iter().map(Boundary::from).collect();
        // Labels of namespaces are the cluster's: from files only names select.
        Authority::Boundaries { boundaries, namespaces: BTreeMap::new() }
    };
    let rivals = found.policies;
    let wanted = |policy: &&FunctionIdentityPolicy| verb.name.as_ref().is_none_or(|name| policy.name_any() == *name);
    let policies: Vec<_> = rivals.iter().filter(wanted).cloned().collect();
    if let (Some(name), true) = (&verb.name, policies.is_empty()) {
        let names: Vec<_> = rivals.iter().map(ResourceExt::name_any).collect();
        let meant = did_you_mean(name, names.iter().map(String::as_str));
        return Err(CliError::new(format!("the files hold no FunctionIdentityPolicy `{name}`{meant}")));
    }
    Ok(Subjects { policies, rivals, authority, from_files: true })
}

async fn from_cluster(verb: &SubjectArguments) -> Result<Subjects, CliError> {
    let client = connect::cluster("set KUBECONFIG, or give policies with `-f FILE`").await?;
    let unreadable = |what: &str, error: kube::Error| {
        let hint = match &error {
            kube::Error::Api(response) if response.code == 403 => {
                "policies, boundaries and namespaces are listed over the whole cluster; `-f` needs none of it"
            }
            _ => "is the API server of KUBECONFIG running, and are the CRDs installed?",
        };
        CliError::new(format!("cannot read {what} from the cluster: {}", innermost(&error))).with_hint(hint)
    };
    let everything = ListParams::default();
    let all: Api<FunctionIdentityPolicy> = Api::all(client.clone());
    let rivals = all.list(&everything).await.map_err(|error| unreadable("policies", error))?.items;
    let namespace = verb.namespace.as_deref().unwrap_or(client.default_namespace());
    let wanted = |policy: &&FunctionIdentityPolicy| {
        let in_namespace = verb.all_namespaces || policy.namespace().as_deref() == Some(namespace);
        in_namespace && verb.name.as_ref().is_none_or(|name| policy.name_any() == *name)
    };
    let policies: Vec<_> = rivals.iter().filter(wanted).cloned().collect();
    if let (Some(name), true) = (&verb.name, policies.is_empty()) {
        return Err(CliError::new(format!("there is no FunctionIdentityPolicy `{name}` in namespace `{namespace}`")));
    }
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
    let authority = Authority::Boundaries { boundaries, namespaces: labels.collect() };
    Ok(Subjects { policies, rivals, authority, from_files: !verb.boundary.is_empty() })
}
