//! Where the app's telemetry is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fragments;

/// A Log Analytics workspace, and how the app is found in it.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// A name in `resources`; its value is the id of a `Microsoft.OperationalInsights/workspaces`, or of a
    /// `Microsoft.Insights/components` that keeps its telemetry in one. A boundary that reaches the workspace lets a policy read
    /// what any app has written there.
    #[schemars(schema_with = "fragments::name")]
    pub workspace: String,
    /// The app's role name in its telemetry (`AppRoleName`, `cloud_RoleName`). Without it, the name of the app.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 128))]
    pub role_name: String,
    /// How far to look back, such as `2h` (the default); between `20m` and `24h`.
    #[serde(default = "default_window")]
    #[schemars(schema_with = "fragments::window")]
    pub window: String,
}

fn default_window() -> String {
    "2h".to_owned()
}
