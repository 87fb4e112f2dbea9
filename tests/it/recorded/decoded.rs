//! The answers that the client reads decode to the facts that matter.

use std::collections::BTreeMap;

use azure_core::http::Method;
use jiff::Timestamp;
use rolecall::model::{
    ActsAs, Condition, FailureClass, Grant, PermissionSet, PlatformUse, PrincipalId, PrincipalKind, RoleId, Scope,
    Site, TargetKind, VaultMode, Workload, settings::Setting,
};
use serde_json::{Value, json};

use super::{Category, assert_complete, of, recordings, replay::Replay};

const SUBSCRIPTION: &str = "1d2c3b4a-0000-4000-8000-000000000001";

fn scope() -> Scope {
    Scope::parse(&format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-replay")).expect("a scope")
}

fn principal() -> PrincipalId {
    "9f8e7d6c-0000-4000-8000-000000000002".parse().expect("a GUID")
}

fn text<'a>(document: &'a Value, pointer: &str) -> Option<&'a str> {
    document.pointer(pointer).and_then(Value::as_str)
}

/// How often something holds among the entries.
fn count<T>(entries: &[T], holds: impl Fn(&T) -> bool) -> usize {
    entries.iter().filter(|entry| holds(entry)).count()
}

/// Number, entries, groups, people, of no known kind, conditioned, and in two of the entries with another update than
/// creation.
const GRANTS: [(u16, usize, usize, usize, usize, usize); 11] = [
    (3, 1, 0, 0, 1, 0),
    // Through groups as well, and one condition.
    (4, 8, 3, 5, 0, 1),
    (5, 6, 0, 0, 0, 0),
    (6, 1, 0, 0, 1, 0),
    (7, 1, 0, 1, 0, 0),
    (8, 1, 0, 0, 0, 0),
    (9, 1, 0, 0, 0, 0),
    (10, 1, 0, 0, 0, 0),
    (11, 1, 0, 0, 0, 0),
    (12, 1, 0, 0, 0, 0),
    (13, 1, 0, 1, 0, 1),
];

#[tokio::test(start_paused = true)]
async fn role_assignments_decode_with_principal_role_scope_condition_and_time() {
    assert_complete(Category::Grants, &GRANTS.map(|row| row.0));
    for (recording, row) in of(Category::Grants).into_iter().zip(GRANTS) {
        let azure = Replay::client(recording);
        let grants = if recording.is_list() {
            let of_subscription = azure.grants_of_subscription(SUBSCRIPTION).await.expect("a list decodes");
            assert_eq!(azure.grants_assigned_to(SUBSCRIPTION, principal()).await.unwrap(), of_subscription);
            assert_eq!(azure.grants_at(&scope(), principal()).await.unwrap(), of_subscription);
            of_subscription
        } else {
            vec![azure.grant(&scope(), "any").await.expect("a document decodes").expect("it grants something")]
        };
        let kind = |kind| count(&grants, |grant: &Grant| grant.principal_kind == kind);
        let conditioned = count(&grants, Grant::is_conditioned);
        let [groups, people, unknown] = [PrincipalKind::Group, PrincipalKind::Other, PrincipalKind::Unknown].map(kind);
        assert_eq!((recording.number, grants.len(), groups, people, unknown, conditioned), row);
        for (grant, document) in grants.iter().zip(recording.documents()) {
            assert_is_grant(grant, document, recording.number);
        }
    }
}

fn assert_is_grant(grant: &Grant, document: &Value, number: u16) {
    let property = |name: &str| text(document, &format!("/properties/{name}"));
    let time = |name| property(name).and_then(|text| text.parse::<Timestamp>().ok());
    assert_eq!(Some(grant.principal), property("principalId").and_then(|id| id.parse().ok()), "{number}");
    assert_eq!(Some(grant.role), property("roleDefinitionId").and_then(RoleId::from_definition_id), "{number}");
    assert_eq!(grant.scope.key(), property("scope").expect("a scope").to_lowercase(), "{number}");
    assert_eq!(grant.id.key(), text(document, "/id").expect("an id").to_lowercase(), "{number}");
    assert_eq!(grant.condition.as_ref().map(Condition::text), property("condition"), "{number}");
    let (created, updated) = (time("createdOn"), time("updatedOn"));
    assert!(created.is_some() && updated.is_some(), "{number}");
    assert_eq!(grant.changed, created.max(updated), "{number}: the later of both counts");
}

