//! The playbook's flow, walked in its order: earlier links of the chain dominate later ones.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::{
    Access, Availability, Effect, Evaluated, Finding, Reach, Reached, Recovered, Side, SignalSeen, availability,
    recovered, settings,
};
use crate::{
    api::{Settings, SystemIdentity},
    catalog::clocks,
    model::{Evidence, Hypothesis},
    policy::{Connection, Origin, Policy},
};

/// How old a word of telemetry may be beside its newest one to speak of what is.
const RECENT: SignedDuration = SignedDuration::from_mins(15);

/// What is thought of a hypothesis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Evidence shows it.
    Confirmed,
    /// Evidence rules it out.
    Refuted,
    /// Evidence is missing.
    Open,
    /// This version does not look at it, or the policy declares nothing that it could be about.
    NotExamined,
}

/// A hypothesis and its verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct HypothesisVerdict {
    /// Which.
    pub hypothesis: Hypothesis,
    /// What is thought of it.
    pub verdict: Verdict,
}

/// A question of the flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Question {
    /// Are the declared identities enabled, and there?
    IdentityEnabled,
    /// Are the right ones attached, each with the principal that it has now?
    PrincipalAttached,
    /// Do they hold what they need?
    RolePresent,
    /// Has every grant had the time to act?
    Propagated,
    /// Do the vaults decide by the declared model?
    VaultModeAligned,
    /// Do the app's settings name the places of the declared resources, and so the right audience?
    AudienceRight,
    /// Do the firewalls of what it calls let it in, and is all of that there?
    ServiceReachable,
    /// Do its calls succeed, as telemetry has it? Asked where that was read.
    Recovered,
}

/// An answer of the flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Yes.
    Yes,
    /// No.
    No,
    /// Could not be read or decided; the findings say why.
    CannotTell,
    /// Nothing declared is about it.
    NotAsked,
}

/// One step of the walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Node {
    /// What was asked.
    pub question: Question,
    /// What came out.
    pub answer: Answer,
}

/// The walk and what it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The questions in the order of the flow.
    pub path: Vec<Node>,
    /// All six, in order.
    pub hypotheses: Vec<HypothesisVerdict>,
    /// The one to act on now.
    pub cause: Option<Hypothesis>,
}

