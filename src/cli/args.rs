//! Every flag, once.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{api::Mode, azure::TokenSource, controller::LEASE_DURATION};

/// The longest lease that may be asked for.
const LONGEST_LEASE: std::time::Duration = std::time::Duration::from_secs(10 * 60);

/// Keeps the managed identities and role assignments of Azure Functions as Git declares them.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) verb: Verb,
}

#[derive(Subcommand)]
pub(super) enum Verb {
    /// Run the controller in a cluster, or beside one by kubeconfig.
    Run(RunArguments),
    /// Compare policies with live Azure. Never writes.
    ///
    /// Exit codes: 0 compliant, 1 error, 2 drift, 3 undetermined.
    Check(CheckArguments),
    /// Like `check`, and print the changes that would be made and those that are held. Never writes.
    ///
    /// Exit codes: as for `check`.
    Plan(PlanArguments),
    /// Explain what is wrong with an app: the chain from identity to access, six hypotheses with the evidence for and against
    /// each, and what to do next. Never writes.
    ///
    /// Exit codes: as for `check`.
    Explain(ExplainArguments),
    /// Print what each binding needs of the app's identity, with the source of each statement.
    Catalog(CatalogArguments),
    /// Print the custom resource definitions.
    Crd,
    /// Take Rolecall's finalizer off policies, so that they can be deleted when no operator runs. Revokes nothing.
    ReleaseFinalizers(ReleaseArguments),
    /// Play the controller through incidents in simulated Azure and Kubernetes.
    #[cfg(feature = "sandbox")]
    Demo(DemoArguments),
    /// Serve a simulated Azure Resource Manager on this machine, and what clients need to log in to it.
    #[cfg(feature = "sandbox")]
    Sandbox(SandboxArguments),
}

/// How to reach Azure.
#[derive(Args)]
#[command(next_help_heading = "Azure")]
pub(super) struct AzureArguments {
    /// The cloud.
    #[arg(long, value_enum, default_value = "AzureCloud", env = "ROLECALL_CLOUD")]
    pub(super) cloud: CloudName,
    /// Another Resource Manager endpoint, such as a simulator's. Plain HTTP only to this machine.
    #[arg(long, value_name = "URL", env = "ROLECALL_ARM_ENDPOINT")]
    pub(super) arm_endpoint: Option<String>,
    /// Another endpoint for queries of logs. Without it, the one of Resource Manager if that is another, or the cloud's.
    #[arg(long, value_name = "URL", env = "ROLECALL_LOGS_ENDPOINT")]
    pub(super) logs_endpoint: Option<String>,
    /// Another authority for tokens. Without it, that of `AZURE_AUTHORITY_HOST`, or the cloud's.
    #[arg(long, value_name = "URL", env = "ROLECALL_AUTHORITY_HOST")]
    pub(super) authority_host: Option<String>,
    /// Where tokens come from.
    #[arg(long, value_enum, default_value = "auto", env = "ROLECALL_TOKEN_SOURCE")]
    pub(super) token_source: TokenSource,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum CloudName {
    #[value(name = "AzureCloud")]
    Public,
    #[value(name = "AzureUSGovernment")]
    UsGovernment,
    #[value(name = "AzureChinaCloud")]
    China,
}

#[derive(Args)]
pub(super) struct RunArguments {
    /// Where `/healthz` and `/readyz` answer.
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8081", env = "ROLECALL_HEALTH_LISTEN")]
    pub(super) health_listen: std::net::SocketAddr,
    /// Where `/metrics` answers. Not where the probes do, so that it can be closed to others without closing those.
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8080", env = "ROLECALL_METRICS_LISTEN")]
    pub(super) metrics_listen: std::net::SocketAddr,
    /// How many policies are looked at at once.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(super) concurrency: u16,
    /// How old the shared lists of a subscription may be when a pass uses them.
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = duration)]
    pub(super) max_survey_age: std::time::Duration,
    /// Whose role assignments count as made by this operator. Without it, the uid of the namespace `kube-system`, which
    /// stands for the cluster.
    #[arg(long, value_name = "ID", env = "ROLECALL_INSTALLATION_ID", value_parser = installation)]
    pub(super) installation_id: Option<String>,
    /// The furthest that any policy may go, whatever it and its boundary say.
    #[arg(long, value_enum, value_name = "MODE", default_value = "Enforce", ignore_case = true)]
    pub(super) max_mode: ModeName,
    /// How many writes may be sent to Azure within an hour, over all policies. To switch a vault, or to put an identity
    /// back, takes two: with 1 neither is done.
    #[arg(long, value_name = "N")]
    pub(super) max_writes_per_hour: Option<u32>,
    /// The share of the policies of a subscription that may drift at once before nothing more is written there.
    #[arg(long, value_name = "SHARE", default_value = "0.5", value_parser = share)]
    pub(super) max_drift_share: f64,
    /// The share of its entries that a list of a subscription may lose between two looks before nothing more is written
    /// there.
    #[arg(long, value_name = "SHARE", default_value = "0.5", value_parser = share)]
    pub(super) max_list_shrink: f64,
    /// The lease that decides which of several operators acts.
    #[arg(long, value_name = "NAME", default_value = "rolecall", env = "ROLECALL_LEASE_NAME")]
    pub(super) lease_name: String,
    /// The namespace of the lease. Without it, the pod's own, or that of the kubeconfig's context.
    #[arg(long, value_name = "NAMESPACE", env = "ROLECALL_LEASE_NAMESPACE")]
    pub(super) lease_namespace: Option<String>,
    /// How long the operator relies on the lease after a renewal: how long an outage of the API server it survives, and
    /// how long another one waits when it dies. 15s to 10m.
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = lease_duration)]
    pub(super) lease_duration: std::time::Duration,
    /// How to log.
    #[arg(long, value_enum, default_value = "human", env = "ROLECALL_LOG_FORMAT")]
    pub(super) log: LogFormat,
    // Last: its heading would count for all that follows.
    #[command(flatten)]
    pub(super) azure: AzureArguments,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// One line for people.
    Human,
    /// One JSON object a line.
    Json,
}

