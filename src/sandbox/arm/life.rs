//! What Functions hosts do while nobody looks: they start, ask for tokens, call what they depend on and leave telemetry.
//!
//! No symptom is written down in a world: whether a call succeeds follows from the documents, and is found out here. It must
//! know neither the client nor what the client looks for, or a host would only say what is expected of it.

mod access;
mod backlog;
mod network;
mod private;
mod process;
mod service;
mod spec;
mod telemetry;
mod token;
mod words;

use jiff::Timestamp;

use super::state::State;
use access::Grants;
use process::Process;

pub(super) use backlog::Backlog;
pub use spec::{Call, Function, Host, HostError, Operation, Propagation};

/// The hosts of a world, and how far they have lived.
pub(super) struct Life {
    processes: Vec<Process>,
    grants: Grants,
    /// Up to when everything has happened. The documents have not changed since.
    at: Timestamp,
    revision: u64,
}

impl Life {
    /// The hosts of a world that begins now. They have lived in it for a while.
    pub(super) fn begin(state: &State, hosts: Vec<Host>, propagation: Propagation, now: Timestamp) -> Self {
        let starts = |host: &Host| now.saturating_sub(host.alive_for).unwrap_or(now);
        let at = hosts.iter().map(starts).min().unwrap_or(now);
        Self {
            processes: hosts.into_iter().map(|host| Process::new(starts(&host), host)).collect(),
            grants: Grants::of(state, propagation, at),
            at,
            revision: state.revision,
        }
    }

    /// What was sent to the functions.
    pub(super) fn backlogs(&self) -> impl Iterator<Item = &Backlog> {
        self.processes.iter().flat_map(Process::backlogs)
    }

    /// Lets everything happen until now, in order of time. It is called before each change of the documents, so that what
    /// has changed since was changed at the time of the call before.
    pub(super) fn advance(&mut self, state: &mut State, now: Timestamp) {
        let mut rows = Vec::new();
        if self.revision != state.revision {
            self.grants.follow(state, self.at);
            self.revision = state.revision;
        }
        for process in &mut self.processes {
            process.recycle_if_due(state, self.at, &mut rows);
        }
        let next = |processes: &[Process]| {
            let due = processes.iter().enumerate().filter_map(|(position, it)| Some((it.next()?, position)));
            due.min().filter(|(at, _)| *at <= now)
        };
        while let Some((at, position)) = next(&self.processes) {
            self.processes[position].happen(state, &mut self.grants, at, &mut rows);
        }
        self.at = now;
        for row in rows {
            state.logs.add(&row.workspace, row.table, row.cells);
        }
    }
}
