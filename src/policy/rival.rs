//! Two policies for one app: exactly one of them acts.

use kube::ResourceExt as _;

use super::{Authority, Policy};
use crate::api::FunctionIdentityPolicy;

/// The policy that acts instead of this one, as `namespace/name`: the oldest one that is valid, about the same app and
/// within its boundary. Of equally old ones the first by name, so that it is always the same.
///
/// One that may not even look cannot stand in the way of one that may: a team must not be able to block another's app
/// by naming it.
#[must_use]
pub fn acts_instead<'a>(
    policy: &FunctionIdentityPolicy,
    all: impl IntoIterator<Item = &'a FunctionIdentityPolicy>,
    authority: &Authority,
) -> Option<String> {
    let target = Policy::parse(policy).ok()?.target;
    let own = age(policy);
    // The name first, and nothing that allocates before it: this is asked for each policy about all of them.
    let same_name = |other: &&FunctionIdentityPolicy| {
        let id = other.spec.resources.get(&other.spec.target.resource);
        id.and_then(|id| id.rsplit('/').next()).is_some_and(|name| name.eq_ignore_ascii_case(target.name()))
    };
    let rival = |other: &&FunctionIdentityPolicy| {
        Policy::parse(other)
            .is_ok_and(|other| other.target == target && authority.verdict(&other).unreadable(&other).is_empty())
    };
    let alive = |other: &&FunctionIdentityPolicy| other.metadata.deletion_timestamp.is_none() && age(other) < own;
    let older = all.into_iter().filter(same_name).filter(alive).filter(rival);
    older.map(age).min().map(|(_, namespace, name)| format!("{namespace}/{name}"))
}

/// What decides which of two is older; the same only for one and the same policy.
fn age(policy: &FunctionIdentityPolicy) -> (Option<jiff::Timestamp>, String, String) {
    let created = policy.creation_timestamp().map(|time| time.0);
    (created, policy.namespace().unwrap_or_default(), policy.name_any())
}
