//! What the policies of a cluster come to at one moment.

use std::{collections::BTreeMap, time::Duration};

use super::words::{FINDING_CODES, HOLD_REASONS, READY, READY_REASONS, known};

/// Counts by word. A word that the program does not know is counted as `other`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub(super) policies: BTreeMap<(&'static str, &'static str), u32>,
    pub(super) findings: BTreeMap<&'static str, u32>,
    pub(super) held: BTreeMap<&'static str, u32>,
    pub(super) oldest_observation: Duration,
}

impl Tally {
    /// A policy with this status and reason of `Ready`; none before the first look.
    pub fn policy(&mut self, ready: Option<(&str, &str)>) {
        let (ready, reason) = ready.unwrap_or(("Unknown", "NotObserved"));
        let key = (known(&READY, ready), known(&READY_REASONS, reason));
        *self.policies.entry(key).or_default() += 1;
    }

    /// A finding.
    pub fn finding(&mut self, code: &str) {
        *self.findings.entry(known(&FINDING_CODES, code)).or_default() += 1;
    }

    /// Findings that a status had no room for.
    pub fn truncated(&mut self, findings: u32) {
        if findings > 0 {
            let count = self.findings.entry("truncated").or_default();
            *count = count.saturating_add(findings);
        }
    }

    /// A change that is held.
    pub fn held(&mut self, reason: &str) {
        *self.held.entry(known(&HOLD_REASONS, reason)).or_default() += 1;
    }

    /// A policy that was last observed so long ago.
    pub fn observed(&mut self, ago: Duration) {
        self.oldest_observation = self.oldest_observation.max(ago);
    }
}
