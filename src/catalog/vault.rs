//! What an identity may do with the contents of a key vault, and the rights and roles behind it (`vault.yaml`).

use std::sync::LazyLock;

use serde::Deserialize;

use super::binding::{Account, Need};
use crate::model::VaultOperation;

/// One permission of an access policy.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VaultPermission {
    /// On what.
    pub kind: Contents,
    /// Its name, as access policies spell it.
    pub permission: String,
    /// The data action that stands for it.
    pub right: String,
    /// The least built-in role that has it.
    pub role: String,
    /// The right was read in a role or a page, and not inferred from its siblings.
    pub certain: bool,
    #[serde(skip)]
    need: Option<Need>,
}

/// The contents of a vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Contents {
    /// Secrets.
    Secrets,
    /// Keys.
    Keys,
    /// Certificates.
    Certificates,
}

impl VaultPermission {
    /// The operation that it permits.
    #[must_use]
    pub fn operation(&'static self) -> VaultOperation {
        VaultOperation { on: self.kind.name(), name: &self.permission }
    }

    /// The need behind it where role assignments decide.
    ///
    /// # Panics
    ///
    /// Never: every row gets its need when the table is read.
    #[must_use]
    pub fn need(&self) -> &Need {
        self.need.as_ref().expect("set when the table is read")
    }
}

/// A template of the portal's access policies.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// Its name.
    pub name: String,
    /// What it permits.
    pub policy: std::collections::BTreeMap<String, Vec<String>>,
    /// The roles that stand for it; none where that takes a custom role.
    pub roles: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    source: String,
    permissions: Vec<VaultPermission>,
    templates: Vec<Template>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut table: Table = serde_saphyr::from_str(include_str!("vault.yaml")).expect("a test reads this table");
    for row in &mut table.permissions {
        let purpose = format!("{} {}", row.permission, row.kind.name());
        row.need = Some(Need::of_right(purpose, Account::Resource, &row.role, &row.right));
    }
    table
});

impl Contents {
    /// Its field in a policy.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Secrets => "secrets",
            Self::Keys => "keys",
            Self::Certificates => "certificates",
        }
    }
}

/// All permissions.
#[must_use]
pub fn permissions() -> &'static [VaultPermission] {
    &TABLE.permissions
}

/// The permission of that name; casing does not count, as in access policies.
#[must_use]
pub fn permission(kind: Contents, name: &str) -> Option<&'static VaultPermission> {
    permissions().iter().find(|row| row.kind == kind && row.permission.eq_ignore_ascii_case(name))
}

/// The templates of the portal.
#[must_use]
pub fn templates() -> &'static [Template] {
    &TABLE.templates
}

/// Where the table is from.
#[must_use]
pub fn source() -> &'static str {
    &TABLE.source
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{catalog::built_in, model::pattern};

    #[test]
    fn the_role_of_each_permission_has_its_right_and_what_a_role_spells_out_is_no_inference() {
        for row in permissions() {
            let role = built_in(&row.role).unwrap_or_else(|| panic!("{} is not in the table", row.role));
            assert!(role.data_actions.iter().any(|own| pattern::covers(own, &row.right)), "{}", row.right);
            let mut literal = crate::catalog::built_in_roles().iter().flat_map(|role| &role.data_actions);
            assert!(row.certain || !literal.any(|own| *own == row.right), "{} is no inference", row.right);
        }
    }

    #[test]
    fn every_template_speaks_of_permissions_and_roles_that_the_tables_have() {
        for template in templates() {
            for (kind, names) in &template.policy {
                let kind = [Contents::Secrets, Contents::Keys, Contents::Certificates]
                    .into_iter()
                    .find(|known| known.name() == kind)
                    .unwrap_or_else(|| panic!("{kind}"));
                assert!(names.iter().all(|name| name == "all" || permission(kind, name).is_some()), "{names:?}");
            }
            assert!(template.roles.iter().all(|role| built_in(role).is_some()), "{:?}", template.roles);
        }
    }

    #[test]
    fn reading_a_secret_is_not_in_the_roles_that_people_take_for_it() {
        let right = &permission(Contents::Secrets, "Get").unwrap().right;
        for role in ["Reader", "Contributor", "Key Vault Reader", "Key Vault Contributor"] {
            let role = built_in(role).unwrap();
            assert!(!role.data_actions.iter().any(|own| pattern::covers(own, right)), "{}", role.name);
        }
    }
}
