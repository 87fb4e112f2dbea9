//! A run: both simulators, the operator, and questions about what was sent.

use std::{sync::Arc, time::Duration};

use azure_core::http::{HttpClient, Transport};
use futures::FutureExt;
use jiff::Timestamp;
use rolecall::{
    azure::{Azure, AzureConfig, Limits, StaticToken},
    catalog::clouds::CLOUDS,
    cli::crd::definitions,
    clock::Clock,
    controller::{self, Candidate, Health, LeaseLost, Operator},
    metrics::Metrics,
    observe::Surveys,
    pipeline::{Pipeline, Settings},
    sandbox::{
        arm::{ArmRequest, ArmSim, World},
        kube::{KubeRequest, KubeSim},
    },
};
use serde_json::{Value, json};
use tokio::{sync::oneshot, task::JoinHandle};

pub const NAMESPACE: &str = "payments";
pub const POLICY: &str = "FunctionIdentityPolicy";
/// The lease that operators run for.
pub const LEASE: &str = "rolecall";
/// A quiet time after which everything has settled, shorter than any interval.
pub const SETTLED: Duration = Duration::from_secs(60);

/// Everything that takes part.
pub struct Run {
    pub kube: KubeSim,
    pub arm: ArmSim,
    pub health: Health,
    /// How it is run otherwise.
    pub settings: Settings,
    /// The installation that the operator is started as.
    pub installation: &'static str,
    pub metrics: Metrics,
    clock: Clock,
    token: String,
    operator: Option<Running>,
}

/// An operator that runs.
pub struct Running {
    pub task: JoinHandle<Result<(), LeaseLost>>,
    pub stop: oneshot::Sender<()>,
}

impl Run {
    /// Both simulators with the example's boundary, and no operator yet.
    pub fn new() -> Self {
        let run = Self::without_crds();
        run.install_crds();
        run.kube.put(document(include_str!("../../../examples/orders/boundary.yaml")));
        run
    }

    pub fn without_crds() -> Self {
        let world = World::from_yaml(include_str!("../../../examples/orders/world.yaml")).expect("the example");
        let clock = Clock::starting_at(world.clock.expect("the example has a clock"));
        let token = world.token();
        Self {
            settings: Settings::default(),
            installation: "cluster-one",
            token,
            kube: KubeSim::new(clock, Vec::new()),
            arm: ArmSim::new(world, clock),
            health: Health::default(),
            metrics: Metrics::default(),
            clock,
            operator: None,
        }
    }

    pub fn install_crds(&self) {
        for (_, text) in definitions().expect("the definitions can be printed") {
            self.kube.install_crd(&document(&text));
        }
    }

    /// Starts the operator, with a lease so long that days of simulated time cost few renewals.
    pub fn start(&mut self) {
        let candidate = candidate("rolecall-0", Duration::from_secs(10 * 60));
        let azure = self.arm.transport();
        self.operator = Some(self.start_as(candidate, self.kube.client(), azure, self.health.clone()));
    }

    /// Starts an operator with ways of its own to the cluster and to Azure.
    pub fn start_as(
        &self,
        candidate: Candidate,
        client: kube::Client,
        azure: Arc<dyn HttpClient>,
        health: Health,
    ) -> Running {
        let config = AzureConfig {
            cloud: CLOUDS[0],
            arm_endpoint: None,
            logs_endpoint: None,
            credential: Arc::new(StaticToken::new(self.token.clone())),
            transport: Some(Transport::new(azure)),
            limits: Limits::default(),
        };
        let azure = Azure::counted(config, self.metrics.clone()).expect("a usable configuration");
        let settings = Settings { installation: Some(self.installation.to_owned()), ..self.settings.clone() };
        let operator = Operator {
            client,
            pipeline: Pipeline::new(azure, Surveys::new(self.clock, Duration::from_secs(60)), self.clock)
                .with(settings),
            clock: self.clock,
            concurrency: 8,
            health,
            instance: candidate.identity.clone(),
            candidate,
        };
        let (stop, stopped) = oneshot::channel();
        Running { task: tokio::spawn(controller::run(operator, stopped.map(drop).boxed())), stop }
    }

