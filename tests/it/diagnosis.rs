//! What `explain` makes of each scenario: the table in `docs/diagnosis.md`, and that nothing confident is said where a
//! reading is missing.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::Mutex,
    time::Duration,
};

use jiff::SignedDuration;
use rolecall::{
    clock::Clock,
    evaluate::{Hypothesis, Verdict},
    pipeline::Intent,
    policy::{Authority, Boundary},
    report::{self, Pass, PassResult},
    sandbox::{
        arm::{ArmSim, Fault, World},
        scenario::{self, Scenario},
    },
};
use serde_json::json;

use crate::azure::pipeline;

/// The first look at a scenario, with evidence; none when it did not come to one.
async fn explained(scenario: &Scenario) -> Option<Pass> {
    looked(scenario, scenario.world.clone(), None).await.0
}

/// The same in that world, with a fault, and what was read.
async fn looked(scenario: &Scenario, world: World, fault: Option<Fault>) -> (Option<Pass>, BTreeSet<Read>) {
    let clock = Clock::starting_at(world.clock.expect("a scenario's world has a clock"));
    let arm = ArmSim::new(world, clock);
    fall(scenario, &arm).await;
    if let Some(fault) = fault {
        arm.add_fault(fault);
    }
    let boundaries = scenario.boundary.iter().map(Boundary::from).collect();
    let authority = Authority::Boundaries { boundaries, namespaces: std::collections::BTreeMap::new() };
    let report = pipeline(&arm, clock).pass(&scenario.policy, &authority, None, Intent::Explain).await;
    let journal = arm.journal();
    assert!(journal.iter().all(|request| !request.mutating), "{} writes", scenario.name);
    let reads = journal.into_iter().map(|request| Read { method: request.method, path: request.path }).collect();
    let pass = match report.finding {
        PassResult::Evaluated(pass) => Some(*pass),
        PassResult::Invalid(_) | PassResult::Duplicate(_) | PassResult::OutsideBoundary(_) => None,
    };
    (pass, reads)
}

/// Where apps live and somebody does something, all is in order at first: the look is at what the first deed has led to.
async fn fall(scenario: &Scenario, arm: &ArmSim) {
    if let Some(deed) = scenario.then.first().filter(|_| !scenario.world.hosts.is_empty()) {
        let wait = |time| tokio::time::sleep(Duration::try_from(time).expect("deeds come after the beginning"));
        wait(deed.after).await;
        deed.remove.iter().for_each(|id| arm.remove(id));
        deed.add.iter().for_each(|document| arm.insert(document.clone()));
        wait(UNTIL_FELT).await;
    }
}

/// How long after the first deed calls are refused, and the telemetry has it.
const UNTIL_FELT: SignedDuration = SignedDuration::from_mins(10);

/// A reading: what is asked for by `GET`, or the app settings and a query of logs by `POST`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Read {
    method: String,
    path: String,
}

impl Read {
    /// What goes wrong with it: refused, too late or broken off, or empty without a word. App settings are not listed by
    /// what the caller may see: who may not see all of them is refused.
    fn faults(&self) -> Vec<Fault> {
        let empty = if self.path.ends_with("/query") {
            Some(json!({ "status": 200, "body": { "tables": [] } }))
        } else {
            (self.method == "GET").then(|| json!("empty-list"))
        };
        // Both end as an answer that never came. Which of them is tried differs from reading to reading.
        let cut_off = if self.path.len().is_multiple_of(2) { "hang" } else { "half-json" };
        let answers = [json!({ "status": 403 }), json!(cut_off)].into_iter().chain(empty);
        let fault = |answer| json!({ "method": self.method, "path": self.path, "times": 1000, "answer": answer });
        answers.map(|answer| serde_json::from_value(fault(answer)).expect("a fault is JSON")).collect()
    }
}

fn verdicts(pass: &Pass) -> Vec<(Hypothesis, Verdict)> {
    let explanation = &pass.explanation;
    explanation.cases.iter().map(|case| (case.hypothesis, case.verdict)).collect()
}

