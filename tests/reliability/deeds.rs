//! What somebody else does to Azure and to the cluster, between one call and the next.

use std::{collections::BTreeSet, time::Duration};

use jiff::SignedDuration;
use rolecall::sandbox::{arm::ArmSim, scenario};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    facts::{self, Assignment, Need, VaultNeed, Who, lower, text},
    fault::{Act, Deed},
    ledger::Ledger,
    run::Run,
    stage::Key,
};

const POLICY: &str = "FunctionIdentityPolicy";
const BOUNDARY: &str = "IdentityBoundary";

/// What a scenario's people do: not before its time, and when all is at rest.
pub(super) async fn happen(run: &Run, deed: &scenario::Deed) {
    let due = run.stage.start + deed.after;
    if let Ok(left) = Duration::try_from(due.duration_since(run.clock.now())) {
        tokio::time::sleep(left).await;
    }
    let (namespace, name) = &*run.stage.policies[0];
    let mut ledger = run.ledger();
    for id in &deed.remove {
        run.change_azure(&mut ledger, id, |arm| arm.remove(id));
    }
    for document in &deed.add {
        let id = document["id"].as_str().expect("a document has an id");
        run.change_azure(&mut ledger, id, |arm| arm.insert(document.clone()));
    }
    if let Some(fields) = deed.policy.as_object()
        && let Some(mut policy) = run.kube.get(POLICY, Some(namespace), name)
    {
        for (field, value) in fields {
            policy["spec"][field] = value.clone();
        }
        run.kube.put(json!({
            "apiVersion": policy["apiVersion"], "kind": POLICY, "spec": policy["spec"],
            "metadata": { "name": name, "namespace": namespace },
        }));
    }
    if deed.delete {
        run.kube.delete(POLICY, Some(namespace), name);
    }
    ledger.version += 1;
    ledger.cluster_changed = true;
}

/// The operator misses everything that happens in the cluster for so many seconds.
pub(super) fn deafen(run: &Run, operator: u8, seconds: u16) {
    let until = run.clock.now() + SignedDuration::from_secs(i64::from(seconds));
    run.ledger().deaf_until.insert(operator, until);
}

/// Does it, if there is something to do it to.
pub(super) fn act(run: &Run, deed: Deed) {
    let keys = &run.stage.policies;
    let key = &keys[usize::from(deed.policy) % keys.len()];
    let mut ledger = run.ledger();
    let done = match deed.act {
        Act::GrantRemoved
        | Act::GrantAdded
        | Act::GrantConditioned
        | Act::ConditionedGrantAdded
        | Act::UserIdentityRecreated
        | Act::SystemIdentityRecreated
        | Act::SystemIdentityDisabled
        | Act::SystemIdentityEnabled
        | Act::OtherAttached
        | Act::DeclaredDetached
        | Act::VaultEntryRemoved
        | Act::VaultEntryReplaced
        | Act::VaultEntryOfAnother
        | Act::VaultModeSwitched
        | Act::AppDeleted => policy(run, key).and_then(|policy| in_azure(run, &mut ledger, deed, &policy)),
        Act::BoundaryDeleted | Act::BoundaryToReport | Act::BoundaryWithoutRoles | Act::BoundaryRestored => {
            ledger.rules_version += 1;
            to_boundaries(run, deed.act, &key.0)
        }
        Act::PolicyEdited
        | Act::BindingDropped
        | Act::Suspended
        | Act::Resumed
        | Act::ToReport
        | Act::ToDryRun
        | Act::ToEnforce
        | Act::NothingAllowed
        | Act::PassRequested
        | Act::PolicyDeleted
        | Act::PolicyRecreated
        | Act::TwinCreated => policy(run, key).and_then(|policy| to_policy(run, deed, key, &policy)),
    };
    if done.is_some() {
        ledger.version += 1;
        ledger.cluster_changed = true;
        drop(ledger);
        run.stirred.notify_one();
    }
}

fn policy(run: &Run, key: &Key) -> Option<Value> {
    let (namespace, name) = &**key;
    run.kube.get(POLICY, Some(namespace), name)
}

