//! Results of passes that the API server has not taken yet. They are offered again without asking Azure again: a status
//! that cannot be written must not turn the pass's cadence, and its writes, into a loop.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use kube::ResourceExt as _;

use crate::api::{FunctionIdentityPolicy, FunctionIdentityPolicyStatus};

/// First pause; doubled at each try.
const FIRST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(60);

/// What a pass came to.
#[derive(Clone, Debug)]
pub(super) struct PassEnd {
    pub(super) status: FunctionIdentityPolicyStatus,
    /// When the next pass is due; none when only a change can help.
    pub(super) due: Option<Timestamp>,
    /// What it rests on besides Azure ([`Stores::ground`](super::Stores::ground)).
    pub(super) ground: String,
}

#[derive(Clone, Debug)]
struct Waiting {
    end: PassEnd,
    tries: u32,
}

/// By the policy's uid.
#[derive(Debug, Default)]
pub(super) struct Unpublished(Mutex<BTreeMap<String, Waiting>>);

impl Unpublished {
    /// What is still to be written of this policy, unless it is about another generation or request, rests on another
    /// ground, or another pass is due.
    pub(super) fn of(
        &self,
        policy: &FunctionIdentityPolicy,
        requested: Option<&str>,
        ground: &str,
        now: Timestamp,
    ) -> Option<PassEnd> {
        let waiting = self.entries().get(&policy.uid()?)?.end.clone();
        let same_generation = Some(waiting.status.observed_generation) == policy.metadata.generation;
        let same_request = requested.is_none_or(|requested| requested == waiting.status.last_handled_reconcile_at);
        let is_due = waiting.due.is_some_and(|due| due <= now);
        (same_generation && same_request && waiting.ground == ground && !is_due).then_some(waiting)
    }

    /// Keeps what could not be written; returns how long to wait with the next try.
    pub(super) fn keep(&self, policy: &FunctionIdentityPolicy, end: PassEnd) -> Duration {
        let mut entries = self.entries();
        let tries = policy.uid().map_or(0, |uid| {
            let tries = entries.get(&uid).map_or(0, |known| known.tries + 1);
            entries.insert(uid, Waiting { end, tries });
            tries
        });
        FIRST.saturating_mul(2_u32.saturating_pow(tries)).min(LONGEST)
    }

    pub(super) fn forget(&self, policy: &FunctionIdentityPolicy) {
        if let Some(uid) = policy.uid() {
            self.entries().remove(&uid);
        }
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
