//! Where the app's telemetry is.

use jiff::SignedDuration;

use super::Parser;
use crate::{api, catalog::queries::WINDOW, model::Scope, policy::declared::EvidenceSource};

const WORKSPACE: &str = "Microsoft.OperationalInsights/workspaces";
/// An Application Insights component, which keeps its telemetry in a workspace.
pub const COMPONENT: &str = "Microsoft.Insights/components";

impl Parser {
    pub(super) fn evidence(&mut self, target: Option<&Scope>, evidence: &api::Evidence) -> Option<EvidenceSource> {
        let api::Evidence { workspace, role_name, window } = evidence;
        let workspace = self.resource("spec.evidence.workspace", workspace, &[WORKSPACE, COMPONENT]);
        let problem = match window.parse::<SignedDuration>() {
            Ok(window) if window < WINDOW.0 => Some("is too short: the minimum is 20m"),
            Ok(window) if window > WINDOW.1 => Some("is too long: the maximum is 24h"),
            Ok(_) => None,
            Err(_) => Some("is not a duration such as `2h` or `90m`"),
        };
        if let Some(problem) = problem {
            self.fault("spec.evidence.window", format!("`{window}` {problem}"));
        }
        // Of a slot the host makes one name with its app's.
        let role_name = if role_name.is_empty() { target?.app_name().replace('/', "-") } else { role_name.clone() };
        Some(EvidenceSource { workspace: workspace?, role_name, window: window.parse().ok()? })
    }
}

#[cfg(test)]
mod tests;
