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
    let own_name = policy.spec.resources.get(&policy.spec.target.resource).and_then(|id| id.rsplit('/').next());
    let same_name = |other: &&FunctionIdentityPolicy| {
        let id = other.spec.resources.get(&other.spec.target.resource);
        let other_name = id.and_then(|id| id.rsplit('/').next());
        other_name.zip(own_name).is_some_and(|(other, own)| other.eq_ignore_ascii_case(own))
            && other.spec.target.slot.eq_ignore_ascii_case(&policy.spec.target.slot)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::fixtures::object;

    fn named(name: &str, slot: &str) -> FunctionIdentityPolicy {
        let mut policy = object(|spec| slot.clone_into(&mut spec.target.slot));
        policy.metadata.name = Some(name.to_owned());
        policy
    }

    #[test]
    fn an_app_and_its_slots_are_apps_of_their_own() {
        let all = [named("a", ""), named("b", "staging"), named("c", "STAGING"), named("d", "test")];
        let acting: Vec<_> = all.iter().map(|policy| acts_instead(policy, &all, &Authority::Caller)).collect();
        assert!(acting[0].is_none() && acting[1].is_none() && acting[3].is_none(), "{acting:?}");
        assert!(acting[2].as_deref().is_some_and(|name| name.ends_with("/b")), "{acting:?}");
    }
}
