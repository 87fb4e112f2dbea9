//! What an answer says of limits: its counters, or whose limit refused it.

use std::time::Duration;

use azure_core::http::headers::{HeaderName, Headers};

use super::{envelope::header, turns::Operation};
use crate::model::{Failure, FailureClass};

/// What an answer says of limits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Told {
    /// Not refused; what the counters say is left.
    Left {
        /// Of the subscription's bucket for this kind of operation.
        subscription: Option<f64>,
        /// Of the provider's own limit.
        provider: Option<f64>,
    },
    /// Refused for being one too many.
    Refused {
        /// By the provider's own limit, and not by the subscription's.
        by_provider: bool,
        /// When to come back.
        retry_after: Option<Duration>,
    },
}

impl Told {
    /// Reads an answer. `failure` is what was made of one that is no success.
    pub(super) fn of(operation: Operation, status: u16, headers: &Headers, failure: Option<&Failure>) -> Self {
        let text = |name: &'static str| header(headers, &HeaderName::from_static(name));
        // A lock of App Service is a 429 too, and of another class; a 503 with a time says nothing of limits.
        if let Some(failure) = failure.filter(|it| status == 429 && it.class == FailureClass::Throttled) {
            let by_provider = match failure.code.as_str() {
                "ResourceRequestsThrottled" => true,
                "SubscriptionRequestsThrottled" | "TenantRequestsThrottled" => false,
                _ => text("x-ms-failure-cause") == Some("service"),
            };
            return Self::Refused { by_provider, retry_after: failure.retry_after };
        }
        let least = |names: &[&'static str]| {
            let counts = names.iter().filter_map(|name| text(name)?.trim().parse::<u32>().ok());
            counts.min().map(f64::from)
        };
        // The least of what is left to us, to everybody, and to the tenant: whichever ends first refuses.
        let subscription = least(match operation {
            Operation::Reads => &[
                "x-ms-ratelimit-remaining-subscription-reads",
                "x-ms-ratelimit-remaining-subscription-global-reads",
                "x-ms-ratelimit-remaining-tenant-reads",
            ],
            Operation::Writes => &[
                "x-ms-ratelimit-remaining-subscription-writes",
                "x-ms-ratelimit-remaining-subscription-global-writes",
                "x-ms-ratelimit-remaining-tenant-writes",
            ],
            Operation::Deletes => &[
                "x-ms-ratelimit-remaining-subscription-deletes",
                "x-ms-ratelimit-remaining-subscription-global-deletes",
                "x-ms-ratelimit-remaining-tenant-deletes",
            ],
        });
        let provider = least(&[
            "x-ms-ratelimit-remaining-subscription-resource-requests",
            "x-ms-ratelimit-remaining-tenant-resource-requests",
        ]);
        Self::Left { subscription, provider }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::azure::{ErrorFacts, failure_of};

    fn told(operation: Operation, status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Told {
        let mut sent = Headers::new();
        for (name, value) in headers {
            sent.insert(*name, *value);
        }
        let retry_after = headers.iter().find(|(name, _)| *name == "retry-after").map(|(_, value)| (*value).to_owned());
        let facts = ErrorFacts { status, retry_after, correlation_id: None };
        let failure = (status >= 400).then(|| failure_of("GET /x", &facts, body.as_bytes()));
        Told::of(operation, status, &sent, failure.as_ref())
    }

    #[test]
    fn the_least_of_the_counters_of_that_kind_counts() {
        const OWN: (&str, &str) = ("x-ms-ratelimit-remaining-subscription-reads", "249");
        const ALL: (&str, &str) = ("x-ms-ratelimit-remaining-subscription-global-reads", "3749");
        let left = |subscription, provider| Told::Left { subscription, provider };
        // As recorded: both, the global one alone, none, and the provider's in place of the subscription's.
        assert_eq!(told(Operation::Reads, 200, &[OWN, ALL], ""), left(Some(249.0), None));
        assert_eq!(told(Operation::Reads, 404, &[ALL], ""), left(Some(3749.0), None));
        assert_eq!(told(Operation::Reads, 200, &[], ""), left(None, None));
        assert_eq!(told(Operation::Writes, 200, &[OWN, ALL], ""), left(None, None), "reads say nothing of writes");
        let web = ("x-ms-ratelimit-remaining-subscription-resource-requests", "499");
        assert_eq!(told(Operation::Writes, 200, &[web], ""), left(None, Some(499.0)));
        let odd = ("x-ms-ratelimit-remaining-subscription-deletes", "many");
        assert_eq!(told(Operation::Deletes, 200, &[odd], ""), left(None, None));
    }

    #[test]
    fn a_refusal_concerns_whoever_refused_and_a_lock_concerns_nobody() {
        let after = ("retry-after", "5");
        let cause = |word| ("x-ms-failure-cause", word);
        let body = |code: &str| format!(r#"{{"error":{{"code":"{code}","message":"slow down"}}}}"#);
        let refused = |by_provider| Told::Refused { by_provider, retry_after: Some(Duration::from_secs(5)) };
        let cases = [
            ("SubscriptionRequestsThrottled", vec![after, cause("service")], refused(false)),
            ("ResourceRequestsThrottled", vec![after, cause("gateway")], refused(true)),
            ("TooManyRequests", vec![after, cause("gateway")], refused(false)),
            ("TooManyRequests", vec![after, cause("service")], refused(true)),
            ("TooManyRequests", vec![], Told::Refused { by_provider: false, retry_after: None }),
        ];
        for (code, headers, expected) in cases {
            assert_eq!(told(Operation::Writes, 429, &headers, &body(code)), expected, "{code} {headers:?}");
        }
        // Recorded: `129-site-slot-put-429`.
        let web = ("x-ms-ratelimit-remaining-subscription-resource-requests", "499");
        let lock = told(Operation::Writes, 429, &[web], r#"{"Code":"429","Message":"Cannot acquire exclusive lock"}"#);
        assert_eq!(lock, Told::Left { subscription: None, provider: Some(499.0) });
        let busy = told(Operation::Reads, 503, &[after], &body("ServerTimeout"));
        assert_eq!(busy, Told::Left { subscription: None, provider: None }, "a server that is down is no limit");
    }
}