/// The pick of what there is.
fn picked<T>(mut among: Vec<T>, deed: Deed) -> Option<T> {
    if among.is_empty() {
        return None;
    }
    let position = usize::from(deed.pick) % among.len();
    Some(among.swap_remove(position))
}

fn in_azure(run: &Run, ledger: &mut Ledger, deed: Deed, policy: &Value) -> Option<()> {
    let arm = &run.arm;
    let target = facts::target(policy);
    let site = arm.document(&target);
    let change = |ledger: &mut Ledger, id: &str, change: &dyn Fn(&ArmSim)| run.change_azure(ledger, id, change);
    match deed.act {
        Act::GrantRemoved => {
            let grant = picked(grants(arm, policy), deed)?;
            change(ledger, &grant.id, &|arm| arm.remove(&grant.id));
            ledger.created.remove(&(grant.principal, grant.role, grant.scope));
        }
        Act::GrantConditioned => {
            let grant = picked(grants(arm, policy), deed)?;
            change(ledger, &grant.id, &|arm| {
                arm.edit(&grant.id, |grant| {
                    grant["properties"]["condition"] = json!("@Resource[name] StringEquals 'a'");
                });
            });
        }
        Act::GrantAdded | Act::ConditionedGrantAdded => {
            let (need, principal) = picked(lacking(arm, policy), deed)?;
            let document = foreign(run, &need, &principal, deed.act == Act::ConditionedGrantAdded);
            let id = text(&document["id"]).to_owned();
            change(ledger, &id, &|arm| arm.insert(document.clone()));
        }
        Act::UserIdentityRecreated => {
            let id = picked(facts::declared_identities(policy), deed)?;
            let principal = text(&arm.document(&id)?["properties"]["principalId"]).to_owned();
            change(ledger, &id, &|arm| {
                arm.edit(&id, |identity| identity["properties"]["principalId"] = json!(successor(&principal)));
            });
        }
        Act::SystemIdentityRecreated => {
            let principal = site?["identity"]["principalId"].as_str()?.to_owned();
            change(ledger, &target, &|arm| {
                arm.edit(&target, |site| site["identity"]["principalId"] = json!(successor(&principal)));
            });
        }
        Act::SystemIdentityDisabled => {
            site.filter(|site| facts::has_system(&site["identity"]))?;
            change(ledger, &target, &|arm| arm.edit(&target, |site| set_system(&mut site["identity"], None)));
        }
        Act::SystemIdentityEnabled => {
            site.filter(|site| !facts::has_system(&site["identity"]))?;
            let principal = "5e57e300-0000-4000-8000-0000000000ee";
            change(ledger, &target, &|arm| {
                arm.edit(&target, |site| set_system(&mut site["identity"], Some(principal)));
            });
        }
        Act::OtherAttached => {
            let attached = facts::attached(&site?["identity"]);
            let others = arm.snapshot().into_iter().filter(|document| {
                let id = lower(&document["id"]);
                id.contains("/userassignedidentities/") && !attached.contains(&id)
            });
            let identity = picked(others.collect(), deed)?;
            change(ledger, &target, &|arm| arm.edit(&target, |site| attach(&mut site["identity"], &identity)));
        }
        Act::DeclaredDetached => {
            let attached = facts::attached(&site?["identity"]);
            let declared = facts::declared_identities(policy).into_iter().filter(|id| attached.contains(id));
            let id = picked(declared.collect(), deed)?;
            change(ledger, &target, &|arm| arm.edit(&target, |site| detach(&mut site["identity"], &id)));
        }
        Act::VaultEntryRemoved | Act::VaultEntryReplaced | Act::VaultEntryOfAnother | Act::VaultModeSwitched => {
            let needs = facts::vault_needs(policy).into_iter().chain(facts::role_vault_needs(policy));
            let need = picked(needs.collect(), deed)?;
            let identity = match &need.who {
                Who::System => None,
                Who::User(id) => arm.document(id),
            };
            let principal = facts::principal(&need.who, site.as_ref(), identity.as_ref())?;
            arm.document(&need.vault)?;
            change(ledger, &need.vault, &|arm| {
                arm.edit(&need.vault, |vault| to_vault(vault, deed.act, &principal, &need));
            });
        }
        Act::AppDeleted => {
            site?;
            change(ledger, &target, &|arm| arm.remove(&target));
        }
        _ => return None,
    }
    Some(())
}

