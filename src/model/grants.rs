//! The grants of a subscription, and whose they are: thousands of them are asked about thousands of times.

use std::{
    collections::BTreeMap,
    ops::{Deref, DerefMut},
    sync::OnceLock,
};

use super::{Grant, PrincipalId, PrincipalKind};

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
    of_groups: Vec<usize>,
}

impl Grants {
    /// Those that name the principal, and those that name a group, which may reach it too.
    pub fn that_may_reach(&self, principal: PrincipalId) -> impl Iterator<Item = &Grant> {
        let index = self.index();
        let own = index.by_principal.get(&principal).into_iter().flatten();
        own.chain(&index.of_groups).filter_map(|at| self.all.get(*at))
    }

    /// Those that name the principal.
    pub fn held_by(&self, principal: PrincipalId) -> impl Iterator<Item = &Grant> {
        self.that_may_reach(principal).filter(move |grant| grant.principal == principal)
    }

    /// Those that name the group.
    pub fn of_group(&self, group: PrincipalId) -> impl Iterator<Item = &Grant> {
        let of_groups = self.index().of_groups.iter().filter_map(|at| self.all.get(*at));
        of_groups.filter(move |grant| grant.principal == group)
    }

    fn index(&self) -> &Index {
        self.index.get_or_init(|| {
            let mut index = Index::default();
            for (at, grant) in self.all.iter().enumerate() {
                match grant.principal_kind {
                    PrincipalKind::Group => index.of_groups.push(at),
                    PrincipalKind::ServicePrincipal | PrincipalKind::Other => {
                        index.by_principal.entry(grant.principal).or_default().push(at);
                    }
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