/// Which policies.
#[derive(Args)]
pub(super) struct SubjectArguments {
    /// Policies and boundaries in YAML or JSON, as often as there are files; `-` is stdin. Without it, policies come from
    /// the cluster.
    #[arg(short, long, value_name = "FILE")]
    pub(super) file: Vec<PathBuf>,
    /// A file of boundaries to hold the policies to. Without any, the cluster's count, or for policies from files the
    /// caller's own Azure rights.
    #[arg(long, value_name = "FILE")]
    pub(super) boundary: Vec<PathBuf>,
    /// Only the policy of this name, of those in the namespace or in the files. Without it, all of them.
    #[arg(value_name = "NAME")]
    pub(super) name: Option<String>,
    /// The namespace in the cluster; for policies from files, that of those which name none.
    #[arg(short, long, value_name = "NAMESPACE")]
    pub(super) namespace: Option<String>,
    /// All namespaces of the cluster.
    #[arg(short = 'A', long, conflicts_with_all = ["file", "namespace", "name"])]
    pub(super) all_namespaces: bool,
}

#[derive(Args)]
pub(super) struct CheckArguments {
    #[command(flatten)]
    pub(super) subjects: SubjectArguments,
    /// How to print.
    #[arg(short, long, value_enum, default_value = "text")]
    pub(super) output: Output,
    /// Count grants that may not act yet as compliant.
    #[arg(long)]
    pub(super) allow_propagating: bool,
    /// Count findings that are advice only (extra, broad or ending grants) as drift.
    #[arg(long)]
    pub(super) strict: bool,
    // Last: its heading would count for all that follows.
    #[command(flatten)]
    pub(super) azure: AzureArguments,
}

#[derive(Args)]
pub(super) struct PlanArguments {
    /// Plan as if the policies had this mode. Shows what `Enforce` would send before it is switched on.
    #[arg(long, value_enum, value_name = "MODE", ignore_case = true)]
    pub(super) mode: Option<ModeName>,
    #[command(flatten)]
    pub(super) check: CheckArguments,
}

