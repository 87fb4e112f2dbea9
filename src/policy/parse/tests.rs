//! What is accepted, what is refused with which words, and which access each trigger type asks for.

use std::time::Duration;

use super::*;
use crate::{
    api::{FunctionIdentityPolicySpec, Mode},
    model::VaultMode,
    policy::fixtures::{self, app, declare, host, host_account, kv, object, own, policy, queue, shared, trigger, user},
};

type Edit = fn(&mut FunctionIdentityPolicySpec);

fn violations(edit: impl FnOnce(&mut FunctionIdentityPolicySpec)) -> Vec<(String, String)> {
    let error = Policy::parse(&object(edit)).expect_err("the policy is refused");
    error.violations.into_iter().map(|violation| (violation.field, violation.problem)).collect()
}

fn resource(spec: &mut FunctionIdentityPolicySpec, name: &str, id: &str) {
    spec.resources.insert(name.to_owned(), id.to_owned());
}

#[test]
fn each_mistake_is_refused_at_its_field() {
    let table: &[(&str, &str, Edit)] = &[
        ("spec.interval", "too short", |spec| "29s".clone_into(&mut spec.interval)),
        ("spec.interval", "not a duration", |spec| "soon".clone_into(&mut spec.interval)),
        ("spec.interval", "not a duration", |spec| "-10m".clone_into(&mut spec.interval)),
        ("spec.interval", "not a duration", |spec| spec.interval.clear()),
        ("spec.scope.subscriptionId", "not a GUID", |spec| "prod".clone_into(&mut spec.scope.subscription_id)),
        ("spec.scope.subscriptionId", "not a GUID", |spec| {
            spec.scope.subscription_id = format!("{{{}}}", spec.scope.subscription_id);
        }),
        ("spec.scope.resourceGroup", "name of a resource group", |spec| spec.scope.resource_group.push_str("/x")),
        ("spec.scope.resourceGroup", "empty segment", |spec| spec.scope.resource_group.clear()),
        ("spec.scope.resourceGroup", "another resource", |spec| "..".clone_into(&mut spec.scope.resource_group)),
        ("spec.resources.bus", "empty segment", |spec| {
            resource(spec, "bus", "Microsoft.ServiceBus//namespaces/sb-orders");
        }),
        ("spec.resources.bus", "empty segment", |spec| resource(spec, "bus", "Microsoft.ServiceBus/namespaces/sb/")),
        ("spec.resources.bus", "`<type>/<name>` is missing", |spec| {
            resource(spec, "bus", "Microsoft.ServiceBus/namespaces");
        }),
        ("spec.resources.bus", "character", |spec| resource(spec, "bus", "Microsoft.ServiceBus/namespaces/sb?x=1")),
        ("spec.resources.bus", "another resource", |spec| {
            resource(spec, "bus", "Microsoft.ServiceBus/namespaces/../../../../rg-other/providers/a.b/c/d");
        }),
        ("spec.resources.bus", "not in a subscription", |spec| {
            resource(spec, "bus", "/providers/Microsoft.Management/managementGroups/mg-all");
        }),
        ("spec.resources.bus", "not in a subscription", |spec| {
            resource(spec, "bus", "/subscriptions/x/resourceGroups/r/providers/Microsoft.ServiceBus/namespaces/sb");
        }),
        ("spec.target.resource", "not a name in resources", |spec| "web".clone_into(&mut spec.target.resource)),
        ("spec.target.resource", "is a Microsoft.ServiceBus/namespaces, not a Microsoft.Web/sites", |spec| {
            "bus".clone_into(&mut spec.target.resource);
        }),
        ("spec.target.resource", "is a Microsoft.Web/sites/slots", |spec| {
            resource(spec, "app", "Microsoft.Web/sites/func-orders/slots/staging");
        }),
        ("spec.identities.user[1].resource", "not a Microsoft.ManagedIdentity", |spec| user(spec, "spare", "host")),
        ("spec.identities.user[1].resource", "not a name in resources", |spec| user(spec, "spare", "nobody")),
        ("spec.identities.user[1].name", "system-assigned", |spec| user(spec, "system", "second")),
        ("spec.identities.user[1].name", "declared twice", |spec| user(spec, "shared", "second")),
        ("spec.identities.user[1].resource", "under two names", |spec| user(spec, "spare", "identity")),
        ("spec.identities.system", "the policy uses the identity `system`", |spec| {
            spec.identities.system = SystemIdentity::Forbidden;
        }),
        ("spec.platform.hostStorage.resource", "not a Microsoft.Storage", |spec| host(spec, "bus", "system")),
        ("spec.platform.hostStorage.identity", "neither `system`", |spec| host(spec, "host", "nobody")),
        ("spec.bindings[1].resource", "not a Microsoft.EventHub/namespaces", |spec| {
            trigger(spec, "clicks", "eventHubTrigger", "bus", "eventhubs/clicks", "shared");
        }),
        ("spec.bindings[1].identity", "neither `system`", |spec| {
            trigger(spec, "clicks", "eventHubTrigger", "hub", "eventhubs/clicks", "nobody");
        }),
        ("spec.bindings[1].name", "declared twice", |spec| {
            trigger(spec, "incoming", "eventHubTrigger", "hub", "eventhubs/clicks", "shared");
        }),
        ("spec.bindings[1].entity", "not an entity of a Microsoft.EventHub/namespaces", |spec| {
            trigger(spec, "clicks", "eventHubTrigger", "hub", "queues/clicks", "shared");
        }),
        ("spec.bindings[1].entity", "not an entity", |spec| {
            trigger(spec, "uploads", "blobTrigger", "files", "containers", "shared");
        }),
        ("spec.bindings[1].entity", "not an entity", |spec| {
            trigger(spec, "uploads", "blobTrigger", "files", "containers/in/deeper", "shared");
        }),
        ("spec.bindings[1].entity", "not an entity", |spec| {
            trigger(spec, "uploads", "blobTrigger", "files", "containers/..", "shared");
        }),
        ("spec.bindings[1].entity", "not of the kind containers", |spec| {
            trigger(spec, "uploads", "blobTrigger", "files", "queues/in", "shared");
        }),
        ("spec.bindings[1].entity", "not of the kind queues", |spec| {
            trigger(spec, "jobs", "queueTrigger", "files", "containers/in", "shared");
        }),
        ("spec.grants[0].resource", "not a name in resources", |spec| declare(spec, "Reader", "insights", "shared")),
        ("spec.grants[0].identity", "neither `system`", |spec| declare(spec, "Reader", "bus", "nobody")),
        ("spec.vaults[1].mode", "the other mode", |spec| {
            fixtures::vault(spec, "RBAC", "shared", &["get"]);
            fixtures::vault(spec, "AccessPolicy", "system", &[]);
        }),
        ("spec.vaults[0].identity", "neither `system`", |spec| fixtures::vault(spec, "RBAC", "nobody", &["get"])),
    ];
    for (field, problem, edit) in table {
        let found = violations(edit);
        assert!(
            matches!(found.as_slice(), [(at, why)] if at == field && why.contains(problem)),
            "expected one violation at {field} about `{problem}`, found {found:?}"
        );
    }
}

