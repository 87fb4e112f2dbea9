//! A simulator of Azure Resource Manager: the real client is run against it, in process or over HTTP, where no
//! Azure is at hand.
//!
//! It works on JSON documents and must not know the client: no wire type and no evaluation of access is shared with
//! it, or a mistake would be made twice and seen never. Recorded traffic decides what an answer looks like. What is
//! not modelled answers 501 `SandboxUnsupported`, so that no test passes by accident.

mod activity;
mod assignments;
mod authority;
mod call;
mod certificates;
mod cosmos;
mod definitions;
mod extensions;
mod fault;
mod filter;
mod hosts;
mod identity;
mod life;
mod limits;
mod logs;
mod operations;
mod path;
mod platform_metrics;
mod reply;
mod resources;
mod rights;
mod route;
mod server;
mod state;
mod token;
mod transport;
mod vaults;
mod versions;
mod world;
mod writes;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use jiff::Timestamp;
use serde_json::Value;

use crate::clock::Clock;
use call::Call;
use reply::Page;
use state::State;

pub use certificates::{Certificate, CertificateError};
pub use fault::{Fault, FaultAnswer, StatusAnswer};
pub use life::{Call as HostCall, Function, Host, HostError, Operation, Propagation};
pub use world::{Buckets, Caller, Permission, World, WorldError};

/// How long a request that hangs is held, on tokio's clock, before its connection is dropped: longer than any timeout
/// of a client, and finite, so that paused time can pass it.
const HANG: Duration = Duration::from_secs(24 * 60 * 60);

/// The simulated service. Clones share one state.
#[derive(Clone)]
pub struct ArmSim {
    clock: Clock,
    state: Arc<Mutex<State>>,
}

/// The body of an answer.
#[derive(Clone, Debug)]
pub enum ArmBody {
    /// All of it.
    Full(Bytes),
    /// It starts like a list and goes on for as long as somebody reads.
    Endless,
}

/// Why a request got no answer. What the service did before is in the journal.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ArmFailure {
    /// The connection was closed before an answer.
    #[error("connection reset before an answer arrived")]
    Reset,
    /// The request was held for a day and then dropped.
    #[error("no answer within a day")]
    Hung,
}

/// One request as the service saw it. Credentials are not kept.
#[derive(Clone, Debug, PartialEq)]
pub struct ArmRequest {
    /// The method, in capitals.
    pub method: String,
    /// The path, decoded, without doubled or trailing slashes, in the casing of the request.
    pub path: String,
    /// The query as sent, without the question mark.
    pub query: String,
    /// The body: null when empty, a string when it is not JSON.
    pub body: Value,
    /// The status answered; none when the caller never got to see one.
    pub status: Option<u16>,
    /// When the request arrived.
    pub time: Timestamp,
    /// Whether the request asks for a change. A POST that lists does not.
    pub mutating: bool,
    /// Whether the documents differ afterwards.
    pub effective: bool,
    /// The header `x-ms-client-request-id`.
    pub client_request_id: Option<String>,
}

impl ArmSim {
    /// Starts the service with the documents of `world` at the time that `clock` shows.
    #[must_use]
    pub fn new(world: World, clock: Clock) -> Self {
        Self { clock, state: Arc::new(Mutex::new(State::new(world, clock.now()))) }
    }

    /// Answers one request. The scheme and host of its URI are those that a `nextLink` points to.
    pub async fn answer(&self, request: http::Request<Bytes>) -> Result<http::Response<ArmBody>, ArmFailure> {
        let call = Call::read(&request);
        let (entry, fault) = self.state().begin(&call, self.clock.now());
        match fault {
            Some(FaultAnswer::Hang) => {
                tokio::time::sleep(HANG).await;
                Err(ArmFailure::Hung)
            }
            Some(FaultAnswer::Reset) => Err(ArmFailure::Reset),
            fault => self.respond(&call, entry, fault.as_ref()),
        }
    }

