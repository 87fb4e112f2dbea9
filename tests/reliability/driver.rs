//! The loop that stands in for the kube controller: who is passed when, in an order that the schedule decides, in
//! simulated time. Crashes take a process and everything in it; its successor starts from the cluster and Azure.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::poll_fn,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use futures::Stream as _;
use jiff::{SignedDuration, Timestamp};
use kube::runtime::controller::Action;
use rolecall::controller::PassError;
use serde_json::Value;
use tokio::time::Instant;

use super::{
    facts,
    ledger::Pass,
    process::{Process, requeue_after, stands_back, wait_after},
    properties,
    run::{ProcessId, Run},
    stage::Key,
};

/// How long the kubelet takes to start another process.
const RESTART: Duration = Duration::from_secs(2);
/// More simulated time than any run may take to come to rest.
const PATIENCE: SignedDuration = SignedDuration::from_hours(36);
/// The longest that a pass may take, whoever does not answer it: a policy is not looked at meanwhile.
const LONGEST_PASS: Duration = Duration::from_secs(15 * 60);
/// More passes than any run may take.
const MOST_PASSES: u32 = 600;

/// The longest that two operators act at once, in seconds: when a lease has failed to tell them apart.
const OVERLAP: u64 = 120;

/// One operator: its process, while it has one, and what it is to pass.
#[derive(Default)]
struct Operator {
    process: Option<Process>,
    starts: Option<Instant>,
    hears: Option<Instant>,
    passes: BTreeMap<Key, Turn>,
}

/// A policy in an operator's queue.
#[derive(Default)]
struct Turn {
    due: Option<Instant>,
    under_way: bool,
    /// Something called for a pass while one was under way.
    again: bool,
    /// What the last pass came to could not be written, and is offered again without another look.
    unwritten: bool,
    /// What the last pass of this process was about, when it was published: the book's `version` at its beginning.
    version: Option<u64>,
    began_at: u64,
    began: Option<Instant>,
    began_when: Option<Timestamp>,
}

/// The loop.
pub(super) struct Driver {
    run: Arc<Run>,
    inner: kube::Client,
    operators: Vec<Operator>,
    /// When the first of two operators ends for good.
    overlap_ends: Option<Instant>,
    processes: u32,
    passes: u32,
}

/// Why the loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// Nothing more will happen.
    Settled,
    /// It goes on and on.
    Restless,
}

impl Operator {
    fn starting(starts: Option<Instant>) -> Self {
        Self { starts, ..Self::default() }
    }
}

impl Driver {
    pub(super) fn new(run: Arc<Run>, operators: u8) -> Self {
        let inner = run.kube.client();
        let now = Instant::now();
        let overlap = Duration::from_secs(5 + run.drawn(3_000_000) % OVERLAP);
        let overlap_ends = (operators > 1).then(|| now + overlap);
        let operators = (0..operators).map(|_| Operator::starting(Some(now))).collect();
        Self { run, inner, operators, overlap_ends, processes: 0, passes: 0 }
    }

    /// Goes on until everything is at rest.
    pub(super) async fn settle(&mut self) -> Rest {
        loop {
            self.look_around();
            self.begin_passes();
            if self.is_at_rest() {
                return Rest::Settled;
            }
            let waited = self.run.clock.now().duration_since(self.run.stage.start);
            if waited > PATIENCE || self.passes > MOST_PASSES {
                return Rest::Restless;
            }
            self.wait().await;
        }
    }

    /// Every policy is passed once more, by the same processes.
    pub(super) fn ask_for_passes(&mut self) {
        let now = Instant::now();
        for turn in self.operators.iter_mut().flat_map(|operator| operator.passes.values_mut()) {
            turn.due = Some(now);
            turn.version = None;
        }
    }

    /// Every process ends, and another one takes its place.
    pub(super) fn restart(&mut self) {
        let operator = self.operators.last_mut().expect("there is an operator");
        *operator = Operator::starting(Some(Instant::now()));
    }

