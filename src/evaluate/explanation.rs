//! Why the decision is what it is: for each hypothesis what speaks for it and against it, and what is missing to tell.

mod facts;
mod probe;

use std::collections::BTreeSet;

use super::{
    Access, Answer, ConnectionProblem, Doubt, Evaluation, Finding, Hypothesis, PrivateDoubt, Question, Reach, Side,
    SignalSeen, Verdict, aftermath,
    decision::{is_plain, undated},
    history, network,
};
use crate::{
    api::{NetworkCheck, Settings},
    model::{Failure, Observed, Reading, Scope, TargetKind},
    policy::Policy,
};

pub use facts::Fact;
pub use probe::Probes;

/// The decision with what it rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The five links from an identity to access, in order.
    pub chain: Vec<Link>,
    /// The six hypotheses, in order.
    pub cases: Vec<Case>,
    /// What only the target itself can try; none when it is not known.
    pub probes: Option<Probes>,
}

impl Explanation {
    /// Leaves out where access comes from that may not be told; that there is some is the app's own to know.
    pub fn withhold(&mut self, target: &Scope, may_tell: impl Fn(&Scope) -> bool) {
        for case in &mut self.cases {
            for facts in [&mut case.confirming, &mut case.disproving] {
                let mut told: Vec<Fact> = Vec::new();
                for mut fact in facts.drain(..) {
                    if !may_tell(&fact.resource) {
                        let (field, value) = ("access".to_owned(), "from outside of the boundary".to_owned());
                        fact = Fact { resource: target.clone(), field, value, at: fact.at };
                    }
                    if !told.contains(&fact) {
                        told.push(fact);
                    }
                }
                *facts = told;
            }
        }
    }
}

/// A link of the identity chain: each is worth nothing without the ones before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkOfChain {
    /// The identity is enabled, or attached.
    Enabled,
    /// Its principal exists in Entra ID.
    InDirectory,
    /// The app reaches the endpoint that hands out tokens.
    TokenEndpoint,
    /// The principal was granted what it needs.
    Granted,
    /// The grant acts.
    Propagated,
}

/// A link and whether it holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// Which.
    pub link: LinkOfChain,
    /// Whether it holds.
    pub answer: Answer,
    /// What is missing to tell; none when it can be told.
    pub needed: Option<Needed>,
}

/// A hypothesis with its evidence.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// Which.
    pub hypothesis: Hypothesis,
    /// What is thought of it.
    pub verdict: Verdict,
    /// What speaks for it.
    pub confirming: Vec<Fact>,
    /// What speaks against it.
    pub disproving: Vec<Fact>,
    /// What the app's telemetry says for it and against it. It decides nothing by itself.
    pub telemetry: Vec<SignalSeen>,
    /// What is missing to tell, or to be surer.
    pub needed: Vec<Needed>,
}

/// Why something cannot be told, and with that what it would need.
#[derive(Clone, Debug, PartialEq)]
pub enum Needed {
    /// A reading failed.
    Reading(Failure),
    /// The activity log could not be read, and so not how it came about.
    History(Failure),
    /// What was read does not decide it.
    Undecided(String),
    /// Resource Manager does not show which principals exist in the directory.
    Directory,
    /// Only the app's own telemetry shows it.
    Telemetry,
    /// The policy keeps the app's settings from being read.
    Settings,
    /// A container app or a machine shows nothing of what runs in it.
    Inside,
    /// Nothing declared is about it.
    Declaration,
    /// The policy keeps firewalls from being looked at.
    Network,
    /// Whether the app reaches that resource by a private endpoint.
    Way {
        /// The resource.
        resource: Scope,
        /// What leaves it open.
        doubt: PrivateDoubt,
    },
}

/// Explains an evaluation by what it was made from.
#[must_use]
pub fn explain(policy: &Policy, observed: &Observed, evaluation: &Evaluation) -> Explanation {
    let verdicts = &evaluation.decision.hypotheses;
    let cases = verdicts.iter().map(|one| {
        let of_it = evaluation.findings.iter().filter(|finding| finding.hypothesis() == Some(one.hypothesis));
        let speaking = of_it.filter(|finding| finding.confirms());
        Case {
            hypothesis: one.hypothesis,
            verdict: one.verdict,
            confirming: speaking
                .flat_map(|finding| facts::for_it(finding, policy, observed))
                .chain(facts::of_references(one.hypothesis, policy, observed, evaluation))
                .collect(),
            disproving: facts::against(one.hypothesis, policy, observed, evaluation),
            telemetry: evaluation.signals.iter().filter(|seen| seen.hypothesis == one.hypothesis).cloned().collect(),
            needed: needed(one.hypothesis, one.verdict, policy, observed, evaluation),
        }
    });
    Explanation {
        chain: chain(policy, observed, evaluation),
        cases: cases.collect(),
        probes: probe::probes(policy, observed),
    }
}

