//! A pass over the example, with moments in it at which somebody else acts: before the n-th request to some path.

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use azure_core::http::{AsyncRawResponse, HttpClient, Request, Transport};
use rolecall::{
    api::{FunctionIdentityPolicy, FunctionIdentityPolicyStatus, Mode},
    azure::{Azure, AzureConfig, Limits, StaticToken},
    catalog::clouds::CLOUDS,
    clock::Clock,
    observe::Surveys,
    pipeline::{Intent, Leave, Pipeline},
    policy::Authority,
    report::{self, ExitCode, Situation},
    sandbox::arm::{ArmSim, Fault},
};
use serde_json::Value;

use super::documents::{BLOB_CONTRIBUTOR, SYSTEM, app, foreign, other_identity, receiver, uploads};
use crate::azure::{boundaries, example, policy};

/// What policies may do, and what the cluster holds of the policy, as of now.
pub(super) struct Cluster {
    pub(super) authority: Mutex<Authority>,
    pub(super) stored: Mutex<Option<FunctionIdentityPolicy>>,
    /// The other policies.
    pub(super) others: Mutex<Vec<FunctionIdentityPolicy>>,
    /// For how long nobody else acts.
    pub(super) undisturbed: Mutex<Duration>,
}

impl Cluster {
    pub(super) fn set_authority(&self, authority: Authority) {
        *self.authority.lock().expect("no test panics while it holds this lock") = authority;
    }

    /// Another operator may act after this time.
    pub(super) fn leave_undisturbed_for(&self, time: Duration) {
        *self.undisturbed.lock().expect("no test panics while it holds this lock") = time;
    }

    /// Somebody has another policy.
    pub(super) fn also_store(&self, policy: FunctionIdentityPolicy) {
        self.others.lock().expect("no test panics while it holds this lock").push(policy);
    }

    /// Somebody changes the policy, or deletes it.
    pub(super) fn store(&self, policy: Option<FunctionIdentityPolicy>) {
        *self.stored.lock().expect("no test panics while it holds this lock") = policy;
    }
}

impl Leave for Cluster {
    fn authority(&self) -> Authority {
        self.authority.lock().expect("no test panics while it holds this lock").clone()
    }

    fn is_current(&self, object: &FunctionIdentityPolicy) -> bool {
        let stored = self.stored.lock().expect("no test panics while it holds this lock");
        stored.as_ref().is_some_and(|stored| stored.spec == object.spec)
    }

    fn policies(&self) -> Option<Vec<Arc<FunctionIdentityPolicy>>> {
        let stored = self.stored.lock().expect("no test panics while it holds this lock");
        let others = self.others.lock().expect("no test panics while it holds this lock");
        Some(stored.iter().chain(&*others).cloned().map(Arc::new).collect())
    }

    fn may_write(&self, longest: Duration) -> bool {
        longest < *self.undisturbed.lock().expect("no test panics while it holds this lock")
    }
}

/// What a pass came to.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) situation: Situation,
    pub(super) exit: ExitCode,
    pub(super) status: FunctionIdentityPolicyStatus,
}

impl Seen {
    /// What is said of each step.
    pub(super) fn outcomes(&self) -> Vec<&str> {
        let steps = self.status.plan.iter().flat_map(|plan| &plan.steps);
        steps.map(|step| step.outcome.as_str()).collect()
    }

    pub(super) fn codes(&self) -> Vec<&str> {
        self.status.findings.iter().map(|finding| finding.code.as_str()).collect()
    }
}

/// The example, its policy and what may happen in between.
pub(super) struct Bench {
    pub(super) arm: ArmSim,
    pub(super) policy: FunctionIdentityPolicy,
    pub(super) cluster: Arc<Cluster>,
    pub(super) pipeline: Pipeline,
    pub(super) clock: Clock,
    moments: Arc<Moments>,
}

impl Bench {
    /// The example, where one grant is missing.
    pub(super) fn new(mode: Mode) -> Self {
        let (arm, clock) = example();
        let mut policy = policy();
        policy.spec.mode = mode;
        policy.metadata.generation = Some(1);
        let moments = Arc::new(Moments { arm: arm.clone(), inner: arm.transport(), waiting: Mutex::default() });
        let cluster = Arc::new(Cluster {
            authority: Mutex::new(boundaries()),
            stored: Mutex::new(Some(policy.clone())),
            others: Mutex::default(),
            undisturbed: Mutex::new(Duration::MAX),
        });
        let pipeline = pipeline(&moments, clock);
        Self { arm, policy, cluster, pipeline, clock, moments }
    }

    /// The same with two grants missing: also that of the user-assigned identity.
    pub(super) fn lacking_two(mode: Mode) -> Self {
        let bench = Self::new(mode);
        bench.arm.remove(&receiver());
        bench
    }

    /// Only the grant of the user-assigned identity is missing.
    pub(super) fn lacking_the_users(mode: Mode) -> Self {
        let bench = Self::lacking_two(mode);
        bench.arm.insert(foreign(&uploads(), SYSTEM, BLOB_CONTRIBUTOR));
        bench
    }

    /// Every grant is there; the app's identity block is this one.
    pub(super) fn with_block(mode: Mode, block: &Value) -> Self {
        let bench = Self::new(mode);
        bench.arm.insert(foreign(&uploads(), SYSTEM, BLOB_CONTRIBUTOR));
        bench.arm.insert(other_identity());
        bench.arm.edit(&app(), |app| app["identity"] = block.clone());
        bench
    }

