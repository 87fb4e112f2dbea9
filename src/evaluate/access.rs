//! H2 and H3: effective access. A need is met by any grants whose roles cover its actions, wherever they are inherited
//! from; not by the name of a role.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{
    Evaluated, Finding, NearMiss, PrincipalState, cosmos,
    operation::{Operation, Ways, covers, operations, touches},
};
use crate::{
    catalog::{binding::Plane, clocks},
    model::{DenyAssignment, Grant, Observed, PrincipalId, PrincipalKind, Reading, RoleId, Scope, SubscriptionAccess},
    policy::{Identity, Requirement, Wanted, subject_of},
};

/// Whether an identity has what it needs.
#[derive(Clone, Debug, PartialEq)]
pub enum Access {
    /// These grants cover the need.
    Satisfied(Vec<DecidingGrant>),
    /// They will, from `until` on.
    Propagating {
        /// The grants that are still young.
        by: Vec<DecidingGrant>,
        /// When the youngest was made.
        since: Timestamp,
        /// When all of them are certain to act.
        until: Timestamp,
    },
    /// Nothing covers these actions.
    Missing(Vec<String>),
    /// A deny assignment of that name takes the access away.
    Denied(String),
    /// Cannot be said.
    Unknown(String),
    /// There is no principal to ask about; the identity's own finding says why.
    NoPrincipal,
}

/// A grant that an answer rests on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DecidingGrant {
    /// The assignment's id.
    pub id: Scope,
    /// The role's name.
    pub role: String,
    /// Where it sits.
    pub scope: Scope,
    /// Since when it is certain to act, or will be; none when Azure does not say when it was made.
    pub acts_from: Option<Timestamp>,
}

/// The id in a deny assignment that stands for everyone.
const EVERYONE: &str = "00000000-0000-0000-0000-000000000000";

pub(super) fn evaluate_requirement(
    requirement: &Requirement,
    principals: &BTreeMap<Identity, PrincipalState>,
    observed: &Observed,
    now: Timestamp,
    ask_groups: &mut BTreeSet<(PrincipalId, String)>,
    findings: &mut Vec<Finding>,
) -> Evaluated {
    let Requirement { origins, identity, scope, wanted } = requirement;
    let mut evaluated = Evaluated {
        origins: origins.clone(),
        identity: identity.clone(),
        principal: None,
        scope: scope.clone(),
        role: match wanted {
            Wanted::Need(need) => need.role.clone(),
            Wanted::Role(role) => role.to_string(),
        },
        role_id: None,
        access: Access::NoPrincipal,
    };
    let principal = match principals.get(identity) {
        Some(PrincipalState::Known(principal)) => *principal,
        Some(PrincipalState::None) | None => return evaluated,
        Some(PrincipalState::Unreadable(failure)) => {
            evaluated.access = Access::Unknown(failure.text.clone());
            return evaluated;
        }
    };
    evaluated.principal = Some(principal);
    if let Wanted::Need(need) = wanted
        && need.plane == Plane::Cosmos
    {
        evaluated.access = cosmos::evaluate_need(requirement, need, principal, observed, findings);
        return evaluated;
    }
    let access = match observed.access_at(scope) {
        Ok(access) => access,
        Err(failure) => {
            evaluated.access = Access::Unknown(failure.text.clone());
            Finding::unreadable(findings, subject_of(origins), &failure);
            return evaluated;
        }
    };
    let Some((role, asked)) = operations(wanted, access) else {
        evaluated.access = Access::Unknown(format!("no role named `{}` is defined there", evaluated.role));
        findings.push(Finding::RoleUnknown { origin: origins[0].clone(), role: evaluated.role.clone() });
        return evaluated;
    };
    evaluated.role.clone_from(&role.name);
    evaluated.role_id = Some(role.id);
    let question = Question { principal, scope, access, observed, now };
    evaluated.access = question.answer(&asked, ask_groups);

    let (origins, identity, scope) = (origins.clone(), identity.clone(), scope.clone());
    let role_name = role.name.clone();
    match &evaluated.access {
        Access::Satisfied(_) | Access::NoPrincipal => {}
        Access::Propagating { since, until, .. } => {
            let (since, until) = (*since, *until);
            findings.push(Finding::Propagating { origins, identity, role: role_name, scope, since, until });
        }
        Access::Missing(missing) => {
            let near = near_misses(role.id, principal, &scope, access, principals);
            let held = access.grants.held_by(principal).filter(|grant| grant.scope.reaches(&scope));
            let held = held.map(|grant| grant.id.clone()).collect();
            let missing = missing.clone();
            let role_id = role.id;
            let role = role_name;
            findings.push(Finding::RoleMissing {
                origins,
                identity,
                principal,
                role,
                role_id,
                scope,
                missing,
                held,
                near,
            });
        }
        Access::Denied(by) => findings.push(Finding::AccessDenied { origins, identity, scope, by: by.clone() }),
        Access::Unknown(because) => {
            let because = because.clone();
            findings.push(Finding::AccessUndecided { origins, identity, role: role_name, scope, because });
        }
    }
    evaluated
}

