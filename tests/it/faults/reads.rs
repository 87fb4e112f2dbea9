//! Reads: class, code, how often they are sent, and how long they take.

use std::time::Duration;

use rolecall::{
    azure::Limits,
    model::{
        Failure,
        FailureClass::{self, Blocked, Bug, Denied, Rejected, Throttled, Transient},
    },
};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::bench::{Bench, SUBSCRIPTION, assert_no_token, fault, world};

const LIMITS: Limits = Limits {
    total_timeout: Duration::from_secs(60),
    write_timeout: Duration::from_secs(9),
    read_retries: 2,
    longest_wait: Duration::from_secs(5),
    max_body: 1024 * 1024,
    max_pages: 7,
};

/// Two ways of sending a list: our pipeline, and the management crate's requests bridged onto it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Own,
    Bridged,
}

impl Way {
    const BOTH: [Self; 2] = [Self::Own, Self::Bridged];

    fn path(self) -> &'static str {
        match self {
            Self::Own => "/vaults",
            Self::Bridged => "/roleassignments",
        }
    }

    async fn list(self, bench: &Bench) -> Result<usize, Failure> {
        match self {
            Self::Own => bench.azure.vaults(SUBSCRIPTION).await.map(|list| list.len()),
            Self::Bridged => bench.azure.grants_of_subscription(SUBSCRIPTION).await.map(|list| list.len()),
        }
    }
}

fn status(status: u16, code: &str) -> Value {
    json!({"status": status, "code": code, "message": "because."})
}

fn told(status: u16, code: &str, retry_after: &str) -> Value {
    json!({"status": status, "code": code, "headers": {"retry-after": retry_after}})
}

/// A fault that stays, what becomes of the list, how many requests are sent, and seconds until then (rounded down).
fn standing_faults() -> Vec<(Value, FailureClass, &'static str, usize, u64)> {
    vec![
        (status(401, "InvalidAuthenticationToken"), Denied, "InvalidAuthenticationToken", 1, 0),
        (status(403, "AuthorizationFailed"), Denied, "AuthorizationFailed", 1, 0),
        (status(403, "DenyAssignmentAuthorizationFailed"), Blocked, "DenyAssignmentAuthorizationFailed", 1, 0),
        (status(404, "SubscriptionNotFound"), Rejected, "SubscriptionNotFound", 1, 0),
        (status(409, "Conflict"), Transient, "Conflict", 1, 0),
        (status(429, "TooManyRequests"), Throttled, "TooManyRequests", 1, 0),
        (told(429, "TooManyRequests", "2"), Throttled, "TooManyRequests", 3, 4),
        (told(429, "TooManyRequests", "300"), Throttled, "TooManyRequests", 1, 0),
        (told(429, "TooManyRequests", "Wed, 21 Oct 2026 07:28:00 GMT"), Throttled, "TooManyRequests", 1, 0),
        // 200 ms, then 800 ms.
        (status(500, "InternalServerError"), Transient, "InternalServerError", 3, 1),
        (status(502, ""), Transient, "Http502", 3, 1),
        (status(503, "ServerTimeout"), Transient, "ServerTimeout", 3, 1),
        (told(503, "ServerTimeout", "4"), Throttled, "ServerTimeout", 3, 8),
        (told(503, "ServerTimeout", "6"), Throttled, "ServerTimeout", 1, 0),
        (status(504, "GatewayTimeout"), Transient, "GatewayTimeout", 3, 1),
        (json!({"status": 502, "body": "<html>Bad Gateway</html>"}), Transient, "Http502", 3, 1),
        (json!({"status": 302, "headers": {"location": "https://login.example.net/"}}), Bug, "Http302", 1, 0),
        (json!("reset"), Transient, "TransportError", 3, 1),
        (json!("hang"), Transient, "Timeout", 1, 60),
        (json!("html"), Bug, "UndecodableAnswer", 1, 0),
        (json!("half-json"), Bug, "UndecodableAnswer", 1, 0),
        (json!("endless"), Bug, "AnswerTooLong", 1, 0),
        (json!("foreign-next-link"), Bug, "ForeignLink", 1, 0),
        (json!("fail-second-page"), Transient, "InternalServerError", 4, 1),
        (json!({"status": 200, "body": {}}), Bug, "UndecodableAnswer", 1, 0),
        (json!({"status": 200, "body": {"value": null}}), Bug, "UndecodableAnswer", 1, 0),
        (json!({"status": 200, "body": []}), Bug, "UndecodableAnswer", 1, 0),
    ]
}

