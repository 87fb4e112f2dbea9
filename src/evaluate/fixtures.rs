//! A world to start a test from, and verbs that change one thing in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};

use super::{Evaluation, evaluate};
use crate::{
    catalog::{self, binding::Form, endpoints::Expected},
    model::{
        AccessEntry, Attachment, ClientId, Condition, Denied, DenyAssignment, Failure, FailureClass, Grant, Grants,
        Observed, PermissionSet, PrincipalId, PrincipalKind, Reading, Role, RoleId, Scope, Site, SubscriptionAccess,
        SystemAssigned, UserIdentity, Vault, VaultMode, Workload,
        evidence::{Evidence, Recovery, Signalled, Summary},
        network::{NetworkSeen, Outbound},
        settings::{Member, TELEMETRY},
    },
    policy::{Connection, Identity, Policy, Wanted, fixtures::kv},
};

pub const SYSTEM: &str = "51515151-0000-4000-8000-000000000051";
pub const SHARED: &str = "52525252-0000-4000-8000-000000000052";
pub const FORMER: &str = "53535353-0000-4000-8000-000000000053";
pub const GROUP: &str = "54545454-0000-4000-8000-000000000054";
/// Whom a deny assignment means by it.
pub const EVERYONE: &str = "00000000-0000-0000-0000-000000000000";
pub const STRANGER: &str = "55555555-0000-4000-8000-000000000055";

pub const TENANT: &str = "7e7e7e7e-0000-4000-8000-00000000007e";

pub fn now() -> Timestamp {
    "2026-03-01T10:00:00Z".parse().expect("a time")
}

pub fn minutes_ago(minutes: i64) -> Timestamp {
    now().checked_sub(SignedDuration::from_mins(minutes)).expect("in range")
}

pub fn principal(id: &str) -> PrincipalId {
    id.parse().expect("a GUID")
}

pub fn role_id(name: &str) -> RoleId {
    catalog::built_in(name).unwrap_or_else(|| panic!("`{name}` is in the catalog")).role_id()
}

pub fn failure(class: FailureClass, code: &str) -> Failure {
    Failure::new(class, code, format!("GET something was answered {code}"))
}

pub fn present<T>(value: T) -> Reading<T> {
    Reading::Present { value, at: now() }
}

fn built_in_roles() -> BTreeMap<RoleId, Role> {
    let role = |known: &catalog::BuiltInRole| Role {
        id: known.role_id(),
        name: known.name.clone(),
        permissions: vec![PermissionSet {
            actions: known.actions.clone(),
            not_actions: known.not_actions.clone(),
            data_actions: known.data_actions.clone(),
            not_data_actions: known.not_data_actions.clone(),
            condition: known.condition.as_deref().and_then(|text| Condition::read(text, None)),
        }],
        changed: None,
    };
    catalog::built_in_roles().iter().map(|known| (known.role_id(), role(known))).collect()
}

/// What Azure answers, readable as a whole until a verb says otherwise.
#[derive(Clone)]
pub struct World {
    pub observed: Observed,
    made: u32,
}

impl World {
    /// Every declared identity and vault is there as declared; nobody holds a role.
    pub fn without_grants(policy: &Policy) -> Self {
        let attachment = |id: &Scope| {
            let (principal, client) = (Some(identity_of(policy, id)), Some(client_of(policy, id)));
            (id.clone(), Attachment { principal, client })
        };
        let site = Site {
            id: policy.target.clone(),
            workload: Workload::FunctionApp,
            system: SystemAssigned::On(principal(SYSTEM)),
            attached: policy.user.iter().map(attachment).collect(),
            stopped: None,
            reference_identity: None,
            outbound: Outbound::Shared,
            under_way: None,
            platform: Vec::new(),
        };
        let user = |id: &Scope| {
            let (principal, client) = (Some(identity_of(policy, id)), Some(client_of(policy, id)));
            let identity = UserIdentity { id: id.clone(), principal, client };
            (id.clone(), present(identity))
        };
        let vault = |required: &crate::policy::VaultRequirement| {
            let entry = access_entry(principal_of(policy, &required.identity), &[("secrets", &["get", "list"])]);
            let vault = Vault {
                changed: None,
                id: required.vault.clone(),
                mode: required.mode,
                tenant: Some(TENANT.to_owned()),
                entries: Some(vec![entry]),
            };
            (required.vault.clone(), present(vault))
        };
        let roles = built_in_roles();
        let access = SubscriptionAccess { grants: Grants::default(), roles, denies: Vec::new() };
        let subscriptions = policy.scopes().into_iter().filter_map(|scope| scope.subscription().map(str::to_owned));
        let observed = Observed {
            target: present(site),
            user: policy.user.iter().map(user).collect(),
            vaults: policy.vaults.iter().map(vault).collect(),
            access: subscriptions.map(|id| (id, present(Arc::new(access.clone())))).collect(),
            unwitnessed: BTreeMap::new(),
            through_groups: BTreeMap::new(),
            ends: BTreeMap::new(),
            host: None,
            references: None,
            registry: None,
            settings: None,
            cloud: "AzureCloud",
            cosmos: BTreeMap::new(),
            resources: BTreeMap::new(),
            evidence: None,
            history: BTreeMap::new(),
            network: NetworkSeen::default(),
            identities: BTreeSet::new(),
            census: BTreeMap::new(),
        };
        Self { observed, made: 0 }
    }