    /// Crashes and changes of the cluster become something to do.
    fn look_around(&mut self) {
        let now = Instant::now();
        let (crashed, changed) = {
            let mut ledger = self.run.ledger();
            (std::mem::take(&mut ledger.crashed), std::mem::take(&mut ledger.cluster_changed))
        };
        let last = self.operators.len() - 1;
        if self.overlap_ends.is_some_and(|ends| ends <= now) {
            self.overlap_ends = None;
            self.operators[0] = Operator::default();
            let mut ledger = self.run.ledger();
            ledger.views.remove(&0);
            // Its last word may be about less than the other one knows.
            ledger.version += 1;
        }
        for operator in crashed {
            let is_over = self.overlap_ends.is_none() && usize::from(operator) < last;
            self.operators[usize::from(operator)] = Operator::starting((!is_over).then(|| now + RESTART));
        }
        for number in 0..self.operators.len() {
            if changed && self.operators[number].process.is_some() {
                let hears = now + self.lag(number);
                let known = &mut self.operators[number].hears;
                *known = Some(known.map_or(hears, |known| known.min(hears)));
            }
            if self.operators[number].starts.is_some_and(|starts| starts <= now) {
                self.start(number);
            }
            if self.operators[number].hears.is_some_and(|hears| hears <= now) {
                self.hear(number);
            }
        }
    }

    /// How long an event takes to an operator.
    fn lag(&self, operator: usize) -> Duration {
        let number = u8::try_from(operator).expect("few operators");
        let ledger = self.run.ledger();
        let now = self.run.clock.now();
        let deaf = ledger.deaf_until.get(&number).map_or(SignedDuration::ZERO, |until| until.duration_since(now));
        let calls = ledger.calls.len() as u64;
        drop(ledger);
        let usual = Duration::from_millis(self.run.drawn(1_000_000 + calls) % 30);
        Duration::try_from(deaf).unwrap_or_default().max(usual)
    }

    fn start(&mut self, number: usize) {
        self.processes += 1;
        let id = ProcessId { operator: u8::try_from(number).expect("few operators"), process: self.processes };
        let process = Process::new(&self.run, id, &self.inner);
        {
            let mut ledger = self.run.ledger();
            ledger.views.remove(&id.operator);
            ledger.deaf_until.remove(&id.operator);
        }
        let operator = &mut self.operators[number];
        *operator = Operator { process: Some(process), ..Operator::default() };
        self.hear(number);
        let now = Instant::now();
        self.operators[number].passes.values_mut().for_each(|turn| turn.due = Some(now));
    }

    /// The operator is told what the cluster holds.
    fn hear(&mut self, number: usize) {
        let now = Instant::now();
        let operator = &mut self.operators[number];
        operator.hears = None;
        let Some(process) = &mut operator.process else { return };
        let mut ledger = self.run.ledger();
        let rules_version = ledger.rules_version;
        let view = ledger.views.entry(process.id.operator).or_default();
        let news = process.tell(&self.run, view, rules_version);
        properties::at_hearing(&mut ledger, self.run.clock.now(), process.id.operator);
        let view = ledger.views.get(&process.id.operator).expect("just told");
        operator.passes.retain(|key, turn| view.policies.contains_key(key) || turn.under_way);
        for (key, policy) in &view.policies {
            let turn = operator.passes.entry(key.clone()).or_default();
            if news.all || news.due.contains(key) || (news.duplicates && stands_back(policy)) {
                if turn.under_way {
                    turn.again = true;
                } else {
                    turn.due = Some(now);
                }
            }
        }
        if news.all || !news.due.is_empty() || news.duplicates {
            ledger.version += 1;
        }
    }

    /// Begins every pass that is due. Which of equal ones comes first is drawn.
    fn begin_passes(&mut self) {
        let now = Instant::now();
        let mut due = Vec::new();
        for (number, operator) in self.operators.iter().enumerate() {
            for (key, turn) in &operator.passes {
                if let Some(at) = turn.due.filter(|at| *at <= now && !turn.under_way) {
                    let drawn = self.run.drawn(2_000_000 + u64::from(self.passes) * 16 + due.len() as u64);
                    due.push((at, drawn, number, key.clone()));
                }
            }
        }
        due.sort();
        for (_, _, number, key) in due {
            let operator = &mut self.operators[number];
            let Some(process) = &operator.process else { continue };
            let began = process.begin(&key);
            let turn = operator.passes.entry(key.clone()).or_default();
            turn.due = None;
            if !began {
                continue;
            }
            turn.under_way = true;
            turn.began = Some(now);
            turn.began_when = Some(self.run.clock.now());
            self.passes += 1;
            let mut ledger = self.run.ledger();
            turn.began_at = ledger.version;
            let view = ledger.views.get(&process.id.operator).expect("told at its start");
            let pass = Pass {
                began: self.run.clock.now(),
                calls: ledger.calls.len(),
                object: view.policies.get(&key).cloned().unwrap_or_default(),
                scopes: view.rules.scopes(&key.0),
            };
            ledger.passes.insert((process.id.process, key), pass);
        }
    }

