//! What is not done, and why. Somebody on call will ask.

use jiff::Timestamp;

use super::Step;
use crate::{
    api::{ChangeKind, Mode},
    evaluate::{Gap, Kept},
    model::PrincipalId,
    policy::Identity,
};

/// A change that is not made.
#[derive(Clone, Debug)]
pub struct Held {
    /// The kind of change; none when no change of ours would help.
    pub kind: Option<ChangeKind>,
    /// What in the policy it is about.
    pub subject: String,
    /// Why.
    pub reason: HoldReason,
    /// The step that it would have been, for whoever makes it by hand; none when it never came to one.
    pub would: Option<Box<Step>>,
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
    /// The operator is run with `--max-mode`.
    OperatorMode(Mode),
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
    /// The grant is needed by other policies.
    StillRequired(Kept),
    /// Too much changed at once in the subscription; why.
    BreakerOpen(String),
    /// The subscription was seen for the first time: what is new in it cannot be told from what was always so.
    NoBaseline,
    /// Enabling the system-assigned identity would make it the one that connections without a client id use.
    DefaultIdentityWouldChange,
    /// Another write of the app's identities comes first.
    AnotherIdentityWrite,
    /// The app was restarted once for this identity, and its host still is the old one.
    AlreadyRestarted,
    /// This process did not write the identity, so it does not restart the app for it.
    NotOurWrite,
    /// The references were refreshed after the grant took effect, and are still denied.
    AlreadyRefreshed,
    /// `--max-writes-per-hour` is used up; when there is room again.
    WriteBudget(Timestamp),
    /// Another operator may begin to act before the write would be over.
    LeaseUncertain,
    /// Live policies declare different modes of the vault: none of them acts on it.
    VaultModeDisputed,
    /// Whether another policy needs it cannot be asked, because the policies of the cluster are not known.
    PoliciesUnknown,
    /// These would lose access to the vault.
    AccessWouldBreak(Vec<Break>),
}

/// Somebody who would lose access to a vault.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Break {
    /// Who; none for an identity that another policy declares and of which no principal is known.
    pub object: Option<PrincipalId>,
    /// Why.
    pub gap: Gap,
}

impl Held {
    /// One that never came to a step.
    pub(super) fn without_step(kind: Option<ChangeKind>, subject: String, reason: HoldReason) -> Self {
        Self { kind, subject, reason, would: None }
    }
}

impl HoldReason {
    /// Whether nothing but leave or a count stands in the way: whoever may, can make the change by hand as it was planned.
    #[must_use]
    pub fn is_leave(&self) -> bool {
        match self {
            Self::ModeReport
            | Self::Suspended
            | Self::BoundaryMode(_)
            | Self::OperatorMode(_)
            | Self::NotAllowed(_)
            | Self::OutsideBoundary(_)
            | Self::MaxChanges(_)
            | Self::WriteBudget(_)
            | Self::LeaseUncertain
            | Self::NotOurWrite => true,
            Self::RoleTooPowerful { .. }
            | Self::AwaitsIdentity(_)
            | Self::EvidenceIncomplete
            | Self::Propagating(_)
            | Self::NoSafeChange(_)
            | Self::ConditionedAssignmentExists
            | Self::StillRequired(_)
            | Self::BreakerOpen(_)
            | Self::NoBaseline
            | Self::DefaultIdentityWouldChange
            | Self::AnotherIdentityWrite
            | Self::AlreadyRestarted
            | Self::AlreadyRefreshed
            | Self::VaultModeDisputed
            | Self::PoliciesUnknown
            | Self::AccessWouldBreak(_) => false,
        }
    }

    /// The reason as a stable word, fit for a condition.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::ModeReport => "ModeReport",
            Self::Suspended => "Suspended",
            Self::BoundaryMode(_) => "BoundaryMode",
            Self::OperatorMode(_) => "OperatorMode",
            Self::NotAllowed(_) => "NotAllowed",
            Self::OutsideBoundary(_) => "OutsideBoundary",
            Self::RoleTooPowerful { .. } => "RoleTooPowerful",
            Self::MaxChanges(_) => "MaxChanges",
            Self::AwaitsIdentity(_) => "AwaitsIdentity",
            Self::EvidenceIncomplete => "EvidenceIncomplete",
            Self::Propagating(_) => "Propagating",
            Self::NoSafeChange(_) => "NoSafeChange",
            Self::ConditionedAssignmentExists => "ConditionedAssignmentExists",
            Self::StillRequired(_) => "StillRequired",
            Self::BreakerOpen(_) => "BreakerOpen",
            Self::NoBaseline => "NoBaseline",
            Self::WriteBudget(_) => "WriteBudget",
            Self::DefaultIdentityWouldChange => "DefaultIdentityWouldChange",
            Self::AnotherIdentityWrite => "AnotherIdentityWrite",
            Self::AlreadyRestarted => "AlreadyRestarted",
            Self::NotOurWrite => "NotOurWrite",
            Self::AlreadyRefreshed => "AlreadyRefreshed",
            Self::LeaseUncertain => "LeaseUncertain",
            Self::VaultModeDisputed => "VaultModeDisputed",
            Self::PoliciesUnknown => "PoliciesUnknown",
            Self::AccessWouldBreak(_) => "AccessWouldBreak",
        }
    }
}
