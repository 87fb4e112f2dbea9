//! What must always hold (DESIGN, "What must always hold"), asked at every step of a run. Judged from the book and the
//! documents with `facts` only, so that a mistake of the code that is tested is not made a second time here.

mod alignments;
mod end;
mod grants;
mod identities;
mod revocations;
mod statuses;
mod vaults;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    facts::{self, lower},
    ledger::{Call, Ledger, Service, by_id},
    run::Run,
    stage::Key,
};

pub(super) use end::{End, compare, judge};

/// When a request leaves a process: may it?
pub(super) fn at_sending(ledger: &mut Ledger, run: &Run, number: u32) {
    let call = ledger.call(number).clone();
    identities::puts_back_first(ledger, &call);
    match call.service {
        Service::Cluster => statuses::at_sending(ledger, run, &call),
        Service::Azure if call.mutating => {
            if !identities::puts_back(ledger, &call) {
                may_write(ledger, &call);
            }
            match kind(&call) {
                Some(Write::Grant) => grants::at_sending(ledger, &call),
                Some(Write::Revocation) => revocations::at_sending(ledger, run, &call),
                Some(Write::Identity) => identities::at_sending(ledger, &call),
                Some(Write::Restart) => identities::at_restarting(ledger, &call),
                Some(Write::Refresh) => asked_for(ledger, &call, "RefreshReferences"),
                Some(Write::VaultEntry) => vaults::at_sending(ledger, &call),
                Some(Write::VaultMode) => alignments::at_sending(ledger, &call),
                None => {
                    // Nothing else of a vault is ever written.
                    let property = if call.key.contains("/microsoft.keyvault/") { "S4" } else { "S3" };
                    ledger.is_broken(property, number, format!("sends {} {}", call.method, call.path));
                }
            }
        }
        Service::Azure => stays_inside(ledger, run, &call),
    }
}

/// When a write took effect in Azure: what did it do?
pub(super) fn at_effect(ledger: &mut Ledger, number: u32, status: u16, before: &[Value], after: &[Value]) {
    let call = ledger.call(number).clone();
    let (old, new) = (by_id(before), by_id(after));
    grants::at_effect(ledger, &call, status, &old, &new);
    identities::at_effect(ledger, &call, status, &old, &new);
    vaults::at_effect(ledger, &call, &old, &new);
    alignments::at_effect(ledger, &call, &old, &new);
    let changed: Vec<&String> = new
        .iter()
        .filter(|(id, document)| old.get(*id) != Some(document))
        .map(|(id, _)| id)
        .chain(old.keys().filter(|id| !new.contains_key(*id)))
        .collect();
    for id in &changed {
        ledger.touch(id);
    }
    ledger.version += u64::from(!changed.is_empty());
    let moment = ledger.effect();
    ledger.call_mut(number).served = Some(moment);
}

/// When the cluster took a write.
pub(super) fn at_publishing(ledger: &mut Ledger, run: &Run, number: u32, status: u16) {
    let call = ledger.call(number).clone();
    if (200..300).contains(&status) {
        statuses::at_effect(ledger, run, &call);
    }
}

/// The writes that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Write {
    Grant,
    Revocation,
    Identity,
    Restart,
    Refresh,
    VaultEntry,
    VaultMode,
}

fn kind(call: &Call) -> Option<Write> {
    let below = call.key.rsplit("/providers/").next().unwrap_or_default();
    let mut segments: Vec<_> = below.split('/').collect();
    // A slot is an app like any other.
    if segments.get(3) == Some(&"slots") && segments.len() > 4 {
        segments.drain(3..5);
    }
    match (call.method.as_str(), segments.as_slice()) {
        ("PUT", ["microsoft.authorization", "roleassignments", _]) => Some(Write::Grant),
        ("DELETE", ["microsoft.authorization", "roleassignments", _]) => Some(Write::Revocation),
        (
            "PATCH",
            ["microsoft.web", "sites", _]
            | ["microsoft.app", "containerapps", _]
            | ["microsoft.compute", "virtualmachines", _],
        ) => Some(Write::Identity),
        ("PUT", ["microsoft.keyvault", "vaults", _, "accesspolicies", "add"]) => Some(Write::VaultEntry),
        ("PATCH", ["microsoft.keyvault", "vaults", _]) => Some(Write::VaultMode),
        ("POST", ["microsoft.web", "sites", _, "restart"]) => Some(Write::Restart),
        ("POST", ["microsoft.web", "sites", _, "config", "configreferences", "appsettings", "refresh"]) => {
            Some(Write::Refresh)
        }
        _ => None,
    }
}

/// The policy that a call is made for, as its operator knows it now.
fn policy_of<'a>(ledger: &'a Ledger, call: &Call) -> Option<&'a Value> {
    ledger.views.get(&call.operator)?.policies.get(call.policy.as_ref()?)
}

/// S3 for what has no rule of its own: policy and boundary list that kind of change for the app.
fn asked_for(ledger: &mut Ledger, call: &Call, change: &str) {
    let Some(policy) = policy_of(ledger, call) else { return };
    let target = facts::target(policy);
    let namespace = call.policy.as_ref().map(|key| key.0.as_str()).unwrap_or_default();
    let allowed = facts::asks_for(policy, change)
        && ledger.views[&call.operator].rules.allow(namespace, change, None, &[&target])
        && facts::reaches(&target, &call.key);
    if !allowed {
        ledger.is_broken("S3", call.number, format!("{change} on {} against boundary or policy", call.path));
    }
}

