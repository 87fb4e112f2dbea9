//! What to do next: the steps of the plan, what it holds with the command that does it by hand, and how to see that it
//! helped.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Value, json};

use super::super::{
    Pass, az,
    text::{line, paragraph, summary},
    words,
};
use crate::{
    api::ChangeKind,
    catalog::clocks,
    evaluate::{Access, Case, Explanation, Finding, Hypothesis, Verdict},
    model::VaultMode,
    plan::{Change, Held, HoldReason, Step},
    policy::Identity,
};

/// How many things to do are told to a person.
const MOST: usize = 8;

/// Something to do, or that nothing is done.
#[derive(Serialize)]
struct Todo {
    /// Where in the playbook's order it comes; one that answers no hypothesis comes last.
    hypothesis: Option<Hypothesis>,
    says: String,
    commands: Vec<String>,
    notes: Vec<String>,
}

/// Everything that is to be done, as the playbook orders it.
fn todos(pass: &Pass) -> Vec<Todo> {
    let explanation = &pass.explanation;
    let mut todos: Vec<_> = pass.plan.steps.iter().map(|step| of_step(pass, step)).collect();
    // Several findings may have one subject: each is told of once, and changes are held in the order of the findings.
    let mut findings: Vec<_> = confirmed(pass).collect();
    for held in &pass.plan.held {
        let about = findings.iter().position(|one| one.subject() == held.subject && is_for(held.kind, one));
        todos.extend(of_held(pass, held, about.map(|about| findings.remove(about))));
    }
    let told: BTreeSet<_> = todos.iter().filter_map(|todo| todo.hypothesis).collect();
    todos.extend(explanation.cases.iter().filter(|case| !told.contains(&case.hypothesis)).filter_map(unanswered));
    if todos.is_empty() {
        todos.extend(nothing(pass, explanation));
    }
    // An earlier link of the chain is worth nothing without the ones before, whoever repairs it.
    todos.sort_by_key(|todo| todo.hypothesis.map_or(usize::MAX, |hypothesis| hypothesis as usize));
    todos
}

/// All of it, for programs.
pub(super) fn json(pass: &Pass) -> Value {
    json!(todos(pass))
}

/// How to see that it helped, for programs: the command, and why it may have to wait.
pub(super) fn helped_json(pass: &Pass, check: &[impl AsRef<str>]) -> Value {
    json!({ "command": rolecall("check", check), "waits": waits(pass) })
}

/// The section of the explanation.
pub(super) fn section(out: &mut String, pass: &Pass, check: &[impl AsRef<str>]) {
    line(out, "\n  Next");
    let todos = todos(pass);
    let is_one = todos.len() == 1;
    for (position, todo) in todos.iter().take(MOST).enumerate() {
        let label = if is_one { "    ".to_owned() } else { format!("    {}. ", position + 1) };
        let indent = " ".repeat(label.len());
        paragraph(out, &label, &todo.says);
        for command in &todo.commands {
            line(out, &format!("{indent}$ {command}"));
        }
        for note in &todo.notes {
            paragraph(out, &indent, note);
        }
    }
    if todos.len() > MOST {
        let more = todos.len() - MOST;
        line(out, &format!("    and {more} more:"));
        line(out, &format!("    $ {} --mode Enforce", rolecall("plan", check)));
    }
    if let Some(command) = who_changed_it(&pass.explanation) {
        line(out, "    who made the last change that is told above:");
        line(out, &format!("    $ {command}"));
    }
}

/// How to see that it helped.
pub(super) fn helped(out: &mut String, pass: &Pass, check: &[impl AsRef<str>]) {
    line(out, "\n  See that it helped");
    line(out, &format!("    $ {}", rolecall("check", check)));
    if let Some(waits) = waits(pass) {
        paragraph(out, "    ", &waits);
    }
}

