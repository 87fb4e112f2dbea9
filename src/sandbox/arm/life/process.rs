//! One host: it starts its listeners, takes work, and is restarted.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::super::path;
use super::super::state::{State, derived};
use super::access::{FRONTS, Grants};
use super::backlog::Backlog;
use super::service::{Answer, Arrival, Kind, Service};
use super::spec::{Call, Function, Host};
use super::telemetry::{Exception, Pen, Row};
use super::token::Tokens;
use super::words;

/// How long a host takes to be up again.
const RESTART: SignedDuration = SignedDuration::from_secs(10);

/// Between which waits a listener tries again to start, each twice the last one (Azure/azure-webjobs-sdk,
/// `FunctionListener`).
const RETRY: (i64, i64) = (2, 120);

/// After how many seconds a library tries again where nobody answered: three times, about twice as long each time. What
/// is refused is not tried again (Azure.Core, `RetryOptions`).
const ATTEMPTS: [i64; 4] = [0, 1, 3, 7];

/// A host of a world.
pub(super) struct Process {
    host: Host,
    role: String,
    workspace: String,
    started: Timestamp,
    /// The app's identities, as this process found them; none before it has looked.
    identity: Option<Value>,
    tokens: Tokens,
    /// The vaults that have told this process where tokens for them are had.
    acquainted: BTreeSet<String>,
    loops: Vec<Loop>,
    /// What was sent to each function; none where nobody counts that.
    backlogs: Vec<Option<Backlog>>,
    calls: u64,
}

/// What one function is about to do.
struct Loop {
    next: Timestamp,
    stage: Stage,
}

#[derive(Clone, Copy)]
enum Stage {
    /// The listener starts, and has tried that often in vain.
    Starting { attempts: u32 },
    /// It runs. An open link needs no new look at the token until then.
    Running { link: Option<Timestamp> },
}

impl Process {
    pub(super) fn new(started: Timestamp, host: Host) -> Self {
        let role = host.role_name.clone().unwrap_or_else(|| path::last_segment(&host.app).to_owned());
        let starting = |_: &Function| Loop { next: started, stage: Stage::Starting { attempts: 0 } };
        Self {
            role,
            workspace: path::last_segment(&host.workspace).to_owned(),
            started,
            identity: None,
            tokens: Tokens::default(),
            acquainted: BTreeSet::new(),
            loops: host.functions.iter().map(starting).collect(),
            backlogs: host.functions.iter().map(|function| Backlog::of(function, started)).collect(),
            calls: 0,
            host,
        }
    }

    /// What was sent to its functions.
    pub(super) fn backlogs(&self) -> impl Iterator<Item = &Backlog> {
        self.backlogs.iter().flatten()
    }