#[tokio::test(start_paused = true)]
async fn every_fault_that_stays_fails_the_list_with_its_class_after_the_tries_that_it_deserves() {
    for (answer, class, code, tries, seconds) in standing_faults() {
        for way in Way::BOTH {
            let bench = Bench::new(world(), LIMITS);
            bench.sim.add_fault(fault(&json!({"path": way.path(), "times": 1000, "answer": answer})));
            let started = Instant::now();
            let failure = way.list(&bench).await.expect_err("the fault stays");
            let elapsed = started.elapsed().as_secs();
            assert_eq!((failure.class, failure.code.as_str()), (class, code), "{answer} {way:?}: {failure}");
            assert_eq!(bench.sim.journal().len(), tries, "{answer} {way:?}: requests");
            assert_eq!(elapsed, seconds, "{answer} {way:?}: seconds");
            assert_no_token(&failure);
            let hosts = bench.hosts();
            let ours = ("management.azure.com".to_owned(), true);
            assert!(hosts.iter().all(|host| *host == ours), "{answer} {way:?}: {hosts:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn how_long_azure_asks_us_to_wait_is_kept_for_the_requeue() {
    for (retry_after, kept) in [("300", Some(300)), (" 7 ", Some(7)), ("soon", None), ("-1", None)] {
        let bench = Bench::new(world(), LIMITS);
        bench.sim.add_fault(fault(&json!({"path": "/vaults", "answer": told(429, "TooManyRequests", retry_after)})));
        let failure = Way::Own.list(&bench).await.expect_err("throttled");
        assert_eq!(failure.retry_after, kept.map(Duration::from_secs), "{retry_after}");
        assert_eq!(bench.sim.journal().len(), 1, "{retry_after}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_fault_that_passes_within_the_tries_costs_time_and_nothing_else() {
    let passing = [
        (told(429, "TooManyRequests", "3"), 1, 3000),
        (told(503, "ServerTimeout", "5"), 2, 10_000),
        (status(500, "InternalServerError"), 2, 1000),
        (status(503, "ServerTimeout"), 1, 200),
        (json!("reset"), 1, 200),
    ];
    for (answer, times, millis) in passing {
        for way in Way::BOTH {
            let bench = Bench::new(world(), LIMITS);
            let whole = way.list(&bench).await.expect("no fault yet");
            bench.sim.add_fault(fault(&json!({"path": way.path(), "times": times, "answer": answer})));
            let started = Instant::now();
            assert_eq!(way.list(&bench).await, Ok(whole), "{answer} {way:?}");
            assert_eq!(started.elapsed(), Duration::from_millis(millis), "{answer} {way:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_read_is_sent_again_where_the_limits_say_never() {
    let limits = Limits { read_retries: 0, ..LIMITS };
    for answer in [json!("reset"), status(500, "InternalServerError"), told(429, "TooManyRequests", "1")] {
        let bench = Bench::new(world(), limits);
        bench.sim.add_fault(fault(&json!({"answer": answer})));
        Way::Own.list(&bench).await.expect_err("one try only");
        assert_eq!(bench.sim.journal().len(), 1, "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_that_fails_midway_fails_the_whole_list() {
    let midway = [
        (status(403, "AuthorizationFailed"), Denied, "AuthorizationFailed"),
        (json!("half-json"), Bug, "UndecodableAnswer"),
        (json!("html"), Bug, "UndecodableAnswer"),
        (json!({"status": 200, "body": {}}), Bug, "UndecodableAnswer"),
        (json!({"status": 200, "body": {"status": "Enqueued"}}), Bug, "UndecodableAnswer"),
        (json!("hang"), Transient, "Timeout"),
    ];
    for (answer, class, code) in midway {
        let bench = Bench::paged(LIMITS);
        bench.sim.add_fault(fault(&json!({"path": "/roleassignments", "after": 2, "answer": answer})));
        let failure = Way::Bridged.list(&bench).await.expect_err("the third page fails");
        assert_eq!((failure.class, failure.code.as_str()), (class, code), "{answer}: {failure}");
        assert_eq!(bench.sim.journal().len(), 3, "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_page_is_read_and_an_empty_one_with_a_link_is_followed() {
    for way in Way::BOTH {
        let whole = way.list(&Bench::new(world(), LIMITS)).await.expect("one page");
        let bench = Bench::paged(LIMITS);
        assert_eq!(way.list(&bench).await, Ok(whole), "{way:?}");
        // Vaults, which the one way lists, link from every full page (recorded).
        let pages = if way == Way::Own { whole + 1 } else { whole };
        assert_eq!(bench.sim.journal().len(), pages, "{way:?}");
        bench.sim.add_fault(fault(&json!({"path": way.path(), "answer": "empty-page"})));
        assert_eq!(way.list(&bench).await, Ok(whole), "{way:?} after an empty page");
        assert_eq!(bench.sim.journal().len(), 2 * pages + 1, "{way:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_never_ends_is_given_up_at_the_limit() {
    for way in Way::BOTH {
        let bench = Bench::new(world(), LIMITS);
        bench.sim.add_fault(fault(&json!({"path": way.path(), "times": 1000, "answer": "empty-page"})));
        let failure = way.list(&bench).await.expect_err("endless");
        assert_eq!((failure.class, failure.code.as_str()), (Bug, "EndlessList"), "{way:?}");
        assert_eq!(bench.sim.journal().len(), LIMITS.max_pages, "{way:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_trickles_for_longer_than_the_limit_is_cut_by_time() {
    let limits = Limits { max_body: usize::MAX, total_timeout: Duration::from_secs(9), ..LIMITS };
    let bench = Bench::new(world(), limits);
    bench.sim.add_fault(fault(&json!({"answer": "endless"})));
    let failure = Way::Own.list(&bench).await.expect_err("endless");
    assert_eq!((failure.class, failure.code.as_str()), (Transient, "Timeout"));
    assert_eq!(failure.text.rsplit_once("not answered ").map(|(_, end)| end), Some("within 9 s"));
}
