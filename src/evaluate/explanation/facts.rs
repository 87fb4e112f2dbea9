//! Single facts as Azure told them: where, which member, which value, when.

use jiff::Timestamp;

use super::super::{
    Access, Barrier, ConnectionProblem, Evaluated, Evaluation, Finding, Hypothesis, Reach, Reached, Used, history,
    references, settings,
};
use crate::{
    api::SystemIdentity,
    model::{
        ActsAs, Change, Granted, Observed, PlatformUse, Reading, Scope, Site, TargetKind, VaultMode, cosmos::account_of,
    },
    policy::{Identity, Policy},
};

/// A fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Of which resource.
    pub resource: Scope,
    /// Which member of it, or which list at it.
    pub field: String,
    /// What it said.
    pub value: String,
    /// When it was read; none when it was not read at one moment.
    pub at: Option<Timestamp>,
}

fn fact(resource: &Scope, field: &str, value: impl Into<String>, at: Option<Timestamp>) -> Fact {
    Fact { resource: resource.clone(), field: field.to_owned(), value: value.into(), at }
}

fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn read_at<T>(reading: Option<&Reading<T>>) -> Option<Timestamp> {
    match reading? {
        Reading::Present { at, .. } | Reading::Absent { at } => Some(*at),
        Reading::Unreadable(_) => None,
    }
}

fn listed_at(observed: &Observed, scope: &Scope) -> Option<Timestamp> {
    read_at(observed.access.get(scope.subscription()?))
}

/// The fact behind a finding, and what was changed lately that can have led to it.
pub(super) fn for_it(finding: &Finding, policy: &Policy, observed: &Observed) -> Vec<Fact> {
    let changes = history::led_to(finding, policy, observed).into_iter().map(|(change, read)| {
        let Change { at, operation, resource, grant, correlation } = change;
        let of_grant =
            |grant: &Granted| format!("`{}` for principal {} was removed", role_name(grant, observed), grant.principal);
        let what = grant.as_ref().map_or_else(|| format!("`{operation}`"), of_grant);
        let value = format!("{what} at {}, correlation id {correlation}", moment(*at));
        fact(resource, "activity log", value, Some(read))
    });
    of_finding(finding, policy, observed).into_iter().chain(changes).collect()
}

/// The references that were not resolved, which speak for a hypothesis without confirming it.
pub(super) fn of_references<'a>(
    hypothesis: Hypothesis,
    policy: &'a Policy,
    observed: &'a Observed,
    evaluation: &'a Evaluation,
) -> impl Iterator<Item = Fact> + 'a {
    let unresolved = evaluation.unresolved.iter().filter(move |one| one.hypothesis == hypothesis);
    unresolved.map(|one| of_reference(&one.setting, &one.status, policy, observed))
}

fn of_reference(setting: &str, status: &str, policy: &Policy, observed: &Observed) -> Fact {
    let field = format!("config/configreferences/appsettings/{setting}");
    fact(&policy.target, &field, status, read_at(observed.references.as_ref()))
}

fn role_name(grant: &Granted, observed: &Observed) -> String {
    let access = grant.scope.subscription().and_then(|id| observed.access.get(id)).and_then(Reading::present);
    let role = access.and_then(|access| access.roles.get(&grant.role));
    role.map_or_else(|| grant.role.to_string(), |role| role.name.clone())
}

/// As whom the platform acts, where that is written.
fn of_platform(
    target: &Scope,
    used: &ActsAs,
    used_for: &PlatformUse,
    observed: &Observed,
    seen: Option<Timestamp>,
) -> Fact {
    let is_app = TargetKind::of(target) == TargetKind::App;
    let field = match used_for {
        PlatformUse::Registry { .. } if is_app => "config/web acrUserManagedIdentityID".to_owned(),
        PlatformUse::Registry { server } => format!("configuration.registries[{server}].identity"),
        PlatformUse::Secret { name, .. } => format!("configuration.secrets[{name}].identity"),
        PlatformUse::References => "properties.keyVaultReferenceIdentity".to_owned(),
    };
    let value = match used {
        ActsAs::System => "system".to_owned(),
        ActsAs::User(id) => id.name().to_owned(),
        ActsAs::Unattached(text) => text.clone(),
        ActsAs::Unclear => "not known".to_owned(),
        ActsAs::Password => "none".to_owned(),
    };
    let pull = observed.registry.as_ref().filter(|_| matches!(used_for, PlatformUse::Registry { .. }));
    fact(target, &field, value, read_at(pull).or(seen))
}

