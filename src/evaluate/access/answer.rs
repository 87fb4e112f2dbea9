//! From single actions to the answer for a need: everything that is asked must be there, each in one of its ways.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{Access, DecidingGrant, Question, denial::Denial, effective::Coverage};
use crate::{
    evaluate::operation::{Operation, Ways, patterns},
    model::{Condition, PermissionSet, condition::Request, pattern::Work},
};

/// What can be said of one way to what is asked, the best first.
enum Way {
    Settled(BTreeSet<DecidingGrant>),
    /// Those that act, and those that will: since when they are there, and from when they are certain to act.
    Young(BTreeSet<DecidingGrant>, BTreeMap<DecidingGrant, (Timestamp, Timestamp)>),
    Undecided(String),
    Denied(String),
    Missing(String),
}

impl Way {
    /// Less is better; of two that are young the one that acts first.
    fn rank(&self) -> (u8, Option<Timestamp>) {
        match self {
            Self::Settled(_) => (0, None),
            Self::Young(_, grants) => (1, grants.values().map(|(_, until)| *until).max()),
            Self::Undecided(_) => (2, None),
            Self::Denied(_) => (3, None),
            Self::Missing(_) => (4, None),
        }
    }
}

impl<'a> Question<'a> {
    pub(in crate::evaluate) fn answer(&self, asked: &[Ways]) -> Access {
        if asked.is_empty() {
            return Access::Unknown("the role allows nothing that could be compared".to_owned());
        }
        let mut settled = BTreeSet::new();
        let mut young = BTreeMap::new();
        let mut missing = Vec::new();
        let mut unknown = None;
        let work = Work::default();
        for ways in asked {
            match self.best_way(ways, &work) {
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
    fn best_way(&self, ways: &Ways, work: &Work) -> Way {
        let mut best: Option<Way> = None;
        let mut missing = Vec::new();
        for operations in ways {
            match self.way(operations, work) {
                settled @ Way::Settled(_) => return settled,
                Way::Missing(operations) => missing.push(operations),
                way if best.as_ref().is_none_or(|known| way.rank() < known.rank()) => best = Some(way),
                _ => {}
            }
        }
        best.unwrap_or_else(|| Way::Missing(missing.join(" or ")))
    }

    fn way(&self, operations: &[Operation], work: &Work) -> Way {
        let mut settled = BTreeSet::new();
        let mut young = BTreeMap::new();
        let mut missing: Vec<&str> = Vec::new();
        let mut unknown = None;
        for operation in operations {
            let Some(actions) = operation.actions(&self.apart(operation), work) else {
                unknown.get_or_insert_with(|| "the roles that are held have too many patterns to compare".to_owned());
                continue;
            };
            for action in &actions {
                let request = Request { data: operation.data, action, resource: self.scope, assignment: None };
                match self.denial(&request) {
                    Some(Denial::Denied(name)) => return Way::Denied(name),
                    Some(Denial::Undecided(because)) => {
                        unknown.get_or_insert(because);
                        continue;
                    }
                    None => {}
                }
                match self.coverage(&request) {
                    Coverage::Settled(grant) => {
                        settled.insert(self.deciding(grant));
                    }
                    Coverage::Young(grant, until) => {
                        young.insert(self.deciding(grant), (self.changed(grant).unwrap_or(self.now), until));
                    }
                    Coverage::Undecided(because) => {
                        unknown.get_or_insert(because);
                    }
                    // A part of a pattern that nothing allows leaves the pattern missing.
                    Coverage::Nothing if missing.last() == Some(&operation.pattern.as_str()) => {}
                    Coverage::Nothing => missing.push(&operation.pattern),
                }
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

    /// The patterns that could tell the actions of an operation apart.
    fn apart(&self, operation: &Operation) -> Vec<&'a str> {
        // An action needs no telling apart, and nearly all operations are one.
        if !operation.pattern.contains('*') {
            return Vec::new();
        }
        let access = self.access;
        let roles: BTreeSet<_> = self.reaching().map(|grant| grant.role).collect();
        let of_roles = roles.iter().filter_map(|role| access.roles.get(role)).flat_map(|role| &role.permissions);
        let denies = || access.denies.iter().filter(|deny| self.is_under(deny));
        let of_denies = denies().flat_map(|deny| &deny.permissions);
        let entries: Vec<&PermissionSet> = of_roles.chain(of_denies).collect();
        let on_grants = self.reaching().filter_map(|grant| grant.condition.as_ref());
        let of_denials = denies().filter_map(|deny| deny.condition.as_ref());
        let conditions = on_grants.chain(of_denials).flat_map(Condition::action_patterns);
        entries.into_iter().flat_map(|entry| patterns(entry, operation.data)).chain(conditions).collect()
    }
}