#[test]
fn a_misspelt_name_is_answered_with_the_one_that_was_meant() {
    let table: &[(&str, &str, Edit)] = &[
        ("spec.bindings[0].type", "serviceBusTrigger", |spec| {
            "serviceBusTriger".clone_into(&mut spec.bindings[0].type_);
        }),
        ("spec.bindings[0].resource", "bus", |spec| "buss".clone_into(&mut spec.bindings[0].resource)),
        ("spec.bindings[0].identity", "shared", |spec| "shraed".clone_into(&mut spec.bindings[0].identity)),
        ("spec.bindings[0].entity", "queues", |spec| "queue/incoming".clone_into(&mut spec.bindings[0].entity)),
        ("spec.bindings[0].scaling", "QueueLength", |spec| {
            "queueLength".clone_into(&mut spec.bindings[0].scaling);
        }),
        ("spec.vaults[0].access.secrets", "list", |spec| fixtures::vault(spec, "RBAC", "shared", &["lsit"])),
    ];
    for (field, meant, edit) in table {
        let found = violations(edit);
        let end = format!("; did you mean `{meant}`?");
        assert!(
            matches!(found.as_slice(), [(at, why)] if at == field && why.ends_with(&end)),
            "expected {meant} at {field}, found {found:?}"
        );
    }
    let far = violations(|spec| "nothing-like-it".clone_into(&mut spec.bindings[0].resource));
    assert_eq!(far[0].1, "`nothing-like-it` is not a name in resources");
}

