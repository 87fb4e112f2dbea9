//! Compares what is declared with what was observed. Total and pure: the same values give the same evaluation.

mod access;
mod aftermath;
mod alignment;
mod cosmos;
mod decision;
mod evidence;
mod excess;
mod existence;
mod explanation;
mod finding;
#[cfg(test)]
pub(crate) mod fixtures;
mod history;
mod identity;
mod network;
mod operation;
mod platform;
mod references;
mod settings;
mod severity;
mod together;
mod unneeded;
mod vault;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;

pub use access::{Access, DecidingGrant};
pub use alignment::{Alignment, Consumer, Fate, Gap, Grounds, Relied, align};
pub use decision::{Answer, Decision, HypothesisVerdict, Node, Question, Verdict, question_of};
pub use evidence::{Availability, RECOVERS_WITHIN, Recovered, Side, SignalSeen, availability, recovered, signals};
pub use excess::{Excess, excess};
pub use explanation::{Case, Explanation, Fact, Link, LinkOfChain, Needed, Probes, explain};
pub use finding::{Effect, Finding, NearMiss};
pub use identity::PrincipalState;
pub use network::{Barrier, Doubt, PrivateDoubt, Reach, Reached, Unseen, network_questions};
pub use operation::stands_in;
pub use references::{Unresolved, has_references};
pub use settings::{ConnectionProblem, Used};
pub use severity::Severity;
pub use unneeded::{Kept, unneeded};

pub use crate::model::Hypothesis;
use crate::{
    model::{Evidence, Failure, FailureClass, History, Observed, PrincipalId, Reading, RoleId, Scope, Site},
    policy::{Identity, Origin, Policy},
};

/// What follows from comparing a policy with the world.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// The app as it was seen; none when it could not be read or is not there.
    pub site: Option<Site>,
    /// Each access requirement with its answer, in the policy's order.
    pub requirements: Vec<Evaluated>,
    /// What is wrong or unknown, earlier links of the chain first.
    pub findings: Vec<Finding>,
    /// The walk of the playbook's flow.
    pub decision: Decision,
    /// How grave it is; none when nothing is cut off.
    pub severity: Option<Severity>,
    /// Principals whose grants through groups could meet an open need. When asked and observed again, the
    /// evaluation has no such question left.
    pub ask_groups: BTreeSet<(PrincipalId, String)>,
    /// Declared resources that may not exist: access comes from above, or is missing. Asked likewise.
    pub ask_resources: BTreeSet<Scope>,
    /// Something is wrong, or access to a vault took effect lately, and how the app's references to it stand is not known.
    /// Asked likewise.
    pub ask_references: bool,
    /// The app's document shows another identity at the registry than declared, and not whether its configuration says the
    /// same. Asked likewise.
    pub ask_registry: bool,
    /// Subscriptions in which access is there that others granted, and whether it ends is not known. Asked likewise,
    /// and not if there is something graver to tell.
    pub ask_ends: BTreeSet<String>,
    /// Something is wrong, and what the app's telemetry says of it is not known. Asked likewise, at last.
    pub ask_evidence: bool,
    /// Whose lately made changes could say how what is wrong came about. What they say is for the explanation alone.
    pub ask_history: BTreeSet<History>,
    /// What telemetry told, where anybody asked.
    pub evidence: Option<Reading<Arc<Evidence>>>,
    /// What it says for and against the hypotheses.
    pub signals: Vec<SignalSeen>,
    /// References to declared vaults that the platform did not resolve, where anybody asked.
    pub unresolved: Vec<Unresolved>,
    /// What the app calls, and whether firewalls let it in, where anybody asked.
    pub reached: Vec<Reached>,
    /// What switching a vault to role assignments would do, by vault, where that was asked.
    pub alignments: BTreeMap<Scope, Result<Alignment, Failure>>,
    /// How many further findings there are that are not told, advisory all of them.
    pub untold: usize,
}

/// One access requirement and its answer.
#[derive(Clone, Debug)]
pub struct Evaluated {
    /// What in the policy asks for it.
    pub origins: Vec<Origin>,
    /// Who needs it.
    pub identity: Identity,
    /// The principal behind it, where known.
    pub principal: Option<PrincipalId>,
    /// Where.
    pub scope: Scope,
    /// The role that is recommended for it, by name.
    pub role: String,
    /// That role's id, where the subscription knows it.
    pub role_id: Option<RoleId>,
    /// The answer.
    pub access: Access,
}

/// How a policy stands, as one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Everything declared was confirmed.
    Compliant,
    /// Everything needed is there; something else deserves a look.
    CompliantWithFindings,
    /// Granted, and not yet certain to act.
    Propagating,
    /// Not enough could be read to say.
    Undetermined,
    /// Something declared is missing or different.
    Drifted,
    /// The app does not exist.
    TargetNotFound,
}

impl Evaluation {
    /// One that speaks of grants only: what is looked at when a policy leaves.
    #[must_use]
    pub fn of_grants(policy: &Policy, findings: Vec<Finding>) -> Self {
        let decision = Decision::of(policy, &findings, &[], &[], &BTreeSet::new());
        let severity = Severity::of(policy, &findings, &[], None);
        Self {
            site: None,
            requirements: Vec::new(),
            findings,
            decision,
            severity,
            ask_groups: BTreeSet::new(),
            ask_resources: BTreeSet::new(),
            ask_references: false,
            ask_registry: false,
            ask_ends: BTreeSet::new(),
            ask_evidence: false,
            ask_history: BTreeSet::new(),
            evidence: None,
            signals: Vec::new(),
            unresolved: Vec::new(),
            reached: Vec::new(),
            alignments: BTreeMap::new(),
            untold: 0,
        }
    }

