//! An access policy is added only to the vault that was looked at, for the principal that the identity has now, and takes
//! nothing from anybody.

use rolecall::{
    api::{ChangeKind, FunctionIdentityPolicySpec, IdentityBoundarySpec, Mode},
    model::FailureClass,
    report::Situation,
};
use serde_json::{Value, json};

use super::bench::{Bench, Seen};
use super::documents::{
    ACTING, APPLIED, DONE, GROUP, NOTHING, REHEARSED, SHARED, STRANGER, boundary, foreign, identity, rights, uploads,
};

const ADD: ChangeKind = ChangeKind::AddVaultPolicyEntry;
const WRITE: &str = "Microsoft.KeyVault/vaults/accessPolicies/write";
const TENANT: &str = "00000000-7777-4777-8777-00000000000a";
/// A person, whom the lists know by a role.
const PERSON: &str = "0000ad11-0000-4000-8000-000000000001";

fn vault() -> String {
    format!("{GROUP}/providers/Microsoft.KeyVault/vaults/kv-orders")
}

fn put() -> String {
    format!("PUT {}/accessPolicies/add", vault())
}

fn entry(principal: &str, permissions: &Value) -> Value {
    json!({ "tenantId": TENANT, "objectId": principal, "permissions": permissions })
}

/// What others have there: no single permission of it may go.
fn others() -> Vec<Value> {
    vec![
        entry(PERSON, &json!({ "secrets": ["Set", "Delete"], "keys": ["all"], "storage": ["all"] })),
        json!({
            "tenantId": TENANT, "objectId": STRANGER, "applicationId": "a0000000-0000-4000-8000-00000000000a",
            "permissions": { "secrets": ["get"] },
        }),
    ]
}

fn declare(spec: &mut FunctionIdentityPolicySpec) {
    let vault = json!({ "resource": "secrets", "mode": "AccessPolicy", "identity": "shared",
                        "access": { "secrets": ["get", "list"] } });
    spec.vaults = vec![serde_json::from_value(vault).expect("a vault")];
    spec.remediation.allow.push(ADD);
}

fn allowed(spec: &mut IdentityBoundarySpec) {
    spec.changes.push(ADD);
}

/// Only an entry for `mi-orders` is missing; what it has there is this.
fn bench_with(mode: Mode, own: &[Value]) -> Bench {
    let mut bench = Bench::new(mode);
    bench.arm.insert(foreign(&uploads(), super::documents::SYSTEM, super::documents::BLOB_CONTRIBUTOR));
    bench.arm.edit(&vault(), |vault| {
        vault["properties"]["enableRbacAuthorization"] = Value::Null;
        vault["properties"]["accessPolicies"] = others().into_iter().chain(own.iter().cloned()).collect();
    });
    declare(&mut bench.policy.spec);
    bench.cluster.store(Some(bench.policy.clone()));
    bench.cluster.set_authority(boundary(allowed));
    bench
}

fn bench(mode: Mode) -> Bench {
    bench_with(mode, &[])
}

fn entries(bench: &Bench) -> Vec<Value> {
    let document = bench.arm.document(&vault()).expect("the vault is there");
    document["properties"]["accessPolicies"].as_array().expect("a list").clone()
}

fn set_entries(bench: &Bench, entries: &[Value]) {
    bench.arm.edit(&vault(), |vault| vault["properties"]["accessPolicies"] = entries.into());
}

fn wanted() -> Value {
    entry(SHARED, &json!({ "secrets": ["get", "list"] }))
}

/// At once and when everything known is old, nothing more is sent.
async fn assert_settled(bench: &Bench) {
    let before = bench.writes();
    bench.assert_settled().await;
    assert_eq!(bench.writes(), before);
}

#[tokio::test(start_paused = true)]
async fn the_missing_entry_is_added_and_every_other_one_stays() {
    let bench = bench(Mode::Enforce);
    let seen = bench.act().await;
    assert_eq!((seen.codes(), seen.outcomes()), (vec!["access-policy-missing"], vec![APPLIED]));
    assert_eq!(bench.writes(), [put()]);
    let mut expected = others();
    expected.push(wanted());
    assert_eq!(entries(&bench), expected);
    assert_settled(&bench).await;
}

#[tokio::test(start_paused = true)]
async fn what_the_identity_may_do_already_is_sent_with_what_lacks() {
    let had = json!({ "secrets": ["Set"], "storage": ["get"], "certificates": [] });
    let bench = bench_with(Mode::Enforce, &[entry(SHARED, &had)]);
    assert_eq!(bench.act().await.outcomes(), [APPLIED]);
    let sent = bench.arm.journal().into_iter().find(|request| request.mutating).expect("a write");
    // Whether Azure joins it with what is there or replaces that: nothing is lost.
    let permissions = json!({ "secrets": ["Set", "get", "list"], "storage": ["get"] });
    assert_eq!(sent.body["properties"]["accessPolicies"], json!([entry(SHARED, &permissions)]));
    assert_settled(&bench).await;
}

