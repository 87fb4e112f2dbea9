//! A step as the `az` commands that do the same, for people who apply it by hand.

mod look;

pub(super) use look::{ByHand, by_hand};

use serde_json::json;

use super::Pass;
use crate::{
    catalog::cosmos_role,
    evaluate::Finding,
    model::{PlatformUse, Scope, Site, Workload, cosmos::account_of},
    plan::{Change, GrantRole, IdentityChange, Step, VaultEntry},
    policy::Identity,
};

/// One command a line.
pub(super) fn commands(step: &Step) -> String {
    match &step.change {
        Change::Grant(grant) => grant_command(grant),
        Change::AddEntry(add) => vault_command(&add.entry),
        Change::Switch(switch) => {
            format!("az keyvault update {} --enable-rbac-authorization true", named(&switch.vault))
        }
        Change::Identity(change) => identity_command(change),
        Change::Reattach(reattach) => {
            let (group, app) = (group_of(reattach.workload), app(&reattach.target));
            let identity = quoted(reattach.identity.as_str());
            format!(
                "az {group} identity remove {app} --identities {identity}\n\
                 az {group} identity assign {app} --identities {identity}"
            )
        }
        Change::Restart(target) => format!("az functionapp restart {}", app(target)),
        Change::Refresh { .. } => {
            let crate::plan::Request { path, api_version, .. } = &step.request;
            format!("az rest --method post --url {}", quoted(&format!("{path}?api-version={api_version}")))
        }
        Change::Revoke(revoke) => format!("az role assignment delete --ids {}", quoted(revoke.grant.id.as_str())),
    }
}

/// What would put a finding right that no step of the plan does.
pub(super) fn remedy(pass: &Pass, finding: &Finding) -> Option<String> {
    if let Some(entry) = VaultEntry::of(finding) {
        let entry = entry.ok().filter(|entry| !pass.plan.adds_entry(&entry.vault, entry.principal))?;
        return Some(vault_command(&entry));
    }
    if let Finding::PlatformIdentity { used_for, declared, .. } = finding {
        return platform_command(pass.evaluation.site.as_ref()?, used_for, declared);
    }
    let Finding::CosmosRoleMissing { principal, role, scope, .. } = finding else { return None };
    let account = account_of(scope);
    let group = account.resource_group();
    let below = scope.as_str().get(account.as_str().len()..).filter(|below| !below.is_empty()).unwrap_or("/");
    Some(format!(
        "az cosmosdb sql role assignment create --subscription {} --resource-group {} --account-name {} \
         --role-definition-id {} --principal-id {principal} --scope {}",
        account.subscription().unwrap_or_default(),
        quoted(group.as_ref().map_or("", |group| group.name())),
        quoted(account.name()),
        cosmos_role(role).map_or_else(|| quoted(role), |role| role.id.clone()),
        quoted(below),
    ))
}

/// Lets the platform act as declared.
fn platform_command(site: &Site, used_for: &PlatformUse, declared: &Identity) -> Option<String> {
    let (group, target) = (group_of(site.workload), app(&site.id));
    Some(match (used_for, declared) {
        (PlatformUse::References, Identity::System) => {
            format!("az {group} update {target} --set keyVaultReferenceIdentity=SystemAssigned")
        }
        (PlatformUse::References, Identity::User(id)) => {
            format!("az {group} update {target} --set {}", quoted(&format!("keyVaultReferenceIdentity={id}")))
        }
        (PlatformUse::Registry { server }, declared) if site.workload == Workload::ContainerApp => {
            let identity = match declared {
                Identity::System => "system",
                Identity::User(id) => id.as_str(),
            };
            format!("az {group} registry set {target} --server {} --identity {}", quoted(server), quoted(identity))
        }
        (PlatformUse::Registry { .. }, declared) => {
            let client = match declared {
                Identity::System => String::new(),
                Identity::User(id) => site.attached.get(id)?.client?.to_string(),
            };
            let properties = json!({ "acrUseManagedIdentityCreds": true, "acrUserManagedIdentityID": client });
            format!("az {group} config set {target} --generic-configurations {}", quoted(&properties.to_string()))
        }
        (PlatformUse::Secret { .. }, _) => return None,
    })
}

fn grant_command(grant: &GrantRole) -> String {
    let name = crate::model::grant_name(&grant.scope, grant.principal, grant.role.id);
    format!(
        "az role assignment create --name {name} --assignee-object-id {} --assignee-principal-type ServicePrincipal \
         --role {} --scope {}",
        grant.principal,
        grant.role.id,
        quoted(grant.scope.as_str())
    )
}

