//! S6, L1, L2 and D1: what is left when everything is at rest.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::super::{
    driver::Rest,
    facts::{self, Assignment, Need, Who, condition, lower, text},
    fault::Fault,
    ledger::{Call, Ledger, Service},
    run::Run,
    stage::Key,
};
use super::statuses::members;

/// How a run ended, without what another run may have otherwise: times, and who made what.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct End {
    /// Azure's documents by id.
    pub(in super::super) documents: BTreeMap<String, Value>,
    /// What is said of each policy.
    pub(in super::super) verdicts: BTreeMap<Key, Value>,
}

impl End {
    pub(in super::super) fn of(run: &Run) -> Self {
        let documents = run.arm.snapshot().into_iter().map(|document| (lower(&document["id"]), settled(document)));
        let policies = run.kube.list("FunctionIdentityPolicy").into_iter();
        let verdicts = policies.map(|policy| {
            let metadata = &policy["metadata"];
            let key = Key::new((text(&metadata["namespace"]).to_owned(), text(&metadata["name"]).to_owned()));
            (key, verdict(&policy["status"]))
        });
        Self { documents: documents.collect(), verdicts: verdicts.collect() }
    }
}

fn settled(mut document: Value) -> Value {
    if document["systemData"].is_object() {
        document["systemData"]["lastModifiedAt"] = Value::Null;
    }
    let Some(properties) = document["properties"].as_object_mut() else { return document };
    for member in ["createdOn", "updatedOn", "createdBy", "updatedBy"] {
        properties.remove(member);
    }
    // Two policies may need one grant; which of them made it is a matter of order.
    if properties.get("description").is_some_and(|it| text(it).starts_with("Granted by Rolecall")) {
        properties.insert("description".to_owned(), json!("Granted by Rolecall"));
    }
    // And so is the place of an entry among the others, and of a word in it.
    if let Some(entries) = properties.get_mut("accessPolicies").and_then(Value::as_array_mut) {
        let words = entries.iter_mut().filter_map(|entry| entry["permissions"].as_object_mut());
        for words in words.flat_map(|permissions| permissions.values_mut()).filter_map(Value::as_array_mut) {
            words.sort_by_key(|word| text(word).to_lowercase());
        }
        entries.sort_by_key(|entry| text(&entry["objectId"]).to_owned());
    }
    document
}

/// What a status says that follows from the spec and from Azure.
fn verdict(status: &Value) -> Value {
    let list = |member: &Value| member.as_array().cloned().unwrap_or_default();
    // Whether calls recovered follows from what time it is as well.
    let conditions = list(&status["conditions"]).into_iter().filter(|one| one["type"] != "Recovered");
    let conditions: Vec<_> = conditions.map(|one| json!([one["type"], one["status"], one["reason"]])).collect();
    let findings: Vec<_> = list(&status["findings"]).iter().map(|one| json!([one["code"], one["subject"]])).collect();
    let held: Vec<_> = list(&status["plan"]["held"]).iter().map(|one| json!([one["subject"], one["reason"]])).collect();
    json!({
        "generation": status["observedGeneration"], "conditions": conditions, "hypothesis": status["hypothesis"],
        "findings": findings, "held": held,
    })
}

/// D1: the same end as without faults.
///
/// With one exception, which the design wants: a restart or a refresh of which nobody knows whether it was done, or
/// whether it was our write that called for it, is held and said, and not done again.
pub(in super::super) fn compare(ledger: &mut Ledger, end: &End, undisturbed: &End) {
    let last = u32::try_from(ledger.calls.len()).expect("few calls");
    let unknown = |fault: Fault| match fault {
        Fault::CrashBefore | Fault::CrashAfter | Fault::CrashLate => true,
        Fault::AnswerLost | Fault::Hang | Fault::Late | Fault::Reset(_) => true,
        Fault::Refused { .. }
        | Fault::Stale
        | Fault::StaleOldest
        | Fault::Empty
        | Fault::HalfList
        | Fault::Reversed
        | Fault::Deaf(_)
        | Fault::Somebody(_) => false,
    };
    // Of two operators the one that stays may be the one that did not do it.
    let several = ledger.calls.iter().any(|call| call.operator > 0);
    let may_hold = several || ledger.calls.iter().any(|call| call.fault.is_some_and(unknown));
    let mut documents: Vec<_> = end.documents.keys().chain(undisturbed.documents.keys()).collect();
    let is_excepted = |key: &Key| may_hold && end.verdicts.get(key).is_some_and(is_held_for_good);
    if may_hold && end.verdicts.values().any(|verdict| verdict["findings"][0].is_array()) {
        // The references themselves are documents.
        documents.retain(|id| !id.contains("/configreferences/"));
    }
    if let Some(id) = documents.into_iter().find(|id| end.documents.get(*id) != undisturbed.documents.get(*id)) {
        let (is, was) = (end.documents.get(id), undisturbed.documents.get(id));
        let show = |document: Option<&Value>| document.map_or_else(|| "nothing".to_owned(), Value::to_string);
        ledger.is_broken("D1", last, format!("{id} ends as {} and undisturbed as {}", show(is), show(was)));
    }
    for (key, was) in &undisturbed.verdicts {
        let is = end.verdicts.get(key).unwrap_or(&Value::Null);
        if is != was && !is_excepted(key) {
            let what = format!("{}/{} ends as {is} and undisturbed as {was}", key.0, key.1);
            ledger.is_broken("D1", last, what);
        }
    }
}