#[test]
fn a_mistake_in_a_list_names_the_entry() {
    let error = Policy::parse(&object(|spec| {
        "10s".clone_into(&mut spec.interval);
        "buss".clone_into(&mut spec.bindings[0].resource);
        declare(spec, "Reader", "nowhere", "shared");
    }));
    let told: Vec<_> = error.expect_err("refused").violations.iter().map(ToString::to_string).collect();
    let places: Vec<_> = told.iter().map(|line| line.split(": ").next().unwrap_or_default()).collect();
    assert_eq!(places, ["spec.interval", "spec.bindings[0].resource (incoming)", "spec.grants[0].resource (Reader)"]);
    let twice = Policy::parse(&object(|spec| {
        trigger(spec, "incoming", "timerTrigger", "", "", "");
    }));
    assert_eq!(
        twice.expect_err("refused").to_string(),
        "spec.bindings[1].name: `incoming` is declared twice",
        "the problem names it already"
    );
}

#[test]
fn unusual_and_right_policies_are_accepted() {
    let table: &[(&str, Edit)] = &[
        ("the shortest interval", |spec| "30s".clone_into(&mut spec.interval)),
        ("a composed interval", |spec| "1h30m".clone_into(&mut spec.interval)),
        ("an id in other casing", |spec| {
            resource(spec, "bus", "microsoft.servicebus/Namespaces/SB-orders");
        }),
        ("a full id of another subscription", |spec| {
            let id = kv().to_string().replace("Microsoft.KeyVault/vaults/kv", "Microsoft.ServiceBus/namespaces/sb");
            resource(spec, "bus", &id);
        }),
        ("an entity in other casing", |spec| "Queues/incoming".clone_into(&mut spec.bindings[0].entity)),
        ("a trigger on the whole resource", |spec| spec.bindings[0].entity.clear()),
        ("a forbidden system identity that nothing uses", |spec| {
            spec.identities.system = SystemIdentity::Forbidden;
            host(spec, "host", "shared");
        }),
        ("one vault for two identities", |spec| {
            fixtures::vault(spec, "RBAC", "shared", &["get"]);
            fixtures::vault(spec, "RBAC", "system", &["list"]);
        }),
        ("no change at all allowed", |spec| spec.remediation.max_changes = 0),
    ];
    for (what, edit) in table {
        assert!(Policy::parse(&object(edit)).is_ok(), "{what}");
    }
}

#[test]
fn a_slot_is_an_app_below_the_app() {
    let of_slot = |slot: &str| object(|spec| slot.clone_into(&mut spec.target.slot));
    let slot = Policy::parse(&of_slot("staging")).expect("a slot is a target");
    assert_eq!(slot.target.as_str(), format!("{}/slots/staging", fixtures::app()));
    for wrong in ["Production", "a/b", "a b"] {
        let error = Policy::parse(&of_slot(wrong)).expect_err(wrong);
        assert_eq!(error.violations[0].field, "spec.target.slot");
    }
}

#[test]
fn all_mistakes_are_told_at_once_and_each_only_once() {
    let found = violations(|spec| {
        "never".clone_into(&mut spec.interval);
        resource(spec, "identity", "Microsoft.ManagedIdentity//mi-shared");
        spec.identities.system = SystemIdentity::Forbidden;
        trigger(spec, "clicks", "eventHubTrigger", "hub", "queues/clicks", "system");
        declare(spec, "Reader", "nowhere", "shared");
    });
    let fields: Vec<_> = found.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "spec.resources.identity",
            "spec.interval",
            "spec.bindings[1].entity",
            "spec.grants[0].resource",
            "spec.identities.system"
        ],
        "the refused identity is not told again where it is used: {found:?}"
    );
}

#[test]
fn a_bad_base_is_not_told_again_at_everything_below_it() {
    let found = violations(|spec| "rg apps".clone_into(&mut spec.scope.resource_group));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, "spec.scope.resourceGroup");
}

