//! Grants, roles and deny assignments as Azure lists them.

use jiff::Timestamp;

use super::{Condition, Mark, PrincipalId, RoleId, Scope, Truth, condition::Request, pattern};

/// Who a grant names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrincipalKind {
    /// A managed identity or an app registration.
    ServicePrincipal,
    /// A group: whoever is in it.
    Group,
    /// A user or a device.
    Other,
    /// Left out, as by old api-versions, a foreign group, or a type that this version does not know.
    Unknown,
}

impl PrincipalKind {
    /// Whether it is a group, or cannot be said to be none: then others may be in it.
    #[must_use]
    pub fn may_have_members(self) -> bool {
        match self {
            Self::Group | Self::Unknown => true,
            Self::ServicePrincipal | Self::Other => false,
        }
    }
}

/// A principal × role × scope: a role assignment.
#[derive(Clone, Debug, PartialEq)]
pub struct Grant {
    /// The assignment's full id.
    pub id: Scope,
    /// Who holds it.
    pub principal: PrincipalId,
    /// What kind of principal that is.
    pub principal_kind: PrincipalKind,
    /// Which role.
    pub role: RoleId,
    /// Where.
    pub scope: Scope,
    /// An ABAC condition narrows it.
    pub condition: Option<Condition>,
    /// The later of creation and last update; none in answers that leave both out.
    pub changed: Option<Timestamp>,
    /// What its description says of us; none when it is not of our making, or was edited.
    pub mark: Option<Mark>,
    /// The principal that created it; none in the answer to the creation itself.
    pub created_by: Option<PrincipalId>,
}

impl Grant {
    /// Whether it has a condition, whatever that says: what is not provably unconditional is not ours to judge by.
    #[must_use]
    pub fn is_conditioned(&self) -> bool {
        self.condition.is_some()
    }
}

/// What one entry of a role allows. Effective rights are the actions less the not-actions, entry by entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PermissionSet {
    /// Control plane, allowed.
    pub actions: Vec<String>,
    /// Control plane, taken away from this entry again.
    pub not_actions: Vec<String>,
    /// Data plane, allowed.
    pub data_actions: Vec<String>,
    /// Data plane, taken away from this entry again.
    pub not_data_actions: Vec<String>,
    /// The entry holds only under an ABAC condition.
    pub condition: Option<Condition>,
}

impl PermissionSet {
    /// What is named on one plane, and what is taken away from that again.
    #[must_use]
    pub fn plane(&self, data: bool) -> (&[String], &[String]) {
        if data { (&self.data_actions, &self.not_data_actions) } else { (&self.actions, &self.not_actions) }
    }

    /// Whether the entry names an action, written out without a `*`, and does not take it away again.
    #[must_use]
    pub fn names(&self, data: bool, action: &str) -> bool {
        let (named, taken) = self.plane(data);
        named.iter().any(|own| pattern::covers(own, action)) && !taken.iter().any(|not| pattern::covers(not, action))
    }

    /// Whether the entry allows the request, under its condition.
    #[must_use]
    pub fn serves(&self, request: &Request<'_>) -> Truth {
        match &self.condition {
            _ if !self.names(request.data, request.action) => Truth::False,
            Some(condition) => condition.allows(request),
            None => Truth::True,
        }
    }
}

/// A role definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its GUID.
    pub id: RoleId,
    /// Its name.
    pub name: String,
    /// What it allows: the union of its entries.
    pub permissions: Vec<PermissionSet>,
    /// When a custom role was changed last; none for a built-in one, which Azure extends without taking from anybody.
    pub changed: Option<Timestamp>,
}

/// A deny assignment: takes rights away whatever roles are held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DenyAssignment {
    /// Its full id.
    pub id: Scope,
    /// Its display name.
    pub name: String,
    /// Where it applies.
    pub scope: Scope,
    /// It does not reach below its scope.
    pub own_scope_only: bool,
    /// Who is denied.
    pub principals: Vec<Denied>,
    /// Who is exempt.
    pub excluded: Vec<Denied>,
    /// An ABAC condition narrows it.
    pub condition: Option<Condition>,
    /// What is denied. Empty when that could not be read, so that it may be anything.
    pub permissions: Vec<PermissionSet>,
}

/// Whom a deny assignment names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// Everyone: the all-zero id.
    Everyone,
    /// One principal.
    Principal(PrincipalId),
    /// Whoever is in that group, or in what may be one: a type that this version does not know, or none.
    Group(PrincipalId),
    /// Somebody whose id could not be read.
    Unread,
}