#[tokio::test(start_paused = true)]
async fn creating_a_grant_succeeds_on_every_recorded_201() {
    let created: Vec<_> = of(Category::Grants).into_iter().filter(|recording| recording.method == "PUT").collect();
    if recordings().is_some() {
        assert_eq!(created.len(), 5);
    }
    for recording in created {
        let (azure, replay) = Replay::of([recording]);
        let sent = azure.create_grant(&scope(), "any", &super::refused::planned_grant()).await;
        assert_eq!((sent, replay.sent().len()), (Ok(()), 1), "{}", recording.number);
    }
}

/// Number, roles, entries of their permissions.
const ROLES: [(u16, usize, usize); 7] =
    [(15, 1, 1), (16, 1, 1), (17, 1, 1), (18, 1, 1), (19, 0, 0), (21, 1, 1), (22, 1, 1)];

#[tokio::test(start_paused = true)]
async fn role_definitions_decode_with_name_and_permissions() {
    assert_complete(Category::Roles, &ROLES.map(|row| row.0));
    for (recording, row) in of(Category::Roles).into_iter().zip(ROLES) {
        let azure = Replay::client(recording);
        let roles = if recording.is_list() {
            azure.roles_of_subscription(SUBSCRIPTION).await.expect("a list decodes")
        } else {
            let asked = RoleId::from_definition_id(text(&recording.body, "/id").expect("an id")).expect("a GUID");
            vec![azure.role(&scope(), asked).await.expect("a document decodes").expect("it has a GUID")]
        };
        let entries = roles.iter().map(|role| role.permissions.len()).sum();
        assert_eq!((recording.number, roles.len(), entries), row);
        for (role, document) in roles.iter().zip(recording.documents()) {
            assert_eq!(Some(role.id), text(document, "/name").and_then(|name| name.parse().ok()));
            assert_eq!(Some(role.name.as_str()), text(document, "/properties/roleName"));
            let recorded = document.pointer("/properties/permissions").and_then(Value::as_array).expect("permissions");
            for (entry, document) in role.permissions.iter().zip(recorded) {
                assert_is_permission(entry, document, recording.number);
            }
        }
    }
}

/// Number, and a setting that it has.
const SETTINGS: [(u16, &str); 3] =
    [(53, "WEBSITE_NODE_DEFAULT_VERSION"), (55, "AZURE_KEYVAULT_URI"), (56, "AzureWebJobsStorage")];

#[tokio::test(start_paused = true)]
async fn settings_decode_to_names_whose_values_are_dropped() {
    assert_complete(Category::Settings, &SETTINGS.map(|row| row.0));
    for (recording, (number, setting)) in of(Category::Settings).into_iter().zip(SETTINGS) {
        let (azure, replay) = Replay::of([recording]);
        let settings = azure.app_settings(&scope()).await.expect("a document decodes");
        assert_eq!(settings.get(setting), Some(&Setting::Unread), "{number}");
        let sent: Vec<_> = replay.sent().into_iter().map(|(method, _)| method).collect();
        assert_eq!(sent, [Method::Post], "{number}");
    }
}

#[tokio::test(start_paused = true)]
async fn own_permissions_decode_with_and_without_data_actions() {
    let with_data_actions = [(23, true), (24, false)];
    assert_complete(Category::Permissions, &with_data_actions.map(|row| row.0));
    for (recording, row) in of(Category::Permissions).into_iter().zip(with_data_actions) {
        let own = Replay::client(recording).own_permissions(&scope()).await.expect("a list decodes");
        assert_eq!((recording.number, !own[0].data_actions.is_empty()), row);
        assert_eq!(own.len(), recording.documents().len());
        for (entry, document) in own.iter().zip(recording.documents()) {
            assert_is_permission(entry, document, recording.number);
        }
    }
}

fn assert_is_permission(entry: &PermissionSet, document: &Value, number: u16) {
    let words = |name: &str| -> Vec<&str> {
        document.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
    };
    assert_eq!(entry.actions, words("actions"), "{number}");
    assert_eq!(entry.not_actions, words("notActions"), "{number}");
    assert_eq!(entry.data_actions, words("dataActions"), "{number}");
    assert_eq!(entry.not_data_actions, words("notDataActions"), "{number}");
    assert!(entry.condition.is_none() && !entry.actions.is_empty(), "{number}");
}

