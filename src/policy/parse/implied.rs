//! What bindings and the platform imply: the access that their rows of the catalog ask for, at the scopes that the policy
//! names.

use super::{Parser, connections::Connections};
use crate::{
    api::{self, RoleSet, Settings, StorageAuth},
    catalog::{
        self,
        binding::{self, AccessKind, Account, ColumnEntry, Plane, Row},
        vault::{Contents, VaultPermission},
    },
    model::{
        Scope,
        spelling::{did_you_mean, with_article},
    },
    policy::declared::{Identity, Origin, Requirement, RoleName, Unchecked, Wanted},
};

/// What has been gathered so far.
pub(super) struct Implied {
    role_set: RoleSet,
    /// The host's storage account, when it is reached by identity.
    host: Option<(Scope, Identity)>,
    /// It is reached by a connection string, which no role governs.
    host_by_key: bool,
    /// The account behind it.
    pub(super) keyed: Option<Scope>,
    pub(super) requirements: Vec<Requirement>,
    pub(super) unchecked: Vec<Unchecked>,
    pub(super) connections: Connections,
}

/// The places that a row's needs speak of.
#[derive(Default)]
struct Places<'a> {
    /// Who, at the entity and the resource.
    identity: Option<&'a Identity>,
    entity: Option<&'a Scope>,
    resource: Option<&'a Scope>,
    leases: Option<&'a Scope>,
}

impl Implied {
    pub(super) fn of(role_set: RoleSet, settings: Settings) -> Self {
        let (requirements, unchecked) = (Vec::new(), Vec::new());
        let connections = Connections::of(settings);
        Self { role_set, host: None, host_by_key: false, keyed: None, requirements, unchecked, connections }
    }

    /// Adds what a row asks for. What it asks of a host storage that is not declared is said to be unchecked: by which
    /// identity the host reaches which account, or whether by a connection string, is not known.
    fn add_row(&mut self, origin: &Origin, row: &'static Row, places: &Places<'_>) {
        let wishes = wishes(row, self.role_set);
        let on_host = |(account, _): &(Account, Wanted)| *account == Account::Host;
        if self.host.is_none() && !self.host_by_key && wishes.iter().any(on_host) {
            let because = "needs the host's storage account, which `platform.hostStorage` does not declare";
            self.leave_unchecked(origin.clone(), because);
        }
        for (account, wanted) in wishes {
            let scope = match account {
                Account::Entity => places.entity,
                Account::Resource => places.resource,
                Account::Leases => places.leases,
                Account::Host => self.host.as_ref().map(|(account, _)| account),
            };
            let identity = match account {
                Account::Host => self.host.as_ref().map(|(_, identity)| identity),
                Account::Entity | Account::Resource | Account::Leases => places.identity,
            };
            if let (Some(scope), Some(identity)) = (scope.cloned(), identity.cloned()) {
                self.add(origin.clone(), identity, scope, wanted);
            }
        }
    }

    /// Adds a requirement, or one more reason for one that is there: two triggers on one account need its role once.
    fn add(&mut self, origin: Origin, identity: Identity, scope: Scope, wanted: Wanted) {
        // Databases and containers of Cosmos DB are told apart by their case, Azure's own scopes are not.
        let is_there = |known: &Scope| match wanted.plane() {
            Plane::Azure => *known == scope,
            Plane::Cosmos => known.as_str() == scope.as_str(),
        };
        let same = self
            .requirements
            .iter_mut()
            .find(|known| known.identity == identity && is_there(&known.scope) && known.wanted.is(&wanted));
        match same {
            Some(known) if known.origins.contains(&origin) => {}
            Some(known) => known.origins.push(origin),
            None => self.requirements.push(Requirement { origins: vec![origin], identity, scope, wanted }),
        }
    }

    fn leave_unchecked(&mut self, origin: Origin, because: impl Into<String>) {
        self.unchecked.push(Unchecked { origin, because: because.into() });
    }
}

/// What a row asks for in that column. A column that the table leaves out is that of the needs.
fn wishes(row: &'static Row, role_set: RoleSet) -> Vec<(Account, Wanted)> {
    match column(row, role_set) {
        None => row.needs.iter().map(|need| (need.account, Wanted::Need(need))).collect(),
        Some(entries) => entries.iter().map(|entry| (entry.account, wish(entry))).collect(),
    }
}

