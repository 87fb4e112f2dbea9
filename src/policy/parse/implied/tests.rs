//! What each row of the catalog does for a policy that declares it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;
use crate::{
    api::{Binding, FunctionIdentityPolicySpec},
    policy::{
        Policy,
        fixtures::{self, declare, host, host_account, object, own, policy, shared},
    },
};

/// A name of the fixture's `resources` for a resource type; made when there is none.
fn resource_of(spec: &mut FunctionIdentityPolicySpec, kind: &str) -> String {
    let name = kind.to_lowercase().replace(['.', '/'], "-");
    // A child has a parent.
    let id = if kind.matches('/').count() == 2 {
        let (parent, child) = kind.rsplit_once('/').expect("two");
        format!("{parent}/one/{child}/two")
    } else {
        format!("{kind}/one")
    };
    spec.resources.insert(name.clone(), id);
    name
}

/// A binding that means the row, whole.
fn binding_of(spec: &mut FunctionIdentityPolicySpec, row: &Row, type_: &str) -> Value {
    let mut binding = json!({ "name": "one", "type": type_ });
    for (field, value) in &row.when {
        binding[field] = json!(value);
    }
    if matches!(row.access, AccessKind::Roles | AccessKind::Database) {
        binding["identity"] = json!("shared");
        if let Some(kind) = row.resources.first() {
            binding["resource"] = json!(resource_of(spec, kind));
        }
        if let Some(kind) = row.entities.first() {
            binding["entity"] = json!(format!("{kind}/two"));
        }
    }
    binding
}

fn declaring(row: &Row, type_: &str, role_set: RoleSet) -> Policy {
    policy(|spec| {
        spec.role_set = role_set;
        spec.bindings.clear();
        let binding = binding_of(spec, row, type_);
        spec.bindings.push(serde_json::from_value(binding).expect("a binding"));
    })
}

#[test]
fn every_binding_of_the_catalog_can_be_declared_and_asks_for_exactly_what_its_row_says() {
    for row in binding::rows() {
        for type_ in &row.types {
            let policy = declaring(row, type_, RoleSet::Least);
            let origin = Origin::Binding("one".to_owned());
            let asked: Vec<_> = policy.requirements.iter().filter(|asked| asked.origins.contains(&origin)).collect();
            assert_eq!(asked.len(), row.needs.len(), "{type_}: {asked:?}");
            for (asked, need) in asked.iter().zip(&row.needs) {
                assert!(asked.wanted.is(&Wanted::Need(need)), "{type_}: {}", need.purpose);
                let on_host = need.account == Account::Host;
                assert_eq!(asked.scope == host_account(), on_host, "{type_}: {}", need.purpose);
                let who = if on_host { Identity::System } else { Identity::User(shared()) };
                assert_eq!(asked.identity, who, "{type_}: {}", need.purpose);
            }
            let told = policy.unchecked.iter().find(|entry| entry.origin == origin).map(|entry| &entry.because);
            assert_eq!(told, row.reason.as_ref(), "{type_}");
        }
    }
}

#[test]
fn each_column_asks_for_its_roles_and_a_column_that_is_left_out_for_the_needs() {
    for row in binding::rows() {
        for (role_set, column) in [(RoleSet::Microsoft, &row.microsoft), (RoleSet::Playbook, &row.playbook)] {
            for type_ in &row.types {
                let policy = declaring(row, type_, role_set);
                let own = |asked: &&Requirement| asked.origins.contains(&Origin::Binding("one".to_owned()));
                let asked: Vec<_> = policy.requirements.iter().filter(own).map(|asked| &asked.wanted).collect();
                let Some(entries) = column else {
                    let needs = asked.iter().zip(&row.needs);
                    assert!(needs.clone().all(|(wanted, need)| wanted.is(&Wanted::Need(need))), "{type_}");
                    continue;
                };
                // What the host asks for as well stands where the host asks for it.
                let mut roles: Vec<_> = asked.into_iter().map(role_of).collect();
                let mut expected: Vec<_> = entries.iter().map(|entry| entry.role.clone()).collect();
                roles.sort();
                expected.sort();
                assert_eq!(roles, expected, "{type_}");
            }
        }
    }
}

fn role_of(wanted: &Wanted) -> String {
    match wanted {
        Wanted::Need(need) => need.role.clone(),
        Wanted::Role(RoleName::Id(id)) => {
            let named = catalog::built_in_roles().iter().find(|role| role.role_id() == *id);
            named.expect("a built-in role").name.clone()
        }
        Wanted::Role(RoleName::Name(name)) => panic!("{name} has no id"),
    }
}

