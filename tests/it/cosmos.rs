//! Cosmos DB's own role assignments through the simulator: read once for several policies, compared, and never written.

use rolecall::{
    api::{FunctionIdentityPolicy, Mode},
    pipeline::Intent,
    report::{ExitCode, Report, json},
    sandbox::arm::{ArmSim, Fault},
};
use serde_json::{Value, json as value};

use crate::azure::{boundaries, example, pipeline, policy};

const ACCOUNT: &str = "/subscriptions/11111111-aaaa-4bbb-8ccc-000000000001/resourceGroups/rg-functions-prod/providers/Microsoft.DocumentDB/databaseAccounts/co-orders";
const IDENTITY: &str = "05e70000-0002-4000-8000-000000000002";
const READER: u8 = 1;
const CONTRIBUTOR: u8 = 2;

/// The example with a trigger on a container in place of its bindings.
fn declared() -> FunctionIdentityPolicy {
    let mut policy = policy();
    policy.spec.mode = Mode::Enforce;
    policy.spec.resources.insert("cosmos".to_owned(), "Microsoft.DocumentDB/databaseAccounts/co-orders".to_owned());
    let trigger = value!({ "name": "changes", "type": "cosmosDBTrigger", "resource": "cosmos",
        "entity": "dbs/sales/colls/orders", "identity": "shared" });
    policy.spec.bindings = vec![serde_json::from_value(trigger).expect("a binding")];
    policy.spec.vaults.clear();
    policy.spec.platform.host_storage = None;
    policy
}

fn account(arm: &ArmSim) {
    arm.insert(value!({ "id": ACCOUNT, "name": "co-orders", "type": "Microsoft.DocumentDB/databaseAccounts" }));
}

fn assign(arm: &ArmSim, number: u8, role: u8, scope: &str) {
    arm.insert(value!({
        "id": format!("{ACCOUNT}/sqlRoleAssignments/0000000{number}-0000-4000-8000-000000000000"),
        "name": format!("0000000{number}-0000-4000-8000-000000000000"),
        "type": "Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments",
        "properties": {
            "roleDefinitionId": format!("{ACCOUNT}/sqlRoleDefinitions/00000000-0000-0000-0000-00000000000{role}"),
            "principalId": IDENTITY,
            "scope": format!("{ACCOUNT}{scope}"),
        },
    }));
}

fn cosmos_reads(arm: &ArmSim) -> usize {
    arm.journal().iter().filter(|request| request.path.contains("/sqlRole")).count()
}

fn writes(arm: &ArmSim) -> usize {
    arm.journal().iter().filter(|request| request.mutating).count()
}

/// Code and message of what concerns the trigger.
fn told(report: &Report) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let report = json(report);
    let findings = report["status"]["findings"].as_array().cloned().unwrap_or_default();
    let own = findings.iter().filter(|finding| finding["subject"] == "bindings/changes");
    own.map(|finding| (text(&finding["code"]), text(&finding["message"]))).collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_assigned_inside_the_account_is_found_there() {
    let (arm, clock) = example();
    account(&arm);
    assign(&arm, 1, READER, "/dbs/sales/colls/orders");
    assign(&arm, 2, CONTRIBUTOR, "/dbs/sales/colls/leases");
    let (pipeline, authority, policy) = (pipeline(&arm, clock), boundaries(), declared());
    let report = pipeline.pass(&policy, &authority, None, Intent::Act).await;
    assert_eq!((told(&report), report.exit_code()), (Vec::new(), ExitCode::Compliant));
    let by: Vec<_> =
        json(&report)["requirements"].as_array().expect("a list").iter().map(|one| one["answer"].clone()).collect();
    assert_eq!(by, ["satisfied", "satisfied"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_is_told_with_the_command_and_nothing_is_written() {
    let (arm, clock) = example();
    account(&arm);
    assign(&arm, 1, READER, "/dbs/sales/colls/orders");
    let (pipeline, authority, policy) = (pipeline(&arm, clock), boundaries(), declared());
    let report = pipeline.pass(&policy, &authority, None, Intent::Act).await;
    let [(code, message)] = &told(&report)[..] else { panic!("{:?}", told(&report)) };
    assert_eq!((code.as_str(), report.exit_code(), writes(&arm)), ("cosmos-role-missing", ExitCode::Drift, 0));
    let command = format!(
        "az cosmosdb sql role assignment create --subscription 11111111-aaaa-4bbb-8ccc-000000000001 --resource-group \
         rg-functions-prod --account-name co-orders --role-definition-id 00000000-0000-0000-0000-000000000002 --principal-id {IDENTITY} --scope \
         /dbs/sales/colls/leases"
    );
    assert!(message.contains(&command), "{message}");
}

#[tokio::test(start_paused = true)]
async fn an_account_that_does_not_answer_is_unknown() {
    let (arm, clock) = example();
    account(&arm);
    let fault = r#"{"method": "GET", "path": "/sqlRoleAssignments", "times": 1000, "answer": {"status": 403}}"#;
    arm.add_fault(serde_json::from_str::<Fault>(fault).expect("a fault is JSON"));
    let (pipeline, authority, policy) = (pipeline(&arm, clock), boundaries(), declared());
    let report = pipeline.pass(&policy, &authority, None, Intent::Act).await;
    let codes: Vec<_> = told(&report).into_iter().map(|(code, _)| code).collect();
    assert_eq!((codes, report.exit_code()), (vec!["unreadable".to_owned()], ExitCode::Undetermined));
}

#[tokio::test(start_paused = true)]
async fn policies_of_one_account_share_what_was_read() {
    let (arm, clock) = example();
    account(&arm);
    let (pipeline, authority) = (pipeline(&arm, clock), boundaries());
    let policies: Vec<_> = (0..20)
        .map(|number| {
            let mut policy = declared();
            policy.metadata.name = Some(format!("orders-{number}"));
            policy
        })
        .collect();
    let passes = policies.iter().map(|policy| pipeline.pass(policy, &authority, None, Intent::Look));
    futures::future::join_all(passes).await;
    assert_eq!(cosmos_reads(&arm), 2, "the definitions and the assignments");
}
