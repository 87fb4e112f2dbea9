//! The token appears nowhere but in the request: not in a log at any level, not in a failure, not in a report.

use std::{
    io::Write,
    sync::{Arc, Mutex, OnceLock},
};

use rolecall::{
    azure::Limits,
    report::{self, ExitCode},
};
use serde_json::json;
use tracing::{Dispatch, Level};
use tracing_subscriber::{fmt::MakeWriter, util::SubscriberInitExt};

use super::{
    bench::{Bench, SUBSCRIPTION, TOKEN, assert_no_token, fault, planned_grant, planned_identity, uploads, world},
    passes,
};

/// Everything that is logged on this thread, at every level and by everybody, the crates that use `log` included.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub fn capture() -> (Self, tracing::subscriber::DefaultGuard) {
        // With a single subscriber, tracing asks only the thread that comes first to a line whether the line is of
        // interest, and that may be another test's. A second one makes it ask all subscribers.
        static SECOND: OnceLock<Dispatch> = OnceLock::new();
        SECOND.get_or_init(|| {
            let deaf = tracing_subscriber::fmt().with_max_level(Level::TRACE).with_writer(std::io::sink);
            Dispatch::new(deaf.finish())
        });
        let log = Self::default();
        let subscriber =
            tracing_subscriber::fmt().with_max_level(Level::TRACE).with_ansi(false).with_writer(log.clone());
        (log, subscriber.finish().set_default())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("no test panics while it holds this lock")).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no test panics while it holds this lock").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test(start_paused = true)]
async fn the_token_is_not_logged_by_a_pass_that_reads_writes_and_fails() {
    let (log, guard) = Log::capture();
    let mut shown = Vec::new();
    for answer in [json!({"status": 200, "body": {}}), json!("reset"), json!({"status": 401, "code": "Expired"})] {
        let bench = Bench::new(world(), Limits::default());
        let wrote = passes::enforce(&bench).await;
        bench.sim.add_fault(fault(&json!({"times": 1000, "answer": answer})));
        let failed = passes::enforce(&bench).await;
        assert_eq!((wrote.exit_code(), failed.exit_code()), (ExitCode::Drift, ExitCode::Undetermined), "{answer}");
        for report in [wrote, failed] {
            shown.extend([
                format!("{report:?}"),
                report::text(&report, report.exit_code(), true),
                report::json(&report).to_string(),
            ]);
        }
        let (name, grant) = planned_grant();
        if let Err(failure) = bench.azure.create_grant(&uploads(), &name, &grant).await {
            assert_no_token(&failure);
        }
        bench
            .azure
            .grants_of_subscription(SUBSCRIPTION)
            .await
            .map_err(|failure| assert_no_token(&failure))
            .unwrap_err();
        bench.azure.write(&planned_identity()).await.map_err(|failure| assert_no_token(&failure)).ok();
        assert!(bench.hosts().iter().all(|(_, token)| *token), "the token was sent, and so could have been logged");
    }
    drop(guard);
    let logged = log.text();
    // All of them were heard: ours, the crate of the day, and the older one, which prints the header it is given.
    for heard in ["rolecall::azure", "typespec_client_core", "azure_core::policies::transport", "Bearer placeholder"] {
        assert!(logged.contains(heard), "nothing was captured of `{heard}`");
    }
    assert!(!logged.contains(TOKEN), "{}", around(&logged));
    let shown = shown.join("\n");
    assert!(!shown.contains(TOKEN), "{}", around(&shown));
}

/// The place of the token, for a message that can be read.
pub(super) fn around(text: &str) -> String {
    text.lines().filter(|line| line.contains(TOKEN)).take(3).collect::<Vec<_>>().join("\n")
}
