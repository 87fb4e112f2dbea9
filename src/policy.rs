//! The declared side: a policy parsed once into something that cannot be half valid, and the boundary that says what
//! may be done about it. Knows no Azure answer and no client.

mod boundary;
mod claim;
mod declared;
#[cfg(test)]
pub(crate) mod fixtures;
mod parse;
mod rival;
mod sources;

pub use boundary::{Authority, Boundary, Refusal, Verdict, leads_to_more_rights};
pub use claim::{Claim, Claims};
pub use declared::{
    Connection, EvidenceSource, Identity, Origin, Policy, Requirement, RoleName, Unchecked, VaultRequirement, Wanted,
    subject_of,
};
pub use parse::{COMPONENT, PolicyError, Violation};
pub use rival::acts_instead;
pub use sources::TriggerSources;
