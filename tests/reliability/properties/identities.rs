//! S5: no identity is ever detached or switched off, except a stale one that is put back at once, where allowed; and
//! what of S2 and S3 is about identity blocks and restarts.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde_json::Value;

use super::{
    super::{
        facts::{self, lower},
        fault::Fault,
        ledger::{Call, Ledger},
    },
    asked_for, policy_of,
};

/// Where identity blocks are written.
const TARGETS: [&str; 3] = [
    "/providers/microsoft.web/sites/",
    "/providers/microsoft.app/containerapps/",
    "/providers/microsoft.compute/virtualmachines/",
];

/// How soon an identity that was taken off must be on its way back: a request may take a minute to be given up.
const AT_ONCE: SignedDuration = SignedDuration::from_secs(62);
/// How many writes taking off and putting back come to at most, and within which time.
const TRIES: usize = 4;
const TRIED_WITHIN: SignedDuration = SignedDuration::from_mins(3);

pub(super) fn at_sending(ledger: &mut Ledger, call: &Call) {
    let Some(policy) = policy_of(ledger, call).cloned() else { return };
    let block = &call.body["identity"];
    let sent: Vec<String> = named(block, |entry| !entry.is_null());
    if puts_back(ledger, call) {
        return;
    }
    // The last things that the pass asked: what the app has and, to take something off, what the identity is now.
    let look = ledger.look_before(call.number).into_iter().take(2).find(|look| look.key == call.key);
    let Some(seen) = look.and_then(|look| look.answer(200)) else {
        ledger.is_broken("S2", call.number, "writes an identity block without having just read it".to_owned());
        return;
    };
    let mut broken = Vec::new();
    let target = facts::target(&policy);
    let namespace = call.policy.as_ref().map(|key| key.0.as_str()).unwrap_or_default();
    let rules = &ledger.views[&call.operator].rules;
    let may = |change: &str, scopes: &[&str]| {
        rules.allow(namespace, change, None, scopes) && facts::asks_for(&policy, change)
    };
    // Whether Azure merges the map into what is there or replaces it: nothing may be lost.
    let had = facts::attached(&seen["identity"]);
    for lost in had.iter().filter(|id| !sent.contains(id)) {
        let stale = ledger.look_before(call.number).into_iter().find(|look| look.key == *lost);
        let stale = stale.and_then(|look| look.answer(200)).is_some_and(|identity| {
            lower(&identity["properties"]["principalId"]) != lower(&entry(&seen["identity"], lost)["principalId"])
        });
        let scopes = [target.as_str(), lost.as_str()];
        let allowed = may("ReattachUserIdentity", &scopes) && may("AttachUserIdentity", &scopes);
        if !(takes_off(block, lost) && stale && allowed) {
            broken.push(("S5", format!("leaves out {lost}, which is attached")));
        }
    }
    if facts::has_system(&seen["identity"]) && !facts::has_system(block) {
        broken.push(("S5", "leaves out the system-assigned identity, which is on".to_owned()));
    }
    if call.key != target {
        broken.push(("S3", format!("writes the identities of {}, which is another app", call.path)));
    }
    let declared = facts::declared_identities(&policy);
    for new in sent.iter().filter(|id| !had.contains(id)) {
        if !may("AttachUserIdentity", &[&target, new]) || !declared.contains(new) {
            broken.push(("S3", format!("attaches {new} against boundary or policy")));
        }
    }
    if facts::has_system(block) && !facts::has_system(&seen["identity"]) {
        let may = may("EnableSystemIdentity", &[&target]) && facts::requires_system(&policy);
        if !may {
            broken.push(("S3", "enables the system-assigned identity against boundary or policy".to_owned()));
        }
    }
    for (property, what) in broken {
        ledger.is_broken(property, call.number, what);
    }
}

/// Whoever took an identity off does nothing else before trying to put it back.
pub(super) fn puts_back_first(ledger: &mut Ledger, call: &Call) {
    let own = (call.process, call.policy.clone());
    let waiting: Vec<_> = ledger.detached.iter().filter(|(_, by)| **by == own).map(|(what, _)| what.clone()).collect();
    for (app, identity) in waiting {
        if call.key != app || call.method != "PATCH" {
            ledger.is_broken("S5", call.number, format!("{identity} is taken off, and the next request is another"));
        }
        ledger.detached.remove(&(app, identity));
    }
}

