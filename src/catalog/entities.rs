//! The entities below a resource that a policy may name, and the scopes they are.

use crate::model::Scope;

/// How an entity of a resource is written, for people who wrote it otherwise.
#[must_use]
pub fn entity_example(resource: &Scope) -> &'static str {
    if resource.is_type("Microsoft.Storage/storageAccounts") {
        "`containers/uploads`, `queues/orders` or `tables/customers`"
    } else if resource.is_type("Microsoft.ServiceBus/namespaces") {
        "`queues/orders` or `topics/orders/subscriptions/billing`"
    } else if resource.is_type("Microsoft.EventHub/namespaces") {
        "`eventhubs/clicks`"
    } else if resource.is_type("Microsoft.KeyVault/vaults") {
        "`secrets/password`"
    } else if resource.is_type("Microsoft.DocumentDB/databaseAccounts") {
        "`dbs/sales/colls/orders`"
    } else if resource.is_type("Microsoft.DurableTask/schedulers") {
        "`taskHubs/orders`"
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
        } else if resource.is_type("Microsoft.DocumentDB/databaseAccounts") {
            // Cosmos DB's own scopes, as SQL role assignments spell them below the account's id.
            matches!(kinds.as_slice(), ["dbs"] | ["dbs", "colls"])
        } else if resource.is_type("Microsoft.DurableTask/schedulers") {
            matches!(kinds.as_slice(), ["taskhubs"])
        } else {
            false
        };
        if !known {
            return None;
        }
        ""
    };
    if resource.is_type("Microsoft.DocumentDB/databaseAccounts") {
        // Case counts inside an account: the words of the scope are written as Cosmos DB writes them.
        let names = segments.iter().skip(1).step_by(2);
        let written: Vec<_> = kinds.iter().zip(names).map(|(kind, name)| format!("{kind}/{name}")).collect();
        return Some(resource.child(&written.join("/")));
    }
    Some(resource.child(&format!("{service}{entity}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_becomes_the_scope_that_azure_uses() {
        let account =
            Scope::parse("/subscriptions/1/resourceGroups/r/providers/Microsoft.Storage/storageAccounts/st1").unwrap();
        let container = entity_scope(&account, "containers/uploads").unwrap();
        assert!(container.as_str().ends_with("/storageAccounts/st1/blobServices/default/containers/uploads"));
        assert!(entity_scope(&account, "topics/a").is_none());
        let cosmos =
            Scope::parse("/subscriptions/1/resourceGroups/r/providers/Microsoft.DocumentDB/databaseAccounts/c")
                .unwrap();
        assert!(
            entity_scope(&cosmos, "DBS/Sales/Colls/Orders").unwrap().as_str().ends_with("/c/dbs/Sales/colls/Orders")
        );
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
