//! `explain`: why an app is refused, with the evidence.

use serde_json::json;

use super::{
    CliError, again,
    args::{ExplainArguments, Output},
    subjects,
};
use crate::{
    api::FunctionIdentityPolicy,
    pipeline::Intent,
    policy::Policy,
    report::{self, ExitCode, Report},
};

pub(super) async fn explain(verb: ExplainArguments) -> Result<ExitCode, CliError> {
    let mut subjects = subjects::read(&verb.subjects).await?;
    if let Some(target) = &verb.target {
        subjects.policies.retain(|policy| is_about(policy, target));
        if subjects.policies.is_empty() {
            return Err(CliError::new(format!("no policy that was looked through is about the app `{target}`")));
        }
    }
    let reports = subjects.pass(&verb.azure, Intent::Explain).await?;
    let code = ExitCode::worst(reports.iter().map(Report::exit_code));
    let by_name = verb.target.is_some() || subjects.are_several();
    let check = |report: &Report| again::check(&verb.subjects, &verb.azure, report, by_name, variable);
    match verb.output {
        Output::Text => {
            let texts: Vec<_> = reports.iter().map(|report| report::explanation(report, &check(report))).collect();
            super::print(&texts.join("\n"));
        }
        Output::Json => {
            let told = |report: &Report| report::explanation_json(report, &check(report));
            let reports: Vec<_> = reports.iter().map(told).collect();
            super::print(&format!("{:#}\n", json!({ "exitCode": code as u8, "policies": reports })));
        }
    }
    subjects.tell(&reports);
    Ok(code)
}

#[expect(clippy::disallowed_methods, reason = "flags have variables, and what these say need not be said again")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Whether the policy is about the app of that id or name. One that is invalid names none.
fn is_about(policy: &FunctionIdentityPolicy, app: &str) -> bool {
    Policy::parse(policy).is_ok_and(|policy| {
        let id = policy.target.as_str();
        id.eq_ignore_ascii_case(app.trim_end_matches('/')) || policy.target.app_name().eq_ignore_ascii_case(app)
    })
}