/// The fact behind a finding; none for one that only says that something is not known, or too much.
fn of_finding(finding: &Finding, policy: &Policy, observed: &Observed) -> Option<Fact> {
    let (target, seen) = (&policy.target, read_at(Some(&observed.target)));
    let grants = |scope: &Scope, value: String| fact(scope, "roleAssignments", value, listed_at(observed, scope));
    Some(match finding {
        Finding::TargetNotFound { target } => fact(target, "GET", "404", seen),
        Finding::SystemIdentityDisabled | Finding::SystemIdentityForbidden { .. } => {
            fact(target, "identity.type", identity_type(observed.target.present()?), seen)
        }
        Finding::UserIdentityNotAttached { attached, .. } => {
            fact(target, "identity.userAssignedIdentities", names(attached.iter()), seen)
        }
        Finding::UserIdentityNotFound { identity } => {
            fact(identity, "GET", "404", read_at(observed.user.get(identity)))
        }
        Finding::PrincipalMissing { identity: Identity::System } => {
            fact(target, "identity.principalId", "not filled in", seen)
        }
        Finding::PrincipalMissing { identity: Identity::User(identity) } => {
            fact(identity, "properties.principalId", "not filled in", read_at(observed.user.get(identity)))
        }
        Finding::StaleAttachment { identity, on_site, current } => {
            let field = format!("identity.userAssignedIdentities[{}].principalId", identity.name());
            fact(target, &field, format!("{on_site}; the identity itself has {current}"), seen)
        }
        Finding::HostNotRecycled { written, .. } => {
            let at = observed.host.as_ref().and_then(|host| read_at(Some(&host.started)));
            fact(target, "host process", format!("older than the identity, which was written {}", moment(*written)), at)
        }
        Finding::RoleMissing { principal, scope, missing, .. } => {
            grants(scope, format!("none lets principal {principal} do {}", first(missing)))
        }
        Finding::CosmosRoleMissing { principal, scope, missing, .. } => {
            let at = read_at(observed.cosmos.get(&account_of(scope)));
            fact(scope, "sqlRoleAssignments", format!("none lets principal {principal} do {}", first(missing)), at)
        }
        Finding::AccessDenied { scope, by, .. } => {
            fact(scope, "denyAssignments", by.as_str(), listed_at(observed, scope))
        }
        Finding::Propagating { role, scope, since, until, .. } => {
            grants(scope, format!("`{role}` since {}; certain to act from {}", moment(*since), moment(*until)))
        }
        Finding::VaultModeMismatch { vault, actual, .. } => of_mode(vault, *actual, observed),
        Finding::AccessPolicyMissing { vault, principal, missing, .. } => {
            let missing: Vec<_> = missing.iter().map(ToString::to_string).collect();
            let value = format!("no entry lets principal {principal} {}", first(&missing));
            fact(vault, "properties.accessPolicies", value, read_at(observed.vaults.get(vault)))
        }
        Finding::ReferencesDenied { settings, .. } => {
            let value = format!("AccessToKeyVaultDenied for {}", first(settings));
            fact(target, "config/configreferences/appsettings", value, read_at(observed.references.as_ref()))
        }
        Finding::Connection { connection, problem, .. } => {
            let (setting, value) = of_connection(connection, problem)?;
            let field = format!("app setting `{setting}`");
            fact(target, &field, value, read_at(observed.settings.as_ref()))
        }
        Finding::PlatformIdentity { used, used_for, .. } => of_platform(target, used, used_for, observed, seen),
        Finding::NetworkBlocked { resource, by, .. } => {
            let at = read_at(observed.network.firewalls.get(resource));
            let (field, value) = of_barrier(by);
            fact(resource, field, value, at)
        }
        Finding::ResourceNotReady { resource, state, .. } => fact(
            resource,
            "properties.provisioningState or status",
            state.as_str(),
            read_at(observed.network.firewalls.get(resource)),
        ),
        Finding::KeysRefused { resource, .. } => fact(
            resource,
            "properties.allowSharedKeyAccess",
            "false",
            read_at(observed.network.firewalls.get(resource)),
        ),
        Finding::TargetStopped { state } => fact(target, "properties.state or enabled", state.as_str(), seen),
        Finding::VaultNotFound { vault, .. } => fact(vault, "GET", "404", read_at(observed.vaults.get(vault))),
        Finding::ResourceNotFound { resource, .. } => {
            let at = read_at(observed.resources.get(resource)).or(read_at(observed.cosmos.get(resource)));
            fact(resource, "GET", "404", at)
        }
        Finding::Unreadable { .. }
        | Finding::RoleUnknown { .. }
        | Finding::AccessUndecided { .. }
        | Finding::AccessPolicyUndecided { .. }
        | Finding::VaultModeDisputed { .. }
        | Finding::GrantEnds { .. }
        | Finding::UnneededGrant { .. }
        | Finding::ExcessiveGrant { .. } => return None,
    })
}

