use super::*;
use crate::{
    evaluate::{
        Access,
        fixtures::{SHARED, SYSTEM, minutes_ago, now, silence},
    },
    model::{
        FailureClass, Scope,
        evidence::{FiveMinutes, Recovery, Refused, Signalled, Summary},
        work::{Sources, Span},
    },
    policy::{
        Identity, Origin,
        fixtures::{host_account, kv, queue},
    },
};

fn at<T>(value: T) -> Reading<T> {
    Reading::Present { value, at: now() }
}

fn saying(signals: &[(&str, u64)]) -> Reading<Summary> {
    let told = |(signal, count): &(&str, u64)| Signalled {
        signal: (*signal).to_owned(),
        count: *count,
        at: "kv.vault.azure.net".to_owned(),
        last: minutes_ago(2),
    };
    at(Summary {
        count: 1,
        first: minutes_ago(9),
        last: minutes_ago(2),
        top: Vec::new(),
        more: 0,
        signals: signals.iter().map(told).collect(),
        samples: Vec::new(),
    })
}

/// Steps of five minutes: calls, refusals, calls without an answer.
fn series(figures: &[(u64, u64, u64)]) -> Reading<Vec<FiveMinutes>> {
    let steps = figures.iter().zip(0_i64..).map(|((calls, auth, network), step)| FiveMinutes {
        begin: minutes_ago(100 - 5 * step),
        calls: *calls,
        auth_failures: *auth,
        network_failures: *network,
    });
    at(steps.collect())
}

fn needing(who: &str, scope: Scope) -> Evaluated {
    Evaluated {
        origins: vec![Origin::Platform("hostStorage")],
        identity: Identity::System,
        principal: who.parse().ok(),
        scope,
        role: "any".to_owned(),
        role_id: None,
        access: Access::NoPrincipal,
    }
}

fn said(seen: &[SignalSeen]) -> Vec<(Hypothesis, Side, &str)> {
    seen.iter().map(|it| (it.hypothesis, it.side, it.signal.as_str())).collect()
}

fn of(evidence: &Evidence) -> Vec<SignalSeen> {
    signals(evidence, &[], &BTreeSet::new())
}

#[test]
fn a_row_of_the_catalog_speaks_for_and_against_what_it_says() {
    let dependencies = saying(&[("vault-firewall", 7), ("vault-challenge", 900), ("no-such-signal", 1)]);
    let host = saying(&[("refused-403", 2)]);
    let seen = of(&Evidence { dependencies, host, ..silence() });
    assert_eq!(
        said(&seen),
        [
            (Hypothesis::H6, Side::For, "vault-firewall"),
            (Hypothesis::H2, Side::Against, "vault-firewall"),
            (Hypothesis::H4, Side::Against, "vault-firewall"),
            (Hypothesis::H2, Side::For, "refused-403"),
            (Hypothesis::H6, Side::Against, "refused-403"),
        ]
    );
    assert_eq!(
        (seen[0].count, seen[0].source, seen[0].at.as_str()),
        (7, Source::DependencyFailures, "kv.vault.azure.net")
    );
    assert!(seen[0].ambiguous.is_none() && seen[3].ambiguous.is_some());
    assert_eq!(seen[3].source, Source::HostTraces);
}

#[test]
fn what_is_silent_or_could_not_be_read_says_nothing() {
    assert_eq!(of(&silence()), []);
    let failure = || Failure::new(FailureClass::Denied, "InsufficientAccessError", "no");
    let unread = Evidence {
        dependencies: Reading::Unreadable(failure()),
        series: Reading::Unreadable(failure()),
        refused: Reading::Unreadable(failure()),
        recovery: Reading::Unreadable(failure()),
        ..silence()
    };
    assert_eq!(of(&unread), []);
    assert_eq!(availability(&silence(), now()), Availability::Silent);
    assert_eq!(availability(&unread, now()), Availability::Unreadable(failure()));
}

#[test]
fn telemetry_is_late_when_its_newest_is_older_than_it_takes_to_arrive() {
    let of = |newest| {
        let recovery = at(Recovery { calls: 3, auth_failures: 0, network_failures: 0, newest });
        availability(&Evidence { recovery, ..silence() }, now())
    };
    assert_eq!(of(minutes_ago(15)), Availability::Available);
    assert_eq!(of(minutes_ago(16)), Availability::Late { newest: minutes_ago(16) });
}