    /// The same, and every requirement is met by an old grant of its recommended role.
    pub fn matching(policy: &Policy) -> Self {
        let mut world = Self::without_grants(policy);
        for requirement in &policy.requirements {
            let role = match &requirement.wanted {
                Wanted::Need(need) => need.role.clone(),
                Wanted::Role(role) => role.to_string(),
            };
            world.grant(&principal_of(policy, &requirement.identity).to_string(), &role, &requirement.scope);
        }
        for vault in policy.vaults.iter().filter(|vault| vault.mode == VaultMode::Rbac) {
            let who = principal_of(policy, &vault.identity).to_string();
            world.grant(&who, "Key Vault Secrets User", &vault.vault);
        }
        world
    }

    /// An old grant to a service principal.
    pub fn grant(&mut self, who: &str, role: &str, scope: &Scope) -> &mut Grant {
        self.grant_id(who, role_id(role), scope)
    }

    pub fn grant_id(&mut self, who: &str, role: RoleId, scope: &Scope) -> &mut Grant {
        self.made += 1;
        let id = format!("{scope}/providers/Microsoft.Authorization/roleAssignments/made-{:04}", self.made);
        let grant = Grant {
            id: Scope::lenient(&id),
            principal: principal(who),
            principal_kind: PrincipalKind::ServicePrincipal,
            role,
            scope: scope.clone(),
            condition: None,
            mark: None,
            created_by: None,
            changed: Some(minutes_ago(60 * 24)),
        };
        let mut last = None;
        for (subscription, list) in &mut self.observed.access {
            // What is granted above a subscription is in the list of each.
            let reaches = scope.subscription().is_none_or(|own| own == subscription.as_str());
            if let (true, Reading::Present { value, .. }) = (reaches, list) {
                let grants = &mut Arc::make_mut(value).grants;
                grants.push(grant.clone());
                last = grants.last_mut();
            }
        }
        last.expect("some list takes the grant")
    }

    pub fn group_grant(&mut self, role: &str, scope: &Scope) -> Scope {
        let grant = self.grant(GROUP, role, scope);
        grant.principal_kind = PrincipalKind::Group;
        grant.id.clone()
    }

    /// A role that is defined wherever the policy looks.
    pub fn define(&mut self, id: &str, name: &str, permissions: Vec<PermissionSet>) -> RoleId {
        let id: RoleId = id.parse().expect("a GUID");
        let role = Role { id, name: name.to_owned(), permissions, changed: None };
        self.each_list(|access| {
            access.roles.insert(id, role.clone());
        });
        id
    }

    pub fn deny(&mut self, name: &str, scope: &Scope, who: &str, permission: PermissionSet) {
        let deny = DenyAssignment {
            id: scope.child(&format!("providers/Microsoft.Authorization/denyAssignments/{name}")),
            name: name.to_owned(),
            scope: scope.clone(),
            own_scope_only: false,
            principals: vec![if who == EVERYONE { Denied::Everyone } else { Denied::Principal(principal(who)) }],
            excluded: Vec::new(),
            condition: None,
            permissions: vec![permission],
        };
        self.each_list(|access| access.denies.push(deny.clone()));
    }

    pub fn each_list(&mut self, mut change: impl FnMut(&mut SubscriptionAccess)) {
        for list in self.observed.access.values_mut() {
            if let Reading::Present { value, .. } = list {
                change(Arc::make_mut(value));
            }
        }
    }

    pub fn site(&mut self) -> &mut Site {
        match &mut self.observed.target {
            Reading::Present { value, .. } => value,
            Reading::Absent { .. } | Reading::Unreadable(_) => panic!("the site is readable"),
        }
    }

    /// The vault of the fixtures.
    pub fn vault(&mut self) -> &mut Vault {
        match self.observed.vaults.get_mut(&kv()) {
            Some(Reading::Present { value, .. }) => value,
            other => panic!("the vault is readable: {other:?}"),
        }
    }