impl Decision {
    /// `doubted` is what words of several reasons leave open, and readings that failed without a finding.
    pub(super) fn of(
        policy: &Policy,
        findings: &[Finding],
        requirements: &[Evaluated],
        reached: &[Reached],
        doubted: &BTreeSet<Hypothesis>,
    ) -> Self {
        let doubted = |hypothesis| doubted.contains(&hypothesis);
        let unreadable =
            |prefix: &str| findings.iter().any(|finding| finding.is_unreadable(|one| one.starts_with(prefix)));
        let gone = findings.iter().any(|finding| matches!(finding, Finding::TargetNotFound { .. }));
        let target_known = !gone && !unreadable("target");
        let confirmed =
            |hypothesis| findings.iter().any(|finding| finding.hypothesis() == Some(hypothesis) && finding.confirms());
        // Where access is denied nobody looked at the grants, and without a principal there was nothing to look for.
        // Nor did anybody where the vault's mode is not known: by it roles decide, or something else.
        let undecided = unreadable("vaults/")
            || requirements.iter().any(|requirement| {
                matches!(
                    requirement.access,
                    Access::Unknown(_) | Access::Denied(_) | Access::NoPrincipal | Access::NoResource
                )
            });
        let uncompared = findings.iter().any(|finding| {
            matches!(
                finding,
                Finding::TargetNotFound { .. } | Finding::VaultNotFound { .. } | Finding::AccessPolicyUndecided { .. }
            )
        });

        let no_identity_known = !target_known || unreadable("identities/");
        let uses_identities = policy.system != SystemIdentity::Optional || !policy.user.is_empty();
        let undecided_identity = findings
            .iter()
            .any(|finding| finding.hypothesis() == Some(Hypothesis::H1) && finding.effect() == Effect::Unknown);
        let unseen = no_identity_known || undecided_identity || unreadable("settings") || unreadable("image");
        // An identity that is in its place may still not be the one that the app's connections use.
        let is_used = |origin: &Origin| matches!(origin, Origin::Binding(_) | Origin::Platform(_));
        let connects = policy.requirements.iter().any(|one| one.origins.iter().any(is_used));
        let uninspected = policy.settings == Settings::Never && connects;
        let h1 = verdict(confirmed(Hypothesis::H1), unseen || uninspected || doubted(Hypothesis::H1), uses_identities);
        let wrong = |question| findings.iter().any(|finding| question_of(finding) == Some(question));
        let enabled = verdict(wrong(Question::IdentityEnabled), no_identity_known, uses_identities);
        let attached = verdict(wrong(Question::PrincipalAttached), unseen, uses_identities);
        let h2 = verdict(confirmed(Hypothesis::H2), undecided || !target_known, !requirements.is_empty());
        let undated = requirements.iter().any(|requirement| undated(&requirement.access).is_some());
        let h3 = verdict(confirmed(Hypothesis::H3), undecided || undated || !target_known, !requirements.is_empty());
        let unlike = uncompared || unreadable("vaults/") || doubted(Hypothesis::H4);
        let h4 = verdict(confirmed(Hypothesis::H4), unlike, !policy.vaults.is_empty());
        // A vault that decides by access policies holds what the identities need as a role assignment would.
        let by_entries = |of: fn(&Finding) -> bool| findings.iter().any(of);
        let held = verdict(
            h2 == Verdict::Confirmed || by_entries(|it| matches!(it, Finding::AccessPolicyMissing { .. })),
            undecided || uncompared || !target_known,
            h2 != Verdict::NotExamined || policy.vaults.iter().any(|vault| !vault.access.is_empty()),
        );
        let acts = verdict(
            h3 == Verdict::Confirmed || by_entries(|it| matches!(it, Finding::ReferencesDenied { .. })),
            h3 == Verdict::Open,
            h3 != Verdict::NotExamined,
        );
        let aligned = verdict(
            by_entries(|it| matches!(it, Finding::VaultModeMismatch { .. })),
            by_entries(|it| matches!(it, Finding::TargetNotFound { .. } | Finding::VaultNotFound { .. }))
                || unreadable("vaults/"),
            !policy.vaults.is_empty(),
        );
        let undecided_address = findings
            .iter()
            .any(|finding| finding.hypothesis() == Some(Hypothesis::H5) && finding.effect() == Effect::Unknown);
        // A connection string, and what is not there, say of no address whether it is right.
        let unsaid = settings::right_places(policy, findings).next().is_none();
        let unread = undecided_address || unsaid || unreadable("settings") || !target_known;
        let inspected =
            policy.settings == Settings::Inspect && policy.connections.iter().any(Connection::names_a_place);
        let h5 = verdict(confirmed(Hypothesis::H5), unread, inspected);
        // Firewalls that are open, and things that are there, do not refute it: names, routes and time-outs are not seen.
        let undecided_reach = reached.iter().any(|one| matches!(one.reach, Reach::Undecided(_)));
        let reachable = verdict(confirmed(Hypothesis::H6), undecided_reach, !reached.is_empty());
        let h6 = match reachable {
            Verdict::Refuted => Verdict::Open,
            Verdict::NotExamined if doubted(Hypothesis::H6) => Verdict::Open,
            known => known,
        };

        let hypotheses = [
            (Hypothesis::H1, h1),
            (Hypothesis::H2, h2),
            (Hypothesis::H3, h3),
            (Hypothesis::H4, h4),
            (Hypothesis::H5, h5),
            (Hypothesis::H6, h6),
        ];
        let hypotheses = hypotheses.map(|(hypothesis, verdict)| HypothesisVerdict { hypothesis, verdict }).to_vec();
        let path = [
            (Question::IdentityEnabled, enabled),
            (Question::PrincipalAttached, attached),
            (Question::RolePresent, held),
            (Question::Propagated, acts),
            (Question::VaultModeAligned, aligned),
            (Question::AudienceRight, h5),
            (Question::ServiceReachable, reachable),
        ];
        Self {
            path: path.map(|(question, verdict)| Node { question, answer: answer(verdict) }).to_vec(),
            cause: first_confirmed(&hypotheses),
            hypotheses,
        }
    }
}

/// The one to act on: earlier links of the chain dominate.
fn first_confirmed(hypotheses: &[HypothesisVerdict]) -> Option<Hypothesis> {
    hypotheses.iter().find(|one| one.verdict == Verdict::Confirmed).map(|one| one.hypothesis)
}

/// What telemetry may decide where documents leave a hypothesis open: words of the services themselves that have one reason.
/// What was refused for want of a role may be of something that the policy does not declare.
const DECISIVE: [&str; 6] =
    ["other-identity-refused", "audience", "vault-firewall", "namespace-firewall", "cosmos-firewall", "no-such-host"];

