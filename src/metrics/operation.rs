//! Requests to Azure by what they do: the verb and the type, with every id taken out.

/// Every operation that is sent. One that is missing here is counted as `other`.
pub const OPERATIONS: [&str; 54] = [
    "GET Microsoft.App/containerApps",
    "GET Microsoft.App/containerApps/{name}",
    "PATCH Microsoft.App/containerApps/{name}",
    "GET Microsoft.Authorization/denyAssignments",
    "GET Microsoft.Authorization/permissions",
    "GET Microsoft.Authorization/roleAssignments",
    "GET Microsoft.Authorization/roleAssignmentScheduleInstances",
    "GET Microsoft.Authorization/roleAssignments/{name}",
    "PUT Microsoft.Authorization/roleAssignments/{name}",
    "DELETE Microsoft.Authorization/roleAssignments/{name}",
    "GET Microsoft.Authorization/roleDefinitions",
    "GET Microsoft.Authorization/roleDefinitions/{name}",
    "GET Microsoft.Compute/virtualMachines",
    "GET Microsoft.Compute/virtualMachines/{name}",
    "PATCH Microsoft.Compute/virtualMachines/{name}",
    "GET Microsoft.DocumentDB/databaseAccounts/{name}/sqlRoleAssignments",
    "GET Microsoft.DocumentDB/databaseAccounts/{name}/sqlRoleDefinitions",
    "GET Microsoft.DocumentDB/databaseAccounts",
    "GET Microsoft.DocumentDB/databaseAccounts/{name}",
    "GET Microsoft.EventHub/namespaces",
    "GET Microsoft.EventHub/namespaces/{name}",
    "GET Microsoft.EventHub/namespaces/{name}/networkRuleSets/{name}",
    "GET Microsoft.Insights/components/{name}",
    "GET Microsoft.Insights/eventtypes/{name}/values",
    "GET Microsoft.Insights/metrics",
    "GET Microsoft.KeyVault/vaults",
    "GET Microsoft.KeyVault/vaults/{name}",
    "PATCH Microsoft.KeyVault/vaults/{name}",
    "PUT Microsoft.KeyVault/vaults/{name}/accessPolicies/{name}",
    "GET Microsoft.ManagedIdentity/userAssignedIdentities",
    "GET Microsoft.ManagedIdentity/userAssignedIdentities/{name}",
    "GET Microsoft.Network/privateDnsZones/{name}/virtualNetworkLinks",
    "GET Microsoft.Network/privateEndpoints/{name}",
    "GET Microsoft.Network/privateEndpoints/{name}/privateDnsZoneGroups",
    "GET Microsoft.Network/virtualNetworks/{name}",
    "GET Microsoft.Network/virtualNetworks/{name}/subnets/{name}",
    "GET Microsoft.OperationalInsights/workspaces/{name}",
    "GET Microsoft.Resources/subscriptions/resources",
    "GET Microsoft.ServiceBus/namespaces",
    "GET Microsoft.ServiceBus/namespaces/{name}",
    "GET Microsoft.ServiceBus/namespaces/{name}/networkRuleSets/{name}",
    "GET Microsoft.Storage/storageAccounts",
    "GET Microsoft.Storage/storageAccounts/{name}",
    "GET Microsoft.Web/sites",
    "GET Microsoft.Web/sites/{name}",
    "PATCH Microsoft.Web/sites/{name}",
    "POST Microsoft.Web/sites/{name}/restart",
    "GET Microsoft.Web/sites/{name}/config/{name}",
    "POST Microsoft.Web/sites/{name}/config/{name}/list",
    "GET Microsoft.Web/sites/{name}/host/{name}/properties/{name}",
    "GET Microsoft.Web/sites/{name}/config/{name}/appsettings",
    "POST Microsoft.Web/sites/{name}/config/{name}/appsettings/{name}",
    "POST /v1/workspaces/{name}/query",
    "other",
];

