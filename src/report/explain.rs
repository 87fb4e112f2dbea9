//! The verdict on one policy for a person who is on call: the chain, the flow, the six hypotheses with their evidence, and
//! what to do next.

mod next;
mod probe;
mod telemetry;

pub use telemetry::told_in_a_line;

use serde_json::{Value, json};

use super::{
    ExitCode, Pass, PassResult, Report, Situation,
    text::{line, name, paragraph, text},
    words,
};
use crate::{
    evaluate::{Answer, Case, Fact, Finding, Hypothesis, Link, LinkOfChain, Needed, Question, Severity, Verdict},
    model::TargetKind,
};

/// How many facts of a kind are told to a person; programs get all.
const MOST_FACTS: usize = 4;

/// The explanation as lines. A pass that did not come so far is told as `check` tells it. `check`: the arguments with which
/// `check` looks at the same again.
#[must_use]
pub fn explanation(report: &Report, check: &[impl AsRef<str>]) -> String {
    let PassResult::Evaluated(pass) = &report.finding else { return text(report, report.exit_code(), false) };
    let explanation = &pass.explanation;
    let mut out = String::new();
    head(&mut out, report, pass);
    // Of an app that is not there nothing else can be told.
    if report.situation() == Situation::TargetNotFound {
        next::section(&mut out, pass, check);
        next::helped(&mut out, pass, check);
        return out;
    }
    let commands = if explanation.probes.is_some() { " (the commands are below)" } else { "" };
    line(&mut out, "\n  From the identity to access, link by link");
    for link in &explanation.chain {
        let needed = link.needed.as_ref().map(|needed| format!("because {}", reason_with(needed, commands)));
        answered(&mut out, chain_words(link.link), link.answer, needed);
    }
    line(&mut out, "\n  The playbook's questions");
    for node in &pass.evaluation.decision.path {
        answered(&mut out, question_words(node.question), node.answer, None);
    }
    line(&mut out, "\n  Hypotheses");
    for case in &explanation.cases {
        hypothesis(&mut out, case, pass.evaluation.decision.cause, commands);
    }
    telemetry::section(&mut out, report, pass);
    probe::section(&mut out, pass);
    next::section(&mut out, pass, check);
    next::helped(&mut out, pass, check);
    out
}

/// The explanation for programs: what `report::json` says, with `severity`, `chain`, the facts of each hypothesis,
/// `evidence` (what telemetry told, and the queries), `probes`, `next` and `verify`, each with its commands. `check` as in
/// [`explanation`].
#[must_use]
pub fn explanation_json(report: &Report, check: &[impl AsRef<str>]) -> Value {
    let mut document = super::json(report);
    let PassResult::Evaluated(pass) = &report.finding else { return document };
    let explanation = &pass.explanation;
    document["severity"] = json!(pass.evaluation.severity.map(Severity::word));
    document["cause"] = json!(pass.evaluation.decision.cause);
    document["chain"] = explanation.chain.iter().map(link_json).collect();
    document["hypotheses"] = explanation.cases.iter().map(case_json).collect();
    document["evidence"] = telemetry::json(report, pass);
    let probes = explanation.probes.as_ref().map(|probes| probe::commands_of(pass, probes));
    document["probes"] = json!(probes.unwrap_or_default());
    document["next"] = next::json(pass);
    document["verify"] = next::helped_json(pass, check);
    document
}

fn link_json(link: &Link) -> Value {
    json!({ "link": link.link, "answer": link.answer, "needed": link.needed.as_ref().map(needed_words) })
}

fn case_json(case: &Case) -> Value {
    let facts = |facts: &[Fact]| facts.iter().map(fact_json).collect::<Vec<_>>();
    json!({
        "hypothesis": case.hypothesis,
        "verdict": case.verdict,
        "confirming": facts(&case.confirming),
        "disproving": facts(&case.disproving),
        "telemetry": case.telemetry,
        "needed": case.needed.iter().map(needed_words).collect::<Vec<_>>(),
    })
}

fn fact_json(fact: &Fact) -> Value {
    let at = fact.at.map(words::moment);
    json!({ "resource": fact.resource, "field": fact.field, "value": fact.value, "at": at })
}

fn head(out: &mut String, report: &Report, pass: &Pass) {
    let severity = pass.evaluation.severity.map(|severity| format!("{}  ", severity.word())).unwrap_or_default();
    let gone = pass.evaluation.findings.iter().find(|finding| matches!(finding, Finding::TargetNotFound { .. }));
    let verdict = match pass.evaluation.decision.cause {
        _ if let Some(gone) = gone => words::finding(pass, gone),
        Some(cause) => format!("{cause:?}: {}", words::hypothesis(cause)),
        None => match report.exit_code() {
            ExitCode::Compliant => "nothing that Resource Manager shows is wrong".to_owned(),
            ExitCode::Undetermined => "not enough could be read to say".to_owned(),
            ExitCode::Error | ExitCode::Drift => "something is wrong that explains no refusal".to_owned(),
        },
    };
    paragraph(out, &format!("{}  {severity}", name(report)), &verdict);
    // One that is not there was named with its id just now.
    if gone.is_none() {
        let target = &pass.policy.target;
        line(out, &format!("  {:<4} {target}", TargetKind::of(target).label()));
    }
    line(out, &format!("  seen {}", words::moment(report.at)));
}

