//! The same over a real socket: reqwest, connections, chunks. Real time, and so short limits.

use std::{sync::Arc, time::Duration};

use rolecall::{
    azure::{Azure, AzureConfig, Limits, StaticToken},
    catalog::clouds::CLOUDS,
    clock::Clock,
    model::FailureClass::{Bug, Denied, Throttled, Transient},
    sandbox::arm::{ArmSim, World},
};
use serde_json::json;
use tokio::{net::TcpListener, task::JoinHandle};

use super::{
    bench::{
        SUBSCRIPTION, TOKEN, app, assert_no_token, fault, mutating, planned_grant, planned_identity, uploads, world,
    },
    secrets::{Log, around},
};

const LIMITS: Limits = Limits {
    total_timeout: Duration::from_secs(20),
    write_timeout: Duration::from_secs(9),
    read_retries: 1,
    longest_wait: Duration::from_secs(1),
    max_body: 1024 * 1024,
    max_pages: 9,
};

/// A simulator behind a socket of this machine, and a client that knows nothing of it but the address.
struct Served {
    sim: ArmSim,
    azure: Azure,
    server: JoinHandle<std::io::Result<()>>,
}

impl Served {
    async fn new(world: World, limits: Limits) -> Self {
        let clock = Clock::starting_at(world.clock.expect("the example's world has a clock"));
        let sim = ArmSim::new(world, clock);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let config = AzureConfig {
            cloud: CLOUDS[0],
            arm_endpoint: Some(format!("http://{address}")),
            logs_endpoint: None,
            credential: Arc::new(StaticToken::new(TOKEN)),
            transport: None,
            limits,
        };
        let azure = Azure::new(config).expect("this machine may be spoken to without TLS");
        let server = tokio::spawn(sim.clone().serve(listener));
        Self { sim, azure, server }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[tokio::test]
async fn faults_of_reads_have_the_same_class_and_tries_as_in_process() {
    let told = json!({"status": 429, "code": "TooManyRequests", "headers": {"retry-after": "1"}});
    let cases = [
        (json!({"status": 403, "code": "AuthorizationFailed"}), Denied, "AuthorizationFailed", 1),
        (told, Throttled, "TooManyRequests", 2),
        (json!({"status": 503, "code": "ServerTimeout"}), Transient, "ServerTimeout", 2),
        (json!({"status": 302, "headers": {"location": "https://login.example.net/"}}), Bug, "Http302", 1),
        (json!("reset"), Transient, "TransportError", 2),
        (json!("html"), Bug, "UndecodableAnswer", 1),
        (json!("half-json"), Bug, "UndecodableAnswer", 1),
        (json!("endless"), Bug, "AnswerTooLong", 1),
        (json!("foreign-next-link"), Bug, "ForeignLink", 1),
        (json!("empty-page"), Bug, "EndlessList", 9),
    ];
    for (answer, class, code, tries) in cases {
        let served = Served::new(world(), LIMITS).await;
        served.sim.add_fault(fault(&json!({"times": 1000, "answer": answer})));
        let failure = served.azure.vaults(SUBSCRIPTION).await.expect_err("the fault stays");
        assert_eq!((failure.class, failure.code.as_str()), (class, code), "{answer}: {failure}");
        assert_eq!(served.sim.journal().len(), tries, "{answer}");
        assert_no_token(&failure);
    }
}

#[tokio::test]
async fn a_connection_that_breaks_off_repeats_no_write() {
    for answer in ["reset", "answer-lost"] {
        let served = Served::new(world(), LIMITS).await;
        // A connection of the pool is there to be reused, and so to be found closed.
        served.azure.vaults(SUBSCRIPTION).await.expect("no fault yet");
        served.sim.add_fault(fault(&json!({"times": 1000, "answer": answer})));
        let (name, request) = planned_grant();
        let failures = [
            served.azure.write(&planned_identity()).await.expect_err("no answer"),
            served.azure.create_grant(&uploads(), &name, &request).await.expect_err("no answer"),
        ];
        for failure in failures {
            assert_eq!((failure.class, failure.code.as_str()), (Transient, "TransportError"), "{answer}: {failure}");
        }
        let sent = [format!("PATCH {}", app()), format!("PUT {}", request.path)];
        assert_eq!(mutating(&served.sim.journal()), sent, "{answer}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_left_in_time() {
    let limits = Limits { total_timeout: Duration::from_millis(300), ..LIMITS };
    let served = Served::new(world(), limits).await;
    served.sim.add_fault(fault(&json!({"times": 1000, "answer": "hang"})));
    let failure = served.azure.grants_of_subscription(SUBSCRIPTION).await.expect_err("no answer");
    assert_eq!((failure.class, failure.code.as_str()), (Transient, "Timeout"));
    assert_eq!(served.sim.journal().len(), 1);
}

#[tokio::test]
async fn every_page_arrives_over_the_socket() {
    let served = Served::new(World { page_size: 1, ..world() }, LIMITS).await;
    assert_eq!(served.azure.grants_of_subscription(SUBSCRIPTION).await.map(|grants| grants.len()), Ok(6));
    assert_eq!(served.sim.journal().len(), 6);
}

#[tokio::test]
async fn the_token_is_not_logged_by_the_http_client() {
    let (log, guard) = Log::capture();
    let served = Served::new(world(), LIMITS).await;
    served.azure.vaults(SUBSCRIPTION).await.expect("a list");
    served.azure.grants_of_subscription(SUBSCRIPTION).await.expect("a list");
    served.azure.write(&planned_identity()).await.expect("a change");
    served.sim.add_fault(fault(&json!({"times": 1000, "answer": "reset"})));
    served.azure.vaults(SUBSCRIPTION).await.expect_err("no answer");
    drop(guard);
    let logged = log.text();
    for heard in ["rolecall::azure", "reqwest", "hyper"] {
        assert!(logged.contains(heard), "nothing was captured of `{heard}`");
    }
    assert!(!logged.contains(TOKEN), "{}", around(&logged));
}
