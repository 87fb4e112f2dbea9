//! GUIDs that must not be mixed up.

use std::{fmt, str::FromStr};

use uuid::Uuid;

macro_rules! guid {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.trim().parse().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

guid! {
    /// The object id of a security principal: what a role assignment names. It changes when an identity is deleted
    /// and made again.
    PrincipalId
}

guid! {
    /// The client id of a managed identity: what a setting names.
    ClientId
}

guid! {
    /// The GUID of a role definition, the same in every subscription for built-in roles.
    RoleId
}

impl RoleId {
    /// The role named by a `roleDefinitionId`, in subscription or tenant form: only the last segment counts.
    #[must_use]
    pub fn from_definition_id(id: &str) -> Option<Self> {
        id.rsplit('/').next()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_role_definition_id_name_the_same_role() {
        let guid = "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0";
        let tenant = RoleId::from_definition_id(&format!("/providers/Microsoft.Authorization/roleDefinitions/{guid}"));
        let other =
            format!("/subscriptions/1/providers/Microsoft.Authorization/roleDefinitions/{}", guid.to_uppercase());
        assert_eq!(tenant, RoleId::from_definition_id(&other));
        assert_eq!(tenant.unwrap().to_string(), guid);
    }
}