/// Whether this is the write that puts back what the pass took off in the write before, or another try of it. Late is
/// as bad as not.
pub(super) fn puts_back(ledger: &mut Ledger, call: &Call) -> bool {
    let sent: Vec<String> = named(&call.body["identity"], |entry| !entry.is_null());
    let own = |other: &&Call| other.number < call.number && other.policy == call.policy && other.key == call.key;
    let before = ledger.of_process(call.process).find(own).cloned();
    let Some(before) = before.filter(|before| before.mutating) else { return false };
    // Whatever is written to an app after that and with the same body is another try, for as long as it is at once.
    let is_another_try = before.body == call.body
        && ledger.of_process(call.process).filter(own).take(TRIES).any(|earlier| {
            call.at.duration_since(earlier.at) <= TRIED_WITHIN
                && sent.iter().any(|id| takes_off(&earlier.body["identity"], id))
        });
    let puts_back = call.method == "PATCH" && sent.iter().any(|id| takes_off(&before.body["identity"], id));
    if puts_back && !is_another_try && call.at.duration_since(before.at) > AT_ONCE {
        let what = format!("what was taken off at {} is put back only now", before.at);
        ledger.is_broken("S5", call.number, what);
    }
    puts_back || is_another_try
}

/// S2: an app is restarted when its identities were written since it was last restarted, and not otherwise.
pub(super) fn at_restarting(ledger: &mut Ledger, call: &Call) {
    asked_for(ledger, call, "RestartHost");
    let app = call.key.trim_end_matches("/restart");
    let written = ledger.identity_written.get(app).copied().unwrap_or_default();
    let restarted = ledger.restarted.get(app).copied().unwrap_or_default();
    let lied_to = ledger.of_process(call.process).any(Call::is_lie);
    if written <= restarted && !lied_to {
        ledger.is_broken("S2", call.number, "restarts an app whose identities nobody has written since".to_owned());
    }
}

/// What the write did in truth. A change within the one request between the look and the write cannot be seen.
pub(super) fn at_effect(
    ledger: &mut Ledger,
    call: &Call,
    status: u16,
    before: &BTreeMap<String, &Value>,
    after: &BTreeMap<String, &Value>,
) {
    let success = (200..300).contains(&status);
    let moment = ledger.effects + 1;
    if success && call.key.ends_with("/restart") {
        ledger.restarted.insert(call.key.trim_end_matches("/restart").to_owned(), moment);
    }
    if success && call.method == "PATCH" {
        ledger.identity_written.insert(call.key.clone(), moment);
    }
    let look = ledger.look_before(call.number).into_iter().find(|look| look.key == call.key).cloned();
    let seen = look.as_ref().and_then(|look| look.served);
    let is_lie = look.as_ref().is_some_and(Call::is_lie);
    let had = look.as_ref().and_then(|look| look.answer(200)).map(|site| facts::attached(&site["identity"]));
    let had = had.unwrap_or_default();
    let mut lost = Vec::new();
    let is_target = |id: &String| TARGETS.iter().any(|kind| id.contains(kind));
    for (id, old) in before.iter().filter(|(id, _)| is_target(id)) {
        let raced = ledger.touched.get(id).is_some_and(|touched| seen.is_none_or(|seen| *touched > seen));
        let Some(new) = after.get(id) else { continue };
        let (old, new) = (&old["identity"], &new["identity"]);
        let attached = facts::attached(new);
        for one in facts::attached(old).into_iter().filter(|one| !attached.contains(one)) {
            if *id == call.key && takes_off(&call.body["identity"], &one) && had.contains(&one) {
                // One that takes effect when nobody waits any more is put back like any other that is missing.
                if !matches!(call.fault, Some(Fault::Late | Fault::CrashLate)) {
                    ledger.detached.insert((id.clone(), one), (call.process, call.policy.clone()));
                }
            } else if !raced && !is_lie {
                lost.push(one);
            }
        }
        ledger.detached.retain(|(app, identity), _| app != id || !attached.contains(identity));
        if facts::has_system(old) && lower(&old["principalId"]) != lower(&new["principalId"]) && !raced && !is_lie {
            lost.push(format!("the system-assigned identity {}", old["principalId"]));
        }
    }
    for one in lost {
        ledger.is_broken("S5", call.number, format!("{one} is detached"));
    }
}

/// The user-assigned identities of a block as it is sent, in lower case: those with such an entry.
fn named(block: &Value, is: impl Fn(&Value) -> bool) -> Vec<String> {
    let entries = block["userAssignedIdentities"].as_object().into_iter().flatten();
    entries.filter(|(_, entry)| is(entry)).map(|(id, _)| id.to_lowercase()).collect()
}

/// Whether a block as it is sent takes that identity off on purpose: by null, or by a type that has none.
fn takes_off(block: &Value, id: &str) -> bool {
    let is_none_left = block["type"].is_string() && !lower(&block["type"]).contains("userassigned");
    is_none_left || named(block, Value::is_null).iter().any(|own| own == id)
}

fn entry<'a>(block: &'a Value, id: &str) -> &'a Value {
    let mut entries = block["userAssignedIdentities"].as_object().into_iter().flatten();
    entries.find(|(own, _)| own.to_lowercase() == id).map_or(&Value::Null, |(_, entry)| entry)
}