/// Until when a grant may not act yet.
fn waits(pass: &Pass) -> Option<String> {
    let until = pass.evaluation.findings.iter().filter_map(|finding| match finding {
        Finding::Propagating { until, .. } => Some(*until),
        _ => None,
    });
    let until = until.max().map(|until| format!("until {}", words::moment(until)));
    let by_hand = pass.plan.held.iter().filter(|held| held.reason.is_leave()).filter_map(|held| held.would.as_deref());
    let granted = pass.plan.steps.iter().chain(by_hand).filter_map(|step| match &step.change {
        Change::Grant(grant) => Some(clocks::of_grant(&grant.scope, &grant.scope)),
        _ => None,
    });
    let granted = granted.max().map(|within| format!("for {} minutes after a grant", within.as_mins()));
    let waits: Vec<_> = until.into_iter().chain(granted).collect();
    (!waits.is_empty()).then(|| {
        let waits = waits.join(", and ");
        format!("{waits} it exits 2 (WAITING), because the grant may not act yet; `--allow-propagating` forgives that")
    })
}

/// The command that looks at the same again.
fn rolecall(verb: &str, arguments: &[impl AsRef<str>]) -> String {
    let words = ["rolecall", verb].into_iter().chain(arguments.iter().map(AsRef::as_ref));
    words.map(az::quoted).collect::<Vec<_>>().join(" ")
}

fn of_step(pass: &Pass, step: &Step) -> Todo {
    Todo {
        hypothesis: step.kinds().first().copied().and_then(answered_by),
        says: summary(step),
        commands: lines(&az::commands(step)),
        notes: afterwards(pass, step).into_iter().collect(),
    }
}

/// A change that is held, or a finding for which there is no change; none for what only waits for another change.
fn of_held(pass: &Pass, held: &Held, finding: Option<&Finding>) -> Option<Todo> {
    let hypothesis = held.kind.and_then(answered_by).or(finding.and_then(Finding::hypothesis));
    let why = words::hold(&held.reason);
    if let Some(step) = held.would.as_ref().filter(|_| held.reason.is_leave()) {
        let notes = std::iter::once(format!("held: {why}")).chain(afterwards(pass, step)).collect();
        return Some(Todo { hypothesis, says: summary(step), commands: lines(&az::commands(step)), notes });
    }
    let finding = finding?;
    // Whoever declares another mode has to agree first.
    let by_hand = az::by_hand(pass, finding).filter(|_| held.reason != HoldReason::VaultModeDisputed);
    if let Some(az::ByHand { says, command, warning }) = by_hand {
        // That the app is not there is what the explanation begins with.
        let is_told = matches!(finding, Finding::TargetNotFound { .. });
        let held = (!is_told).then(|| format!("held: {why}"));
        let notes = held.into_iter().chain(warning).collect();
        return Some(Todo { hypothesis, says, commands: vec![command], notes });
    }
    let remedy = az::remedy(pass, finding);
    let says = format!("nothing is changed for {}: {why}", held.subject);
    Some(Todo { hypothesis, says, commands: remedy.iter().flat_map(|text| lines(text)).collect(), notes: Vec::new() })
}

/// A hypothesis that is confirmed by what no change would answer: telemetry alone can show it.
fn unanswered(case: &Case) -> Option<Todo> {
    let hypothesis = case.hypothesis;
    let says = format!(
        "{hypothesis:?} ({}) is confirmed, and no change here answers it: go by what speaks for it above",
        words::hypothesis(hypothesis)
    );
    let is_it = case.verdict == Verdict::Confirmed;
    is_it.then(|| Todo { hypothesis: Some(hypothesis), says, commands: Vec::new(), notes: Vec::new() })
}

/// What is said when there is nothing to do: what stands in the way, or where else to look.
fn nothing(pass: &Pass, explanation: &Explanation) -> Option<Todo> {
    let of_finding = |held: &&Held| pass.evaluation.findings.iter().any(|it| it.subject() == held.subject);
    let says = if let Some(held) = pass.plan.held.iter().find(of_finding) {
        format!("nothing is changed for {}: {}", held.subject, words::hold(&held.reason))
    } else if explanation.cases.iter().all(|case| case.confirming.is_empty()) {
        "if the app is refused all the same, look at what was not examined above, and at the app's own telemetry"
            .to_owned()
    } else {
        return None;
    };
    Some(Todo { hypothesis: None, says, commands: Vec::new(), notes: Vec::new() })
}

