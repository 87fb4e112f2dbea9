//! What the operator says about a policy. Written whole, by one field manager, only when it differs.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What was observed, what is wrong, what is planned and what was done.
///
/// The default is written by the API server when a policy is created, so that a policy nobody has looked at is in
/// progress by kstatus, also while the operator is down.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = {"observedGeneration": -1}))]
pub struct FunctionIdentityPolicyStatus {
    /// The generation that the conditions speak of; -1 before the first look.
    pub observed_generation: i64,
    /// `Ready` and `Drifted` always; `Reconciling` and `Stalled` only while true, and never both. `Recovered` where telemetry
    /// is declared, since something was wrong: true when calls succeed again, with the figures.
    #[serde(default)]
    #[schemars(length(max = 8))]
    pub conditions: Vec<Condition>,
    /// Writes are stopped by `spec.suspend`.
    #[serde(default)]
    pub suspended: bool,
    /// When Azure was last observed. Moves only with another change, or hourly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_observed_time: Option<Time>,
    /// The last `reconcile.fluxcd.io/requestedAt` that was acted on.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 256))]
    pub last_handled_reconcile_at: String,
    /// The ARM id of the target.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub target: String,
    /// The hypothesis to act on now: `H1` identity, `H2` role, `H3` propagation, `H4` vault mode, `H5` audience, `H6`
    /// neither. Absent when nothing is wrong.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 8))]
    pub hypothesis: String,
    /// How grave it is: `SEV-1` what starts functions is cut off in production, `SEV-2` something else in production or a
    /// part with a fallback, `SEV-3` nothing critical. Absent when nothing is cut off.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 8))]
    pub severity: String,
    /// The playbook's flow, question by question, and while something is wrong its hypotheses with their evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<DecisionStatus>,
    /// What is wrong, most decisive first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub findings: Vec<FindingStatus>,
    /// How many further findings were left out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub truncated: u32,
    /// What is declared and cannot be checked here, each with the reason: a binding without an identity-based connection, or
    /// one whose rights live inside the service. It counts for nothing in the conditions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 256)))]
    pub unchecked: Vec<String>,
    /// Since when the app's host may still be the one from before its identity was written; absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_restart: Option<PendingRestart>,
    /// When the app's references to vaults were refreshed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub references_refreshed_time: Option<Time>,
    /// What is to be changed and what is held. Absent when there is nothing of either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanStatus>,
}

impl FunctionIdentityPolicyStatus {
    /// The condition of that type.
    #[must_use]
    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.type_ == kind)
    }

    /// `Ready`, where it says that nothing is wrong, advice aside.
    #[must_use]
    pub fn in_order(&self) -> Option<&Condition> {
        let is_in_order = |ready: &&Condition| matches!(ready.reason.as_str(), "Compliant" | "CompliantWithFindings");
        self.condition("Ready").filter(is_in_order)
    }
}

/// An identity was written, and whether the host was made anew since is not known yet.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct PendingRestart {
    /// When the identity was written.
    pub since: Time,
    /// The app was restarted once for it.
    #[serde(default)]
    pub restarted: bool,
}

/// What was asked and answered on the way to the hypothesis to act on.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct DecisionStatus {
    /// The questions in the order of the flow: earlier ones dominate later ones.
    #[schemars(length(max = 16))]
    pub flow: Vec<FlowStatus>,
    /// The six hypotheses; absent while nothing is wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub hypotheses: Vec<HypothesisStatus>,
}

/// One question of the flow.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct FlowStatus {
    /// `IdentityEnabled`, `PrincipalAttached`, `RolePresent`, `Propagated`, `VaultModeAligned`, `AudienceRight` or
    /// `ServiceReachable`.
    #[schemars(length(max = 64))]
    pub question: String,
    /// `Yes`, `No`, `CannotTell` or `NotAsked`.
    #[schemars(length(max = 16))]
    pub answer: String,
    /// What shows that it is not so, or what would be needed to tell.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 256))]
    pub because: String,
    /// Since when this is the answer.
    pub since: Time,
}

/// One hypothesis of the playbook.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct HypothesisStatus {
    /// `H1` to `H6`.
    #[schemars(length(max = 8))]
    pub hypothesis: String,
    /// `Confirmed`, `Refuted`, `Open` or `NotExamined`.
    #[schemars(length(max = 16))]
    pub verdict: String,
    /// What speaks for it: resource, field and value, or what telemetry says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4), inner(length(max = 256)))]
    pub confirming: Vec<String>,
    /// What speaks against it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4), inner(length(max = 256)))]
    pub disproving: Vec<String>,
    /// What is missing to tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4), inner(length(max = 256)))]
    pub needed: Vec<String>,
}

/// One thing that is wrong.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct FindingStatus {
    /// A stable code such as `role-missing`.
    #[schemars(length(max = 64))]
    pub code: String,
    /// The binding, grant, vault or identity it is about.
    #[schemars(length(max = 256))]
    pub subject: String,
    /// What was expected and what was seen.
    #[schemars(length(max = 2048))]
    pub message: String,
}

/// What follows from the findings.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct PlanStatus {
    /// Changes, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub steps: Vec<StepStatus>,
    /// Changes that are not made, each with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub held: Vec<HeldStatus>,
    /// How many further entries were left out of both lists.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub truncated: u32,
}

/// One change.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct StepStatus {
    /// The kind of change, such as `GrantRole`.
    #[schemars(length(max = 64))]
    pub change: String,
    /// What it changes, for a reader.
    #[schemars(length(max = 2048))]
    pub summary: String,
    /// The request, as `METHOD path?query`.
    #[schemars(length(max = 2048))]
    pub request: String,
    /// The request's body, JSON.
    #[schemars(length(max = 8192))]
    pub body: String,
    /// The same change as `az` commands.
    #[schemars(length(max = 4096))]
    pub az: String,
    /// What became of it, for a reader; empty while it was not tried.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 2048))]
    pub outcome: String,
}

/// One change that is not made.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct HeldStatus {
    /// The kind of change, or `none` when no change of this version would help.
    #[schemars(length(max = 64))]
    pub change: String,
    /// The binding, grant, vault or identity it is about.
    #[schemars(length(max = 256))]
    pub subject: String,
    /// Why, as a stable word such as `ModeReport`.
    #[schemars(length(max = 64))]
    pub reason: String,
    /// Why, for a reader.
    #[schemars(length(max = 2048))]
    pub message: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}
