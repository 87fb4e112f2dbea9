//! S5: no identity is ever detached or switched off; and what of S2 and S3 is about identity blocks.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    super::{
        facts::{self, lower},
        ledger::{Call, Ledger},
    },
    policy_of,
};

pub(super) fn at_sending(ledger: &mut Ledger, call: &Call) {
    let Some(policy) = policy_of(ledger, call).cloned() else { return };
    let mut broken = Vec::new();
    let block = &call.body["identity"];
    let sent = facts::attached(block);
    // The last thing that the pass asked is what the app has.
    let look = ledger.look_before(call.number).first().copied().filter(|look| look.key == call.key);
    let Some(seen) = look.and_then(|look| look.answer(200)) else {
        ledger.is_broken("S2", call.number, "writes an identity block without having just read it".to_owned());
        return;
    };
    // Whether Azure merges the map into what is there or replaces it: nothing may be lost.
    let had = facts::attached(&seen["identity"]);
    for lost in had.iter().filter(|id| !sent.contains(id)) {
        broken.push(("S5", format!("leaves out {lost}, which is attached")));
    }
    if facts::has_system(&seen["identity"]) && !facts::has_system(block) {
        broken.push(("S5", "leaves out the system-assigned identity, which is on".to_owned()));
    }
    let target = facts::target(&policy);
    let namespace = call.policy.as_ref().map(|key| key.0.as_str()).unwrap_or_default();
    let rules = &ledger.views[&call.operator].rules;
    let mut may = |change: &str, scopes: &[&str]| {
        if !rules.allow(namespace, change, None, scopes) || !facts::asks_for(&policy, change) {
            broken.push(("S3", format!("{change} on {scopes:?} against boundary or policy")));
        }
    };
    if call.key != target {
        may("a change of another app", &[&call.key]);
    }
    let declared = facts::declared_identities(&policy);
    for new in sent.iter().filter(|id| !had.contains(id)) {
        may("AttachUserIdentity", &[&target, new]);
        if !declared.contains(new) {
            may("an identity that is not declared", &[new]);
        }
    }
    if facts::has_system(block) && !facts::has_system(&seen["identity"]) {
        may("EnableSystemIdentity", &[&target]);
        if !facts::requires_system(&policy) {
            may("a system-assigned identity that nothing requires", &[&target]);
        }
    }
    for (property, what) in broken {
        ledger.is_broken(property, call.number, what);
    }
}

/// What the write did in truth. A change within the one request between the look and the write cannot be seen.
pub(super) fn at_effect(
    ledger: &mut Ledger,
    call: &Call,
    before: &BTreeMap<String, &Value>,
    after: &BTreeMap<String, &Value>,
) {
    let look = ledger.look_before(call.number).into_iter().find(|look| look.key == call.key).cloned();
    let seen = look.as_ref().and_then(|look| look.served);
    if look.as_ref().is_some_and(Call::is_lie) {
        return;
    }
    let mut lost = Vec::new();
    for (id, old) in before.iter().filter(|(id, _)| id.contains("/microsoft.web/sites/")) {
        let raced = ledger.touched.get(id).is_some_and(|touched| seen.is_none_or(|seen| *touched > seen));
        let Some(new) = after.get(id).filter(|_| !raced) else { continue };
        let (old, new) = (&old["identity"], &new["identity"]);
        let now = facts::attached(new);
        lost.extend(facts::attached(old).into_iter().filter(|one| !now.contains(one)));
        if facts::has_system(old) && lower(&old["principalId"]) != lower(&new["principalId"]) {
            lost.push(format!("the system-assigned identity {}", old["principalId"]));
        }
    }
    for one in lost {
        ledger.is_broken("S5", call.number, format!("{one} is detached"));
    }
}
