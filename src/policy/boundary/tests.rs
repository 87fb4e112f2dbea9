//! What boundaries allow together, and which roles nobody can allow.

use serde_json::json;

use super::*;
use crate::{
    catalog::{binding, built_in, built_in_roles, vault},
    model::{Condition, PermissionSet},
    policy::fixtures::{OTHER_SUBSCRIPTION, SUBSCRIPTION, app, host_account, kv, policy, queue, shared, vault},
};

const RECEIVER: &str = "Azure Service Bus Data Receiver";

fn group() -> String {
    format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-apps")
}

/// A boundary of the namespace `payments` that allows everything below `scope` and grants `roles` there.
fn boundary(name: &str, max_mode: Mode, scopes: &[&str], roles: &[&str], changes: &[&str]) -> Boundary {
    let ids: Vec<_> = roles.iter().map(|role| json!({ "id": built_in(role).unwrap().id.to_uppercase() })).collect();
    let scopes: Vec<_> = scopes.iter().map(|id| json!({ "id": id })).collect();
    let object: IdentityBoundary = serde_json::from_value(json!({
        "apiVersion": "rolecall.dev/v1alpha1",
        "kind": "IdentityBoundary",
        "metadata": { "name": name },
        "spec": {
            "namespaces": { "names": ["payments"] },
            "maxMode": format!("{max_mode:?}"),
            "scopes": scopes,
            "roles": ids,
            "changes": changes,
        },
    }))
    .unwrap();
    Boundary::from(&object)
}

fn whole(max_mode: Mode) -> Boundary {
    let changes = ["EnableSystemIdentity", "AttachUserIdentity", "GrantRole"];
    boundary("whole", max_mode, &[&group()], &[RECEIVER], &changes)
}

fn verdict(boundaries: Vec<Boundary>) -> Verdict {
    Authority::Boundaries { boundaries, namespaces: BTreeMap::new() }.verdict(&enforcing())
}

fn enforcing() -> Policy {
    policy(|spec| spec.mode = Mode::Enforce)
}

fn role(name: &str) -> Role {
    let known = built_in(name).unwrap_or_else(|| panic!("{name} is in the catalog"));
    Role {
        id: known.role_id(),
        name: known.name.clone(),
        permissions: vec![PermissionSet {
            actions: known.actions.clone(),
            not_actions: known.not_actions.clone(),
            data_actions: known.data_actions.clone(),
            not_data_actions: known.not_data_actions.clone(),
            condition: known.condition.as_deref().and_then(|text| Condition::read(text, None)),
        }],
        changed: None,
    }
}

fn custom(actions: &[&str], not_actions: &[&str]) -> Role {
    let owned = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect();
    let entry = PermissionSet { actions: owned(actions), not_actions: owned(not_actions), ..PermissionSet::default() };
    let id = "c0570111-0000-4000-8000-00000000c057".parse().unwrap();
    Role { id, name: "Custom".to_owned(), permissions: vec![entry], changed: None }
}

fn is_too_powerful(role: &Role) -> bool {
    matches!(
        Verdict { rights: Rights::Boundaries(vec![]) }.permits_grant(Mode::Enforce, role, &queue()),
        Err(Refusal::Powerful { .. })
    )
}

#[test]
fn without_a_boundary_nothing_may_be_read_or_changed() {
    let policy = enforcing();
    let verdict = verdict(vec![]);
    assert_eq!(verdict.unreadable(&policy).len(), policy.scopes().len());
    assert_eq!(verdict.mode(&policy), Mode::Report);
    let refused = verdict.permits_change(Mode::Enforce, ChangeKind::EnableSystemIdentity, &[&app()]);
    assert_eq!(refused, Err(Refusal::Outside("no boundary selects this namespace".to_owned())));
    assert!(verdict.permits_grant(Mode::Enforce, &role(RECEIVER), &queue()).is_err());
}