/// The page of all scenarios.
pub(crate) async fn page() -> String {
    let mut rows = String::new();
    for scenario in scenario::all() {
        let row = match explained(&scenario).await {
            Some(pass) => {
                let words = verdicts(&pass).into_iter().map(|(_, verdict)| match verdict {
                    Verdict::Confirmed => "**yes**",
                    Verdict::Refuted => "no",
                    Verdict::Open => "open",
                    Verdict::NotExamined => "–",
                });
                let cause = pass.evaluation.decision.cause.map_or("–".to_owned(), |cause| format!("{cause:?}"));
                let severity = pass.evaluation.severity.map_or("–", |severity| severity.word());
                format!("{} | {cause} | {severity}", words.collect::<Vec<_>>().join(" | "))
            }
            None => format!("{}– | –", "– | ".repeat(6)),
        };
        writeln!(rows, "| `{}` | {row} |", scenario.name).expect("writing to a string does not fail");
    }
    let hypotheses: String =
        [Hypothesis::H1, Hypothesis::H2, Hypothesis::H3, Hypothesis::H4, Hypothesis::H5, Hypothesis::H6]
            .map(|one| format!("| {one:?} | {} |\n", report::hypothesis(&format!("{one:?}"))))
            .concat();
    format!(
        "# What is made of each incident\n\n\
         The playbook is the instruction for whoever is on call when an app is refused: in a fixed order it asks for the\n\
         identity, its roles, the age of its grants, the vault, the address and the network, and weighs six hypotheses.\n\n\
         Generated by `make generate`. Each row is a scenario of `rolecall demo` at its first look, as `rolecall explain` sees\n\
         it: whether a hypothesis is confirmed (**yes**), refuted (no), open because a reading is missing, or not examined (–);\n\
         the cause to act on now; and the severity by the playbook's table. A row without verdicts was not looked at: its\n\
         policy lies outside of its boundary. Where apps live and somebody changes something, as in `role-removed-by-mistake`, all is\n\
         in order at first, and the row is of ten minutes after that.\n\n\
         H1 is open where the policy does not let the app's settings be read (`settings: Inspect`): an identity that is there may\n\
         still not be the one that is used. H6 is never refuted, because names, routes and time-outs are seen by the app alone;\n\
         telemetry that tells of none is as much as can speak against it.\n\n\
         The verdicts and the severity are held against what a person made of the story. A test plays every scenario again with\n\
         each of its readings refused, late, broken off, or empty without a word, and where apps live with telemetry that is half\n\
         an hour late or not there: nothing that was confirmed may be refuted, and nothing be confirmed that was not.\n\n\
         | hypothesis | |\n|---|---|\n{hypotheses}\n\
         | severity | the playbook's row | what makes it so here |\n|---|---|---|\n\
         | SEV-1 | the production trigger path is blocked | `criticality: Production`, and a trigger or the host itself is cut off |\n\
         | SEV-2 | a part of the functions fails, or there is a fallback | something else is cut off in production, or the \
         policy says `criticality: Partial`; also `NonCritical` when telemetry shows that every invocation fails |\n\
         | SEV-3 | nothing critical, and retries succeed | `criticality: NonCritical` |\n\n\
         Nothing is graded while nothing is certainly cut off.\n\n\
         | scenario | H1 | H2 | H3 | H4 | H5 | H6 | cause | severity |\n|---|---|---|---|---|---|---|---|---|\n{rows}"
    )
}