/// What the principal has already is named as well, as in the request: left out, it might be taken away.
fn vault_command(entry: &VaultEntry) -> String {
    let permissions = entry.permissions();
    let permissions = permissions.iter().map(|(on, words)| {
        let words: Vec<_> = words.iter().map(|word| quoted(word)).collect();
        format!("--{}-permissions {}", on.trim_end_matches('s'), words.join(" "))
    });
    format!(
        "az keyvault set-policy {} --object-id {} {}",
        named(&entry.vault),
        entry.principal,
        permissions.collect::<Vec<_>>().join(" "),
    )
}

/// Which resource a command is about.
fn named(resource: &Scope) -> String {
    let group = resource.resource_group();
    format!(
        "--subscription {} --resource-group {} --name {}",
        resource.subscription().unwrap_or_default(),
        quoted(group.as_ref().map_or("", |group| group.name())),
        quoted(resource.name()),
    )
}

/// What is attached stays attached, whichever command it is.
fn identity_command(change: &IdentityChange) -> String {
    let app = app(&change.target);
    let attach: Vec<_> = change.attach.iter().map(|id| quoted(id.as_str())).collect();
    if change.workload == Workload::ContainerApp {
        let system = if change.enable_system { " --system-assigned" } else { "" };
        let user = if attach.is_empty() { String::new() } else { format!(" --user-assigned {}", attach.join(" ")) };
        return format!("az containerapp identity assign {app}{system}{user}");
    }
    // `[system]` and ids may be given together.
    let system = change.enable_system.then(|| quoted("[system]"));
    let identities: Vec<_> = system.into_iter().chain(attach).collect();
    format!("az {} identity assign {app} --identities {}", group_of(change.workload), identities.join(" "))
}

/// The group of commands that is about such a target.
pub(super) fn group_of(workload: Workload) -> &'static str {
    match workload {
        Workload::FunctionApp => "functionapp",
        Workload::WebApp => "webapp",
        Workload::ContainerApp => "containerapp",
        Workload::Machine { .. } => "vm",
    }
}

/// Which app a command is about.
pub(super) fn app(target: &Scope) -> String {
    let group = target.resource_group();
    let group = quoted(group.as_ref().map_or("", |group| group.name()));
    let subscription = target.subscription().unwrap_or_default();
    let name = target.app_name();
    let (app, slot) = name.split_once('/').unwrap_or((&name, ""));
    let slot = if slot.is_empty() { String::new() } else { format!(" --slot {}", quoted(slot)) };
    format!("--subscription {subscription} --resource-group {group} --name {}{slot}", quoted(app))
}

/// One word for a shell. Names come from whoever writes policies, and `rg-(prod)` is a valid name of a resource group.
pub(super) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | ':' | '@');
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AccessEntry, Vault, VaultMode, VaultOperation};

    #[test]
    fn an_access_policy_is_given_with_all_that_its_principal_has() {
        let vault = "/subscriptions/1/resourceGroups/rg-(prod)/providers/Microsoft.KeyVault/vaults/kv-orders";
        let vault = Scope::parse(vault).expect("an id");
        let principal = "52525252-0000-4000-8000-000000000052".parse().expect("a GUID");
        let list = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        let had = [("keys", list(&["wrapKey"])), ("storage", list(&["all"])), ("secrets", list(&["Set"]))];
        let own = AccessEntry {
            object: principal,
            tenant: Some("a".to_owned()),
            compound: false,
            permissions: had.into_iter().map(|(on, words)| (on.to_owned(), words)).collect(),
        };
        let (mode, tenant) = (VaultMode::AccessPolicy, Some("a".to_owned()));
        let seen = Box::new(Vault { id: vault.clone(), mode, tenant, entries: Some(vec![own]), changed: None });
        let missing = [VaultOperation { on: "secrets", name: "get" }].into();
        let entry = VaultEntry { vault, tenant: "a".to_owned(), principal, missing, seen };
        assert_eq!(
            vault_command(&entry),
            "az keyvault set-policy --subscription 1 --resource-group 'rg-(prod)' --name kv-orders --object-id \
             52525252-0000-4000-8000-000000000052 --key-permissions wrapKey --secret-permissions Set get \
             --storage-permissions all"
        );
    }

    #[test]
    fn a_word_is_quoted_when_a_shell_would_read_it_otherwise() {
        let plain = "/subscriptions/1/resourceGroups/rg_one/providers/Microsoft.Web/sites/func-orders";
        assert_eq!(quoted(plain), plain);
        assert_eq!(quoted("rg-(prod)"), "'rg-(prod)'");
        assert_eq!(quoted("[system]"), "'[system]'");
        assert_eq!(quoted("st$(id)"), "'st$(id)'");
        assert_eq!(quoted("it's;id"), r"'it'\''s;id'");
        assert_eq!(quoted(""), "''");
    }
}
