//! One run: both simulators, the book, and what the ways to the simulators have in common.

use std::{
    cell::RefCell,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use kube::CustomResourceExt as _;
use rolecall::{
    api::{FunctionIdentityPolicy, IdentityBoundary},
    clock::Clock,
    sandbox::{
        arm::{ArmSim, World},
        kube::KubeSim,
    },
};
use serde_json::{Value, json};
use std::sync::LazyLock;

use super::{
    chance::mixed,
    fault::Fault,
    ledger::{Ledger, Sent},
    process::SURVEY_AGE,
    schedule::Schedule,
    stage::{Key, Stage},
};

/// Everything that a run is made of. Shared by all processes in it.
pub(super) struct Run {
    pub(super) arm: ArmSim,
    pub(super) kube: KubeSim,
    pub(super) clock: Clock,
    pub(super) stage: Arc<Stage>,
    /// Something happened that the driver must look at.
    pub(super) stirred: tokio::sync::Notify,
    order: u64,
    keeps_the_past: bool,
    ledger: Mutex<Ledger>,
}

/// A process, as calls name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ProcessId {
    pub(super) operator: u8,
    pub(super) process: u32,
}

static CRDS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let crds = [FunctionIdentityPolicy::crd(), IdentityBoundary::crd()];
    let mut crds: Vec<_> = crds.iter().map(|crd| serde_json::to_value(crd).expect("a definition is JSON")).collect();
    for crd in &mut crds {
        // Pruning and defaults of the spec are tested elsewhere, and would be a good part of the work of a run.
        let open = json!({ "x-kubernetes-preserve-unknown-fields": true });
        let schema = &mut crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        let mut status = open.clone();
        if let Some(default) = schema["properties"]["status"].get("default") {
            status["default"] = default.clone();
        }
        *schema = open;
        schema["properties"] = json!({ "status": status });
    }
    crds
});

impl Run {
    /// The beginning of a schedule. Needs tokio's clock.
    pub(super) fn new(schedule: &Schedule, stage: Arc<Stage>) -> Arc<Self> {
        let clock = Clock::starting_at(stage.start);
        let kube = KubeSim::new(clock, CRDS.clone());
        for object in &stage.objects {
            kube.put(object.clone());
        }
        let ledger = Ledger { faults: schedule.faults.clone(), ..Ledger::default() };
        Arc::new(Self {
            arm: ArmSim::new(stage.world.clone(), clock),
            kube,
            clock,
            stage,
            stirred: tokio::sync::Notify::new(),
            order: schedule.order,
            keeps_the_past: schedule.faults.values().any(|fault| fault.needs_the_past()),
            ledger: Mutex::new(ledger),
        })
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().expect("no code panics while it holds this lock")
    }

    /// A request leaves a process. Never comes back to one that has ended.
    pub(super) async fn begin(&self, id: ProcessId, sent: Sent) -> (u32, Option<Fault>) {
        self.end_if_dead(id).await;
        let number = {
            let mut ledger = self.ledger();
            let number = ledger.begin(id.operator, id.process, current_policy(), self.clock.now(), sent);
            super::properties::at_sending(&mut ledger, self, number);
            number
        };
        self.travel(number, 0).await;
        self.end_if_dead(id).await;
        let fault = self.ledger().call(number).fault;
        (number, fault)
    }

    /// The answer of a call reaches the process.
    pub(super) async fn hear(&self, id: ProcessId, number: u32, answer: Option<(u16, Bytes)>) {
        self.travel(number, 1).await;
        self.end_if_dead(id).await;
        let now = self.clock.now();
        let mut ledger = self.ledger();
        let call = ledger.call_mut(number);
        call.heard = answer;
        call.heard_at = Some(now);
    }

    /// The time that a request or an answer takes.
    async fn travel(&self, number: u32, leg: u64) {
        if self.order == 0 {
            tokio::task::yield_now().await;
        } else {
            let milliseconds = mixed(self.order, u64::from(number) * 2 + leg) % 40;
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        }
    }

    /// A number that the schedule's order decides.
    pub(super) fn drawn(&self, position: u64) -> u64 {
        if self.order == 0 { 0 } else { mixed(self.order, position) }
    }

    /// Ends the process: nothing that it does is seen any more.
    pub(super) async fn crash<T>(&self, id: ProcessId) -> T {
        {
            let mut ledger = self.ledger();
            ledger.dead.insert(id.process);
            ledger.crashed.insert(id.operator);
        }
        self.stirred.notify_one();
        std::future::pending().await
    }

    async fn end_if_dead(&self, id: ProcessId) {
        let is_dead = self.ledger().dead.contains(&id.process);
        if is_dead {
            std::future::pending::<()>().await;
        }
    }

    /// What Azure holds, as of the change before the last, or as of the beginning.
    pub(super) fn past(&self, oldest: bool) -> ArmSim {
        let past = {
            let ledger = self.ledger();
            if oldest { ledger.past.first().cloned() } else { ledger.past.last().cloned() }
        };
        match past {
            Some(resources) => {
                let world = World { resources, faults: Vec::new(), ..self.stage.world.clone() };
                ArmSim::new(world, self.clock)
            }
            None => self.arm.clone(),
        }
    }

    /// Changes Azure, and keeps what it was.
    pub(super) fn change_azure(&self, ledger: &mut Ledger, id: &str, change: impl FnOnce(&ArmSim)) {
        if self.keeps_the_past {
            ledger.past.push(self.arm.snapshot());
        }
        change(&self.arm);
        ledger.touch(id);
        ledger.others_will_see(None, self.when_surveys_are_old());
        ledger.version += 1;
    }

    /// When nobody uses a survey of now any more.
    pub(super) fn when_surveys_are_old(&self) -> Timestamp {
        self.clock.now() + SignedDuration::try_from(SURVEY_AGE).expect("a minute")
    }

    pub(super) fn keep_the_past(&self, ledger: &mut Ledger) {
        if self.keeps_the_past {
            ledger.past.push(self.arm.snapshot());
        }
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Key>> = const { RefCell::new(None) };
}

/// The policy whose pass is being polled.
fn current_policy() -> Option<Key> {
    CURRENT.with_borrow(Clone::clone)
}

/// A pass, so that calls know whose they are.
pub(super) struct Tagged<F> {
    pub(super) policy: Key,
    pub(super) pass: Pin<Box<F>>,
}

impl<F: Future> Future for Tagged<F> {
    type Output = (Key, F::Output);

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        CURRENT.set(Some(this.policy.clone()));
        let polled = this.pass.as_mut().poll(context);
        CURRENT.set(None);
        polled.map(|output| (this.policy.clone(), output))
    }
}
