//! What a policy may read and change. Absent a boundary, nothing: reading too would leak through status.

mod vaults;

use std::collections::BTreeMap;

use self::vaults::Switchable;
use super::declared::Policy;
use crate::{
    api::{self, ChangeKind, IdentityBoundary, Mode},
    catalog::{FORBIDDEN_ACTIONS, NAMED_ONLY_ACTIONS},
    model::{Role, RoleId, Scope, pattern},
};

/// One boundary, parsed. What cannot be parsed is left out, which can only allow less.
#[derive(Clone, Debug)]
pub struct Boundary {
    name: String,
    names: Vec<String>,
    labels: BTreeMap<String, String>,
    max_mode: Mode,
    scopes: Vec<Scope>,
    roles: Vec<RoleId>,
    changes: Vec<ChangeKind>,
    switchable: Vec<Switchable>,
}

impl From<&IdentityBoundary> for Boundary {
    fn from(object: &IdentityBoundary) -> Self {
        let api::IdentityBoundarySpec { namespaces, max_mode, scopes, roles, changes, vaults } = &object.spec;
        Self {
            name: object.metadata.name.clone().unwrap_or_default(),
            names: namespaces.names.clone(),
            labels: namespaces.match_labels.clone(),
            max_mode: *max_mode,
            // A boundary speaks of scopes at or below a subscription, so that no entry can mean everything.
            scopes: scopes
                .iter()
                .filter_map(|scope| Scope::parse(&scope.id).ok())
                .filter(|scope| scope.subscription().is_some_and(|id| !id.is_empty()))
                .collect(),
            roles: roles.iter().filter_map(|role| role.id.parse().ok()).collect(),
            changes: changes.clone(),
            switchable: Switchable::of(vaults),
        }
    }
}

impl Boundary {
    /// The object's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The namespaces that it selects by name.
    #[must_use]
    pub fn namespaces(&self) -> &[String] {
        &self.names
    }

    /// Whether it is for that namespace, which has those labels.
    #[must_use]
    pub fn selects(&self, namespace: &str, labels: &BTreeMap<String, String>) -> bool {
        let by_label = !self.labels.is_empty() && self.labels.iter().all(|(key, value)| labels.get(key) == Some(value));
        self.names.iter().any(|name| name == namespace) || by_label
    }

    fn covers(&self, scope: &Scope) -> bool {
        self.scopes.iter().any(|own| own.reaches(scope))
    }

    /// Why it does not allow the request whole, if so.
    fn shortfall(&self, mode: Mode, change: ChangeKind, scopes: &[&Scope], role: Option<&Role>) -> Option<String> {
        let Self { name, names: _, labels: _, max_mode, scopes: _, roles, changes, switchable: _ } = self;
        if let Some(outside) = scopes.iter().find(|scope| !self.covers(scope)) {
            Some(format!("boundary `{name}` does not reach `{outside}`"))
        } else if *max_mode < mode {
            Some(format!("boundary `{name}` allows no more than {max_mode:?}"))
        } else if !changes.contains(&change) {
            Some(format!("boundary `{name}` does not list the change {change:?}"))
        } else {
            let unlisted = role.filter(|role| !roles.contains(&role.id));
            unlisted.map(|role| format!("boundary `{name}` does not list the role {} ({})", role.name, role.id))
        }
    }
}

/// On whose authority a run acts.
#[derive(Clone, Debug)]
pub enum Authority {
    /// The boundaries of the cluster or of files.
    Boundaries {
        /// All of them.
        boundaries: Vec<Boundary>,
        /// The labels of each namespace.
        namespaces: BTreeMap<String, BTreeMap<String, String>>,
    },
    /// A person at a terminal, with their own Azure rights and no boundary.
    Caller,
}

impl Authority {
    /// What it allows one policy.
    pub fn verdict(&self, policy: &Policy) -> Verdict {
        match self {
            Self::Caller => Verdict { rights: Rights::Caller },
            Self::Boundaries { boundaries, namespaces } => {
                let none = BTreeMap::new();
                let labels = namespaces.get(&policy.namespace).unwrap_or(&none);
                let own = boundaries.iter().filter(|boundary| boundary.selects(&policy.namespace, labels));
                Verdict { rights: Rights::Boundaries(own.cloned().collect()) }
            }
        }
    }
}

/// What one policy may read and change.
#[derive(Clone, Debug)]
pub struct Verdict {
    rights: Rights,
}

#[derive(Clone, Debug)]
enum Rights {
    /// The boundaries that select the policy's namespace.
    Boundaries(Vec<Boundary>),
    Caller,
}

/// Why a change is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No single boundary allows the whole of it.
    Outside(String),
    /// The role reaches an action that is never handed out.
    Powerful {
        /// The role's name.
        role: String,
        /// The action of the role that reaches too far.
        action: String,
    },
}

