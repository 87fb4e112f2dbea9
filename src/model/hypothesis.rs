//! What an incident can come from: the playbook's list, which evidence speaks for and against.

/// One of the playbook's six explanations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Hypothesis {
    /// Identity not enabled, or the wrong one.
    H1,
    /// Required role missing at the right scope.
    H2,
    /// Propagation.
    H3,
    /// Key Vault permission model.
    H4,
    /// Wrong audience or scope.
    H5,
    /// Not authorization at all.
    H6,
}
