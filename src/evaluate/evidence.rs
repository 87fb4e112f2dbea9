//! What telemetry says for and against the hypotheses, as data. Weighs nothing: the decision does that.

mod stopped;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::{Evaluated, Hypothesis};
use crate::{
    catalog::{
        services,
        signals::{self, Signal},
    },
    model::{
        Failure, Observed, PrincipalId, Reading, Scope, Site, Source,
        evidence::{Evidence, FiveMinutes},
        work::Work,
    },
};
use stopped::Unserved;

/// How old the newest telemetry may be when more is expected. The service needs minutes ("Log data ingestion time": 20 seconds
/// to 3 minutes), and an app that has little to do is silent for longer.
const LATE: SignedDuration = SignedDuration::from_mins(15);

/// The length of a step of the series.
const STEP: SignedDuration = SignedDuration::from_mins(5);

/// How much more one kind of failure there must be than of the other, so that it dominates.
const DOMINATES: u64 = 3;

/// For or against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// It speaks for the hypothesis.
    For,
    /// It speaks against it.
    Against,
}

/// Something that telemetry says of a hypothesis.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SignalSeen {
    /// Which.
    pub hypothesis: Hypothesis,
    /// For it or against it.
    pub side: Side,
    /// What was seen: the name of a row of the catalog, or of what the figures themselves say.
    pub signal: String,
    /// The same as a clause.
    pub says: String,
    /// What else it may come from. Then it decides nothing by itself.
    pub ambiguous: Option<String>,
    /// Which query told it.
    pub source: Source,
    /// How often.
    pub count: u64,
    /// Where most often: a target, a function, a resource; empty where that is not known.
    pub at: String,
    /// The last time.
    pub last: Timestamp,
}

/// Whether telemetry can say anything. Only where it can does its silence mean something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Availability {
    /// It arrives.
    Available,
    /// The workspace does not exist, or has nothing of the app in the window.
    Silent,
    /// The newest is old: what happened since may not have arrived, or nothing happens.
    Late {
        /// Of that time.
        newest: Timestamp,
    },
    /// It could not be read.
    Unreadable(Failure),
}

/// Whether what was read can say anything now.
#[must_use]
pub fn availability(evidence: &Evidence, now: Timestamp) -> Availability {
    match &evidence.recovery {
        Reading::Unreadable(failure) => Availability::Unreadable(failure.clone()),
        Reading::Absent { .. } => Availability::Silent,
        Reading::Present { value, .. } if now.duration_since(value.newest) > LATE => {
            Availability::Late { newest: value.newest }
        }
        Reading::Present { .. } => Availability::Available,
    }
}

/// How long the configuration has to be in order before telemetry can say that calls succeed again: the query counts a
/// quarter of an hour of calls, and gives them five minutes to arrive.
pub const RECOVERS_WITHIN: SignedDuration = SignedDuration::from_mins(20);

/// Whether calls succeed again, by the last quarter of an hour of which telemetry can have arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recovered {
    /// There were so many calls, and none was refused.
    Yes {
        /// Calls and invocations.
        calls: u64,
    },
    /// So many are refused still.
    Refused {
        /// Refusals.
        auth_failures: u64,
    },
    /// More calls are without an answer than succeed.
    Unanswered {
        /// Calls without one.
        network_failures: u64,
    },
    /// Nothing is invoked, while there is work for it.
    Unserved {
        /// Where most of it is.
        source: Scope,
        /// How much was there.
        work: Work,
    },
    /// There is work, and telemetry has no invocation at all, which it may not record.
    NotSeenServed {
        /// Where most of it is.
        source: Scope,
    },
    /// Nothing succeeds, which is no recovery.
    NoTraffic,
    /// It could not be read.
    Unreadable(Failure),
}