    /// Another operator over the same Azure.
    pub(super) fn another_pipeline(&self) -> Pipeline {
        pipeline(&self.moments, self.clock)
    }

    /// A pass that only looks: afterwards there is a survey, and the next pass rests on it.
    pub(super) async fn look(&self) {
        let report = self.pipeline.pass(&self.policy, &*self.cluster, None, Intent::Look).await;
        assert_eq!(report.exit_code(), ExitCode::Drift, "{report:?}");
    }

    pub(super) async fn act(&self) -> Seen {
        self.act_over(&self.policy).await
    }

    pub(super) async fn act_over(&self, policy: &FunctionIdentityPolicy) -> Seen {
        let report = self.pipeline.pass(policy, &*self.cluster, None, Intent::Act).await;
        self.seen(&report)
    }

    pub(super) fn seen(&self, report: &report::Report) -> Seen {
        Seen {
            situation: report.situation(),
            exit: report.exit_code(),
            status: report::status(None, report, None, self.clock.now()),
        }
    }

    /// Just before the `nth` request of that method to a path with that end, somebody acts.
    pub(super) fn before(
        &self,
        method: &'static str,
        path: &str,
        nth: u32,
        deed: impl FnOnce(&ArmSim) + Send + 'static,
    ) {
        let moment = Moment { method, path: path.to_lowercase(), left: nth, deed: Box::new(deed) };
        self.moments.waiting.lock().expect("no deed panics").push(moment);
    }

    /// Whether everything happened that was to happen: a moment that never came proves nothing.
    pub(super) fn assert_happened(&self) {
        assert_eq!(self.moments.waiting.lock().expect("no deed panics").len(), 0, "a moment never came");
    }

    pub(super) fn fault(&self, words: &Value) {
        self.arm.add_fault(serde_json::from_value::<Fault>(words.clone()).expect("a fault"));
    }

    /// Every request that asked for a change.
    pub(super) fn writes(&self) -> Vec<String> {
        let changes = self.arm.journal().into_iter().filter(|request| request.mutating);
        changes.map(|request| format!("{} {}", request.method, request.path)).collect()
    }

    /// What was answered to them.
    pub(super) fn answers(&self) -> Vec<Option<u16>> {
        self.arm.journal().into_iter().filter(|request| request.mutating).map(|request| request.status).collect()
    }

    /// The documents of role assignments of that principal and role at that scope.
    pub(super) fn grants(&self, scope: &str, principal: &str, role: &str) -> Vec<Value> {
        let is_one = |document: &Value| {
            let properties = &document["properties"];
            properties["principalId"] == principal
                && properties["scope"].as_str().is_some_and(|at| at.eq_ignore_ascii_case(scope))
                && properties["roleDefinitionId"].as_str().is_some_and(|id| id.ends_with(role))
        };
        self.arm.snapshot().into_iter().filter(is_one).collect()
    }

    /// At once and again when everything known is old: the world is as it should be and stays untouched.
    pub(super) async fn assert_settled(&self) {
        let before = self.writes();
        for _ in 0..2 {
            let seen = self.act().await;
            let settled = matches!(
                seen.situation,
                Situation::Compliant | Situation::CompliantWithFindings | Situation::Propagating(_)
            );
            assert!(settled, "{:?} {:?}", seen.situation, seen.status.findings);
            assert_eq!(self.writes(), before);
            tokio::time::sleep(Duration::from_secs(61)).await;
        }
    }
}

fn pipeline(moments: &Arc<Moments>, clock: Clock) -> Pipeline {
    let config = AzureConfig {
        cloud: CLOUDS[0],
        arm_endpoint: None,
        logs_endpoint: None,
        credential: Arc::new(StaticToken::new("a-token-for-guards")),
        transport: Some(Transport::new(moments.clone())),
        limits: Limits::default(),
    };
    let azure = Azure::new(config).expect("the public cloud's endpoint is a URL");
    Pipeline::new(azure, Surveys::new(clock, Duration::from_secs(60)), clock)
}

struct Moment {
    method: &'static str,
    path: String,
    left: u32,
    deed: Box<dyn FnOnce(&ArmSim) + Send>,
}

/// A way to the service on which somebody else may be quicker.
struct Moments {
    arm: ArmSim,
    inner: Arc<dyn HttpClient>,
    waiting: Mutex<Vec<Moment>>,
}

impl fmt::Debug for Moments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Moments").finish_non_exhaustive()
    }
}

#[async_trait]
impl HttpClient for Moments {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        // Passes that run at once take turns, request by request.
        tokio::task::yield_now().await;
        let (method, path) = (request.method().as_str().to_owned(), request.url().path().to_lowercase());
        let due: Vec<_> = {
            let mut waiting = self.waiting.lock().expect("no deed panics");
            for moment in waiting.iter_mut() {
                moment.left -= u32::from(moment.method == method && path.ends_with(&moment.path));
            }
            waiting.extract_if(.., |moment| moment.left == 0).collect()
        };
        for moment in due {
            (moment.deed)(&self.arm);
        }
        self.inner.execute_request(request).await
    }
}
