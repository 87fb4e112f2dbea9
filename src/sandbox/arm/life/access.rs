//! Which role assignments services go by, at which moment. An evaluation of its own, so that it can disagree with the
//! client's. Conditions are not evaluated: an assignment that has one lets nobody in.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::super::definitions;
use super::super::path;
use super::super::rights::{grants_data_action, scope_of};
use super::super::state::{State, id_of};
use super::spec::Propagation;
use super::token::Token;

const KIND: &str = "microsoft.authorization/roleassignments";

/// How many front ends a service has. They learn of a change one after the other.
pub(super) const FRONTS: u64 = 4;

/// All assignments that are or were.
pub(super) struct Grants {
    propagation: Propagation,
    known: Vec<Known>,
    /// Whether roles grant actions. Forgotten when documents change.
    roles: BTreeMap<(String, &'static str), bool>,
}

struct Known {
    document: Value,
    scope: String,
    /// None: it was always there.
    made: Option<Timestamp>,
    removed: Option<Timestamp>,
}

impl Grants {
    /// Those of a world, as somebody sees them who has looked since that moment.
    pub(super) fn of(state: &State, propagation: Propagation, since: Timestamp) -> Self {
        let known = |document: &Value| {
            let made = document["properties"]["createdOn"].as_str().and_then(|it| it.parse::<Timestamp>().ok());
            Known::new(document, made.filter(|made| *made > since))
        };
        Self { propagation, known: state.of_kind(KIND).map(known).collect(), roles: BTreeMap::new() }
    }

    /// Takes note of what was made and removed at that moment.
    pub(super) fn follow(&mut self, state: &State, at: Timestamp) {
        self.roles.clear();
        for known in self.known.iter_mut().filter(|known| known.removed.is_none()) {
            if state.document(id_of(&known.document)) != Some(&known.document) {
                known.removed = Some(at);
            }
        }
        let lasting = |known: &Known| known.removed.is_none().then(|| path::key(id_of(&known.document)));
        let there: std::collections::BTreeSet<_> = self.known.iter().filter_map(lasting).collect();
        let new = state.of_kind(KIND).filter(|document| !there.contains(&path::key(id_of(document))));
        self.known.extend(new.map(|document| Known::new(document, Some(at))));
    }

    /// Whether a front end lets the bearer do this. Services ask for the roles of the token's principal and groups at each
    /// call ("Managed identity best practices"), so that a new assignment needs no new token.
    pub(super) fn allow(
        &mut self,
        state: &State,
        token: &Token,
        action: &'static str,
        target: &str,
        front: u64,
        at: Timestamp,
    ) -> bool {
        let Self { propagation, known, roles } = self;
        known.iter().any(|it| {
            let properties = &it.document["properties"];
            let is_meant = properties["principalId"].as_str().is_some_and(|holder| token.is_of(holder));
            is_meant
                && properties["condition"].as_str().is_none_or(str::is_empty)
                && it.acts(*propagation, front, at)
                && path::covers(&it.scope, target)
                && *roles.entry((properties["roleDefinitionId"].to_string(), action)).or_insert_with(|| {
                    let role = path::last_segment(properties["roleDefinitionId"].as_str().unwrap_or(""));
                    definitions::find(state, &it.scope, role).is_some_and(|role| grants_data_action(&role, action))
                })
        })
    }
}

impl Known {
    fn new(document: &Value, made: Option<Timestamp>) -> Self {
        Self { scope: scope_of(document), document: document.clone(), made, removed: None }
    }

    fn acts(&self, propagation: Propagation, front: u64, at: Timestamp) -> bool {
        let learnt = |moment: Timestamp, first: SignedDuration| {
            let later = i32::try_from(front).unwrap_or_default();
            let last = i32::try_from(FRONTS - 1).unwrap_or(1);
            at >= moment + first + first * later / last
        };
        self.made.is_none_or(|made| learnt(made, propagation.grant))
            && !self.removed.is_some_and(|removed| learnt(removed, propagation.removal))
    }
}
