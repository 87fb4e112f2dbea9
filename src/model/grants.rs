//! The grants of a subscription, and whose they are: thousands of them are asked about thousands of times.

use std::{
    collections::BTreeMap,
    ops::{Deref, DerefMut},
    sync::OnceLock,
};

use super::{Grant, PrincipalId};

/// A list of grants that knows by whom they are held.
#[derive(Clone, Debug, Default)]
pub struct Grants {
    all: Vec<Grant>,
    /// Made when it is first asked for, and anew after a change.
    index: OnceLock<Index>,
}

#[derive(Clone, Debug, Default)]
struct Index {
    by_principal: BTreeMap<PrincipalId, Vec<usize>>,
    /// And of what may be one.
    of_groups: Vec<usize>,
}

impl Grants {
    /// Those that name the principal, and those that name a group, or what may be one: they may reach it too.
    pub fn that_may_reach(&self, principal: PrincipalId) -> impl Iterator<Item = &Grant> {
        let of_groups = self.index().of_groups.iter().filter_map(|at| self.all.get(*at));
        self.held_by(principal).chain(of_groups.filter(move |grant| grant.principal != principal))
    }

    /// Those that name the principal.
    pub fn held_by(&self, principal: PrincipalId) -> impl Iterator<Item = &Grant> {
        let own = self.index().by_principal.get(&principal).into_iter().flatten();
        own.filter_map(|at| self.all.get(*at))
    }

    /// Those that name the group, if it may be one.
    pub fn of_group(&self, group: PrincipalId) -> impl Iterator<Item = &Grant> {
        self.held_by(group).filter(|grant| grant.principal_kind.may_have_members())
    }

    fn index(&self) -> &Index {
        self.index.get_or_init(|| {
            let mut index = Index::default();
            for (at, grant) in self.all.iter().enumerate() {
                index.by_principal.entry(grant.principal).or_default().push(at);
                if grant.principal_kind.may_have_members() {
                    index.of_groups.push(at);
                }
            }
            index
        })
    }
}

impl From<Vec<Grant>> for Grants {
    fn from(all: Vec<Grant>) -> Self {
        Self { all, index: OnceLock::new() }
    }
}

impl FromIterator<Grant> for Grants {
    fn from_iter<I: IntoIterator<Item = Grant>>(grants: I) -> Self {
        grants.into_iter().collect::<Vec<_>>().into()
    }
}

impl Deref for Grants {
    type Target = Vec<Grant>;

    fn deref(&self) -> &Self::Target {
        &self.all
    }
}

impl DerefMut for Grants {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.index = OnceLock::new();
        &mut self.all
    }
}