#[test]
fn every_field_of_the_platform_asks_for_its_row() {
    for field in ["hostStorage", "deploymentStorage", "registry", "telemetry", "appConfiguration"] {
        let row = binding::platform(field);
        let policy = policy(|spec| {
            spec.bindings.clear();
            let resource = resource_of(spec, &row.resources[0]);
            let declared = json!({ "resource": resource, "identity": "shared" });
            let declared = if field == "appConfiguration" { json!([declared]) } else { declared };
            spec.platform = serde_json::from_value(json!({ field: declared })).expect("a platform");
        });
        let asked: Vec<_> = policy.requirements.iter().map(|asked| &asked.wanted).collect();
        assert!(asked.len() == 1 && asked[0].is(&Wanted::Need(&row.needs[0])), "{field}: {asked:?}");
        assert_eq!(policy.requirements[0].origins[0].to_string(), format!("platform/{field}"));
    }
    let fields: BTreeSet<_> = binding::rows().iter().filter_map(|row| row.platform.as_deref()).collect();
    let known =
        ["appConfiguration", "contentShare", "deploymentStorage", "hostStorage", "registry", "telemetry", "vaults"];
    assert_eq!(fields, BTreeSet::from(known), "a new row needs its field, and a place here");
    assert_eq!(binding::platform("contentShare").access, AccessKind::Unsupported, "nothing to declare");
}

/// A binding, from its JSON, beside the fixture's host storage.
fn refused(binding: Value) -> Vec<(String, String)> {
    let binding: Binding = serde_json::from_value(binding).expect("a binding");
    let object = object(|spec| {
        spec.bindings = vec![binding];
        spec.resources.insert("cosmos".to_owned(), "Microsoft.DocumentDB/databaseAccounts/co-one".to_owned());
    });
    let error = Policy::parse(&object).expect_err("the policy is refused");
    error.violations.into_iter().map(|violation| (violation.field, violation.problem)).collect()
}

#[test]
fn what_a_binding_cannot_mean_is_refused_at_its_field() {
    let table = [
        ("type", "not a type", json!({ "name": "one", "type": "smokeSignalTrigger" })),
        ("direction", "must say which: `in`, `out`", json!({ "name": "one", "type": "table" })),
        (
            "source",
            "means nothing for a `timerTrigger`",
            json!({ "name": "one", "type": "timerTrigger", "source": "EventGrid" }),
        ),
        (
            "identity",
            "asks no identity of its own",
            json!({ "name": "one", "type": "timerTrigger", "identity": "shared" }),
        ),
        ("resource", "asks no identity of its own", json!({ "name": "one", "type": "httpTrigger", "resource": "bus" })),
        (
            "identity",
            "no identity-based connection: it takes broker credentials",
            json!({ "name": "one", "type": "kafkaTrigger", "identity": "shared" }),
        ),
        ("resource", "is missing", json!({ "name": "one", "type": "queueTrigger", "identity": "shared" })),
        ("identity", "is missing", json!({ "name": "one", "type": "queueTrigger", "resource": "files" })),
        ("identity", "is missing", json!({ "name": "one", "type": "sqlTrigger" })),
        (
            "identity",
            "that of `platform.hostStorage`",
            json!({ "name": "one", "type": "activityTrigger", "identity": "shared" }),
        ),
        (
            "entity",
            "must be left out",
            json!({ "name": "one", "type": "activityTrigger", "resource": "files", "identity": "shared",
                "entity": "containers/state" }),
        ),
        (
            "leases",
            "means nothing for a `queueTrigger`",
            json!({ "name": "one", "type": "queueTrigger", "resource": "files", "identity": "shared", "leases": {} }),
        ),
        (
            "leases.entity",
            "not an entity",
            json!({ "name": "one", "type": "cosmosDBTrigger", "resource": "cosmos", "identity": "shared",
                "leases": { "entity": "colls/leases" } }),
        ),
    ];
    for (member, problem, binding) in table {
        let found = refused(binding);
        let at = format!("spec.bindings[0].{member}");
        assert!(
            matches!(found.as_slice(), [(field, why)] if *field == at && why.contains(problem)),
            "expected one violation at {at} about `{problem}`, found {found:?}"
        );
    }
}

