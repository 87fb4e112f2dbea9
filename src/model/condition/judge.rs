//! What an expression says of a request.

use super::{
    Truth,
    expression::{Attribute, Expression, Side, Source},
};
use crate::model::{PrincipalId, PrincipalKind, RoleId, Scope, pattern};

/// What is known of a request before it is made.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// On the data plane.
    pub data: bool,
    /// The action, written out without a `*`.
    pub action: &'a str,
    /// Where. What lies below may be meant as well.
    pub resource: &'a Scope,
    /// The role assignment that is made or deleted, when the action does that and it is known.
    pub assignment: Option<Assignment>,
}

/// What a request to make or delete a role assignment says.
#[derive(Clone, Copy, Debug)]
pub struct Assignment {
    /// Of which role.
    pub role: RoleId,
    /// To whom.
    pub principal: PrincipalId,
    /// What kind of principal that is.
    pub kind: PrincipalKind,
}

/// What the expression says of the request, carried out as that sub-operation of its action.
pub(super) fn judge(expression: &Expression, request: &Request<'_>, sub_operation: Option<&str>) -> Truth {
    let part = |part: &Expression| judge(part, request, sub_operation);
    match expression {
        // The first part that decides, and else the first reason for doubt.
        Expression::All(parts) => joined(parts.iter().map(part), &Truth::False, Truth::True),
        Expression::Any(parts) => joined(parts.iter().map(part), &Truth::True, Truth::False),
        Expression::Not(inner) => match part(inner) {
            Truth::True => Truth::False,
            Truth::False => Truth::True,
            undecided @ Truth::Undecided(_) => undecided,
        },
        Expression::ActionMatches(patterns) => {
            truth(patterns.iter().any(|pattern| pattern::covers(pattern, request.action)))
        }
        Expression::SubOperationMatches(names) => {
            truth(sub_operation.is_some_and(|own| names.iter().any(|name| name.eq_ignore_ascii_case(own))))
        }
        Expression::Exists(attribute) => match value(attribute, request, sub_operation) {
            Some(values) => truth(!values.is_empty()),
            None => unknown(attribute),
        },
        Expression::Compare { left, comparison, right } => {
            let sides = [left, right].map(|side| match side {
                Side::Values(values) => Ok(values.clone()),
                Side::Attribute(attribute) => {
                    value(attribute, request, sub_operation).ok_or_else(|| unknown(attribute))
                }
            });
            match sides {
                [Ok(left), Ok(right)] => comparison.holds(&left, &right).map_or_else(
                    || Truth::Undecided("its condition compares what cannot be compared here".to_owned()),
                    truth,
                ),
                [Err(undecided), _] | [Ok(_), Err(undecided)] => undecided,
            }
        }
    }
}

fn joined(parts: impl Iterator<Item = Truth>, deciding: &Truth, otherwise: Truth) -> Truth {
    let mut doubt = None;
    for part in parts {
        if part == *deciding {
            return part;
        }
        if matches!(part, Truth::Undecided(_)) {
            doubt.get_or_insert(part);
        }
    }
    doubt.unwrap_or(otherwise)
}

fn truth(holds: bool) -> Truth {
    if holds { Truth::True } else { Truth::False }
}

fn unknown(attribute: &Attribute) -> Truth {
    Truth::Undecided(format!("`{attribute}` is not known"))
}

/// The documented attributes that a request tells. Service Bus, Event Hubs and tables document none.
fn value(attribute: &Attribute, request: &Request<'_>, sub_operation: Option<&str>) -> Option<Vec<String>> {
    if attribute.is_sub_operation() {
        return Some(sub_operation.map(str::to_owned).into_iter().collect());
    }
    let name = attribute.name.to_ascii_lowercase();
    if let Some(member) = name.strip_prefix("microsoft.authorization/roleassignments:") {
        return of_assignment(attribute.source, member, request).map(|value| vec![value]);
    }
    let resource_type = name.strip_suffix(":name").filter(|_| attribute.source == Source::Resource)?;
    // Each is documented for the data actions of its own service only.
    let service =
        [BLOBS, QUEUE_MESSAGES].into_iter().find(|service| request.data && pattern::covers(service, request.action))?;
    let known = match resource_type {
        "microsoft.storage/storageaccounts" => true,
        "microsoft.storage/storageaccounts/blobservices/containers" => service != QUEUE_MESSAGES,
        "microsoft.storage/storageaccounts/queueservices/queues" => service == QUEUE_MESSAGES,
        _ => false,
    };
    // Names of accounts, containers and queues have no capitals, whatever the id that names them was written in.
    request.resource.name_of(resource_type).filter(|_| known).map(|name| vec![name.to_owned()])
}

const BLOBS: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/*";
const QUEUE_MESSAGES: &str = "Microsoft.Storage/storageAccounts/queueServices/queues/messages/*";

/// The actions to which attributes are known that others do not have.
pub(super) const ATTRIBUTED_ACTIONS: [&str; 4] = [
    BLOBS,
    QUEUE_MESSAGES,
    "Microsoft.Authorization/roleAssignments/write",
    "Microsoft.Authorization/roleAssignments/delete",
];

/// A request to make an assignment says what it is to be; for one to delete it, the resource does.
fn of_assignment(source: Source, member: &str, request: &Request<'_>) -> Option<String> {
    let verb = match source {
        Source::Request => "write",
        Source::Resource => "delete",
        Source::Principal | Source::Environment => return None,
    };
    let action = format!("Microsoft.Authorization/roleAssignments/{verb}");
    let Assignment { role, principal, kind } =
        request.assignment.filter(|_| !request.data && request.action.eq_ignore_ascii_case(&action))?;
    match (member, kind) {
        ("roledefinitionid", _) => Some(role.to_string()),
        ("principalid", _) => Some(principal.to_string()),
        ("principaltype", PrincipalKind::ServicePrincipal) => Some("ServicePrincipal".to_owned()),
        ("principaltype", PrincipalKind::Group) => Some("Group".to_owned()),
        _ => None,
    }
}
