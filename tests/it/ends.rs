//! Grants of Privileged Identity Management: those that end are advice, and eligibility is no access.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rolecall::{
    api::FindingStatus,
    pipeline::{Intent, Pipeline},
    report::{self, Situation},
    sandbox::arm::{ArmSim, Fault},
};
use serde_json::{Value, json};

use crate::azure::{boundaries, example, pipeline, policy};

const SUBSCRIPTION: &str = "/subscriptions/11111111-aaaa-4bbb-8ccc-000000000001";
const UPLOADS: &str = "/subscriptions/11111111-aaaa-4bbb-8ccc-000000000001/resourceGroups/rg-functions-prod/providers/\
                       Microsoft.Storage/storageAccounts/storderuploads/blobServices/default/containers/invoices";
/// Of the app's system-assigned identity.
const SYSTEM: &str = "5e57e300-0001-4000-8000-000000000001";
const BLOB_CONTRIBUTOR: &str = "ba92f5b4-2d11-453d-a403-e96b0029c9fe";
const NAME: &str = "a5516e00-0042-4000-8000-000000000000";

fn insert(arm: &ArmSim, kind: &str, name: &str, more: &Value) {
    let mut properties = json!({
        "roleDefinitionId":
            format!("{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{BLOB_CONTRIBUTOR}"),
        "principalId": SYSTEM, "principalType": "ServicePrincipal", "scope": UPLOADS,
    });
    for (member, value) in more.as_object().expect("members") {
        properties[member] = value.clone();
    }
    let kind = format!("Microsoft.Authorization/{kind}");
    let id = format!("{UPLOADS}/providers/{kind}/{name}");
    arm.insert(json!({ "id": id, "name": name, "type": kind, "properties": properties }));
}

/// The role that the example lacks, as somebody else granted it long ago.
fn grant(arm: &ArmSim) {
    let long_ago = json!({ "createdOn": "2025-11-03T08:15:42Z", "updatedOn": "2025-11-03T08:15:42Z" });
    insert(arm, "roleAssignments", NAME, &long_ago);
}

/// What Azure keeps of a grant for a time.
fn schedule(arm: &ArmSim, ends: Timestamp) {
    let origin = format!("{UPLOADS}/providers/Microsoft.Authorization/roleAssignments/{NAME}");
    let more = json!({
        "status": "Provisioned", "assignmentType": "Assigned", "memberType": "Direct",
        "originRoleAssignmentId": origin, "startDateTime": "2025-11-03T08:15:42Z", "endDateTime": ends.to_string(),
    });
    insert(arm, "roleAssignmentScheduleInstances", "5c4ed000-0042-4000-8000-000000000000", &more);
}

/// How often a list of schedules of that kind was asked for.
fn asked(arm: &ArmSim, kind: &str) -> usize {
    arm.journal().iter().filter(|request| request.path.ends_with(&format!("/{kind}"))).count()
}

async fn look(pipeline: &Pipeline, at: Timestamp) -> (Situation, Vec<FindingStatus>) {
    let report = pipeline.pass(&policy(), &boundaries(), None, Intent::Look).await;
    (report.situation(), report::status(None, &report, None, at).findings)
}

fn codes(findings: &[FindingStatus]) -> Vec<&str> {
    findings.iter().map(|finding| finding.code.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn access_that_ends_in_five_days_is_told_and_the_list_is_read_once_an_hour() {
    let (arm, clock) = example();
    let pipeline = pipeline(&arm, clock);
    grant(&arm);
    let (before, _) = look(&pipeline, clock.now()).await;
    let ends = clock.now().checked_add(SignedDuration::from_hours(5 * 24)).unwrap();
    schedule(&arm, ends);
    // Known to end at no time, for an hour.
    tokio::time::sleep(Duration::from_mins(59)).await;
    assert_eq!(look(&pipeline, clock.now()).await.0, before);
    assert_eq!(asked(&arm, "roleAssignmentScheduleInstances"), 1);

    for (minutes, times) in [(2, 2), (30, 2), (31, 3)] {
        tokio::time::sleep(Duration::from_mins(minutes)).await;
        let (situation, findings) = look(&pipeline, clock.now()).await;
        assert_eq!(situation, Situation::CompliantWithFindings);
        let told = findings.iter().find(|finding| finding.code == "grant-ends").expect("it is told");
        assert!(told.message.contains(&ends.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()), "{}", told.message);
        assert_eq!(asked(&arm, "roleAssignmentScheduleInstances"), times);
    }
}

#[tokio::test(start_paused = true)]
async fn a_directory_without_the_licence_and_every_other_failure_is_as_if_nothing_ended() {
    let unlicensed = json!({ "status": 400, "code": "AadPremiumLicenseRequired",
        "message": "The tenant needs to have Microsoft Entra ID P2 or Microsoft Entra ID Governance license." });
    let answers = [
        unlicensed,
        json!({ "status": 403, "code": "AuthorizationFailed" }),
        json!({ "status": 404, "code": "NotFound" }),
        json!({ "status": 500 }),
        json!({ "status": 429, "headers": { "Retry-After": "17" } }),
        json!("html"),
        json!("endless"),
        json!("hang"),
    ];
    for answer in answers {
        let (arm, clock) = example();
        let pipeline = pipeline(&arm, clock);
        grant(&arm);
        schedule(&arm, clock.now().checked_add(SignedDuration::from_hours(24)).unwrap());
        let fault = json!({ "path": "/roleAssignmentScheduleInstances", "times": 1000, "answer": answer });
        arm.add_fault(serde_json::from_value::<Fault>(fault).expect("a fault is JSON"));
        let mut requests = 0;
        for pass in 0..3 {
            let (situation, findings) = look(&pipeline, clock.now()).await;
            let is_well = matches!(situation, Situation::Compliant | Situation::CompliantWithFindings);
            assert!(is_well && !codes(&findings).contains(&"grant-ends"), "{answer}: {situation:?}");
            let now = asked(&arm, "roleAssignmentScheduleInstances");
            assert!(now > 0 && (pass == 0 || now == requests), "{answer}: asked again at once");
            requests = now;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn eligibility_is_no_access_and_is_not_even_asked_about() {
    let (arm, clock) = example();
    insert(&arm, "roleEligibilityScheduleInstances", NAME, &json!({ "status": "Provisioned", "memberType": "Direct" }));
    let pipeline = pipeline(&arm, clock);
    let (_, findings) = look(&pipeline, clock.now()).await;
    assert_eq!(codes(&findings), ["role-missing"]);
    assert_eq!(asked(&arm, "roleEligibilityScheduleInstances"), 0);
    assert_eq!(asked(&arm, "roleAssignmentScheduleInstances"), 0, "there is something graver to tell");
    // The same document as an assignment would have been enough.
    grant(&arm);
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert!(!codes(&look(&pipeline, clock.now()).await.1).contains(&"role-missing"));
}