#[test]
fn only_what_a_boundary_reaches_may_be_read() {
    let policy = policy(|spec| vault(spec, "RBAC", "shared", &["get"]));
    assert_eq!(verdict(vec![whole(Mode::Report)]).unreadable(&policy), [kv()]);
    let other = boundary("vaults", Mode::Report, &[&format!("/subscriptions/{OTHER_SUBSCRIPTION}")], &[], &[]);
    assert!(verdict(vec![whole(Mode::Report), other]).unreadable(&policy).is_empty(), "boundaries add up");
}

#[test]
fn namespaces_are_selected_by_name_or_by_all_labels() {
    let labelled = |labels: &[(&str, &str)]| {
        let mut boundary = whole(Mode::Enforce);
        boundary.names = vec!["elsewhere".to_owned()];
        boundary.labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        boundary
    };
    let of = |boundary: Boundary, labels: &[(&str, &str)]| {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let namespaces = BTreeMap::from([("payments".to_owned(), labels)]);
        let authority = Authority::Boundaries { boundaries: vec![boundary], namespaces };
        authority.verdict(&enforcing()).unreadable(&enforcing()).is_empty()
    };
    assert!(of(whole(Mode::Enforce), &[]));
    assert!(of(labelled(&[("team", "pay")]), &[("team", "pay"), ("tier", "gold")]));
    assert!(!of(labelled(&[("team", "pay"), ("tier", "gold")]), &[("team", "pay")]), "all labels count");
    assert!(!of(labelled(&[("team", "pay")]), &[("team", "ship")]));
    assert!(!of(labelled(&[]), &[("team", "pay")]), "an empty selector selects nothing");
}

#[test]
fn two_boundaries_that_each_allow_half_allow_nothing() {
    let without_role = boundary("changes", Mode::Enforce, &[&group()], &[], &["GrantRole"]);
    let without_change = boundary("roles", Mode::Enforce, &[&group()], &[RECEIVER], &[]);
    let refused = verdict(vec![without_role, without_change]).permits_grant(Mode::Enforce, &role(RECEIVER), &queue());
    let Err(Refusal::Outside(why)) = refused else { panic!("{refused:?}") };
    assert!(
        why.contains("`changes` does not list the role") && why.contains("`roles` does not list the change"),
        "{why}"
    );

    let app_only = boundary("app", Mode::Enforce, &[app().as_str()], &[], &["AttachUserIdentity"]);
    let identity_only = boundary("identity", Mode::Enforce, &[shared().as_str()], &[], &["AttachUserIdentity"]);
    let attach = |boundaries| {
        verdict(boundaries).permits_change(Mode::Enforce, ChangeKind::AttachUserIdentity, &[&app(), &shared()])
    };
    assert!(attach(vec![app_only, identity_only]).is_err());
    assert!(attach(vec![whole(Mode::Enforce)]).is_ok());
}

#[test]
fn one_more_boundary_never_takes_away() {
    let narrow = boundary("narrow", Mode::Report, &[app().as_str()], &[], &[]);
    for boundaries in [vec![whole(Mode::Enforce), narrow.clone()], vec![narrow, whole(Mode::Enforce)]] {
        let verdict = verdict(boundaries);
        assert_eq!(verdict.mode(&enforcing()), Mode::Enforce);
        assert!(verdict.permits_grant(Mode::Enforce, &role(RECEIVER), &queue()).is_ok());
    }
}

#[test]
fn the_furthest_mode_is_that_of_the_boundaries_over_the_app() {
    for (allowed, asked, expected) in [
        (Mode::Enforce, Mode::Report, Mode::Report),
        (Mode::DryRun, Mode::Enforce, Mode::DryRun),
        (Mode::Report, Mode::DryRun, Mode::Report),
    ] {
        let policy = policy(|spec| spec.mode = asked);
        assert_eq!(verdict(vec![whole(allowed)]).mode(&policy), expected);
    }
    let beside = boundary("beside", Mode::Enforce, &[queue().as_str()], &[RECEIVER], &["GrantRole"]);
    assert_eq!(verdict(vec![beside, whole(Mode::DryRun)]).mode(&enforcing()), Mode::DryRun);
}