    pub fn evaluate(&self, policy: &Policy) -> Evaluation {
        evaluate(policy, &self.observed, now())
    }
}

/// The principal that the fixture gives an identity: `SHARED` to the first, others by position.
fn identity_of(policy: &Policy, id: &Scope) -> PrincipalId {
    let position = policy.user.iter().position(|known| known == id).unwrap_or_default();
    if position == 0 { principal(SHARED) } else { principal(&format!("5a5a5a5a-0000-4000-8000-{position:012}")) }
}

/// The client id that the fixture gives an identity, by position.
pub fn client_of(policy: &Policy, id: &Scope) -> ClientId {
    let position = policy.user.iter().position(|known| known == id).unwrap_or_default();
    format!("c1c1c1c1-0000-4000-8000-{position:012}").parse().expect("a GUID")
}

pub fn principal_of(policy: &Policy, identity: &Identity) -> PrincipalId {
    match identity {
        Identity::System => principal(SYSTEM),
        Identity::User(id) => identity_of(policy, id),
    }
}

pub fn data(actions: &[&str], not: &[&str]) -> PermissionSet {
    PermissionSet { data_actions: owned(actions), not_data_actions: owned(not), ..PermissionSet::default() }
}

pub fn control(actions: &[&str], not: &[&str]) -> PermissionSet {
    PermissionSet { actions: owned(actions), not_actions: owned(not), ..PermissionSet::default() }
}

fn owned(list: &[&str]) -> Vec<String> {
    list.iter().map(|&text| text.to_owned()).collect()
}

/// An access policy in the directory of the fixtures.
pub fn access_entry(object: PrincipalId, permissions: &[(&str, &[&str])]) -> AccessEntry {
    let list = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    AccessEntry {
        object,
        tenant: Some(TENANT.to_owned()),
        compound: false,
        permissions: permissions.iter().map(|(on, words)| ((*on).to_owned(), list(words))).collect(),
    }
}

/// Settings that make every connection of the policy as declared.
pub fn right_settings(policy: &Policy) -> Vec<(String, String)> {
    let mut settings = Vec::new();
    for connection in &policy.connections {
        let Connection { name, row, resource, identity, .. } = connection;
        let client = match identity {
            Identity::System => None,
            Identity::User(id) => Some(client_of(policy, id)),
        };
        if row.form == Form::Telemetry {
            let client = client.map(|client| format!(";ClientId={client}")).unwrap_or_default();
            settings.push((TELEMETRY.to_owned(), format!("Authorization=AAD{client}")));
            continue;
        }
        for &member in row.addresses.iter().find(|way| **way != [Member::AccountName]).expect("a way") {
            let service = row.addresses.iter().flatten().copied().find(|it| it.word().ends_with("ServiceUri"));
            let (service, cloud) = (service.unwrap_or(member), "AzureCloud");
            let expected = Expected { resource, member, service, cloud }.endpoint().expect("the table has it");
            let value = expected.canonical.replace("<region>", "westeurope").replace("<subdomain>", "chosen");
            settings.push((member.of(name), value));
        }
        if let Some(client) = client {
            settings.push((Member::Credential.of(name), "managedidentity".to_owned()));
            settings.push((Member::ClientId.of(name), client.to_string()));
        }
    }
    settings
}

/// Telemetry in which nothing was found anywhere.
pub fn silence() -> Evidence {
    let nothing = || Reading::Absent { at: now() };
    let workspace = "/subscriptions/1/resourceGroups/rg/providers/Microsoft.OperationalInsights/workspaces/log-orders";
    Evidence {
        workspace: Scope::parse(workspace).unwrap(),
        role_name: "func-orders".to_owned(),
        window: SignedDuration::from_hours(2),
        dependencies: nothing(),
        credentials: nothing(),
        invocations: nothing(),
        host: nothing(),
        series: Reading::Absent { at: now() },
        recovery: Reading::Absent { at: now() },
        refused: Reading::Absent { at: now() },
        sources: None,
    }
}

/// Telemetry of calls that fail now, with what a service said to them.
pub fn refusals(signal: &str, auth_failures: u64) -> Evidence {
    let told =
        Signalled { signal: signal.to_owned(), count: 7, at: "kv.vault.azure.net".to_owned(), last: minutes_ago(2) };
    let summary = Summary {
        count: 7,
        first: minutes_ago(9),
        last: minutes_ago(2),
        top: Vec::new(),
        more: 0,
        signals: vec![told],
        samples: Vec::new(),
    };
    let figures = Recovery { calls: 3, auth_failures, network_failures: 0, newest: minutes_ago(1) };
    Evidence { dependencies: present(summary), recovery: present(figures), ..silence() }
}
