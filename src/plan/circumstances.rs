//! What a plan depends on besides policy and world: how the operator is run, and what it remembers. All of it can only
//! hold a change, never call for one.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::{api::Mode, model::Scope};

/// How the operator is run and what it remembers.
#[derive(Clone, Debug)]
pub struct Circumstances {
    /// The installation that grants are made for; none on a command line.
    pub installation: Option<String>,
    /// The furthest that any policy may go.
    pub max_mode: Mode,
    /// Subscriptions in which all writes stop, with the reason.
    pub stopped: BTreeMap<String, String>,
    /// Subscriptions that have been surveyed often enough to tell a change from a first sight.
    pub known: BTreeSet<String>,
    /// Nobody could be asked what other policies need of a vault: those of the cluster are not known.
    pub policies_unknown: bool,
    /// This process wrote the app's identity block itself, and remembers it.
    pub wrote_identity: bool,
    /// The app was restarted since its identity block was written.
    pub restarted: bool,
    /// When the app's references were refreshed last.
    pub references_refreshed: Option<Timestamp>,
}

impl Default for Circumstances {
    fn default() -> Self {
        Self {
            installation: None,
            max_mode: Mode::Enforce,
            stopped: BTreeMap::new(),
            known: BTreeSet::new(),
            policies_unknown: false,
            wrote_identity: false,
            restarted: false,
            references_refreshed: None,
        }
    }
}

impl Circumstances {
    /// Why nothing may be written there, if so.
    pub(super) fn stops(&self, scope: &Scope) -> Option<&String> {
        self.stopped.get(scope.subscription()?)
    }

    /// Whether that subscription was seen before.
    pub(super) fn knows(&self, scope: &Scope) -> bool {
        scope.subscription().is_some_and(|subscription| self.known.contains(subscription))
    }
}