/// Whether the app has recovered as of `now`.
#[must_use]
pub fn recovered(evidence: &Evidence, now: Timestamp) -> Recovered {
    // Who looks for work and is given none calls, too, and succeeds.
    let undone = stopped::undone(evidence);
    let records_invocations = evidence.invocations.present().is_some();
    match (availability(evidence, now), evidence.recovery.present(), undone) {
        (Availability::Unreadable(failure), ..) => Recovered::Unreadable(failure),
        (_, Some(figures), _) if figures.auth_failures > 0 => {
            Recovered::Refused { auth_failures: figures.auth_failures }
        }
        (_, Some(figures), _) if figures.network_failures > figures.calls => {
            Recovered::Unanswered { network_failures: figures.network_failures }
        }
        (_, _, Some(Unserved { source, work })) if records_invocations => {
            Recovered::Unserved { source: source.clone(), work }
        }
        (_, _, Some(Unserved { source, .. })) => Recovered::NotSeenServed { source: source.clone() },
        (Availability::Available, Some(figures), None) if figures.calls > 0 => Recovered::Yes { calls: figures.calls },
        (Availability::Available | Availability::Silent | Availability::Late { .. }, _, None) => Recovered::NoTraffic,
    }
}

/// Everything that the evidence says of a hypothesis, source by source. `own` are the principals of the app's identities.
#[must_use]
pub fn signals(evidence: &Evidence, requirements: &[Evaluated], own: &BTreeSet<PrincipalId>) -> Vec<SignalSeen> {
    let mut seen = told(evidence);
    seen.extend(dominance(evidence));
    seen.extend(falling(evidence));
    seen.extend(stopped::stopped(evidence));
    seen.extend(refusals(evidence, requirements, own));
    seen
}

/// What the evidence says that was observed; nothing where none was.
pub(super) fn of_policy(observed: &Observed, site: Option<&Site>, requirements: &[Evaluated]) -> Vec<SignalSeen> {
    let Some(evidence) = observed.evidence.as_ref().and_then(Reading::present) else { return Vec::new() };
    let system = site.and_then(|site| site.system.principal());
    let user = observed.user.values().filter_map(Reading::present).filter_map(|identity| identity.principal);
    signals(evidence, requirements, &system.into_iter().chain(user).collect())
}

/// What the rows of the catalog say.
fn told(evidence: &Evidence) -> Vec<SignalSeen> {
    let sources = [
        (Source::DependencyFailures, &evidence.dependencies),
        (Source::CredentialTraces, &evidence.credentials),
        (Source::HostTraces, &evidence.host),
    ];
    let mut seen = Vec::new();
    for (source, summary) in sources {
        for told in summary.present().into_iter().flat_map(|summary| &summary.signals) {
            let Some(row) = signals::signal(&told.signal) else { continue };
            let sides = [(Side::For, &row.supports), (Side::Against, &row.opposes)];
            let of_sides = sides.into_iter().flat_map(|(side, which)| which.iter().map(move |one| (side, *one)));
            seen.extend(of_sides.map(|(side, hypothesis)| SignalSeen {
                hypothesis,
                side,
                signal: row.id.clone(),
                says: row.says.clone(),
                ambiguous: row.ambiguous.clone(),
                source,
                count: told.count,
                at: told.at.clone(),
                last: told.last,
            }));
        }
    }
    seen
}

/// What failed calls ended with, by the source that tells of most.
#[derive(Clone, Copy)]
struct Ended {
    count: u64,
    last: Option<Timestamp>,
    source: Source,
}

impl Ended {
    fn none(source: Source) -> Self {
        Self { count: 0, last: None, source }
    }

    fn and(self, count: u64, at: Timestamp) -> Self {
        let last = if count > 0 { self.last.max(Some(at)) } else { self.last };
        Self { count: self.count.saturating_add(count), last, ..self }
    }
}

