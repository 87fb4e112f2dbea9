//! The schedules of Privileged Identity Management: which active grants end, and when. A grant that an identity is only
//! eligible for is in another list, which is not read: it is no access, and an identity cannot activate it.

use serde_json::Value;

use super::Azure;
use crate::model::{Ends, Failure, Scope};

/// The newest stable api-version of these lists (`docs/adr/0003`).
const SCHEDULES: &str = "2020-10-01";

impl Azure {
    /// When the time-bound grants of a subscription end. A directory without the licence answers 400
    /// `AadPremiumLicenseRequired`.
    pub async fn ends_of_grants(&self, subscription: &str) -> Result<Ends, Failure> {
        let kind = "providers/Microsoft.Authorization/roleAssignmentScheduleInstances";
        let path = format!("{}/{kind}", Scope::of_subscription(subscription));
        Ok(ends(&self.arm.list(&path, SCHEDULES).await?))
    }
}

/// By the grant's name, which is unique: Microsoft's examples write the scope before it in two forms.
fn ends(entries: &[Value]) -> Ends {
    let schedule = |entry: &Value| {
        let text = |member: &str| entry["properties"][member].as_str();
        let (_, name) = text("originRoleAssignmentId")?.rsplit_once('/')?;
        Some((name.to_owned(), text("endDateTime").and_then(|end| end.parse().ok())))
    };
    entries.iter().filter_map(schedule).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{Grant, PrincipalKind};

    const NAME: &str = "ed9b8180-cef7-4c77-a63c-b8566ecfc412";

    fn entry(origin: &str, end: &Value) -> Value {
        json!({ "properties": {
            "originRoleAssignmentId": origin, "endDateTime": end, "assignmentType": "Assigned", "status": "Accepted",
        } })
    }

    fn grant() -> Grant {
        let id = format!("/subscriptions/1/providers/Microsoft.Authorization/roleAssignments/{NAME}");
        Grant {
            id: Scope::lenient(&id),
            principal: NAME.parse().unwrap(),
            principal_kind: PrincipalKind::ServicePrincipal,
            role: NAME.parse().unwrap(),
            scope: Scope::of_subscription("1"),
            condition: None,
            mark: None,
            created_by: None,
            changed: None,
        }
    }

    #[test]
    fn an_end_is_found_by_the_name_of_the_assignment_whatever_the_form_of_its_scope_and_its_casing() {
        let scopes = ["/subscriptions/1", "/providers/Microsoft.Subscription/subscriptions/1", ""];
        for scope in scopes {
            let name = NAME.to_ascii_uppercase();
            let origin = format!("{scope}/providers/Microsoft.Authorization/RoleAssignments/{name}");
            let ends = ends(&[entry(&origin, &json!("2026-11-10T00:00:00Z"))]);
            assert_eq!(ends.of(&grant()), Some("2026-11-10T00:00:00Z".parse().unwrap()), "{scope}");
        }
    }

    #[test]
    fn of_several_schedules_of_one_assignment_the_longest_counts() {
        let origin = format!("/x/{NAME}");
        let (first, last) = (json!("2026-11-10T00:00:00.91Z"), json!("2026-12-10T00:00:00Z"));
        let both = [entry(&origin, &last), entry(&origin, &first)];
        assert_eq!(ends(&both).of(&grant()), Some("2026-12-10T00:00:00Z".parse().unwrap()));
        let for_ever = [entry(&origin, &first), entry(&origin, &Value::Null)];
        assert_eq!(ends(&for_ever).of(&grant()), None);
    }

    #[test]
    fn an_odd_entry_says_nothing_and_spoils_nothing() {
        let good = entry(&format!("/x/{NAME}"), &json!("2026-11-10T00:00:00Z"));
        let odd = [json!(null), json!({}), entry("", &json!("2026-11-10T00:00:00Z")), json!({ "properties": 7 }), good];
        assert!(ends(&odd).of(&grant()).is_some());
        for end in [json!("soon"), json!(7), json!({})] {
            assert_eq!(ends(&[entry(&format!("/x/{NAME}"), &end)]).of(&grant()), None, "{end}");
        }
    }
}
