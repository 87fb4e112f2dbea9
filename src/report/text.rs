//! A report for a person at a terminal.

use std::fmt::Write as _;

use super::{ExitCode, Pass, PassResult, Report, Situation, az, words};
use crate::{
    evaluate::{Access, Finding, Reach, Reached},
    model::{TargetKind, Workload},
    plan::{Change, Step},
};

/// The report as lines, under the exit code that it is given. `with_plan` adds the steps and what is held.
#[must_use]
pub fn text(report: &Report, code: ExitCode, with_plan: bool) -> String {
    let mut out = String::new();
    let verdict = match code {
        _ if matches!(report.situation(), Situation::Propagating(_)) => "WAITING",
        ExitCode::Compliant => "ok",
        ExitCode::Drift => "DRIFT",
        ExitCode::Undetermined => "UNKNOWN",
        ExitCode::Error => "ERROR",
    };
    line(&mut out, &format!("{verdict:<8} {}  {}", name(report), headline(report)));
    match &report.finding {
        PassResult::Invalid(error) => {
            for violation in &error.violations {
                paragraph(&mut out, "  - ", &violation.to_string());
            }
        }
        PassResult::Duplicate(other) => line(&mut out, &format!("  - {other} is older and about the same app")),
        PassResult::OutsideBoundary(scopes) => {
            for scope in scopes {
                line(&mut out, &format!("  - no boundary reaches {scope}"));
            }
            line(&mut out, "  nothing was read");
        }
        PassResult::Evaluated(pass) => evaluated(&mut out, pass, with_plan),
    }
    out
}

/// How the policy is called; one from a file may be in no namespace.
pub(super) fn name(report: &Report) -> String {
    if report.namespace.is_empty() { report.name.clone() } else { format!("{}/{}", report.namespace, report.name) }
}

/// What a step does, in one line.
pub(super) fn summary(step: &Step) -> String {
    match &step.change {
        Change::Grant(grant) => format!(
            "grant `{}` to {} (principal {}) at {}",
            grant.role.name,
            grant.identity,
            grant.principal,
            words::short(&grant.scope)
        ),
        Change::Reattach(reattach) => format!(
            "detach identity `{}` from `{}` and attach it again; the app restarts",
            reattach.identity.name(),
            reattach.target.app_name()
        ),
        Change::Restart(target) => format!("restart `{}`", target.app_name()),
        Change::Refresh { target, .. } => {
            format!("have `{}` resolve its references to vaults again", target.app_name())
        }
        Change::AddEntry(add) => {
            let missing: Vec<_> = add.entry.missing.iter().map(|operation| format!("`{operation}`")).collect();
            format!(
                "let {} (principal {}) {} by an access policy of vault `{}`",
                add.identity,
                add.entry.principal,
                missing.join(" and "),
                add.entry.vault.name()
            )
        }
        Change::Switch(switch) => format!(
            "have vault `{}` decide by role assignments; its access policies stay, and count no more",
            switch.vault.name()
        ),
        Change::Revoke(revoke) => format!(
            "revoke `{}` from principal {} at {}",
            revoke.role,
            revoke.grant.principal,
            words::short(&revoke.grant.scope)
        ),
        Change::Identity(change) => {
            let system = change.enable_system.then(|| "enable the system-assigned identity".to_owned());
            let attach = change.attach.iter().map(|id| format!("attach identity `{}`", id.name()));
            let parts: Vec<_> = system.into_iter().chain(attach).collect();
            // Container Apps do not restart for it (Microsoft's page says so); of machines nothing is said anywhere.
            let restarts = matches!(change.workload, Workload::FunctionApp | Workload::WebApp);
            let then = if restarts { "; the app restarts" } else { "" };
            let to = if change.attach.is_empty() { "of" } else { "to" };
            format!("{} {to} `{}`{then}", parts.join(" and "), change.target.app_name())
        }
    }
}