    /// Every request so far, in order of arrival.
    pub fn journal(&self) -> Vec<ArmRequest> {
        self.state().journal.clone()
    }

    /// The document with this id, if there is one. Built-in role definitions are not among the documents.
    pub fn document(&self, id: &str) -> Option<Value> {
        self.state().document(id).cloned()
    }

    /// Changes a document behind the client's back. Does nothing when there is none.
    pub fn edit(&self, id: &str, change: impl FnOnce(&mut Value)) {
        let now = self.clock.now();
        let mut state = self.state();
        if let Some(mut document) = state.document(id).cloned() {
            change(&mut document);
            state.adopt(document, now);
        }
    }

    /// Adds or replaces a document. Its principals count as created now.
    ///
    /// # Panics
    ///
    /// When the document has no `id`.
    pub fn insert(&self, document: Value) {
        let now = self.clock.now();
        self.state().adopt(document, now);
    }

    /// Takes a document away, and its principals with it. Role assignments of these principals stay, as in Azure.
    pub fn remove(&self, id: &str) {
        let now = self.clock.now();
        let mut state = self.state();
        state.live_until(now);
        state.remove(id);
    }

    /// Adds a fault after those that are armed already.
    pub fn add_fault(&self, fault: Fault) {
        self.state().faults.push(fault.into());
    }

    /// Writes a row to a table of a workspace's logs, by the workspace's name. It needs a `TimeGenerated`.
    pub fn log(&self, workspace: &str, table: &str, row: Value) {
        self.state().logs.add(workspace, table, row);
    }

    /// The rows of a table so far, by the workspace's name, those on their way included.
    pub fn rows(&self, workspace: &str, table: &str) -> Vec<Value> {
        let now = self.clock.now();
        let mut state = self.state();
        state.live_until(now);
        state.logs.all(workspace, table)
    }

    /// Says who is in a group, by object ids.
    pub fn set_group(&self, group: &str, members: &[&str]) {
        let now = self.clock.now();
        let mut state = self.state();
        state.live_until(now);
        state.groups.insert(group.to_owned(), members.iter().map(ToString::to_string).collect());
    }

    /// Replaces what the caller may do. `None` allows everything.
    pub fn set_caller_permissions(&self, permissions: Option<Vec<Permission>>) {
        self.state().permissions = permissions;
    }

    /// All documents, sorted by id ignoring case.
    pub fn snapshot(&self) -> Vec<Value> {
        self.state().documents.values().cloned().collect()
    }

    fn respond(
        &self,
        call: &Call,
        entry: usize,
        fault: Option<&FaultAnswer>,
    ) -> Result<http::Response<ArmBody>, ArmFailure> {
        let now = self.clock.now();
        let mut state = self.state();
        let replacement = fault.and_then(|fault| fault.replacement(call));
        let answer = replacement.unwrap_or_else(|| {
            let reply = state.handle(call, now, entry);
            reply.render(&Page { call, size: state.page_size, fault })
        });
        if matches!(fault, Some(FaultAnswer::AnswerLost)) {
            return Err(ArmFailure::Reset);
        }
        state.journal[entry].status = Some(answer.status);
        Ok(state.seal(call, answer, now))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A test that panics in `edit` must not hide its message behind a poisoned lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for ArmSim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArmSim").finish_non_exhaustive()
    }
}

impl ArmBody {
    /// The body in chunks. An endless one pauses between them, so that both a limit in bytes and a limit in time can
    /// end it.
    pub fn into_stream(self) -> BoxStream<'static, Bytes> {
        match self {
            Self::Full(bytes) => futures::stream::iter([bytes]).boxed(),
            Self::Endless => futures::stream::unfold(false, |started| async move {
                if !started {
                    return Some((Bytes::from_static(b"{\"value\":["), true));
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
                Some((vec![b' '; 65_536].into(), true))
            })
            .boxed(),
        }
    }
}