#[test]
fn a_use_of_the_forbidden_system_identity_is_told_also_beside_another_mistake_in_that_entry() {
    let found = violations(|spec| {
        spec.identities.system = SystemIdentity::Forbidden;
        host(spec, "nowhere", "system");
    });
    let fields: Vec<_> = found.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["spec.platform.hostStorage.resource", "spec.identities.system"]);
}

#[test]
fn the_error_reads_as_one_line() {
    let object = object(|spec| {
        "1s".clone_into(&mut spec.interval);
        host(spec, "host", "nobody");
    });
    assert_eq!(
        Policy::parse(&object).unwrap_err().to_string(),
        "spec.interval: `1s` is too short: the minimum is 30s; spec.platform.hostStorage.identity: `nobody` is neither \
         `system` nor a name in identities.user"
    );
}

#[test]
fn defaults_are_the_safe_ones() {
    let policy = Policy::parse(&fixtures::bare()).unwrap();
    assert_eq!((policy.namespace.as_str(), policy.name.as_str(), policy.generation), ("payments", "orders", 7));
    assert_eq!((policy.mode, policy.suspended), (Mode::Report, false));
    assert!(policy.allow.is_empty() && policy.requirements.is_empty());
    assert_eq!(policy.interval, Duration::from_secs(600));
    assert_eq!((policy.target, policy.user), (app(), vec![shared()]));
    assert_eq!(policy.system, SystemIdentity::Optional);
}

#[test]
fn an_optional_system_identity_that_is_used_is_required() {
    assert_eq!(policy(|_| ()).system, SystemIdentity::Required);
    assert_eq!(policy(|spec| host(spec, "host", "shared")).system, SystemIdentity::Optional);
    let by_vault = policy(|spec| {
        host(spec, "host", "shared");
        fixtures::vault(spec, "AccessPolicy", "system", &[]);
    });
    assert_eq!(by_vault.system, SystemIdentity::Required);
}

/// What is asked for: role, who, where, why.
fn asked(policy: &Policy) -> Vec<(String, Identity, Scope, String)> {
    let asked = policy.requirements.iter().map(|requirement| {
        let role = match &requirement.wanted {
            Wanted::Need(need) => need.role.clone(),
            Wanted::Role(role) => role.to_string(),
        };
        let origins: Vec<_> = requirement.origins.iter().map(ToString::to_string).collect();
        (role, requirement.identity.clone(), requirement.scope.clone(), origins.join(", "))
    });
    asked.collect()
}

fn only(kind: &str, resource: &str, entity: &str, with_host: bool) -> Policy {
    policy(|spec| {
        spec.bindings.clear();
        if !with_host {
            spec.platform.host_storage = None;
        }
        trigger(spec, "one", kind, resource, entity, "shared");
    })
}

#[test]
fn a_service_bus_trigger_asks_to_receive_at_its_entity_for_its_identity() {
    let expected = ("Azure Service Bus Data Receiver".into(), Identity::User(shared()), queue(), "bindings/one".into());
    assert_eq!(asked(&only("serviceBusTrigger", "bus", "queues/incoming", false)), [expected]);
    let subscription = own("Microsoft.ServiceBus/namespaces/sb-orders/topics/news/subscriptions/mail");
    let asked = asked(&only("serviceBusTrigger", "bus", "topics/news/subscriptions/mail", false));
    assert_eq!(asked[0].2, subscription);
}

#[test]
fn an_event_hub_trigger_adds_checkpoints_on_the_host_account_for_the_hosts_identity() {
    let hub = own("Microsoft.EventHub/namespaces/eh-clicks/eventhubs/clicks");
    let blobs = "Storage Blob Data Contributor".to_owned();
    assert_eq!(
        asked(&only("eventHubTrigger", "hub", "eventhubs/clicks", true)),
        [
            (blobs.clone(), Identity::System, host_account(), "platform/hostStorage".into()),
            ("Azure Event Hubs Data Receiver".into(), Identity::User(shared()), hub, "bindings/one".into()),
            (blobs, Identity::System, host_account(), "bindings/one".into()),
        ]
    );
}

