//! H1 where the platform acts for the target, which its own document says: as whom an app resolves the references in its
//! settings, and as whom a container app pulls images and reads secrets of vaults.

use super::Finding;
use crate::{
    model::{PlatformIdentity, PlatformUse, Site},
    policy::{Identity, Origin, Policy},
};

const REGISTRY: &str = "Microsoft.ContainerRegistry/registries";
static REFERENCES: Origin = Origin::Identities("keyVaultReferences");

/// Adds where another identity is used than declared. What is declared nowhere is the container app's own affair.
pub(super) fn compare(policy: &Policy, site: Option<&Site>, findings: &mut Vec<Finding>) {
    let Some(site) = site else { return };
    let references = policy
        .references
        .as_ref()
        .map(|_| PlatformIdentity { used_for: PlatformUse::References, identity: site.reference_identity.clone() });
    for used in references.iter().chain(&site.platform) {
        let identity = used.identity.clone().map_or(Identity::System, Identity::User);
        let declared = match &used.used_for {
            PlatformUse::Registry { server } => pulling(policy, first_label(server)),
            PlatformUse::Secret { host, .. } => reading(policy, first_label(host)),
            PlatformUse::References => policy.references.iter().map(|identity| (&REFERENCES, identity)).collect(),
        };
        let Some((_, expected)) = declared.first() else { continue };
        if declared.iter().any(|(_, one)| **one == identity) {
            continue;
        }
        findings.push(Finding::PlatformIdentity {
            declared: (*expected).clone(),
            origins: declared.iter().map(|(origin, _)| (*origin).clone()).collect(),
            used: identity,
            used_for: used.used_for.clone(),
        });
    }
}

/// Who is to pull from a registry of that name.
fn pulling<'a>(policy: &'a Policy, name: &str) -> Vec<(&'a Origin, &'a Identity)> {
    let is_it = |scope: &crate::model::Scope| scope.name_of(REGISTRY).is_some_and(|one| one.eq_ignore_ascii_case(name));
    let mut all = Vec::new();
    for requirement in policy.requirements.iter().filter(|requirement| is_it(&requirement.scope)) {
        for origin in requirement.origins.iter().filter(|origin| matches!(origin, Origin::Platform("registry"))) {
            if !all.contains(&(origin, &requirement.identity)) {
                all.push((origin, &requirement.identity));
            }
        }
    }
    all
}

/// Who is to read a vault of that name.
fn reading<'a>(policy: &'a Policy, name: &str) -> Vec<(&'a Origin, &'a Identity)> {
    let of_it = policy.vaults.iter().filter(|vault| vault.vault.name().eq_ignore_ascii_case(name));
    of_it.map(|vault| (&vault.origin, &vault.identity)).collect()
}

/// A registry and a vault answer under their names. Where a host name has more in it nothing is compared.
fn first_label(host: &str) -> &str {
    host.split('.').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        evaluate::fixtures::World,
        policy::fixtures::{policy, shared, vault},
    };

    fn secret(host: &str, identity: Option<crate::model::Scope>) -> PlatformIdentity {
        PlatformIdentity { used_for: PlatformUse::Secret { name: "db".to_owned(), host: host.to_owned() }, identity }
    }

    #[test]
    fn only_a_declared_vault_that_is_read_by_none_of_its_identities_is_told() {
        let policy = policy(|spec| vault(spec, "RBAC", "shared", &["get"]));
        let told = |used: PlatformIdentity| {
            let mut world = World::matching(&policy);
            world.site().platform = vec![used];
            let findings = world.evaluate(&policy).findings;
            findings.into_iter().filter(|finding| finding.code() == "platform-wrong-identity").count()
        };
        let host = format!("{}.vault.azure.net", policy.vaults[0].vault.name().to_uppercase());
        assert_eq!(told(secret(&host, None)), 1);
        assert_eq!(told(secret(&host, Some(shared()))), 0);
        assert_eq!(told(secret("kv-another.vault.azure.net", None)), 0);
    }

    #[test]
    fn references_are_resolved_as_declared_and_otherwise_not_looked_at() {
        let told = |declared: &str, used: Option<crate::model::Scope>| {
            let policy = policy(|spec| declared.clone_into(&mut spec.identities.key_vault_references));
            let mut world = World::matching(&policy);
            world.site().reference_identity = used;
            let findings = world.evaluate(&policy).findings;
            let wrong = findings.into_iter().filter(|finding| finding.code() == "platform-wrong-identity");
            wrong.map(|finding| finding.subject()).collect::<Vec<_>>()
        };
        assert_eq!(told("shared", None), ["identities/keyVaultReferences"]);
        assert_eq!(told("system", Some(shared())), ["identities/keyVaultReferences"]);
        for (declared, used) in [("shared", Some(shared())), ("system", None), ("", None), ("", Some(shared()))] {
            assert!(told(declared, used).is_empty(), "{declared}");
        }
    }
}
