//! Plays one scenario: the real controller between simulated Kubernetes and simulated Azure, in simulated time. Hours
//! pass in milliseconds, and twice the same.

use std::{sync::Arc, time::Duration};

use azure_core::http::Transport;
use futures::FutureExt as _;
use jiff::{SignedDuration, Timestamp};
use kube::CustomResourceExt as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Deed, Scenario, merge,
    telemetry::{self, Step},
};
use crate::{
    api::{FunctionIdentityPolicy, FunctionIdentityPolicyStatus, IdentityBoundary},
    azure::{Azure, AzureConfig, Limits, StaticToken},
    catalog::clouds::CLOUDS,
    clock::Clock,
    controller::{self, Candidate, Health, Operator},
    observe::Surveys,
    pipeline::{Pipeline, Settings},
    sandbox::{arm::ArmSim, kube::KubeSim},
};

/// How a scenario went.
#[derive(Clone, Debug)]
pub struct Played {
    /// What happened, in order of time.
    pub moments: Vec<Moment>,
    /// The condition `Ready` when the time was over.
    pub ready: Ready,
    /// Whether the condition `Recovered` was true by then.
    pub recovered: bool,
    /// Whether the policy was gone by then.
    pub is_gone: bool,
    /// The codes of the first look's findings.
    pub findings: Vec<String>,
    /// The hypothesis of the first look.
    pub hypothesis: Option<String>,
    /// Requests that changed something in Azure, or tried to.
    pub writes: usize,
    /// The same of one more pass at the end.
    pub writes_second_pass: usize,
    /// Calls and refusals in each five minutes, as the app's telemetry has them. Empty where it has none.
    pub series: Vec<Step>,
    /// What is not as the scenario says it must be. Empty when it ended well.
    pub complaints: Vec<String>,
}

/// The condition `Ready`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// The reason.
    pub reason: String,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Moment {
    /// The status was written.
    Status {
        /// When.
        at: Timestamp,
        /// The status, whole.
        status: Box<FunctionIdentityPolicyStatus>,
    },
    /// A request that changes something was sent to Azure.
    Write {
        /// When.
        at: Timestamp,
        /// The verb.
        method: String,
        /// The path.
        path: String,
        /// The body.
        body: Value,
        /// What Azure answered; none when the answer got lost.
        answered: Option<u16>,
    },
    /// Somebody did something.
    Deed {
        /// When.
        at: Timestamp,
        /// What.
        says: String,
    },
    /// What the app meets, as its telemetry has it.
    App {
        /// When.
        at: Timestamp,
        /// What.
        says: String,
    },
    /// An event that the status does not tell: a policy took its leave.
    Event {
        /// When.
        at: Timestamp,
        /// Its reason.
        reason: String,
        /// Its note.
        note: String,
    },
}

impl Moment {
    /// When it happened.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Status { at, .. }
            | Self::Write { at, .. }
            | Self::Deed { at, .. }
            | Self::App { at, .. }
            | Self::Event { at, .. } => *at,
        }
    }
}

/// Plays the scenario to its end.
#[must_use]
pub fn play(scenario: &Scenario) -> Played {
    paused().block_on(run(scenario))
}

/// Plays the world alone until `wait` after the first deed, and looks at it: no operator is there to mend anything.
pub fn felt<T>(scenario: &Scenario, wait: SignedDuration, look: impl AsyncFnOnce(Pipeline) -> T) -> Option<T> {
    let (start, deed) = (scenario.world.clock?, scenario.then.first()?);
    Some(paused().block_on(async {
        let clock = Clock::starting_at(start);
        let arm = ArmSim::new(scenario.world.clone(), clock);
        sleep_until(clock, start + deed.after).await;
        change(deed, &arm);
        sleep_until(clock, start + deed.after + wait).await;
        look(pipeline(scenario, &arm, clock)).await
    }))
}

fn paused() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime on this thread needs nothing that can be missing")
}