    /// Asks the operator to end; answers when it has.
    pub async fn shut_down(&mut self) {
        let Running { task, stop } = self.operator.take().expect("started");
        stop.send(()).expect("it runs");
        task.await.expect("no panic").expect("it led to its end");
    }

    /// Another cluster with an operator of its own over the same Azure.
    pub fn beside(&self, installation: &'static str) -> Self {
        let run = Self {
            kube: KubeSim::new(self.clock, Vec::new()),
            arm: self.arm.clone(),
            health: Health::default(),
            metrics: Metrics::default(),
            settings: self.settings.clone(),
            installation,
            clock: self.clock,
            token: self.token.clone(),
            operator: None,
        };
        run.install_crds();
        run
    }

    /// The operator is gone in the middle of whatever it was doing.
    pub fn crash(&mut self) {
        self.operator.take().expect("started").task.abort();
    }

    /// Lets simulated time pass.
    pub async fn wait(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The policy as stored.
    pub fn policy(&self, name: &str) -> Value {
        self.kube.get(POLICY, Some(NAMESPACE), name).expect("stored")
    }

    /// The reason of `Ready`; empty before the first look.
    pub fn reason(&self, name: &str) -> String {
        let policy = self.policy(name);
        let conditions = policy["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let ready = conditions.iter().find(|condition| condition["type"] == "Ready").cloned().unwrap_or_default();
        ready["reason"].as_str().unwrap_or_default().to_owned()
    }

    /// Requests to Kubernetes that write about policies.
    pub fn kube_writes(&self) -> Vec<KubeRequest> {
        let is_write = |request: &KubeRequest| request.mutating && !request.path.contains("/leases");
        self.kube.journal().into_iter().filter(is_write).collect()
    }

    pub fn status_writes(&self) -> Vec<KubeRequest> {
        self.kube_writes().into_iter().filter(|request| request.subresource.is_some()).collect()
    }

    /// The reasons of all events, in order.
    pub fn events(&self) -> Vec<String> {
        let posted = self.kube_writes().into_iter().filter(|request| request.method == "POST");
        posted.filter_map(|request| Some(request.body?["reason"].as_str()?.to_owned())).collect()
    }

    /// Requests to Azure that write.
    pub fn azure_writes(&self) -> Vec<ArmRequest> {
        self.arm.journal().into_iter().filter(|request| request.mutating).collect()
    }

    /// When the apps were listed, which every survey begins with.
    pub fn surveys(&self) -> Vec<Timestamp> {
        let journal = self.arm.journal().into_iter();
        journal.filter(|request| request.path.ends_with("/Microsoft.Web/sites")).map(|request| request.time).collect()
    }

    /// Asks for a pass, as `flux reconcile` does.
    pub fn request(&self, name: &str, token: &str) {
        self.kube.put(json!({
            "apiVersion": "rolecall.dev/v1alpha1", "kind": POLICY, "spec": self.policy(name)["spec"],
            "metadata": {
                "name": name, "namespace": NAMESPACE, "annotations": { "reconcile.fluxcd.io/requestedAt": token },
            },
        }));
    }
}

/// Who runs for the lease of the tests.
pub fn candidate(name: &str, duration: Duration) -> Candidate {
    Candidate { namespace: "default".to_owned(), lease: LEASE.to_owned(), duration, identity: name.to_owned() }
}

/// The example's policy in some mode.
pub fn orders(mode: &str) -> Value {
    let mut policy = document(include_str!("../../../examples/orders/policy.yaml"));
    policy["spec"]["mode"] = json!(mode);
    policy
}

pub fn document(yaml: &str) -> Value {
    serde_saphyr::from_str(yaml).expect("YAML")
}
