//! `Recovered`: whether calls succeed again since something was wrong, by the app's own telemetry.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::{
    super::{Pass, Recovery, words},
    Row,
};
use crate::{
    api::FunctionIdentityPolicyStatus,
    evaluate::{RECOVERS_WITHIN, Recovered, Standing, recovered},
    model::Reading,
};

const KIND: &str = "Recovered";

/// The row; none where nobody declares telemetry, or where nothing was wrong since it was declared.
///
/// Once true it stays as it is until something is wrong again, so that its figures are those of the recovery.
pub(super) fn row(known: &[Condition], pass: &Pass, generation: i64, now: Timestamp) -> Option<Row> {
    let source = pass.policy.evidence.as_ref()?;
    let row =
        |status, reason: &str, message: String| Some(Row { kind: KIND, status, reason: reason.to_owned(), message });
    // What was seen of an earlier declaration says nothing of this one.
    let before = known.iter().find(|one| one.type_ == KIND && one.observed_generation == Some(generation));
    let kept = || {
        let before = before?;
        let status = ["True", "False"].into_iter().find(|one| *one == before.status).unwrap_or("Unknown");
        row(status, &before.reason, before.message.clone())
    };
    let since = match (pass.evaluation.standing(), pass.aftermath.recovery) {
        (Standing::Drifted | Standing::TargetNotFound, _) => {
            return row("False", "NotRepaired", "what is wrong is not put right".to_owned());
        }
        (Standing::Propagating, _) => {
            return row("False", "Propagating", "what was granted may not act yet".to_owned());
        }
        (Standing::Undetermined, _) | (_, Recovery::NotAwaited) => return kept(),
        (Standing::Compliant | Standing::CompliantWithFindings, Recovery::Awaited { in_order_since }) => {
            in_order_since.unwrap_or(now)
        }
    };
    if let Some(one) = pass.evaluation.unresolved.first() {
        let message = format!("the app setting `{}` is not resolved: `{}`", one.setting, one.status);
        return row("False", "ReferencesNotResolved", message);
    }
    let in_order = format!("in order since {}", words::moment(since));
    let evidence = pass.evaluation.evidence.as_ref().filter(|_| now.duration_since(since) >= RECOVERS_WITHIN);
    let unavailable =
        |why: &str| row("Unknown", "TelemetryNotAvailable", format!("{in_order}; telemetry is not available: {why}"));
    let recovered = match evidence {
        None => {
            let minutes = RECOVERS_WITHIN.as_mins();
            return row(
                "False",
                "InOrder",
                format!("{in_order}; calls are counted when {minutes} minutes have passed"),
            );
        }
        Some(Reading::Absent { .. }) => return unavailable("the workspace does not exist"),
        Some(Reading::Unreadable(failure)) => return unavailable(&failure.text),
        Some(Reading::Present { value, .. }) => recovered(value, now),
    };
    match recovered {
        Recovered::Yes { calls } => {
            let counted =
                format!("{calls} calls succeeded in a quarter of an hour, 0 refused, at {}", words::moment(now));
            row("True", "NoAuthFailures", format!("{in_order}; {counted}, by workspace `{}`", source.workspace.name()))
        }
        // Without the count, which moves with every look.
        Recovered::Refused { .. } => row("False", "AuthFailures", format!("{in_order}, and calls are refused still")),
        Recovered::Unanswered { .. } => {
            row("False", "NoAnswer", format!("{in_order}, and more calls are without an answer than succeed"))
        }
        Recovered::Unserved { source, .. } => row(
            "False",
            "NothingInvoked",
            format!("{in_order}, and nothing is invoked while {} has work", words::short(&source)),
        ),
        Recovered::NotSeenServed { source } => row(
            "Unknown",
            "NothingInvoked",
            format!("{in_order}; {} has work, and telemetry has no invocation of this app", words::short(&source)),
        ),
        Recovered::NoTraffic => {
            row("Unknown", "NoTraffic", format!("{in_order}; nothing succeeded since, which is no recovery"))
        }
        Recovered::Unreadable(failure) => unavailable(&failure.text),
    }
}

/// The event of a recovery: when `Recovered` turns true.
pub(super) fn event(
    previous: Option<&FunctionIdentityPolicyStatus>,
    current: &FunctionIdentityPolicyStatus,
) -> Option<(&'static str, String, String)> {
    let recovered = |status: &FunctionIdentityPolicyStatus| {
        status.condition(KIND).filter(|recovered| recovered.status == "True").cloned()
    };
    let now = recovered(current)?;
    previous.and_then(recovered).is_none().then(|| ("Normal", KIND.to_owned(), now.message))
}

#[cfg(test)]
mod tests;
