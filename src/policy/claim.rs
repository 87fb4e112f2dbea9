//! What the live policies of a cluster need: a grant that one of them needs is not taken away for another.

use super::Requirement;
use crate::model::PrincipalId;

/// One need of one policy.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Whose, as `namespace/name`.
    pub policy: String,
    /// The need.
    pub requirement: Requirement,
    /// The principal of its identity now; none when that is not known, and so could be anybody.
    pub principal: Option<PrincipalId>,
}

/// Every need of every policy that is alive, and their names.
#[derive(Clone, Debug, Default)]
pub struct Claims {
    /// The needs.
    pub needs: Vec<Claim>,
    /// The names of all live policies, as `namespace/name`, also of those that need nothing.
    pub live: std::collections::BTreeSet<String>,
    /// The subscriptions, in lower case, that live policies speak of which cannot be parsed: what they need there is not
    /// known.
    pub unparsed: std::collections::BTreeSet<String>,
}
