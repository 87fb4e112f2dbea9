//! Which rights each trigger needs, on which account, and the least built-in role that gives them.
//!
//! A need is a set of actions, not a role: any role, or several together, may meet it. Source of the rows unless said
//! otherwise: Microsoft Learn, Azure Functions developer guide and the permission tables of each binding
//! (`functions-*-permissions.md`), with the actions from the storage REST reference and the built-in role dump.

use crate::{
    api::{BindingType, VaultSecretPermission},
    model::Scope,
};

/// Which account a need is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Account {
    /// The entity that the binding names, or the whole resource when it names none.
    Entity,
    /// The resource that the binding names, whatever the entity.
    Resource,
    /// The account behind `AzureWebJobsStorage`. Checked when the policy declares one.
    HostStorage,
}

/// One need: actions that must all be allowed, and the least built-in role that allows them.
#[derive(Clone, Copy, Debug)]
pub struct NeedRow {
    /// What it is for, as a phrase that completes "needed to …".
    pub purpose: &'static str,
    /// On which account.
    pub account: Account,
    /// Control-plane actions.
    pub actions: &'static [&'static str],
    /// Data actions.
    pub data_actions: &'static [&'static str],
    /// The role to grant when the need is not met.
    pub role: &'static str,
}

/// The needs of one trigger type.
#[must_use]
pub fn binding_needs(binding: BindingType) -> &'static [NeedRow] {
    match binding {
        BindingType::BlobTrigger => &BLOB_TRIGGER,
        BindingType::QueueTrigger => &QUEUE_TRIGGER,
        BindingType::ServiceBusTrigger => &SERVICE_BUS_TRIGGER,
        BindingType::EventHubTrigger => &EVENT_HUB_TRIGGER,
    }
}

/// The first word of the entities that a trigger type can listen to.
#[must_use]
pub fn entity_kinds(binding: BindingType) -> &'static [&'static str] {
    match binding {
        BindingType::BlobTrigger => &["containers"],
        BindingType::QueueTrigger => &["queues"],
        BindingType::ServiceBusTrigger => &["queues", "topics"],
        BindingType::EventHubTrigger => &["eventhubs"],
    }
}

/// The needs of the host on its own storage account.
#[must_use]
pub fn host_storage_needs() -> &'static [NeedRow] {
    &HOST_STORAGE
}

/// The need behind one operation on a vault's secrets. Both are met by `Key Vault Secrets User`; `Key Vault Reader`
/// has only the metadata, and `Reader` or `Contributor` have neither. Source: Key Vault RBAC guide.
#[must_use]
pub fn vault_secret_need(operation: VaultSecretPermission) -> &'static NeedRow {
    match operation {
        VaultSecretPermission::Get => &SECRET_GET,
        VaultSecretPermission::List => &SECRET_LIST,
    }
}

// Statics, not constants: a need is told from another by its address.

/// A blob trigger reads its container; it queues poison blobs on the same account; its receipts and its internal
/// work queue are on the host's account. Microsoft's page asks for Storage Blob Data Owner, which adds only POSIX
/// ownership to what these rows need.
static BLOB_TRIGGER: [NeedRow; 3] = [
    NeedRow {
        purpose: "read and track the blobs",
        account: Account::Entity,
        actions: &["Microsoft.Storage/storageAccounts/blobServices/containers/read"],
        data_actions: &[
            "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read",
            "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write",
        ],
        role: "Storage Blob Data Contributor",
    },
    NeedRow {
        purpose: "queue poison blobs",
        account: Account::Resource,
        actions: &["Microsoft.Storage/storageAccounts/queueServices/queues/write"],
        data_actions: &["Microsoft.Storage/storageAccounts/queueServices/queues/messages/write"],
        role: "Storage Queue Data Contributor",
    },
    NeedRow {
        purpose: "keep the trigger's work queue",
        account: Account::HostStorage,
        actions: &["Microsoft.Storage/storageAccounts/queueServices/queues/write"],
        data_actions: &[
            "Microsoft.Storage/storageAccounts/queueServices/queues/messages/write",
            "Microsoft.Storage/storageAccounts/queueServices/queues/messages/process/action",
        ],
        role: "Storage Queue Data Contributor",
    },
];

/// Microsoft's documented pair of roles, one need each. Extending the visibility of a long run and the poison queue
/// want more (`messages/write`, `queues/write`), which the documented roles do not have either.
static QUEUE_TRIGGER: [NeedRow; 2] = [
    NeedRow {
        purpose: "see the queue",
        account: Account::Entity,
        actions: &["Microsoft.Storage/storageAccounts/queueServices/queues/read"],
        data_actions: &["Microsoft.Storage/storageAccounts/queueServices/queues/messages/read"],
        role: "Storage Queue Data Reader",
    },
    NeedRow {
        purpose: "take messages",
        account: Account::Entity,
        actions: &[],
        data_actions: &["Microsoft.Storage/storageAccounts/queueServices/queues/messages/process/action"],
        role: "Storage Queue Data Message Processor",
    },
];

static SERVICE_BUS_TRIGGER: [NeedRow; 1] = [NeedRow {
    purpose: "receive messages",
    account: Account::Entity,
    actions: &[],
    data_actions: &["Microsoft.ServiceBus/*/receive/action"],
    role: "Azure Service Bus Data Receiver",
}];

