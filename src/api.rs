//! The wire types of our custom resources: what users write and read. Loose on purpose; `policy` makes them strict.
//!
//! Defaults are written by hand, because a derived default becomes part of the API.

mod boundary;
mod evidence;
mod fragments;
mod needs;
mod policy;
mod status;

pub use boundary::{BoundaryRole, BoundaryScope, IdentityBoundary, IdentityBoundarySpec, NamespaceSelection};
pub use evidence::Evidence;
pub use needs::{
    Binding, DeclaredGrant, HostStorage, Leases, Platform, PlatformResource, RoleSet, StorageAuth, VaultAccess,
    VaultExpectation, VaultMode,
};
pub use policy::{
    BaseScope, ChangeKind, Criticality, DeletionPolicy, FunctionIdentityPolicy, FunctionIdentityPolicySpec, Gate,
    Identities, Mode, NetworkCheck, Prune, Remediation, Settings, SystemIdentity, Target, UserIdentityRef,
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