#[test]
fn only_calls_that_succeed_are_recovery() {
    let of = |calls, auth_failures, newest| {
        let recovery = at(Recovery { calls, auth_failures, network_failures: 0, newest });
        recovered(&Evidence { recovery, ..silence() }, now())
    };
    assert_eq!(of(120, 0, minutes_ago(2)), Recovered::Yes { calls: 120 });
    assert_eq!(of(120, 1, minutes_ago(2)), Recovered::Refused { auth_failures: 1 });
    assert_eq!(of(0, 3, minutes_ago(2)), Recovered::Refused { auth_failures: 3 });
    assert_eq!(of(0, 0, minutes_ago(2)), Recovered::NoTraffic);
    assert_eq!(of(120, 0, minutes_ago(19)), Recovered::NoTraffic, "what came since may not have arrived");
    assert_eq!(recovered(&silence(), now()), Recovered::NoTraffic);
    let unanswered = |network_failures| {
        let recovery = at(Recovery { calls: 10, auth_failures: 0, network_failures, newest: minutes_ago(2) });
        recovered(&Evidence { recovery, ..silence() }, now())
    };
    assert_eq!(unanswered(10), Recovered::Yes { calls: 10 }, "some time out always");
    assert_eq!(unanswered(11), Recovered::Unanswered { network_failures: 11 });
    let failure = Failure::new(FailureClass::Transient, "PartialError", "in part only");
    let unread = Evidence { recovery: Reading::Unreadable(failure.clone()), ..silence() };
    assert_eq!(recovered(&unread, now()), Recovered::Unreadable(failure));
}

#[test]
fn one_kind_of_failure_dominates_only_by_far() {
    let of = |figures: &[(u64, u64, u64)]| {
        let seen = of(&Evidence { series: series(figures), ..silence() });
        seen.into_iter().filter(|it| it.hypothesis == Hypothesis::H6).map(|it| (it.side, it.count)).collect::<Vec<_>>()
    };
    assert_eq!(of(&[(9, 1, 188), (9, 5, 0)]), [(Side::For, 188)]);
    assert_eq!(of(&[(9, 182, 1)]), [(Side::Against, 182)]);
    assert_eq!(of(&[(9, 10, 30)]), []);
    assert_eq!(of(&[(9, 30, 10)]), []);
    assert_eq!(of(&[(9, 0, 0)]), []);
    assert_eq!(of(&[(1, u64::MAX, 0), (1, u64::MAX, 0)]), [(Side::Against, u64::MAX)]);
}

#[test]
fn what_only_exceptions_tell_counts_and_nothing_counts_twice() {
    let of = |figures: &[(u64, u64, u64)], told: &[(&str, u64)]| {
        let series = if figures.is_empty() { Reading::Absent { at: now() } } else { series(figures) };
        let seen = of(&Evidence { series, credentials: saying(told), ..silence() });
        let dominates = |it: &&SignalSeen| ["no-answer-dominates", "refusals-dominate"].contains(&it.signal.as_str());
        seen.iter().find(dominates).map(|it| (it.side, it.count, it.source))
    };
    let words = Source::CredentialTraces;
    assert_eq!(of(&[], &[("timed-out", 20), ("no-such-host", 5)]), Some((Side::For, 25, words)));
    assert_eq!(of(&[(9, 4, 0)], &[("no-such-host", 13)]), Some((Side::For, 13, words)));
    assert_eq!(of(&[(9, 4, 0)], &[("no-such-host", 12)]), None);
    assert_eq!(of(&[(9, 40, 0)], &[("no-such-host", 9)]), Some((Side::Against, 40, Source::FailureSeries)));
    assert_eq!(of(&[(9, 0, 4)], &[("storage-permission", 13)]), Some((Side::Against, 13, words)));
    assert_eq!(of(&[(9, 10, 20)], &[("timed-out", 20)]), None, "they may be the same calls");
    assert_eq!(of(&[], &[("credential-unavailable", 90), ("listener-failed", 90)]), None, "nobody was called");
    let last = signals(&Evidence { credentials: saying(&[("timed-out", 9)]), ..silence() }, &[], &BTreeSet::new());
    assert!(last.iter().all(|it| it.last == minutes_ago(2)));
    let unread = || Reading::Unreadable(Failure::new(FailureClass::Denied, "InsufficientAccessError", "no"));
    let half = Evidence { series: series(&[(9, 0, 40)]), credentials: unread(), ..silence() };
    assert_eq!(super::dominance(&half), None, "exceptions may tell of many more refusals");
}

