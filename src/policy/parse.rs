//! From the loose resource to a [`Policy`], with every mistake named at once.

mod connections;
mod error;
mod evidence;
mod implied;
mod target;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

pub use error::{PolicyError, Violation};
pub use evidence::COMPONENT;

use self::implied::Implied;
use super::declared::{Identity, Origin, Policy, Requirement, RoleName, VaultRequirement, Wanted};
use crate::{
    api::{self, FunctionIdentityPolicy, SYSTEM_IDENTITY, SystemIdentity},
    catalog::{
        self,
        vault::{Contents, VaultPermission},
    },
    model::{
        Scope,
        spelling::{did_you_mean, nearest},
    },
};

const USER_IDENTITY: &str = "Microsoft.ManagedIdentity/userAssignedIdentities";
const VAULT: &str = "Microsoft.KeyVault/vaults";

/// Shortest time between two passes: a sweep of a subscription is a handful of list calls.
const MIN_INTERVAL: Duration = Duration::from_secs(30);

impl Policy {
    /// Parses the resource. The API server has checked most of this by schema and CEL already; files and old objects
    /// have not seen it.
    pub fn parse(object: &FunctionIdentityPolicy) -> Result<Self, PolicyError> {
        Parser::of(object).policy(object)
    }
}

#[derive(Default)]
struct Parser {
    resources: BTreeMap<String, Scope>,
    identities: BTreeMap<String, Identity>,
    /// Names that were refused where they stand: one mistake is told once.
    refused_resources: BTreeSet<String>,
    refused_identities: BTreeSet<String>,
    /// Something in the policy acts as `system`, also when the rest of that entry is wrong.
    uses_system: bool,
    /// The name of the entry that is being read; empty outside of lists.
    entry: String,
    violations: Vec<Violation>,
}

impl Parser {
    fn of(object: &FunctionIdentityPolicy) -> Self {
        let mut parser = Self::default();
        let api::BaseScope { subscription_id, resource_group } = &object.spec.scope;
        let base = parser.base(subscription_id, resource_group);
        for (name, text) in &object.spec.resources {
            let field = format!("spec.resources.{name}");
            let id = if text.starts_with('/') {
                Scope::parse(text)
            } else {
                let Some(base) = &base else {
                    parser.refused_resources.insert(name.clone());
                    continue;
                };
                Scope::parse(&format!("{base}/providers/{text}"))
            };
            let problem = match id {
                Ok(id) if !id.resource_type().is_some_and(|kind| id.is_type(&kind)) => {
                    format!("`{id}` is not the id of a resource: `<type>/<name>` is missing")
                }
                Ok(id) if !id.subscription().is_some_and(is_guid) => {
                    format!("`{id}` is not in a subscription: it must begin with `/subscriptions/<GUID>/`")
                }
                Ok(id) => {
                    parser.resources.insert(name.clone(), id);
                    continue;
                }
                Err(error) => error.to_string(),
            };
            parser.refused_resources.insert(name.clone());
            parser.fault(&field, problem);
        }
        parser.identities.insert(SYSTEM_IDENTITY.to_owned(), Identity::System);
        parser
    }

    /// What relative ids are completed with.
    fn base(&mut self, subscription_id: &str, resource_group: &str) -> Option<Scope> {
        if !is_guid(subscription_id) {
            self.fault("spec.scope.subscriptionId", format!("`{subscription_id}` is not a GUID"));
            return None;
        }
        if resource_group.contains('/') {
            let problem = format!("`{resource_group}` is not the name of a resource group");
            self.fault("spec.scope.resourceGroup", problem);
            return None;
        }
        Scope::parse(&format!("/subscriptions/{subscription_id}/resourceGroups/{resource_group}"))
            .map_err(|error| self.fault("spec.scope.resourceGroup", error.to_string()))
            .ok()
    }

