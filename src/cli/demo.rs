//! `demo`: the incidents of the sandbox, told as timelines that fit 80 columns.

mod asked;
mod series;

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    CliError,
    args::{DemoArguments, Output},
};
use crate::{
    api::{FunctionIdentityPolicyStatus, VaultMode},
    catalog::built_in_roles,
    report,
    sandbox::scenario::{self, Moment, Played, Scenario},
};

const WIDTH: usize = 80;
const SUBSCRIPTION: &str = "/subscriptions/11111111-aaaa-4bbb-8ccc-000000000001";

pub(super) fn demo(verb: &DemoArguments) -> Result<u8, CliError> {
    let wanted = |scenario: &Scenario| verb.name.as_ref().is_none_or(|name| scenario.name.contains(name.as_str()));
    let scenarios: Vec<_> = scenario::all().into_iter().filter(wanted).collect();
    if scenarios.is_empty() {
        let names: Vec<_> = scenario::all().into_iter().map(|scenario| scenario.name).collect();
        let name = verb.name.as_deref().unwrap_or_default();
        let error = CliError::new(format!("no scenario is called `{name}`"));
        return Err(error.with_hint(format!("there are {}", names.join(", "))));
    }
    let mut played = Vec::new();
    for scenario in &scenarios {
        let one = scenario::play(scenario);
        if verb.output == Output::Text {
            super::print(&told(scenario, &one));
        }
        played.push(one);
    }
    let well = played.iter().filter(|one| one.complaints.is_empty()).count();
    match verb.output {
        Output::Text => super::print(&format!("{well} of {} scenarios ended as they must\n", played.len())),
        Output::Json => super::print(&format!("{:#}\n", json(&scenarios, &played))),
    }
    Ok(u8::from(well < played.len()))
}

fn json(scenarios: &[Scenario], played: &[Played]) -> Value {
    let entry = |(scenario, one): (&Scenario, &Played)| {
        json!({
            "name": scenario.name,
            "ok": one.complaints.is_empty(),
            "ready": one.ready,
            "findings": one.findings,
            "hypothesis": one.hypothesis,
            "writes": one.writes,
            "writesSecondPass": one.writes_second_pass,
        })
    };
    json!({ "scenarios": scenarios.iter().zip(played).map(entry).collect::<Vec<_>>() })
}

/// One pass as it is told: what was seen, what follows, what was sent, how the policy stands.
fn told(scenario: &Scenario, played: &Played) -> String {
    let mut out = String::new();
    let rule = "─".repeat(WIDTH.saturating_sub(scenario.name.len() + 4));
    writeln!(out, "── {} {rule}", scenario.name).expect(INFALLIBLE);
    paragraph(&mut out, "  ", "  ", &scenario.story);
    writeln!(out).expect(INFALLIBLE);
    entry(&mut out, "", "declared", &declared(scenario));
    let mut last: Option<&FunctionIdentityPolicyStatus> = None;
    let mut writes = Vec::new();
    let mut answer = asked::answer(scenario, played);
    for moment in &played.moments {
        if let Some((at, says)) = answer.take_if(|(at, _)| *at < moment.at()) {
            entry(&mut out, &time(at), "explain", &says);
        }
        let at = time(moment.at());
        match moment {
            Moment::Write { method, path, body, answered, .. } => {
                let answer = answered.map_or("no answer".to_owned(), |status| status.to_string());
                writes.push((at, format!("{method} {} → {answer}", gist(path, body))));
            }
            Moment::Deed { says, .. } => entry(&mut out, &at, "somebody", says),
            Moment::App { says, .. } => {
                tell_writes(&mut out, &mut writes);
                entry(&mut out, &at, "app", says);
            }
            Moment::Event { reason, note, .. } => {
                tell_writes(&mut out, &mut writes);
                entry(&mut out, &at, "event", &format!("{reason}: {}", brief(note)));
            }
            Moment::Status { status, .. } => {
                tell_findings(&mut out, &at, status, last);
                tell_writes(&mut out, &mut writes);
                tell_plan(&mut out, &at, status, last);
                // What moves besides is bookkeeping.
                let is_news = last
                    .is_none_or(|last| (conditions(last), &last.findings) != (conditions(status), &status.findings));
                if is_news {
                    entry(&mut out, &at, "status", &conditions(status));
                }
                last = Some(status);
            }
        }
    }
    if played.is_gone {
        entry(&mut out, "", "then", "the policy is gone");
    } else {
        entry(&mut out, "", "then", &format!("one more pass, {} writes", played.writes_second_pass));
    }
    out.push_str(&series::plot(scenario, played));
    for complaint in &played.complaints {
        entry(&mut out, "", "WRONG", complaint);
    }
    out.push('\n');
    out
}

