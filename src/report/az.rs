//! A step as the `az` commands that do the same, for people who apply it by hand.

use crate::plan::{Change, GrantRole, IdentityChange, Step};

/// One command a line.
pub(super) fn commands(step: &Step) -> String {
    match &step.change {
        Change::Grant(grant) => grant_command(grant),
        Change::Identity(change) => identity_command(change),
    }
}

fn grant_command(grant: &GrantRole) -> String {
    let name = crate::plan::grant_name(&grant.scope, grant.principal, grant.role);
    format!(
        "az role assignment create --name {name} --assignee-object-id {} --assignee-principal-type ServicePrincipal \
         --role {} --scope {}",
        grant.principal, grant.role, grant.scope
    )
}

fn identity_command(change: &IdentityChange) -> String {
    let group = change.target.resource_group();
    let group = group.as_ref().map_or("", |group| group.name());
    let subscription = change.target.subscription().unwrap_or_default();
    // `[system]` and ids may be given together; what is attached stays attached.
    let system = change.enable_system.then(|| "[system]".to_owned());
    let identities: Vec<_> = system.into_iter().chain(change.attach.iter().map(ToString::to_string)).collect();
    format!(
        "az functionapp identity assign --subscription {subscription} --resource-group {group} --name {} \
         --identities {}",
        change.target.name(),
        identities.join(" ")
    )
}