/// The grants that meet a need of the policy.
fn grants(arm: &ArmSim, policy: &Value) -> Vec<Assignment> {
    let all = facts::assignments(&arm.snapshot());
    let needed = needed(arm, policy);
    all.into_iter()
        .filter(|grant| needed.iter().any(|(need, principal)| grant.meets(principal, need) && grant.scope != "/"))
        .collect()
}

/// The needs that no role assignment names exactly, and whose principal there is.
fn lacking(arm: &ArmSim, policy: &Value) -> Vec<(Need, String)> {
    let all = facts::assignments(&arm.snapshot());
    let exists = |need: &Need, principal: &str| all.iter().any(|grant| grant.is_for(principal, need));
    needed(arm, policy).into_iter().filter(|(need, principal)| !exists(need, principal)).collect()
}

fn needed(arm: &ArmSim, policy: &Value) -> Vec<(Need, String)> {
    let site = arm.document(&facts::target(policy));
    let with_principal = |need: Need| {
        let identity = match &need.who {
            Who::System => None,
            Who::User(id) => arm.document(id),
        };
        let principal = facts::principal(&need.who, site.as_ref(), identity.as_ref())?;
        Some((need, principal))
    };
    facts::needs(policy).into_iter().filter_map(with_principal).collect()
}

fn foreign(run: &Run, need: &Need, principal: &str, conditioned: bool) -> Value {
    let triple = format!("somebody else's|{}|{principal}|{}", need.scope, need.role);
    let name = Uuid::new_v5(&Uuid::NAMESPACE_URL, triple.as_bytes());
    let subscription = need.scope.split('/').nth(2).unwrap_or_default();
    let definitions = format!("/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions");
    let now = run.clock.now().strftime("%Y-%m-%dT%H:%M:%S%.7fZ").to_string();
    json!({
        "id": format!("{}/providers/Microsoft.Authorization/roleAssignments/{name}", need.scope), "name": name,
        "type": "Microsoft.Authorization/roleAssignments",
        "properties": {
            "roleDefinitionId": format!("{definitions}/{}", need.role), "principalId": principal,
            "principalType": "ServicePrincipal", "scope": need.scope,
            "condition": conditioned.then_some("@Resource[name] StringEquals 'a'"),
            "conditionVersion": conditioned.then_some("2.0"), "createdOn": now, "updatedOn": now,
        },
    })
}

fn to_vault(vault: &mut Value, act: Act, principal: &str, need: &VaultNeed) {
    let uses_roles = facts::uses_roles(vault);
    let properties = &mut vault["properties"];
    let entry = |object: &str, word: &str| {
        let (on, tenant) = (need.on.as_str(), properties["tenantId"].clone());
        json!({ "tenantId": tenant, "objectId": object, "permissions": { on: [word] } })
    };
    let (own, another) = (entry(principal, "Purge"), entry("57a46e12-0009-4000-8000-000000000009", &need.word));
    if act == Act::VaultModeSwitched {
        properties["enableRbacAuthorization"] = json!(!uses_roles);
        return;
    }
    let Some(entries) = properties["accessPolicies"].as_array_mut() else { return };
    match act {
        Act::VaultEntryOfAnother => entries.push(another),
        _ => entries.retain(|entry| lower(&entry["objectId"]) != principal),
    }
    if act == Act::VaultEntryReplaced {
        entries.push(own);
    }
}

/// A principal that follows another one.
fn successor(principal: &str) -> String {
    let (first, rest) = principal.split_at(8);
    let number = u32::from_str_radix(first, 16).unwrap_or_default();
    format!("{:08x}{rest}", number.wrapping_add(0x0010_0000))
}