/// What was seen that speaks against a hypothesis.
pub(super) fn against(
    hypothesis: Hypothesis,
    policy: &Policy,
    observed: &Observed,
    evaluation: &Evaluation,
) -> Vec<Fact> {
    match hypothesis {
        Hypothesis::H1 => identities_in_place(policy, observed),
        Hypothesis::H2 => once(evaluation.requirements.iter().flat_map(|one| held(one, observed))),
        Hypothesis::H3 => once(evaluation.requirements.iter().flat_map(|one| old_enough(one, observed))),
        Hypothesis::H4 => {
            let resolved = references::resolved(policy, observed);
            let resolved = resolved.map(|one| of_reference(&one.setting, &one.status, policy, observed));
            aligned_vaults(policy, observed).into_iter().chain(resolved).collect()
        }
        Hypothesis::H5 => right_addresses(policy, observed, evaluation),
        Hypothesis::H6 => open_firewalls(observed, evaluation),
    }
}

fn identities_in_place(policy: &Policy, observed: &Observed) -> Vec<Fact> {
    let Reading::Present { value: site, at } = &observed.target else { return Vec::new() };
    let mut facts = Vec::new();
    if let Some(principal) = site.system.principal().filter(|_| policy.system == SystemIdentity::Required) {
        facts.push(fact(&policy.target, "identity.principalId", principal.to_string(), Some(*at)));
    }
    if policy.system == SystemIdentity::Forbidden && !site.system.is_enabled() {
        facts.push(fact(&policy.target, "identity.type", identity_type(site), Some(*at)));
    }
    for identity in &policy.user {
        let own = observed.user.get(identity).and_then(Reading::present).and_then(|one| one.principal);
        let (Some(principal), Some(attachment)) = (own, site.attached.get(identity)) else { continue };
        let value = match attachment.principal {
            Some(on_site) if on_site != principal => continue,
            Some(_) => format!("{principal}, as the identity itself has it"),
            None => format!("attached; the identity itself has {principal}"),
        };
        let field = format!("identity.userAssignedIdentities[{}].principalId", identity.name());
        facts.push(fact(&policy.target, &field, value, Some(*at)));
    }
    facts
}

fn held(one: &Evaluated, observed: &Observed) -> Vec<Fact> {
    let (Access::Satisfied(grants) | Access::Propagating { by: grants, .. }) = &one.access else { return Vec::new() };
    let principal = one.principal.map(|principal| principal.to_string()).unwrap_or_default();
    let (list, at) = list_of(one, observed);
    let says = |role: &str| format!("`{role}` for principal {principal}");
    grants.iter().map(|grant| fact(&grant.scope, list, says(&grant.role), at)).collect()
}

fn old_enough(one: &Evaluated, observed: &Observed) -> Vec<Fact> {
    let (list, at) = list_of(one, observed);
    let grants = match &one.access {
        Access::Satisfied(grants) => grants,
        Access::Missing(_) => return vec![fact(&one.scope, list, "none that could be on its way", at)],
        _ => return Vec::new(),
    };
    let says = |role: &str, acts_from: Option<Timestamp>| match acts_from {
        Some(acts_from) => format!("`{role}` is certain to act since {}", moment(acts_from)),
        None => format!("`{role}`; Azure does not say since when"),
    };
    let field = format!("{list}.createdOn");
    grants.iter().map(|grant| fact(&grant.scope, &field, says(&grant.role, grant.acts_from), at)).collect()
}

/// Which list decides a requirement, and when it was read.
fn list_of(one: &Evaluated, observed: &Observed) -> (&'static str, Option<Timestamp>) {
    match observed.cosmos.get(&account_of(&one.scope)) {
        Some(inside) => ("sqlRoleAssignments", read_at(Some(inside))),
        None => ("roleAssignments", listed_at(observed, &one.scope)),
    }
}

fn aligned_vaults(policy: &Policy, observed: &Observed) -> Vec<Fact> {
    let aligned = policy.vaults.iter().filter_map(|required| {
        let vault = observed.vaults.get(&required.vault)?.present()?;
        (vault.mode == required.mode).then(|| of_mode(&required.vault, vault.mode, observed))
    });
    once(aligned)
}

