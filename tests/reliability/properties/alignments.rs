//! S4, and what of S2 and S3 is about a vault's mode: it is switched to roles only when everybody who gets in by an access
//! policy, and whoever is declared, gets in by a role that is certain to act; and back only at once, for somebody declared.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    super::{
        facts::{self, Assignment, Need, Who, lower},
        fault::Fault,
        ledger::{Call, Ledger, Service},
    },
    policy_of,
};

pub(super) fn at_sending(ledger: &mut Ledger, call: &Call) {
    let Some(policy) = policy_of(ledger, call).cloned() else { return };
    let mode = |by_roles: bool| json!({ "properties": { "enableRbacAuthorization": by_roles } });
    let broken = if call.body == mode(true) {
        switches(ledger, call, &policy)
    } else if call.body == mode(false) {
        takes_back(ledger, call, &policy)
    } else {
        vec![("S4", format!("writes more of {} than its mode: {}", call.key, call.body))]
    };
    for (property, what) in broken {
        ledger.is_broken(property, call.number, what);
    }
}

/// By what was read just before.
fn switches(ledger: &Ledger, call: &Call, policy: &Value) -> Vec<(&'static str, String)> {
    let mut broken = Vec::new();
    let vault = &call.key;
    let look = ledger.look_before(call.number);
    let read = |id: &str| look.iter().find(|other| other.key == id).and_then(|other| other.answer(200));
    let list = format!("{vault}/providers/microsoft.authorization/roleassignments");
    let (Some(seen), Some(page)) = (read(vault), read(&list)) else {
        return vec![("S2", format!("switches {vault} without having just read it and its grants"))];
    };
    let grants = facts::assignments(page["value"].as_array().into_iter().flatten());
    if facts::uses_roles(&seen) || !facts::needs(policy).iter().any(|need| need.scope == *vault) {
        broken.push(("S2", format!("switches {vault}, which decides by roles or is not declared to")));
    }
    let kept_out = facts::kept_out(&seen, &grants, call.at);
    let namespace = call.policy.as_ref().map(|key| key.0.as_str()).unwrap_or_default();
    let rules = &ledger.views[&call.operator].rules;
    if !facts::asks_for(policy, "SwitchVaultMode") || !rules.allow_switch(namespace, vault, &[], call.at) {
        broken.push(("S3", format!("switches {vault} against boundary or policy")));
    } else if !rules.allow_switch(namespace, vault, &kept_out, call.at) {
        broken.push(("S4", format!("switches {vault} and keeps out {kept_out:?}")));
    }
    if let Some(need) = lacking(policy, vault, &grants, read, call) {
        broken.push(("S4", format!("switches {vault} where {need:?} is not met")));
    }
    broken
}

/// What the policy declares of the vault and no grant meets for certain; principals as they were read.
fn lacking(
    policy: &Value,
    vault: &str,
    grants: &[Assignment],
    read: impl Fn(&str) -> Option<Value>,
    call: &Call,
) -> Option<Need> {
    facts::needs(policy).into_iter().filter(|need| need.scope == vault).find(|need| {
        let owner = match &need.who {
            Who::System => facts::target(policy),
            Who::User(id) => id.clone(),
        };
        let document = read(&owner);
        let principal = facts::principal(&need.who, document.as_ref(), document.as_ref());
        !principal.is_some_and(|principal| {
            grants.iter().any(|grant| grant.meets(&principal, need) && grant.acts(need, call.at))
        })
    })
}

/// Right after a switch of its own that Azure accepted, and when a grant was seen to be gone since.
fn takes_back(ledger: &Ledger, call: &Call, policy: &Value) -> Vec<(&'static str, String)> {
    let mut own = ledger.of_process(call.process).filter(|other| {
        other.number < call.number && other.policy == call.policy && other.service == Service::Azure && other.mutating
    });
    // Several tries are one.
    let switch = own.find(|other| other.body != call.body);
    let is_own = switch.is_some_and(|last| last.key == call.key && last.heard_status() == Some(200));
    let list = format!("{}/providers/microsoft.authorization/roleassignments", call.key);
    let since = switch.map_or(0, |switch| switch.number);
    let mut look = ledger.of_process(call.process).filter(|other| other.number > since && other.number < call.number);
    let page = look.find(|other| other.key == list).and_then(|other| other.answer(200));
    let grants = page.map(|page| facts::assignments(page["value"].as_array().into_iter().flatten()));
    let mut declared = facts::needs(policy).into_iter().filter(|need| need.scope == call.key);
    let is_needed = grants.is_some_and(|grants| {
        declared.any(|need| {
            let lets_in = |grant: &Assignment| {
                grant.role == need.role && facts::reaches(&grant.scope, &need.scope) && !grant.conditioned
            };
            !grants.iter().any(lets_in)
        })
    });
    if is_own && is_needed {
        return Vec::new();
    }
    vec![("S4", format!("takes back the mode of {}, which is not its own switch or did no harm", call.key))]
}

/// In truth, as long as nobody else changes anything meanwhile: everybody in the access policies and not waived has a role
/// at the moment at which roles begin to decide.
pub(super) fn at_effect(
    ledger: &mut Ledger,
    call: &Call,
    before: &BTreeMap<String, &Value>,
    after: &BTreeMap<String, &Value>,
) {
    let others = ledger.calls.iter().any(|other| matches!(other.fault, Some(Fault::Somebody(_))));
    for (id, old) in before.iter().filter(|(_, old)| lower(&old["type"]) == "microsoft.keyvault/vaults") {
        let Some(new) = after.get(id).filter(|new| facts::uses_roles(old) != facts::uses_roles(new)) else { continue };
        if call.key != *id || call.method != "PATCH" {
            ledger.is_broken("S4", call.number, format!("the mode of {id} is another"));
        } else if facts::uses_roles(new) && !others {
            let kept_out = facts::kept_out(old, &facts::assignments(before.values().copied()), call.at);
            let namespace = call.policy.as_ref().map(|key| key.0.as_str()).unwrap_or_default();
            if !ledger.views[&call.operator].rules.allow_switch(namespace, id, &kept_out, call.at) {
                ledger.is_broken("S4", call.number, format!("{kept_out:?} lose access to {id}"));
            }
        } else if !others {
            ledger.is_broken("S4", call.number, format!("{id} is taken back where nobody did any harm"));
        }
    }
}
