//! S4, and what of S2, S3, S7 and S11 is about access policies of vaults: whose entry is added, on what evidence, and that
//! nobody loses a permission.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    super::{
        facts::{self, Entry, Who, lower},
        ledger::{Call, Ledger},
    },
    policy_of,
};

pub(super) fn at_sending(ledger: &mut Ledger, call: &Call) {
    let Some(policy) = policy_of(ledger, call).cloned() else { return };
    let vault = call.key.trim_end_matches("/accesspolicies/add");
    let namespace = call.policy.as_ref().map(|key| key.0.as_str()).unwrap_or_default();
    let mut broken = Vec::new();
    let change = "AddVaultPolicyEntry";
    let rules = &ledger.views[&call.operator].rules;
    if !rules.allow(namespace, change, None, &[vault]) || !facts::asks_for(&policy, change) {
        broken.push(("S3", format!("adds an entry to {vault} against boundary or policy")));
    }
    let just_read = |id: &str| {
        let look = ledger.look_before(call.number).into_iter().find(|look| look.key == id);
        look.and_then(|look| look.answer(200))
    };
    match (just_read(vault), facts::entries(&call.body).as_slice()) {
        (Some(seen), [sent]) => {
            let who = declared_as(&policy, vault, sent, just_read);
            broken.extend(judged(&policy, vault, &seen, sent, who));
        }
        (None, _) => broken.push(("S2", format!("writes to {vault} without having just read it"))),
        (_, sent) => broken.push(("S3", format!("sends {} entries in one request", sent.len()))),
    }
    for (property, what) in broken {
        ledger.is_broken(property, call.number, what);
    }
}

/// The declared identity whose principal, as it was just read, the entry is for.
fn declared_as(policy: &Value, vault: &str, sent: &Entry, just_read: impl Fn(&str) -> Option<Value>) -> Option<Who> {
    let needs = facts::vault_needs(policy).into_iter().filter(|need| need.vault == vault);
    needs.map(|need| need.who).find(|who| {
        let owner = match who {
            Who::System => facts::target(policy),
            Who::User(id) => id.clone(),
        };
        let document = just_read(&owner);
        facts::principal(who, document.as_ref(), document.as_ref()).is_some_and(|principal| principal == sent.object)
    })
}

/// What is wrong with an entry, by the vault as it was just read.
fn judged(policy: &Value, vault: &str, seen: &Value, sent: &Entry, who: Option<Who>) -> Vec<(&'static str, String)> {
    let mut broken = Vec::new();
    let Some(who) = who else {
        return vec![("S11", format!("adds an entry for {}, who is none of those declared now", sent.object))];
    };
    if facts::uses_roles(seen) {
        broken.push(("S2", format!("adds an entry to {vault}, which decides by roles")));
    }
    if sent.tenant != lower(&seen["properties"]["tenantId"]) || !sent.application.is_empty() {
        broken.push(("S3", format!("adds an entry of another directory, or for an application, to {vault}")));
    }
    let own = facts::entries(seen).into_iter().filter(|entry| entry.is_of(sent));
    let had: BTreeSet<_> = own.flat_map(|entry| entry.permissions).collect();
    // Whether Azure joins the entry with what is there or replaces that: nothing may be lost.
    if let Some(lost) = had.iter().find(|one| !sent.permissions.contains(one)) {
        broken.push(("S4", format!("leaves out {lost:?}, which {} has at {vault}", sent.object)));
    }
    let needs = facts::vault_needs(policy);
    let declared = |(on, word): &(String, String)| {
        needs.iter().any(|need| need.vault == vault && need.who == who && need.on == *on && need.word == *word)
    };
    let mut new = sent.permissions.iter().filter(|one| !had.contains(one)).peekable();
    if new.peek().is_none() {
        broken.push(("S2", format!("adds to {vault} what it has just seen there")));
    }
    if let Some(more) = new.find(|one| !declared(one)) {
        broken.push(("S3", format!("adds {more:?} to {vault}, which the policy does not declare")));
    }
    broken
}

/// What a write did in truth, whatever it was: no vault loses an entry or a permission, and nobody has two
/// entries where there was one.
pub(super) fn at_effect(
    ledger: &mut Ledger,
    call: &Call,
    before: &BTreeMap<String, &Value>,
    after: &BTreeMap<String, &Value>,
) {
    for (id, old) in before.iter().filter(|(_, old)| lower(&old["type"]) == "microsoft.keyvault/vaults") {
        let Some(new) = after.get(id) else {
            ledger.is_broken("S4", call.number, format!("{id} is gone"));
            continue;
        };
        let (had, has) = (facts::entries(old), facts::entries(new));
        for entry in &had {
            let now: BTreeSet<_> = has.iter().filter(|it| it.is_of(entry)).flat_map(|it| &it.permissions).collect();
            if let Some(lost) = entry.permissions.iter().find(|one| !now.contains(one)) {
                ledger.is_broken("S4", call.number, format!("{} loses {lost:?} at {id}", entry.object));
            }
        }
        let count = |all: &[Entry], one: &Entry| all.iter().filter(|entry| entry.is_of(one)).count();
        if let Some(twice) = has.iter().find(|entry| count(&has, entry) > count(&had, entry).max(1)) {
            ledger.is_broken("S7", call.number, format!("{} has an entry twice at {id}", twice.object));
        }
    }
}