impl Verdict {
    /// Scopes of the policy that may not even be read, the target first. Empty when all may.
    pub fn unreadable(&self, policy: &Policy) -> Vec<Scope> {
        match &self.rights {
            Rights::Caller => Vec::new(),
            Rights::Boundaries(boundaries) => {
                let outside = |scope: &&Scope| !boundaries.iter().any(|boundary| boundary.covers(scope));
                let mut scopes: Vec<_> = policy.scopes().into_iter().filter(outside).cloned().collect();
                scopes.sort_by_key(|scope| *scope != policy.target);
                scopes
            }
        }
    }

    /// Whether a scope may be spoken of.
    pub fn may_tell(&self, scope: &Scope) -> bool {
        match &self.rights {
            Rights::Caller => true,
            Rights::Boundaries(boundaries) => boundaries.iter().any(|boundary| boundary.covers(scope)),
        }
    }

    /// The mode that applies: the policy's, but no further than a boundary over the target allows.
    pub fn mode(&self, policy: &Policy) -> Mode {
        match &self.rights {
            Rights::Caller => policy.mode,
            Rights::Boundaries(boundaries) => {
                let over = boundaries.iter().filter(|boundary| boundary.covers(&policy.target));
                over.map(|boundary| boundary.max_mode).max().unwrap_or(Mode::Report).min(policy.mode)
            }
        }
    }

    /// Whether a change of that kind may be made at that scope.
    pub fn permits_change(&self, mode: Mode, change: ChangeKind, scopes: &[&Scope]) -> Result<(), Refusal> {
        self.permits(mode, change, scopes, None)
    }

    /// Whether that role may be granted at that scope. Judged by what the role allows, not by its name.
    pub fn permits_grant(&self, mode: Mode, role: &Role, scope: &Scope) -> Result<(), Refusal> {
        if let Some(action) = reaches(role, &FORBIDDEN_ACTIONS) {
            return Err(Refusal::Powerful { role: role.name.clone(), action });
        }
        if let (Rights::Caller, Some(action)) = (&self.rights, reveals_keys(role)) {
            return Err(Refusal::Powerful { role: role.name.clone(), action });
        }
        self.permits(mode, ChangeKind::GrantRole, &[scope], Some(role))
    }

    fn permits(&self, mode: Mode, change: ChangeKind, scopes: &[&Scope], role: Option<&Role>) -> Result<(), Refusal> {
        let Rights::Boundaries(boundaries) = &self.rights else { return Ok(()) };
        // One boundary must allow the request whole: two that each allow half of it allow nothing.
        let mut reasons = Vec::new();
        for boundary in boundaries {
            match boundary.shortfall(mode, change, scopes, role) {
                None => return Ok(()),
                Some(reason) => reasons.push(reason),
            }
        }
        Err(Refusal::none_of(reasons))
    }
}

impl Refusal {
    /// No boundary allows it, each for its reason.
    fn none_of(mut reasons: Vec<String>) -> Self {
        if reasons.is_empty() {
            reasons.push("no boundary selects this namespace".to_owned());
        }
        Self::Outside(reasons.join("; "))
    }
}

/// The first action of the role by which whoever holds it can come to more rights.
#[must_use]
pub fn leads_to_more_rights(role: &Role) -> Option<String> {
    reaches(role, &FORBIDDEN_ACTIONS)
}

/// The first control-plane action of the role that overlaps one of `actions` and is not taken away again by a
/// not-action. The data plane is another set of actions under like names: `Microsoft.KeyVault/vaults/*` among data
/// actions writes no access policy.
fn reaches(role: &Role, actions: &[&str]) -> Option<String> {
    role.permissions.iter().find_map(|entry| {
        let too_far = |own: &&String| {
            is_everything(own)
                || actions.iter().any(|action| {
                    let taken_away = |not: &String| pattern::covers(not, action) || pattern::covers(not, own);
                    pattern::overlap(own, action) && !entry.not_actions.iter().any(taken_away)
                })
        };
        let everything_in_data = entry.data_actions.iter().find(|own| is_everything(own));
        entry.actions.iter().find(too_far).or(everything_in_data).cloned()
    })
}

/// The first action of the role that reveals keys: one of those known, or one that says so in any provider.
fn reveals_keys(role: &Role) -> Option<String> {
    reaches(role, &NAMED_ONLY_ACTIONS).or_else(|| {
        let mut own = role.permissions.iter().flat_map(|entry| &entry.actions);
        own.find(|own| pattern::covers("*/listKeys/action", own)).cloned()
    })
}

/// `*` and the ways to disguise it. Refused whatever is taken away from it: tomorrow's actions are in it too.
fn is_everything(own: &str) -> bool {
    own.contains('*') && own.chars().all(|symbol| matches!(symbol, '*' | '/'))
}

#[cfg(test)]
mod tests;
