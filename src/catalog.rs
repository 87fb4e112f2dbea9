//! Facts about Azure that decide something, each with its source: which rights a trigger needs, which role gives
//! them, how long a grant takes to act, which rights may never be handed out.

mod bindings;
pub mod clocks;
pub mod clouds;
mod forbidden;
mod roles;

pub use bindings::{
    Account, NeedRow, binding_needs, entity_example, entity_kinds, entity_scope, host_storage_needs, vault_secret_need,
};
pub use forbidden::{FORBIDDEN_ACTIONS, NAMED_ONLY_ACTIONS};
pub use roles::{BuiltInRole, built_in, built_in_roles};