/// One line for what is clear, and what would be needed below what is not.
fn answered(out: &mut String, question: &str, answer: Answer, needed: Option<String>) {
    let answer = match answer {
        Answer::Yes => "yes",
        Answer::No => "NO",
        Answer::CannotTell => "cannot tell",
        Answer::NotAsked => "not asked",
    };
    line(out, &format!("    {question:<58}{answer}"));
    if let Some(needed) = needed {
        paragraph(out, "      ", &needed);
    }
}

fn hypothesis(out: &mut String, case: &Case, acted_on: Option<Hypothesis>, commands: &str) {
    let verdict = match case.verdict {
        Verdict::Confirmed if acted_on == Some(case.hypothesis) => "ACT ON THIS",
        Verdict::Confirmed => "CONFIRMED",
        Verdict::Refuted => "refuted",
        Verdict::Open => "open",
        Verdict::NotExamined => "not examined",
    };
    let words = words::hypothesis(case.hypothesis);
    paragraph(out, &format!("    {:?}  {verdict:<14}", case.hypothesis), words);
    facts(out, "for", &case.confirming);
    // What is held elsewhere does not weaken what is certainly missing.
    if case.verdict != Verdict::Confirmed {
        facts(out, "against", &case.disproving);
    }
    for seen in &case.telemetry {
        telemetry::signal(out, seen);
    }
    for needed in &case.needed {
        paragraph(out, "        ", &format!("because {}", reason_with(needed, commands)));
    }
}

fn facts(out: &mut String, side: &str, facts: &[Fact]) {
    for fact in facts.iter().take(MOST_FACTS) {
        let Fact { resource, field, value, at } = fact;
        let at = at.map(|at| at.strftime(" (seen %H:%M:%SZ)").to_string()).unwrap_or_default();
        paragraph(out, &format!("        {side:<8}"), &format!("{} {field}: {value}{at}", words::place(resource)));
    }
    if facts.len() > MOST_FACTS {
        line(out, &format!("                and {} more", facts.len() - MOST_FACTS));
    }
}

fn chain_words(link: LinkOfChain) -> &'static str {
    match link {
        LinkOfChain::Enabled => "the identities are enabled and attached",
        LinkOfChain::InDirectory => "their principals exist in Entra ID",
        LinkOfChain::TokenEndpoint => "the app reaches its token endpoint",
        LinkOfChain::Granted => "they were granted what they need",
        LinkOfChain::Propagated => "every grant has had the time to act",
    }
}

fn question_words(question: Question) -> &'static str {
    match question {
        Question::IdentityEnabled => "are the identities enabled, and there?",
        Question::PrincipalAttached => "are the right principals attached?",
        Question::RolePresent => "do they hold what they need, at the right scope?",
        Question::Propagated => "has every grant had the time to act?",
        Question::VaultModeAligned => "do the vaults decide by the declared model?",
        Question::AudienceRight => "does the app ask at the declared resources?",
        Question::ServiceReachable => "do firewalls let it in, and is all of it there?",
        Question::Recovered => "do its calls succeed?",
    }
}

/// Why it cannot be told, and what it would need.
pub(super) fn needed_words(needed: &Needed) -> String {
    format!("because {}", reason(needed))
}

/// Why something stays open, for where it is said already that it is a reason.
pub(super) fn reason(needed: &Needed) -> String {
    reason_with(needed, IN_EXPLAIN)
}

const IN_EXPLAIN: &str = " (`rolecall explain` has the commands)";

/// The same for `explain` itself. `commands`: where those are that try it from inside.
fn reason_with(needed: &Needed, commands: &str) -> String {
    match needed {
        Needed::Reading(failure) => {
            let hint = failure.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
            format!("it could not be read: {}{hint}", failure.text)
        }
        Needed::History(failure) => {
            format!("the activity log could not be read, which may say how it came about: {}", failure.text)
        }
        Needed::Undecided(because) => because.clone(),
        Needed::Directory => {
            "Resource Manager does not show the directory; the resource's own log names the object id that it refuses"
                .to_owned()
        }
        Needed::Telemetry => {
            format!("only the app itself can try: would need its traces, or a try from inside{commands}")
        }
        Needed::Inside => "Resource Manager shows nothing of what runs inside".to_owned(),
        Needed::Settings => "app settings are not read: would need `settings: Inspect`".to_owned(),
        Needed::Declaration => "nothing declared is about it".to_owned(),
        Needed::Way { resource, doubt } => {
            format!("it is open whether `{}` lets the app in: {}", resource.name(), words::private(resource, doubt))
        }
        Needed::Network => "firewalls are not looked at: would need `network: Check`".to_owned(),
    }
}

#[cfg(test)]
mod tests;