#[tokio::test(start_paused = true)]
async fn user_assigned_identities_decode_with_their_principal() {
    assert_complete(Category::UserIdentities, &[25, 26, 29, 30, 31]);
    for recording in of(Category::UserIdentities) {
        let azure = Replay::client(recording);
        let identities = if recording.is_list() {
            azure.user_identities(SUBSCRIPTION).await.expect("a list decodes")
        } else {
            azure.user_identity(&scope()).await.expect("a document decodes").into_iter().collect()
        };
        assert_eq!(identities.len(), recording.documents().len());
        for (identity, document) in identities.iter().zip(recording.documents()) {
            let recorded = text(document, "/properties/principalId").and_then(|id| id.parse().ok());
            assert!(recorded.is_some() && identity.principal == recorded, "{}", recording.number);
            // The service answers `resourcegroups` where policies say `resourceGroups`.
            let declared = text(document, "/id").expect("an id").replace("/resourcegroups/", "/resourceGroups/");
            assert_eq!(identity.id, Scope::parse(&declared).expect("an id"), "{}", recording.number);
        }
    }
}

/// Number, apps or other hosts, with a system-assigned identity, user-assigned identities, and those of them that have
/// no principal yet.
const HOSTS: [(u16, usize, usize, usize, usize); 19] = [
    (35, 1, 1, 0, 0),
    (36, 1, 1, 0, 0),
    // No identity member at all.
    (37, 1, 0, 0, 0),
    // A slot has an identity of its own.
    (38, 1, 1, 0, 0),
    (39, 0, 0, 0, 0),
    (43, 1, 1, 0, 0),
    (44, 1, 1, 2, 0),
    (45, 1, 0, 2, 0),
    (46, 1, 0, 0, 0),
    (48, 1, 0, 0, 0),
    (49, 1, 0, 0, 0),
    (51, 1, 1, 1, 0),
    (52, 1, 1, 0, 0),
    (103, 1, 0, 1, 0),
    // Attached, and Azure has not filled the principals in.
    (106, 1, 0, 2, 2),
    (107, 1, 1, 1, 0),
    (108, 1, 1, 1, 0),
    (109, 1, 0, 1, 1),
    (110, 1, 0, 0, 0),
];

#[tokio::test(start_paused = true)]
async fn apps_slots_and_other_hosts_decode_with_the_identities_on_them() {
    assert_complete(Category::Hosts, &HOSTS.map(|row| row.0));
    for (recording, row) in of(Category::Hosts).into_iter().zip(HOSTS) {
        let azure = Replay::client(recording);
        let hosts = if recording.is_list() {
            azure.sites(SUBSCRIPTION, TargetKind::App).await.expect("a list decodes")
        } else {
            azure.site(&scope()).await.expect("a document decodes").into_iter().collect()
        };
        let attached: Vec<_> = hosts.iter().flat_map(|host| host.attached.values()).collect();
        let systems = count(&hosts, |host| host.system.principal().is_some());
        let unfilled = count(&attached, |attachment| attachment.principal.is_none());
        assert_eq!((recording.number, hosts.len(), systems, attached.len(), unfilled), row);
        for (host, document) in hosts.iter().zip(recording.documents()) {
            assert_is_host(host, document, recording.number);
        }
    }
}

