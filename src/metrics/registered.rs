//! Every metric with its name, labels and help, registered in one function.

use std::sync::Mutex;

use prometheus_client::{metrics::histogram::Histogram, registry::Registry};

use super::{
    Tally,
    listing::{Counters, Entry, Gauges, Histograms, Listed, Listing},
};

type Taker = Box<dyn Fn() -> Option<Tally> + Send + Sync>;

/// The registry, and a way to each metric in it.
pub(super) struct Registered {
    pub(super) registry: Registry,
    pub(super) listed: Vec<Listed>,
    /// Asked at each scrape. Held while the answer is written down, so that two scrapes at once do not mix theirs.
    pub(super) tally: Mutex<Option<Taker>>,
    pub(super) policies: Gauges<2>,
    pub(super) findings: Gauges<1>,
    pub(super) held_changes: Gauges<1>,
    pub(super) oldest_observation: Gauges<0>,
    pub(super) changes: Counters<2>,
    pub(super) arm_requests: Counters<2>,
    pub(super) arm_request_duration: Histograms<1>,
    pub(super) arm_throttled: Counters<1>,
    pub(super) arm_retries: Counters<1>,
    pub(super) breakers_open: Gauges<0>,
    pub(super) reconcile_duration: Histograms<1>,
    pub(super) status_writes: Counters<1>,
    pub(super) watch_errors: Counters<1>,
    pub(super) leader: Gauges<0>,
    pub(super) process_start_time: Gauges<0>,
    pub(super) process_resident_memory: Gauges<0>,
}

impl Default for Registered {
    #[expect(clippy::too_many_lines, reason = "a list, to be read as one")]
    fn default() -> Self {
        let mut list = Listing::default();
        let policies = list.gauge(Entry {
            name: "rolecall_policies",
            labels: ["ready", "reason"],
            help: "Policies by the status and the reason of their condition Ready",
        });
        let findings = list.gauge(Entry {
            name: "rolecall_findings",
            labels: ["code"],
            help: "Findings in the status of all policies by code",
        });
        let held_changes = list.gauge(Entry {
            name: "rolecall_held_changes",
            labels: ["reason"],
            help: "Changes in the status of all policies that are held, by reason",
        });
        let oldest_observation = list.gauge(Entry {
            name: "rolecall_oldest_observation_age_seconds",
            labels: [],
            help: "Time since Azure was last read well enough to judge a policy, of the policy for which it is longest",
        });
        let changes = list.counter(Entry {
            name: "rolecall_changes_total",
            labels: ["change", "outcome"],
            help: "Changes to Azure that were tried, by kind and by what came of them",
        });
        let arm_requests = list.counter(Entry {
            name: "rolecall_arm_requests_total",
            labels: ["operation", "code"],
            help: "Requests sent to Azure Resource Manager, each try counted; code is none when no answer came",
        });
        let arm_request_duration = list.histogram(
            Entry {
                name: "rolecall_arm_request_duration_seconds",
                labels: ["operation"],
                help: "Time from sending a request to Azure Resource Manager to the beginning of its answer",
            },
            || Histogram::new([0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0]),
        );
        let arm_throttled = list.counter(Entry {
            name: "rolecall_arm_throttled_total",
            labels: ["operation"],
            help: "Answers of Azure Resource Manager that ask for patience: 429 or 503 with Retry-After",
        });
        let arm_retries = list.counter(Entry {
            name: "rolecall_arm_retries_total",
            labels: ["operation"],
            help: "Reads of Azure Resource Manager that were sent again within one call",
        });
        let breakers_open = list.gauge(Entry {
            name: "rolecall_breakers_open",
            labels: [],
            help: "Subscriptions to which nothing is written at the moment because their breaker is open",
        });
        let reconcile_duration = list.histogram(
            Entry {
                name: "rolecall_reconcile_duration_seconds",
                labels: ["result"],
                help: "Time that a pass over one policy took, with the reads it waited for",
            },
            || Histogram::new([0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0]),
        );
        let status_writes = list.counter(Entry {
            name: "rolecall_status_writes_total",
            labels: ["outcome"],
            help: "Writes of a status to the API server by what came of them",
        });
        let watch_errors = list.counter(Entry {
            name: "rolecall_watch_errors_total",
            labels: ["resource"],
            help: "Watches of the API server that ended with an error",
        });
        let leader = list.gauge(Entry {
            name: "rolecall_leader",
            labels: [],
            help: "Whether this process is the one that passes policies: 1 or 0",
        });
        list.info(
            Entry { name: "rolecall_build_info", labels: ["version"], help: "The version of this build" },
            [env!("CARGO_PKG_VERSION")],
        );
        let process_start_time = list.gauge(Entry {
            name: "process_start_time_seconds",
            labels: [],
            help: "When this process began, since the Unix epoch",
        });
        let process_resident_memory = list.gauge(Entry {
            name: "process_resident_memory_bytes",
            labels: [],
            help: "Resident memory of this process; 0 where the system does not tell",
        });
        let Listing { registry, listed } = list;
        Self {
            registry,
            listed,
            tally: Mutex::default(),
            policies,
            findings,
            held_changes,
            oldest_observation,
            changes,
            arm_requests,
            arm_request_duration,
            arm_throttled,
            arm_retries,
            breakers_open,
            reconcile_duration,
            status_writes,
            watch_errors,
            leader,
            process_start_time,
            process_resident_memory,
        }
    }
}