/// L1: a pass does not wait for ever.
pub(super) fn took_too_long(ledger: &mut Ledger, key: &Key) {
    let last = u32::try_from(ledger.calls.len()).expect("few calls");
    ledger.is_broken("L1", last, format!("a pass over {}/{} takes longer than any may", key.0, key.1));
}

/// L2: a policy that is being deleted is gone in time, as its operator hears it.
pub(super) fn at_hearing(ledger: &mut Ledger, now: Timestamp, operator: u8) {
    let Some(view) = ledger.views.get(&operator) else { return };
    let leaves = |policy: &&Value| policy["metadata"]["deletionTimestamp"].is_string();
    let leaving: Vec<_> =
        view.policies.iter().filter(|(_, policy)| leaves(policy)).map(|(key, _)| key.clone()).collect();
    ledger.leaving.retain(|key, _| leaving.contains(key));
    for key in leaving {
        let since = *ledger.leaving.entry(key.clone()).or_insert(now);
        if now.duration_since(since) > DELETION {
            let last = u32::try_from(ledger.calls.len()).expect("few calls");
            ledger.is_broken("L2", last, format!("{}/{} has been leaving since {since}", key.0, key.1));
        }
    }
}

/// The longest that a deletion takes: 15 minutes, and what a few faults add to them.
const DELETION: SignedDuration = SignedDuration::from_mins(30);

/// S1: nothing is written for a policy that does not ask for it, as far as its operator can know.
fn may_write(ledger: &mut Ledger, call: &Call) {
    let policy = policy_of(ledger, call);
    let enforces =
        policy.is_some_and(|policy| facts::enforces(policy) && policy["metadata"]["deletionTimestamp"].is_null());
    // The revocation of a policy that goes is the exception.
    let goes = policy.is_none_or(|policy| policy["metadata"]["deletionTimestamp"].is_string());
    if !(enforces || goes && kind(call) == Some(Write::Revocation)) {
        let state = policy.map_or_else(
            || "gone".to_owned(),
            |policy| format!("mode {}, suspend {}", policy["spec"]["mode"], policy["spec"]["suspend"]),
        );
        let what = format!("{} {} for a policy that is {state}", call.method, call.path);
        ledger.is_broken("S1", call.number, what);
    }
}

/// S9, the using half: nothing is asked about by name that the namespace's boundaries do not reach. Lists of whole
/// subscriptions, and definitions of roles, are shared readings of whoever may see something in that subscription.
fn stays_inside(ledger: &mut Ledger, run: &Run, call: &Call) {
    let asked = logs_of(run, call).unwrap_or_else(|| call.key.clone());
    let below = asked.split('/').nth(3);
    let is_shared = matches!(below, Some("providers" | "resources")) || asked.contains("/roledefinitions");
    let Some(key) = call.policy.clone() else { return };
    let began = ledger.pass_of(call).map(|pass| pass.scopes.clone()).unwrap_or_default();
    let now = ledger.views.get(&call.operator).map(|view| view.rules.scopes(&key.0)).unwrap_or_default();
    let subscription = asked.split('/').take(3).collect::<Vec<_>>().join("/");
    let inside = |scope: &String| {
        let shares = is_shared && facts::reaches(&subscription, scope);
        shares || facts::reaches(scope, &asked)
    };
    if !began.iter().chain(&now).any(inside) {
        let what = format!("{}/{} reads {} outside of its boundaries", key.0, key.1, call.path);
        ledger.is_broken("S9", call.number, what);
    }
}

/// The latest document of that id which a process heard of, and the call that told it: read by itself, or from a list.
fn heard_document(ledger: &Ledger, process: u32, id: &str) -> Option<Value> {
    heard_documents(ledger, process, id, Timestamp::MIN).next()
}

/// The workspace whose logs a call asks: they are had by another number than its id.
fn logs_of(run: &Run, call: &Call) -> Option<String> {
    let customer = call.key.strip_prefix("/v1/workspaces/")?.split('/').next()?;
    let mut documents = run.stage.world.resources.iter();
    documents.find(|document| lower(&document["properties"]["customerId"]) == customer).map(|found| lower(&found["id"]))
}

/// Every document of that id which a process heard of since then, the latest first.
fn heard_documents<'a>(
    ledger: &'a Ledger,
    process: u32,
    id: &'a str,
    since: Timestamp,
) -> impl Iterator<Item = Value> + 'a {
    let collection = id.rsplit_once('/').map(|(types, _)| types).unwrap_or_default();
    let listed = collection.rsplit_once("/providers/").map(|(_, types)| types).unwrap_or_default();
    let subscription: String = id.split('/').take(3).collect::<Vec<_>>().join("/");
    let list = format!("{subscription}/providers/{listed}");
    let read = ledger.of_process(process).filter(|call| !call.mutating && call.heard_status() == Some(200));
    let read = read.filter(move |call| call.heard_at.is_some_and(|heard| heard >= since));
    read.filter_map(move |call| {
        if call.key == id {
            return call.answer(200);
        }
        if call.key != list {
            return None;
        }
        let page = call.answer(200)?;
        page["value"].as_array()?.iter().find(|document| lower(&document["id"]) == id).cloned()
    })
}