fn time(at: Timestamp) -> String {
    at.strftime("%H:%M:%S").to_string()
}

const INFALLIBLE: &str = "writing to a string does not fail";

fn declared(scenario: &Scenario) -> String {
    let spec = &scenario.policy.spec;
    let bindings: Vec<_> = spec.bindings.iter().map(|binding| binding.name.as_str()).collect();
    let needs = if bindings.is_empty() {
        let roles: Vec<_> = spec.grants.iter().map(|grant| grant.role.as_str()).collect();
        format!("grants {}", roles.join(" and "))
    } else {
        format!("triggers {}; host storage", bindings.join(" and "))
    };
    let by_policies = spec.vaults.iter().any(|vault| vault.mode == VaultMode::AccessPolicy);
    let vault = if by_policies { "a vault with access policies" } else { "a vault in RBAC mode" };
    format!("mode {:?}; {needs}; {vault}", spec.mode)
}

/// The findings, when they are news: two in full, the rest counted.
fn tell_findings(
    out: &mut String,
    at: &str,
    status: &FunctionIdentityPolicyStatus,
    last: Option<&FunctionIdentityPolicyStatus>,
) {
    if last.is_some_and(|last| last.findings == status.findings) {
        return;
    }
    for finding in status.findings.iter().take(2) {
        entry(out, at, "seen", &format!("{} [{}]", finding.code, finding.subject));
        entry(out, "", "", &brief(&finding.message));
    }
    match status.findings.len() {
        0 if status.target.is_empty() => entry(out, at, "seen", &brief(&ready_message(status))),
        0 => entry(out, at, "seen", "everything that is declared"),
        1 | 2 => {}
        many => entry(out, "", "", &format!("… and {} more like these", many - 2)),
    }
    if !status.hypothesis.is_empty() {
        entry(out, at, "verdict", &format!("{}: {}", status.hypothesis, report::hypothesis(&status.hypothesis)));
    }
}

/// Each write when it was sent; the same one again and again only counted.
fn tell_writes(out: &mut String, writes: &mut Vec<(String, String)>) {
    for same in writes.chunk_by(|(_, one), (_, next)| one == next) {
        let (at, write) = &same[0];
        let times = if same.len() > 1 { format!(", {} times", same.len()) } else { String::new() };
        entry(out, at, "write", &format!("{write}{times}"));
    }
    writes.clear();
}

/// What is held, by reason, and what a dry run would send.
fn tell_plan(
    out: &mut String,
    at: &str,
    status: &FunctionIdentityPolicyStatus,
    last: Option<&FunctionIdentityPolicyStatus>,
) {
    let Some(plan) = &status.plan else { return };
    if last.is_some_and(|last| last.plan == status.plan) {
        return;
    }
    let mut told: Vec<&str> = Vec::new();
    for held in &plan.held {
        // What waits for time or for a reading has just been told as a finding; grants that a switch waits for have not.
        let is_told = match held.reason.as_str() {
            "EvidenceIncomplete" => true,
            "Propagating" => held.change != "SwitchVaultMode",
            other => told.contains(&other),
        };
        if is_told {
            continue;
        }
        let count = plan.held.iter().filter(|other| other.reason == held.reason).count();
        let times = if count > 1 { format!(" ({count} changes)") } else { String::new() };
        entry(out, at, "held", &format!("{}{times}: {}", held.reason, held.message));
        told.push(&held.reason);
    }
    for step in plan.steps.iter().filter(|step| step.outcome.starts_with("dry run")) {
        entry(out, at, "would", &brief(&step.summary));
        entry(out, "", "", &step.request);
        entry(out, "", "", &format!("$ {}", step.az));
    }
}

fn ready_message(status: &FunctionIdentityPolicyStatus) -> String {
    status.condition("Ready").map(|condition| condition.message.clone()).unwrap_or_default()
}