fn is_held_for_good(verdict: &Value) -> bool {
    let findings = verdict["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
    !findings.is_empty()
        && findings.iter().all(|one| matches!(text(&one[0]), "host-not-recycled" | "references-denied"))
}

/// What must be so when everything is at rest, whatever happened before.
///
/// `calls`: how many there were when it came to rest. After that every policy was passed again, and by new processes.
pub(in super::super) fn judge(ledger: &mut Ledger, run: &Run, rest: Rest, calls: usize) {
    let last = u32::try_from(ledger.calls.len()).expect("few calls");
    if rest == Rest::Restless {
        ledger.is_broken("L1", last, "does not come to rest".to_owned());
        return;
    }
    // What Azure refuses for want of rights is tried again every quarter of an hour.
    let is_refused =
        |call: &Call| !run.stage.unhindered && call.service == Service::Azure && call.heard_status() == Some(403);
    let writes = ledger.calls[calls..].iter().filter(|call| call.mutating);
    let writes = writes.filter(|call| !call.heartbeat && !is_refused(call) && !owns_up(ledger, calls, call));
    let writes = writes.filter(|call| !tells_of_calls(ledger, call));
    for call in writes.cloned().collect::<Vec<_>>() {
        ledger.is_broken("S6", call.number, format!("at rest, and sends {} {}", call.method, call.path));
    }
    for policy in run.kube.list("FunctionIdentityPolicy") {
        for (property, what) in unfinished(run, &policy) {
            let metadata = &policy["metadata"];
            let name = format!("{}/{}", text(&metadata["namespace"]), text(&metadata["name"]));
            ledger.is_broken(property, last, format!("{name}: {what}"));
        }
    }
}

/// Whether no more is told than how the app's calls go, which takes its time: they are refused from some minutes after a
/// grant is gone, and served again some minutes after it is back. `Recovered` says so, its event, and the decision.
fn tells_of_calls(ledger: &Ledger, call: &Call) -> bool {
    if call.body["reason"] == "Recovered" {
        return true;
    }
    let Some(pass) = ledger.pass_of(call).filter(|_| call.key.ends_with("/status")) else { return false };
    let asks_a_workspace = pass.object["spec"]["evidence"].is_object();
    let but_calls = |status: &Value| -> BTreeMap<String, Value> {
        let told = members(status).filter(|(name, _)| *name != "decision" || !asks_a_workspace);
        let mut rest: BTreeMap<_, _> = told.map(|(name, value)| (name.clone(), value.clone())).collect();
        if let Some(conditions) = rest.get_mut("conditions").and_then(Value::as_array_mut) {
            conditions.retain(|one| one["type"] != "Recovered");
        }
        rest
    };
    let (before, now) = (&pass.object["status"], &call.body["status"]);
    let (was, is) = (condition(before, "Recovered"), condition(now, "Recovered"));
    let tells = was != is || (asks_a_workspace && before["decision"] != now["decision"]);
    tells && but_calls(before) == but_calls(now)
}

/// What a new process holds for want of what the one before it remembered: status does not vouch for it.
const FORGOTTEN: [&str; 2] = ["NotOurWrite", "NoBaseline"];

/// Whether a process that began at rest says that it does not remember, or says again what was said before that.
fn owns_up(ledger: &Ledger, calls: usize, call: &Call) -> bool {
    let before = &ledger.calls[..calls];
    if !call.key.ends_with("/status") {
        return false;
    }
    if before.iter().any(|earlier| earlier.process == call.process) {
        return false;
    }
    let held = call.body["status"]["plan"]["held"].as_array();
    let forgotten = held.into_iter().flatten().any(|held| FORGOTTEN.contains(&text(&held["reason"])));
    let last = before.iter().rfind(|earlier| earlier.mutating && earlier.key == call.key);
    let as_before = |last: &Call| members(&last.body["status"]).eq(members(&call.body["status"]));
    forgotten || last.is_some_and(as_before)
}

/// L1 and L2, by what is there now.
fn unfinished(run: &Run, policy: &Value) -> Vec<(&'static str, String)> {
    let mut unfinished = Vec::new();
    let (metadata, status) = (&policy["metadata"], &policy["status"]);
    if metadata["deletionTimestamp"].is_string() {
        unfinished.push(("L2", "is being deleted and does not go".to_owned()));
        return unfinished;
    }
    if status["observedGeneration"] != metadata["generation"] {
        let what = format!("generation {} was never looked at", metadata["generation"]);
        unfinished.push(("L1", what));
    }
    if !run.stage.unhindered {
        return unfinished;
    }
    let reason = condition(status, "Ready").map(|ready| text(&ready["reason"])).unwrap_or_default();
    if matches!(reason, "DuplicateTarget" | "OutsideBoundary") {
        return unfinished;
    }
    let lacking = lacking(run, policy);
    if reason == "Compliant" && !lacking.is_empty() {
        unfinished.push(("L1", format!("is Compliant and lacks {:?}", lacking[0].0)));
    }
    if let Some((what, _)) = lacking.iter().find(|(_, repairable)| *repairable) {
        unfinished.push(("L1", format!("{what} could be put right and is not ({reason})")));
    }
    if lacking.is_empty() && matches!(reason, "DriftReported" | "DriftDetected" | "Held" | "Remediating") {
        let codes: Vec<_> =
            status["findings"].as_array().into_iter().flatten().map(|finding| text(&finding["code"])).collect();
        // What is not lacking may be wrong otherwise: an old copy of a principal, a vault's mode.
        if codes.iter().all(|code| REPAIRABLE.contains(code)) {
            unfinished.push(("L1", format!("lacks nothing and is {reason} with {codes:?}")));
        }
    }
    unfinished
}

/// Findings of what `lacking` knows by itself.
const REPAIRABLE: [&str; 4] =
    ["role-missing", "system-identity-disabled", "user-identity-not-attached", "access-policy-missing"];

/// What is declared and not there, each with whether policy and boundaries let us put it right.
fn lacking(run: &Run, policy: &Value) -> Vec<(String, bool)> {
    let target = facts::target(policy);
    let Some(site) = run.arm.document(&target) else { return vec![("the app".to_owned(), false)] };
    let namespace = text(&policy["metadata"]["namespace"]);
    let by_name = |kind: &str| {
        let objects = run.kube.list(kind).into_iter();
        objects.map(|object| (text(&object["metadata"]["name"]).to_owned(), object)).collect()
    };
    let rules = facts::Rules { boundaries: by_name("IdentityBoundary"), namespaces: by_name("Namespace") };
    let may = |change: &str, role: Option<&str>, scopes: &[&str]| {
        facts::asks_for(policy, change) && rules.allow(namespace, change, role, scopes) && max_changes(policy) > 0
    };
    let mut lacking = Vec::new();
    if facts::requires_system(policy) && !facts::has_system(&site["identity"]) {
        // Where nothing declared uses it, it would only become the one that is used by default.
        let mut needs = facts::needs(policy).into_iter().map(|need| need.who);
        let would_mislead =
            !facts::attached(&site["identity"]).is_empty() && !needs.any(|who| matches!(who, Who::System));
        let may = !would_mislead && may("EnableSystemIdentity", None, &[&target]);
        lacking.push(("the system-assigned identity".to_owned(), may));
    }
    let attached = facts::attached(&site["identity"]);
    for id in facts::declared_identities(policy).iter().filter(|id| !attached.contains(id)) {
        let may = run.arm.document(id).is_some() && may("AttachUserIdentity", None, &[&target, id]);
        lacking.push((format!("identity {id}"), may));
    }
    let snapshot = run.arm.snapshot();
    let grants = facts::assignments(&snapshot);
    for need in facts::needs(policy) {
        let identity = match &need.who {
            Who::System => None,
            Who::User(id) => run.arm.document(id),
        };
        let Some(principal) = facts::principal(&need.who, Some(&site), identity.as_ref()) else { continue };
        // The vault's own mode is looked at first, and a vault that is gone is no place for roles.
        if uses_roles(run, &need) && !is_there(run, &need.scope) {
            lacking.push((format!("what holds {}", need.scope), false));
            continue;
        }
        if !uses_roles(run, &need) || grants.iter().any(|grant| grant.meets(&principal, &need)) {
            continue;
        }
        // One with a condition is in the way: writing it again would erase the condition.
        let in_the_way = |grant: &Assignment| grant.principal == principal && grant.conditioned;
        let free = !grants.iter().any(|grant| in_the_way(grant) && facts::reaches(&grant.scope, &need.scope));
        // What is denied no grant gives back.
        let may =
            free && !facts::is_denied(&snapshot, &need.scope) && may("GrantRole", Some(&need.role), &[&need.scope]);
        lacking.push((format!("{} at {}", need.role, need.scope), may));
    }
    let now = run.clock.now();
    for id in facts::role_vault_needs(policy).into_iter().map(|need| need.vault).collect::<BTreeSet<_>>() {
        let Some(vault) = run.arm.document(&id).filter(|vault| !facts::uses_roles(vault)) else { continue };
        let kept_out = facts::kept_out(&vault, &grants, now);
        let may = facts::asks_for(policy, "SwitchVaultMode")
            && rules.allow_switch(namespace, &id, &kept_out, now)
            && max_changes(policy) > 0
            && run.kube.list("FunctionIdentityPolicy").iter().all(|one| is_at_peace(run, one, &id, &grants));
        lacking.push((format!("roles at {id}"), may));
    }
    for need in facts::vault_needs(policy) {
        let Some(vault) = run.arm.document(&need.vault).filter(|vault| !facts::uses_roles(vault)) else {
            lacking.push((format!("access policies at {}", need.vault), false));
            continue;
        };
        let identity = match &need.who {
            Who::System => None,
            Who::User(id) => run.arm.document(id),
        };
        let Some(principal) = facts::principal(&need.who, Some(&site), identity.as_ref()) else { continue };
        let entries = facts::entries(&vault);
        let (own, others): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| entry.object == principal);
        if own.iter().any(|entry| entry.lets(&need, &vault)) {
            continue;
        }
        // One that may be a group's leaves it open; one with an application may be what `add` would change.
        let free = !others.iter().any(|entry| entry.lets(&need, &vault))
            && own.iter().all(|entry| entry.application.is_empty());
        let may = free
            && may("AddVaultPolicyEntry", None, &[&need.vault])
            && run
                .kube
                .list("FunctionIdentityPolicy")
                .iter()
                .all(|one| !facts::role_vault_needs(one).iter().any(|other| other.vault == need.vault));
        lacking.push((format!("{} {} at {}", need.word, need.on, need.vault), may));
    }
    lacking
}

