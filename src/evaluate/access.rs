//! H2 and H3: effective access. A need is met by any grants whose roles cover its actions, wherever they are inherited
//! from; not by the name of a role.

mod answer;
mod denial;
mod effective;
mod ends;
mod near;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use jiff::Timestamp;

pub(super) use effective::Question;
pub(super) use ends::unasked;
use near::{lacks_data, near_misses};

use super::{Evaluated, Finding, PrincipalState, cosmos, operation::operations, together::tell};
use crate::{
    catalog::binding::Plane,
    model::{Observed, PrincipalId, Scope},
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
    /// There is nothing there to have access to.
    NoResource,
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
    /// It is held by a group that the principal is in.
    pub through_group: bool,
    /// Since when it is certain to act, or will be; none when Azure does not say when it was made.
    pub acts_from: Option<Timestamp>,
}

impl Evaluated {
    /// One whose principal and role do not matter or are not known yet.
    pub(super) fn unanswered(requirement: &Requirement, access: Access) -> Self {
        let Requirement { origins, identity, scope, wanted } = requirement;
        let role = match wanted {
            Wanted::Need(need) => need.role.clone(),
            Wanted::Role(role) => role.to_string(),
        };
        let (origins, identity, scope) = (origins.clone(), identity.clone(), scope.clone());
        Self { origins, identity, principal: None, scope, role, role_id: None, access }
    }
}

pub(super) fn evaluate_requirement(
    requirement: &Requirement,
    principals: &BTreeMap<Identity, PrincipalState>,
    observed: &Observed,
    now: Timestamp,
    ask_groups: &RefCell<BTreeSet<(PrincipalId, String)>>,
    findings: &mut Vec<Finding>,
) -> Evaluated {
    let Requirement { origins, identity, scope, wanted } = requirement;
    let mut evaluated = Evaluated::unanswered(requirement, Access::NoPrincipal);
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
    let question = Question { principal, scope, access, observed, now, ended_by: None, ask_groups };
    evaluated.access = question.answer(&asked);

    let (origins, identity, scope) = (origins.clone(), identity.clone(), scope.clone());
    let role_name = role.name.clone();
    match &evaluated.access {
        Access::Satisfied(_) => {
            let ends = question.ends(&asked);
            if let Some(ends) = ends {
                tell(findings, Finding::GrantEnds { origins, identity, role: role_name, scope, ends });
            }
        }
        Access::NoPrincipal | Access::NoResource => {}
        Access::Propagating { since, until, .. } => {
            let (since, until) = (*since, *until);
            tell(findings, Finding::Propagating { origins, identity, role: role_name, scope, since, until });
        }
        Access::Missing(missing) => {
            let lacks_data = lacks_data(&asked, missing);
            let near = near_misses(role.id, principal, &scope, access, principals, lacks_data);
            let held = access.grants.held_by(principal).filter(|grant| grant.scope.reaches(&scope));
            let held = held.map(|grant| grant.id.clone()).collect();
            let missing = missing.clone();
            let role_id = role.id;
            let role = role_name;
            let finding =
                Finding::RoleMissing { origins, identity, principal, role, role_id, scope, missing, held, near };
            tell(findings, finding);
        }
        Access::Denied(by) => tell(findings, Finding::AccessDenied { origins, identity, scope, by: by.clone() }),
        Access::Unknown(because) => {
            let because = because.clone();
            tell(findings, Finding::AccessUndecided { origins, identity, role: role_name, scope, because });
        }
    }
    evaluated
}