/// The operation of a request, one of [`OPERATIONS`].
#[must_use]
pub fn operation(method: &str, path: &str) -> &'static str {
    let template = template(method, path);
    // Azure's casing of types is not to be relied on.
    let known = OPERATIONS.iter().find(|known| template.as_deref().is_some_and(|it| it.eq_ignore_ascii_case(known)));
    known.copied().unwrap_or("other")
}

/// `GET Microsoft.Web/sites/{name}`: the last provider's type; every second segment after it is a name.
fn template(method: &str, path: &str) -> Option<String> {
    if path.to_ascii_lowercase().starts_with("/subscriptions/") && path.split('/').count() == 4 {
        return Some(format!("{method} Microsoft.Resources/subscriptions/{}", path.rsplit('/').next()?));
    }
    // The one request that goes to no Resource Manager.
    if let ["", "v1", "workspaces", _, action] = path.split('/').collect::<Vec<_>>()[..] {
        return Some(format!("{method} /v1/workspaces/{{name}}/{action}"));
    }
    // The last one: an id below another resource, or a group called `providers`, has an earlier one.
    let at = path.to_ascii_lowercase().rfind("/providers/")? + "/providers/".len();
    let mut segments = path.get(at..)?.trim_end_matches('/').split('/');
    let mut template = format!("{method} {}", segments.next()?);
    for (position, segment) in segments.enumerate() {
        template.push('/');
        template.push_str(if position % 2 == 0 { segment } else { "{name}" });
    }
    Some(template)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: &str = "/subscriptions/11111111-aaaa-4bbb-8ccc-000000000001/resourceGroups/rg";

    #[test]
    fn ids_are_taken_out_and_a_list_is_not_a_read_of_one() {
        let site = format!("{GROUP}/providers/Microsoft.Web/sites/func");
        let of_vault = format!("{GROUP}/providers/Microsoft.KeyVault/vaults/kv/providers");
        let cases = [
            ("GET", "/subscriptions/1/providers/Microsoft.Web/sites".to_owned(), "GET Microsoft.Web/sites"),
            ("GET", "/subscriptions/1/resources".to_owned(), "GET Microsoft.Resources/subscriptions/resources"),
            ("GET", "/subscriptions/1/resourceGroups".to_owned(), "other"),
            ("GET", site.clone(), "GET Microsoft.Web/sites/{name}"),
            ("POST", "/v1/workspaces/05e7/query".to_owned(), "POST /v1/workspaces/{name}/query"),
            ("PATCH", site.to_ascii_uppercase(), "PATCH Microsoft.Web/sites/{name}"),
            ("POST", format!("{site}/config/appsettings/list"), "POST Microsoft.Web/sites/{name}/config/{name}/list"),
            (
                "PUT",
                format!("{of_vault}/Microsoft.Authorization/roleAssignments/1"),
                "PUT Microsoft.Authorization/roleAssignments/{name}",
            ),
            (
                "GET",
                format!("{of_vault}/Microsoft.Authorization/roleAssignments"),
                "GET Microsoft.Authorization/roleAssignments",
            ),
            (
                "GET",
                "/subscriptions/1/resourceGroups/rg/providers/Microsoft.ServiceBus/namespaces/sb/providers/microsoft.insights/metrics"
                    .to_owned(),
                "GET Microsoft.Insights/metrics",
            ),
            (
                "GET",
                "/subscriptions/1/resourceGroups/providers/providers/Microsoft.KeyVault/vaults/providers".to_owned(),
                "GET Microsoft.KeyVault/vaults/{name}",
            ),
        ];
        for (method, path, expected) in cases {
            assert_eq!(operation(method, &path), expected, "{path}");
        }
    }

    #[test]
    fn what_is_not_in_the_table_is_other() {
        for path in ["", "/", "/subscriptions/1", "/providers/", "/providers/Made.Up/things", "/providers/ß/x"] {
            assert_eq!(operation("GET", path), "other", "{path}");
        }
        let site = format!("{GROUP}/providers/Microsoft.Web/sites/func");
        assert_eq!(operation("DELETE", &site), "other");
        assert_eq!(operation("GET", &format!("{site}/slots/staging")), "other");
    }
}
