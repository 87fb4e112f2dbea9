//! What came of the last pass over a policy that is being deleted, as data.

/// What came of a last pass.
#[derive(Clone, Debug)]
pub enum Farewell {
    /// Nothing is to be revoked, or may be: why.
    Skipped(&'static str),
    /// Everything that could be revoked is: how many grants were, and how many stay because others need them.
    Done {
        /// Role assignments that were deleted just now.
        revoked: usize,
        /// Role assignments that other policies need.
        kept: usize,
    },
    /// The subscription was seen for the first time; nothing is taken away before a second look.
    FirstSight,
    /// Something is left that another try may revoke.
    Waiting {
        /// The ids of the role assignments that are left, where they could be read.
        left: Vec<String>,
        /// What stands in the way: a code of Azure or the word of a hold.
        because: String,
    },
}
