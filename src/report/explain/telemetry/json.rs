//! The same for programs, with every query.

use serde::Serialize;
use serde_json::{Value, json as object};

use super::{Worth, query::Run, work, worth_of};
use crate::{
    catalog::queries,
    evaluate::{Availability, availability},
    model::{Reading, Source, evidence::Evidence},
    report::{Pass, Report},
};

/// `workspace`, `roleName`, `window`, whether telemetry is available as of now, and `sources`: what each asks, the query
/// and where a person runs it, whether it told something, and what. `work` has the sources of triggers, where they were asked
/// what they had. Null where the policy names no workspace.
pub(in crate::report::explain) fn json(report: &Report, pass: &Pass) -> Value {
    let Some(source) = &pass.policy.evidence else { return Value::Null };
    let run = Run::of(&pass.policy, source);
    let (state, because, evidence) = match worth_of(pass) {
        Worth::NotAsked => ("not-asked", Some("nothing is wrong"), None),
        Worth::NotAvailable(because) => ("not-available", Some(because), None),
        Worth::Read(evidence) => match availability(evidence, report.at) {
            Availability::Available => ("available", None, Some(evidence)),
            Availability::Late { .. } => ("late", None, Some(evidence)),
            Availability::Silent | Availability::Unreadable(_) => ("silent", None, Some(evidence)),
        },
    };
    let sources: Vec<_> = Source::ALL
        .into_iter()
        .map(|source| {
            let mut told = match evidence {
                Some(evidence) => read(evidence, source, &run),
                None => object!({ "state": state, "because": because }),
            };
            told["source"] = object!(source);
            told["asks"] = object!(queries::query(source).asks);
            told["query"] = object!({ "in": run.place(source), "text": run.text(source) });
            told
        })
        .collect();
    object!({
        "workspace": source.workspace,
        "roleName": source.role_name,
        "window": format!("{}m", run.parameters().minutes()),
        "state": state,
        "because": because,
        "sources": sources,
        "work": evidence.map_or_else(|| object!([]), work::json),
    })
}

/// What one source told, under the name of its form.
fn read(evidence: &Evidence, source: Source, run: &Run<'_>) -> Value {
    match source {
        Source::DependencyFailures => told("summary", &evidence.dependencies),
        Source::CredentialTraces => told("summary", &evidence.credentials),
        Source::Invocations => told("summary", &evidence.invocations),
        Source::HostTraces => told("summary", &evidence.host),
        Source::FailureSeries => told("series", &evidence.series),
        Source::Recovery => told("recovery", &evidence.recovery),
        Source::RefusedPrincipals if !run.is_asked(source) => {
            object!({ "state": "not-asked", "because": "nothing that is declared keeps such a log" })
        }
        Source::RefusedPrincipals => told("refused", &evidence.refused),
    }
}

fn told<T: Serialize>(name: &str, reading: &Reading<T>) -> Value {
    match reading {
        Reading::Present { value, .. } => object!({ "state": "told", "because": null, name: value }),
        Reading::Absent { .. } => object!({ "state": "nothing", "because": null }),
        Reading::Unreadable(failure) => object!({ "state": "not-available", "because": failure.text }),
    }
}
