//! Telemetry, drawn: words of every kind, of now and of before, with and without figures that make them count.

use proptest::{prelude::*, sample::select};

use super::{grants::WHO, network::resources};
use crate::{
    evaluate::fixtures::{minutes_ago, present, principal, silence},
    model::{
        Evidence, Reading,
        evidence::{FiveMinutes, Group, Recovery, Refused, Signalled, Summary},
    },
};

/// Decisive ones, plain ones, one with several reasons, one that speaks for nothing, one that nobody knows.
const SIGNALS: [&str; 12] = [
    "audience",
    "vault-firewall",
    "namespace-firewall",
    "cosmos-firewall",
    "no-such-host",
    "credential-unavailable",
    "storage-permission",
    "vault-refused-by-policy",
    "timed-out",
    "refused-403",
    "vault-challenge",
    "no-such-signal",
];

/// How many minutes ago: beside each other, on both sides of a quarter of an hour, and of twenty minutes.
const MINUTES: [i64; 7] = [1, 2, 14, 16, 19, 24, 40];

fn minutes() -> impl Strategy<Value = i64> {
    select(MINUTES.to_vec())
}

fn reading<T: Clone + std::fmt::Debug + 'static>(of: impl Strategy<Value = T> + 'static) -> BoxedStrategy<Reading<T>> {
    let silent = || Reading::Absent { at: minutes_ago(0) };
    prop::option::weighted(0.6, of).prop_map(move |seen| seen.map_or_else(silent, present)).boxed()
}

fn summary() -> impl Strategy<Value = Summary> {
    let told = (select(SIGNALS.to_vec()), 1_u64..9, minutes());
    let told = told.prop_map(|(signal, count, ago)| Signalled {
        signal: signal.to_owned(),
        count,
        at: String::new(),
        last: minutes_ago(ago),
    });
    let invoked = (0_u64..3, 0_u64..3, minutes());
    (prop::collection::vec(told, 0..4), invoked).prop_map(|(signals, (failed, succeeded, ago))| {
        let count = failed + succeeded;
        Summary {
            count,
            first: minutes_ago(110),
            last: minutes_ago(ago),
            top: vec![Group { name: "ship".to_owned(), result: String::new(), count, failed }],
            more: 0,
            signals,
            samples: Vec::new(),
        }
    })
}

fn series() -> impl Strategy<Value = Vec<FiveMinutes>> {
    prop::collection::vec((0_u64..4, select(vec![0_u64, 1, 9]), select(vec![0_u64, 1, 40])), 0..5).prop_map(|steps| {
        let begins = (0_i64..).map(|at| minutes_ago(25 - 5 * at));
        let step = |(begin, (calls, auth_failures, network_failures))| FiveMinutes {
            begin,
            calls,
            auth_failures,
            network_failures,
        };
        begins.zip(steps).map(step).collect()
    })
}

fn recovery() -> impl Strategy<Value = Recovery> {
    let figures = (select(vec![0_u64, 3]), select(vec![4_u64, 0]), select(vec![0_u64, 9]), minutes());
    figures.prop_map(|(calls, auth_failures, network_failures, ago)| Recovery {
        calls,
        auth_failures,
        network_failures,
        newest: minutes_ago(ago),
    })
}

fn refused() -> impl Strategy<Value = Vec<Refused>> {
    let one = (select(resources()), select(WHO.to_vec()), minutes()).prop_map(|(resource, who, ago)| Refused {
        resource,
        principal: principal(who),
        count: 2,
        last: minutes_ago(ago),
        said: String::new(),
    });
    prop::collection::vec(one, 0..3)
}

pub fn evidence() -> impl Strategy<Value = Evidence> {
    let summaries = (reading(summary()), reading(summary()), reading(summary()), reading(summary()));
    (summaries, reading(series()), reading(recovery()), reading(refused())).prop_map(
        |((dependencies, credentials, invocations, host), series, recovery, refused)| Evidence {
            dependencies,
            credentials,
            invocations,
            host,
            series,
            recovery,
            refused,
            ..silence()
        },
    )
}