fn conditions(status: &FunctionIdentityPolicyStatus) -> String {
    let mut words = Vec::new();
    for condition in &status.conditions {
        match condition.type_.as_str() {
            "Ready" => words.push(format!("Ready {} ({})", condition.status, condition.reason)),
            "Drifted" => words.push(match condition.status.as_str() {
                "True" => "drift".to_owned(),
                "False" => "no drift".to_owned(),
                _ => "drift unknown".to_owned(),
            }),
            "Recovered" => words.push(match condition.status.as_str() {
                "True" => "recovered".to_owned(),
                "False" if condition.reason == "InOrder" => "waiting for calls to succeed (InOrder)".to_owned(),
                "False" => format!("not recovered ({})", condition.reason),
                _ => format!("recovery unknown ({})", condition.reason),
            }),
            other => words.push(other.to_lowercase()),
        }
    }
    words.join(", ")
}

/// What a request changes, in the reader's terms.
fn gist(path: &str, body: &Value) -> String {
    let resource = path.split("/providers/Microsoft.Authorization/").next().unwrap_or(path);
    let resource = resource.rsplit("/providers/").next().unwrap_or(resource).replace("/blobServices/default", "");
    let resource = resource.split_once('/').map_or(resource.as_str(), |(_, rest)| rest);
    if body.is_null() {
        let kind = if path.contains("/roleAssignments/") { "roleAssignment on " } else { "" };
        return brief(&format!("{kind}{resource}"));
    }
    let properties = &body["properties"];
    if let Some(entry) = properties["accessPolicies"].get(0) {
        let permissions = entry["permissions"].as_object().into_iter().flatten();
        let words = permissions.map(|(on, words)| {
            let words = words.as_array().into_iter().flatten().filter_map(Value::as_str);
            format!("{} {on}", words.collect::<Vec<_>>().join(" "))
        });
        let (who, words) = (entry["objectId"].as_str().unwrap_or_default(), words.collect::<Vec<_>>().join(", "));
        return brief(&format!("{resource}: {words} for {who}"));
    }
    if let Some(by_roles) = properties["enableRbacAuthorization"].as_bool() {
        return brief(&format!(
            "{resource}: decides by {}",
            if by_roles { "role assignments" } else { "access policies" }
        ));
    }
    let text = match properties["roleDefinitionId"].as_str() {
        Some(id) => {
            let role = built_in_roles().iter().find(|role| id.ends_with(&role.id)).map_or(id, |role| &role.name);
            let principal = properties["principalId"].as_str().unwrap_or_default();
            format!("roleAssignment: {role} for {principal} on {resource}")
        }
        None => {
            let identity = &body["identity"];
            let attached = identity["userAssignedIdentities"].as_object().into_iter().flatten();
            let names: Vec<_> = attached.filter_map(|(id, _)| id.rsplit('/').next()).collect();
            format!("{resource}: identity {} ({})", identity["type"].as_str().unwrap_or_default(), names.join(", "))
        }
    };
    brief(&text)
}

/// What may follow a GUID in a sentence.
const ENDS: [char; 6] = [' ', ')', '`', ',', ';', '\''];

/// Long GUIDs by their first block, and ids without the subscription that all of the demo is in.
fn brief(text: &str) -> String {
    let is_guid = |word: &str| word.len() == 36 && word.parse::<uuid::Uuid>().is_ok();
    let mut short = String::new();
    for piece in text.replace(SUBSCRIPTION, "…").split_inclusive(ENDS) {
        let word = piece.trim_end_matches(ENDS);
        if is_guid(word) {
            short.push_str(&word[..8]);
            short.push('…');
        } else {
            short.push_str(word);
        }
        short.push_str(&piece[word.len()..]);
    }
    short
}

fn entry(out: &mut String, at: &str, label: &str, text: &str) {
    paragraph(out, &format!("  {at:<8}  {label:<8}  "), &" ".repeat(22), text);
}

fn paragraph(out: &mut String, first: &str, rest: &str, text: &str) {
    let options = textwrap::Options::new(WIDTH)
        .initial_indent(first)
        .subsequent_indent(rest)
        .break_words(false)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    writeln!(out, "{}", textwrap::fill(text, options)).expect(INFALLIBLE);
}
