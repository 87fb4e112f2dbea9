//! From the loose resource to a [`Policy`], with every mistake named at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use super::declared::{Identity, Origin, Policy, Requirement, RoleName, VaultRequirement, Wanted};
use crate::{
    api::{self, BindingType, FunctionIdentityPolicy, SYSTEM_IDENTITY, SystemIdentity},
    catalog::{self, Account, NeedRow},
    model::Scope,
};

const SITE: &str = "Microsoft.Web/sites";
const STORAGE: &str = "Microsoft.Storage/storageAccounts";
const USER_IDENTITY: &str = "Microsoft.ManagedIdentity/userAssignedIdentities";
const VAULT: &str = "Microsoft.KeyVault/vaults";

/// Shortest time between two passes: a sweep of a subscription is a handful of list calls.
const MIN_INTERVAL: Duration = Duration::from_secs(30);

/// Everything that is wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    /// The mistakes, in the order of the fields. Never empty.
    pub violations: Vec<Violation>,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The field, such as `spec.bindings[0].resource`.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, violation) in self.violations.iter().enumerate() {
            let separator = if position == 0 { "" } else { "; " };
            write!(f, "{separator}{}: {}", violation.field, violation.problem)?;
        }
        Ok(())
    }
}

impl std::error::Error for PolicyError {}

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
            suspend,
            interval,
            scope: _,
            resources: _,
            target: api::Target { resource: target },
            identities: api::Identities { system, user },
            platform: api::Platform { host_storage },
            bindings,
            grants,
            vaults,
            remediation: api::Remediation { allow, max_changes },
            prune,
            deletion_policy,
        } = &object.spec;

        let interval = self.interval(interval);
        let target = self.resource("spec.target.resource", target, Some(SITE));
        let user = self.user_identities(user);
        let mut requirements = Vec::new();
        let host = host_storage.as_ref().and_then(|host| {
            let account = self.resource("spec.platform.hostStorage.resource", &host.resource, Some(STORAGE));
            let identity = self.identity("spec.platform.hostStorage.identity", &host.identity);
            account.zip(identity)
        });
        if let Some((account, identity)) = &host {
            for need in catalog::host_storage_needs() {
                add(&mut requirements, Origin::HostStorage, identity, account, need);
            }
        }
        for (position, binding) in bindings.iter().enumerate() {
            let field = format!("spec.bindings[{position}]");
            if bindings[..position].iter().any(|other| other.name == binding.name) {
                self.fault(&format!("{field}.name"), format!("`{}` is declared twice", binding.name));
            }
            self.binding(&field, binding, host.as_ref(), &mut requirements);
        }
        for (position, grant) in grants.iter().enumerate() {
            requirements.extend(self.grant(position, grant));
        }
        let mut expected: Vec<VaultRequirement> = Vec::new();
        for (position, vault) in vaults.iter().enumerate() {
            let Some(vault) = self.vault(position, vault) else { continue };
            if expected.iter().any(|other| other.vault == vault.vault && other.mode != vault.mode) {
                let problem = format!("another entry expects the other mode of vault `{}`", vault.vault.name());
                self.fault(&format!("spec.vaults[{position}].mode"), problem);
            }
            expected.push(vault);
        }
        let vaults = expected;

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
                suspended: *suspend,
                interval,
                target,
                system,
                user,
                requirements,
                vaults,
                allow: allow.iter().copied().collect(),
                max_changes: usize::try_from(*max_changes).unwrap_or(usize::MAX),
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
            if name == SYSTEM_IDENTITY {
                self.fault(&format!("{field}.name"), "`system` means the system-assigned identity");
            } else if declared[..position].iter().any(|other| other.name == *name) {
                self.fault(&format!("{field}.name"), format!("`{name}` is declared twice"));
            }
            let Some(id) = self.resource(&format!("{field}.resource"), resource, Some(USER_IDENTITY)) else {
                self.refused_identities.insert(name.clone());
                continue;
            };
            self.identities.entry(name.clone()).or_insert_with(|| Identity::User(id.clone()));
            if user.contains(&id) {
                self.fault(&format!("{field}.resource"), format!("`{}` is declared under two names", id.name()));
            }
            user.push(id);
        }
        user
    }

    fn binding(
        &mut self,
        field: &str,
        binding: &api::Binding,
        host: Option<&(Scope, Identity)>,
        requirements: &mut Vec<Requirement>,
    ) {
        let api::Binding { name, type_, resource, entity, identity } = binding;
        let account_type = match type_ {
            BindingType::BlobTrigger | BindingType::QueueTrigger => STORAGE,
            BindingType::ServiceBusTrigger => "Microsoft.ServiceBus/namespaces",
            BindingType::EventHubTrigger => "Microsoft.EventHub/namespaces",
        };
        let account = self.resource(&format!("{field}.resource"), resource, Some(account_type));
        let identity = self.identity(&format!("{field}.identity"), identity);
        let (Some(account), Some(identity)) = (account, identity) else { return };
        let Some(entity) = self.listened(field, *type_, &account, entity) else { return };
        let origin = Origin::Binding(name.clone());
        for need in catalog::binding_needs(*type_) {
            match need.account {
                Account::Entity => add(requirements, origin.clone(), &identity, &entity, need),
                Account::Resource => add(requirements, origin.clone(), &identity, &account, need),
                Account::HostStorage => {
                    // Without a declared host storage the host uses a connection string, which no role governs.
                    if let Some((account, identity)) = host {
                        add(requirements, origin.clone(), identity, account, need);
                    }
                }
            }
        }
    }

    fn grant(&mut self, position: usize, grant: &api::DeclaredGrant) -> Option<Requirement> {
        let field = format!("spec.grants[{position}]");
        let api::DeclaredGrant { role, resource, entity, identity } = grant;
        let resource = self.resource(&format!("{field}.resource"), resource, None);
        let identity = self.identity(&format!("{field}.identity"), identity);
        let (resource, identity) = (resource?, identity?);
        let scope = self.entity(&field, &resource, entity)?;
        let role = role.parse().map_or_else(|_| RoleName::Name(role.clone()), RoleName::Id);
        Some(Requirement { origins: vec![Origin::Grant(position)], identity, scope, wanted: Wanted::Role(role) })
    }

    fn vault(&mut self, position: usize, vault: &api::VaultExpectation) -> Option<VaultRequirement> {
        let field = format!("spec.vaults[{position}]");
        let api::VaultExpectation { resource, mode, identity, access: api::VaultAccess { secrets } } = vault;
        let id = self.resource(&format!("{field}.resource"), resource, Some(VAULT));
        let identity = self.identity(&format!("{field}.identity"), identity);
        Some(VaultRequirement {
            origin: Origin::Vault(resource.clone()),
            vault: id?,
            mode: (*mode).into(),
            identity: identity?,
            secrets: secrets.iter().copied().collect(),
        })
    }

    /// What a trigger listens to: an entity of its own kind, or the whole resource.
    fn listened(&mut self, field: &str, type_: BindingType, resource: &Scope, entity: &str) -> Option<Scope> {
        let scope = self.entity(field, resource, entity)?;
        let kind = entity.split('/').next().unwrap_or_default();
        let kinds = catalog::entity_kinds(type_);
        if entity.is_empty() || kinds.iter().any(|known| known.eq_ignore_ascii_case(kind)) {
            return Some(scope);
        }
        self.fault(&format!("{field}.entity"), format!("`{entity}` is not of the kind {}", kinds.join(" or ")));
        None
    }

    fn entity(&mut self, field: &str, resource: &Scope, entity: &str) -> Option<Scope> {
        if entity.is_empty() {
            return Some(resource.clone());
        }
        let scope = catalog::entity_scope(resource, entity).and_then(|scope| Scope::parse(scope.as_str()).ok());
        if scope.is_none() {
            let kind = resource.resource_type().unwrap_or_default();
            self.fault(
                &format!("{field}.entity"),
                format!(
                    "`{entity}` is not an entity of a {kind}: write for example {}",
                    catalog::entity_example(resource)
                ),
            );
        }
        scope
    }

    fn resource(&mut self, field: &str, name: &str, resource_type: Option<&str>) -> Option<Scope> {
        let Some(id) = self.resources.get(name).cloned() else {
            if !self.refused_resources.contains(name) {
                self.fault(field, format!("`{name}` is not a name in resources"));
            }
            return None;
        };
        match resource_type {
            Some(expected) if !id.is_type(expected) => {
                let actual = id.resource_type().unwrap_or_default();
                self.fault(field, format!("`{name}` is a {actual}, not a {expected}"));
                None
            }
            _ => Some(id),
        }
    }

    fn identity(&mut self, field: &str, name: &str) -> Option<Identity> {
        let identity = self.identities.get(name).cloned();
        self.uses_system |= identity == Some(Identity::System);
        if identity.is_none() && !self.refused_identities.contains(name) {
            self.fault(field, format!("`{name}` is neither `system` nor a name in identities.user"));
        }
        identity
    }

    fn fault(&mut self, field: &str, problem: impl Into<String>) {
        self.violations.push(Violation { field: field.to_owned(), problem: problem.into() });
    }
}

/// A GUID as ARM writes it: with hyphens, without braces.
fn is_guid(text: &str) -> bool {
    text.len() == 36 && text.parse::<uuid::Uuid>().is_ok()
}

/// Adds a requirement, or one more reason for one that is there: two triggers on one account need its role once.
fn add(
    requirements: &mut Vec<Requirement>,
    origin: Origin,
    identity: &Identity,
    scope: &Scope,
    need: &'static NeedRow,
) {
    let same = requirements.iter_mut().find(|known| {
        known.identity == *identity
            && known.scope == *scope
            && matches!(known.wanted, Wanted::Need(row) if std::ptr::eq(row, need))
    });
    match same {
        Some(known) => known.origins.push(origin),
        None => requirements.push(Requirement {
            origins: vec![origin],
            identity: identity.clone(),
            scope: scope.clone(),
            wanted: Wanted::Need(need),
        }),
    }
}

#[cfg(test)]
mod tests;
