//! What the grants of a principal, all together, make of one action.

use std::{cell::RefCell, collections::BTreeSet};

use jiff::Timestamp;

use super::DecidingGrant;
use crate::{
    catalog::clocks,
    model::{
        Grant, Observed, PermissionSet, PrincipalId, PrincipalKind, Reading, Scope, SubscriptionAccess, Truth,
        condition::Request,
    },
};

/// Who, where, judged by what.
pub(in crate::evaluate) struct Question<'a> {
    pub(in crate::evaluate) principal: PrincipalId,
    pub(in crate::evaluate) scope: &'a Scope,
    pub(in crate::evaluate) access: &'a SubscriptionAccess,
    pub(in crate::evaluate) observed: &'a Observed,
    pub(in crate::evaluate) now: Timestamp,
    /// As it will be at that moment: without the grants that are known to end by then.
    pub(in crate::evaluate) ended_by: Option<Timestamp>,
    /// Collects the principals whose memberships could decide, with the subscription, as long as nobody asked.
    pub(in crate::evaluate) ask_groups: &'a RefCell<BTreeSet<(PrincipalId, String)>>,
}

/// What the grants say about one action.
pub(super) enum Coverage<'a> {
    Settled(&'a Grant),
    Young(&'a Grant, Timestamp),
    Undecided(String),
    Nothing,
}

impl<'a> Question<'a> {
    /// The grants that may count here: the principal's own, and those of all that may be a group.
    pub(super) fn reaching(&self) -> impl Iterator<Item = &'a Grant> {
        let (access, scope) = (self.access, self.scope);
        let here = access.grants.that_may_reach(self.principal).filter(move |grant| grant.scope.reaches(scope));
        here.filter(|grant| !self.is_over(grant))
    }

    /// Of several grants that would do, the one with the least id is named: Azure lists them in no order, and a status
    /// that names another one at each pass is a write at each pass.
    pub(super) fn coverage(&self, request: &Request<'_>) -> Coverage<'a> {
        let mut settled: Option<&Grant> = None;
        let mut young: Option<(Timestamp, &Grant)> = None;
        let mut conditioned: Option<(&Grant, String)> = None;
        let mut group: Option<&Grant> = None;
        let mut would_do = false;
        let mut may_act = false;
        let mut undefined: Option<&Grant> = None;
        for grant in self.reaching() {
            let role = self.access.roles.get(&grant.role);
            let serves = role.map(|role| serves(grant, &role.permissions, request));
            if serves == Some(Truth::False) {
                continue;
            }
            if grant.principal != self.principal {
                match self.reaches_through_group(grant) {
                    Some(true) => {}
                    Some(false) => continue,
                    None => {
                        group = Some(first(group, grant));
                        would_do |= serves == Some(Truth::True);
                        may_act |= serves == Some(Truth::True) && self.acts_from(grant) <= Some(self.now);
                        continue;
                    }
                }
            }
            match serves {
                None => undefined = Some(first(undefined, grant)),
                Some(Truth::Undecided(why)) => {
                    if conditioned.as_ref().is_none_or(|(known, _)| grant.id < known.id) {
                        conditioned = Some((grant, why));
                    }
                }
                Some(Truth::True | Truth::False) => match self.acts_from(grant) {
                    Some(until) if until > self.now => {
                        // Of several young grants the one that acts first decides.
                        if young.is_none_or(|(known, other)| (until, &grant.id) < (known, &other.id)) {
                            young = Some((until, grant));
                        }
                    }
                    // Its own grant before a group's, which also rests on how long it has been a member.
                    Some(_) | None => {
                        let rank = |grant: &'a Grant| (grant.principal != self.principal, &grant.id);
                        if settled.is_none_or(|known| rank(grant) < rank(known)) {
                            settled = Some(grant);
                        }
                    }
                },
            }
        }
        if let Some(grant) = settled {
            Coverage::Settled(grant)
        } else if let Some((until, grant)) = young.filter(|_| !may_act) {
            // Where a group may have given it for long, nobody waits for its own.
            Coverage::Young(grant, until)
        } else if let Some(grant) = group.filter(|_| would_do || (undefined.is_none() && conditioned.is_none())) {
            // To be told of one more grant that cannot be judged would help nobody.
            self.ask();
            let holder = match grant.principal_kind {
                PrincipalKind::Group => format!("group {}", grant.principal),
                _ => format!("{}, which may be a group,", grant.principal),
            };
            Coverage::Undecided(format!(
                "a grant to {holder} would cover it, and whether the identity is a member could not be read"
            ))
        } else if let Some(grant) = undefined {
            Coverage::Undecided(format!(
                "what role {} allows could not be read, and it is held: {}",
                grant.role, grant.id
            ))
        } else if let Some((grant, why)) = conditioned {
            // What somebody's condition far above says is not for everybody who is reached by it.
            let why = if grant.scope.resource_type().is_some() { why } else { "it cannot be judged here".to_owned() };
            Coverage::Undecided(format!("the only grant that covers it has a condition, and {why}: {}", grant.id))
        } else {
            Coverage::Nothing
        }
    }

    /// Whether a group's grant reaches the principal; none while that is not known.
    fn reaches_through_group(&self, grant: &Grant) -> Option<bool> {
        match self.through_groups()? {
            Reading::Present { value, .. } => Some(value.contains(&grant.id)),
            Reading::Absent { .. } => Some(false),
            Reading::Unreadable(_) => None,
        }
    }

    /// Whether the principal is in the group; none while that is not known. Memberships are not in Resource Manager: it
    /// says which grants reach a principal, so a group that holds none cannot be asked about.
    pub(in crate::evaluate) fn is_member(&self, group: PrincipalId) -> Option<bool> {
        let mut held = self.access.grants.of_group(group).peekable();
        held.peek()?;
        self.ask();
        held.map(|grant| self.reaches_through_group(grant)).reduce(|one, other| match (one, other) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (None, _) | (_, None) => None,
            (Some(false), Some(false)) => Some(false),
        })?
    }

    fn through_groups(&self) -> Option<&'a Reading<Vec<Scope>>> {
        self.observed.through_groups.get(&self.asked())
    }

    fn ask(&self) {
        if self.through_groups().is_none() {
            self.ask_groups.borrow_mut().insert(self.asked());
        }
    }

    fn asked(&self) -> (PrincipalId, String) {
        (self.principal, self.scope.subscription().unwrap_or_default().to_owned())
    }

    /// When the grant is certain to act; none when Azure does not say when it was made.
    fn acts_from(&self, grant: &Grant) -> Option<Timestamp> {
        let clock = clocks::of_grant(&grant.scope, self.scope);
        self.changed(grant).map(|changed| changed.saturating_add(clock).unwrap_or(Timestamp::MAX))
    }

    /// When the grant came to be what it is: when it was made or changed, or its role was.
    ///
    /// None when Azure does not say when it was made: then it is old, and what its role was before is not known.
    pub(super) fn changed(&self, grant: &Grant) -> Option<Timestamp> {
        let role = self.access.roles.get(&grant.role).and_then(|role| role.changed);
        grant.changed.map(|changed| role.map_or(changed, |role| role.max(changed)))
    }

    pub(super) fn deciding(&self, grant: &Grant) -> DecidingGrant {
        let role = self.access.roles.get(&grant.role).map_or_else(|| grant.role.to_string(), |role| role.name.clone());
        DecidingGrant {
            id: grant.id.clone(),
            role,
            scope: grant.scope.clone(),
            through_group: grant.principal != self.principal,
            acts_from: self.acts_from(grant),
        }
    }
}

/// Whether a grant of these entries allows the action, whoever holds it: by one entry whole, under its condition and
/// the grant's own.
fn serves(grant: &Grant, entries: &[PermissionSet], request: &Request<'_>) -> Truth {
    let under = || grant.condition.as_ref().map_or(Truth::True, |condition| condition.allows(request));
    Truth::of_entries(entries.iter().map(|entry| entry.serves(request)), under)
}

/// The one of two grants that is named.
fn first<'a>(known: Option<&'a Grant>, grant: &'a Grant) -> &'a Grant {
    known.map_or(grant, |known| if grant.id < known.id { grant } else { known })
}