#[test]
fn a_boundary_that_allows_less_than_the_mode_allows_no_change_of_it() {
    let verdict = verdict(vec![whole(Mode::DryRun)]);
    assert!(verdict.permits_grant(Mode::DryRun, &role(RECEIVER), &queue()).is_ok());
    assert!(verdict.permits_grant(Mode::Enforce, &role(RECEIVER), &queue()).is_err());
}

#[test]
fn a_scope_that_begins_like_another_is_not_its_parent() {
    let like = boundary("like", Mode::Enforce, &[&group().replace("rg-apps", "rg-app")], &[RECEIVER], &["GrantRole"]);
    assert!(verdict(vec![like]).permits_grant(Mode::Enforce, &role(RECEIVER), &queue()).is_err());
    let upper = group().to_uppercase().replace("/SUBSCRIPTIONS", "/subscriptions");
    let upper = boundary("upper", Mode::Enforce, &[&upper], &[RECEIVER], &["GrantRole"]);
    assert!(
        verdict(vec![upper]).permits_grant(Mode::Enforce, &role(RECEIVER), &queue()).is_ok(),
        "case does not count"
    );
}

#[test]
fn a_scope_above_subscriptions_or_unreadable_counts_for_nothing() {
    for id in ["/", "/providers/Microsoft.Management/managementGroups/all", "/subscriptions//x", "subscriptions/x"] {
        let wide = boundary("wide", Mode::Enforce, &[id], &[RECEIVER], &["GrantRole"]);
        assert_eq!(verdict(vec![wide]).unreadable(&enforcing()).len(), enforcing().scopes().len(), "{id}");
    }
}

#[test]
fn a_role_is_allowed_by_its_id_and_not_by_its_name() {
    let mut impostor = role(RECEIVER);
    impostor.id = built_in("Azure Service Bus Data Owner").unwrap().role_id();
    let verdict = verdict(vec![whole(Mode::Enforce)]);
    assert!(verdict.permits_grant(Mode::Enforce, &role(RECEIVER), &queue()).is_ok());
    assert!(matches!(verdict.permits_grant(Mode::Enforce, &impostor, &queue()), Err(Refusal::Outside(_))));
}

#[test]
fn of_the_built_in_roles_exactly_these_are_never_granted() {
    let refused: Vec<_> =
        built_in_roles().iter().map(|known| role(&known.name)).filter(is_too_powerful).map(|role| role.name).collect();
    let mut refused = refused;
    refused.sort();
    assert_eq!(
        refused,
        [
            "Container Apps Contributor",
            "Container Apps Operator",
            "Contributor",
            "DocumentDB Account Contributor",
            "Key Vault Contributor",
            "Key Vault Data Access Administrator",
            "Locks Contributor",
            // It may put an extension on a machine.
            "Log Analytics Contributor",
            "Logic Apps Standard Contributor",
            "Managed Identity Contributor",
            "Managed Identity Federated Identity Credential Contributor",
            "Managed Identity Operator",
            "Owner",
            "Role Based Access Control Administrator",
            "Storage Account Backup Contributor",
            "User Access Administrator",
            "Virtual Machine Contributor",
            "Website Contributor",
        ]
    );
}

#[test]
fn every_role_that_the_catalog_recommends_can_be_granted_by_a_boundary_and_by_a_caller() {
    let needs = binding::rows().iter().flat_map(|row| &row.needs);
    let needs = needs.filter(|need| need.plane == binding::Plane::Azure).map(|need| need.role.as_str());
    let roles = needs.chain(vault::permissions().iter().map(|row| row.role.as_str()));
    for name in roles.chain(["Storage Blob Data Owner", "Monitoring Metrics Publisher", "Key Vault Secrets Officer"]) {
        let scope = queue();
        let named = boundary("named", Mode::Enforce, &[&group()], &[name], &["GrantRole"]);
        assert_eq!(verdict(vec![named]).permits_grant(Mode::Enforce, &role(name), &scope), Ok(()), "{name}");
        // The one that reaches keys must be named, which a caller without a boundary cannot do.
        let caller = Authority::Caller.verdict(&enforcing());
        let granted = caller.permits_grant(Mode::Enforce, &role(name), &scope);
        assert_eq!(granted.is_ok(), name != "Azure Service Bus Data Owner", "{name}: {granted:?}");
    }
}

