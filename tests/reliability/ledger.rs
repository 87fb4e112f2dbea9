//! The book of a run: every call with its number, what was done to it and what came back; who knows what; which
//! properties were found broken. It only writes down; what follows is in `properties`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    at::At,
    facts::{Rules, lower},
    fault::Fault,
    process::SURVEY_AGE,
    stage::Key,
};

/// Who was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Azure,
    Cluster,
}

/// What a process sends.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) service: Service,
    pub(super) method: String,
    /// As sent, without the query.
    pub(super) path: String,
    pub(super) query: String,
    /// Null when there is none.
    pub(super) body: Value,
}

/// One try of one request.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// From 1 on, in order of sending, over all processes.
    pub(super) number: u32,
    pub(super) operator: u8,
    /// Which process of that operator; another one after each crash.
    pub(super) process: u32,
    /// The policy whose pass made it.
    pub(super) policy: Option<Key>,
    pub(super) at: Timestamp,
    pub(super) service: Service,
    pub(super) method: String,
    pub(super) path: String,
    /// The path in lower case.
    pub(super) key: String,
    pub(super) query: String,
    pub(super) body: Value,
    pub(super) mutating: bool,
    pub(super) fault: Option<Fault>,
    /// A status that moves the time of the last look and nothing else.
    pub(super) heartbeat: bool,
    /// Its place among everything that took effect; none while it has not been served.
    pub(super) served: Option<u64>,
    /// What the process heard: the status and the body.
    pub(super) heard: Option<(u16, Bytes)>,
    pub(super) heard_at: Option<Timestamp>,
}

impl Call {
    /// Whether the path names a collection: an odd number of segments behind the last provider.
    pub(super) fn is_list(&self) -> bool {
        let below = self.path.rsplit("/providers/").next().unwrap_or_default();
        below.split('/').count().is_multiple_of(2)
    }

    /// The body that was heard with this status.
    pub(super) fn answer(&self, status: u16) -> Option<Value> {
        let (heard, body) = self.heard.as_ref()?;
        if *heard == status { serde_json::from_slice(body).ok() } else { None }
    }

    pub(super) fn heard_status(&self) -> Option<u16> {
        self.heard.as_ref().map(|(status, _)| *status)
    }

    /// Whether somebody lied in answering it.
    pub(super) fn is_lie(&self) -> bool {
        matches!(self.fault, Some(Fault::Stale | Fault::StaleOldest | Fault::Empty | Fault::HalfList))
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, operator, process, at, method, path, query, body, .. } = self;
        let policy = self.policy.as_ref().map_or_else(String::new, |key| format!(" {}/{}", key.0, key.1));
        write!(f, "{number:>4} {at} {operator}.{process}{policy} {method} {path}")?;
        if !query.is_empty() {
            write!(f, "?{query}")?;
        }
        if self.mutating {
            write!(f, " {body}")?;
        }
        if let Some(fault) = self.fault {
            write!(f, " [{fault}]")?;
        }
        match &self.heard {
            Some((status, _)) => write!(f, " → {status}"),
            None => write!(f, " → nothing"),
        }
    }
}

/// Whether the path is of a network, a private endpoint or a zone, which no list shows.
fn is_of_networks(key: &str) -> bool {
    key.contains("/providers/microsoft.network/") && !key.contains("/subnets/")
}

/// A property that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    /// `S1` to `S12`, `L1`, `L2` or `D1`.
    pub(super) property: &'static str,
    /// At which call; that of the last one, for what shows at the end.
    pub(super) call: u32,
    pub(super) what: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at call {}: {}", self.property, self.call, self.what)
    }
}

/// What an operator knows of the cluster.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    pub(super) policies: BTreeMap<Key, Value>,
    pub(super) rules: Rules,
    /// Which of their changes it knows.
    pub(super) rules_version: Option<u32>,
}

/// A pass that is under way, or the last one.
#[derive(Clone, Debug)]
pub(super) struct Pass {
    pub(super) began: Timestamp,
    /// How many calls there were before.
    pub(super) calls: usize,
    /// The policy as the pass got it.
    pub(super) object: Value,
    /// What the namespace could see of Azure when it began.
    pub(super) scopes: Vec<String>,
}