#[test]
fn refusals_fall_as_in_the_playbook_and_not_where_the_traffic_does() {
    let falls = |figures: &[(u64, u64, u64)]| {
        let seen = of(&Evidence { series: series(figures), ..silence() });
        seen.iter().any(|it| it.hypothesis == Hypothesis::H3 && it.side == Side::For && it.ambiguous.is_some())
    };
    assert!(falls(&[(99, 88, 0), (99, 95, 0), (99, 61, 0), (99, 19, 0), (99, 2, 0), (99, 0, 0)]));
    assert!(!falls(&[(99, 88, 0), (99, 95, 0), (99, 94, 0), (99, 93, 0)]), "they stay");
    assert!(!falls(&[(99, 95, 0), (99, 19, 0), (99, 40, 0)]), "they come back");
    assert!(!falls(&[(99, 95, 0), (99, 19, 0), (0, 0, 0)]), "nothing is called any more");
    assert!(!falls(&[(99, 95, 0), (99, 2, 0)]), "two steps are no trend");
    assert!(!falls(&[(99, 0, 0), (99, 0, 0), (99, 0, 0)]), "there were none");
}

#[test]
fn the_refused_principal_decides_between_a_wrong_identity_and_a_missing_role() {
    let refused = |who: &str, resource: Scope| Refused {
        resource,
        principal: who.parse().unwrap(),
        count: 5,
        last: minutes_ago(3),
        said: String::new(),
    };
    let of = |refused: Refused, requirements: &[Evaluated]| {
        let own = [SYSTEM, SHARED].map(|who| who.parse().unwrap()).into();
        let seen = signals(&Evidence { refused: at(vec![refused]), ..silence() }, requirements, &own);
        assert!(seen.iter().all(|it| it.ambiguous.is_none() && it.source == Source::RefusedPrincipals));
        seen.iter().map(|it| (it.hypothesis, it.side)).collect::<Vec<_>>()
    };
    let inside = host_account().child("blobServices/default/containers/in");
    let needs = [needing(SHARED, inside), needing(SYSTEM, kv()), needing(SYSTEM, queue())];
    assert_eq!(
        of(refused(SHARED, host_account()), &needs),
        [(Hypothesis::H2, Side::For), (Hypothesis::H1, Side::Against)]
    );
    assert_eq!(of(refused(SYSTEM, host_account()), &needs), [(Hypothesis::H1, Side::For)], "it is to be the other one");
    let stranger = "05e70000-0000-4000-8000-00000000dead";
    assert_eq!(of(refused(stranger, host_account()), &needs), [], "another app may be refused there");
    assert_eq!(of(refused(SYSTEM, host_account()), &needs[1..]), [], "nobody is declared for it");
}

#[test]
fn minutes_without_a_call_are_no_decline() {
    let figures = [(10, 8, 0), (10, 4, 0), (10, 2, 0), (10, 0, 0), (0, 0, 0)];
    let whole = Evidence { series: series(&figures), ..silence() };
    assert!(said(&of(&whole)).contains(&(Hypothesis::H3, Side::For, "refusals-fall")));
    let Reading::Present { value: mut steps, .. } = series(&figures) else { panic!("it was read") };
    // Nothing was called for an hour, and then a little without a refusal.
    for step in &mut steps[2..] {
        step.begin += SignedDuration::from_hours(1);
    }
    let seen = of(&Evidence { series: at(steps), ..silence() });
    assert!(seen.iter().all(|it| it.signal != "refusals-fall"), "{seen:?}");
}

#[test]
fn an_app_that_is_refused_and_invokes_nothing_is_told_and_may_have_nothing_to_do() {
    let stopped = |invoked: Option<i64>, refusals: u64| {
        let invocations = invoked.map_or(Reading::Absent { at: now() }, |minutes| {
            let Reading::Present { value, .. } = saying(&[]) else { panic!("it was read") };
            at(Summary { last: minutes_ago(minutes), ..value })
        });
        let recovery = at(Recovery { calls: 0, auth_failures: refusals, network_failures: 0, newest: minutes_ago(1) });
        // The last step began five minutes ago.
        let series = series(&[[(3, 0, 0); 19].as_slice(), [(3, refusals, 0)].as_slice()].concat());
        let seen = of(&Evidence { invocations, series, recovery, ..silence() });
        seen.into_iter().find(|it| it.signal == "nothing-invoked")
    };
    let seen = stopped(Some(16), 4).expect("nothing was invoked for a quarter of an hour");
    assert_eq!((seen.hypothesis, seen.side, seen.count), (Hypothesis::H2, Side::For, 4));
    assert!(seen.ambiguous.is_some(), "a quiet source looks the same");
    assert!(stopped(None, 4).is_some());
    assert_eq!(stopped(Some(15), 4), None, "lately");
    assert_eq!(stopped(Some(16), 0), None, "nothing is refused");
}

