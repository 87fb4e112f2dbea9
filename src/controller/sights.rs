//! What is known of all policies at one moment: their statuses from the store, and when each was last observed, which a
//! status says only hourly.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use kube::ResourceExt as _;

use crate::{api::FunctionIdentityPolicy, metrics::Tally, report::Report};

/// When policies were last observed, by uid.
#[derive(Debug, Default)]
pub(super) struct Sights(Mutex<BTreeMap<String, Timestamp>>);

impl Sights {
    /// Remembers the pass, if it could judge the policy.
    pub(super) fn note(&self, policy: &FunctionIdentityPolicy, report: &Report) {
        if let (Some(uid), true) = (policy.uid(), report.is_observed()) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(uid, report.at);
        }
    }

    /// What the policies come to.
    pub(super) fn tally(&self, policies: &[Arc<FunctionIdentityPolicy>], now: Timestamp) -> Tally {
        let mut last_seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let live: BTreeSet<_> = policies.iter().filter_map(|policy| policy.uid()).collect();
        last_seen.retain(|uid, _| live.contains(uid));

        let mut tally = Tally::default();
        for policy in policies {
            let status = policy.status.as_ref();
            let ready = status.and_then(|status| status.condition("Ready"));
            tally.policy(ready.map(|ready| (ready.status.as_str(), ready.reason.as_str())));
            if let Some(status) = status {
                status.findings.iter().for_each(|finding| tally.finding(&finding.code));
                tally.truncated(status.truncated);
                let held = status.plan.iter().flat_map(|plan| &plan.held);
                held.for_each(|held| tally.held(&held.reason));
            }
            // Nothing is read for these, however long they stay so.
            let is_for_azure = ready.is_none_or(|ready| {
                !matches!(ready.reason.as_str(), "InvalidSpec" | "OutsideBoundary" | "DuplicateTarget")
            });
            if is_for_azure && policy.metadata.deletion_timestamp.is_none() {
                let seen_by_us = policy.uid().and_then(|uid| last_seen.get(&uid).copied());
                // After a restart the status knows it to the hour, and a policy nobody has seen is as old as itself.
                let written = status.and_then(|status| status.last_observed_time.as_ref()).map(|time| time.0);
                let created = policy.creation_timestamp().map(|time| time.0);
                if let Some(last) = seen_by_us.or(written).or(created) {
                    tally.observed(Duration::try_from(now.duration_since(last)).unwrap_or_default());
                }
            }
        }
        tally
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::metrics::Metrics;

    const NOW: &str = "2026-03-02T09:00:00Z";

    fn policy(uid: &str, status: &serde_json::Value) -> Arc<FunctionIdentityPolicy> {
        let object = json!({
            "apiVersion": "rolecall.dev/v1alpha1", "kind": "FunctionIdentityPolicy",
            "metadata": { "name": uid, "namespace": "payments", "uid": uid, "creationTimestamp": "2026-03-02T08:00:00Z" },
            "spec": {
                "scope": { "subscriptionId": "11111111-aaaa-4bbb-8ccc-000000000001", "resourceGroup": "rg" },
                "resources": { "app": "Microsoft.Web/sites/func" }, "target": { "resource": "app" },
            },
            "status": status,
        });
        Arc::new(serde_json::from_value(object).expect("a policy"))
    }

    fn ready(status: &str, reason: &str) -> serde_json::Value {
        json!({ "type": "Ready", "status": status, "reason": reason, "message": "",
            "lastTransitionTime": "2026-03-02T08:10:00Z" })
    }

    fn age(sights: &Sights, policies: &[Arc<FunctionIdentityPolicy>]) -> String {
        let metrics = Metrics::default();
        let tally = sights.tally(policies, NOW.parse().expect("a time"));
        metrics.tally_by(move || Some(tally.clone()));
        let scrape = metrics.scrape();
        let line = scrape.lines().find_map(|line| line.strip_prefix("rolecall_oldest_observation_age_seconds "));
        line.expect("always there").to_owned()
    }

    #[test]
    fn what_others_write_into_a_status_adds_no_series() {
        let lies = (0..100).map(|number| {
            let text = format!("lie-{number}\"{{}}\n");
            let held = json!({ "change": text, "subject": "", "reason": text, "message": "" });
            let status = json!({ "observedGeneration": 1, "conditions": [ready(&text, &text)], "truncated": 1,
                "findings": [{ "code": text, "subject": text, "message": "" }], "plan": { "held": [held] } });
            policy(&format!("uid-{number}"), &status)
        });
        let tally = Sights::default().tally(&lies.collect::<Vec<_>>(), NOW.parse().expect("a time"));
        let metrics = Metrics::default();
        metrics.tally_by(move || Some(tally.clone()));
        let scrape = metrics.scrape();
        assert!(!scrape.contains("lie"), "{scrape}");
        for series in [
            "rolecall_policies{ready=\"other\",reason=\"other\"} 100.0",
            "rolecall_findings{code=\"other\"} 100.0",
            "rolecall_findings{code=\"truncated\"} 100.0",
            "rolecall_held_changes{reason=\"other\"} 100.0",
        ] {
            assert!(scrape.lines().any(|line| line == series), "{series}\n{scrape}");
        }
    }

    #[test]
    fn a_policy_is_as_old_as_its_last_look_then_as_its_status_then_as_itself() {
        let sights = Sights::default();
        let unseen = policy("a", &serde_json::Value::Null);
        assert_eq!(age(&sights, std::slice::from_ref(&unseen)), "3600.0");
        let status = |reason| {
            let conditions = [ready("True", reason)];
            json!({ "observedGeneration": 1, "conditions": conditions, "lastObservedTime": "2026-03-02T08:30:00Z" })
        };
        let told = policy("b", &status("Compliant"));
        assert_eq!(age(&sights, std::slice::from_ref(&told)), "1800.0");
        sights.0.lock().unwrap().insert("b".to_owned(), "2026-03-02T08:59:00Z".parse().expect("a time"));
        assert_eq!(age(&sights, std::slice::from_ref(&told)), "60.0");
        assert_eq!(age(&sights, &[told, unseen]), "3600.0", "the longest of all");
        let outside = policy("c", &status("OutsideBoundary"));
        assert_eq!(age(&sights, &[outside]), "0.0");
        assert!(sights.0.lock().unwrap().is_empty(), "what is gone is forgotten");
    }
}
