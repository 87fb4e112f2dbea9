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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_that_of_the_resource_whatever_its_depth_and_casing() {
        let minutes = |path: &str| {
            let id = format!("/subscriptions/1/resourceGroups/microsoft.storage/providers/{path}");
            direct_grant(&Scope::parse(&id).unwrap()).as_mins()
        };
        assert_eq!(minutes("Microsoft.Storage/storageAccounts/st/blobServices/default/containers/in"), 30);
        assert_eq!(minutes("MICROSOFT.STORAGE/storageAccounts/st"), 30);
        assert_eq!(minutes("Microsoft.ServiceBus/namespaces/sb/queues/in"), 5);
        assert_eq!(minutes("Microsoft.KeyVault/vaults/kv"), 10);
        assert!(MANAGEMENT_GROUP > direct_grant(&Scope::parse("/subscriptions/1").unwrap()));
    }
}
