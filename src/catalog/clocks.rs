//! How long a change of rights may take to act. Until then a refusal proves nothing, and writing again helps nobody.

use jiff::SignedDuration;

use crate::model::Scope;

/// How long one kind of change may take.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// What was changed.
    pub cause: &'static str,
    /// The provider of the resource that it is about; none for all others.
    pub provider: Option<&'static str>,
    /// The longest that the source names.
    pub within: SignedDuration,
    /// Where that is said.
    pub source: &'static str,
}

const TROUBLESHOOTING: &str = "MicrosoftDocs/azure-docs articles/role-based-access-control/troubleshooting.md";

/// A grant at a subscription or below, on any resource that has no clock of its own.
const DIRECT: Clock = Clock {
    cause: "a role assignment made or removed, or its custom role changed",
    provider: None,
    within: SignedDuration::from_mins(10),
    source: TROUBLESHOOTING,
};

/// One on the data of a storage account.
const STORAGE: Clock = Clock {
    cause: "a role assignment made or removed",
    provider: Some("Microsoft.Storage"),
    within: SignedDuration::from_mins(30),
    source: "Azure Storage, \"Assign an Azure role for access to blob data\"",
};

/// One on a Service Bus namespace.
const SERVICE_BUS: Clock = Clock {
    cause: "a role assignment made or removed",
    provider: Some("Microsoft.ServiceBus"),
    within: SignedDuration::from_mins(5),
    source: "MicrosoftDocs/azure-docs articles/service-bus-messaging/service-bus-managed-service-identity.md",
};

/// A grant at a management group or the root. The source says "several hours" for roles with data actions.
const MANAGEMENT_GROUP: Clock = Clock {
    cause: "a role assignment made or removed at a management group or above",
    provider: None,
    within: SignedDuration::from_hours(6),
    source: TROUBLESHOOTING,
};

/// A change of who is in a group: the back end of managed identities keeps tokens, and with them the groups.
pub const MEMBERSHIP: Clock = Clock {
    cause: "an identity put into a group or taken out of it",
    provider: None,
    within: SignedDuration::from_hours(24),
    source: "MicrosoftDocs/entra-docs managed-identity-best-practice-recommendations.md",
};

/// An app keeps the values of its Key Vault references.
const REFERENCES: Clock = Clock {
    cause: "access to a secret that an app setting refers to, until the app reads it again by itself",
    provider: Some("Microsoft.KeyVault"),
    within: SignedDuration::from_hours(24),
    source: "MicrosoftDocs/azure-docs articles/app-service/app-service-key-vault-references.md",
};

/// All of them.
pub const CLOCKS: [Clock; 6] = [DIRECT, STORAGE, SERVICE_BUS, MANAGEMENT_GROUP, MEMBERSHIP, REFERENCES];

/// The time within which a grant acts on a resource.
#[must_use]
pub fn of_grant(granted_at: &Scope, resource: &Scope) -> SignedDuration {
    if granted_at.is_above_subscriptions() {
        return MANAGEMENT_GROUP.within;
    }
    let resource = resource.key().rsplit_once("/providers/").and_then(|(_, rest)| rest.split('/').next());
    let is_of = |clock: &&Clock| {
        resource.zip(clock.provider).is_some_and(|(resource, provider)| provider.eq_ignore_ascii_case(resource))
    };
    [STORAGE, SERVICE_BUS].iter().find(is_of).unwrap_or(&DIRECT).within
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_that_of_the_resource_whatever_its_depth_and_casing() {
        let minutes = |path: &str| {
            let id = format!("/subscriptions/1/resourceGroups/microsoft.storage/providers/{path}");
            let scope = Scope::parse(&id).unwrap();
            of_grant(&scope, &scope).as_mins()
        };
        assert_eq!(minutes("Microsoft.Storage/storageAccounts/st/blobServices/default/containers/in"), 30);
        assert_eq!(minutes("MICROSOFT.STORAGE/storageAccounts/st"), 30);
        assert_eq!(minutes("Microsoft.ServiceBus/namespaces/sb/queues/in"), 5);
        assert_eq!(minutes("Microsoft.KeyVault/vaults/kv"), 10);
    }

    #[test]
    fn what_is_granted_above_subscriptions_takes_longest() {
        let bus =
            Scope::parse("/subscriptions/1/resourceGroups/r/providers/Microsoft.ServiceBus/namespaces/b").unwrap();
        let group = Scope::parse("/providers/Microsoft.Management/managementGroups/g").unwrap();
        assert_eq!(of_grant(&group, &bus), SignedDuration::from_hours(6));
        assert_eq!(of_grant(&Scope::parse("/subscriptions/1").unwrap(), &bus), SignedDuration::from_mins(5));
    }
}