/// What was seen of private endpoints and does not settle it.
fn ways(evaluation: &Evaluation) -> impl Iterator<Item = Needed> {
    evaluation.reached.iter().filter_map(|one| match &one.reach {
        Reach::Undecided(Doubt::Private(doubt)) => {
            Some(Needed::Way { resource: one.resource.clone(), doubt: doubt.clone() })
        }
        Reach::Open | Reach::Private(_) | Reach::Blocked(_) | Reach::Undecided(_) => None,
    })
}

fn needed(
    hypothesis: Hypothesis,
    verdict: Verdict,
    policy: &Policy,
    observed: &Observed,
    evaluation: &Evaluation,
) -> Vec<Needed> {
    match verdict {
        // Names, routes and addresses are seen by the app alone.
        Verdict::Open if hypothesis == Hypothesis::H6 && has_telemetry(evaluation) => {
            let is_for = |seen: &&SignalSeen| seen.hypothesis == hypothesis && seen.side == Side::For;
            let because = match evaluation.signals.iter().find(is_for) {
                Some(seen) => format!("telemetry says that {}, which has other reasons, too", seen.says),
                None => "telemetry tells of no name that is unknown and no time that is out".to_owned(),
            };
            ways(evaluation).chain([Needed::Undecided(because)]).collect()
        }
        Verdict::Open if hypothesis == Hypothesis::H6 => ways(evaluation).chain([Needed::Telemetry]).collect(),
        Verdict::Open => {
            let about = |finding: &Finding| finding.hypothesis().is_none_or(|it| it == hypothesis);
            let mut needed: Vec<_> =
                evaluation.findings.iter().filter(|finding| about(finding)).filter_map(missing).collect();
            if hypothesis == Hypothesis::H1 && policy.settings == Settings::Never {
                needed.push(settings(policy));
            }
            let unread = aftermath::unread(policy, observed).filter(|(it, _)| *it == hypothesis);
            needed.extend(unread.map(|(_, failure)| Needed::Reading(failure.clone())));
            let unresolved = evaluation.unresolved.iter().filter(|one| one.hypothesis == hypothesis);
            needed.extend(
                unresolved
                    .take(1)
                    .map(|one| Needed::Undecided(format!("`{}` of `{}` has several reasons", one.status, one.setting))),
            );
            if hypothesis == Hypothesis::H3 {
                let through_groups = evaluation.requirements.iter().filter_map(|one| undated(&one.access));
                needed.extend(through_groups.take(1).map(Needed::Undecided));
            }
            let plain = evaluation.signals.iter().find(|seen| seen.hypothesis == hypothesis && is_plain(seen));
            if let (true, Some(seen)) = (needed.is_empty(), plain) {
                let because = format!("all that is declared is there, and telemetry says that {}", seen.says);
                needed.push(Needed::Undecided(because));
            }
            if needed.is_empty() {
                let is_denied = |finding: &Finding| matches!(finding, Finding::AccessDenied { .. });
                // So that nobody looked further, or could.
                let because = if evaluation.findings.iter().any(is_denied) {
                    "a deny assignment decides, whatever roles there are"
                } else {
                    "an earlier link of the chain is open or broken"
                };
                needed.push(Needed::Undecided(because.to_owned()));
            }
            needed
        }
        Verdict::NotExamined if hypothesis == Hypothesis::H6 && policy.network == NetworkCheck::Ignore => {
            vec![Needed::Network]
        }
        Verdict::NotExamined if hypothesis == Hypothesis::H5 && policy.settings == Settings::Never => {
            vec![settings(policy)]
        }
        Verdict::NotExamined => vec![unseen(hypothesis, policy, observed).unwrap_or(Needed::Declaration)],
        Verdict::Confirmed => unread_histories(hypothesis, policy, observed, evaluation),
        Verdict::Refuted => Vec::new(),
    }
}

/// Why nobody came to look at what is declared: what comes before it is not there, or could not be read.
fn unseen(hypothesis: Hypothesis, policy: &Policy, observed: &Observed) -> Option<Needed> {
    let of_vaults =
        || policy.vaults.iter().filter_map(|one| observed.vaults.get(&one.vault)).find_map(Reading::unreadable);
    let unread = match hypothesis {
        Hypothesis::H6 if network::calls_something(policy) => match &observed.target {
            Reading::Present { .. } => None,
            Reading::Absent { .. } => return Some(Needed::Undecided("the app is not there".to_owned())),
            Reading::Unreadable(failure) => Some(failure),
        },
        // By a vault's mode roles decide, or something else.
        Hypothesis::H2 | Hypothesis::H3 if policy.vaults.iter().any(|one| !one.access.is_empty()) => of_vaults(),
        _ => None,
    };
    unread.map(|failure| Needed::Reading(failure.clone()))
}