#[derive(Args)]
pub(super) struct ExplainArguments {
    #[command(flatten)]
    pub(super) subjects: SubjectArguments,
    /// Only the policy about the app of this ARM id, or of this name.
    #[arg(long, value_name = "APP")]
    pub(super) target: Option<String>,
    /// How to print.
    #[arg(short, long, value_enum, default_value = "text")]
    pub(super) output: Output,
    // Last: its heading would count for all that follows.
    #[command(flatten)]
    pub(super) azure: AzureArguments,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum ModeName {
    #[value(name = "Report")]
    Report,
    #[value(name = "DryRun", alias = "dry-run")]
    DryRun,
    #[value(name = "Enforce")]
    Enforce,
}

impl From<ModeName> for Mode {
    fn from(name: ModeName) -> Self {
        match name {
            ModeName::Report => Self::Report,
            ModeName::DryRun => Self::DryRun,
            ModeName::Enforce => Self::Enforce,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// For people.
    Text,
    /// For programs.
    Json,
}

#[derive(Args)]
pub(super) struct CatalogArguments {
    /// Only rows whose title, type, resource type, declaration or connection settings contain this, such as `serviceBus`,
    /// and roles whose name does.
    #[arg(value_name = "NAME")]
    pub(super) name: Option<String>,
    /// How to print.
    #[arg(short, long, value_enum, default_value = "text")]
    pub(super) output: CatalogOutput,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum CatalogOutput {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// The page `docs/catalog.md`, with the tables of roles, permissions, clouds and clocks.
    Markdown,
}

#[derive(Args)]
pub(super) struct ReleaseArguments {
    /// The namespace.
    #[arg(short, long, value_name = "NAMESPACE", conflicts_with = "all_namespaces")]
    pub(super) namespace: Option<String>,
    /// All namespaces of the cluster.
    #[arg(short = 'A', long)]
    pub(super) all_namespaces: bool,
    /// Only print which policies have the finalizer.
    #[arg(long)]
    pub(super) dry_run: bool,
}

#[cfg(feature = "sandbox")]
#[derive(Args)]
pub(super) struct DemoArguments {
    /// Only the scenarios whose name contains this; a name that none has lists them.
    #[arg(value_name = "NAME")]
    pub(super) name: Option<String>,
    /// How to print.
    #[arg(short, long, value_enum, default_value = "text")]
    pub(super) output: Output,
}

#[cfg(feature = "sandbox")]
#[derive(Args)]
pub(super) struct SandboxArguments {
    /// The world to simulate.
    #[arg(long, value_name = "FILE")]
    pub(super) world: PathBuf,
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4480")]
    pub(super) listen: std::net::SocketAddr,
    /// Serve HTTPS, with a certificate for `localhost`, `127.0.0.1` and `::1` that is made at each start.
    #[arg(long)]
    pub(super) tls: bool,
    /// Write the certificate of the authority that clients have to trust, in PEM.
    #[arg(long, value_name = "FILE", requires = "tls")]
    pub(super) ca_out: Option<PathBuf>,
    /// Write a token of the world's caller, for `--token-source static`. Nobody signed it.
    #[arg(long, value_name = "FILE")]
    pub(super) token_out: Option<PathBuf>,
}

/// It stands in descriptions in Azure, in parentheses.
fn installation(text: &str) -> Result<String, String> {
    let fits = (1..=64).contains(&text.len());
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    if fits && plain { Ok(text.to_owned()) } else { Err("1 to 64 letters, digits, `.`, `_` and `-`".to_owned()) }
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err("a share is between 0 and 1".to_owned()) }
}

/// A lease counts in whole seconds.
fn lease_duration(text: &str) -> Result<std::time::Duration, String> {
    let seconds = duration(text)?.as_secs();
    let shortest = LEASE_DURATION.as_secs();
    if seconds < shortest {
        return Err(format!("the minimum is {shortest}s: a shorter lease leaves no time for a write"));
    }
    if seconds > LONGEST_LEASE.as_secs() {
        return Err(format!("the maximum is {}s: nobody acts for as long after a crash", LONGEST_LEASE.as_secs()));
    }
    Ok(std::time::Duration::from_secs(seconds))
}

fn duration(text: &str) -> Result<std::time::Duration, String> {
    let parsed: jiff::SignedDuration = text.parse().map_err(|error| format!("not a duration such as `1m`: {error}"))?;
    std::time::Duration::try_from(parsed).map_err(|_| "must not be negative".to_owned())
}
