//! That nothing is invoked, and whether there would be anything to invoke a function for.

use super::{Hypothesis, LATE, Side, SignalSeen, of_series};
use crate::model::{
    Reading, Scope, Source,
    evidence::{Evidence, shows_no_invocation},
    work::{Sources, Work},
};

/// A source whose work nobody does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unserved<'a> {
    /// The queue, topic or event hub.
    pub(super) source: &'a Scope,
    /// What it had while nothing was invoked.
    pub(super) work: Work,
}

/// The sources that had work for a quarter of an hour in which nothing was invoked, the fullest first.
pub(super) fn unserved(evidence: &Evidence) -> Vec<Unserved<'_>> {
    let Some(sources) = &evidence.sources else { return Vec::new() };
    if !shows_no_invocation(&evidence.recovery, &evidence.invocations, sources.span) {
        return Vec::new();
    }
    let had = sources.had.iter().filter_map(|(source, work)| Some(Unserved { source, work: *work.present()? }));
    let mut unserved: Vec<_> = had.filter(|it| it.work.is_there()).collect();
    unserved.sort_by_key(|it| std::cmp::Reverse(it.work.count()));
    unserved
}

/// The fullest source whose work was to be done and is not. What arrives in a topic may pass a subscription's filter by.
pub(super) fn undone(evidence: &Evidence) -> Option<Unserved<'_>> {
    unserved(evidence).into_iter().find(|it| !it.source.is_type("Microsoft.ServiceBus/namespaces/topics"))
}

/// What is said of it: by what the sources had, where that was counted, and else by what is refused meanwhile.
pub(super) fn stopped(evidence: &Evidence) -> Vec<SignalSeen> {
    let measured: Vec<_> = unserved(evidence).into_iter().filter_map(|it| active(evidence, it)).collect();
    if measured.is_empty() { refused_meanwhile(evidence).into_iter().collect() } else { measured }
}

/// A listener that takes nothing out of its source has the reasons that any refusal has: it proves none of them.
fn active(evidence: &Evidence, Unserved { source, work }: Unserved<'_>) -> Option<SignalSeen> {
    let others = "a wrong identity, a closed firewall, a host that does not run, and a function that is switched off or \
                  takes that long look the same";
    let (says, ambiguous) = match work {
        Work::Waiting { .. } => {
            ("nothing was invoked for a quarter of an hour, while messages wait", others.to_owned())
        }
        Work::Arrived(_) if source.is_type("Microsoft.ServiceBus/namespaces/topics") => (
            "nothing was invoked for a quarter of an hour, while messages arrived",
            format!("{others}, and so does a subscription whose filter lets none through"),
        ),
        Work::Arrived(_) => ("nothing was invoked for a quarter of an hour, while messages arrived", others.to_owned()),
    };
    let newest = evidence.recovery.present()?.newest;
    let seen = of_series(Hypothesis::H2, Side::For, "source-active-nothing-invoked", says, work.count(), newest);
    Some(SignalSeen { ambiguous: Some(ambiguous), source: Source::Invocations, at: source.name().to_owned(), ..seen })
}

/// Whether nothing was invoked lately, while the app goes on and is refused. Not where nothing was there to be invoked for.
fn refused_meanwhile(evidence: &Evidence) -> Option<SignalSeen> {
    let newest = evidence.recovery.present()?.newest;
    let last_invoked = match &evidence.invocations {
        Reading::Present { value, .. } => Some(value.last),
        Reading::Absent { .. } => None,
        Reading::Unreadable(_) => return None,
    };
    if last_invoked.is_some_and(|last| newest.duration_since(last) < LATE)
        || evidence.sources.as_ref().is_some_and(Sources::are_idle)
    {
        return None;
    }
    let refused = evidence.series.present()?.iter().filter(|step| newest.duration_since(step.begin) < LATE);
    let refusals = refused.map(|step| step.auth_failures).fold(0, u64::saturating_add);
    (refusals > 0).then(|| SignalSeen {
        ambiguous: Some("a source in which nothing happens looks the same".to_owned()),
        ..of_series(
            Hypothesis::H2,
            Side::For,
            "nothing-invoked",
            "nothing was invoked for a quarter of an hour, while calls are refused",
            refusals,
            newest,
        )
    })
}
