//! What a requirement asks for, as operations, and the actions that stand for one.

use crate::{
    catalog::{self, binding::Right},
    model::{
        Condition, PermissionSet, Role, Scope, SubscriptionAccess, Truth, condition::Request, pattern, pattern::Work,
    },
    policy::{Identity, Policy, Requirement, RoleName, Wanted},
};

/// One action, or a pattern of them, that must be allowed on its plane.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub(super) data: bool,
    pub(super) pattern: String,
    /// Actions of the pattern that are not asked for: a role's own not-list, when a role is the need.
    pub(super) except: Vec<String>,
}

impl Operation {
    /// Actions of which each stands for all that `apart` does not tell from it; none when there are too many.
    pub(super) fn actions(&self, apart: &[&str], work: &Work) -> Option<Vec<String>> {
        let all: Vec<&str> = apart.iter().copied().chain(self.except.iter().map(String::as_str)).collect();
        let mut actions = pattern::samples(&self.pattern, &all, work)?;
        actions.retain(|action| !self.except.iter().any(|except| pattern::covers(except, action)));
        Some(actions)
    }
}

/// What must be allowed, in one way or another. Each way is a set of operations that must all be allowed.
pub(super) type Ways = Vec<Vec<Operation>>;

/// The role to recommend, as that subscription defines it, and the operations that are needed.
pub(super) fn operations(wanted: &Wanted, access: &SubscriptionAccess) -> Option<(Role, Vec<Ways>)> {
    let role = match wanted {
        // The GUID is ours and the permissions are Azure's: a definition that is not listed cannot be granted.
        Wanted::Need(need) => access.roles.get(&catalog::built_in(&need.role)?.role_id())?,
        Wanted::Role(RoleName::Id(id)) => access.roles.get(id)?,
        Wanted::Role(RoleName::Name(name)) => {
            access.roles.values().find(|role| role.name.eq_ignore_ascii_case(name))?
        }
    };
    Some((role.clone(), asked(wanted, role)))
}

/// What is asked for, if that is the role to recommend for it.
fn asked(wanted: &Wanted, role: &Role) -> Vec<Ways> {
    match wanted {
        Wanted::Need(need) => {
            let operation = |data, pattern: &String| Operation { data, pattern: pattern.clone(), except: vec![] };
            let ways = |right: &Right| {
                let way = |way: &Vec<String>| way.iter().map(|pattern| operation(right.data, pattern)).collect();
                right.any_of.iter().map(way).collect()
            };
            need.rights.iter().map(ways).collect()
        }
        Wanted::Role(_) => {
            let operations = role.permissions.iter().flat_map(|entry| {
                let control = entry.actions.iter().map(|own| (false, own, &entry.not_actions));
                let data = entry.data_actions.iter().map(|own| (true, own, &entry.not_data_actions));
                control.chain(data).map(|(data, own, except)| Operation {
                    data,
                    pattern: own.clone(),
                    except: except.clone(),
                })
            });
            // What the role takes back whole is not asked for.
            let work = Work::default();
            let operations = operations.filter(|operation| operation.actions(&[], &work) != Some(Vec::new()));
            operations.map(|operation| vec![vec![operation]]).collect()
        }
    }
}

/// Whether that role is the one to grant for what is wanted.
fn recommends(wanted: &Wanted, role: &Role) -> bool {
    match wanted {
        Wanted::Need(need) => catalog::built_in(&need.role).is_some_and(|known| known.role_id() == role.id),
        Wanted::Role(RoleName::Id(id)) => *id == role.id,
        Wanted::Role(RoleName::Name(name)) => role.name.eq_ignore_ascii_case(name),
    }
}

/// Whether all for which `role` would be granted to an identity at a scope is allowed by `other` there, wherever that is
/// granted above. What cannot be compared is not.
#[must_use]
pub fn stands_in(policy: &Policy, identity: &Identity, scope: &Scope, role: &Role, other: &Role) -> bool {
    let needs = policy.needs().filter(|need| need.identity == *identity && need.scope == *scope);
    let mut needs = needs.filter(|need| recommends(&need.wanted, role)).peekable();
    let work = Work::default();
    let allows = |operation: &Operation| {
        let apart: Vec<&str> = other.permissions.iter().flat_map(|entry| patterns(entry, operation.data)).collect();
        operation.actions(&apart, &work).is_some_and(|actions| {
            actions.iter().all(|action| {
                let request = Request { data: operation.data, action, resource: scope, assignment: None };
                other.permissions.iter().any(|entry| entry.serves(&request) == Truth::True)
            })
        })
    };
    let is_met = |need: Requirement| {
        let asked = asked(&need.wanted, role);
        !asked.is_empty() && asked.iter().all(|ways| ways.iter().any(|way| way.iter().all(allows)))
    };
    needs.peek().is_some() && needs.all(is_met)
}

/// The patterns by which an entry tells actions of a plane apart.
pub(super) fn patterns(entry: &PermissionSet, data: bool) -> impl Iterator<Item = &str> {
    let (allowed, taken) = entry.plane(data);
    let conditions = entry.condition.iter().flat_map(Condition::action_patterns);
    allowed.iter().chain(taken).map(String::as_str).chain(conditions)
}

/// Whether one entry of a role allows some of the operation, or a part of it.
pub(super) fn has_part_in(entry: &PermissionSet, operation: &Operation) -> bool {
    let (allowed, _) = entry.plane(operation.data);
    allowed.iter().any(|own| pattern::overlap(own, &operation.pattern))
}
