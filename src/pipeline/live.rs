//! The policies that are alive, as of one moment: what they need is not taken away.

use std::{collections::BTreeSet, sync::Arc};

use crate::{api::FunctionIdentityPolicy, pipeline::Leave, policy::Policy};

/// The live policies, parsed, and what tells this moment from another.
pub(super) struct Live {
    pub(super) policies: Vec<Policy>,
    /// How many could not be parsed.
    pub(super) unparsed: usize,
    /// Uid and generation of each.
    pub(super) seen: BTreeSet<(Option<String>, Option<i64>)>,
    /// The one that is being deleted and does not count.
    pub(super) leaving: Option<String>,
}

impl Live {
    /// None when the policies of the cluster are not known. `leaving`: the uid of a policy that does not count.
    pub(super) fn of(leave: &impl Leave, leaving: Option<String>) -> Option<Self> {
        let is_alive = |object: &&Arc<FunctionIdentityPolicy>| {
            object.metadata.deletion_timestamp.is_none() && (leaving.is_none() || object.metadata.uid != leaving)
        };
        let objects = leave.policies()?;
        let alive: Vec<_> = objects.iter().filter(is_alive).collect();
        let policies: Vec<_> = alive.iter().filter_map(|object| Policy::parse(object).ok()).collect();
        let seen = alive.iter().map(|object| (object.metadata.uid.clone(), object.metadata.generation)).collect();
        Some(Self { unparsed: alive.len() - policies.len(), policies, seen, leaving })
    }
}
