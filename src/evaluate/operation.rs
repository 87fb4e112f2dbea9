//! What a requirement asks for, as operations, and the actions that stand for one.

use crate::{
    catalog::{self, binding::Right},
    model::{PermissionSet, Role, SubscriptionAccess, pattern},
    policy::{RoleName, Wanted},
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
    pub(super) fn actions(&self, apart: &[&str]) -> Option<Vec<String>> {
        let all: Vec<&str> = apart.iter().copied().chain(self.except.iter().map(String::as_str)).collect();
        let mut actions = pattern::samples(&self.pattern, &all)?;
        actions.retain(|action| !self.except.iter().any(|except| pattern::covers(except, action)));
        Some(actions)
    }
}

/// What must be allowed, in one way or another. Each way is a set of operations that must all be allowed.
pub(super) type Ways = Vec<Vec<Operation>>;

/// The role to recommend, as that subscription defines it, and the operations that are needed.
pub(super) fn operations(wanted: &Wanted, access: &SubscriptionAccess) -> Option<(Role, Vec<Ways>)> {
    match wanted {
        Wanted::Need(need) => {
            // The GUID is ours and the permissions are Azure's: a definition that is not listed cannot be granted.
            let id = catalog::built_in(&need.role)?.role_id();
            let role = access.roles.get(&id)?.clone();
            let operation = |data, pattern: &String| Operation { data, pattern: pattern.clone(), except: vec![] };
            let ways = |right: &Right| {
                let way = |way: &Vec<String>| way.iter().map(|pattern| operation(right.data, pattern)).collect();
                right.any_of.iter().map(way).collect()
            };
            Some((role, need.rights.iter().map(ways).collect()))
        }
        Wanted::Role(name) => {
            let role = match name {
                RoleName::Id(id) => access.roles.get(id)?,
                RoleName::Name(name) => access.roles.values().find(|role| role.name.eq_ignore_ascii_case(name))?,
            };
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
            let operations = operations.filter(|operation| operation.actions(&[]) != Some(Vec::new()));
            Some((role.clone(), operations.map(|operation| vec![vec![operation]]).collect()))
        }
    }
}

/// Whether one entry of a role allows some of the operation, or a part of it.
pub(super) fn has_part_in(entry: &PermissionSet, operation: &Operation) -> bool {
    let (allowed, _) = entry.plane(operation.data);
    allowed.iter().any(|own| pattern::overlap(own, &operation.pattern))
}
