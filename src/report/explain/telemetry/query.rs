//! The queries as a person can run them, and where.

use std::collections::BTreeSet;

use crate::{
    catalog::queries::{self, Dialect, Parameters},
    model::{Scope, Source},
    policy::{COMPONENT, EvidenceSource, Policy},
};

/// How the queries of a policy are run. Where the policy names a component, its log view is where a person looks: it has
/// the app's telemetry by the names of its own, and nothing else that is in the workspace.
pub(super) struct Run<'a> {
    policy: &'a Policy,
    source: &'a EvidenceSource,
    logged: BTreeSet<Scope>,
}

impl<'a> Run<'a> {
    pub(super) fn of(policy: &'a Policy, source: &'a EvidenceSource) -> Self {
        Self { policy, source, logged: policy.logged() }
    }

    /// Whether a query is about something: there are no resources whose logs could name whom they refused.
    pub(super) fn is_asked(&self, source: Source) -> bool {
        source != Source::RefusedPrincipals || !self.logged.is_empty()
    }

    pub(super) fn parameters(&self) -> Parameters<'a> {
        let EvidenceSource { role_name, window, .. } = self.source;
        Parameters { role_name, app: &self.policy.target, resources: &[], window: *window }
    }

    /// What a person runs, in the words of the place where it is run.
    pub(super) fn text(&self, source: Source) -> String {
        let resources: Vec<_> = self.logged.iter().collect();
        let parameters = Parameters { resources: &resources, ..self.parameters() };
        let text = queries::query(source).text(self.dialect(source), &parameters);
        text.expect("a test asks a workspace everything")
    }

    /// Where it is run.
    pub(super) fn place(&self, source: Source) -> String {
        let name = self.source.workspace.name();
        match (self.is_component(), self.dialect(source)) {
            (false, _) => format!("workspace `{name}`"),
            (true, Dialect::Classic) => format!("component `{name}`"),
            (true, Dialect::Workspace) => format!("the workspace that component `{name}` writes to"),
        }
    }

    fn is_component(&self) -> bool {
        self.source.workspace.is_type(COMPONENT)
    }

    fn dialect(&self, source: Source) -> Dialect {
        let is_told_there = queries::query(source).dialects.contains(&Dialect::Classic);
        if self.is_component() && is_told_there { Dialect::Classic } else { Dialect::Workspace }
    }
}
