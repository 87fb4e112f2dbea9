//! A vault that decides by access policies: the missing one is added, again after somebody took it out, and never removed.

use std::time::Duration;

use rolecall::pipeline::Settings;
use serde_json::{Value, json};

use super::run::{NAMESPACE, POLICY, Run, SETTLED, document, orders};

const HOUR: Duration = Duration::from_secs(3600);
const GROUP: &str = "/subscriptions/11111111-aaaa-4bbb-8ccc-000000000001/resourceGroups/rg-functions-prod";
const TENANT: &str = "00000000-7777-4777-8777-00000000000a";
const SYSTEM: &str = "5e57e300-0001-4000-8000-000000000001";
const SHARED: &str = "05e70000-0002-4000-8000-000000000002";

fn vault() -> String {
    format!("{GROUP}/providers/Microsoft.KeyVault/vaults/kv-orders")
}

fn entry(principal: &str, permissions: &Value) -> Value {
    json!({ "tenantId": TENANT, "objectId": principal, "permissions": permissions })
}

/// What the pipeline that deploys may do.
fn deployers() -> Value {
    entry("0000de91-0000-4000-8000-000000000001", &json!({ "secrets": ["Set", "Delete"], "storage": ["all"] }))
}

fn entries(run: &Run) -> Vec<Value> {
    let vault = run.arm.document(&vault()).expect("the vault is there");
    vault["properties"]["accessPolicies"].as_array().expect("a list").clone()
}

/// The example with a vault that decides by access policies, and a policy over both identities that may add entries only.
fn run() -> Run {
    let run = Run::new();
    // The role that the vault would not count, and the one that the example lacks.
    let role = "a5516e00-0006-4000-8000-000000000000";
    run.arm.remove(&format!("{}/providers/Microsoft.Authorization/roleAssignments/{role}", vault()));
    run.arm.insert(document(include_str!("../../../src/sandbox/scenarios/healthy-grant.yaml")));
    run.arm.edit(&vault(), |vault| {
        vault["properties"]["enableRbacAuthorization"] = json!(false);
        vault["properties"]["accessPolicies"] = json!([deployers()]);
    });
    let mut boundary = document(include_str!("../../../examples/orders/boundary.yaml"));
    boundary["spec"]["changes"] = json!(["AddVaultPolicyEntry"]);
    run.kube.put(boundary);
    run
}

fn policy() -> Value {
    let mut policy = orders("Enforce");
    let spec = &mut policy["spec"];
    spec["resources"]["safe"] = spec["resources"]["secrets"].clone();
    spec["vaults"] = json!([
        { "resource": "secrets", "mode": "AccessPolicy", "identity": "shared", "access": { "secrets": ["get"] } },
        { "resource": "safe", "mode": "AccessPolicy", "identity": "system", "access": { "keys": ["wrapKey"] } },
    ]);
    spec["remediation"]["allow"] = json!(["AddVaultPolicyEntry"]);
    policy
}

fn wanted() -> [Value; 3] {
    [deployers(), entry(SHARED, &json!({ "secrets": ["get"] })), entry(SYSTEM, &json!({ "keys": ["wrapKey"] }))]
}

fn changes(run: &Run) -> Vec<String> {
    let scraped = run.metrics.scrape();
    scraped.lines().filter(|line| line.starts_with("rolecall_changes_total{")).map(str::to_owned).collect()
}

#[tokio::test(start_paused = true)]
async fn each_identity_gets_its_entry_in_one_pass_and_nothing_is_written_after_that() {
    let mut run = run();
    run.kube.put(policy());
    run.start();
    run.wait(Duration::from_secs(2)).await;
    assert_eq!(entries(&run), wanted());
    assert_eq!(changes(&run), [r#"rolecall_changes_total{change="AddVaultPolicyEntry",outcome="Applied"} 2"#]);
    run.wait(SETTLED).await;
    assert_eq!(run.reason("orders"), "Compliant");
    assert_eq!(run.events(), ["Remediating", "Compliant"]);
    run.wait(24 * HOUR).await;
    assert_eq!(run.azure_writes().len(), 2);

    // Somebody tidies up, and one pass later it is there again.
    run.arm.edit(&vault(), |vault| vault["properties"]["accessPolicies"] = json!([deployers()]));
    run.wait(HOUR).await;
    assert_eq!((entries(&run), run.azure_writes().len()), (wanted().to_vec(), 4));
    assert_eq!(run.reason("orders"), "Compliant");
}

#[tokio::test(start_paused = true)]
async fn an_entry_stays_when_nothing_declares_it_any_more_and_when_the_policy_goes() {
    let mut run = run();
    let mut taking_back = policy();
    taking_back["spec"]["prune"] = json!("Owned");
    taking_back["spec"]["deletionPolicy"] = json!("Revoke");
    let allowed = json!(["AddVaultPolicyEntry", "RevokeRole"]);
    taking_back["spec"]["remediation"]["allow"] = allowed.clone();
    let mut boundary = document(include_str!("../../../examples/orders/boundary.yaml"));
    boundary["spec"]["changes"] = allowed;
    run.kube.put(boundary);
    run.kube.put(taking_back.clone());
    run.start();
    run.wait(HOUR).await;
    assert_eq!(entries(&run), wanted());
    taking_back["spec"]["vaults"] = json!([]);
    run.kube.put(taking_back);
    run.wait(HOUR).await;
    run.kube.delete(POLICY, Some(NAMESPACE), "orders");
    run.wait(HOUR).await;
    assert!(run.kube.get(POLICY, Some(NAMESPACE), "orders").is_none(), "it is gone");
    assert_eq!((entries(&run), run.azure_writes().len()), (wanted().to_vec(), 2));
}

#[tokio::test(start_paused = true)]
async fn what_is_held_says_the_command_that_a_person_would_use() {
    let mut run = run();
    let mut policy = policy();
    policy["spec"]["remediation"]["allow"] = json!([]);
    run.kube.put(policy);
    run.start();
    run.wait(SETTLED).await;
    assert_eq!((run.reason("orders").as_str(), run.azure_writes().len()), ("Held", 0));
    let status = &run.policy("orders")["status"];
    assert_eq!(status["plan"]["held"][0]["change"], "AddVaultPolicyEntry");
    assert_eq!(status["plan"]["held"][0]["reason"], "NotAllowed");
    let told = status["findings"][0]["message"].as_str().expect("a message");
    let command = format!(
        "`az keyvault set-policy --subscription 11111111-aaaa-4bbb-8ccc-000000000001 --resource-group \
         rg-functions-prod --name kv-orders --object-id {SHARED} --secret-permissions get`"
    );
    assert!(told.ends_with(&command), "{told}");
}

#[tokio::test(start_paused = true)]
async fn entries_count_against_the_cap_on_writes() {
    let mut run = run();
    run.settings = Settings { max_writes_per_hour: Some(1), ..Settings::default() };
    run.kube.put(policy());
    run.start();
    run.wait(SETTLED).await;
    assert_eq!((entries(&run).len(), run.azure_writes().len()), (2, 1));
    run.wait(2 * HOUR).await;
    assert_eq!((entries(&run), run.azure_writes().len()), (wanted().to_vec(), 2));
}