/// Who, where, judged by what.
pub(super) struct Question<'a> {
    pub(super) principal: PrincipalId,
    pub(super) scope: &'a Scope,
    pub(super) access: &'a SubscriptionAccess,
    pub(super) observed: &'a Observed,
    pub(super) now: Timestamp,
}

/// What can be said of one way to what is asked.
enum Way {
    Settled(Vec<DecidingGrant>),
    /// Those that act, and those that will: since when they are there, and from when they are certain to act.
    Young(Vec<DecidingGrant>, Vec<(DecidingGrant, (Timestamp, Timestamp))>),
    Undecided(String),
    Denied(String),
    Missing(String),
}

impl Way {
    fn rank(&self) -> u8 {
        match self {
            Self::Settled(_) => 0,
            Self::Young(..) => 1,
            Self::Undecided(_) => 2,
            Self::Denied(_) => 3,
            Self::Missing(_) => 4,
        }
    }
}

/// What the grants say about one operation.
enum Coverage<'a> {
    Settled(&'a Grant),
    Young(&'a Grant, Timestamp),
    Undecided(String),
    Nothing,
}

impl<'a> Question<'a> {
    pub(super) fn answer(&self, asked: &[Ways], ask_groups: &mut BTreeSet<(PrincipalId, String)>) -> Access {
        if asked.is_empty() {
            return Access::Unknown("the role allows nothing that could be compared".to_owned());
        }
        let mut settled = BTreeSet::new();
        let mut young = BTreeMap::new();
        let mut missing = Vec::new();
        let mut unknown = None;
        for ways in asked {
            match self.best_way(ways, ask_groups) {
                Way::Settled(grants) => settled.extend(grants),
                Way::Young(acting, grants) => {
                    settled.extend(acting);
                    young.extend(grants);
                }
                Way::Undecided(because) => {
                    unknown.get_or_insert(because);
                }
                Way::Denied(name) => return Access::Denied(name),
                Way::Missing(operations) => missing.push(operations),
            }
        }
        // What is certainly missing stays missing, whatever the undecided rest turns out to be.
        if !missing.is_empty() {
            return Access::Missing(missing);
        }
        if let Some(because) = unknown {
            return Access::Unknown(because);
        }
        let latest = young.values().copied().max_by_key(|(_, until)| *until);
        match latest {
            None => Access::Satisfied(settled.into_iter().collect()),
            Some((since, until)) => Access::Propagating { by: young.into_keys().collect(), since, until },
        }
    }

    /// The most that can be said for any of the ways. One that is denied outweighs one that is merely missing: a grant
    /// might not help.
    fn best_way(&self, ways: &Ways, ask_groups: &mut BTreeSet<(PrincipalId, String)>) -> Way {
        let mut best: Option<Way> = None;
        let mut missing = Vec::new();
        for operations in ways {
            let way = self.way(operations, ask_groups);
            if let Way::Settled(_) = way {
                return way;
            }
            if let Way::Missing(operations) = way {
                missing.push(operations);
            } else if best.as_ref().is_none_or(|known| way.rank() < known.rank()) {
                best = Some(way);
            }
        }
        best.unwrap_or_else(|| Way::Missing(missing.join(" or ")))
    }

    fn way(&self, operations: &[Operation], ask_groups: &mut BTreeSet<(PrincipalId, String)>) -> Way {
        let mut settled = Vec::new();
        let mut young = Vec::new();
        let mut missing = Vec::new();
        let mut unknown = None;
        for operation in operations {
            match self.denial(operation) {
                Some(Ok(name)) => return Way::Denied(name),
                Some(Err(because)) => {
                    unknown.get_or_insert(because);
                    continue;
                }
                None => {}
            }
            match self.coverage(operation, ask_groups) {
                Coverage::Settled(grant) => settled.push(self.deciding(grant)),
                Coverage::Young(grant, until) => {
                    young.push((self.deciding(grant), (grant.changed.unwrap_or(self.now), until)));
                }
                Coverage::Undecided(because) => {
                    unknown.get_or_insert(because);
                }
                Coverage::Nothing => missing.push(operation.pattern.as_str()),
            }
        }
        if !missing.is_empty() {
            Way::Missing(missing.join(" with "))
        } else if let Some(because) = unknown {
            Way::Undecided(because)
        } else if young.is_empty() {
            Way::Settled(settled)
        } else {
            Way::Young(settled, young)
        }
    }

    /// Of several grants that would do, the one with the least id is named: Azure lists them in no order, and a status
    /// that names another one at each pass is a write at each pass.
    fn coverage(&self, operation: &Operation, ask_groups: &mut BTreeSet<(PrincipalId, String)>) -> Coverage<'a> {
        let mut settled: Option<&Grant> = None;
        let mut young: Option<(Timestamp, &Grant)> = None;
        let mut conditioned: Option<&Grant> = None;
        let mut group: Option<&Grant> = None;
        let mut undefined: Option<&Grant> = None;
        let near = self.access.grants.that_may_reach(self.principal);
        for grant in near.filter(|grant| grant.scope.reaches(self.scope)) {
            let role = self.access.roles.get(&grant.role);
            let mut entries =
                role.iter().flat_map(|role| &role.permissions).filter(|entry| covers(entry, operation)).peekable();
            if role.is_some() && entries.peek().is_none() {
                continue;
            }
            if grant.principal != self.principal {
                if grant.principal_kind == PrincipalKind::Group {
                    match self.reaches_through_group(grant) {
                        Some(true) => {}
                        Some(false) => continue,
                        None => {
                            group = Some(first(group, grant));
                            continue;
                        }
                    }
                } else {
                    continue;
                }
            }
            if role.is_none() {
                undefined = Some(first(undefined, grant));
                continue;
            }
            if grant.conditioned || entries.all(|entry| entry.conditioned) {
                conditioned = Some(first(conditioned, grant));
                continue;
            }
            match self.acts_from(grant) {
                Some(until) if until > self.now => {
                    // Of several young grants the one that acts first decides.
                    if young.is_none_or(|(known, other)| (until, &grant.id) < (known, &other.id)) {
                        young = Some((until, grant));
                    }
                }
                Some(_) | None => settled = Some(first(settled, grant)),
            }
        }
        if let Some(grant) = settled {
            Coverage::Settled(grant)
        } else if let Some((until, grant)) = young {
            Coverage::Young(grant, until)
        } else if let Some(grant) = group {
            if !self.observed.through_groups.contains_key(&self.principal) {
                let subscription = self.scope.subscription().unwrap_or_default().to_owned();
                ask_groups.insert((self.principal, subscription));
            }
            Coverage::Undecided(format!(
                "a grant to group {} would cover it, and whether the identity is a member could not be read",
                grant.principal
            ))
        } else if let Some(grant) = undefined {
            Coverage::Undecided(format!(
                "what role {} allows could not be read, and it is held: {}",
                grant.role, grant.id
            ))
        } else if let Some(grant) = conditioned {
            Coverage::Undecided(format!("the only grant that covers it has a condition: {}", grant.id))
        } else {
            Coverage::Nothing
        }
    }

    /// Whether a group's grant reaches the principal; none while that is not known.
    fn reaches_through_group(&self, grant: &Grant) -> Option<bool> {
        match self.observed.through_groups.get(&self.principal)? {
            Reading::Present { value, .. } => Some(value.contains(&grant.id)),
            Reading::Absent { .. } => Some(false),
            Reading::Unreadable(_) => None,
        }
    }

    /// When the grant is certain to act; none when Azure does not say when it was made.
    fn acts_from(&self, grant: &Grant) -> Option<Timestamp> {
        let clock = clocks::of_grant(&grant.scope, self.scope);
        grant.changed.map(|changed| changed.saturating_add(clock).unwrap_or(Timestamp::MAX))
    }

    /// The deny assignment that takes the operation away: its name, or why that cannot be decided.
    fn denial(&self, operation: &Operation) -> Option<Result<String, String>> {
        let (mut denied, mut undecided) = (None::<String>, None::<String>);
        for deny in self.access.denies.iter().filter(|deny| self.is_under(deny)) {
            // One whose permissions could not be read may deny anything.
            let unread = deny.undecidable && deny.permissions.is_empty();
            if !unread && !deny.permissions.iter().any(|entry| touches(entry, operation)) {
                continue;
            }
            let named = deny.principals.iter().any(|id| *id == self.principal || id.to_string() == EVERYONE);
            let exempt = deny.excluded.contains(&self.principal);
            if exempt || (!named && !deny.undecidable) {
                continue;
            }
            let known = if deny.undecidable { &mut undecided } else { &mut denied };
            if known.as_ref().is_none_or(|name| deny.name < *name) {
                *known = Some(deny.name.clone());
            }
        }
        let may_apply = |name| format!("deny assignment `{name}` may apply to this identity");
        denied.map(Ok).or(undecided.map(may_apply).map(Err))
    }

    fn is_under(&self, deny: &DenyAssignment) -> bool {
        if deny.own_scope_only { deny.scope == *self.scope } else { deny.scope.reaches(self.scope) }
    }

    fn deciding(&self, grant: &Grant) -> DecidingGrant {
        let role = self.access.roles.get(&grant.role).map_or_else(|| grant.role.to_string(), |role| role.name.clone());
        DecidingGrant { id: grant.id.clone(), role, scope: grant.scope.clone(), acts_from: self.acts_from(grant) }
    }
}

/// The one of two grants that is named.
fn first<'a>(known: Option<&'a Grant>, grant: &'a Grant) -> &'a Grant {
    known.map_or(grant, |known| if grant.id < known.id { grant } else { known })
}

/// What a person would have overlooked: the role on another account, or held by an identity that is gone.
fn near_misses(
    role: RoleId,
    principal: PrincipalId,
    scope: &Scope,
    access: &SubscriptionAccess,
    principals: &BTreeMap<Identity, PrincipalState>,
) -> Vec<NearMiss> {
    let ours: Vec<_> = principals.values().collect();
    let near: BTreeSet<_> = access
        .grants
        .iter()
        .filter(|grant| grant.role == role)
        .filter_map(|grant| {
            if grant.principal == principal && !grant.scope.reaches(scope) {
                Some(NearMiss::OtherScope(grant.scope.clone()))
            } else if grant.scope == *scope
                && grant.principal_kind == PrincipalKind::ServicePrincipal
                && !ours.contains(&&PrincipalState::Known(grant.principal))
            {
                Some(NearMiss::OtherPrincipal(grant.principal))
            } else {
                None
            }
        })
        .collect();
    // Three are enough to see the pattern, and keep status small.
    near.into_iter().take(3).collect()
}
