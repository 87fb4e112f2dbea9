//! The nouns: values that every stage shares. Nothing here knows Kubernetes, HTTP or the words shown to people.

pub mod access;
pub mod condition;
pub mod cosmos;
pub mod ends;
pub mod evidence;
pub mod failure;
pub mod grants;
pub mod history;
pub mod hypothesis;
pub mod identity;
pub mod ids;
pub mod mark;
pub mod network;
pub mod observed;
pub mod pattern;
pub mod reading;
pub mod scope;
pub mod settings;
pub mod spelling;
pub mod target;
pub mod work;

pub use access::{Denied, DenyAssignment, Grant, PermissionSet, PrincipalKind, Role};
pub use condition::{Condition, Truth};
pub use ends::Ends;
pub use evidence::{Evidence, Source};
pub use failure::{AWAITS_TURN, Failure, FailureClass, innermost};
pub use grants::Grants;
pub use history::{Change, Granted, History};
pub use hypothesis::Hypothesis;
pub use identity::{
    AccessEntry, ActsAs, Attachment, PlatformIdentity, PlatformUse, Site, SystemAssigned, UserIdentity, Vault,
    VaultMode, VaultOperation, Workload,
};
pub use ids::{ClientId, PrincipalId, RoleId};
pub use mark::{Mark, Owner, grant_name};
pub use network::NetworkQuestion;
pub use observed::{Census, HostSeen, Observed, SubscriptionAccess, VaultReference};
pub use reading::Reading;
pub use scope::{Scope, ScopeError};
pub use settings::AppSettings;
pub use target::TargetKind;