    /// Waits until a pass ends, somebody stirs, or something is due.
    async fn wait(&mut self) {
        let next = self.next();
        let ended = {
            let operators = &mut self.operators;
            let passes = poll_fn(|context| {
                for (number, operator) in operators.iter_mut().enumerate() {
                    let Some(process) = &mut operator.process else { continue };
                    if process.passes.is_empty() {
                        continue;
                    }
                    if let Poll::Ready(Some(ended)) = std::pin::Pin::new(&mut process.passes).poll_next(context) {
                        return Poll::Ready((number, ended));
                    }
                }
                Poll::Pending
            });
            let alarm = async {
                match next {
                    Some(next) => tokio::time::sleep_until(next).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.run.stirred.notified() => None,
                ended = passes => Some(ended),
                () = alarm => None,
            }
        };
        if let Some((number, (key, result))) = ended {
            self.end(number, &key, &result);
        }
    }

    /// A pass has ended.
    fn end(&mut self, number: usize, key: &Key, result: &Result<Action, PassError>) {
        let now = Instant::now();
        let Some(turn) = self.operators[number].passes.get_mut(key) else { return };
        turn.under_way = false;
        if turn.began.is_some_and(|began| now.duration_since(began) > LONGEST_PASS) {
            properties::took_too_long(&mut self.run.ledger(), key);
        }
        let wait = match result {
            Ok(action) => {
                let looked = !std::mem::take(&mut turn.unwritten);
                turn.version = looked.then_some(turn.began_at);
                requeue_after(action)
            }
            Err(error) => {
                turn.version = None;
                turn.unwritten = true;
                Some(wait_after(error))
            }
        };
        turn.due = wait.map(|wait| now + wait);
        if std::mem::take(&mut turn.again) {
            turn.due = Some(now);
        }
    }

    fn next(&self) -> Option<Instant> {
        let of_operator = |operator: &Operator| {
            let due = operator.passes.values().filter(|turn| !turn.under_way).filter_map(|turn| turn.due).min();
            [operator.starts, operator.hears, due].into_iter().flatten().min()
        };
        self.operators.iter().filter_map(of_operator).chain(self.overlap_ends).min()
    }

    /// Whether nothing is under way, everybody knows the latest, and each policy was passed since the last thing that
    /// could make a difference, or waits for a change.
    fn is_at_rest(&self) -> bool {
        let ledger = self.run.ledger();
        if self.overlap_ends.is_some() || ledger.stragglers > 0 || ledger.cluster_changed || !ledger.crashed.is_empty()
        {
            return false;
        }
        let resting: BTreeSet<&Key> = ledger
            .views
            .values()
            .flat_map(|view| &view.policies)
            .filter(|(_, policy)| is_resting(policy))
            .map(|(key, _)| key)
            .collect();
        (0_u8..).zip(&self.operators).all(|(number, operator)| {
            let is_over = usize::from(number) + 1 < self.operators.len();
            (operator.process.is_some() || is_over)
                && operator.hears.is_none()
                && operator.passes.iter().all(|(key, turn)| {
                    let waits = turn.due.is_none() && !turn.under_way;
                    let is_latest = turn.version == Some(ledger.version) && resting.contains(key);
                    // A pass may rest on a survey that is as old as one may be.
                    let others = ledger.knows_of_all(number, key).unwrap_or(self.run.stage.start);
                    let is_latest = is_latest && turn.began_when.is_some_and(|began| began > others);
                    !turn.under_way && (waits || is_latest)
                })
        })
    }
}

/// Holds that end by themselves: after a look, and after a write, where there are writes; a switch that waits for grants
/// in time.
const PASSING_HOLDS: [(&str, bool); 3] = [("NoBaseline", false), ("AnotherIdentityWrite", true), ("Propagating", true)];

/// Whether the status is one that stays: not on the way to somewhere.
fn is_resting(policy: &Value) -> bool {
    if policy["metadata"]["deletionTimestamp"].is_string() {
        return false;
    }
    let status = &policy["status"];
    let is_there = |kind: &str| facts::condition(status, kind).is_some();
    let has = |code: &str| status["findings"].as_array().into_iter().flatten().any(|finding| finding["code"] == code);
    let propagates = has("propagating");
    let held = status["plan"]["held"].as_array();
    let writes = facts::enforces(policy);
    let passing = |reason: &str| PASSING_HOLDS.iter().any(|(own, by_write)| *own == reason && (writes || !by_write));
    let passes = held.into_iter().flatten().any(|held| passing(facts::text(&held["reason"])));
    // Until the host was asked. One that is found old stays so.
    let recycles = status["pendingRestart"].is_object() && !has("host-not-recycled");
    !propagates && !passes && !recycles && (is_there("Stalled") || (is_there("Ready") && !is_there("Reconciling")))
}
