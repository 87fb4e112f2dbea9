//! H1 where the platform acts for the target, which its own document says: as whom an app resolves the references in its
//! settings, as whom a container is pulled, and as whom a container app reads secrets of vaults.

use super::Finding;
use crate::{
    model::{ActsAs, Failure, FailureClass, Observed, PlatformIdentity, PlatformUse, Reading, Site, TargetKind},
    policy::{Identity, Origin, Policy},
};

const REGISTRY: &str = "Microsoft.ContainerRegistry/registries";
static REFERENCES: Origin = Origin::Identities("keyVaultReferences");
/// What the failure of asking who pulls is about: other readings of the registry have its field as their subject.
const IMAGE: &str = "image";
const REGISTRY_FIELD: Origin = Origin::Platform("registry");

/// Adds where another identity is used than declared. What is declared nowhere is the target's own affair. Tells whether
/// an app's own configuration has to say as whom its image is pulled.
pub(super) fn compare(policy: &Policy, observed: &Observed, site: Option<&Site>, findings: &mut Vec<Finding>) -> bool {
    let Some(site) = site else { return false };
    let references = policy.references.as_ref().map(|_| PlatformIdentity {
        used_for: PlatformUse::References,
        by: site.reference_identity.clone().map_or(ActsAs::System, ActsAs::User),
    });
    // What a document leaves out is not certain to be empty, so an app's is only where to look.
    let is_copy = TargetKind::of(&site.id) == TargetKind::App;
    let told = observed.registry.as_ref().and_then(Reading::present);
    let mut ask = false;
    if is_copy && declares_registry(policy) && !site.platform.iter().any(|used| is_pull(&used.used_for)) {
        ask |= asks(observed, findings);
    }
    for used in references.iter().chain(told.unwrap_or(&site.platform)) {
        let declared = match &used.used_for {
            PlatformUse::Registry { server } => pulling(policy, registry_name(server)),
            PlatformUse::Secret { host, .. } => reading(policy, first_label(host)),
            PlatformUse::References => policy.references.iter().map(|identity| (&REFERENCES, identity)).collect(),
        };
        let Some((_, expected)) = declared.first() else { continue };
        if declared.iter().any(|(_, one)| is(&used.by, one)) {
            continue;
        }
        if is_copy && told.is_none() && is_pull(&used.used_for) {
            ask |= asks(observed, findings);
            continue;
        }
        if used.by == ActsAs::Unclear {
            let text = "the client ids of the app's identities are not filled in yet, and one of them pulls its image";
            let failure = Failure::new(FailureClass::Transient, "ClientIdUnknown", text);
            Finding::unreadable(findings, IMAGE.to_owned(), &failure);
            continue;
        }
        findings.push(Finding::PlatformIdentity {
            declared: (*expected).clone(),
            origins: declared.iter().map(|(origin, _)| (*origin).clone()).collect(),
            used: used.by.clone(),
            used_for: used.used_for.clone(),
        });
    }
    ask
}

/// Whether nobody has asked yet as whom the app's image is pulled. Says why that was not answered.
fn asks(observed: &Observed, findings: &mut Vec<Finding>) -> bool {
    if let Some(Reading::Unreadable(failure)) = &observed.registry {
        Finding::unreadable(findings, IMAGE.to_owned(), failure);
    }
    observed.registry.is_none()
}

fn is_pull(used_for: &PlatformUse) -> bool {
    matches!(used_for, PlatformUse::Registry { .. })
}

fn declares_registry(policy: &Policy) -> bool {
    policy.requirements.iter().any(|requirement| requirement.origins.contains(&REGISTRY_FIELD))
}

fn is(by: &ActsAs, identity: &Identity) -> bool {
    match (by, identity) {
        (ActsAs::System, Identity::System) => true,
        (ActsAs::User(one), Identity::User(other)) => one == other,
        (ActsAs::System | ActsAs::User(_) | ActsAs::Unattached(_) | ActsAs::Unclear | ActsAs::Password, _) => false,
    }
}

