//! An open watch: what it still has to tell, and what it waits for. It sleeps until the store changes, a bookmark is
//! due or its time is over, so paused tokio time jumps over the silence.

use std::{collections::VecDeque, io, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{Stream, stream};
use serde_json::{Value, json};
use tokio::{
    sync::futures::Notified,
    time::{Instant, timeout_at},
};

use super::{
    Interruption, Shared, State,
    refusal::Refusal,
    registry::Resource,
    selector::Selector,
    store::{Change, ChangeKind},
};

/// As a real server does, so that a quiet kind does not fall behind the log.
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);

/// How long a watch stays open when the client names no timeout; a real server draws 30 to 60 minutes.
const DEFAULT_TIMEOUT_SECONDS: u64 = 1800;

/// Where a watch begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// All objects there are, then changes.
    Everything,
    /// The same with a bookmark between the two (streaming lists).
    InitialEvents,
    /// Changes after a revision.
    After(u64),
}

/// What a watch was asked to do.
#[derive(Clone, Debug)]
pub(super) struct WatchPlan {
    pub(super) resource: Arc<Resource>,
    pub(super) namespace: Option<String>,
    pub(super) selector: Selector,
    pub(super) start: Start,
    pub(super) timeout_seconds: Option<u64>,
    pub(super) bookmarks: bool,
}

struct Watch {
    plan: WatchPlan,
    shared: Arc<Shared>,
    /// The interruptions that had happened when the watch was opened.
    interruptions: u64,
    lines: VecDeque<Bytes>,
    cursor: u64,
    deadline: Instant,
    next_bookmark: Instant,
    has_ended: bool,
}

/// Opens a watch as a stream of newline-delimited JSON, beginning at the state of now.
pub(super) fn open(
    plan: WatchPlan,
    shared: Arc<Shared>,
    state: &State,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let now = Instant::now();
    let timeout = Duration::from_secs(plan.timeout_seconds.unwrap_or(DEFAULT_TIMEOUT_SECONDS));
    let mut watch = Watch {
        shared,
        interruptions: state.interruptions,
        lines: VecDeque::new(),
        cursor: state.server.store.revision(),
        deadline: now + timeout,
        next_bookmark: now + BOOKMARK_EVERY,
        has_ended: false,
        plan,
    };
    watch.begin(state);
    stream::unfold(watch, Watch::step)
}

impl Watch {
    fn begin(&mut self, state: &State) {
        if let Start::After(revision) = self.plan.start {
            self.cursor = revision;
            return;
        }
        for object in state.server.store.list(&self.plan.resource, self.plan.namespace.as_deref()) {
            if self.plan.selector.matches(object) {
                self.lines.push_back(line("ADDED", object));
            }
        }
        if self.plan.start == Start::InitialEvents {
            self.push_bookmark(&json!({ "k8s.io/initial-events-end": "true" }));
        }
    }

    /// The next line, when there is one.
    async fn step(mut self) -> Option<(io::Result<Bytes>, Self)> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Some((Ok(line), self));
            }
            if self.has_ended {
                return None;
            }
            let shared = self.shared.clone();
            // Before the state is read: a change in between wakes the wait below at once.
            let changed = shared.changed.notified();
            if let Some(error) = self.catch_up() {
                return Some((Err(error), self));
            }
            if self.lines.is_empty() && !self.has_ended {
                self.wait(changed).await;
            }
        }
    }

    /// Collects what happened since the last look. Breaks with an error when the connection was cut.
    fn catch_up(&mut self) -> Option<io::Error> {
        let shared = self.shared.clone();
        let state = shared.lock();
        if state.interruptions > self.interruptions {
            self.has_ended = true;
            match state.interruption {
                Interruption::Expired => self.push_expired(state.server.store.revision()),
                Interruption::Dropped => {}
                Interruption::Reset => return Some(io::ErrorKind::ConnectionReset.into()),
            }
            return None;
        }
        match state.server.store.changes_after(self.cursor) {
            Ok(changes) => {
                for change in changes {
                    self.lines.extend(told(&self.plan, change));
                }
                self.cursor = self.cursor.max(state.server.store.revision());
            }
            Err(oldest) => {
                self.has_ended = true;
                self.push_expired(oldest);
            }
        }
        None
    }

    async fn wait(&mut self, changed: Notified<'_>) {
        let wake = self.deadline.min(self.next_bookmark);
        if timeout_at(wake, changed).await.is_ok() {
            return;
        }
        self.next_bookmark = wake + BOOKMARK_EVERY;
        self.has_ended = wake == self.deadline;
        if self.plan.bookmarks {
            self.push_bookmark(&Value::Null);
        }
    }

    fn push_expired(&mut self, oldest: u64) {
        self.lines.push_back(line("ERROR", &Refusal::expired(self.cursor, oldest).document()));
    }

    fn push_bookmark(&mut self, annotations: &Value) {
        let mut metadata = json!({ "resourceVersion": self.cursor.to_string() });
        if !annotations.is_null() {
            metadata["annotations"] = annotations.clone();
        }
        let resource = &self.plan.resource;
        let object = json!({ "apiVersion": resource.api_version(), "kind": resource.kind, "metadata": metadata });
        self.lines.push_back(line("BOOKMARK", &object));
    }
}

/// How a watch tells a change, if it concerns it. An object that enters or leaves the selection appears or
/// disappears.
fn told(plan: &WatchPlan, change: &Change) -> Option<Bytes> {
    let namespace = change.object["metadata"]["namespace"].as_str().unwrap_or_default();
    if change.resource != plan.resource.id() || plan.namespace.as_deref().is_some_and(|wanted| wanted != namespace) {
        return None;
    }
    let was = change.previous.as_ref().is_some_and(|previous| plan.selector.matches(previous));
    let is = change.kind != ChangeKind::Deleted && plan.selector.matches(&change.object);
    match (was, is) {
        (false, false) => None,
        (false, true) => Some(line("ADDED", &change.object)),
        (true, true) => Some(line("MODIFIED", &change.object)),
        (true, false) => Some(line("DELETED", &change.object)),
    }
}

fn line(kind: &str, object: &Value) -> Bytes {
    Bytes::from(format!("{}\n", json!({ "type": kind, "object": object })))
}