/// Why it is not told how what is wrong came about. A log that many findings need is told once.
fn unread_histories(
    hypothesis: Hypothesis,
    policy: &Policy,
    observed: &Observed,
    evaluation: &Evaluation,
) -> Vec<Needed> {
    let of_it = evaluation.findings.iter().filter(|finding| finding.hypothesis() == Some(hypothesis));
    let behind: BTreeSet<_> = of_it.filter_map(|finding| history::behind(finding, policy)).collect();
    let unread = behind.iter().filter_map(|history| observed.history.get(history)?.unreadable());
    unread.take(1).cloned().map(Needed::History).collect()
}

/// Whether the app's telemetry arrives, so that more of it would tell no more.
fn has_telemetry(evaluation: &Evaluation) -> bool {
    let figures = evaluation.evidence.as_ref().and_then(Reading::present);
    figures.is_some_and(|evidence| evidence.recovery.present().is_some())
}

/// What would show by which identity is asked, and where.
fn settings(policy: &Policy) -> Needed {
    match TargetKind::of(&policy.target) {
        TargetKind::App => Needed::Settings,
        TargetKind::ContainerApp | TargetKind::Machine => Needed::Inside,
    }
}

fn missing(finding: &Finding) -> Option<Needed> {
    match finding {
        Finding::Unreadable { failure, .. } => Some(Needed::Reading(failure.clone())),
        Finding::AccessUndecided { because, .. } | Finding::AccessPolicyUndecided { because, .. } => {
            Some(Needed::Undecided(because.clone()))
        }
        Finding::Connection { problem: ConnectionProblem::Undecided { setting, .. }, .. } => Some(Needed::Undecided(
            format!("the setting `{setting}` is a reference, and what it stands for is not read"),
        )),
        Finding::RoleUnknown { role, .. } => Some(Needed::Undecided(format!("no role named `{role}` is known"))),
        _ => None,
    }
}

/// The five links. That a principal exists and that tokens are handed out is nothing that Resource Manager shows.
fn chain(policy: &Policy, observed: &Observed, evaluation: &Evaluation) -> Vec<Link> {
    let answer = |question: Question| {
        let node = evaluation.decision.path.iter().find(|node| node.question == question);
        node.map_or(Answer::NotAsked, |node| node.answer)
    };
    let (there, attached) = (answer(Question::IdentityEnabled), answer(Question::PrincipalAttached));
    let enabled = if there == Answer::Yes { attached } else { there };
    let failure = || {
        let unread = policy.user.iter().filter_map(|id| observed.user.get(id)).find_map(Reading::unreadable);
        observed.target.unreadable().or(unread).cloned()
    };
    let is_gone = evaluation
        .findings
        .iter()
        .any(|finding| matches!(finding, Finding::UserIdentityNotFound { .. } | Finding::StaleAttachment { .. }));
    // Whom a resource refuses came with a token, and so from the directory.
    let had_token = evaluation.signals.iter().any(|seen| seen.signal == "declared-identity-refused");
    let in_directory = match (is_gone, had_token) {
        (true, _) => Answer::No,
        (false, true) => Answer::Yes,
        (false, false) => Answer::CannotTell,
    };
    let token_endpoint = if had_token { Answer::Yes } else { Answer::CannotTell };
    let granted = answer(Question::RolePresent);
    let undecided = || {
        let unknown = evaluation.requirements.iter().find_map(|one| match &one.access {
            Access::Unknown(because) => Some(because.clone()),
            other => undated(other),
        });
        Needed::Undecided(unknown.unwrap_or_else(|| "there is no principal to ask about".to_owned()))
    };
    let cannot = |answer: Answer, needed: Needed| (answer == Answer::CannotTell).then_some(needed);
    let link = |link, answer, needed| Link { link, answer, needed };
    let propagated = answer(Question::Propagated);
    vec![
        link(
            LinkOfChain::Enabled,
            enabled,
            cannot(enabled, failure().map_or(Needed::Undecided("the app is not known".to_owned()), Needed::Reading)),
        ),
        link(LinkOfChain::InDirectory, in_directory, cannot(in_directory, Needed::Directory)),
        link(LinkOfChain::TokenEndpoint, token_endpoint, cannot(token_endpoint, Needed::Telemetry)),
        link(LinkOfChain::Granted, granted, cannot(granted, undecided())),
        link(LinkOfChain::Propagated, propagated, cannot(propagated, undecided())),
    ]
}

#[cfg(test)]
mod tests;
