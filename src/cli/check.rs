//! `check` and `plan`: policies from files or the cluster, compared with live Azure.

use serde_json::json;

use super::{
    CliError,
    args::{CheckArguments, Output, PlanArguments},
    subjects,
};
use crate::{
    api::Mode,
    pipeline::Intent,
    report::{self, ExitCode, Report, Situation},
};

pub(super) async fn check(verb: CheckArguments) -> Result<ExitCode, CliError> {
    compare(verb, None, false).await
}

pub(super) async fn plan(verb: PlanArguments) -> Result<ExitCode, CliError> {
    compare(verb.check, verb.mode.map(Mode::from), true).await
}

async fn compare(verb: CheckArguments, mode: Option<Mode>, with_plan: bool) -> Result<ExitCode, CliError> {
    let mut subjects = subjects::read(&verb.subjects).await?;
    if let Some(mode) = mode {
        for policy in &mut subjects.policies {
            policy.spec.mode = mode;
        }
    }
    let reports = subjects.pass(&verb.azure, Intent::Look).await?;
    let code = ExitCode::worst(reports.iter().map(|report| exit_code(report, &verb)));
    match verb.output {
        Output::Text => {
            let texts: String =
                reports.iter().map(|report| report::text(report, exit_code(report, &verb), with_plan)).collect();
            super::print(&format!("{texts}{}\n", summary(&reports, &verb)));
        }
        Output::Json => {
            let reports: Vec<_> = reports.iter().map(report::json).collect();
            super::print(&format!("{:#}\n", json!({ "exitCode": code as u8, "policies": reports })));
        }
    }
    subjects.tell(&reports);
    Ok(code)
}

fn exit_code(report: &Report, verb: &CheckArguments) -> ExitCode {
    let code = match report.situation() {
        Situation::Propagating(_) if verb.allow_propagating => ExitCode::Compliant,
        _ => report.exit_code(),
    };
    // Advice is all that is left of drift when nothing that is declared is missing.
    if verb.strict && code == ExitCode::Compliant && report.drifted() == Some(true) { ExitCode::Drift } else { code }
}

fn summary(reports: &[Report], verb: &CheckArguments) -> String {
    // A grant that may not act yet is no drift, though it exits as one.
    let waits = |report: &Report| matches!(report.situation(), Situation::Propagating(_)) && !verb.allow_propagating;
    let waiting = reports.iter().filter(|report| waits(report)).count();
    let of = |wanted| move |report: &&Report| exit_code(report, verb) == wanted && !waits(report);
    let count = |wanted| reports.iter().filter(of(wanted)).count();
    format!(
        "{} checked: {} compliant, {} drifted, {waiting} waiting, {} undetermined, {} in error",
        reports.len(),
        count(ExitCode::Compliant),
        count(ExitCode::Drift),
        count(ExitCode::Undetermined),
        count(ExitCode::Error),
    )
}
