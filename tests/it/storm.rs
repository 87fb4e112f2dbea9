//! A storm: a thousand policies in one subscription, each of which lacks a grant, through the real pipeline in
//! simulated time, against a simulated Azure that refuses what its limits do not allow.

mod world;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use azure_core::http::Transport;
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use rolecall::{
    api::FunctionIdentityPolicyStatus,
    azure::{Azure, AzureConfig, Limits, StaticToken},
    catalog::clouds::CLOUDS,
    clock::Clock,
    observe::Surveys,
    pipeline::{Intent, Pipeline},
    policy::Authority,
    report,
    sandbox::arm::{ArmRequest, ArmSim},
};
use serde_json::{Value, json};

/// As many as the controller passes at once.
const WORKERS: usize = 8;
/// Longer than any storm here may last.
const TOO_LONG: SignedDuration = SignedDuration::from_hours(2);

/// How it went.
struct Passed {
    requests: Vec<ArmRequest>,
    /// Policies of which a later pass said that nothing is missing.
    repaired: usize,
}

impl Passed {
    fn refused(&self) -> usize {
        self.requests.iter().filter(|request| request.status == Some(429)).count()
    }

    fn writes(&self) -> usize {
        self.requests.iter().filter(|request| request.effective).count()
    }

    /// From the first request to the last write.
    fn took(&self) -> SignedDuration {
        let first = self.requests.first().expect("it has looked").time;
        let writes = self.requests.iter().filter(|request| request.effective);
        writes.map(|request| request.time).max().expect("it has written").duration_since(first)
    }

    fn print(&self, name: &str) {
        let reads = self.requests.iter().filter(|request| !request.mutating).count();
        let (repaired, took, writes, refused) = (self.repaired, self.took(), self.writes(), self.refused());
        let seconds = took.as_secs_f64();
        println!("{name}: {repaired} repaired in {seconds:.1} s; {writes} writes, {reads} reads, {refused} refused");
    }
}

/// Policies by the time at which they are due, as the controller keeps them.
struct Queue {
    due: BTreeSet<(Timestamp, usize)>,
    statuses: Vec<Option<FunctionIdentityPolicyStatus>>,
    open: usize,
}

struct Storm {
    pipeline: Pipeline,
    authority: Authority,
    clock: Clock,
    queue: Mutex<Queue>,
}

impl Storm {
    /// Lets the pipeline repair everything, and look again until everything is seen to be repaired.
    async fn pass(policies: usize, allows: Value) -> Passed {
        let world = world::world(policies, &allows);
        let clock = Clock::starting_at(world.clock.expect("the storm has a clock"));
        let arm = ArmSim::new(world, clock);
        let config = AzureConfig {
            cloud: CLOUDS[0],
            arm_endpoint: None,
            logs_endpoint: None,
            credential: Arc::new(StaticToken::new("any")),
            transport: Some(Transport::new(arm.transport())),
            limits: Limits::default(),
        };
        let azure = Azure::new(config).expect("a usable configuration");
        let storm = Self {
            pipeline: Pipeline::new(azure, Surveys::new(clock, Duration::from_secs(60)), clock),
            authority: world::authority(),
            clock,
            queue: Mutex::new(Queue {
                due: (0..policies).map(|number| (clock.now(), number)).collect(),
                statuses: vec![None; policies],
                open: policies,
            }),
        };
        join_all((0..WORKERS).map(|_| storm.work())).await;
        let open = storm.queue.into_inner().expect("no worker panics").open;
        Passed { requests: arm.journal(), repaired: policies - open }
    }

    async fn work(&self) {
        let end = self.clock.now() + TOO_LONG;
        while self.clock.now() < end {
            let next = {
                let mut queue = self.queue.lock().expect("no worker panics");
                if queue.open == 0 {
                    return;
                }
                let is_due = queue.due.first().is_some_and(|(due, _)| *due <= self.clock.now());
                if is_due { queue.due.pop_first() } else { None }
            };
            match next {
                Some((_, number)) => self.look(number).await,
                None => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// What the controller does with a policy.
    async fn look(&self, number: usize) {
        let policy = world::policy(number);
        let report = self.pipeline.pass(&policy, &self.authority, None, Intent::Act).await;
        let now = self.clock.now();
        let mut queue = self.queue.lock().expect("no worker panics");
        let status = report::status(queue.statuses[number].as_ref(), &report, None, now);
        if report.drifted() == Some(false) {
            queue.open -= 1;
        } else {
            let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready");
            let due = report::due(&report, ready.map(|condition| condition.last_transition_time.0), now);
            queue.due.insert((due.expect("time helps"), number));
        }
        queue.statuses[number] = Some(status);
    }
}

/// What the write bucket alone would take: what is over its size comes at its refill.
fn write_bound(writes: u32, size: u32, per_second: u32) -> SignedDuration {
    SignedDuration::from_millis(i64::from(writes - size) * 1000 / i64::from(per_second))
}

/// Each write is confirmed by three reads, and reads refill two and a half times as fast: so reads are the limit, and a
/// quarter more time than the write bucket alone would take is the least that can be had. The rest is the survey, which is
/// read anew each minute, and what is left to others.
#[tokio::test(start_paused = true)]
async fn a_thousand_policies_are_repaired_at_the_speed_that_azure_allows_without_a_refusal_after_the_first() {
    let passed = Storm::pass(1000, json!({ "throttling": true })).await;
    passed.print("documented buckets, 1000 policies");
    assert_eq!((passed.repaired, passed.writes()), (1000, 1000));
    assert!(passed.refused() <= 1, "{} refused", passed.refused());
    assert!(passed.took() < write_bound(1000, 200, 10) * 3 / 2, "{}", passed.took());
}

#[tokio::test(start_paused = true)]
async fn smaller_limits_than_documented_are_learnt_from_their_counters() {
    let buckets = json!({ "reads": 120, "writes": 60, "deletes": 60 });
    let passed = Storm::pass(300, json!({ "throttling": true, "buckets": buckets })).await;
    passed.print("120 reads and 60 writes, 300 policies");
    assert_eq!((passed.repaired, passed.writes()), (300, 300));
    assert!(passed.refused() <= 1, "{} refused", passed.refused());
    assert!(passed.took() < write_bound(300, 60, 3) * 3 / 2, "{}", passed.took());
}

#[tokio::test(start_paused = true)]
async fn a_limit_without_a_counter_is_learnt_from_its_refusals() {
    let passed = Storm::pass(300, json!({ "throttling": true, "authorizationPerMinute": 120 })).await;
    passed.print("120 requests a minute for Microsoft.Authorization, 300 policies");
    assert_eq!((passed.repaired, passed.writes()), (300, 300));
    let asked = passed.requests.iter().filter(|request| request.path.contains("/Microsoft.Authorization/")).count();
    let least = SignedDuration::from_secs(i64::try_from(asked / 2).expect("not that many"));
    assert!(passed.took() < least * 3 / 2, "{} for {asked} requests", passed.took());
    assert!(passed.refused() <= 5, "{} refused", passed.refused());
}