fn assert_is_host(host: &Site, document: &Value, number: u16) {
    assert_eq!(host.id.key(), text(document, "/id").expect("an id").to_lowercase(), "{number}");
    assert_eq!(
        host.system.principal(),
        text(document, "/identity/principalId").and_then(|id| id.parse().ok()),
        "{number}"
    );
    let recorded = document.pointer("/identity/userAssignedIdentities").and_then(Value::as_object);
    for (id, value) in recorded.into_iter().flatten() {
        for casing in [id.to_owned(), id.replace("/resourcegroups/", "/resourceGroups/"), id.to_uppercase()] {
            let attachment = host.attached.get(&Scope::lenient(&casing)).expect("found in every casing");
            assert_eq!(attachment.principal, text(value, "/principalId").and_then(|id| id.parse().ok()), "{number}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_container_app_says_as_whom_it_pulls_and_a_machine_what_it_runs_and_whether_it_changes() {
    let Some(all) = recordings() else { return };
    let host = async |number: u16| Replay::client(&all[&number]).site(&scope()).await.unwrap().expect("a host");
    let app = host(103).await;
    let [pulls] = &app.platform[..] else { panic!("one registry: {:?}", app.platform) };
    assert!(matches!(&pulls.used_for, PlatformUse::Registry { server } if server == "crpogq2w7bplv2u.azurecr.io"));
    // The casing of the two differs.
    assert!(matches!(&pulls.by, ActsAs::User(identity) if app.attached.contains_key(identity)));
    assert_eq!((app.workload, app.under_way), (Workload::ContainerApp, None));
    for (number, state) in [(106, Some("Creating")), (107, Some("Updating")), (108, None)] {
        let machine = host(number).await;
        assert_eq!(machine.workload, Workload::Machine { windows: false }, "{number}");
        assert_eq!(machine.under_way.as_deref(), state, "{number}");
    }
    let app = host(36).await;
    assert_eq!(app.workload, Workload::FunctionApp);
    let [pulls] = &app.platform[..] else { panic!("one image: {:?}", app.platform) };
    assert!(matches!(&pulls.used_for, PlatformUse::Registry { server } if server == "acr3byfkdyh5dhvo.azurecr.io"));
    assert_eq!(pulls.by, ActsAs::System);
    assert_eq!(host(37).await.workload, Workload::WebApp);
}

/// Number, vaults, and how many of them use role assignments.
const VAULTS: [(u16, usize, usize); 11] = [
    (59, 1, 0),
    (60, 1, 0),
    (61, 1, 0),
    (62, 1, 0),
    (63, 0, 0),
    (64, 0, 0),
    (67, 1, 1),
    (68, 1, 0),
    (69, 1, 0),
    (72, 1, 1),
    (73, 1, 0),
];

#[tokio::test(start_paused = true)]
async fn a_vault_uses_role_assignments_only_where_it_says_true() {
    assert_complete(Category::Vaults, &VAULTS.map(|row| row.0));
    let rows: BTreeMap<_, _> = VAULTS.iter().map(|row| (row.0, (row.1, row.2))).collect();
    for recording in of(Category::Vaults) {
        let vaults = if recording.is_list() {
            // A `nextLink` is followed to the recorded last page, which is empty.
            let last = recordings().and_then(|all| all.get(&63)).expect("the last page is recorded");
            Replay::of([recording, last]).0.vaults(SUBSCRIPTION).await.expect("a list decodes")
        } else {
            Replay::client(recording).vault(&scope()).await.expect("a document decodes").into_iter().collect()
        };
        let by_roles = count(&vaults, |vault| vault.mode == VaultMode::Rbac);
        assert_eq!(rows[&recording.number], (vaults.len(), by_roles), "{}", recording.number);
        for (vault, document) in vaults.iter().zip(recording.documents()) {
            let says_true = document.pointer("/properties/enableRbacAuthorization") == Some(&json!(true));
            assert_eq!(vault.mode == VaultMode::Rbac, says_true, "{}", recording.number);
            assert_eq!(vault.id.key(), text(document, "/id").expect("an id").to_lowercase(), "{}", recording.number);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_vault_that_answers_null_or_false_uses_access_policies() {
    let Some(recording) = recordings().and_then(|all| all.get(&72)) else { return };
    for value in [json!(null), json!(false)] {
        let mut edited = recording.clone();
        edited.body["properties"]["enableRbacAuthorization"] = value;
        let vault = Replay::client(&edited).vault(&scope()).await.unwrap().expect("a vault");
        assert_eq!(vault.mode, VaultMode::AccessPolicy);
    }
}

#[tokio::test(start_paused = true)]
async fn a_recorded_next_link_is_followed_even_from_an_empty_page() {
    let Some(all) = recordings() else { return };
    for first in [62, 64] {
        let (azure, replay) = Replay::of([&all[&first], &all[&63]]);
        let vaults = azure.vaults(SUBSCRIPTION).await.expect("both pages decode");
        assert_eq!(vaults.len(), all[&first].documents().len());
        let sent = replay.sent();
        assert_eq!(sent.len(), 2, "{first}");
        assert_eq!(sent[1].0, Method::Get);
        let link = text(&all[&first].body, "/nextLink").expect("a link");
        assert_eq!(
            sent[1].1.split("skiptoken").nth(1),
            link.split("skiptoken").nth(1),
            "{first}: the link is not changed"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_recorded_next_link_that_never_ends_fails_the_list() {
    let Some(all) = recordings() else { return };
    let (azure, replay) = Replay::of([&all[&62]]);
    let failure = azure.vaults(SUBSCRIPTION).await.expect_err("an endless list");
    assert_eq!((failure.class, failure.code.as_str()), (FailureClass::Bug, "EndlessList"));
    assert_eq!(replay.sent().len(), 20);
}