#[tokio::test(start_paused = true)]
async fn what_changed_since_the_survey_is_not_written_over() {
    type Change = fn(&Bench);
    let changes: [(Change, &str); 7] = [
        (
            |bench| bench.arm.edit(&vault(), |vault| vault["properties"]["enableRbacAuthorization"] = true.into()),
            "the mode at vault kv-orders has changed",
        ),
        (
            |bench| bench.arm.edit(&vault(), |vault| vault["properties"]["tenantId"] = STRANGER.into()),
            "the directory at vault kv-orders has changed",
        ),
        (|bench| bench.arm.remove(&vault()), "vault kv-orders is gone"),
        (
            |bench| set_entries(bench, &[entry(SHARED, &json!({ "secrets": ["get"] }))]),
            "what the principal may do at vault kv-orders has changed",
        ),
        (
            |bench| set_entries(bench, &[entry(STRANGER, &json!({ "secrets": ["all"] }))]),
            "what others may do at vault kv-orders has changed",
        ),
        (
            |bench| {
                bench
                    .arm
                    .edit(&identity("mi-orders"), |identity| identity["properties"]["principalId"] = STRANGER.into());
            },
            "identity `mi-orders` is no longer 05e70000-0002-4000-8000-000000000002",
        ),
        (
            |bench| bench.arm.remove(&identity("mi-orders")),
            "identity `mi-orders` is no longer 05e70000-0002-4000-8000-000000000002",
        ),
    ];
    for (change, said) in changes {
        for mode in ACTING {
            let bench = bench(mode);
            bench.look().await;
            change(&bench);
            let before = bench.arm.document(&vault());
            let seen = bench.act().await;
            assert_eq!(seen.outcomes(), [format!("not sent: {said}")], "{mode:?}");
            assert_eq!((bench.writes(), bench.arm.document(&vault())), (Vec::new(), before), "{said}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_somebody_added_meanwhile_is_success_without_a_write() {
    let bench = bench(Mode::Enforce);
    bench.look().await;
    set_entries(&bench, &[wanted()]);
    assert_eq!(bench.act().await.outcomes(), [DONE]);
    assert_eq!(bench.writes(), NOTHING);
    assert_settled(&bench).await;
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_came_and_went_is_looked_at_again_by_the_next_pass() {
    let bench = bench_with(Mode::Enforce, &[entry(SHARED, &json!({ "keys": ["get"] }))]);
    bench.look().await;
    set_entries(&bench, &others());
    bench.act().await;
    assert_eq!(bench.writes(), NOTHING);
    bench.act().await;
    assert_eq!(bench.writes(), [put()]);
    // What was taken from the identity is not given back: only what is declared.
    assert_eq!(entries(&bench).last(), Some(&wanted()));
}

#[tokio::test(start_paused = true)]
async fn leave_that_is_lost_between_the_look_and_the_write_stops_it() {
    let bench = bench(Mode::Enforce);
    bench.look().await;
    let cluster = bench.cluster.clone();
    bench.before("GET", "/vaults/kv-orders", 1, move |_| cluster.set_authority(boundary(|_| ())));
    let seen = bench.act().await;
    bench.assert_happened();
    let said = "not sent: boundary `payments` does not list the change AddVaultPolicyEntry";
    assert_eq!((seen.outcomes(), bench.writes()), (vec![said], Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn an_entry_whose_answer_is_lost_is_not_sent_again() {
    let bench = bench(Mode::Enforce);
    bench.fault(&json!({ "method": "PUT", "times": 1, "answer": "answer-lost" }));
    let seen = bench.act().await;
    let Situation::Retrying(failure) = &seen.situation else { panic!("{:?}", seen.situation) };
    assert_eq!(failure.class, FailureClass::Transient);
    assert_settled(&bench).await;
    assert_eq!(bench.writes(), [put()]);
    assert_eq!(entries(&bench).iter().filter(|entry| entry["objectId"] == SHARED).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_the_lists_do_not_show_yet_is_not_sent_again() {
    let bench = bench(Mode::Enforce);
    let old = bench.arm.document(&vault()).expect("the vault is there");
    bench.act().await;
    bench.fault(&json!({ "method": "GET", "path": "/providers/Microsoft.KeyVault/vaults", "times": 1,
                         "answer": { "status": 200, "body": { "value": [old] } } }));
    let seen = bench.act().await;
    assert_eq!((seen.codes(), seen.outcomes()), (vec!["access-policy-missing"], vec![DONE]));
    assert_eq!(bench.writes(), [put()]);
    assert_settled(&bench).await;
}

fn refused(seen: &Seen) -> &str {
    let Situation::Failing(failure) = &seen.situation else { panic!("{:?}", seen.situation) };
    assert_eq!((failure.class, failure.code.as_str()), (FailureClass::Denied, "AuthorizationFailed"));
    &failure.text
}

#[tokio::test(start_paused = true)]
async fn a_refusal_names_the_action_and_the_vault() {
    let bench = bench(Mode::Enforce);
    bench.arm.set_caller_permissions(Some(vec![rights(&["*"], &["Microsoft.KeyVault/*/write"])]));
    let seen = bench.act().await;
    let said = refused(&seen);
    assert!(said.contains(WRITE) && said.contains(&vault()), "{said}");
    assert_eq!((entries(&bench), bench.answers()), (others(), vec![Some(403)]));

    let bench = bench_with(Mode::DryRun, &[]);
    bench.arm.set_caller_permissions(Some(vec![rights(&["*"], &["Microsoft.KeyVault/*/write"])]));
    let said = format!("the write would be refused: we lack `{WRITE}` at {}", vault());
    assert_eq!(bench.act().await.outcomes(), [said]);
    bench.arm.set_caller_permissions(Some(vec![rights(&["*/read", WRITE], &[])]));
    assert_eq!((bench.act().await.outcomes(), bench.writes()), (vec![REHEARSED], Vec::new()));
}