fn column(row: &'static Row, role_set: RoleSet) -> Option<&'static [ColumnEntry]> {
    match role_set {
        RoleSet::Least => None,
        RoleSet::Microsoft => row.microsoft.as_deref(),
        RoleSet::Playbook => row.playbook.as_deref(),
    }
}

fn wish(entry: &'static ColumnEntry) -> Wanted {
    match &entry.need {
        Some(need) => Wanted::Need(need),
        None => Wanted::Role(role_name(&entry.role)),
    }
}

fn role_name(role: &str) -> RoleName {
    catalog::built_in(role).map_or_else(|| RoleName::Name(role.to_owned()), |role| RoleName::Id(role.role_id()))
}

/// The roles that a column adds for Key Vault references to those that the permissions ask for anyway.
pub(super) fn further_roles(role_set: RoleSet, access: &[&'static VaultPermission]) -> Vec<RoleName> {
    let reads = access.iter().any(|row| row.kind == Contents::Secrets && row.permission == "get");
    let entries = column(binding::platform("vaults"), role_set).filter(|_| reads).unwrap_or_default();
    let further = entries.iter().filter(|entry| !access.iter().any(|row| row.role == entry.role));
    further.map(|entry| role_name(&entry.role)).collect()
}

impl Parser {
    /// The platform comes first: bindings lean on the host's storage.
    pub(super) fn platform(&mut self, platform: &api::Platform, implied: &mut Implied) {
        let api::Platform { host_storage, deployment_storage, registry, telemetry, app_configuration } = platform;
        if let Some(host) = host_storage {
            self.host_storage(host, implied);
        }
        let single = [("deploymentStorage", deployment_storage), ("registry", registry), ("telemetry", telemetry)];
        for (name, declared) in single {
            if let Some(declared) = declared {
                self.platform_resource(name, &format!("spec.platform.{name}"), declared, implied);
            }
        }
        for (position, declared) in app_configuration.iter().enumerate() {
            let field = format!("spec.platform.appConfiguration[{position}]");
            self.platform_resource("appConfiguration", &field, declared, implied);
        }
    }

    fn host_storage(&mut self, host: &api::HostStorage, implied: &mut Implied) {
        const FIELD: &str = "spec.platform.hostStorage";
        let api::HostStorage { resource, auth, identity } = host;
        let row = binding::platform("hostStorage");
        let account = self.resource(&format!("{FIELD}.resource"), resource, &types(row));
        match auth {
            StorageAuth::Key if !identity.is_empty() => {
                self.fault(&format!("{FIELD}.identity"), "means nothing with `auth: Key`: leave it out");
            }
            StorageAuth::Key => {
                implied.host_by_key = true;
                implied.keyed.clone_from(&account);
                let because = "is reached by a connection string, which no role governs";
                implied.leave_unchecked(Origin::Platform("hostStorage"), because);
            }
            StorageAuth::Identity => {
                let identity = self.identity(&format!("{FIELD}.identity"), identity);
                implied.host = account.zip(identity);
                if let Some((account, identity)) = implied.host.clone() {
                    let places = Places { identity: Some(&identity), resource: Some(&account), ..Places::default() };
                    implied.add_row(&Origin::Platform("hostStorage"), row, &places);
                    implied.connections.add(&Origin::Platform("hostStorage"), row, "", &account, &identity);
                }
            }
        }
    }

    fn platform_resource(
        &mut self,
        name: &'static str,
        field: &str,
        declared: &api::PlatformResource,
        implied: &mut Implied,
    ) {
        let api::PlatformResource { resource, entity, identity } = declared;
        let row = binding::platform(name);
        let resource = self.resource(&format!("{field}.resource"), resource, &types(row));
        let identity = self.identity(&format!("{field}.identity"), identity);
        let (Some(resource), Some(identity)) = (resource, identity) else { return };
        let Some(entity) = self.entity_of(field, row, &resource, entity) else { return };
        implied.connections.add(&Origin::Platform(name), row, "", &resource, &identity);
        let (identity, resource) = (Some(&identity), Some(&resource));
        implied.add_row(
            &Origin::Platform(name),
            row,
            &Places { identity, entity: Some(&entity), resource, leases: None },
        );
    }

    pub(super) fn binding(&mut self, field: &str, binding: &api::Binding, implied: &mut Implied) {
        let api::Binding {
            name,
            type_,
            direction,
            source,
            scaling,
            provider,
            resource,
            entity,
            identity,
            connection,
            leases,
        } = binding;
        let said = [("direction", direction), ("source", source), ("scaling", scaling), ("provider", provider)];
        let row = match binding::row(type_, &said.map(|(member, value)| (member, value.as_str()))) {
            Ok(row) => row,
            Err((member, problem)) => return self.fault(&format!("{field}.{member}"), problem),
        };
        let origin = Origin::Binding(name.clone());
        let keeps_leases = row.needs.iter().any(|need| need.account == Account::Leases);
        if leases.is_some() && !keeps_leases {
            self.fault(&format!("{field}.leases"), format!("means nothing for {}", with_article(type_)));
        }
        let reason = row.reason.as_deref().unwrap_or_default();
        let on_host = row.host_by_default && resource.is_empty();
        if matches!(row.access, AccessKind::None | AccessKind::Unsupported) || on_host {
            let why = match row.access {
                AccessKind::Unsupported => {
                    format!("{} has no identity-based connection: it {reason}", with_article(type_))
                }
                AccessKind::None => format!("{} asks no identity of its own", with_article(type_)),
                AccessKind::Roles | AccessKind::Database => "the identity is that of `platform.hostStorage`".to_owned(),
            };
            for (member, value) in [("resource", resource), ("entity", entity), ("identity", identity)] {
                // What a binding without an identity reaches may still be named.
                if !value.is_empty() && (row.access != AccessKind::Unsupported || member == "identity") {
                    self.fault(&format!("{field}.{member}"), format!("must be left out: {why}"));
                }
            }
            if row.access == AccessKind::Unsupported {
                return implied.leave_unchecked(origin, reason);
            }
            let Some((account, identity)) = implied.host.clone().filter(|_| on_host) else {
                if on_host {
                    let because = "keeps its state on the host's storage account, and no identity is declared for that";
                    implied.leave_unchecked(origin, because);
                } else {
                    implied.add_row(&origin, row, &Places::default());
                }
                return;
            };
            implied.connections.add(&origin, row, connection, &account, &identity);
            let places = Places { identity: Some(&identity), resource: Some(&account), ..Places::default() };
            return implied.add_row(&origin, row, &places);
        }
        let named = row.access == AccessKind::Roles || !resource.is_empty();
        let resource = if named { self.resource(&format!("{field}.resource"), resource, &types(row)) } else { None };
        let identity = self.identity(&format!("{field}.identity"), identity);
        if row.access == AccessKind::Database {
            return implied.leave_unchecked(origin, reason);
        }
        let (Some(resource), Some(identity)) = (resource, identity) else { return };
        let Some(entity) = self.entity_of(field, row, &resource, entity) else { return };
        let leases = if keeps_leases { self.leases(field, row, leases.as_ref(), &resource, &entity) } else { None };
        implied.connections.add(&origin, row, connection, &resource, &identity);
        let (identity, resource, leases) = (Some(&identity), Some(&resource), leases.as_ref());
        implied.add_row(&origin, row, &Places { identity, entity: Some(&entity), resource, leases });
    }

    /// Source of the default: the Azure Cosmos DB trigger page (`leaseDatabaseName`, `leaseContainerName`).
    fn leases(
        &mut self,
        field: &str,
        row: &'static Row,
        declared: Option<&api::Leases>,
        account: &Scope,
        entity: &Scope,
    ) -> Option<Scope> {
        let Some(api::Leases { resource, entity }) = declared else {
            let below = entity.as_str().strip_prefix(account.as_str()).unwrap_or_default();
            let database = below.split('/').nth(2);
            return Some(
                database
                    .map_or_else(|| account.clone(), |database| account.child(&format!("dbs/{database}/colls/leases"))),
            );
        };
        let account = if resource.is_empty() {
            account.clone()
        } else {
            self.resource(&format!("{field}.leases.resource"), resource, &types(row))?
        };
        self.entity_of(&format!("{field}.leases"), row, &account, entity)
    }

    /// What a binding reaches: an entity of one of its kinds, or the whole resource.
    fn entity_of(&mut self, field: &str, row: &Row, resource: &Scope, entity: &str) -> Option<Scope> {
        let scope = self.entity(field, resource, entity)?;
        let kind = entity.split('/').next().unwrap_or_default();
        if entity.is_empty() || row.entities.iter().any(|known| known.eq_ignore_ascii_case(kind)) {
            return Some(scope);
        }
        let problem = if row.entities.is_empty() {
            format!("`{entity}` must be left out: the whole resource is meant")
        } else {
            let meant = did_you_mean(kind, row.entities.iter().map(String::as_str));
            format!("`{entity}` is not of the kind {}{meant}", row.entities.join(" or "))
        };
        self.fault(&format!("{field}.entity"), problem);
        None
    }
}

fn types(row: &Row) -> Vec<&str> {
    row.resources.iter().map(String::as_str).collect()
}

#[cfg(test)]
mod tests;