fn open_firewalls(observed: &Observed, evaluation: &Evaluation) -> Vec<Fact> {
    let at = |resource: &Scope| read_at(observed.network.firewalls.get(resource));
    let says = |one: &Reached| match &one.reach {
        Reach::Open => Some(fact(&one.resource, "firewall", "lets the app in", at(&one.resource))),
        Reach::Private(endpoints) => {
            let names: Vec<_> = endpoints.iter().map(|id| format!("`{}`", id.name())).collect();
            let value = format!("{} in reach of the app, by name and network", names.join(", "));
            Some(fact(&one.resource, "privateEndpointConnections", value, at(&one.resource)))
        }
        Reach::Blocked(_) | Reach::Undecided(_) => None,
    };
    evaluation.reached.iter().filter_map(says).collect()
}

fn of_barrier(barrier: &Barrier) -> (&'static str, String) {
    match barrier {
        Barrier::NoWayIn => ("publicNetworkAccess", "Disabled, and no private endpoint is approved".to_owned()),
        Barrier::PrivateOnly => ("publicNetworkAccess", "Disabled, and the app is in no virtual network".to_owned()),
        Barrier::AppOutside => ("defaultAction", "Deny, and the app is in no virtual network".to_owned()),
        Barrier::OtherSubnets(subnet) => {
            ("virtualNetworkRules", format!("have not the app's subnet `{}`", subnet.name()))
        }
        Barrier::NoServiceEndpoint(subnet) => {
            ("virtualNetworkRules", format!("have the app's subnet `{}`, which has no service endpoint", subnet.name()))
        }
    }
}

/// The connections whose address is seen to be right.
fn right_addresses(policy: &Policy, observed: &Observed, evaluation: &Evaluation) -> Vec<Fact> {
    let Some(at) = read_at(observed.settings.as_ref()) else { return Vec::new() };
    let field = |name: &str| format!("app settings of `{name}`");
    let right = settings::right_places(policy, &evaluation.findings);
    once(right.map(|one| fact(&policy.target, &field(&one.name), "name the declared resource", Some(at))))
}

/// The setting that shows it, and what of its value may be told.
fn of_connection(connection: &str, problem: &ConnectionProblem) -> Option<(String, String)> {
    Some(match problem {
        ConnectionProblem::Missing { settings } => (settings.first()?.clone(), "absent".to_owned()),
        ConnectionProblem::UsesSecret { setting, .. } => (setting.clone(), "is set; its value was not read".to_owned()),
        ConnectionProblem::WrongIdentity { used: Used::Client { setting, client, .. }, .. } => {
            (setting.clone(), client.as_ref().map_or("no client id".to_owned(), ToString::to_string))
        }
        ConnectionProblem::WrongIdentity { .. } => (format!("{connection}__clientId"), "absent or not used".to_owned()),
        ConnectionProblem::UnknownToScaler { setting } => (setting.clone(), "absent".to_owned()),
        ConnectionProblem::IdentityUnsupported { setting } => (setting.clone(), "is set".to_owned()),
        ConnectionProblem::WrongAddress { setting, seen, .. } => {
            (setting.clone(), seen.clone().unwrap_or_else(|| "no address of a service".to_owned()))
        }
        ConnectionProblem::Undecided { .. } => return None,
    })
}

fn of_mode(vault: &Scope, mode: VaultMode, observed: &Observed) -> Fact {
    let value = match mode {
        VaultMode::Rbac => "true",
        VaultMode::AccessPolicy => "false or absent: access policies",
    };
    fact(vault, "properties.enableRbacAuthorization", value, read_at(observed.vaults.get(vault)))
}

/// In order, each fact once: one grant may meet many needs.
fn once(facts: impl Iterator<Item = Fact>) -> Vec<Fact> {
    let mut seen: Vec<Fact> = Vec::new();
    for fact in facts {
        if !seen.contains(&fact) {
            seen.push(fact);
        }
    }
    seen
}

fn identity_type(site: &Site) -> &'static str {
    match (site.system.is_enabled(), site.attached.is_empty()) {
        (false, true) => "absent: no identity",
        (true, true) => "SystemAssigned",
        (false, false) => "UserAssigned",
        (true, false) => "SystemAssigned, UserAssigned",
    }
}

fn names<'a>(ids: impl Iterator<Item = &'a Scope>) -> String {
    let names: Vec<_> = ids.map(Scope::name).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn first(entries: &[String]) -> String {
    match entries {
        [] => String::new(),
        [only] => format!("`{only}`"),
        [first, rest @ ..] => format!("`{first}` and {} more", rest.len()),
    }
}