    /// Leaves out what may not be told: near misses elsewhere.
    pub fn withhold(&mut self, may_tell: impl Fn(&Scope) -> bool) {
        for finding in &mut self.findings {
            if let Finding::RoleMissing { near, .. } = finding {
                near.retain(|near| match near {
                    NearMiss::OtherScope(scope) | NearMiss::NoDataActions { scope, .. } => may_tell(scope),
                    NearMiss::OtherPrincipal(_) => true,
                });
            }
        }
    }

    /// The whole in one word: what is certainly wrong outweighs what is unknown.
    #[must_use]
    pub fn standing(&self) -> Standing {
        if self.findings.iter().any(|finding| matches!(finding, Finding::TargetNotFound { .. })) {
            return Standing::TargetNotFound;
        }
        let standing = |finding: &Finding| match finding.effect() {
            Effect::Advisory => Standing::CompliantWithFindings,
            Effect::Propagating => Standing::Propagating,
            Effect::Unknown => Standing::Undetermined,
            Effect::Drift => Standing::Drifted,
        };
        self.findings.iter().map(standing).max().unwrap_or(Standing::Compliant)
    }
}

/// A part that nobody read is unknown and not absent, whoever forgot it.
fn not_observed(what: &str) -> Failure {
    Failure::new(FailureClass::Bug, "NotObserved", format!("{what} was not read"))
}

/// Whether the app's host is certainly the one from before its identity was written.
#[must_use]
pub fn is_host_older(observed: &Observed) -> bool {
    aftermath::host(observed).is_some()
}

/// Compares the policy with what was observed, as of `now`.
#[must_use]
pub fn evaluate(policy: &Policy, observed: &Observed, now: Timestamp) -> Evaluation {
    let mut findings = Vec::new();
    let site = match &observed.target {
        Reading::Present { value, .. } => Some(value.clone()),
        Reading::Absent { .. } => {
            findings.push(Finding::TargetNotFound { target: policy.target.clone() });
            None
        }
        Reading::Unreadable(failure) => {
            Finding::unreadable(&mut findings, "target".to_owned(), failure);
            None
        }
    };
    if matches!(observed.target, Reading::Absent { .. }) {
        // Nothing can be said about the identities of an app that is not there.
        let ask_history = history::unasked(&findings, policy, observed);
        return Evaluation { ask_history, ..Evaluation::of_grants(policy, findings) };
    }

    let principals = identity::principals(policy, observed, site.as_ref(), &mut findings);
    let ask_groups = RefCell::default();
    let vault_needs = vault::compare(policy, &principals, observed, now, &ask_groups, &mut findings);

    let mut requirements = Vec::new();
    for requirement in policy.requirements.iter().chain(&vault_needs) {
        let gone = existence::gone(requirement, observed, &mut findings);
        requirements.push(gone.unwrap_or_else(|| {
            access::evaluate_requirement(requirement, &principals, observed, now, &ask_groups, &mut findings)
        }));
    }
    settings::compare(policy, observed, site.as_ref(), &mut findings);
    let ask_registry = platform::compare(policy, observed, site.as_ref(), &mut findings);
    findings.extend(aftermath::host(observed));
    findings.extend(site.as_ref().and_then(|site| site.stopped.clone()).map(|state| Finding::TargetStopped { state }));
    let ask_references =
        aftermath::references(policy, observed, site.as_ref(), &principals, &requirements, &mut findings, now);
    let reached = network::compare(policy, observed, site.as_ref(), &requirements, &mut findings);
    findings.sort_by_key(Finding::link);
    let unresolved = references::unresolved(policy, observed);
    let unread = aftermath::unread(policy, observed).map(|(hypothesis, _)| hypothesis);
    let doubted = unresolved.iter().map(|one| one.hypothesis).chain(unread).collect();
    let mut decision = Decision::of(policy, &findings, &requirements, &reached, &doubted);
    let evidence = observed.evidence.clone();
    let told = evidence.as_ref().and_then(Reading::present).map(AsRef::as_ref);
    let ask_groups = ask_groups.into_inner();
    let ask_ends = access::unasked(&requirements, observed);
    let ask_resources = existence::unasked(&requirements, observed);
    let ask_history = history::unasked(&findings, policy, observed);
    let signals = evidence::of_policy(observed, site.as_ref(), &requirements);
    let mut severity = Severity::of(policy, &findings, &requirements, told);
    if told.is_some_and(|evidence| decision.weigh(evidence, &signals, now)) {
        severity = severity.or_else(|| Some(Severity::of_something(policy, told)));
    }
    let mut evaluation = Evaluation {
        site,
        requirements,
        findings,
        decision,
        severity,
        ask_groups,
        ask_resources,
        ask_references,
        ask_registry,
        ask_ends,
        ask_evidence: false,
        ask_history,
        evidence,
        signals,
        unresolved,
        reached,
        alignments: BTreeMap::new(),
        untold: 0,
    };
    let is_wrong = evaluation.standing() > Standing::CompliantWithFindings;
    evaluation.ask_evidence = is_wrong && policy.evidence.is_some() && observed.evidence.is_none();
    evaluation.ask_references |= is_wrong && observed.references.is_none() && has_references(policy);
    evaluation
}

#[cfg(test)]
mod tests;
