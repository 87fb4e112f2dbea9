//! What telemetry told, in so few words that a status can carry it: counts, times, a few samples without secrets.

mod redact;

use jiff::{SignedDuration, Timestamp};

use super::{
    PrincipalId, Reading, Scope,
    work::{Sources, Span},
};

pub use redact::redacted;

/// Where a part of the evidence comes from. One query each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Calls to other services that failed, by target.
    DependencyFailures,
    /// What the app and its libraries say of tokens and refusals.
    CredentialTraces,
    /// Invocations, by function.
    Invocations,
    /// What the host says of its start and its listeners.
    HostTraces,
    /// Calls and failures per five minutes.
    FailureSeries,
    /// Whether calls are still refused.
    Recovery,
    /// Whom the called resources refused, by their own logs.
    RefusedPrincipals,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::DependencyFailures,
        Self::CredentialTraces,
        Self::Invocations,
        Self::HostTraces,
        Self::FailureSeries,
        Self::Recovery,
        Self::RefusedPrincipals,
    ];

    /// Its name, as the query has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::DependencyFailures => "dependency-failures",
            Self::CredentialTraces => "credential-traces",
            Self::Invocations => "invocations",
            Self::HostTraces => "host-traces",
            Self::FailureSeries => "failure-series",
            Self::Recovery => "recovery",
            Self::RefusedPrincipals => "refused-principals",
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The most groups that a summary tells.
pub const MOST_GROUPS: usize = 5;
/// The most samples.
pub const MOST_SAMPLES: usize = 3;
/// The most signals of one source.
pub const MOST_SIGNALS: usize = 12;
/// The most steps of a series: three hours.
pub const MOST_STEPS: usize = 36;
/// The most sources of triggers that are asked about.
pub const MOST_SOURCES: usize = 5;
/// The most refused principals.
pub const MOST_REFUSED: usize = 10;
/// The most bytes of a name.
pub const LONGEST_NAME: usize = 120;
/// The most bytes of a sample.
pub const LONGEST_SAMPLE: usize = 300;

/// What telemetry told of an app.
///
/// A source that answered without a row is [`Reading::Absent`]: that proves nothing unless [`Recovery::newest`] shows that
/// telemetry arrives.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The workspace that was asked.
    pub workspace: Scope,
    /// The role name by which the app is found in it.
    pub role_name: String,
    /// How far was looked back.
    pub window: SignedDuration,
    /// Calls to other services that failed, by target.
    pub dependencies: Reading<Summary>,
    /// What is said of tokens and refusals, by kind of log.
    pub credentials: Reading<Summary>,
    /// Invocations, by function.
    pub invocations: Reading<Summary>,
    /// What the host says, by function.
    pub host: Reading<Summary>,
    /// Calls and failures, oldest first.
    pub series: Reading<Vec<FiveMinutes>>,
    /// Whether calls are still refused.
    pub recovery: Reading<Recovery>,
    /// Whom the called resources refused, most often first.
    pub refused: Reading<Vec<Refused>>,
    /// What the sources of triggers had; none where nobody asked, because functions are invoked or that is not known.
    pub sources: Option<Sources>,
}

/// Whether telemetry shows no invocation in that time or since. What could not be read shows nothing, and what was invoked
/// after the newest telemetry may be on its way.
#[must_use]
pub fn shows_no_invocation(recovery: &Reading<Recovery>, invocations: &Reading<Summary>, span: Span) -> bool {
    let is_up_to_date = recovery.present().is_some_and(|figures| figures.newest >= span.to);
    is_up_to_date
        && match invocations {
            Reading::Present { value, .. } => value.last < span.from,
            Reading::Absent { .. } => true,
            Reading::Unreadable(_) => false,
        }
}

/// The rows of one source, summed up.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    /// Calls, invocations or messages, all groups together.
    pub count: u64,
    /// The first of them.
    pub first: Timestamp,
    /// The last.
    pub last: Timestamp,
    /// The largest groups.
    pub top: Vec<Group>,
    /// How many groups there are besides.
    pub more: usize,
    /// What it says, most often first.
    pub signals: Vec<Signalled>,
    /// The first texts of the largest groups, without secrets.
    pub samples: Vec<String>,
}

/// What belongs together: a target and a result, a function, a kind of log.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Group {
    /// The target, the function or the kind.
    pub name: String,
    /// The result; empty where there is none.
    pub result: String,
    /// How many.
    pub count: u64,
    /// How many of them failed.
    pub failed: u64,
}

/// A signal that was seen, by its name in the catalog.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Signalled {
    /// Which.
    pub signal: String,
    /// How often.
    pub count: u64,
    /// Where most often: a target, a function; empty where that is not known.
    pub at: String,
    /// The last time.
    pub last: Timestamp,
}

/// Five minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FiveMinutes {
    /// Their beginning.
    pub begin: Timestamp,
    /// Calls and invocations.
    pub calls: u64,
    /// Calls that were refused.
    pub auth_failures: u64,
    /// Calls without an answer.
    pub network_failures: u64,
}

/// Whether calls are still refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Recovery {
    /// Calls and invocations that succeeded in the last fifteen minutes of which telemetry can have arrived.
    pub calls: u64,
    /// Refused calls, refused tokens and listeners that do not start since then, up to now.
    pub auth_failures: u64,
    /// Calls without an answer since then.
    pub network_failures: u64,
    /// The newest telemetry of the app in the window.
    pub newest: Timestamp,
}

/// A principal that a resource refused, by the resource's own log.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Refused {
    /// The resource.
    pub resource: Scope,
    /// Whom.
    pub principal: PrincipalId,
    /// How often.
    pub count: u64,
    /// The last time.
    pub last: Timestamp,
    /// What it said, without secrets.
    pub said: String,
}