fn set_system(block: &mut Value, principal: Option<&str>) {
    let user = !facts::attached(block).is_empty();
    block["type"] = json!(match (principal, user) {
        (Some(_), true) => "SystemAssigned, UserAssigned",
        (Some(_), false) => "SystemAssigned",
        (None, true) => "UserAssigned",
        (None, false) => "None",
    });
    match (principal, block.as_object_mut()) {
        (Some(principal), _) => block["principalId"] = json!(principal),
        (None, Some(block)) => drop(block.remove("principalId")),
        (None, None) => {}
    }
}

fn attach(block: &mut Value, identity: &Value) {
    let (id, properties) = (text(&identity["id"]), &identity["properties"]);
    let entry = json!({ "principalId": properties["principalId"], "clientId": properties["clientId"] });
    if !block["userAssignedIdentities"].is_object() {
        block["userAssignedIdentities"] = json!({});
    }
    block["userAssignedIdentities"][id] = entry;
    let principal = block["principalId"].as_str().map(str::to_owned);
    set_system(block, principal.as_deref());
}

fn detach(block: &mut Value, id: &str) {
    if let Some(map) = block["userAssignedIdentities"].as_object_mut() {
        map.retain(|own, _| own.to_lowercase() != id);
    }
    let principal = block["principalId"].as_str().map(str::to_owned);
    set_system(block, principal.as_deref());
}

fn to_boundaries(run: &Run, act: Act, namespace: &str) -> Option<()> {
    let is_over = |boundary: &&Value| {
        let names = boundary["spec"]["namespaces"]["names"].as_array();
        boundary["kind"] == BOUNDARY && names.is_some_and(|names| names.iter().any(|name| name == namespace))
    };
    let first: BTreeSet<_> = run.stage.objects.iter().filter(is_over).map(|it| text(&it["metadata"]["name"])).collect();
    for original in run.stage.objects.iter().filter(is_over) {
        let name = text(&original["metadata"]["name"]);
        let mut boundary = original.clone();
        match act {
            Act::BoundaryDeleted => run.kube.delete(BOUNDARY, None, name),
            Act::BoundaryToReport => boundary["spec"]["maxMode"] = json!("Report"),
            Act::BoundaryWithoutRoles => boundary["spec"]["roles"] = json!([]),
            _ => {}
        }
        if act != Act::BoundaryDeleted {
            run.kube.put(boundary);
        }
    }
    (!first.is_empty()).then_some(())
}

fn to_policy(run: &Run, deed: Deed, key: &Key, policy: &Value) -> Option<()> {
    let (namespace, name) = &**key;
    let mut object = json!({
        "apiVersion": policy["apiVersion"], "kind": POLICY, "spec": policy["spec"],
        "metadata": { "name": name, "namespace": namespace },
    });
    let spec = &mut object["spec"];
    match deed.act {
        Act::PolicyEdited => {
            let other = if spec["interval"] == "31m" { "32m" } else { "31m" };
            spec["interval"] = json!(other);
        }
        Act::BindingDropped => drop(spec["bindings"].as_array_mut()?.pop()?),
        Act::Suspended => spec["suspend"] = json!(true),
        Act::Resumed => spec["suspend"] = json!(false),
        Act::ToReport => spec["mode"] = json!("Report"),
        Act::ToDryRun => spec["mode"] = json!("DryRun"),
        Act::ToEnforce => spec["mode"] = json!("Enforce"),
        Act::NothingAllowed => spec["remediation"]["allow"] = json!([]),
        Act::PassRequested => {
            let token = format!("request {}", deed.pick);
            object["metadata"]["annotations"] = json!({ "reconcile.fluxcd.io/requestedAt": token });
        }
        Act::PolicyDeleted => {
            run.kube.delete(POLICY, Some(namespace), name);
            return Some(());
        }
        Act::PolicyRecreated => run.kube.delete(POLICY, Some(namespace), name),
        Act::TwinCreated => object["metadata"]["name"] = json!(format!("{name}-twin")),
        _ => return None,
    }
    run.kube.put(object);
    Some(())
}