#[test]
fn leases_are_where_the_trigger_keeps_them_by_default_or_where_the_policy_says() {
    let leases = |entity: &str, leases: Value| {
        let policy = policy(|spec| {
            spec.resources.insert("cosmos".to_owned(), "Microsoft.DocumentDB/databaseAccounts/co-one".to_owned());
            spec.resources.insert("aside".to_owned(), "Microsoft.DocumentDB/databaseAccounts/co-two".to_owned());
            let mut binding = json!({ "name": "one", "type": "cosmosDBTrigger", "resource": "cosmos",
                "identity": "shared", "entity": entity });
            if !leases.is_null() {
                binding["leases"] = leases;
            }
            spec.bindings = vec![serde_json::from_value(binding).expect("a binding")];
        });
        policy.requirements.last().expect("the leases come last").scope.clone()
    };
    let account = "Microsoft.DocumentDB/databaseAccounts/co-one";
    let at = |path: &str| own(&format!("{account}{path}"));
    assert_eq!(leases("dbs/sales/colls/orders", Value::Null), at("/dbs/sales/colls/leases"));
    assert_eq!(leases("dbs/sales", Value::Null), at("/dbs/sales/colls/leases"));
    assert_eq!(leases("", Value::Null), at(""));
    assert_eq!(leases("dbs/sales/colls/orders", json!({ "entity": "dbs/ops/colls/l" })), at("/dbs/ops/colls/l"));
    let aside = own("Microsoft.DocumentDB/databaseAccounts/co-two/dbs/ops/colls/l");
    assert_eq!(leases("dbs/sales/colls/orders", json!({ "resource": "aside", "entity": "dbs/ops/colls/l" })), aside);
}

#[test]
fn durable_functions_keep_their_state_on_the_host_or_where_the_policy_says() {
    let scopes = |binding: Value, with_host: bool| {
        let policy = policy(|spec| {
            if !with_host {
                spec.platform.host_storage = None;
            }
            spec.bindings = vec![serde_json::from_value(binding).expect("a binding")];
        });
        let own = |asked: &&Requirement| asked.origins.iter().any(|origin| matches!(origin, Origin::Binding(_)));
        let scopes: BTreeSet<_> = policy.requirements.iter().filter(own).map(|asked| asked.scope.clone()).collect();
        (scopes, policy.unchecked.len())
    };
    let plain = json!({ "name": "one", "type": "orchestrationTrigger" });
    assert_eq!(scopes(plain.clone(), true), (BTreeSet::from([host_account()]), 0));
    assert_eq!(scopes(plain, false), (BTreeSet::new(), 1), "said, and not passed over");
    let aside = json!({ "name": "one", "type": "orchestrationTrigger", "resource": "files", "identity": "shared" });
    assert_eq!(scopes(aside, true).0, BTreeSet::from([own("Microsoft.Storage/storageAccounts/stfiles")]));
}

#[test]
fn a_host_storage_reached_by_key_asks_nothing_of_an_identity_and_says_so() {
    let keyed = |identity: &str| {
        object(|spec| {
            let storage = json!({ "resource": "host", "auth": "Key", "identity": identity });
            spec.platform = serde_json::from_value(json!({ "hostStorage": storage })).expect("a platform");
            spec.bindings
                .push(serde_json::from_value(json!({ "name": "tick", "type": "timerTrigger" })).expect("a timer"));
        })
    };
    let policy = Policy::parse(&keyed("")).expect("a valid policy");
    assert!(!policy.requirements.iter().any(|asked| asked.scope == host_account()));
    assert_eq!(policy.unchecked.len(), 1);
    assert_eq!(policy.unchecked[0].origin.to_string(), "platform/hostStorage");
    let error = Policy::parse(&keyed("system")).expect_err("an identity without a use");
    assert_eq!(error.violations[0].field, "spec.platform.hostStorage.identity");
}

#[test]
fn the_playbook_adds_its_reader_to_a_vault_that_secrets_are_read_from() {
    let also = |role_set: RoleSet, secrets: &[&str]| {
        let policy = policy(|spec| {
            spec.role_set = role_set;
            fixtures::vault(spec, "RBAC", "shared", secrets);
            declare(spec, "Reader", "bus", "system");
        });
        policy.vaults[0].also.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let reader = catalog::built_in("Reader").expect("a role").id.clone();
    assert_eq!(also(RoleSet::Playbook, &["get"]), [reader]);
    assert!(also(RoleSet::Playbook, &["list"]).is_empty());
    assert!(also(RoleSet::Microsoft, &["get"]).is_empty(), "Secrets User is what the permission asks for anyway");
    assert!(also(RoleSet::Least, &["get"]).is_empty());
}

#[test]
fn one_row_asked_for_twice_on_the_host_names_both() {
    let policy = policy(|spec| {
        host(spec, "host", "system");
        let timers = ["tick", "tock"].map(|name| json!({ "name": name, "type": "timerTrigger" }));
        spec.bindings = timers.map(|timer| serde_json::from_value(timer).expect("a timer")).into();
    });
    let locks: Vec<_> = policy.requirements.iter().filter(|asked| asked.origins.len() == 2).collect();
    assert_eq!(locks.len(), 1);
    assert_eq!(crate::policy::subject_of(&locks[0].origins), "bindings/tick, bindings/tock");
}