/// How many requests a look takes: whose principal it is, what it holds, whether the name is free.
const LOOK: usize = 3;

/// The book.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) calls: Vec<Call>,
    /// What is still to happen.
    pub(super) faults: BTreeMap<At, Fault>,
    /// Faults that hit the same request again: process, method, path.
    pub(super) again: Vec<(u32, String, String, Fault)>,
    /// Documents of Azure before each change, when somebody may want them.
    pub(super) past: Vec<Vec<Value>>,
    pub(super) broken: Vec<Broken>,
    pub(super) dead: BTreeSet<u32>,
    /// Operators whose process has ended and has no successor yet.
    pub(super) crashed: BTreeSet<u8>,
    /// Moves with everything that may make another pass come to another result.
    pub(super) version: u64,
    /// From when on a pass of each operator rests on readings that know of every change that others made to Azure.
    pub(super) changed_by_others: BTreeMap<u8, Timestamp>,
    /// The same of what an operator's own passes wrote, by operator and policy: its other policies' surveys may be older.
    pub(super) changed_by_passes: BTreeMap<(u8, Key), Timestamp>,
    /// By operator.
    pub(super) views: BTreeMap<u8, View>,
    pub(super) passes: BTreeMap<(u32, Key), Pass>,
    /// Something in the cluster is other than the operators know.
    pub(super) cluster_changed: bool,
    /// Moves with boundaries and namespaces.
    pub(super) rules_version: u32,
    /// Until when each operator hears nothing from the cluster.
    pub(super) deaf_until: BTreeMap<u8, Timestamp>,
    /// Requests that will still take effect although nobody waits for them.
    pub(super) stragglers: u32,
    /// Counts what took effect: calls that were served, and deeds.
    pub(super) effects: u64,
    /// When a document of Azure was last touched, by its id in lower case, in `effects`.
    pub(super) touched: BTreeMap<String, u64>,
    /// How often each principal, role and scope was created since it was last taken away.
    pub(super) created: BTreeMap<(String, String, String), u32>,
    /// When a deletion of a policy was first heard of.
    pub(super) leaving: BTreeMap<Key, Timestamp>,
    /// Identities that were taken off an app to be put back, by app and identity: by which process, for whom.
    pub(super) detached: BTreeMap<(String, String), (u32, Option<Key>)>,
    /// When the identities of an app were last written, and when it was last restarted, in `effects`.
    pub(super) identity_written: BTreeMap<String, u64>,
    pub(super) restarted: BTreeMap<String, u64>,
    /// Faults that could happen where they were to.
    pub(super) met: u32,
}

impl Ledger {
    pub(super) fn call(&self, number: u32) -> &Call {
        &self.calls[number as usize - 1]
    }

    pub(super) fn call_mut(&mut self, number: u32) -> &mut Call {
        &mut self.calls[number as usize - 1]
    }

    /// Gives the call its number, and says what is to happen to it.
    pub(super) fn begin(&mut self, operator: u8, process: u32, policy: Option<Key>, at: Timestamp, sent: Sent) -> u32 {
        let Sent { service, method, path, query, body } = sent;
        let number = u32::try_from(self.calls.len() + 1).expect("fewer calls than that");
        let key = path.to_lowercase();
        // The reads that are a POST.
        let asks = key.ends_with("/config/appsettings/list") || key.starts_with("/v1/workspaces/");
        let mutating = method != "GET" && !(method == "POST" && asks);
        let mut call = Call {
            number,
            operator,
            process,
            policy,
            at,
            service,
            method,
            path,
            key,
            query,
            body,
            mutating,
            fault: None,
            heartbeat: false,
            served: None,
            heard: None,
            heard_at: None,
        };
        let again = self
            .again
            .iter()
            .position(|(whose, method, path, _)| *whose == process && *method == call.method && *path == call.path);
        let named = self.faults.keys().find(|named| named.is(&call, &self.calls)).cloned();
        let fault = match named.and_then(|named| self.faults.remove(&named)) {
            Some(fault) => Some(fault).filter(|fault| fault.applies_to(&call)),
            None => again.map(|position| self.again.remove(position).3),
        };
        if let Some(fault) = fault {
            self.met += 1;
            self.version += 1;
            if call.service == Service::Azure && !mutating {
                let told = match fault {
                    Fault::Refused { retry_after: Some(seconds), .. } => i64::from(seconds),
                    // What no list shows of networks: a refusal or an empty list is believed for an hour.
                    Fault::Refused { status: 403, .. } | Fault::Empty if is_of_networks(&call.key) => 3600,
                    _ => 0,
                };
                self.is_disturbed(operator, at, told);
            }
            if let Some(again) = fault.again() {
                self.again.push((process, call.method.clone(), call.path.clone(), again));
            }
        }
        call.fault = fault;
        self.calls.push(call);
        number
    }