fn headline(report: &Report) -> String {
    match report.situation() {
        Situation::Compliant => "compliant".to_owned(),
        Situation::CompliantWithFindings => "compliant, with findings".to_owned(),
        Situation::DriftReported | Situation::DriftGated => "drift".to_owned(),
        Situation::Remediating => match &report.finding {
            PassResult::Evaluated(pass) if pass.plan.waits_to_switch().is_some() => {
                "drift, waiting for grants to act".to_owned()
            }
            PassResult::Evaluated(pass) if pass.execution.outcomes.is_empty() => {
                let held = pass.plan.held.len();
                let more = if held > 0 { format!(", {held} held") } else { " would repair it".to_owned() };
                format!("drift, {}{more}", steps(pass.plan.steps.len()))
            }
            _ => "drift, being repaired".to_owned(),
        },
        Situation::Propagating(until) => format!("granted, certain to act from {}", words::moment(until)),
        Situation::Held(reason) => format!("drift, held: {reason}"),
        Situation::Undetermined(None) if names_an_unknown_role(report) => {
            "a role that it names is not known".to_owned()
        }
        Situation::Undetermined(_) => "not enough could be read to say".to_owned(),
        Situation::Retrying(failure) | Situation::Failing(failure) => format!("{:?}: {}", failure.class, failure.code),
        Situation::TargetNotFound => "the app does not exist".to_owned(),
        Situation::InvalidSpec => "the policy is invalid".to_owned(),
        Situation::OutsideBoundary => "outside the boundary".to_owned(),
        Situation::DuplicateTarget => "another policy is about the same app".to_owned(),
    }
}

/// Then no reading failed: what cannot be said is for the policy to put right.
fn names_an_unknown_role(report: &Report) -> bool {
    matches!(&report.finding, PassResult::Evaluated(pass) if pass.evaluation.findings.iter().any(|finding| matches!(finding, Finding::RoleUnknown { .. })))
}

fn steps(count: usize) -> String {
    if count == 1 { "1 change".to_owned() } else { format!("{count} changes") }
}

fn evaluated(out: &mut String, pass: &Pass, with_plan: bool) {
    let target = &pass.policy.target;
    line(out, &format!("  {:<8} {target}", TargetKind::of(target).label()));
    if let Some(cause) = pass.evaluation.decision.cause {
        paragraph(out, &format!("  cause    {cause:?}: "), words::hypothesis(cause));
    }
    for finding in &pass.evaluation.findings {
        paragraph(out, "  - ", &format!("{} [{}]", finding.code(), finding.subject()));
        paragraph(out, "    ", &words::finding(pass, finding));
        if let Some(command) = az::remedy(pass, finding) {
            line(out, &format!("    $ {command}"));
        }
        if let Finding::Unreadable { failure, .. } = finding {
            if let Some(hint) = &failure.hint {
                paragraph(out, "    hint: ", hint);
            }
            if let Some(id) = &failure.correlation_id {
                line(out, &format!("    correlation id: {id}"));
            }
        }
    }
    if pass.evaluation.untold > 0 {
        line(out, &format!("  - and {} more of the last kind or less grave", pass.evaluation.untold));
    }
    let requirements = &pass.evaluation.requirements;
    let met = requirements.iter().filter(|one| matches!(one.access, Access::Satisfied(_))).count();
    line(out, &format!("  access   {met} of {} requirements met", requirements.len()));
    for entry in pass.policy.not_checked() {
        paragraph(out, "  not checked: ", &words::unchecked(entry));
    }
    for Reached { resource, reach, .. } in &pass.evaluation.reached {
        let Reach::Undecided(doubt) = reach else { continue };
        let Some(because) = words::doubt(resource, doubt) else { continue };
        paragraph(out, "  not checked: ", &format!("whether `{}` lets the app in: {because}", resource.name()));
    }
    if !with_plan {
        return;
    }
    for (position, step) in pass.plan.steps.iter().enumerate() {
        paragraph(out, &format!("  {}. ", position + 1), &summary(step));
        let request = &step.request;
        let method = request.method.as_str();
        line(out, &format!("     {method} {}?api-version={}", request.path, request.api_version));
        if !request.body.is_null() {
            line(out, &format!("     {}", request.body));
        }
        for command in az::commands(step).lines() {
            line(out, &format!("     $ {command}"));
        }
        if let Some(entry) = pass.execution.outcomes.get(position) {
            paragraph(out, "     ", &words::outcome(&entry.outcome));
        }
    }
    for held in &pass.plan.held {
        let kind = held.kind.map(|kind| format!("{kind:?} ")).unwrap_or_default();
        let text = format!("{kind}[{}] {}: {}", held.subject, held.reason.word(), words::hold(&held.reason));
        paragraph(out, "  held: ", &text);
    }
}

/// Wrapped to 80 columns, continued under its first word. Ids stay whole, so that they can be copied.
pub(super) fn paragraph(out: &mut String, label: &str, text: &str) {
    let indent = " ".repeat(label.len());
    let options = textwrap::Options::new(80)
        .initial_indent(label)
        .subsequent_indent(&indent)
        .break_words(false)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    line(out, &textwrap::fill(text, options));
}

pub(super) fn line(out: &mut String, text: &str) {
    writeln!(out, "{text}").expect("writing to a string does not fail");
}