#[test]
fn a_blob_trigger_reads_its_container_queues_poison_on_its_account_and_works_on_the_hosts() {
    let account = own("Microsoft.Storage/storageAccounts/stfiles");
    let container = own("Microsoft.Storage/storageAccounts/stfiles/blobServices/default/containers/in");
    let queues = "Storage Queue Data Contributor".to_owned();
    assert_eq!(
        asked(&only("blobTrigger", "files", "containers/in", true))[1..],
        [
            ("Storage Blob Data Contributor".into(), Identity::User(shared()), container, "bindings/one".into()),
            (queues.clone(), Identity::User(shared()), account, "bindings/one".into()),
            (queues, Identity::System, host_account(), "bindings/one".into()),
        ]
    );
}

#[test]
fn a_queue_trigger_asks_for_microsofts_pair_of_roles() {
    let queue = own("Microsoft.Storage/storageAccounts/stfiles/queueServices/default/queues/jobs");
    let asked = asked(&only("queueTrigger", "files", "queues/jobs", false));
    let roles: Vec<_> = asked.iter().map(|(role, ..)| role.as_str()).collect();
    assert_eq!(roles, ["Storage Queue Data Reader", "Storage Queue Data Message Processor"]);
    assert!(asked.iter().all(|(_, who, at, _)| *who == Identity::User(shared()) && *at == queue));
}

#[test]
fn without_a_declared_host_account_nothing_is_asked_of_it() {
    let scopes: Vec<_> = asked(&only("blobTrigger", "files", "containers/in", false));
    assert_eq!(scopes.len(), 2);
    assert!(scopes.iter().all(|(_, _, at, _)| !at.as_str().contains("sthost")));
}

#[test]
fn two_triggers_with_one_need_ask_once_and_both_are_named() {
    let policy = policy(|spec| {
        trigger(spec, "again", "serviceBusTrigger", "bus", "QUEUES/Incoming", "shared");
        trigger(spec, "other", "serviceBusTrigger", "bus", "queues/incoming", "system");
    });
    let receivers: Vec<_> = asked(&policy).into_iter().filter(|(_, _, at, _)| *at == queue()).collect();
    assert_eq!(receivers.len(), 2, "another identity is another need: {receivers:?}");
    assert_eq!(receivers[0].3, "bindings/incoming, bindings/again");
    assert_eq!((&receivers[1].1, receivers[1].3.as_str()), (&Identity::System, "bindings/other"));
}

#[test]
fn a_declared_grant_names_its_role_by_name_or_guid() {
    let policy = policy(|spec| {
        declare(spec, "Monitoring Metrics Publisher", "hub", "system");
        declare(spec, "4F6D3B9B-027B-4F4C-9142-0E5A2A2247E0", "bus", "shared");
    });
    let wanted: Vec<_> = policy.requirements.iter().rev().take(2).map(|requirement| &requirement.wanted).collect();
    assert!(matches!(wanted[1], Wanted::Role(RoleName::Name(name)) if name == "Monitoring Metrics Publisher"));
    let id = "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0";
    assert!(matches!(wanted[0], Wanted::Role(RoleName::Id(role)) if role.to_string() == id));
    assert_eq!(policy.requirements.last().unwrap().origins, [Origin::Grant(1)]);
}

#[test]
fn a_vault_keeps_its_mode_identity_and_operations() {
    let policy = policy(|spec| fixtures::vault(spec, "AccessPolicy", "shared", &["list", "get", "list"]));
    let [vault] = policy.vaults.as_slice() else { panic!("one vault") };
    assert_eq!(
        (&vault.vault, vault.mode, &vault.identity),
        (&kv(), VaultMode::AccessPolicy, &Identity::User(shared()))
    );
    assert_eq!(vault.access.len(), 2);
    assert_eq!(vault.origin.to_string(), "vaults/kv");
}

#[test]
fn everything_that_is_read_is_among_the_scopes_that_the_boundary_is_asked_about() {
    let policy = policy(|spec| fixtures::vault(spec, "RBAC", "shared", &["get"]));
    let scopes = policy.scopes();
    for scope in [app(), shared(), queue(), host_account(), kv()] {
        assert!(scopes.contains(&scope), "{scope}");
    }
    assert_eq!(scopes.len(), 5);
}
