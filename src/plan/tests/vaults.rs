//! Access policies that are added to vaults, and every reason not to.

use super::*;
use crate::{
    evaluate::fixtures::{GROUP, STRANGER, TENANT, access_entry},
    model::{AccessEntry, Vault, VaultMode},
    policy::fixtures::{kv, vault},
};

const ADD: ChangeKind = ChangeKind::AddVaultPolicyEntry;

fn declaring(mode: &'static str) -> Policy {
    enforcing(|spec| {
        vault(spec, mode, "shared", &["list", "get"]);
        spec.remediation.allow.push(ADD);
    })
}

fn groups() -> [Scope; 2] {
    [app().resource_group().unwrap(), kv().resource_group().unwrap()]
}

fn opened() -> Authority {
    boundary(Mode::Enforce, &groups(), &[RECEIVER, CONTRIBUTOR], &[&ALL[..], &[ADD]].concat())
}

/// The world of that policy, with the vault changed.
fn with(policy: &Policy, edit: impl Fn(&mut Vault)) -> World {
    let mut world = World::matching(policy);
    edit(world.vault());
    world
}

fn entry(object: &str, permissions: &[(&str, &[&str])]) -> AccessEntry {
    access_entry(principal(object), permissions)
}

fn empty(vault: &mut Vault) {
    vault.entries = Some(Vec::new());
}

/// The permissions in the one entry that is sent.
fn sent(plan: &Plan) -> serde_json::Value {
    let [step] = plan.steps.as_slice() else { panic!("{plan:?}") };
    assert_eq!(step.kinds(), [ADD]);
    let entries = step.request.body["properties"]["accessPolicies"].as_array().unwrap();
    let [entry] = entries.as_slice() else { panic!("{entries:?}") };
    entry["permissions"].clone()
}

#[test]
fn what_lacks_is_added_in_one_entry_of_the_vaults_directory() {
    let policy = declaring("AccessPolicy");
    let world = with(&policy, |vault| vault.entries = Some(vec![entry(SYSTEM, &[("secrets", &["set"])])]));
    let plan = planned(&policy, &world, &opened());
    let [step] = plan.steps.as_slice() else { panic!("{plan:?}") };
    let Request { method, path, api_version, body } = &step.request;
    assert_eq!((*method, *api_version), (Method::Put, "2026-02-01"));
    assert_eq!(*path, format!("{}/accessPolicies/add", kv()));
    let expected = serde_json::json!({ "properties": { "accessPolicies": [
        { "tenantId": TENANT, "objectId": SHARED, "permissions": { "secrets": ["get", "list"] } },
    ] } });
    assert_eq!(*body, expected);
    assert_eq!((step.subject().as_str(), plan.held.len()), ("vaults/kv", 0));
    assert!(plan.adds_entry(&kv(), principal(SHARED)) && !plan.adds_entry(&kv(), principal(SYSTEM)));
}

#[test]
fn what_the_principal_has_is_sent_with_it_as_it_was_written() {
    let policy = declaring("AccessPolicy");
    let had: &[(&str, &[&str])] =
        &[("secrets", &["Set", "Get"]), ("storage", &["regeneratekey"]), ("keys", &["wrapKey"]), ("certificates", &[])];
    let world = with(&policy, |vault| vault.entries = Some(vec![entry(SHARED, had)]));
    let kept = serde_json::json!({
        "keys": ["wrapKey"], "secrets": ["Get", "Set", "list"], "storage": ["regeneratekey"],
    });
    assert_eq!(sent(&planned(&policy, &world, &opened())), kept);
    let halves = with(&policy, |vault| {
        vault.entries = Some(vec![entry(SHARED, &[("secrets", &["set"])]), entry(SHARED, &[("keys", &["get"])])]);
    });
    let both = serde_json::json!({ "keys": ["get"], "secrets": ["get", "list", "set"] });
    assert_eq!(sent(&planned(&policy, &halves, &opened())), both);
}

