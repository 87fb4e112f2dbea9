//! What a person looks at, or decides, where no change of this version would help.

use super::{app, group_of, named, quoted};
use crate::{
    evaluate::Finding,
    model::{Scope, TargetKind, VaultMode},
    report::{Pass, words},
};

/// What is done by hand about a finding: in words, by a command, and what to know before.
pub(in crate::report) struct ByHand {
    /// What to do.
    pub(in crate::report) says: String,
    /// The command that does it, or shows where it is to be done.
    pub(in crate::report) command: String,
    /// What it may do besides.
    pub(in crate::report) warning: Option<String>,
}

/// None for a finding that calls for no such thing.
pub(in crate::report) fn by_hand(pass: &Pass, finding: &Finding) -> Option<ByHand> {
    Some(match finding {
        Finding::TargetNotFound { target } => ByHand {
            says: format!(
                "mend the name in the policy, or make the {}; see which there are",
                TargetKind::of(target).noun()
            ),
            command: siblings(target),
            warning: None,
        },
        Finding::TargetStopped { state } => {
            let (group, app) = (group_of(pass.evaluation.site.as_ref()?.workload), app(&pass.policy.target));
            let is_disabled = state == "disabled";
            let set = if is_disabled { " --set enabled=true" } else { "" };
            ByHand {
                says: format!("start `{}` again, once it is known why it was stopped", pass.policy.target.app_name()),
                command: format!("az {group} {} {app}{set}", if is_disabled { "update" } else { "start" }),
                warning: None,
            }
        }
        Finding::NetworkBlocked { resource, by, .. } => ByHand {
            says: format!("{}; see what is let in now", words::way_in(resource, by)),
            command: firewall(resource),
            warning: Some(useless(resource)),
        },
        Finding::ResourceNotReady { resource, .. } => ByHand {
            says: format!("ask the owner of `{}` why it serves nobody; see its state", resource.name()),
            command: show(resource, "{provisioningState:provisioningState,status:status}"),
            warning: None,
        },
        Finding::VaultModeMismatch { vault: id, expected: VaultMode::Rbac, .. } => ByHand {
            says: format!("have vault `{}` decide by role assignments", id.name()),
            command: format!("az keyvault update {} --enable-rbac-authorization true", named(id)),
            warning: Some(format!(
                "warning: everybody in the access policies of `{}` who has no role there loses access; `az keyvault show` \
                 with `--query properties.accessPolicies` lists them",
                id.name()
            )),
        },
        Finding::VaultModeMismatch { vault: id, expected: VaultMode::AccessPolicy, .. } => ByHand {
            says: format!("have vault `{}` decide by access policies, or declare `mode: RBAC`", id.name()),
            command: format!("az keyvault update {} --enable-rbac-authorization false", named(id)),
            warning: Some(format!(
                "warning: everybody with a role who is in no access policy of `{}` loses access",
                id.name()
            )),
        },
        _ => return None,
    })
}

/// What is often tried, and lets no app in (`docs/network.md`, with the sources).
fn useless(resource: &Scope) -> String {
    let addresses = if resource.is_type("Microsoft.Storage/storageAccounts") {
        "; nor do its outbound addresses in the same region"
    } else {
        ""
    };
    format!("warning: to let in trusted Azure services (`AzureServices`) does not let an app in{addresses}")
}

/// The names of what there is of that type in the same group.
fn siblings(target: &Scope) -> String {
    let group = target.resource_group();
    format!(
        "az resource list --subscription {} --resource-group {} --resource-type {} --query '[].name'",
        target.subscription().unwrap_or_default(),
        quoted(group.as_ref().map_or("", |group| group.name())),
        quoted(&target.resource_type().unwrap_or_default()),
    )
}

/// Shows the firewall of a resource. Where a service has a command of its own, that is the one that people know.
fn firewall(resource: &Scope) -> String {
    let is = |kind: &str| resource.is_type(kind);
    let rules_of = |group: &str| {
        let named = named(resource).replacen(" --name ", " --namespace-name ", 1);
        format!("az {group} namespace network-rule-set show {named}")
    };
    let asked = |command: &str, query: &str| format!("az {command} show {} --query {}", named(resource), quoted(query));
    if is("Microsoft.Storage/storageAccounts") {
        asked("storage account", "{publicNetworkAccess:publicNetworkAccess,networkRuleSet:networkRuleSet}")
    } else if is("Microsoft.KeyVault/vaults") {
        asked("keyvault", "properties.{publicNetworkAccess:publicNetworkAccess,networkAcls:networkAcls}")
    } else if is("Microsoft.ServiceBus/namespaces") {
        rules_of("servicebus")
    } else if is("Microsoft.EventHub/namespaces") {
        rules_of("eventhubs")
    } else if is("Microsoft.DocumentDB/databaseAccounts") {
        let query = "{publicNetworkAccess:publicNetworkAccess,ipRules:ipRules,virtualNetworkRules:virtualNetworkRules}";
        asked("cosmosdb", query)
    } else {
        show(resource, "{publicNetworkAccess:publicNetworkAccess,networkAcls:networkAcls}")
    }
}

/// Shows some properties of any resource.
fn show(resource: &Scope, members: &str) -> String {
    format!("az resource show --ids {} --query {}", quoted(resource.as_str()), quoted(&format!("properties.{members}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_service_has_the_command_that_shows_its_firewall() {
        let told = |path: &str| {
            firewall(&Scope::parse(&format!("/subscriptions/1/resourceGroups/rg/providers/{path}")).unwrap())
        };
        let group = "--subscription 1 --resource-group rg";
        assert_eq!(
            told("Microsoft.Storage/storageAccounts/st"),
            format!(
                "az storage account show {group} --name st --query \
                 '{{publicNetworkAccess:publicNetworkAccess,networkRuleSet:networkRuleSet}}'"
            )
        );
        assert_eq!(
            told("Microsoft.KeyVault/vaults/kv"),
            format!(
                "az keyvault show {group} --name kv --query \
                 'properties.{{publicNetworkAccess:publicNetworkAccess,networkAcls:networkAcls}}'"
            )
        );
        let bus = format!("az servicebus namespace network-rule-set show {group} --namespace-name sb");
        assert_eq!(told("Microsoft.ServiceBus/namespaces/sb"), bus);
        let hubs = format!("az eventhubs namespace network-rule-set show {group} --namespace-name eh");
        assert_eq!(told("Microsoft.EventHub/namespaces/eh"), hubs);
        assert!(
            told("Microsoft.DocumentDB/databaseAccounts/c").starts_with(&format!("az cosmosdb show {group} --name c"))
        );
        assert_eq!(
            told("Microsoft.Sql/servers/s"),
            "az resource show --ids /subscriptions/1/resourceGroups/rg/providers/Microsoft.Sql/servers/s --query \
             'properties.{publicNetworkAccess:publicNetworkAccess,networkAcls:networkAcls}'"
        );
    }
}
