//! Why the answers of Microsoft.Authorization are decoded by us and not by the models of `azure_mgmt_authorization`:
//! the evidence for `docs/adr/0002`.

use azure_core_old::headers::{AUTHORIZATION, Headers};
use azure_mgmt_authorization::package_2022_04_01::models;
use rolecall::model::PrincipalKind;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{Category, Recording, of, recordings, replay::Replay};

const SUBSCRIPTION: &str = "9d0e1f2a-0000-4000-8000-000000000007";

fn list_of_assignments() -> Option<Recording> {
    recordings().and_then(|all| all.get(&4)).cloned()
}

/// Members that are there, and gone after the crate's model has read and written the document.
fn lost<T: Serialize + DeserializeOwned>(document: &Value) -> Result<Vec<String>, serde_json::Error> {
    let model: T = serde_json::from_value(document.clone())?;
    let mut lost = Vec::new();
    compare(document, &serde_json::to_value(model)?, "", &mut lost);
    Ok(lost)
}

fn compare(before: &Value, after: &Value, path: &str, lost: &mut Vec<String>) {
    match before {
        Value::Object(members) => {
            for (name, value) in members {
                compare(value, &after[name], &format!("{path}/{name}"), lost);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (position, item) in items.iter().enumerate() {
                compare(item, after.get(position).unwrap_or(&Value::Null), &format!("{path}/{position}"), lost);
            }
        }
        Value::Array(_) | Value::Null => {}
        _ if after.is_null() => lost.push(path.to_owned()),
        _ => {}
    }
}

#[test]
fn the_crate_reads_every_recorded_assignment_and_role_and_loses_nothing() {
    for recording in of(Category::Grants).into_iter().chain(of(Category::Roles)) {
        for document in recording.documents() {
            let lost = match recording.category() {
                Category::Grants => lost::<models::RoleAssignment>(document),
                _ => lost::<models::RoleDefinition>(document),
            };
            assert_eq!(lost.expect("the crate decodes it"), Vec::<String>::new(), "{}", recording.number);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_odd_entry_costs_the_crate_the_whole_page_and_us_at_most_that_entry() {
    let Some(recording) = list_of_assignments() else { return };
    let entries = recording.documents().len();
    let odd: [(&str, Value, usize); 3] = [
        // Names nobody, and so grants nothing.
        ("principalId", Value::Null, entries - 1),
        ("roleDefinitionId", Value::Null, entries - 1),
        // Without a zone, as recorded for another family.
        ("createdOn", json!("2024-12-18T05:52:22"), entries),
    ];
    for (member, value, kept) in odd {
        let mut edited = recording.clone();
        edited.body["value"][1]["properties"][member] = value;
        assert!(lost::<models::RoleAssignmentListResult>(&edited.body).is_err(), "the crate accepts an odd {member}");
        let grants = Replay::client(&edited).grants_of_subscription(SUBSCRIPTION).await.expect("we read the others");
        assert_eq!(grants.len(), kept, "{member}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_type_in_another_casing_is_unknown_to_the_crate_and_known_to_us() {
    let Some(mut recording) = list_of_assignments() else { return };
    recording.body["value"][1]["properties"]["principalType"] = json!("group");
    let page: models::RoleAssignmentListResult = serde_json::from_value(recording.body.clone()).expect("a page");
    let kind = page.value[1].properties.as_ref().and_then(|properties| properties.principal_type.clone());
    assert!(matches!(kind, Some(models::role_assignment_properties::PrincipalType::UnknownValue(_))));
    let grants = Replay::client(&recording).grants_of_subscription(SUBSCRIPTION).await.expect("a list");
    assert_eq!(grants[1].principal_kind, PrincipalKind::Group);
}

#[tokio::test(start_paused = true)]
async fn the_crate_drops_the_condition_of_a_roles_permissions_and_we_keep_it() {
    let Some(mut recording) = recordings().and_then(|all| all.get(&15)).cloned() else { return };
    recording.body["properties"]["permissions"][0]["condition"] = json!("@Resource[a] StringEquals 'b'");
    let lost = lost::<models::RoleDefinition>(&recording.body).expect("the crate decodes it");
    assert_eq!(lost, ["/properties/permissions/0/condition"]);
    recording.body = json!({ "value": [recording.body] });
    let roles = Replay::client(&recording).roles_of_subscription(SUBSCRIPTION).await.expect("a list");
    assert!(roles[0].permissions[0].condition.is_some());
}

#[test]
fn the_crate_takes_a_recorded_answer_that_is_no_list_for_a_list_without_entries() {
    // `{"status": "Enqueued"}` and the document of a storage account, among others.
    let Some(all) = recordings() else { return };
    for number in [96, 99, 80, 10] {
        let page: models::RoleAssignmentListResult = serde_json::from_value(all[&number].body.clone()).expect("a page");
        assert!(page.value.is_empty() && page.next_link.is_none(), "{number}");
    }
}

#[test]
fn the_older_azure_core_prints_the_authorization_header_and_hides_the_others() {
    let mut headers = Headers::new();
    headers.insert(AUTHORIZATION, "Bearer a-secret");
    headers.insert("x-ms-date", "harmless");
    let printed = format!("{headers:?}");
    assert!(printed.contains("a-secret") && !printed.contains("harmless"), "{printed}");
}