/// Who is to pull from a registry of that name.
fn pulling<'a>(policy: &'a Policy, name: &str) -> Vec<(&'a Origin, &'a Identity)> {
    let is_it = |scope: &crate::model::Scope| scope.name_of(REGISTRY).is_some_and(|one| one.eq_ignore_ascii_case(name));
    let mut all = Vec::new();
    for requirement in policy.requirements.iter().filter(|requirement| is_it(&requirement.scope)) {
        for origin in requirement.origins.iter().filter(|origin| **origin == REGISTRY_FIELD) {
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

/// The registry that answers under a host name, in any cloud; nothing for one that is not Azure's.
fn registry_name(host: &str) -> &str {
    let is_azures = |domain: &str| domain.to_ascii_lowercase().starts_with("azurecr.");
    host.split_once('.').filter(|(_, domain)| is_azures(domain)).map_or("", |(name, _)| name)
}

/// A vault answers under its name. Where a host name has more in it nothing is compared.
fn first_label(host: &str) -> &str {
    host.split('.').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        evaluate::fixtures::{World, failure, present},
        policy::fixtures::{own, policy, shared, vault},
    };

    fn secret(host: &str, by: ActsAs) -> PlatformIdentity {
        PlatformIdentity { used_for: PlatformUse::Secret { name: "db".to_owned(), host: host.to_owned() }, by }
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
        assert_eq!(told(secret(&host, ActsAs::System)), 1);
        assert_eq!(told(secret(&host, ActsAs::User(shared()))), 0);
        assert_eq!(told(secret("kv-another.vault.azure.net", ActsAs::System)), 0);
    }

    #[test]
    fn an_image_of_the_declared_registry_is_pulled_by_the_declared_identity_or_it_is_told() {
        let policy = policy(|spec| {
            spec.resources.insert("acr".to_owned(), "Microsoft.ContainerRegistry/registries/acrPress".to_owned());
            let registry = serde_json::json!({ "resource": "acr", "identity": "shared" });
            spec.platform.registry = Some(serde_json::from_value(registry).expect("a registry"));
        });
        let told = |server: &str, by: ActsAs| {
            let mut world = World::matching(&policy);
            let used_for = PlatformUse::Registry { server: server.to_owned() };
            world.site().platform = vec![PlatformIdentity { used_for, by }];
            // What a container app's document shows is its configuration; an app's is asked about.
            let is_asked = world.evaluate(&policy).ask_registry;
            world.observed.registry = is_asked.then(|| present(world.site().platform.clone()));
            let findings = world.evaluate(&policy).findings;
            findings.iter().filter(|finding| finding.code() == "platform-wrong-identity").count()
        };
        let other = ActsAs::User(own("Microsoft.ManagedIdentity/userAssignedIdentities/another"));
        let client = ActsAs::Unattached("c11e0000-0003-4000-8000-00000000ffff".to_owned());
        for by in [ActsAs::System, other, client, ActsAs::Password] {
            assert_eq!(told("acrpress.azurecr.io", by.clone()), 1, "{by:?}");
            for another in ["another.azurecr.io", "acrpress.jfrog.io", "acrpress"] {
                assert_eq!(told(another, by.clone()), 0, "{by:?} at {another}");
            }
        }
        assert_eq!(told("ACRPRESS.azurecr.io", ActsAs::User(shared())), 0);

        let mut world = World::matching(&policy);
        let used_for = PlatformUse::Registry { server: "acrpress.azurecr.io".to_owned() };
        let shown = PlatformIdentity { used_for, by: ActsAs::System };
        let as_declared = PlatformIdentity { by: ActsAs::User(shared()), ..shown.clone() };
        let pulled = shown.clone();
        world.site().platform = vec![shown];
        let mut configuration = |seen| {
            world.observed.registry = Some(seen);
            let evaluation = world.evaluate(&policy);
            assert!(!evaluation.ask_registry, "it was asked");
            evaluation.findings.iter().map(Finding::code).collect::<Vec<_>>()
        };
        let denied = failure(FailureClass::Denied, "AuthorizationFailed");
        assert_eq!(configuration(Reading::Unreadable(denied)), ["unreadable"]);
        assert!(configuration(present(vec![as_declared.clone()])).is_empty(), "the document left it out");
        let unclear = PlatformIdentity { by: ActsAs::Unclear, ..as_declared };
        assert_eq!(configuration(present(vec![unclear])), ["unreadable"]);
        assert!(configuration(Reading::Absent { at: crate::evaluate::fixtures::now() }).is_empty(), "it is gone");

        // The answer of the app need not show its image.
        let mut world = World::matching(&policy);
        world.site().platform.clear();
        assert!(world.evaluate(&policy).ask_registry);
        let denied = failure(FailureClass::Denied, "AuthorizationFailed");
        let by_another = PlatformIdentity { by: ActsAs::System, ..pulled };
        let answers = [Reading::Unreadable(denied), present(vec![by_another]), present(Vec::new())];
        let told = answers.map(|seen| {
            world.observed.registry = Some(seen);
            world.evaluate(&policy).findings.iter().map(Finding::code).collect::<Vec<_>>()
        });
        assert_eq!(told, [vec!["unreadable"], vec!["platform-wrong-identity"], vec![]]);
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
