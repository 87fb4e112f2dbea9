//! Which rights a call of the storage data plane takes (`storage.yaml`).

use std::sync::LazyLock;

use serde::Deserialize;

use super::binding::Right;

/// A call, by the name that the REST reference gives it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Call {
    /// Its name.
    pub name: String,
    /// On which plane of a role its rights are.
    pub kind: Kind,
    any_of: Vec<Way>,
}

/// A plane of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// `actions`.
    Action,
    /// `dataActions`.
    DataAction,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Way {
    One(String),
    All(Vec<String>),
}

impl Call {
    /// The rights that let a token make it.
    #[must_use]
    pub fn right(&self) -> Right {
        let way = |way: &Way| match way {
            Way::One(pattern) => vec![pattern.clone()],
            Way::All(patterns) => patterns.clone(),
        };
        Right { data: self.kind == Kind::DataAction, any_of: self.any_of.iter().map(way).collect() }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    source: String,
    calls: Vec<Call>,
}

static TABLE: LazyLock<Table> =
    LazyLock::new(|| serde_saphyr::from_str(include_str!("storage.yaml")).expect("a test reads this table"));

/// All calls.
#[must_use]
pub fn calls() -> &'static [Call] {
    &TABLE.calls
}

/// Where the table is from.
#[must_use]
pub fn source() -> &'static str {
    &TABLE.source
}

/// The call of that name, which the table of bindings uses.
pub(super) fn call(name: &str) -> &'static Call {
    let call = calls().iter().find(|call| call.name == name);
    call.unwrap_or_else(|| panic!("no call of storage is named {name}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::catalog::built_in_roles;

    #[test]
    fn no_two_calls_share_a_name_and_every_right_is_in_some_role() {
        let names: BTreeSet<_> = calls().iter().map(|call| &call.name).collect();
        assert_eq!(names.len(), calls().len());
        for call in calls() {
            for pattern in call.right().any_of.iter().flatten() {
                let lists = |role: &crate::catalog::BuiltInRole| {
                    let list = if call.right().data { &role.data_actions } else { &role.actions };
                    list.iter().any(|own| crate::model::pattern::covers(own, pattern))
                };
                let narrow = built_in_roles().iter().filter(|role| !["Owner", "Contributor"].contains(&&*role.name));
                assert!(narrow.clone().any(lists), "{}: no role allows {pattern}", call.name);
            }
        }
    }

    #[test]
    fn a_contributor_of_queues_can_send_although_it_lacks_the_senders_right() {
        let right = call("Put Message").right();
        let contributor = crate::catalog::built_in("Storage Queue Data Contributor").unwrap();
        assert!(!contributor.data_actions.iter().any(|own| own.ends_with("/add/action")));
        let way = |way: &Vec<String>| way.iter().all(|pattern| contributor.data_actions.contains(pattern));
        assert!(right.any_of.iter().any(way));
    }
}
