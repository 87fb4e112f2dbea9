//! The wire types of our custom resources: what users write and read. Loose on purpose; `policy` makes them strict.
//!
//! Defaults are written by hand, because a derived default becomes part of the API.

mod boundary;
mod choices;
mod evidence;
mod fragments;
mod needs;
mod policy;
mod status;

pub use boundary::{
    BoundaryRole, BoundaryScope, BoundaryVault, IdentityBoundary, IdentityBoundarySpec, NamespaceSelection,
    VaultSwitch, Waiver,
};
pub use choices::{ChangeKind, Criticality, DeletionPolicy, Gate, Mode, NetworkCheck, Prune, Settings};
pub use evidence::Evidence;
pub use needs::{
    Binding, DeclaredGrant, HostStorage, Leases, Platform, PlatformResource, RoleSet, StorageAuth, VaultAccess,
    VaultExpectation, VaultMode,
};
pub use policy::{
    BaseScope, FunctionIdentityPolicy, FunctionIdentityPolicySpec, Identities, Remediation, SystemIdentity, Target,
    UserIdentityRef,
};
pub use status::{
    DecisionStatus, FindingStatus, FlowStatus, FunctionIdentityPolicyStatus, HeldStatus, HypothesisStatus,
    PendingRestart, PlanStatus, StepStatus,
};

/// The API group of both kinds.
pub const GROUP: &str = "rolecall.dev";
/// The version of both kinds.
pub const VERSION: &str = "v1alpha1";
/// The identity name that means the system-assigned one.
pub const SYSTEM_IDENTITY: &str = "system";
