//! Since when this process has tried in vain to let a policy go. The time since the deletion alone would count hours in
//! which no operator ran as hours in which Azure stood in the way.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;

use crate::api::FunctionIdentityPolicy;

/// By the policy's uid.
#[derive(Debug, Default)]
pub(super) struct Departures(Mutex<BTreeMap<String, Timestamp>>);

impl Departures {
    /// Notes that the policy could not go yet, and says for how long that has been so.
    pub(super) fn waited(&self, policy: &FunctionIdentityPolicy, now: Timestamp) -> SignedDuration {
        let mut since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = *since.entry(policy.uid().unwrap_or_default()).or_insert(now);
        now.duration_since(since)
    }

    /// The policy is gone.
    pub(super) fn forget(&self, policy: &FunctionIdentityPolicy) {
        let mut since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        since.remove(&policy.uid().unwrap_or_default());
    }
}
