//! What was done lately, by the activity log. Documents say what is, and nothing of what was taken away.

use jiff::Timestamp;

use super::{PrincipalId, RoleId, Scope};

/// Whose history.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum History {
    /// That of all role assignments of a subscription, by its id in lower case.
    Grants(String),
    /// That of one resource.
    Resource(Scope),
}

impl History {
    /// The subscription whose log has it, in lower case.
    #[must_use]
    pub fn subscription(&self) -> &str {
        match self {
            Self::Grants(subscription) => subscription,
            Self::Resource(resource) => resource.subscription().unwrap_or_default(),
        }
    }
}

/// A change that succeeded. Who made it is not read: a status is seen by many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// When.
    pub at: Timestamp,
    /// The operation, such as `Microsoft.Authorization/roleAssignments/delete`.
    pub operation: String,
    /// What was changed.
    pub resource: Scope,
    /// Of a role assignment: what it granted.
    pub grant: Option<Granted>,
    /// By which the log finds the change again, and who made it.
    pub correlation: String,
}

/// What a role assignment granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// To whom.
    pub principal: PrincipalId,
    /// What.
    pub role: RoleId,
    /// Where.
    pub scope: Scope,
}

impl Change {
    /// Whether something was taken away.
    #[must_use]
    pub fn is_removal(&self) -> bool {
        self.operation.to_ascii_lowercase().ends_with("/delete")
    }
}