/// What is said, and whether it recovered, of an app that invoked nothing for `idle` minutes, whose newest telemetry is of a
/// minute ago, and which has been refused so often in the last five minutes.
fn with_sources(idle: i64, refusals: u64, sources: Option<Sources>) -> (Vec<SignalSeen>, Recovered) {
    let Reading::Present { value, .. } = saying(&[]) else { panic!("it was read") };
    let invocations = at(Summary { last: minutes_ago(idle), ..value });
    let recovery = at(Recovery { calls: 30, auth_failures: refusals, network_failures: 0, newest: minutes_ago(1) });
    let series = series(&[[(3, 0, 0); 19].as_slice(), [(3, refusals, 0)].as_slice()].concat());
    let evidence = Evidence { invocations, series, recovery, sources, ..silence() };
    let about_it =
        |seen: &SignalSeen| matches!(seen.signal.as_str(), "nothing-invoked" | "source-active-nothing-invoked");
    (of(&evidence).into_iter().filter(about_it).collect(), recovered(&evidence, now()))
}

fn span() -> Span {
    Span { from: minutes_ago(20), to: minutes_ago(5) }
}

fn having(had: Reading<Work>) -> Sources {
    Sources { span: span(), had: [(queue(), had)].into(), others: false }
}

#[test]
fn a_source_with_work_is_told_without_any_refusal_and_proves_nothing() {
    let waiting = Work::Waiting { least: 3, last: 43 };
    let (seen, recovered) = with_sources(21, 0, Some(having(at(waiting))));
    let [one] = seen.as_slice() else { panic!("one signal: {seen:?}") };
    assert_eq!(
        (one.hypothesis, one.side, one.signal.as_str()),
        (Hypothesis::H2, Side::For, "source-active-nothing-invoked")
    );
    assert_eq!((one.count, one.at.as_str(), one.source), (43, "incoming", Source::Invocations));
    let other = one.ambiguous.as_deref().expect("it has many reasons");
    assert!(!other.contains("in which nothing happens"), "{other}");
    assert_eq!(
        recovered,
        Recovered::Unserved { source: queue(), work: waiting },
        "though it calls, and is not refused"
    );
    let (seen, recovered) = with_sources(21, 4, Some(having(at(waiting))));
    assert_eq!(
        said(&seen),
        [(Hypothesis::H2, Side::For, "source-active-nothing-invoked")],
        "and not the weaker one, too"
    );
    assert_eq!(recovered, Recovered::Refused { auth_failures: 4 });
}

#[test]
fn what_is_denied_empty_late_or_served_tells_of_no_work() {
    let denied = Failure::new(FailureClass::Denied, "AuthorizationFailed", "no");
    let waiting = Work::Waiting { least: 3, last: 43 };
    let early = Sources { span: Span { from: minutes_ago(15), to: now() }, ..having(at(waiting)) };
    let cases = [
        ("not asked", 21, None),
        ("denied", 21, Some(having(Reading::Unreadable(denied)))),
        ("empty or late", 21, Some(having(Reading::Absent { at: now() }))),
        ("it came and was taken", 21, Some(having(at(Work::Waiting { least: 0, last: 43 })))),
        ("something was invoked meanwhile", 19, Some(having(at(waiting)))),
        ("counted up to after the newest telemetry", 21, Some(early)),
    ];
    for (why, idle, sources) in cases {
        let (seen, recovered) = with_sources(idle, 0, sources.clone());
        assert_eq!((seen, recovered), (Vec::new(), Recovered::Yes { calls: 30 }), "{why}");
        let (seen, _) = with_sources(idle, 4, sources);
        assert_eq!(said(&seen), [(Hypothesis::H2, Side::For, "nothing-invoked")], "{why}: what refusals tell remains");
    }
}

#[test]
fn where_nothing_is_there_to_be_invoked_for_refusals_do_not_tell_of_it() {
    let idle = || having(at(Work::Waiting { least: 0, last: 0 }));
    assert_eq!(with_sources(21, 4, Some(idle())).0, []);
    // Of another trigger nobody knows.
    let (seen, _) = with_sources(21, 4, Some(Sources { others: true, ..idle() }));
    assert_eq!(said(&seen), [(Hypothesis::H2, Side::For, "nothing-invoked")]);
}

#[test]
fn of_a_topic_a_filter_may_keep_all_from_the_app_and_the_fullest_source_comes_first() {
    let group = "/subscriptions/1/resourceGroups/rg/providers/Microsoft.ServiceBus/namespaces/sb-orders";
    let topic = Scope::lenient(&format!("{group}/topics/news"));
    let mut sources = having(at(Work::Waiting { least: 1, last: 1 }));
    sources.had.insert(topic, at(Work::Arrived(9)));
    let (seen, _) = with_sources(21, 0, Some(sources));
    let told: Vec<_> = seen.iter().map(|it| (it.at.as_str(), it.count)).collect();
    assert_eq!(told, [("news", 9), ("incoming", 1)]);
    let filters = |seen: &SignalSeen| seen.ambiguous.as_ref().is_some_and(|other| other.contains("filter"));
    assert!(filters(&seen[0]) && !filters(&seen[1]));
}
