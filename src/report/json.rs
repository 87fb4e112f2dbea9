//! A report for programs. The shape is the status's, with the evaluation beside it.

use serde_json::{Value, json};

use super::{PassResult, Report, status};
use crate::evaluate::Access;

/// The report as one JSON object: `policy`, `exitCode`, `status` (as on the resource), `hypotheses`, `path` and
/// `requirements`.
#[must_use]
pub fn json(report: &Report) -> Value {
    let status = status(None, report, None, report.at);
    let (hypotheses, path, requirements) = match &report.finding {
        PassResult::Evaluated(pass) => {
            let requirements: Vec<_> = pass
                .evaluation
                .requirements
                .iter()
                .map(|one| {
                    json!({
                        "subjects": one.origins.iter().map(ToString::to_string).collect::<Vec<_>>(),
                        "identity": one.identity.to_string(),
                        "principal": one.principal,
                        "scope": one.scope,
                        "role": one.role,
                        "answer": answer(&one.access),
                        "by": deciding(&one.access),
                    })
                })
                .collect();
            let decision = &pass.evaluation.decision;
            (json!(decision.hypotheses), json!(decision.path), json!(requirements))
        }
        PassResult::Invalid(_) | PassResult::Duplicate(_) | PassResult::OutsideBoundary(_) => {
            (json!([]), json!([]), json!([]))
        }
    };
    json!({
        "policy": { "namespace": report.namespace, "name": report.name, "generation": report.generation },
        "exitCode": report.exit_code() as u8,
        "status": status,
        "hypotheses": hypotheses,
        "path": path,
        "requirements": requirements,
    })
}

fn answer(access: &Access) -> &'static str {
    match access {
        Access::Satisfied(_) => "satisfied",
        Access::Propagating { .. } => "propagating",
        Access::Missing(_) => "missing",
        Access::Denied(_) => "denied",
        Access::Unknown(_) => "unknown",
        Access::NoPrincipal => "no-principal",
        Access::NoResource => "no-resource",
    }
}

fn deciding(access: &Access) -> Value {
    match access {
        Access::Satisfied(by) | Access::Propagating { by, .. } => {
            by.iter().map(|grant| json!({ "id": grant.id, "role": grant.role, "scope": grant.scope })).collect()
        }
        Access::Missing(actions) => json!(actions),
        Access::Denied(by) => json!(by),
        Access::Unknown(why) => json!(why),
        Access::NoPrincipal | Access::NoResource => Value::Null,
    }
}