/// Whether nothing that the policy declares of a vault stands against its switch to roles.
fn is_at_peace(run: &Run, policy: &Value, vault: &str, grants: &[Assignment]) -> bool {
    if facts::vault_needs(policy).iter().any(|need| need.vault == vault) {
        return false;
    }
    let site = run.arm.document(&facts::target(policy));
    facts::needs(policy).iter().filter(|need| need.scope == vault).all(|need| {
        let identity = match &need.who {
            Who::System => None,
            Who::User(id) => run.arm.document(id),
        };
        let principal = facts::principal(&need.who, site.as_ref(), identity.as_ref());
        principal.is_some_and(|principal| grants.iter().any(|grant| grant.meets(&principal, need)))
    })
}

/// Whether the resource that a scope is or lies in exists. Its id ends after the provider, the type and the name.
fn is_there(run: &Run, scope: &str) -> bool {
    let segments: Vec<_> = scope.split('/').take(9).collect();
    segments.len() < 9 || run.arm.document(&segments.join("/")).is_some()
}

fn max_changes(policy: &Value) -> i64 {
    policy["spec"]["remediation"]["maxChanges"].as_i64().unwrap_or(10)
}

/// Whether roles decide there: on a vault only in one of its modes.
fn uses_roles(run: &Run, need: &Need) -> bool {
    if !need.scope.contains("/providers/microsoft.keyvault/") {
        return true;
    }
    run.arm.document(&need.scope).is_some_and(|vault| facts::uses_roles(&vault))
}
