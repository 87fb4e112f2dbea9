//! The figures of `docs/performance.md`: `make bench` prints them and fails when a bound is broken.
//!
//! The real controller, under simulated time, between a simulated API server and a simulated Resource Manager in this
//! process. Counts are exact and the same at every run; times and memory are this machine's.

mod fleet;

use std::{
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use azure_core::http::Transport;
use futures::FutureExt;
use rolecall::{
    api::FunctionIdentityPolicy,
    azure::{Azure, AzureConfig, Limits, StaticToken},
    catalog::clouds::CLOUDS,
    cli::crd::definitions,
    clock::Clock,
    controller::{self, Candidate, Health, Operator},
    evaluate,
    observe::{self, Surveys},
    pipeline::Pipeline,
    policy::Policy,
    sandbox::{
        arm::{ArmSim, World},
        kube::KubeSim,
    },
};
use serde_json::Value;

use fleet::{Fleet, subscription_id};

/// The bounds, for a thousand policies.
const READS_PER_POLICY: f64 = 0.1;
const MEMORY_MIB: f64 = 64.0;
const EVALUATION_MS: f64 = 50.0;

/// What was measured of one fleet.
struct Figures {
    first_sweep_reads: usize,
    second_sweep_reads: usize,
    azure_writes: usize,
    kubernetes_writes: usize,
    memory_mib: f64,
    evaluation_ms: f64,
    sweep_ms: f64,
}

fn main() -> ExitCode {
    // A process of its own for each fleet: memory that one has left behind is not the other's.
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    if let (Some(policies), Some(subscriptions)) = (arguments.next(), arguments.next()) {
        let number = |text: String| text.parse().expect("a number");
        print(&measure(Fleet { policies: number(policies), subscriptions: number(subscriptions) }));
        return ExitCode::SUCCESS;
    }
    let mut broken = Vec::new();
    println!("policies  subscriptions  reads/policy, 1st and 2nd sweep  writes  patches  MiB   evaluation  sweep");
    // The large one takes minutes, most of them the simulators'.
    let large = std::env::args().any(|argument| argument == "--large");
    let fleets: &[_] = if large { &[(1_000, 1), (10_000, 10)] } else { &[(1_000, 1)] };
    for &(policies, subscriptions) in fleets {
        let fleet = Fleet { policies, subscriptions };
        let figures = in_a_process_of_its_own(fleet);
        let per_policy = |reads: usize| float(reads) / float(policies);
        let (first, second) = (per_policy(figures.first_sweep_reads), per_policy(figures.second_sweep_reads));
        println!(
            "{policies:>8}  {subscriptions:>13}  {first:>15.3} {second:>15.3}  {:>6}  {:>7}  {:>4.0}  {:>7.1} ms  {:>4.0} ms",
            figures.azure_writes,
            figures.kubernetes_writes,
            figures.memory_mib,
            figures.evaluation_ms,
            figures.sweep_ms
        );
        let mut bound = |what: &str, is: f64, most: f64| {
            if is > most {
                broken.push(format!("{policies} policies: {what} is {is:.3}, more than {most}"));
            }
        };
        bound("reads per policy of the first sweep", first, READS_PER_POLICY);
        bound("reads per policy of the second sweep", second, READS_PER_POLICY);
        bound("writes to Azure", float(figures.azure_writes), 0.0);
        bound("patches of the second sweep", float(figures.kubernetes_writes), 0.0);
        if policies == 1_000 {
            bound("memory", figures.memory_mib, MEMORY_MIB);
            bound("evaluation", figures.evaluation_ms, EVALUATION_MS);
        }
    }
    for text in &broken {
        eprintln!("broken: {text}");
    }
    ExitCode::from(u8::from(!broken.is_empty()))
}

fn in_a_process_of_its_own(fleet: Fleet) -> Figures {
    let program = std::env::current_exe().expect("this program has a path");
    let arguments = [fleet.policies.to_string(), fleet.subscriptions.to_string()];
    let output = std::process::Command::new(program).args(arguments).output().expect("it can be run again");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut words = text.split_whitespace();
    let mut next = || words.next().expect("seven figures").parse::<f64>().expect("a number");
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts, printed as such")]
    let mut count = || next() as usize;
    let (first_sweep_reads, second_sweep_reads) = (count(), count());
    let (azure_writes, kubernetes_writes) = (count(), count());
    Figures {
        first_sweep_reads,
        second_sweep_reads,
        azure_writes,
        kubernetes_writes,
        memory_mib: next(),
        evaluation_ms: next(),
        sweep_ms: next(),
    }
}

fn print(figures: &Figures) {
    let Figures {
        first_sweep_reads,
        second_sweep_reads,
        azure_writes,
        kubernetes_writes,
        memory_mib,
        evaluation_ms,
        sweep_ms,
    } = figures;
    println!(
        "{first_sweep_reads} {second_sweep_reads} {azure_writes} {kubernetes_writes} {memory_mib} {evaluation_ms} {sweep_ms}"
    );
}

fn measure(fleet: Fleet) -> Figures {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime on this thread").block_on(measured(fleet))
}

async fn measured(fleet: Fleet) -> Figures {
    let world: World = serde_json::from_value(fleet.world()).expect("the fleet's world");
    let clock = Clock::starting_at(world.clock.expect("the world has a clock"));
    let arm = ArmSim::new(world, clock);
    let kube = cluster(fleet, clock);
    let idle = resident_mib();

    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let operator = operator(&arm, &kube, clock);
    let running = tokio::spawn(controller::run(operator, stopped.map(drop).boxed()));
    // The first look, then the interval in which each policy finds its place in the sweep.
    tokio::time::sleep(Duration::from_secs(60)).await;
    let first_sweep_reads = reads(&arm);
    tokio::time::sleep(Duration::from_secs(11 * 60)).await;
    let (settled, patches) = (reads(&arm), writes(&kube));
    let began = stopwatch();
    tokio::time::sleep(Duration::from_secs(10 * 60)).await;
    let sweep_ms = milliseconds(began);
    let memory_mib = (resident_mib() - idle).max(0.0);
    let figures = Figures {
        first_sweep_reads,
        second_sweep_reads: reads(&arm) - settled,
        azure_writes: arm.journal().iter().filter(|request| request.mutating).count(),
        kubernetes_writes: writes(&kube) - patches,
        memory_mib,
        evaluation_ms: evaluation(fleet, &arm, clock).await,
        sweep_ms,
    };
    assert_compliant(fleet, &kube);
    let _ = stop.send(());
    let _ = running.await;
    figures
}

fn cluster(fleet: Fleet, clock: Clock) -> KubeSim {
    let crds = definitions().expect("the definitions can be printed");
    let crds = crds.iter().map(|(_, text)| serde_saphyr::from_str(text).expect("YAML"));
    let kube = KubeSim::new(clock, crds.collect());
    kube.put(fleet.boundary());
    for number in 0..fleet.policies {
        kube.put(fleet.policy(number));
    }
    kube
}

fn azure(arm: &ArmSim) -> Azure {
    Azure::new(AzureConfig {
        cloud: CLOUDS[0],
        arm_endpoint: None,
        logs_endpoint: None,
        credential: Arc::new(StaticToken::new("any")),
        transport: Some(Transport::new(arm.transport())),
        limits: Limits::default(),
    })
    .expect("the public cloud's endpoint is a URL")
}

fn operator(arm: &ArmSim, kube: &KubeSim, clock: Clock) -> Operator {
    Operator {
        client: kube.client(),
        pipeline: Pipeline::new(azure(arm), Surveys::new(clock, Duration::from_secs(60)), clock),
        clock,
        concurrency: 8,
        health: Health::default(),
        instance: "rolecall-0".to_owned(),
        // So long that the sweeps are not interrupted by renewals.
        candidate: Candidate {
            namespace: "default".to_owned(),
            lease: "rolecall".to_owned(),
            duration: Duration::from_secs(600),
            identity: "rolecall-0".to_owned(),
        },
    }
}

/// The pure part, for all policies: from what the surveys show to findings and decision.
async fn evaluation(fleet: Fleet, arm: &ArmSim, clock: Clock) -> f64 {
    let azure = azure(arm);
    let surveys = Surveys::new(clock, Duration::from_secs(3600));
    let parse = |number| {
        let object: FunctionIdentityPolicy = serde_json::from_value(fleet.policy(number)).expect("a policy");
        Policy::parse(&object).expect("a valid policy")
    };
    let mut total = 0.0;
    for subscription in 0..fleet.subscriptions {
        let here: Vec<_> = (subscription..fleet.policies).step_by(fleet.subscriptions).map(parse).collect();
        let observed = observe::glance(&azure, &surveys, &subscription_id(subscription), &here).await;
        let began = stopwatch();
        for (policy, observed) in here.iter().zip(&observed) {
            let evaluation = evaluate::evaluate(policy, observed, clock.now());
            assert!(evaluation.findings.is_empty(), "{:?}", evaluation.findings);
        }
        total += milliseconds(began);
    }
    total
}

fn assert_compliant(fleet: Fleet, kube: &KubeSim) {
    let reason = |policy: &Value| policy["status"]["conditions"][0]["reason"].as_str().map(str::to_owned);
    let compliant = kube
        .list("FunctionIdentityPolicy")
        .iter()
        .filter(|policy| reason(policy).as_deref() == Some("Compliant"))
        .count();
    assert_eq!(compliant, fleet.policies, "everything is there, so every policy is compliant");
}

fn reads(arm: &ArmSim) -> usize {
    arm.journal().iter().filter(|request| !request.mutating).count()
}

fn writes(kube: &KubeSim) -> usize {
    kube.journal().iter().filter(|request| request.mutating && !request.path.contains("/leases")).count()
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn float(count: usize) -> f64 {
    count as f64
}

#[expect(clippy::disallowed_methods, reason = "how long the machine takes is what is measured")]
fn stopwatch() -> Instant {
    Instant::now()
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

/// Resident memory of this process.
fn resident_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("resident memory");
    line.trim().trim_end_matches(" kB").trim().parse::<f64>().expect("a number") / 1024.0
}