/// The command that tells who made the newest change among the evidence. Rolecall itself asks for no names.
fn who_changed_it(explanation: &Explanation) -> Option<String> {
    let facts = explanation.cases.iter().flat_map(|case| &case.confirming).filter(|fact| fact.field == "activity log");
    let changes = facts.filter_map(|fact| {
        let (what, correlation) = fact.value.rsplit_once(", correlation id ")?;
        // As text: all of them have the same form.
        let (_, at) = what.rsplit_once(" at ")?;
        Some((at, correlation, fact.resource.subscription()?))
    });
    let (_, correlation, subscription) = changes.max()?;
    let query = az::quoted("[].{caller:caller,operation:operationName.value,time:eventTimestamp}");
    // Without an offset the CLI looks back some hours only, and the evidence goes back a day.
    Some(format!(
        "az monitor activity-log list --subscription {subscription} --correlation-id {} --offset 2d --query {query}",
        az::quoted(correlation)
    ))
}

/// The findings of something that is wrong, and not only worth a look.
fn confirmed(pass: &Pass) -> impl Iterator<Item = &Finding> {
    pass.evaluation.findings.iter().filter(|finding| finding.confirms())
}

/// Whether a change of that kind, or none at all, is what answers the finding.
fn is_for(kind: Option<ChangeKind>, finding: &Finding) -> bool {
    let answer = match finding {
        Finding::SystemIdentityDisabled => Some(ChangeKind::EnableSystemIdentity),
        Finding::UserIdentityNotAttached { .. } => Some(ChangeKind::AttachUserIdentity),
        Finding::StaleAttachment { .. } => Some(ChangeKind::ReattachUserIdentity),
        Finding::HostNotRecycled { .. } => Some(ChangeKind::RestartHost),
        Finding::RoleMissing { .. } => Some(ChangeKind::GrantRole),
        Finding::AccessPolicyMissing { .. } => Some(ChangeKind::AddVaultPolicyEntry),
        Finding::ReferencesDenied { .. } => Some(ChangeKind::RefreshReferences),
        Finding::VaultModeMismatch { expected: VaultMode::Rbac, .. } => Some(ChangeKind::SwitchVaultMode),
        _ => None,
    };
    answer == kind
}

/// Which hypothesis a change answers.
fn answered_by(kind: ChangeKind) -> Option<Hypothesis> {
    match kind {
        ChangeKind::EnableSystemIdentity
        | ChangeKind::AttachUserIdentity
        | ChangeKind::ReattachUserIdentity
        | ChangeKind::RestartHost => Some(Hypothesis::H1),
        ChangeKind::GrantRole => Some(Hypothesis::H2),
        ChangeKind::AddVaultPolicyEntry | ChangeKind::SwitchVaultMode | ChangeKind::RefreshReferences => {
            Some(Hypothesis::H4)
        }
        ChangeKind::RevokeRole => None,
    }
}

/// What a step leaves to do. A principal that is not there yet holds nothing, and no grant to it can be planned.
fn afterwards(pass: &Pass, step: &Step) -> Option<String> {
    let Change::Identity(change) = &step.change else { return None };
    let waits =
        pass.evaluation.requirements.iter().filter(|one| {
            change.enable_system && one.identity == Identity::System && one.access == Access::NoPrincipal
        });
    let roles: BTreeSet<_> = waits.map(|one| (&one.role, &one.scope)).collect();
    let roles = match roles.len() {
        0 => return None,
        1 => "1 role has".to_owned(),
        many => format!("{many} roles have"),
    };
    Some(format!("its principal is new: {roles} to be granted to it afterwards, so explain or plan again then"))
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}