    /// When something happens next.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.loops.iter().map(|it| it.next).min()
    }

    /// Restarts it when somebody did, or wrote the app's identities since it last looked: at that moment.
    pub(super) fn recycle_if_due(&mut self, state: &State, at: Timestamp, rows: &mut Vec<Row>) {
        let identity = state.document(&self.host.app).map(|app| app["identity"].clone()).unwrap_or_default();
        let was_written = self.identity.replace(identity.clone()).is_some_and(|before| before != identity);
        let was_restarted = state.hosts.since(&self.host.app).is_some_and(|since| since > self.started);
        if was_restarted || (was_written && !state.hosts.outlive_writes) {
            self.restart(state, at, rows);
        }
    }

    fn restart(&mut self, state: &State, at: Timestamp, rows: &mut Vec<Row>) {
        self.started = at;
        self.tokens.drop_held();
        self.acquainted.clear();
        for it in &mut self.loops {
            *it = Loop { next: at + RESTART, stage: Stage::Starting { attempts: 0 } };
        }
        self.pen(state, rows).says(at + RESTART, "", "Job host started", None);
    }

    /// Lets the function whose turn it is do what it is about to.
    pub(super) fn happen(&mut self, state: &State, grants: &mut Grants, at: Timestamp, rows: &mut Vec<Row>) {
        let Some(position) = self.loops.iter().position(|it| it.next <= at) else { return };
        let function = self.host.functions[position].clone();
        self.loops[position].next = at + function.every;
        let runs = state.document(&self.host.app).is_some_and(|app| app["properties"]["state"] != "Stopped");
        if !runs {
            return;
        }
        match self.loops[position].stage {
            Stage::Starting { attempts } => self.start(state, grants, position, attempts, at, rows),
            Stage::Running { link } => {
                if self.take_work(state, grants, position, link, at, rows) && !function.quiet {
                    let failure = function.calls.iter().find_map(|call| self.call(state, grants, call, at, rows).err());
                    // What a function fails at waits to be tried again.
                    if let (None, Some(backlog)) = (&failure, &mut self.backlogs[position]) {
                        backlog.take(at);
                    }
                    let mut pen = self.pen(state, rows);
                    pen.request(at, &function.name, failure.is_none());
                    if let Some(failure) = failure {
                        let message = format!("Exception while executing function: Functions.{}", function.name);
                        pen.says(at, &function.name, &message, Some(&failure));
                    }
                }
            }
        }
    }

    fn start(
        &mut self,
        state: &State,
        grants: &mut Grants,
        position: usize,
        attempts: u32,
        at: Timestamp,
        rows: &mut Vec<Row>,
    ) {
        let Function { name, trigger, every, .. } = self.host.functions[position].clone();
        let name = format!("Functions.{name}");
        let opened = trigger.map_or(Ok(None), |trigger| self.call(state, grants, &trigger, at, rows));
        let mut pen = self.pen(state, rows);
        if attempts > 0 {
            let message = format!("Retrying to start listener for function '{name}' (Attempt {attempts})");
            pen.says(at, &name, &message, None);
        }
        match opened {
            Ok(link) => {
                if attempts > 0 {
                    let message =
                        format!("Listener successfully started for function '{name}' after {attempts} retries.");
                    pen.says(at, &name, &message, None);
                }
                self.loops[position] = Loop { next: at + every, stage: Stage::Running { link } };
            }
            Err(failure) => {
                pen.says(
                    at,
                    &name,
                    &format!("The listener for function '{name}' was unable to start."),
                    Some(&failure),
                );
                let wait = RETRY.0.saturating_mul(1 << attempts.min(10)).min(RETRY.1);
                let next = at + SignedDuration::from_secs(wait);
                self.loops[position] = Loop { next, stage: Stage::Starting { attempts: attempts + 1 } };
            }
        }
    }

    /// Whether the trigger brings something to do.
    fn take_work(
        &mut self,
        state: &State,
        grants: &mut Grants,
        position: usize,
        link: Option<Timestamp>,
        at: Timestamp,
        rows: &mut Vec<Row>,
    ) -> bool {
        let Function { name, trigger: Some(trigger), .. } = self.host.functions[position].clone() else { return true };
        let service = Service::of(&trigger.target).expect("a world is checked when it is read");
        // A link was let in once, and stays open until its token ends ("Service Bus managed identities", removed roles).
        if let Some(until) = link.filter(|until| *until > at)
            && state.document(&service.resource).is_some()
        {
            self.pen(state, rows).dependency(at, &service, trigger.operation, Some(200));
            self.loops[position].stage = Stage::Running { link: Some(until) };
            return true;
        }
        let failure = match self.call(state, grants, &trigger, at, rows) {
            Ok(link) => {
                self.loops[position].stage = Stage::Running { link };
                return true;
            }
            Err(failure) => failure,
        };
        self.loops[position].stage = Stage::Running { link: None };
        if service.is_amqp() {
            let (entity, host) = (&service.entity, &service.host);
            let message = format!("Message processing error (Action=Receive, EntityPath={entity}, Endpoint={host})");
            self.pen(state, rows).says(at, &name, &message, Some(&failure));
        } else {
            // Azure/azure-webjobs-sdk issue 2921, Azure/azure-functions-host issue 6385.
            let message = "An unhandled exception has occurred. Host is shutting down.";
            self.pen(state, rows).says(at, "", message, Some(&failure));
            self.restart(state, at, rows);
        }
        false
    }

    /// One call, with what a library makes of it. Of AMQP, until when the link may stay open.
    fn call(
        &mut self,
        state: &State,
        grants: &mut Grants,
        call: &Call,
        at: Timestamp,
        rows: &mut Vec<Row>,
    ) -> Result<Option<Timestamp>, Exception> {
        let service = Service::of(&call.target).expect("a world is checked when it is read");
        let app = state.document(&self.host.app).cloned().unwrap_or_default();
        self.calls += 1;
        let trace = derived(&format!("{}/{}", self.host.app, self.calls));
        // Clients of a vault ask without a token first, to be told where one is had (azure-sdk-for-python,
        // sdk/keyvault/TROUBLESHOOTING.md).
        let is_there = state.document(&service.resource).is_some();
        if service.kind == Kind::Vault && is_there && self.acquainted.insert(service.host.clone()) {
            self.pen(state, rows).dependency(at, &service, call.operation, Some(401));
        }
        let audience = call.audience.clone().unwrap_or_else(|| service.audiences()[0].clone());
        let token = self.tokens.get(state, &app, call.identity.as_deref(), &audience, at);
        let token =
            token.map_err(|message| Exception { kind: "Azure.Identity.CredentialUnavailableException", message })?;
        let front = (self.calls.wrapping_mul(2_654_435_761) >> 9) % FRONTS;
        let arrival =
            Arrival { app: &self.host.app, token: &token, operation: call.operation, front, at, trace: &trace };
        let answer = service.answer(state, grants, &arrival);
        let mut pen = self.pen(state, rows);
        pen.resource_log(at, &service, call.operation, &token, &answer);
        match answer {
            Answer::Done => {
                pen.dependency(at, &service, call.operation, Some(200));
                Ok(service.is_amqp().then_some(token.expires))
            }
            Answer::Refused { status, message, .. } => {
                pen.dependency(at, &service, call.operation, Some(status.unwrap_or(401)));
                let kind = if service.is_amqp() {
                    "System.UnauthorizedAccessException"
                } else {
                    "Azure.RequestFailedException"
                };
                Err(Exception { kind, message })
            }
            Answer::Silence | Answer::Timeout => {
                for seconds in ATTEMPTS {
                    pen.dependency(at + SignedDuration::from_secs(seconds), &service, call.operation, None);
                }
                let message = match answer {
                    Answer::Timeout => words::timed_out(&service),
                    _ => words::no_such_host(&service),
                };
                Err(Exception { kind: "System.Net.Sockets.SocketException", message })
            }
        }
    }

    fn pen<'a>(&'a self, state: &'a State, rows: &'a mut Vec<Row>) -> Pen<'a> {
        Pen { state, app: &self.host.app, role: &self.role, workspace: &self.workspace, rows }
    }
}
