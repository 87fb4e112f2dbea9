//! Facts about Azure that decide something, each with its source: which rights a binding needs, which role gives them, how
//! long a grant takes to act, which rights may never be handed out.

pub mod binding;
pub mod clocks;
pub mod clouds;
pub mod counted;
pub mod endpoints;
mod entities;
mod forbidden;
pub mod queries;
mod roles;
pub mod services;
pub mod signals;
pub mod storage;
pub mod vault;

pub use binding::Need;
pub use entities::{entity_example, entity_scope};
pub use forbidden::{FORBIDDEN_ACTIONS, NAMED_ONLY_ACTIONS};
pub use roles::{BuiltInRole, CosmosRole, built_in, built_in_roles, cosmos_role, cosmos_roles, role_sources};