async fn run(scenario: &Scenario) -> Played {
    let start = scenario.world.clock.expect("a scenario's world has a clock");
    let clock = Clock::starting_at(start);
    let arm = ArmSim::new(scenario.world.clone(), clock);
    let kube = cluster(scenario, clock);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let operator = operator(scenario, &arm, &kube, clock);
    let controller = tokio::spawn(controller::run(operator, stopped.map(|_| ()).boxed()));

    let mut policy = serde_json::to_value(&scenario.policy).expect("a policy is JSON");
    for deed in &scenario.then {
        sleep_until(clock, start + deed.after).await;
        happen(deed, &mut policy, &arm, &kube);
    }
    sleep_until(clock, start + scenario.run_for).await;
    let conditions = conditions(&kube, scenario);
    let ready = conditions.iter().find(|condition| condition["type"] == "Ready").cloned();
    let recovered = conditions.iter().any(|it| it["type"] == "Recovered" && it["status"] == "True");
    let is_gone = object(&kube, scenario).is_none();
    let before = writes(&arm);
    if !is_gone {
        // One more pass over the world as it is now.
        policy["metadata"]["annotations"] = json!({ "reconcile.fluxcd.io/requestedAt": "once more" });
        kube.put(policy);
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let writes_second_pass = writes(&arm) - before;
    let _ = stop.send(());
    let _ = controller.await;

    let moments = moments(scenario, &arm, &kube, start);
    let first = moments.iter().find_map(|moment| match moment {
        Moment::Status { status, .. } => Some(status),
        Moment::Write { .. } | Moment::Deed { .. } | Moment::App { .. } | Moment::Event { .. } => None,
    });
    let findings = first.map(|status| status.findings.iter().map(|finding| finding.code.clone()).collect());
    let hypothesis = first.map(|status| status.hypothesis.clone()).filter(|hypothesis| !hypothesis.is_empty());
    let mut played = Played {
        findings: findings.unwrap_or_default(),
        hypothesis,
        moments,
        ready: ready.and_then(|condition| serde_json::from_value(condition).ok()).unwrap_or_default(),
        recovered,
        is_gone,
        writes: before,
        writes_second_pass,
        series: telemetry::series(scenario, &arm),
        complaints: Vec::new(),
    };
    played.complaints = complaints(scenario, &played);
    played
}

async fn sleep_until(clock: Clock, moment: Timestamp) {
    let left = Duration::try_from(moment.duration_since(clock.now())).expect("deeds come in order of time");
    tokio::time::sleep(left).await;
}

fn change(deed: &Deed, arm: &ArmSim) {
    for id in &deed.remove {
        arm.remove(id);
    }
    for document in &deed.add {
        arm.insert(document.clone());
    }
}

fn happen(deed: &Deed, policy: &mut Value, arm: &ArmSim, kube: &KubeSim) {
    change(deed, arm);
    if !deed.policy.is_null() {
        merge(&mut policy["spec"], &deed.policy);
        kube.put(policy.clone());
    }
    if deed.delete {
        let metadata = &policy["metadata"];
        let name = metadata["name"].as_str().expect("the example has a name");
        kube.delete("FunctionIdentityPolicy", metadata["namespace"].as_str(), name);
    }
}

fn cluster(scenario: &Scenario, clock: Clock) -> KubeSim {
    let crds = [FunctionIdentityPolicy::crd(), IdentityBoundary::crd()];
    let crds = crds.iter().map(|crd| serde_json::to_value(crd).expect("a definition is JSON"));
    let kube = KubeSim::new(clock, crds.collect());
    if let Some(boundary) = &scenario.boundary {
        kube.put(serde_json::to_value(boundary).expect("a boundary is JSON"));
    }
    kube.put(serde_json::to_value(&scenario.policy).expect("a policy is JSON"));
    kube
}

/// What compares the policy with that Azure.
fn pipeline(scenario: &Scenario, arm: &ArmSim, clock: Clock) -> Pipeline {
    let azure = Azure::new(AzureConfig {
        cloud: CLOUDS[0],
        arm_endpoint: None,
        logs_endpoint: None,
        credential: Arc::new(StaticToken::new(scenario.world.token())),
        transport: Some(Transport::new(arm.transport())),
        limits: Limits::default(),
    });
    let azure = azure.expect("the public cloud's endpoint is a URL");
    let settings = Settings { installation: Some("demo".to_owned()), ..Settings::default() };
    Pipeline::new(azure, Surveys::new(clock, Duration::from_secs(60)), clock).with(settings)
}

fn operator(scenario: &Scenario, arm: &ArmSim, kube: &KubeSim, clock: Clock) -> Operator {
    Operator {
        client: kube.client(),
        pipeline: pipeline(scenario, arm, clock),
        clock,
        concurrency: 1,
        health: Health::default(),
        instance: "rolecall-0".to_owned(),
        candidate: Candidate {
            namespace: "default".to_owned(),
            lease: "rolecall".to_owned(),
            // Nobody else runs for it, and each renewal takes real time.
            duration: Duration::from_secs(10 * 60),
            identity: "rolecall-0".to_owned(),
        },
    }
}

fn object(kube: &KubeSim, scenario: &Scenario) -> Option<Value> {
    let metadata = &scenario.policy.metadata;
    let name = metadata.name.as_deref().expect("the example has a name");
    kube.get("FunctionIdentityPolicy", metadata.namespace.as_deref(), name)
}

fn conditions(kube: &KubeSim, scenario: &Scenario) -> Vec<Value> {
    object(kube, scenario).and_then(|object| object["status"]["conditions"].as_array().cloned()).unwrap_or_default()
}

fn writes(arm: &ArmSim) -> usize {
    arm.journal().iter().filter(|request| request.mutating).count()
}

fn moments(scenario: &Scenario, arm: &ArmSim, kube: &KubeSim, start: Timestamp) -> Vec<Moment> {
    let end = start + scenario.run_for;
    let mut moments: Vec<_> = arm
        .journal()
        .into_iter()
        .filter(|request| request.mutating)
        .map(|request| Moment::Write {
            at: request.time,
            method: request.method,
            path: request.path,
            body: request.body,
            answered: request.status,
        })
        .collect();
    moments.extend(kube.journal().into_iter().filter_map(|request| {
        let is_status = request.subresource.as_deref() == Some("status") && request.changed;
        let status = is_status.then(|| request.body?.get("status").cloned()).flatten()?;
        Some(Moment::Status { at: request.at, status: serde_json::from_value(status).ok()? })
    }));
    moments.extend(scenario.then.iter().map(|deed| Moment::Deed { at: start + deed.after, says: deed.says.clone() }));
    moments.extend(kube.journal().into_iter().filter_map(|request| {
        let event = request.body.filter(|body| body["kind"] == "Event" && request.changed)?;
        let reason = event["reason"].as_str().filter(|reason| FAREWELLS.contains(reason))?.to_owned();
        let note = event["note"].as_str().unwrap_or_default().to_owned();
        Some(Moment::Event { at: request.at, reason, note })
    }));
    moments.extend(telemetry::symptoms(scenario, arm));
    // What somebody does comes before what follows from it, and a write before the status that tells of it.
    moments.sort_by_key(|moment| match moment {
        Moment::Deed { at, .. } => (*at, 0),
        Moment::App { at, .. } => (*at, 1),
        Moment::Write { at, .. } => (*at, 2),
        Moment::Status { at, .. } | Moment::Event { at, .. } => (*at, 3),
    });
    moments.retain(|moment| moment.at() < end);
    moments
}

/// The reasons of the events that tell how a policy took its leave.
const FAREWELLS: [&str; 4] = ["Revoked", "StillRequired", "RevokeSkipped", "RevokeAbandoned"];

fn complaints(scenario: &Scenario, played: &Played) -> Vec<String> {
    let expect = &scenario.expect;
    let mut complaints = Vec::new();
    let mut compare = |what: &str, expected: String, got: String| {
        if expected != got {
            complaints.push(format!("{what} must be {expected} and is {got}"));
        }
    };
    compare("Ready", format!("{:?}", expect.ready), format!("{:?}", played.ready));
    compare("Recovered", expect.recovered.to_string(), played.recovered.to_string());
    compare("gone", expect.gone.to_string(), played.is_gone.to_string());
    compare("the findings", format!("{:?}", expect.findings), format!("{:?}", played.findings));
    compare("the hypothesis", format!("{:?}", expect.hypothesis), format!("{:?}", played.hypothesis));
    compare("writes", expect.writes.to_string(), played.writes.to_string());
    compare("writes of a second pass", "0".to_owned(), played.writes_second_pass.to_string());
    complaints
}
