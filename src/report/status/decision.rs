//! `decision`: the walk of the playbook's flow, and while something is wrong the six hypotheses with their evidence.
//!
//! Without the times at which things were read, which move with every pass; each answer has the time since when it is so.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{
    super::{
        Pass,
        explain::{needed_words, reason},
        words,
    },
    cut,
};
use crate::{
    api::{DecisionStatus, FlowStatus, HypothesisStatus},
    evaluate::{
        Answer, Case, Effect, Fact, Finding, Node, Question, Reach, Reached, Side, Standing, Verdict, question_of,
    },
};

/// The most entries of a kind of evidence.
const MOST: usize = 2;
/// The longest of them: with it the whole is at most 10 KiB.
const LONGEST_FACT: usize = 200;
/// The longest reason of an answer.
const LONGEST_REASON: usize = 256;

pub(super) fn decision(previous: Option<&DecisionStatus>, pass: &Pass, now: Timestamp) -> DecisionStatus {
    // What was declared may stand while telemetry confirms a cause: its evidence belongs beside its name.
    let decision = &pass.evaluation.decision;
    let is_open = pass.evaluation.standing() > Standing::CompliantWithFindings || decision.cause.is_some();
    let nodes = decision.path.iter();
    let cases = pass.explanation.cases.iter().filter(|_| is_open);
    DecisionStatus {
        flow: nodes.map(|node| answered(previous, pass, *node, now)).collect(),
        hypotheses: cases.map(hypothesis).collect(),
    }
}

fn answered(previous: Option<&DecisionStatus>, pass: &Pass, node: Node, now: Timestamp) -> FlowStatus {
    let (question, answer) = (format!("{:?}", node.question), format!("{:?}", node.answer));
    let before = previous.into_iter().flat_map(|decision| &decision.flow).find(|before| before.question == question);
    if let Some(before) = before.filter(|before| stands(before, pass, node)) {
        return before.clone();
    }
    let since = before.filter(|before| before.answer == answer).map_or(Time(now), |before| before.since.clone());
    let because = match node.answer {
        Answer::Yes | Answer::NotAsked => String::new(),
        Answer::No | Answer::CannotTell => because(pass, node),
    };
    FlowStatus { question, answer, because: cut(&because, LONGEST_REASON), since }
}

/// Whether what was said of firewalls stands: nobody looked again at what waits for its turn, as all of it does after a
/// restart, and nothing else says otherwise.
fn stands(before: &FlowStatus, pass: &Pass, node: Node) -> bool {
    if (node.question, node.answer) != (Question::ServiceReachable, Answer::CannotTell) {
        return false;
    }
    let mut undecided =
        pass.evaluation.reached.iter().map(|one| &one.reach).filter(|it| matches!(it, Reach::Undecided(_)));
    if before.answer == format!("{:?}", Answer::Yes) {
        undecided.all(Reach::waits)
    } else {
        before.answer == format!("{:?}", Answer::CannotTell) && undecided.any(Reach::waits)
    }
}

/// The first finding about the question, or what would be needed to answer it.
fn because(pass: &Pass, node: Node) -> String {
    let decides = |finding: &Finding| match node.answer {
        Answer::No => finding.confirms(),
        Answer::CannotTell | Answer::Yes | Answer::NotAsked => finding.effect() == Effect::Unknown,
    };
    let mut findings = pass.evaluation.findings.iter();
    let about = findings.find(|finding| decides(finding) && question_of(finding) == Some(node.question));
    let needed = || {
        let case = pass.explanation.cases.iter().find(|case| Some(case.hypothesis) == node.question.hypothesis())?;
        let told = case.telemetry.iter().find(|seen| node.answer == Answer::No && seen.side == Side::For);
        told.map(words::signal).or_else(|| case.needed.first().map(reason))
    };
    if node.question == Question::Recovered {
        // Without counts, which move with every look.
        return if node.answer == Answer::No {
            "calls are refused, most have no answer, or nothing is invoked while there is work".to_owned()
        } else {
            "telemetry is not there, or nothing succeeds".to_owned()
        };
    }
    about.map(|about| words::finding(pass, about)).or_else(|| reach(pass, node)).or_else(needed).unwrap_or_default()
}

/// What keeps the firewalls from answering.
fn reach(pass: &Pass, node: Node) -> Option<String> {
    if node.question != Question::ServiceReachable {
        return None;
    }
    let mut unread = false;
    for Reached { resource, reach, .. } in &pass.evaluation.reached {
        let Reach::Undecided(doubt) = reach else { continue };
        match words::doubt(resource, doubt) {
            Some(because) => return Some(format!("{}: {because}", words::short(resource))),
            None => unread = true,
        }
    }
    unread.then(|| "firewalls were not read".to_owned())
}

fn hypothesis(case: &Case) -> HypothesisStatus {
    // Without counts and places, and in an order of its own: which comes first moves with every look.
    let telemetry = |side| {
        let of_side = case.telemetry.iter().filter(|seen| seen.side == side);
        of_side.map(|seen| format!("telemetry: {}", seen.says)).collect::<BTreeSet<_>>()
    };
    let confirming = case.confirming.iter().map(fact).chain(telemetry(Side::For));
    // What is held elsewhere does not weaken what is certainly missing.
    let disproving = case.disproving.iter().filter(|_| case.verdict != Verdict::Confirmed).map(fact);
    let disproving = disproving.chain(telemetry(Side::Against));
    HypothesisStatus {
        hypothesis: format!("{:?}", case.hypothesis),
        verdict: format!("{:?}", case.verdict),
        confirming: few(confirming),
        disproving: few(disproving),
        needed: few(case.needed.iter().map(needed_words)),
    }
}

fn fact(fact: &Fact) -> String {
    format!("{} {}: {}", words::place(&fact.resource), fact.field, fact.value)
}

fn few(all: impl Iterator<Item = String>) -> Vec<String> {
    let mut all = all.map(|text| cut(&text, LONGEST_FACT));
    let mut told: Vec<_> = all.by_ref().take(MOST).collect();
    let more = all.count();
    if more > 0 {
        told.push(format!("and {more} more"));
    }
    told
}

#[cfg(test)]
mod tests;