    fn policy(mut self, object: &FunctionIdentityPolicy) -> Result<Policy, PolicyError> {
        // Destructured without `..`, so that a new field must be handled here.
        let api::FunctionIdentityPolicySpec {
            mode,
            gate,
            criticality,
            suspend,
            interval,
            scope: _,
            resources: _,
            target,
            identities: api::Identities { system, user, key_vault_references },
            platform,
            bindings,
            grants,
            vaults,
            role_set,
            settings,
            evidence,
            network,
            remediation: api::Remediation { allow, max_changes },
            prune,
            deletion_policy,
        } = &object.spec;

        let interval = self.interval(interval);
        let target = self.target(target);
        if let Some(target) = &target {
            self.fits(target, &object.spec);
        }
        let user = self.user_identities(user);
        let references = (!key_vault_references.is_empty())
            .then(|| self.identity("spec.identities.keyVaultReferences", key_vault_references))
            .flatten();
        let mut implied = Implied::of(*role_set, *settings);
        self.platform(platform, &mut implied);
        for (position, binding) in bindings.iter().enumerate() {
            let field = format!("spec.bindings[{position}]");
            self.entry.clone_from(&binding.name);
            if bindings[..position].iter().any(|other| other.name == binding.name) {
                self.fault(&format!("{field}.name"), format!("`{}` is declared twice", binding.name));
            }
            self.binding(&field, binding, &mut implied);
        }
        let Implied { mut requirements, unchecked, connections, keyed: host_by_key, .. } = implied;
        let (connections, uncompared) = connections.into_parts();
        for (position, grant) in grants.iter().enumerate() {
            self.entry.clone_from(&grant.role);
            requirements.extend(self.grant(position, grant));
        }
        let mut expected: Vec<VaultRequirement> = Vec::new();
        for (position, vault) in vaults.iter().enumerate() {
            self.entry.clone_from(&vault.resource);
            let Some(vault) = self.vault(position, vault, *role_set) else { continue };
            if expected.iter().any(|other| other.vault == vault.vault && other.mode != vault.mode) {
                let problem = format!("another entry expects the other mode of vault `{}`", vault.vault.name());
                self.fault(&format!("spec.vaults[{position}].mode"), problem);
            }
            expected.push(vault);
        }
        let vaults = expected;
        self.entry.clear();
        let evidence = evidence.as_ref().and_then(|evidence| self.evidence(target.as_ref(), evidence));

        let system = match system {
            SystemIdentity::Forbidden if self.uses_system => {
                self.fault("spec.identities.system", "is `Forbidden`, but the policy uses the identity `system`");
                SystemIdentity::Forbidden
            }
            SystemIdentity::Optional if self.uses_system => SystemIdentity::Required,
            SystemIdentity::Required | SystemIdentity::Optional | SystemIdentity::Forbidden => *system,
        };
        match target {
            Some(target) if self.violations.is_empty() => Ok(Policy {
                namespace: object.metadata.namespace.clone().unwrap_or_default(),
                name: object.metadata.name.clone().unwrap_or_default(),
                generation: object.metadata.generation.unwrap_or_default(),
                mode: *mode,
                gate: *gate,
                criticality: *criticality,
                triggers: bindings.iter().filter(|one| is_trigger(one)).map(|one| one.name.clone()).collect(),
                suspended: *suspend,
                interval,
                target,
                system,
                user,
                references,
                host_by_key,
                requirements,
                unchecked,
                vaults,
                settings: *settings,
                connections,
                uncompared,
                evidence,
                allow: allow.iter().copied().collect(),
                max_changes: usize::try_from(*max_changes).unwrap_or(usize::MAX),
                network: *network,
                prune: *prune,
                deletion: *deletion_policy,
            }),
            _ => Err(PolicyError { violations: self.violations }),
        }
    }

    fn interval(&mut self, text: &str) -> Duration {
        let parsed = text.parse::<jiff::SignedDuration>().ok().and_then(|duration| Duration::try_from(duration).ok());
        match parsed {
            Some(interval) if interval >= MIN_INTERVAL => interval,
            Some(_) => {
                self.fault("spec.interval", format!("`{text}` is too short: the minimum is 30s"));
                MIN_INTERVAL
            }
            None => {
                self.fault("spec.interval", format!("`{text}` is not a duration such as `10m` or `1h30m`"));
                MIN_INTERVAL
            }
        }
    }

    fn user_identities(&mut self, declared: &[api::UserIdentityRef]) -> Vec<Scope> {
        let mut user = Vec::new();
        for (position, api::UserIdentityRef { name, resource }) in declared.iter().enumerate() {
            let field = format!("spec.identities.user[{position}]");
            self.entry.clone_from(name);
            if name == SYSTEM_IDENTITY {
                self.fault(&format!("{field}.name"), "`system` means the system-assigned identity");
            } else if declared[..position].iter().any(|other| other.name == *name) {
                self.fault(&format!("{field}.name"), format!("`{name}` is declared twice"));
            }
            let Some(id) = self.resource(&format!("{field}.resource"), resource, &[USER_IDENTITY]) else {
                self.refused_identities.insert(name.clone());
                continue;
            };
            self.identities.entry(name.clone()).or_insert_with(|| Identity::User(id.clone()));
            if user.contains(&id) {
                self.fault(&format!("{field}.resource"), format!("`{}` is declared under two names", id.name()));
            }
            user.push(id);
        }
        self.entry.clear();
        user
    }

    fn grant(&mut self, position: usize, grant: &api::DeclaredGrant) -> Option<Requirement> {
        let field = format!("spec.grants[{position}]");
        let api::DeclaredGrant { role, resource, entity, identity } = grant;
        let resource = self.resource(&format!("{field}.resource"), resource, &[]);
        let identity = self.identity(&format!("{field}.identity"), identity);
        let (resource, identity) = (resource?, identity?);
        let scope = self.entity(&field, &resource, entity)?;
        let role = role.parse().map_or_else(|_| RoleName::Name(role.clone()), RoleName::Id);
        Some(Requirement { origins: vec![Origin::Grant(position)], identity, scope, wanted: Wanted::Role(role) })
    }

