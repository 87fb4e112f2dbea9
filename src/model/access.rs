//! Grants, roles and deny assignments as Azure lists them.

use jiff::Timestamp;

use super::{Mark, PrincipalId, RoleId, Scope, pattern};

/// Who a grant names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrincipalKind {
    /// A managed identity or an app registration.
    ServicePrincipal,
    /// A group: whoever is in it.
    Group,
    /// A user, a device, a foreign group, or a type this version does not know.
    Other,
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
    pub conditioned: bool,
    /// The later of creation and last update; none in answers that leave both out.
    pub changed: Option<Timestamp>,
    /// What its description says of us; none when it is not of our making, or was edited.
    pub mark: Option<Mark>,
    /// The principal that created it; none in the answer to the creation itself.
    pub created_by: Option<PrincipalId>,
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
    pub conditioned: bool,
}

impl PermissionSet {
    /// Whether the entry allows one control-plane action, written out without a `*`.
    #[must_use]
    pub fn allows(&self, action: &str) -> bool {
        self.actions.iter().any(|own| pattern::covers(own, action))
            && !self.not_actions.iter().any(|not| pattern::covers(not, action))
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
    /// Who is denied; the all-zero id stands for everyone.
    pub principals: Vec<PrincipalId>,
    /// Who is exempt.
    pub excluded: Vec<PrincipalId>,
    /// A group is denied or exempt, or a condition narrows it: whether it holds for one principal is not known here.
    pub undecidable: bool,
    /// What is denied.
    pub permissions: Vec<PermissionSet>,
}
