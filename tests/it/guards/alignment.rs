//! A vault is switched to roles only as it was judged, is looked at after that, and is switched back when a grant that a
//! declared identity needs went meanwhile.

use std::time::Duration;

use rolecall::{
    api::{ChangeKind, FunctionIdentityPolicy, IdentityBoundarySpec, Mode, VaultMode},
    model::FailureClass,
    pipeline::Intent,
    report::{Situation, text},
    sandbox::arm::ArmSim,
};
use serde_json::{Value, json};

use super::bench::Bench;
use super::documents::{
    ACTING, APPLIED, BLOB_CONTRIBUTOR, DONE, GROUP, NOTHING, REHEARSED, SHARED, STRANGER, SUBSCRIPTION, SYSTEM,
    assignment, boundary, foreign, identity, own_name, put, rights, uploads,
};

mod meanwhile;

const SWITCH: ChangeKind = ChangeKind::SwitchVaultMode;
const TENANT: &str = "00000000-7777-4777-8777-00000000000a";
const SECRETS_USER: &str = "4633458b-17de-408a-b874-0445c86b69e6";
const SECRETS_OFFICER: &str = "b86a8fe4-44ce-4948-aee5-eccb2c155cd7";
/// Another name than those that only read it: the last part of its path is asked for.
const LIST: &str = "/vaults/kv-orders/providers/microsoft.authorization/roleassignments";

fn vault() -> String {
    format!("{GROUP}/providers/Microsoft.KeyVault/vaults/kv-orders")
}

fn patch() -> String {
    format!("PATCH {}", vault())
}

/// The example's grant to `mi-orders` at the vault.
fn own_grant() -> String {
    format!("{}/providers/Microsoft.Authorization/roleAssignments/a5516e00-0006-4000-8000-000000000000", vault())
}

/// That of a stranger, at the group.
fn others_grant() -> String {
    format!("{GROUP}/providers/Microsoft.Authorization/roleAssignments/a5516e00-0021-4000-8000-000000000000")
}

fn entry(principal: &str, permissions: &Value) -> Value {
    json!({ "tenantId": TENANT, "objectId": principal, "permissions": permissions })
}

fn entries() -> Vec<Value> {
    vec![entry(SHARED, &json!({ "secrets": ["Get"] })), entry(STRANGER, &json!({ "secrets": ["all"] }))]
}

fn allowed(spec: &mut IdentityBoundarySpec) {
    spec.changes.extend([SWITCH, ChangeKind::RefreshReferences]);
    let switchable = json!([{ "resource": vault(), "switch": "WhenSafe" }]);
    spec.vaults = serde_json::from_value(switchable).expect("a list of vaults");
}

/// The role that the stranger needs, held by a group.
fn grant_to_a_group() -> Value {
    let group = "96000000-0009-4000-8000-000000000009";
    let id = format!(
        "{SUBSCRIPTION}/providers/Microsoft.Authorization/roleAssignments/a5516e00-0022-4000-8000-000000000000"
    );
    let mut grant = assignment(&id, SUBSCRIPTION, group, SECRETS_OFFICER);
    grant["properties"]["principalType"] = "Group".into();
    grant
}

/// Everything is there, and the vault decides by access policies.
fn bench(mode: Mode) -> Bench {
    let mut bench = Bench::new(mode);
    bench.arm.insert(foreign(&uploads(), SYSTEM, BLOB_CONTRIBUTOR));
    bench.arm.insert(assignment(&others_grant(), GROUP, STRANGER, SECRETS_OFFICER));
    set_mode(&bench.arm, false);
    bench.policy.spec.remediation.allow.extend([SWITCH, ChangeKind::RefreshReferences]);
    bench.cluster.store(Some(bench.policy.clone()));
    bench.cluster.set_authority(boundary(allowed));
    bench
}

fn set_mode(arm: &ArmSim, by_roles: bool) {
    arm.edit(&vault(), |vault| {
        vault["properties"]["enableRbacAuthorization"] = json!(by_roles);
        vault["properties"]["accessPolicies"] = entries().into();
    });
}

fn by_roles(bench: &Bench) -> bool {
    let document = bench.arm.document(&vault()).expect("the vault is there");
    assert_eq!(document["properties"]["accessPolicies"], Value::from(entries()), "access policies stay as they were");
    document["properties"]["enableRbacAuthorization"] == true
}

/// Another policy, whose app this one's is a copy of.
fn other(bench: &Bench, namespace: &str, mode: VaultMode) -> FunctionIdentityPolicy {
    let mut policy = bench.policy.clone();
    policy.metadata.name = Some("billing".to_owned());
    policy.metadata.namespace = Some(namespace.to_owned());
    policy.metadata.uid = Some("another".to_owned());
    policy.spec.resources.insert("app".to_owned(), "Microsoft.Web/sites/func-billing".to_owned());
    policy.spec.vaults[0].mode = mode;
    policy
}

