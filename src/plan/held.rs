//! What is not done, and why. Somebody on call will ask.

use jiff::Timestamp;

use crate::{
    api::{ChangeKind, Mode},
    policy::Identity,
};

/// A change that is not made.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// The kind of change; none when no change of ours would help.
    pub kind: Option<ChangeKind>,
    /// What in the policy it is about.
    pub subject: String,
    /// Why.
    pub reason: HoldReason,
}

/// Why a change is not made.
#[derive(Clone, Debug, PartialEq)]
pub enum HoldReason {
    /// The policy's mode is `Report`.
    ModeReport,
    /// The policy is suspended.
    Suspended,
    /// The boundary over the target allows no more than this mode.
    BoundaryMode(Mode),
    /// `remediation.allow` does not list the change.
    NotAllowed(ChangeKind),
    /// No single boundary allows the whole of it.
    OutsideBoundary(String),
    /// The role would hand out rights that lead to more rights.
    RoleTooPowerful {
        /// The role's name.
        role: String,
        /// The action that reaches too far.
        action: String,
    },
    /// `remediation.maxChanges` is used up; the next pass goes on.
    MaxChanges(usize),
    /// There is no principal to grant to yet.
    AwaitsIdentity(Identity),
    /// What was read does not suffice to write.
    EvidenceIncomplete,
    /// The grant is there and may not act before this time.
    Propagating(Timestamp),
    /// No change that this version makes would be safe or would help.
    NoSafeChange(&'static str),
    /// The same grant exists with a condition, which a write would erase.
    ConditionedAssignmentExists,
    /// Another operator may begin to act before the write would be over.
    LeaseUncertain,
}

impl HoldReason {
    /// The reason as a stable word, fit for a condition.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::ModeReport => "ModeReport",
            Self::Suspended => "Suspended",
            Self::BoundaryMode(_) => "BoundaryMode",
            Self::NotAllowed(_) => "NotAllowed",
            Self::OutsideBoundary(_) => "OutsideBoundary",
            Self::RoleTooPowerful { .. } => "RoleTooPowerful",
            Self::MaxChanges(_) => "MaxChanges",
            Self::AwaitsIdentity(_) => "AwaitsIdentity",
            Self::EvidenceIncomplete => "EvidenceIncomplete",
            Self::Propagating(_) => "Propagating",
            Self::NoSafeChange(_) => "NoSafeChange",
            Self::ConditionedAssignmentExists => "ConditionedAssignmentExists",
            Self::LeaseUncertain => "LeaseUncertain",
        }
    }
}
