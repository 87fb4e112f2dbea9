//! Two operators as processes beside one real API server: the one that leads is killed in the middle of its work,
//! stopped, or told to end, and the other takes over.

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use rolecall::{
    clock::Clock,
    sandbox::arm::{ArmRequest, ArmSim, Fault, World},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, runtime::Runtime};

use super::{
    arm::Arm,
    kubectl::Kubectl,
    process::Process,
    request::{Api, JSON, create_namespace, poll, until},
    scene::{self, example_boundary, example_policy, invoices, ready_is, subscription, until_policy},
    stage::{Server, operator_as, own_server},
};

const NAMESPACE: &str = "payments";
const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/rolecall/leases/rolecall";

/// A cluster and a simulated Azure whose requests we can read.
struct Place {
    server: Server,
    api: Api,
    azure: ArmSim,
    arm: Arm,
    _serving: Runtime,
}

impl Place {
    fn new(name: &str) -> Option<Self> {
        let server = own_server(name, "127.0.0.1:0")?;
        server.install_crds();
        let api = Api::of(&server.kubeconfig);
        create_namespace(&api, NAMESPACE);
        let serving = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let serving = serving.expect("a runtime");
        let azure = ArmSim::new(World::from_yaml(&scene::world()).expect("the world"), Clock::System);
        let listener = serving.block_on(TcpListener::bind("127.0.0.1:0")).expect("this machine has loopback");
        let arm = Arm::at(&format!("http://{}", listener.local_addr().expect("bound")));
        serving.spawn(azure.clone().serve(listener));
        Some(Self { server, api, azure, arm, _serving: serving })
    }

    /// An operator that passes one policy at a time, once it has seen everything.
    fn operator(&self, name: &str) -> Process {
        let (process, probes) = operator_as(name, &self.server, &self.arm, &["--concurrency", "1"]);
        until("it is ready", || process.log(), || probes.try_get("/readyz").map(|(code, _)| code == 200));
        process
    }

    /// An example app whose grant is missing, and a policy that has it repaired.
    fn lack(&self, number: usize) {
        let subscription = subscription(number);
        let mut boundary = example_boundary(NAMESPACE, &subscription);
        boundary["metadata"]["name"] = json!(format!("payments-{number}"));
        scene::create_boundary(&self.api, &boundary);
        let name = format!("orders-{number}");
        let policy = example_policy(NAMESPACE, &subscription, &name, |spec| spec["mode"] = json!("Enforce"));
        self.api.ok("POST", &scene::policies(NAMESPACE), JSON, &policy);
    }

    /// Every request to Azure that asked for a change.
    fn writes(&self) -> Vec<ArmRequest> {
        self.azure.journal().into_iter().filter(|request| request.mutating).collect()
    }

    /// How often the missing grant of that app was written, and how often that had an effect.
    fn written(&self, number: usize) -> (usize, usize) {
        let scope = invoices(&subscription(number));
        let writes: Vec<_> = self.writes().into_iter().filter(|request| request.path.starts_with(&scope)).collect();
        (writes.len(), writes.iter().filter(|request| request.effective).count())
    }

    fn holder(&self) -> String {
        let (_, lease) = self.api.send("GET", LEASE, JSON, &Value::Null);
        lease["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the lease is held under that name. How long it took since then.
    fn until_held_by(&self, name: &str, since: Instant, log: impl Fn() -> String) -> Duration {
        until(&format!("{name} leads"), log, || Some(self.holder().starts_with(&format!("{name}_"))));
        since.elapsed()
    }

    fn until_granted(&self, number: usize, log: impl Fn() -> String) {
        until_policy(&self.api, NAMESPACE, &format!("orders-{number}"), "granted", log, |policy| {
            ready_is(policy, "Unknown", "Propagating")
        });
    }
}

/// Past the test harness, which hides what tests that pass print.
fn measured(what: &str, time: Duration) {
    let _ = writeln!(std::io::stderr(), "measured: {what}: {:.2} s", time.as_secs_f64());
}

#[expect(clippy::disallowed_methods, reason = "how long real processes take is real time")]
fn now() -> Instant {
    Instant::now()
}

#[test]
fn a_leader_that_is_killed_while_it_writes_is_followed_within_twenty_seconds_and_nothing_is_written_twice() {
    const APPS: usize = 6;
    let Some(place) = Place::new("killed") else { return };
    let first = place.operator("first");
    place.until_held_by("first", now(), || first.log());
    let second = place.operator("second");

    // Two are granted; the third write is under way, and the others have not begun, when the leader dies.
    let hang = r#"{"method": "PUT", "path": "/roleAssignments/", "after": 2, "times": 1, "answer": "hang"}"#;
    place.azure.add_fault(serde_json::from_str::<Fault>(hang).expect("a fault"));
    (0..APPS).for_each(|number| place.lack(number));
    until("the third write is sent", || first.log(), || Some(place.writes().len() == 3));
    first.kill();
    let killed = now();

    let took_over = place.until_held_by("second", killed, || second.log());
    let acted = poll(|| (place.writes().len() > 3).then(|| killed.elapsed())).expect("it writes");
    measured("the lease has another holder after a SIGKILL", took_over);
    measured("the next leader writes after a SIGKILL", acted);
    assert!(acted < Duration::from_secs(20), "{acted:?}");

    (0..APPS).for_each(|number| place.until_granted(number, || second.log()));
    let written: Vec<_> = (0..APPS).map(|number| place.written(number)).collect();
    assert!(written.iter().all(|(_, effective)| *effective == 1), "each grant is made once: {written:?}");
    assert_eq!(place.writes().len(), APPS + 1, "and only the write without an answer was sent again: {written:?}");
    if let Some(kubectl) = Kubectl::of(&place.server.kubeconfig) {
        let shown = kubectl.ok(&["get", "lease", "rolecall", "-n", "rolecall"]);
        assert!(shown.contains(" second_"), "{shown}");
    }
    assert_eq!(second.terminate().0, Some(0));
}

#[test]
fn a_leader_that_stood_still_longer_than_its_lease_writes_nothing_more_and_one_that_is_told_to_end_hands_over() {
    let Some(place) = Place::new("stopped") else { return };
    let mut first = place.operator("first");
    place.until_held_by("first", now(), || first.log());
    let second = place.operator("second");

    first.signal("STOP");
    let stopped = now();
    place.lack(0);
    let took_over = place.until_held_by("second", stopped, || second.log());
    measured("the lease has another holder after a SIGSTOP", took_over);
    assert!(took_over < Duration::from_secs(20), "{took_over:?}");
    place.until_granted(0, || second.log());
    place.lack(1);
    first.signal("CONT");
    assert_eq!(first.ended(), Some(1), "{}", first.log());
    assert!(first.log().contains("; ending at once, because another operator may act now"), "{}", first.log());
    place.until_granted(1, || second.log());
    assert_eq!((place.written(0), place.written(1)), ((1, 1), (1, 1)));

    let third = place.operator("third");
    let (code, _) = second.terminate();
    let ended = now();
    assert_eq!(code, Some(0));
    let took_over = place.until_held_by("third", ended, || third.log());
    measured("the lease has another holder after a SIGTERM has ended its leader", took_over);
    // A standby looks every two seconds.
    assert!(took_over < Duration::from_secs(5), "{took_over:?}");
    place.lack(2);
    place.until_granted(2, || third.log());
    assert_eq!(place.writes().len(), 3);
}