    /// Notes that a read did not get its answer, after which it was told to wait for so many seconds. What came of it is
    /// shared with the passes of other policies until the survey is old.
    pub(super) fn is_disturbed(&mut self, operator: u8, at: Timestamp, told: i64) {
        let settled = at + SignedDuration::try_from(SURVEY_AGE).expect("a minute") * 2;
        let known = self.changed_by_others.entry(operator).or_insert(settled);
        *known = (*known).max(settled + SignedDuration::from_secs(told));
    }

    /// Notes that a call was served, or that somebody did something.
    pub(super) fn effect(&mut self) -> u64 {
        self.effects += 1;
        self.effects
    }

    /// Notes that somebody changed Azure, whose other users may not see it before their survey is old. `by`: the operator
    /// and the policy whose pass did it.
    pub(super) fn others_will_see(&mut self, by: Option<(u8, Option<Key>)>, from: Timestamp) {
        let by_operator = by.as_ref().map(|(operator, _)| *operator);
        for operator in (0..2).filter(|operator| Some(*operator) != by_operator) {
            self.changed_by_others.insert(operator, from);
        }
        if let Some((operator, Some(policy))) = by {
            self.changed_by_passes.insert((operator, policy), from);
        }
    }

    /// When a pass over a policy must have begun to know of everything that was written for others.
    pub(super) fn knows_of_all(&self, operator: u8, policy: &Key) -> Option<Timestamp> {
        let passes = self.changed_by_passes.iter();
        let of_others = passes.filter(|((by, key), _)| *by == operator && key != policy).map(|(_, moment)| *moment);
        of_others.chain(self.changed_by_others.get(&operator).copied()).max()
    }

    /// Notes that a document is another one now.
    pub(super) fn touch(&mut self, id: &str) {
        let moment = self.effect();
        self.touched.insert(id.to_lowercase(), moment);
    }

    pub(super) fn is_broken(&mut self, property: &'static str, call: u32, what: String) {
        let broken = Broken { property, call, what };
        if !self.broken.contains(&broken) {
            self.broken.push(broken);
        }
    }

    /// The pass that makes a call.
    pub(super) fn pass_of(&self, call: &Call) -> Option<&Pass> {
        self.passes.get(&(call.process, call.policy.clone()?))
    }

    /// Calls of a process, the latest first.
    pub(super) fn of_process(&self, process: u32) -> impl Iterator<Item = &Call> {
        self.calls.iter().rev().filter(move |call| call.process == process)
    }

    /// The look before a write: what the pass asked of Azure just before the call `number`, the latest first. Not what
    /// it asked when it observed; tries and pages of one request count as one, by the last.
    pub(super) fn look_before(&self, number: u32) -> Vec<&Call> {
        let call = self.call(number);
        let (process, policy) = (call.process, &call.policy);
        let began = self.pass_of(call).map_or(0, |pass| pass.calls);
        let before = &self.calls[began.min(number as usize - 1)..number as usize - 1];
        let own = before
            .iter()
            .rev()
            .filter(|other| other.process == process && other.policy == *policy && other.service == Service::Azure);
        let mut look: Vec<&Call> = Vec::new();
        for other in own.take_while(|other| !other.mutating) {
            // Tries and pages of one request.
            if look.last().is_some_and(|later| later.path == other.path) {
                continue;
            }
            if look.len() == LOOK {
                break;
            }
            look.push(other);
        }
        look
    }
}

/// The documents of Azure by id in lower case.
pub(super) fn by_id(documents: &[Value]) -> BTreeMap<String, &Value> {
    documents.iter().map(|document| (lower(&document["id"]), document)).collect()
}