static EVENT_HUB_TRIGGER: [NeedRow; 2] = [
    NeedRow {
        purpose: "receive events",
        account: Account::Entity,
        actions: &["Microsoft.EventHub/*/eventhubs/consumergroups/read"],
        data_actions: &["Microsoft.EventHub/*/receive/action"],
        role: "Azure Event Hubs Data Receiver",
    },
    NeedRow {
        purpose: "keep checkpoints",
        account: Account::HostStorage,
        actions: &[
            "Microsoft.Storage/storageAccounts/blobServices/containers/read",
            "Microsoft.Storage/storageAccounts/blobServices/containers/write",
        ],
        data_actions: &[
            "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read",
            "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write",
        ],
        role: "Storage Blob Data Contributor",
    },
];

/// Locks, keys and checkpoints of the host are blobs in containers that it creates itself.
static HOST_STORAGE: [NeedRow; 1] = [NeedRow {
    purpose: "coordinate the host",
    account: Account::HostStorage,
    actions: &[
        "Microsoft.Storage/storageAccounts/blobServices/containers/read",
        "Microsoft.Storage/storageAccounts/blobServices/containers/write",
    ],
    data_actions: &[
        "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read",
        "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write",
        "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete",
    ],
    role: "Storage Blob Data Contributor",
}];

static SECRET_GET: NeedRow = NeedRow {
    purpose: "read secrets",
    account: Account::Resource,
    actions: &[],
    data_actions: &["Microsoft.KeyVault/vaults/secrets/getSecret/action"],
    role: "Key Vault Secrets User",
};

static SECRET_LIST: NeedRow = NeedRow {
    purpose: "list secrets",
    account: Account::Resource,
    actions: &[],
    data_actions: &["Microsoft.KeyVault/vaults/secrets/readMetadata/action"],
    role: "Key Vault Secrets User",
};

/// How an entity of a resource is written, for people who wrote it otherwise.
#[must_use]
pub fn entity_example(resource: &Scope) -> &'static str {
    if resource.is_type("Microsoft.Storage/storageAccounts") {
        "`containers/uploads` or `queues/orders`"
    } else if resource.is_type("Microsoft.ServiceBus/namespaces") {
        "`queues/orders` or `topics/orders/subscriptions/billing`"
    } else if resource.is_type("Microsoft.EventHub/namespaces") {
        "`eventhubs/clicks`"
    } else if resource.is_type("Microsoft.KeyVault/vaults") {
        "`secrets/password`"
    } else {
        "nothing: this type has no entities here"
    }
}

/// The scope of an entity of a resource: `containers/uploads` of a storage account is the container `uploads` of its
/// default blob service. None when that resource type has no such entity.
#[must_use]
pub fn entity_scope(resource: &Scope, entity: &str) -> Option<Scope> {
    let segments: Vec<_> = entity.split('/').collect();
    if segments.len() % 2 == 1 || segments.iter().any(|segment| segment.is_empty()) {
        return None;
    }
    let kinds: Vec<_> = segments.iter().step_by(2).map(|kind| kind.to_ascii_lowercase()).collect();
    let kinds: Vec<_> = kinds.iter().map(String::as_str).collect();
    let service = if resource.is_type("Microsoft.Storage/storageAccounts") {
        match kinds.as_slice() {
            ["containers"] => "blobServices/default/",
            ["queues"] => "queueServices/default/",
            ["tables"] => "tableServices/default/",
            _ => return None,
        }
    } else {
        let known = if resource.is_type("Microsoft.ServiceBus/namespaces") {
            matches!(kinds.as_slice(), ["queues" | "topics"] | ["topics", "subscriptions"])
        } else if resource.is_type("Microsoft.EventHub/namespaces") {
            matches!(kinds.as_slice(), ["eventhubs"] | ["eventhubs", "consumergroups"])
        } else if resource.is_type("Microsoft.KeyVault/vaults") {
            matches!(kinds.as_slice(), ["secrets" | "keys" | "certificates"])
        } else {
            false
        };
        if !known {
            return None;
        }
        ""
    };
    Some(resource.child(&format!("{service}{entity}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{catalog::built_in, model::pattern};

    const ALL: [BindingType; 4] = [
        BindingType::BlobTrigger,
        BindingType::QueueTrigger,
        BindingType::ServiceBusTrigger,
        BindingType::EventHubTrigger,
    ];

    #[test]
    fn the_recommended_role_of_each_row_covers_its_need() {
        let rows = ALL.iter().flat_map(|binding| binding_needs(*binding)).chain(host_storage_needs());
        for row in rows.chain([&SECRET_GET, &SECRET_LIST]) {
            let role = built_in(row.role).unwrap_or_else(|| panic!("{} is not in the table", row.role));
            for action in row.actions {
                assert!(role.actions.iter().any(|own| pattern::covers(own, action)), "{}: {action}", row.role);
            }
            for action in row.data_actions {
                assert!(role.data_actions.iter().any(|own| pattern::covers(own, action)), "{}: {action}", row.role);
            }
        }
    }

    #[test]
    fn an_entity_becomes_the_scope_that_azure_uses() {
        let account =
            Scope::parse("/subscriptions/1/resourceGroups/r/providers/Microsoft.Storage/storageAccounts/st1").unwrap();
        let container = entity_scope(&account, "containers/uploads").unwrap();
        assert!(container.as_str().ends_with("/storageAccounts/st1/blobServices/default/containers/uploads"));
        assert!(entity_scope(&account, "topics/a").is_none());
        let bus =
            Scope::parse("/subscriptions/1/resourceGroups/r/providers/Microsoft.ServiceBus/namespaces/b").unwrap();
        assert!(
            entity_scope(&bus, "topics/a/subscriptions/c").unwrap().as_str().ends_with("/b/topics/a/subscriptions/c")
        );
        for odd in ["queues/a/subscriptions/c", "queues", "queues/", "queues/a/b", "topics/a/rules/c", "queues/a//b"] {
            assert!(entity_scope(&bus, odd).is_none(), "{odd}");
        }
    }
}