#[test]
fn a_principal_gets_one_entry_for_all_that_asks_for_it_and_each_principal_its_own() {
    let declared = |identity: &'static str| {
        enforcing(move |spec| {
            spec.resources.insert("safe".to_owned(), kv().to_string());
            vault(spec, "AccessPolicy", "shared", &["get"]);
            let access = serde_json::json!({ "keys": ["wrapKey"] });
            let second = serde_json::json!(
                { "resource": "safe", "mode": "AccessPolicy", "identity": identity, "access": access }
            );
            spec.vaults.push(serde_json::from_value(second).unwrap());
            spec.remediation.allow.push(ADD);
        })
    };
    let policy = declared("shared");
    let plan = planned(&policy, &with(&policy, empty), &opened());
    assert_eq!(subjects(&plan), ["vaults/kv, vaults/safe"]);
    assert_eq!(sent(&plan), serde_json::json!({ "keys": ["wrapKey"], "secrets": ["get"] }));
    let policy = declared("system");
    let plan = planned(&policy, &with(&policy, empty), &opened());
    assert_eq!(subjects(&plan), ["vaults/kv", "vaults/safe"]);
}

#[test]
fn each_reason_against_an_entry_holds_it() {
    type Edit = fn(&mut Vault);
    let table: [(&str, &'static str, Edit); 6] = [
        ("NoSafeChange", "RBAC", |vault| (vault.mode, vault.entries) = (VaultMode::AccessPolicy, Some(Vec::new()))),
        ("EvidenceIncomplete", "AccessPolicy", |vault| vault.entries = None),
        ("EvidenceIncomplete", "AccessPolicy", |vault| (vault.tenant, vault.entries) = (None, Some(Vec::new()))),
        ("EvidenceIncomplete", "AccessPolicy", |vault| {
            vault.entries = Some(vec![entry(GROUP, &[("secrets", &["get", "list"])])]);
        }),
        ("NoSafeChange", "AccessPolicy", |vault| {
            vault.entries = Some(vec![AccessEntry { compound: true, ..entry(SHARED, &[("secrets", &["all"])]) }]);
        }),
        ("NoSafeChange", "AccessPolicy", |vault| {
            let tenant = Some("another".to_owned());
            vault.entries = Some(vec![AccessEntry { tenant, ..entry(SHARED, &[("secrets", &["all"])]) }]);
        }),
    ];
    for (number, (reason, mode, edit)) in table.into_iter().enumerate() {
        let policy = declaring(mode);
        let plan = planned(&policy, &with(&policy, edit), &opened());
        assert!(plan.steps.is_empty(), "{number}: {:?}", plan.steps);
        let held = holds(&plan);
        assert_eq!(held.last(), Some(&("vaults/kv", reason)), "{number}");
    }
}

#[test]
fn a_group_in_doubt_holds_only_what_it_may_allow() {
    let policy = declaring("AccessPolicy");
    let world = with(&policy, |vault| vault.entries = Some(vec![entry(GROUP, &[("secrets", &["list"])])]));
    assert_eq!(sent(&planned(&policy, &world, &opened())), serde_json::json!({ "secrets": ["get"] }));
}

#[test]
fn an_entry_is_off_unless_policy_and_boundary_allow_it_for_the_vault() {
    let policy = declaring("AccessPolicy");
    let world = with(&policy, empty);
    let everything = [&ALL[..], &[ADD]].concat();
    let outside = [
        boundary(Mode::Enforce, &groups(), &[RECEIVER], &ALL),
        boundary(Mode::Enforce, &groups()[..1], &[RECEIVER], &everything),
    ];
    for authority in outside {
        let plan = planned(&policy, &world, &authority);
        assert_eq!((holds(&plan), plan.steps.len()), (vec![("vaults/kv", "OutsideBoundary")], 0));
    }
    let silent = enforcing(|spec| vault(spec, "AccessPolicy", "shared", &["get"]));
    let plan = planned(&silent, &with(&silent, empty), &opened());
    assert_eq!(holds(&plan), [("vaults/kv", "NotAllowed")]);
    let dry = enforcing(|spec| {
        vault(spec, "AccessPolicy", "shared", &["get"]);
        (spec.mode, spec.remediation.allow) = (Mode::DryRun, vec![ADD]);
    });
    let plan = planned(&dry, &with(&dry, empty), &opened());
    assert!(!plan.may_write() && plan.steps.len() == 1);
}

#[test]
fn the_switches_hold_an_entry_like_every_other_change() {
    type Edit = fn(&mut FunctionIdentityPolicySpec);
    let table: [(&str, Edit); 3] = [
        ("Suspended", |spec| spec.suspend = true),
        ("ModeReport", |spec| spec.mode = Mode::Report),
        ("MaxChanges", |spec| spec.remediation.max_changes = 0),
    ];
    for (reason, edit) in table {
        let policy = enforcing(|spec| {
            vault(spec, "AccessPolicy", "shared", &["get"]);
            spec.remediation.allow.push(ADD);
            edit(spec);
        });
        let plan = planned(&policy, &with(&policy, empty), &opened());
        assert_eq!((holds(&plan), plan.steps.len()), (vec![("vaults/kv", reason)], 0));
    }
    let policy = declaring("AccessPolicy");
    let world = with(&policy, empty);
    // The breaker of the vault's subscription, which is not the app's.
    let stopped = kv().subscription().unwrap().to_owned();
    let circumstances = Circumstances { stopped: [(stopped, "much at once".to_owned())].into(), ..Default::default() };
    let plan =
        plan(&policy, &opened().verdict(&policy), &world.evaluate(&policy), &circumstances, lookup(&world.observed));
    assert_eq!(holds(&plan), [("vaults/kv", "BreakerOpen")]);
}

#[test]
fn nothing_is_added_for_whom_or_what_could_not_be_read() {
    let policy = declaring("AccessPolicy");
    let lost = || Reading::Unreadable(failure(FailureClass::Transient, "TransportError"));
    let unread: [fn(&mut World, Reading<()>); 3] = [
        |world, _| world.observed.user.values_mut().for_each(|one| *one = Reading::Absent { at: now() }),
        |world, lost| {
            let Reading::Unreadable(failure) = lost else { panic!("it is lost") };
            world.observed.vaults.values_mut().for_each(|one| *one = Reading::Unreadable(failure.clone()));
        },
        |world, lost| {
            let Reading::Unreadable(failure) = lost else { panic!("it is lost") };
            world.observed.target = Reading::Unreadable(failure);
        },
    ];
    for edit in unread {
        let mut world = with(&policy, empty);
        edit(&mut world, lost());
        let plan = planned(&policy, &world, &opened());
        assert!(!plan.steps.iter().any(|step| step.kinds().contains(&ADD)), "{:?}", plan.steps);
    }
}

#[test]
fn an_entry_is_sent_only_to_the_vault_that_it_was_planned_for() {
    let policy = declaring("AccessPolicy");
    let world = with(&policy, |vault| vault.entries = Some(vec![entry(SHARED, &[("keys", &["get"])])]));
    let plan = planned(&policy, &world, &opened());
    let Change::AddEntry(AddVaultPolicyEntry { entry: planned, .. }) = &plan.steps[0].change else {
        panic!("{plan:?}")
    };
    let seen = &planned.seen;
    let changed = |edit: &dyn Fn(&mut Vault)| {
        let mut vault = (**seen).clone();
        edit(&mut vault);
        (planned.is_in(&vault), planned.differs(&vault, |object| object == principal(SYSTEM)))
    };
    let push = |one: AccessEntry| move |vault: &mut Vault| vault.entries.as_mut().unwrap().push(one.clone());
    assert_eq!(changed(&|_| ()), (false, None));
    assert!(changed(&push(entry(SHARED, &[("secrets", &["Get", "list"])]))).0);
    assert_eq!(changed(&|vault| vault.mode = VaultMode::Rbac).1, Some("the mode"));
    assert_eq!(changed(&|vault| vault.tenant = None).1, Some("the directory"));
    let own = Some("what the principal may do");
    assert_eq!(changed(&|vault| vault.entries = None), (false, own));
    assert_eq!(changed(&push(entry(SHARED, &[("secrets", &["get"])]))), (false, own));
    assert_eq!(
        changed(&|vault| vault.entries = Some(Vec::new())),
        (false, own),
        "what was taken away is not given back"
    );
    assert_eq!(changed(&push(entry(GROUP, &[("secrets", &["all"])]))), (false, Some("what others may do")));
    assert_eq!(changed(&push(entry(STRANGER, &[("secrets", &["set"])]))), (false, None), "it cannot be what lacks");
    assert_eq!(changed(&push(entry(SYSTEM, &[("secrets", &["get"])]))), (false, None), "this plan adds it");
}
