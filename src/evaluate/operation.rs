//! What a requirement asks for, as operations, and whether one entry of a role allows or denies one of them.

use crate::{
    catalog,
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

/// The role to recommend, as that subscription defines it, and the operations that are needed.
pub(super) fn operations(wanted: &Wanted, access: &SubscriptionAccess) -> Option<(Role, Vec<Operation>)> {
    match wanted {
        Wanted::Need(row) => {
            // The GUID is ours and the permissions are Azure's: a definition that is not listed cannot be granted.
            let id = catalog::built_in(row.role)?.role_id();
            let role = access.roles.get(&id)?.clone();
            let operation =
                |data| move |action: &&str| Operation { data, pattern: (*action).to_owned(), except: vec![] };
            let control = row.actions.iter().map(operation(false));
            Some((role, control.chain(row.data_actions.iter().map(operation(true))).collect()))
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
            Some((role.clone(), operations.collect()))
        }
    }
}

/// Whether one entry of a role allows the whole operation. Not-actions count within their entry only.
pub(super) fn covers(entry: &PermissionSet, operation: &Operation) -> bool {
    let (allowed, taken) = plane(entry, operation.data);
    let takes_away = |not: &String| {
        pattern::overlap(not, &operation.pattern) && !operation.except.iter().any(|except| pattern::covers(except, not))
    };
    allowed.iter().any(|own| pattern::covers(own, &operation.pattern)) && !taken.iter().any(takes_away)
}

/// Whether one entry of a deny assignment denies some of the operation.
pub(super) fn touches(entry: &PermissionSet, operation: &Operation) -> bool {
    let (denied, spared) = plane(entry, operation.data);
    denied.iter().any(|own| pattern::overlap(own, &operation.pattern))
        && !spared.iter().any(|not| pattern::covers(not, &operation.pattern))
}

fn plane(entry: &PermissionSet, data: bool) -> (&[String], &[String]) {
    if data { (&entry.data_actions, &entry.not_data_actions) } else { (&entry.actions, &entry.not_actions) }
}
