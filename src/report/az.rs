//! A step as the `az` commands that do the same, for people who apply it by hand.

use crate::plan::{Change, GrantRole, IdentityChange, Step};

/// One command a line.
pub(super) fn commands(step: &Step) -> String {
    match &step.change {
        Change::Grant(grant) => grant_command(grant),
        Change::Identity(change) => identity_command(change),
        Change::Revoke(revoke) => format!("az role assignment delete --ids {}", quoted(revoke.grant.id.as_str())),
    }
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

fn identity_command(change: &IdentityChange) -> String {
    let group = change.target.resource_group();
    let group = quoted(group.as_ref().map_or("", |group| group.name()));
    let subscription = change.target.subscription().unwrap_or_default();
    // `[system]` and ids may be given together; what is attached stays attached.
    let system = change.enable_system.then(|| quoted("[system]"));
    let attach = change.attach.iter().map(|id| quoted(id.as_str()));
    let identities: Vec<_> = system.into_iter().chain(attach).collect();
    format!(
        "az functionapp identity assign --subscription {subscription} --resource-group {group} --name {} \
         --identities {}",
        quoted(change.target.name()),
        identities.join(" ")
    )
}

/// One word for a shell. Names come from whoever writes policies, and `rg-(prod)` is a valid name of a resource group.
fn quoted(text: &str) -> String {
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