    fn vault(
        &mut self,
        position: usize,
        vault: &api::VaultExpectation,
        role_set: api::RoleSet,
    ) -> Option<VaultRequirement> {
        let field = format!("spec.vaults[{position}]");
        let api::VaultExpectation { resource, mode, identity, access } = vault;
        let api::VaultAccess { secrets, keys, certificates } = access;
        let id = self.resource(&format!("{field}.resource"), resource, &[VAULT]);
        let identity = self.identity(&format!("{field}.identity"), identity);
        let mut access: Vec<&VaultPermission> = Vec::new();
        for (kind, names) in
            [(Contents::Secrets, secrets), (Contents::Keys, keys), (Contents::Certificates, certificates)]
        {
            for name in names {
                match catalog::vault::permission(kind, name) {
                    Some(known) if access.iter().any(|other| std::ptr::eq(*other, known)) => {}
                    Some(known) => access.push(known),
                    None => {
                        let rows = catalog::vault::permissions().iter().filter(|row| row.kind == kind);
                        let meant = did_you_mean(name, rows.map(|row| row.permission.as_str()));
                        let problem = format!("`{name}` is not a permission on {}{meant}", kind.name());
                        self.fault(&format!("{field}.access.{}", kind.name()), problem);
                    }
                }
            }
        }
        let also = implied::further_roles(role_set, &access);
        Some(VaultRequirement {
            origin: Origin::Vault(resource.clone()),
            vault: id?,
            mode: (*mode).into(),
            identity: identity?,
            access,
            also,
        })
    }

    fn entity(&mut self, field: &str, resource: &Scope, entity: &str) -> Option<Scope> {
        if entity.is_empty() {
            return Some(resource.clone());
        }
        let scope = catalog::entity_scope(resource, entity).and_then(|scope| Scope::parse(scope.as_str()).ok());
        if scope.is_none() {
            let kind = resource.resource_type().unwrap_or_default();
            let meant = nearest_kind(resource, entity).map(|kind| format!("; did you mean `{kind}`?"));
            self.fault(
                &format!("{field}.entity"),
                format!(
                    "`{entity}` is not an entity of a {kind}: write for example {}{}",
                    catalog::entity_example(resource),
                    meant.unwrap_or_default()
                ),
            );
        }
        scope
    }

    /// The resource of that name, which must be of one of the types; of any type when there are none.
    fn resource(&mut self, field: &str, name: &str, types: &[&str]) -> Option<Scope> {
        if name.is_empty() {
            self.fault(field, "is missing: a name in resources");
            return None;
        }
        let Some(id) = self.resources.get(name).cloned() else {
            if !self.refused_resources.contains(name) {
                let meant = did_you_mean(name, self.resources.keys().map(String::as_str));
                self.fault(field, format!("`{name}` is not a name in resources{meant}"));
            }
            return None;
        };
        if types.is_empty() || types.iter().any(|expected| id.is_type(expected)) {
            return Some(id);
        }
        let actual = id.resource_type().unwrap_or_default();
        self.fault(field, format!("`{name}` is a {actual}, not a {}", types.join(" or ")));
        None
    }

    fn identity(&mut self, field: &str, name: &str) -> Option<Identity> {
        if name.is_empty() {
            self.fault(field, "is missing: `system`, or a name in identities.user");
            return None;
        }
        let identity = self.identities.get(name).cloned();
        self.uses_system |= identity == Some(Identity::System);
        if identity.is_none() && !self.refused_identities.contains(name) {
            let meant = did_you_mean(name, self.identities.keys().map(String::as_str));
            self.fault(field, format!("`{name}` is neither `system` nor a name in identities.user{meant}"));
        }
        identity
    }

    fn fault(&mut self, field: &str, problem: impl Into<String>) {
        let problem = problem.into();
        let entry = if problem.contains(&format!("`{}`", self.entry)) { String::new() } else { self.entry.clone() };
        self.violations.push(Violation { field: field.to_owned(), entry, problem });
    }
}

/// The kind of entity that was probably meant, when the one written is none of the resource's.
fn nearest_kind(resource: &Scope, entity: &str) -> Option<&'static str> {
    let written = entity.split('/').next().unwrap_or_default();
    let rows = catalog::binding::rows().iter().filter(|row| row.resources.iter().any(|kind| resource.is_type(kind)));
    let kinds: Vec<_> = rows.flat_map(|row| &row.entities).map(String::as_str).collect();
    if kinds.iter().any(|kind| kind.eq_ignore_ascii_case(written)) { None } else { nearest(written, kinds) }
}

/// A GUID as ARM writes it: with hyphens, without braces.
fn is_guid(text: &str) -> bool {
    text.len() == 36 && text.parse::<uuid::Uuid>().is_ok()
}

/// Types of `function.json` that start functions end in `Trigger`, whatever their direction is called.
fn is_trigger(binding: &api::Binding) -> bool {
    binding.type_.to_ascii_lowercase().ends_with("trigger")
}

#[cfg(test)]
mod tests;
