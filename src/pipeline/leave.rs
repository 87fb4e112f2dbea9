//! What a pass asks whoever runs it.

use std::{sync::Arc, time::Duration};

use crate::{api::FunctionIdentityPolicy, policy::Authority};

/// On what authority a pass acts. Asked at its beginning, before planning and before each write, because boundaries and
/// policies change while passes are under way.
pub trait Leave {
    /// What policies may do now.
    fn authority(&self) -> Authority;

    /// Whether the policy that is being passed is still what its owner wants.
    fn is_current(&self, object: &FunctionIdentityPolicy) -> bool;

    /// Every policy of the cluster; none when that is not known, and so nobody's need can be excluded.
    fn policies(&self) -> Option<Vec<Arc<FunctionIdentityPolicy>>>;

    /// Whether a write may begin now that takes up to `longest` to end: nobody else acts until then.
    fn may_write(&self, longest: Duration) -> bool;
}

/// An authority that does not change: that of a command line.
impl Leave for Authority {
    fn authority(&self) -> Authority {
        self.clone()
    }

    fn is_current(&self, _: &FunctionIdentityPolicy) -> bool {
        true
    }

    fn policies(&self) -> Option<Vec<Arc<FunctionIdentityPolicy>>> {
        None
    }

    fn may_write(&self, _: Duration) -> bool {
        true
    }
}
