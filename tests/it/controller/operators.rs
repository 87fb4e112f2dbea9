//! Several operators over one run, each with lines of its own, and what their lease says.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rolecall::{
    controller::{Health, LEASE_DURATION, LeaseLost},
    sandbox::arm::ArmRequest,
};
use serde_json::Value;

use super::{
    run::{LEASE, Run, Running, candidate, orders},
    wire::Wire,
};

const SECOND: Duration = Duration::from_secs(1);

/// One of the operators of a run.
pub struct One {
    pub name: &'static str,
    pub wire: Wire,
    pub health: Health,
    pub running: Running,
}

impl One {
    pub fn start(run: &Run, name: &'static str) -> Self {
        let (wire, health) = (Wire::new(), Health::default());
        let running = run.start_as(
            candidate(name, LEASE_DURATION),
            wire.client(&run.kube),
            wire.transport(&run.arm),
            health.clone(),
        );
        Self { name, wire, health, running }
    }

    /// Ends it as SIGKILL does: nothing of it is ever polled again.
    pub async fn kill(self) {
        self.running.task.abort();
        assert!(self.running.task.await.is_err_and(|error| error.is_cancelled()), "{} had ended", self.name);
    }

    /// Waits until it ends by itself.
    pub async fn lost(self) -> (LeaseLost, Wire) {
        let Running { task, stop: _held } = self.running;
        (task.await.expect("no panic").expect_err("it lost its lease"), self.wire)
    }

    pub async fn shut_down(self) {
        self.running.stop.send(()).expect("it runs");
        self.running.task.await.expect("no panic").expect("it gave its lease up");
    }
}

/// A run with a policy in `Enforce`, repaired by the first of two operators.
pub async fn two() -> (Run, One, One) {
    let run = Run::new();
    run.kube.put(orders("Enforce"));
    let first = One::start(&run, "first");
    run.wait(SECOND).await;
    let second = One::start(&run, "second");
    run.wait(10 * SECOND).await;
    assert_eq!((holder(&run).as_str(), run.reason("orders").as_str()), ("first", "Propagating"));
    assert_eq!(run.azure_writes().len(), 1);
    (run, first, second)
}

pub fn lease(run: &Run) -> Value {
    run.kube.get("Lease", Some("default"), LEASE).unwrap_or_default()
}

/// Who holds the lease; empty when nobody does.
pub fn holder(run: &Run) -> String {
    lease(run)["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned()
}

/// When the lease was last renewed.
pub fn renewed(run: &Run) -> Timestamp {
    lease(run)["spec"]["renewTime"].as_str().expect("renewed").parse().expect("a time")
}

/// Takes the grant away again that was made.
pub fn drift(run: &Run) {
    let granted = run.azure_writes()[0].path.clone();
    assert!(run.arm.document(&granted).is_some());
    run.arm.remove(&granted);
}

pub fn since(run: &Run, moment: Timestamp) -> SignedDuration {
    run.now().duration_since(moment)
}

/// Waits until it is so; panics after as much simulated time.
pub async fn until(run: &Run, patience: Duration, what: &str, is_so: impl Fn() -> bool) {
    let begun = run.now();
    while !is_so() {
        assert!(
            since(run, begun) < SignedDuration::try_from(patience).expect("short"),
            "not within {patience:?}: {what}"
        );
        run.wait(Duration::from_millis(10)).await;
    }
}

pub fn granted(run: &Run) -> Vec<ArmRequest> {
    let writes = run.azure_writes();
    assert!(writes.iter().all(|request| request.method == "PUT" && request.status == Some(201)), "{writes:#?}");
    writes
}
