//! How long a new grant may take to act. Until then a refusal proves nothing, and writing again helps nobody.

use jiff::SignedDuration;

use crate::model::Scope;

/// The time within which a direct grant acts on a resource of that type.
///
/// Source: storage pages name up to 30 minutes for data roles; the Service Bus page up to 5; the RBAC troubleshooting
/// page up to 10 for the rest.
#[must_use]
pub fn direct_grant(scope: &Scope) -> SignedDuration {
    let key = scope.key();
    if key.contains("/providers/microsoft.storage/") {
        SignedDuration::from_mins(30)
    } else if key.contains("/providers/microsoft.servicebus/") {
        SignedDuration::from_mins(5)
    } else {
        SignedDuration::from_mins(10)
    }
}

/// The time that one at a management group or the root may take: the same page says "several hours" for roles with
/// data actions.
pub const MANAGEMENT_GROUP: SignedDuration = SignedDuration::from_hours(6);