/// What a person made of each scenario, by its story and the playbook, is what `explain` makes of it.
#[tokio::test(start_paused = true)]
async fn each_scenario_is_judged_as_a_person_judges_it() {
    let mut wrong = Vec::new();
    for scenario in scenario::all() {
        let pass = explained(&scenario).await;
        let judged: BTreeMap<String, String> = pass.iter().flat_map(verdicts).map(word).collect();
        let severity = pass.and_then(|pass| pass.evaluation.severity).map(|severity| severity.word().to_owned());
        let mut differ = |what: &str, person: &str, program: &str| {
            if person != program {
                wrong.push(format!("{}: {what} is {person} to a person, and {program}", scenario.name));
            }
        };
        let (person, graver) = (&scenario.expect.verdicts, &scenario.expect.severity);
        assert_eq!(person.keys().collect::<Vec<_>>(), judged.keys().collect::<Vec<_>>(), "{}", scenario.name);
        for (hypothesis, verdict) in person {
            differ(hypothesis, verdict, &judged[hypothesis]);
        }
        differ("severity", graver.as_deref().unwrap_or("none"), severity.as_deref().unwrap_or("none"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn word((hypothesis, verdict): (Hypothesis, Verdict)) -> (String, String) {
    let word = match verdict {
        Verdict::Confirmed => "confirmed",
        Verdict::Refuted => "refuted",
        Verdict::Open => "open",
        Verdict::NotExamined => "not-examined",
    };
    (format!("{hypothesis:?}"), word.to_owned())
}

/// What is not critical, and succeeds when it is tried again, wakes nobody up.
#[tokio::test(start_paused = true)]
async fn retries_that_succeed_are_told_and_are_no_grave_incident() {
    let scenario = scenario::all().into_iter().find(|it| it.name == "granted-anew-and-retried").expect("there is one");
    let pass = explained(&scenario).await.expect("it was looked at");
    let evidence = pass.evaluation.evidence.as_ref().and_then(|it| it.present()).expect("telemetry was read");
    let invoked = evidence.invocations.present().expect("functions run");
    let failed: u64 = invoked.top.iter().map(|group| group.failed).sum();
    assert!(failed > 0 && failed < invoked.count, "{failed} of {} failed", invoked.count);
    assert_eq!(pass.evaluation.severity.map(rolecall::evaluate::Severity::word), Some("SEV-3"));
    assert_eq!(pass.evaluation.decision.cause, Some(Hypothesis::H3));
}

/// With any reading refused, late, broken off or silently empty, and with telemetry that is half an hour late or not there, a
/// hypothesis may become open; none that was confirmed is refuted, and none is confirmed that was not (S10).
#[test]
fn a_missing_reading_turns_no_verdict_into_its_contrary() {
    // Each thread has a clock of its own, that does not wait.
    let scenarios = scenario::all();
    let seen = &Mutex::new(BTreeSet::new());
    let several = scenarios.len().div_ceil(4);
    let taken: Vec<Taken> = std::thread::scope(|scope| {
        let start = |some| scope.spawn(move || paused().block_on(without_each_reading(some, seen)));
        let threads: Vec<_> = scenarios.chunks(several).map(start).collect();
        threads.into_iter().map(|thread| thread.join().expect("no verdict is turned")).collect()
    });
    let wrong = taken.iter().flat_map(|taken| &taken.wrong);
    let (known, wrong): (Vec<&str>, Vec<&str>) =
        wrong.map(String::as_str).partition(|told| KNOWN.iter().all(|part| told.contains(part)));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(!known.is_empty(), "what was known is mended: take it out of the list");
    let opened: usize = taken.iter().map(|taken| taken.opened).sum();
    assert!(opened > 100, "the faults took evidence away {opened} times");
    // Settings and firewalls are among what was taken away.
    let kinds: BTreeSet<_> = taken.into_iter().flat_map(|taken| taken.kinds).collect();
    for kind in [
        "list",
        "storageaccounts",
        "vaults",
        "roleassignments",
        "permissions",
        "containerapps",
        "virtualmachines",
        "late",
        "empty",
    ] {
        assert!(kinds.contains(kind), "{kind} is not among {kinds:?}");
    }
}

/// Known, and to be mended: where nobody can read whether a resource is there, the role that is missing at it is confirmed,
/// though the name may be wrong.
const KNOWN: [&str; 2] = ["resource-misspelt: ", "/providers/Microsoft.Storage/storageAccounts/storderupload\""];

fn paused() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().start_paused(true).build().expect("a runtime")
}

/// What was taken away from some scenarios, reading by reading.
#[derive(Default)]
struct Taken {
    /// How often a hypothesis became open by it.
    opened: usize,
    /// The last words of the paths.
    kinds: BTreeSet<String>,
    /// What was said that less evidence does not allow.
    wrong: Vec<String>,
}

async fn without_each_reading(scenarios: &[Scenario], seen: &Mutex<BTreeSet<String>>) -> Taken {
    let mut taken = Taken::default();
    for scenario in scenarios {
        let world = || scenario.world.clone();
        let (Some(whole), reads) = looked(scenario, world(), None).await else { continue };
        // What differs only in what is done about it is looked at once.
        let is_new = seen.lock().expect("nobody panicked").insert(format!("{reads:?} {:?}", whole.evaluation));
        if !is_new {
            continue;
        }
        for (read, fault) in reads.iter().flat_map(|read| read.faults().into_iter().map(move |it| (read, it))) {
            let told = format!("{}: {read:?} with {:?}", scenario.name, fault.answer);
            let (partial, met) = looked(scenario, world(), Some(fault)).await;
            assert!(met.contains(read), "{told} is not met");
            taken.compare(&told, &whole, partial.as_ref());
            taken.kinds.extend(read.path.rsplit('/').next().map(str::to_lowercase));
        }
        if scenario.world.hosts.is_empty() {
            continue;
        }
        let late = World { telemetry_delay: Some(LATE), ..world() };
        let empty = World { hosts: Vec::new(), ..world() };
        for (how, world) in [("late", late), ("empty", empty)] {
            let (partial, _) = looked(scenario, world, None).await;
            let told = format!("{}: its workspace is {how}", scenario.name);
            let evidence = partial.as_ref().and_then(|pass| pass.evaluation.evidence.as_ref()?.present());
            let refused = evidence.and_then(|it| it.recovery.present()).map_or(0, |figures| figures.auth_failures);
            assert_eq!(refused, 0, "{told}, and tells of refusals");
            taken.compare(&told, &whole, partial.as_ref());
            taken.kinds.insert(how.to_owned());
        }
    }
    taken
}

/// How late telemetry is that tells nothing of an incident of ten minutes.
const LATE: SignedDuration = SignedDuration::from_mins(30);

impl Taken {
    /// What is said of less is nothing else than what is said of all, and no more.
    fn compare(&mut self, told: &str, whole: &Pass, partial: Option<&Pass>) {
        let Some(partial) = partial else { return };
        let mut confirmed = BTreeSet::new();
        for ((hypothesis, before), (_, after)) in verdicts(whole).into_iter().zip(verdicts(partial)) {
            confirmed.extend((before == Verdict::Confirmed).then_some(hypothesis));
            let is_contrary = (before, after) == (Verdict::Confirmed, Verdict::Refuted);
            let is_new = after == Verdict::Confirmed && before != Verdict::Confirmed;
            if is_contrary || is_new {
                self.wrong.push(format!("{told}: {hypothesis:?} was {before:?} and is {after:?}"));
            }
            self.opened += usize::from(after == Verdict::Open && before != Verdict::Open);
        }
        // Of several that are confirmed the first is acted on, and it may be the first that can be read.
        let cause = partial.evaluation.decision.cause;
        if cause.is_some_and(|cause| !confirmed.contains(&cause)) {
            self.wrong.push(format!("{told}: {cause:?} is to be acted on"));
        }
    }
}