impl Decision {
    /// Takes what telemetry says certainly, of the last quarter of an hour that has arrived. It refutes nothing, and late it
    /// decides nothing: what it told of may be over. Returns whether it decided something.
    pub(super) fn weigh(&mut self, evidence: &Evidence, signals: &[SignalSeen], now: Timestamp) -> bool {
        let outcome = recovered(evidence, now);
        let recovered = match &outcome {
            Recovered::Yes { .. } => Answer::Yes,
            Recovered::Refused { .. } | Recovered::Unanswered { .. } | Recovered::Unserved { .. } => Answer::No,
            Recovered::NotSeenServed { .. } | Recovered::NoTraffic | Recovered::Unreadable(_) => Answer::CannotTell,
        };
        self.path.push(Node { question: Question::Recovered, answer: recovered });
        // That nothing is invoked is no word of a service.
        let fails = matches!(outcome, Recovered::Refused { .. } | Recovered::Unanswered { .. });
        let is_certain = fails && availability(evidence, now) == Availability::Available;
        let Some(figures) = evidence.recovery.present().filter(|_| is_certain) else { return false };
        let mut decided = false;
        let recent = |seen: &&SignalSeen| figures.newest.duration_since(seen.last) < RECENT;
        let certain = signals.iter().filter(|seen| seen.side == Side::For && DECISIVE.contains(&seen.signal.as_str()));
        for seen in certain.filter(recent) {
            let verdicts = self.hypotheses.iter_mut().filter(|one| one.hypothesis == seen.hypothesis);
            for one in verdicts.filter(|one| matches!(one.verdict, Verdict::Open | Verdict::NotExamined)) {
                one.verdict = Verdict::Confirmed;
                decided = true;
                let shown = self.path.iter_mut().filter(|node| match node.question {
                    Question::AudienceRight | Question::ServiceReachable => {
                        node.question.hypothesis() == Some(seen.hypothesis)
                    }
                    _ => false,
                });
                shown.for_each(|node| node.answer = Answer::No);
            }
        }
        self.cause = first_confirmed(&self.hypotheses);
        if self.cause.is_some() {
            return decided;
        }
        // All that is declared is there, and a service says what cannot be then: something is used that nobody declared.
        for seen in signals.iter().filter(|seen| is_plain(seen)).filter(recent) {
            let verdicts = self.hypotheses.iter_mut().filter(|one| one.hypothesis == seen.hypothesis);
            verdicts.filter(|one| one.verdict == Verdict::Refuted).for_each(|one| one.verdict = Verdict::Open);
        }
        false
    }
}

/// Whether it speaks for its hypothesis, and for that one alone.
pub(super) fn is_plain(seen: &SignalSeen) -> bool {
    seen.side == Side::For && seen.ambiguous.is_none()
}

impl Question {
    /// The hypothesis that it examines; none where it asks how it ended.
    #[must_use]
    pub fn hypothesis(self) -> Option<Hypothesis> {
        Some(match self {
            Self::IdentityEnabled | Self::PrincipalAttached => Hypothesis::H1,
            Self::RolePresent => Hypothesis::H2,
            Self::Propagated => Hypothesis::H3,
            Self::VaultModeAligned => Hypothesis::H4,
            Self::AudienceRight => Hypothesis::H5,
            Self::ServiceReachable => Hypothesis::H6,
            Self::Recovered => return None,
        })
    }
}

/// The question that a finding answers.
#[must_use]
pub fn question_of(finding: &Finding) -> Option<Question> {
    if let Finding::AccessPolicyMissing { .. } | Finding::AccessPolicyUndecided { .. } = finding {
        return Some(Question::RolePresent);
    }
    if let Finding::ReferencesDenied { .. } = finding {
        return Some(Question::Propagated);
    }
    Some(match finding.hypothesis()? {
        Hypothesis::H1 if is_about_being(finding) => Question::IdentityEnabled,
        Hypothesis::H1 => Question::PrincipalAttached,
        Hypothesis::H2 => Question::RolePresent,
        Hypothesis::H3 => Question::Propagated,
        Hypothesis::H4 => Question::VaultModeAligned,
        Hypothesis::H5 => Question::AudienceRight,
        Hypothesis::H6 => Question::ServiceReachable,
    })
}

/// Why it is not known whether what is held acts already: since when an identity is in a group, nobody says.
pub(super) fn undated(access: &Access) -> Option<String> {
    let Access::Satisfied(grants) = access else { return None };
    let grant = grants.iter().find(|grant| grant.through_group)?;
    let hours = clocks::MEMBERSHIP.within.as_hours();
    Some(format!("`{}` is held through a group, and a token has the groups of up to {hours} hours ago", grant.role))
}

fn is_about_being(finding: &Finding) -> bool {
    matches!(
        finding,
        Finding::SystemIdentityDisabled | Finding::UserIdentityNotFound { .. } | Finding::PrincipalMissing { .. }
    )
}

fn verdict(confirmed: bool, open: bool, examined: bool) -> Verdict {
    match (confirmed, open, examined) {
        (true, _, _) => Verdict::Confirmed,
        (false, true, true) => Verdict::Open,
        (false, false, true) => Verdict::Refuted,
        (false, _, false) => Verdict::NotExamined,
    }
}

fn answer(verdict: Verdict) -> Answer {
    match verdict {
        Verdict::Confirmed => Answer::No,
        Verdict::Refuted => Answer::Yes,
        Verdict::Open => Answer::CannotTell,
        Verdict::NotExamined => Answer::NotAsked,
    }
}