#[test]
fn custom_roles_are_judged_by_what_is_left_of_them() {
    let assignments = "Microsoft.Authorization/roleAssignments/write";
    let table: &[(&[&str], &[&str], bool)] = &[
        (&["Microsoft.ServiceBus/namespaces/read", assignments], &[], true),
        (&["Microsoft.ServiceBus/namespaces/read", assignments], &[assignments], false),
        (&["MICROSOFT.authorization/*"], &["microsoft.authorization/*/WRITE"], false),
        (&["Microsoft.Authorization/*"], &[assignments], true),
        (&["*/write"], &["Microsoft.Authorization/*/write"], true),
        (&["*/read"], &[], false),
        (&["*"], &["*"], true),
        (&["*"], &["Microsoft.Authorization/*", "Microsoft.Web/*"], true),
        (&["*/*"], &["*/write", "*/action"], true),
        (&["Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"], &[], true),
        (&["Microsoft.ManagedIdentity/userAssignedIdentities/*/assign/action"], &[], true),
        (&["Microsoft.ManagedIdentity/userAssignedIdentities/*/read"], &[], false),
        (&["Microsoft.KeyVault/vaults/write"], &[], true),
        (&["Microsoft.KeyVault/vaults/read"], &[], false),
        (&["Microsoft.Web/sites/slots/write"], &[], true),
        (&["Microsoft.Web/sites/restart/action"], &[], false),
        (&["Microsoft.App/containerApps/*/write"], &[], true),
        (&["Microsoft.App/containerApps/write"], &[], true),
        (&["Microsoft.App/containerApps/exec/action"], &[], true),
        (&["Microsoft.App/containerApps/start/action"], &[], false),
        (&["Microsoft.Compute/virtualMachines/*"], &[], true),
        (&["Microsoft.Compute/virtualMachines/runCommand/action"], &[], true),
        (&["Microsoft.Compute/virtualMachines/restart/action"], &[], false),
        (&["Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments/*"], &[], true),
    ];
    for (actions, not_actions, expected) in table {
        assert_eq!(is_too_powerful(&custom(actions, not_actions)), *expected, "{actions:?} less {not_actions:?}");
    }
}

#[test]
fn a_not_action_counts_only_within_its_own_entry() {
    let mut role = custom(&["Microsoft.Authorization/*"], &[]);
    role.permissions.push(PermissionSet { not_actions: vec!["*".to_owned()], ..PermissionSet::default() });
    assert!(is_too_powerful(&role));
}

#[test]
fn data_actions_are_another_plane_and_everything_is_too_much_on_both() {
    let data = |action: &str| {
        let mut role = custom(&[], &[]);
        role.permissions[0].data_actions = vec![action.to_owned()];
        role
    };
    assert!(!is_too_powerful(&data("Microsoft.KeyVault/vaults/*")), "no access policy is written by a data action");
    assert!(is_too_powerful(&data("*")));
}

#[test]
fn roles_that_reveal_keys_need_a_boundary_that_names_them() {
    let caller = Authority::Caller.verdict(&enforcing());
    for name in ["Storage Account Contributor", "Reader and Data Access", "Azure Service Bus Data Owner"] {
        let refused = caller.permits_grant(Mode::Enforce, &role(name), &host_account());
        assert!(matches!(refused, Err(Refusal::Powerful { .. })), "{name}");
        let named = boundary("named", Mode::Enforce, &[&group()], &[name], &["GrantRole"]);
        assert!(verdict(vec![named]).permits_grant(Mode::Enforce, &role(name), &host_account()).is_ok(), "{name}");
        let refused = verdict(vec![whole(Mode::Enforce)]).permits_grant(Mode::Enforce, &role(name), &host_account());
        assert!(refused.is_err(), "{name}");
    }
    assert!(
        caller.permits_grant(Mode::Enforce, &custom(&["New.Provider/things/listkeys/action"], &[]), &queue()).is_err()
    );
}