#[tokio::test(start_paused = true)]
async fn a_vault_is_switched_once_and_nothing_else_of_it_is_written() {
    let bench = bench(Mode::Enforce);
    let seen = bench.act().await;
    assert_eq!((seen.codes(), seen.outcomes()), (vec!["vault-mode-mismatch"], vec![APPLIED]));
    assert!(by_roles(&bench));
    bench.assert_settled().await;
    assert_eq!(bench.writes(), [patch()]);
}

#[tokio::test(start_paused = true)]
async fn what_changed_since_the_survey_is_not_switched() {
    type Change = fn(&ArmSim);
    let gone = |grant: &str| format!("role assignment {grant} is gone, or has changed");
    let (own, others) = ("a5516e00-0006-4000-8000-000000000000", "a5516e00-0021-4000-8000-000000000000");
    let changes: [(Change, String); 9] = [
        (
            |arm| arm.edit(&vault(), |vault| vault["properties"]["tenantId"] = STRANGER.into()),
            "the directory of vault kv-orders changed".to_owned(),
        ),
        (
            |arm| {
                arm.edit(&vault(), |vault| {
                    let late = entry(SYSTEM, &json!({ "secrets": ["get"] }));
                    vault["properties"]["accessPolicies"].as_array_mut().expect("a list").push(late);
                });
            },
            "the access policies of vault kv-orders changed".to_owned(),
        ),
        (|arm| arm.remove(&vault()), "vault kv-orders is gone".to_owned()),
        (|arm| arm.remove(&own_grant()), gone(own)),
        (|arm| arm.remove(&others_grant()), gone(others)),
        (
            |arm| {
                arm.edit(&others_grant(), |grant| {
                    grant["properties"]["condition"] = "@Resource[name] StringEquals 'a'".into();
                });
            },
            gone(others),
        ),
        // Removed and made again under the same name: it does not act yet.
        (
            |arm| {
                arm.edit(&own_grant(), |grant| grant["properties"]["createdOn"] = "2026-03-02T08:59:59Z".into());
            },
            gone(own),
        ),
        (
            |arm| {
                arm.edit(&identity("mi-orders"), |identity| identity["properties"]["principalId"] = STRANGER.into());
            },
            format!("identity `mi-orders` is no longer {SHARED}"),
        ),
        (
            |arm| {
                let id = format!(
                    "{GROUP}/providers/Microsoft.Authorization/denyAssignments/dede0001-0000-4000-8000-000000000001"
                );
                arm.insert(json!({
                    "id": id, "name": "dede0001-0000-4000-8000-000000000001",
                    "type": "Microsoft.Authorization/denyAssignments",
                    "properties": {
                        "denyAssignmentName": "closed", "scope": GROUP, "doNotApplyToChildScopes": false,
                        "permissions": [{ "actions": [], "notActions": [], "notDataActions": [],
                                          "dataActions": ["Microsoft.KeyVault/*"] }],
                        "principals": [{ "id": SHARED, "type": "ServicePrincipal" }], "excludePrincipals": [],
                    },
                }));
            },
            "the deny assignments over vault kv-orders have changed".to_owned(),
        ),
    ];
    for (change, said) in changes {
        for mode in ACTING {
            let bench = bench(mode);
            bench.look().await;
            change(&bench.arm);
            let seen = bench.act().await;
            assert_eq!(seen.outcomes(), [format!("not sent: {said}")], "{mode:?}");
            assert_eq!(bench.writes(), NOTHING, "{said}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_switch_that_somebody_else_made_is_success_without_a_write() {
    let bench = bench(Mode::Enforce);
    bench.look().await;
    set_mode(&bench.arm, true);
    assert_eq!(bench.act().await.outcomes(), [DONE]);
    bench.assert_settled().await;
    assert_eq!(bench.writes(), NOTHING);
}

/// The step's look at the grants is the first of them, the one after the write the second.
fn lose_the_grant_after_the_write(bench: &Bench) {
    bench.before("GET", LIST, 2, |arm| arm.remove(&own_grant()));
}

#[tokio::test(start_paused = true)]
async fn a_grant_that_went_meanwhile_is_found_and_the_access_policies_decide_again() {
    let bench = bench(Mode::Enforce);
    lose_the_grant_after_the_write(&bench);
    let seen = bench.act().await;
    bench.assert_happened();
    let said = "role assignment a5516e00-0006-4000-8000-000000000000 went while vault kv-orders was switched, so its access \
                policies decide again";
    assert_eq!(seen.outcomes(), [said]);
    let Situation::Retrying(failure) = &seen.situation else { panic!("{:?}", seen.situation) };
    assert_eq!((failure.class, failure.code.as_str()), (FailureClass::Waiting, "AccessLost"));
    assert_eq!(bench.writes(), [patch(), patch()]);
    assert!(!by_roles(&bench));
    // From there on as ever: the role first, then time, then the mode.
    bench.act().await;
    let grant = put(&own_name(&vault(), SHARED, SECRETS_USER));
    assert_eq!(bench.writes(), [patch(), patch(), grant.clone()]);
    let seen = bench.act().await;
    assert_eq!((seen.situation, bench.writes().len()), (Situation::Remediating, 3));
    tokio::time::sleep(Duration::from_secs(601)).await;
    bench.act().await;
    assert!(by_roles(&bench));
    bench.assert_settled().await;
    assert_eq!(bench.writes(), [patch(), patch(), grant, patch()]);
}

#[tokio::test(start_paused = true)]
async fn a_strangers_grant_that_went_meanwhile_takes_nothing_back() {
    let bench = bench(Mode::Enforce);
    bench.before("GET", LIST, 2, |arm| arm.remove(&others_grant()));
    assert_eq!(bench.act().await.outcomes(), [APPLIED]);
    bench.assert_happened();
    assert_eq!((by_roles(&bench), bench.writes()), (true, vec![patch()]));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_taken_back_when_another_operator_may_act_or_the_answer_was_lost() {
    let uncertain = bench(Mode::Enforce);
    let cluster = uncertain.cluster.clone();
    uncertain.before("GET", LIST, 2, move |arm| {
        arm.remove(&own_grant());
        cluster.leave_undisturbed_for(Duration::ZERO);
    });
    let seen = uncertain.act().await;
    uncertain.assert_happened();
    assert_eq!(seen.outcomes(), ["the lease ran out between two writes"]);
    assert_eq!((by_roles(&uncertain), uncertain.writes()), (true, vec![patch()]));

    let lost = bench(Mode::Enforce);
    lost.fault(&json!({ "method": "PATCH", "times": 1, "answer": "answer-lost" }));
    lost.act().await;
    lost.arm.remove(&own_grant());
    tokio::time::sleep(Duration::from_secs(61)).await;
    let seen = lost.act().await;
    // What is found is a missing role, and that is granted.
    let grant = put(&own_name(&vault(), SHARED, SECRETS_USER));
    assert_eq!((seen.codes(), lost.writes()), (vec!["role-missing"], vec![patch(), grant]));
    assert!(by_roles(&lost));
}

#[tokio::test(start_paused = true)]
async fn two_policies_that_disagree_about_a_vault_both_say_so_and_neither_acts() {
    let bench = bench(Mode::Enforce);
    let mine = other(&bench, "payments", VaultMode::AccessPolicy);
    let theirs = other(&bench, "billing", VaultMode::AccessPolicy);
    bench.cluster.also_store(theirs);
    // A namespace that no boundary lets look at the vault cannot stand in the way.
    assert_eq!(bench.act().await.codes(), ["vault-mode-mismatch"]);
    assert_eq!(bench.writes(), [patch()]);
    set_mode(&bench.arm, false);
    bench.cluster.set_authority(boundary(|spec| {
        allowed(spec);
        spec.changes.push(ChangeKind::AddVaultPolicyEntry);
        spec.namespaces.names.push("billing".to_owned());
    }));
    tokio::time::sleep(Duration::from_secs(61)).await;
    let seen = bench.act().await;
    assert_eq!(seen.codes(), ["vault-mode-mismatch", "vault-mode-disputed"]);
    let said = "the other mode of vault `kv-orders` is declared by a policy of another namespace";
    assert_eq!(seen.status.findings[1].message, said);
    assert_eq!(seen.status.plan.expect("a plan").held[0].reason, "VaultModeDisputed");
    bench.cluster.also_store(mine.clone());
    let seen = bench.act().await;
    let said =
        "the other mode of vault `kv-orders` is declared by `payments/billing` and a policy of another namespace";
    assert_eq!(seen.status.findings[1].message, said);
    // The other side: it lacks nothing, or an entry, and does not add it either.
    let mut mine = mine;
    mine.spec.resources.insert("app".to_owned(), "Microsoft.Web/sites/func-orders".to_owned());
    mine.spec.vaults[0].access.secrets = vec!["list".to_owned()];
    mine.spec.remediation.allow.push(ChangeKind::AddVaultPolicyEntry);
    bench.cluster.also_store(bench.policy.clone());
    bench.cluster.store(Some(mine.clone()));
    let seen = bench.act_over(&mine).await;
    assert_eq!(seen.codes(), ["access-policy-missing", "vault-mode-disputed"]);
    assert_eq!(seen.status.plan.expect("a plan").held[0].reason, "VaultModeDisputed");
    assert_eq!(bench.writes(), [patch()], "nothing since");
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_says_what_would_be_sent_and_which_right_lacks() {
    let bench = bench(Mode::DryRun);
    bench.arm.set_caller_permissions(Some(vec![rights(&["*"], &["Microsoft.KeyVault/*/write"])]));
    let said = format!("the write would be refused: we lack `Microsoft.KeyVault/vaults/write` at {}", vault());
    assert_eq!(bench.act().await.outcomes(), [said]);
    bench.arm.set_caller_permissions(Some(vec![rights(&["*/read", "Microsoft.KeyVault/vaults/write"], &[])]));
    let seen = bench.act().await;
    assert_eq!((seen.outcomes(), bench.writes()), (vec![REHEARSED], Vec::new()));
    let command = "az keyvault update --subscription 11111111-aaaa-4bbb-8ccc-000000000001 --resource-group \
                   rg-functions-prod --name kv-orders --enable-rbac-authorization true";
    assert_eq!(seen.status.plan.expect("a plan").steps[0].az, command);
}

#[tokio::test(start_paused = true)]
async fn without_the_policies_of_the_cluster_no_switch_is_planned_and_no_command_told() {
    let bench = bench(Mode::Enforce);
    let report = bench.pipeline.pass(&bench.policy, &boundary(allowed), None, Intent::Look).await;
    let plan = bench.seen(&report).status.plan.expect("a plan");
    let held: Vec<_> = plan.held.iter().map(|held| (held.change.as_str(), held.reason.as_str())).collect();
    assert_eq!((plan.steps.len(), held), (0, vec![("SwitchVaultMode", "PoliciesUnknown")]));
    let told = text(&report, report.exit_code(), true);
    assert!(told.contains("held: PoliciesUnknown") && !told.contains("az keyvault"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn an_inherited_grant_and_one_through_a_group_are_looked_at_again() {
    let bench = bench(Mode::Enforce);
    bench.arm.remove(&others_grant());
    bench.arm.insert(grant_to_a_group());
    let seen = bench.act().await;
    let held = &seen.status.plan.as_ref().expect("a plan").held[0];
    assert_eq!(held.reason, "AccessWouldBreak");
    assert!(held.message.contains(&format!("{STRANGER} lacks `Key Vault Secrets Officer`")), "{}", held.message);
}

/// A setting that refers to the vault and was refused.
fn refused_reference(arm: &ArmSim) {
    let app = super::documents::app();
    arm.edit(&app, |app| app["properties"]["keyVaultReferenceIdentity"] = identity("mi-orders").into());
    arm.insert(json!({
        "id": format!("{app}/config/configreferences/appsettings/PaymentsApiKey"), "name": "PaymentsApiKey",
        "type": "Microsoft.Web/sites/config/configreferences",
        "properties": {
            "reference": "@Microsoft.KeyVault(VaultName=kv-orders;SecretName=payments-api-key)",
            "status": "AccessToKeyVaultDenied", "vaultName": "kv-orders", "secretName": "payments-api-key",
        },
    }));
}

#[tokio::test(start_paused = true)]
async fn references_are_resolved_again_after_a_switch_and_after_an_entry() {
    let refresh = format!("POST {}/config/configreferences/appsettings/refresh", super::documents::app());
    let switched = bench(Mode::Enforce);
    refused_reference(&switched.arm);
    switched.act().await;
    let seen = switched.act().await;
    assert_eq!(seen.codes(), ["references-denied"]);
    switched.assert_settled().await;
    assert_eq!(switched.writes(), [patch(), refresh.clone()]);

    let mut added = bench(Mode::Enforce);
    refused_reference(&added.arm);
    added.arm.edit(&vault(), |vault| vault["properties"]["accessPolicies"] = json!([]));
    added.policy.spec.vaults[0].mode = VaultMode::AccessPolicy;
    added.policy.spec.remediation.allow.push(ChangeKind::AddVaultPolicyEntry);
    added.cluster.store(Some(added.policy.clone()));
    added.cluster.set_authority(boundary(|spec| {
        allowed(spec);
        spec.changes.push(ChangeKind::AddVaultPolicyEntry);
    }));
    added.act().await;
    added.act().await;
    added.assert_settled().await;
    assert_eq!(added.writes(), [format!("PUT {}/accessPolicies/add", vault()), refresh]);
}