/// Whether calls without an answer outnumber refusals, or the other way round.
///
/// Libraries that record no call, or none with a result, still throw. What both the calls and the exceptions tell may be
/// the same failures: the larger figure counts, and not the sum.
fn dominance(evidence: &Evidence) -> Option<SignalSeen> {
    // Half of the figures might say the contrary of all of them.
    if evidence.series.unreadable().or(evidence.credentials.unreadable()).is_some() {
        return None;
    }
    let steps = evidence.series.present().map(Vec::as_slice).unwrap_or_default();
    let in_calls = |of: fn(&FiveMinutes) -> u64| {
        steps.iter().fold(Ended::none(Source::FailureSeries), |sum, step| sum.and(of(step), step.begin))
    };
    let told = evidence.credentials.present().map(|told| told.signals.as_slice()).unwrap_or_default();
    let in_words = |is_counted: fn(&Signal) -> bool| {
        let counted = told.iter().filter(|it| signals::signal(&it.signal).is_some_and(is_counted));
        counted.fold(Ended::none(Source::CredentialTraces), |sum, it| sum.and(it.count, it.last))
    };
    let larger = |one: Ended, other: Ended| if other.count > one.count { other } else { one };
    let auth = larger(in_calls(|step| step.auth_failures), in_words(Signal::is_refusal));
    let network = larger(in_calls(|step| step.network_failures), in_words(Signal::is_unanswered));
    let (side, signal, says, ended) = if network.count > auth.count.saturating_mul(DOMINATES) {
        (Side::For, "no-answer-dominates", "most failed calls had no answer", network)
    } else if auth.count > network.count.saturating_mul(DOMINATES) {
        (Side::Against, "refusals-dominate", "most failed calls were answered, with a refusal", auth)
    } else {
        return None;
    };
    // A firewall refuses, too.
    let ambiguous = (side == Side::Against).then(|| "firewalls answer with refusals".to_owned());
    let seen = of_series(Hypothesis::H6, side, signal, says, ended.count, ended.last?);
    Some(SignalSeen { ambiguous, source: ended.source, ..seen })
}

/// Whether refusals become fewer step by step since there were most.
fn falling(evidence: &Evidence) -> Option<SignalSeen> {
    // The last one is not over, and what belongs to it still arrives.
    let (_, steps) = evidence.series.present()?.split_last()?;
    let most = steps.iter().map(|step| step.auth_failures).max().filter(|most| *most > 0)?;
    let peak = steps.iter().rposition(|step| step.auth_failures == most)?;
    let since = &steps[peak..];
    // Five minutes that are not there are minutes without a call, of which nothing falls.
    let falls = since.windows(2).all(|pair| {
        pair[1].auth_failures <= pair[0].auth_failures && pair[1].begin.duration_since(pair[0].begin) <= STEP
    });
    let newest = since.last()?;
    let has_traffic = newest.calls > 0;
    (since.len() >= 3 && falls && has_traffic && newest.auth_failures <= most / 2).then(|| SignalSeen {
        ambiguous: Some("a repair of any kind looks the same".to_owned()),
        ..of_series(Hypothesis::H3, Side::For, "refusals-fall", "refusals become fewer", most, newest.begin)
    })
}

fn of_series(hypothesis: Hypothesis, side: Side, signal: &str, says: &str, count: u64, last: Timestamp) -> SignalSeen {
    SignalSeen {
        hypothesis,
        side,
        signal: signal.to_owned(),
        says: says.to_owned(),
        ambiguous: None,
        source: Source::FailureSeries,
        count,
        at: String::new(),
        last,
    }
}

/// Whom resources refused, against who is to be let in. Others than the app may be refused there, and say nothing of it.
fn refusals(evidence: &Evidence, requirements: &[Evaluated], own: &BTreeSet<PrincipalId>) -> Vec<SignalSeen> {
    let mut seen = Vec::new();
    for refused in evidence.refused.present().into_iter().flatten() {
        let there = requirements
            .iter()
            .filter(|it| services::resource_of(&it.scope).is_some_and(|(resource, _)| resource == refused.resource));
        let expected: BTreeSet<_> = there.filter_map(|it| it.principal).collect();
        let mut add = |hypothesis, side, signal: &str, says: &str| {
            seen.push(SignalSeen {
                hypothesis,
                side,
                signal: signal.to_owned(),
                says: says.to_owned(),
                ambiguous: None,
                source: Source::RefusedPrincipals,
                count: refused.count,
                at: refused.resource.name().to_owned(),
                last: refused.last,
            });
        };
        if expected.contains(&refused.principal) {
            let says = "the resource refused the identity that is declared for it";
            add(Hypothesis::H2, Side::For, "declared-identity-refused", says);
            add(Hypothesis::H1, Side::Against, "declared-identity-refused", says);
        } else if own.contains(&refused.principal) && !expected.is_empty() {
            let says = "the resource refused another identity of the app than the one declared for it";
            add(Hypothesis::H1, Side::For, "other-identity-refused", says);
        }
    }
    seen
}

#[cfg(test)]
mod tests;
