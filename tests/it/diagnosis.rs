//! What `explain` makes of each scenario: the table in `docs/diagnosis.md`, and that nothing confident is said where a
//! reading is missing.

use std::{collections::BTreeSet, fmt::Write as _, time::Duration};

use jiff::SignedDuration;
use rolecall::{
    clock::Clock,
    evaluate::{Hypothesis, Verdict},
    pipeline::Intent,
    policy::{Authority, Boundary},
    report::{self, Pass, PassResult},
    sandbox::{
        arm::{ArmSim, Fault},
        scenario::{self, Scenario},
    },
};
use serde_json::json;

use crate::azure::pipeline;

/// The first look at a scenario, with evidence; none when it did not come to one.
async fn explained(scenario: &Scenario) -> Option<Pass> {
    looked(scenario, None).await.0
}

/// The same with a fault, and what was read.
async fn looked(scenario: &Scenario, fault: Option<Fault>) -> (Option<Pass>, BTreeSet<Read>) {
    let clock = Clock::starting_at(scenario.world.clock.expect("a scenario's world has a clock"));
    let arm = ArmSim::new(scenario.world.clone(), clock);
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

/// Where apps live, all is in order at first: the look is at what the first deed has led to.
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
         policy lies outside of its boundary. Where apps live, as in `role-removed-by-mistake`, all is in order at first, and the\n\
         row is of ten minutes after somebody changed it.\n\n\
         A test plays every scenario again with each of its readings refused, late, broken off, or empty without a word, and\n\
         wants no verdict turned into its contrary.\n\n\
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

/// With any reading refused, late, broken off or silently empty, a hypothesis may become open; none that was confirmed is
/// refuted, and none that was refuted is confirmed (S10).
#[test]
fn a_missing_reading_turns_no_verdict_into_its_contrary() {
    // Each thread has a clock of its own, that does not wait.
    let scenarios = scenario::all();
    let several = scenarios.len().div_ceil(4);
    let taken: Vec<Taken> = std::thread::scope(|scope| {
        let start = |some| scope.spawn(move || paused().block_on(without_each_reading(some)));
        let threads: Vec<_> = scenarios.chunks(several).map(start).collect();
        threads.into_iter().map(|thread| thread.join().expect("no verdict is turned")).collect()
    });
    let opened: usize = taken.iter().map(|taken| taken.opened).sum();
    assert!(opened > 100, "the faults took evidence away {opened} times");
    // Settings and firewalls are among what was taken away.
    let kinds: BTreeSet<_> = taken.into_iter().flat_map(|taken| taken.kinds).collect();
    for kind in
        ["list", "storageaccounts", "vaults", "roleassignments", "permissions", "containerapps", "virtualmachines"]
    {
        assert!(kinds.contains(kind), "{kind} is not among {kinds:?}");
    }
}

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
}

async fn without_each_reading(scenarios: &[Scenario]) -> Taken {
    let mut taken = Taken::default();
    for scenario in scenarios {
        let (Some(whole), reads) = looked(scenario, None).await else { continue };
        for (read, fault) in reads.iter().flat_map(|read| read.faults().into_iter().map(move |it| (read, it))) {
            let told = format!("{}: {read:?} with {:?}", scenario.name, fault.answer);
            let (partial, met) = looked(scenario, Some(fault)).await;
            assert!(met.contains(read), "{told} is not met");
            let Some(partial) = partial else { continue };
            for ((hypothesis, before), (_, after)) in verdicts(&whole).into_iter().zip(verdicts(&partial)) {
                let contrary = matches!(
                    (before, after),
                    (Verdict::Confirmed, Verdict::Refuted) | (Verdict::Refuted, Verdict::Confirmed)
                );
                assert!(!contrary, "{told}: {hypothesis:?} was {before:?} and is {after:?}");
                taken.opened += usize::from(after == Verdict::Open && before != Verdict::Open);
            }
            taken.kinds.extend(read.path.rsplit('/').next().map(str::to_lowercase));
        }
    }
    taken
}
