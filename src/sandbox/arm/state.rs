//! The documents and counters of the service. Holds and finds; what a request means is decided in the handlers.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use uuid::Uuid;

use super::activity;
use super::call::Call;
use super::fault::{ArmedFault, FaultAnswer};
use super::hosts::Hosts;
use super::life::{Backlog, Life};
use super::limits::Limits;
use super::logs::{self, Logs};
use super::operations::Operations;
use super::path::{self, Address};
use super::reply::{Answer, Cause, Reply};
use super::world::{Caller, Permission, World};
use super::{ArmBody, ArmRequest, route};

/// How late the telemetry of hosts is ("Log data ingestion time": 20 seconds to 3 minutes).
const INGESTION: SignedDuration = SignedDuration::from_secs(150);

/// Everything that changes.
pub(super) struct State {
    /// By [`path::key`] of the id.
    pub(super) documents: BTreeMap<String, Value>,
    /// The keys of the documents of each type, so that a list of thousands does not look at all for each.
    kinds: BTreeMap<String, BTreeSet<String>>,
    /// What the activity log has of changes here, oldest first.
    pub(super) events: Vec<Value>,
    /// When what is being done is done.
    now: Timestamp,
    pub(super) journal: Vec<ArmRequest>,
    pub(super) faults: Vec<ArmedFault>,
    pub(super) caller: Caller,
    pub(super) permissions: Option<Vec<Permission>>,
    pub(super) groups: BTreeMap<String, Vec<String>>,
    pub(super) page_size: usize,
    pub(super) built_in_roles: bool,
    pub(super) strict_principals: bool,
    replication: SignedDuration,
    /// Principals that came into being here, and when.
    born: BTreeMap<String, Timestamp>,
    /// Principals whose identity was taken away.
    gone: BTreeSet<String>,
    /// How many system identities a resource has had.
    system_identities: BTreeMap<String, u32>,
    pub(super) hosts: Hosts,
    pub(super) operations: Operations,
    /// The keys of vaults that were created and not read since.
    pub(super) registering: BTreeSet<String>,
    pub(super) logs: Logs,
    limits: Limits,
    /// The hosts that live here, where a world has any.
    life: Option<Life>,
    /// How often the documents have changed.
    pub(super) revision: u64,
    answers: u64,
    changed: bool,
}

impl State {
    /// The state in which a world begins now.
    pub(super) fn new(world: World, now: Timestamp) -> Self {
        let World {
            clock: _,
            caller,
            caller_permissions,
            resources,
            built_in_roles,
            groups,
            faults,
            page_size,
            principal_replication,
            strict_principals,
            hosts_outlive_writes,
            throttling,
            buckets,
            authorization_per_minute,
            telemetry,
            telemetry_delay,
            hosts,
            propagation,
        } = world;
        let delay = telemetry_delay.unwrap_or(if hosts.is_empty() { SignedDuration::ZERO } else { INGESTION });
        let mut state = Self {
            documents: BTreeMap::new(),
            kinds: BTreeMap::new(),
            events: Vec::new(),
            now,
            journal: Vec::new(),
            faults: faults.into_iter().map(ArmedFault::from).collect(),
            caller,
            permissions: caller_permissions,
            groups,
            page_size: page_size.max(1),
            built_in_roles,
            strict_principals,
            replication: principal_replication,
            born: BTreeMap::new(),
            gone: BTreeSet::new(),
            system_identities: BTreeMap::new(),
            hosts: Hosts::new(hosts_outlive_writes),
            operations: Operations::default(),
            registering: BTreeSet::new(),
            logs: Logs::new(telemetry, delay),
            limits: Limits::new(throttling, buckets, authorization_per_minute),
            life: None,
            revision: 0,
            answers: 0,
            changed: false,
        };
        for document in resources {
            state.put(document);
        }
        // How a world begins is no change of it.
        state.events.clear();
        if !hosts.is_empty() {
            state.life = Some(Life::begin(&state, hosts, propagation, now));
        }
        state
    }

    /// Lets the hosts do what they have done until now. Comes before each change of the documents.
    pub(super) fn live_until(&mut self, now: Timestamp) {
        self.now = now;
        if let Some(mut life) = self.life.take() {
            life.advance(self, now);
            self.life = Some(life);
        }
    }

    /// Writes a request into the journal and finds the fault that hits it.
    pub(super) fn begin(&mut self, call: &Call, now: Timestamp) -> (usize, Option<FaultAnswer>) {
        self.journal.push(ArmRequest {
            method: call.method.clone(),
            path: call.address.path.clone(),
            query: call.query.clone(),
            body: call.body.clone(),
            status: None,
            time: now,
            mutating: call.mutating(),
            effective: false,
            client_request_id: call.client_request_id.clone(),
        });
        let fault = self.faults.iter_mut().find_map(|fault| fault.meet(call));
        (self.journal.len() - 1, fault)
    }

    /// Lets the request take effect and notes whether it had one.
    pub(super) fn handle(&mut self, call: &Call, now: Timestamp, entry: usize) -> Reply {
        self.live_until(now);
        self.changed = false;
        // The service of logs counts for itself.
        let taken = if logs::is_query(call) { Ok(()) } else { self.limits.take(call, now) };
        let reply = match taken {
            Ok(()) => route::handle(self, call, now).unwrap_or_else(|refusal| refusal),
            Err(throttled) => throttled,
        };
        self.journal[entry].effective = self.changed;
        reply
    }

    /// Adds the headers that every answer carries.
    pub(super) fn seal(&mut self, call: &Call, answer: Answer, now: Timestamp) -> http::Response<ArmBody> {
        self.answers += 1;
        let Answer { status, mut headers, body } = answer;
        headers.push(("x-ms-request-id".to_owned(), numbered(0xa5c0_0000, self.answers)));
        headers.push(("x-ms-correlation-request-id".to_owned(), numbered(0xc0a5_0000, self.answers)));
        // What ARM itself refuses is answered before anything is counted (recorded), but for a refusal to count on.
        let refused = headers.contains(&Cause::Gateway.header()) && status != 429;
        if !refused && !logs::is_query(call) {
            headers.extend(self.limits.headers(call, now));
        }
        if let (true, Some(id)) = (call.echo_client_request_id, &call.client_request_id) {
            headers.push(("x-ms-client-request-id".to_owned(), id.clone()));
        }
        let builder = http::Response::builder().status(status);
        let builder = headers.iter().fold(builder, |builder, (name, value)| builder.header(name, value));
        builder.body(body).expect("status and headers of answers and faults are valid HTTP")
    }

    /// What was sent to the functions of hosts that live here.
    pub(super) fn backlogs(&self) -> impl Iterator<Item = &Backlog> {
        self.life.iter().flat_map(Life::backlogs)
    }

    pub(super) fn document(&self, id: &str) -> Option<&Value> {
        self.documents.get(&path::key(id))
    }

    /// The documents of a type, in lower case, taken from their ids: the member `type` varies in casing.
    pub(super) fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Value> + use<'_> {
        self.kinds.get(kind).into_iter().flatten().filter_map(|key| self.documents.get(key))
    }

    /// The document of a type with this last name, wherever it is.
    pub(super) fn named(&self, kind: &str, name: &str) -> Option<&Value> {
        let is_named = |key: &&String| path::last_segment(key).eq_ignore_ascii_case(name);
        self.documents.get(self.kinds.get(kind)?.iter().find(is_named)?)
    }

    /// Whether anything lives at or below this scope.
    pub(super) fn is_inhabited(&self, scope: &str) -> bool {
        let (key, below) = (path::key(scope), format!("{}/", path::key(scope)));
        let next = self.documents.range(below.clone()..).next();
        self.documents.contains_key(&key) || next.is_some_and(|(id, _)| id.starts_with(&below))
    }

    /// Stores a document if it differs from what is there.
    pub(super) fn put(&mut self, document: Value) {
        let key = path::key(id_of(&document));
        if self.documents.get(&key) != Some(&document) {
            self.changed = true;
            self.revision += 1;
            activity::note(&mut self.events, "write", &document, self.now);
            self.kinds.entry(Address::parse(&key).kind()).or_default().insert(key.clone());
            self.documents.insert(key, document);
        }
    }

    /// Stores a document from outside of the service; principals that it brings are born now.
    pub(super) fn adopt(&mut self, document: Value, now: Timestamp) {
        self.live_until(now);
        let known = self.identities();
        assert!(document["id"].is_string(), "a document of the sandbox needs an `id`");
        self.put(document);
        let current = self.identities();
        self.gone.extend(known.difference(&current).cloned());
        for principal in current.difference(&known) {
            self.gone.remove(principal);
            self.born.insert(principal.clone(), now);
        }
    }

    /// Takes a document away, and its principals with it.
    pub(super) fn remove(&mut self, id: &str) -> Option<Value> {
        let known = self.identities();
        let key = path::key(id);
        let removed = self.documents.remove(&key)?;
        if let Some(keys) = self.kinds.get_mut(&Address::parse(&key).kind()) {
            keys.remove(&key);
        }
        self.changed = true;
        self.revision += 1;
        activity::note(&mut self.events, "delete", &removed, self.now);
        let current = self.identities();
        self.gone.extend(known.difference(&current).cloned());
        Some(removed)
    }

    /// The principals of all identities that exist, in lower case.
    pub(super) fn identities(&self) -> BTreeSet<String> {
        self.identity_principals().map(str::to_lowercase).collect()
    }

    fn identity_principals(&self) -> impl Iterator<Item = &str> {
        let user = self.of_kind("microsoft.managedidentity/userassignedidentities").map(|it| &it["properties"]);
        let system = self.documents.values().map(|document| &document["identity"]);
        user.chain(system).filter_map(|holder| holder["principalId"].as_str())
    }

    /// Whether the directory knows a principal by now.
    pub(super) fn is_replicated(&self, principal: &str, now: Timestamp) -> bool {
        let principal = principal.to_lowercase();
        if let Some(born) = self.born.get(&principal) {
            return !self.gone.contains(&principal) && now.duration_since(*born) >= self.replication;
        }
        !self.gone.contains(&principal) && self.principal_type(&principal).is_some()
    }

    /// What kind of principal this is; none when nothing in the world mentions it.
    pub(super) fn principal_type(&self, principal: &str) -> Option<String> {
        let same = |other: &str| other.eq_ignore_ascii_case(principal);
        if self.identity_principals().any(same) || same(&self.caller.object_id) {
            return Some("ServicePrincipal".to_owned());
        }
        if self.groups.keys().any(|group| same(group)) {
            return Some("Group".to_owned());
        }
        let assigned = self.of_kind("microsoft.authorization/roleassignments").map(|it| &it["properties"]);
        let mut typed = assigned.filter(|it| it["principalId"].as_str().is_some_and(same));
        if let Some(found) = typed.find_map(|it| it["principalType"].as_str()) {
            return Some(found.to_owned());
        }
        self.groups.values().flatten().any(|member| same(member)).then(|| "User".to_owned())
    }

    /// The groups that a principal is in, directly and through other groups, in lower case.
    pub(super) fn groups_of(&self, principal: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut open = vec![principal.to_lowercase()];
        while let Some(member) = open.pop() {
            for (group, members) in &self.groups {
                let group = group.to_lowercase();
                if members.iter().any(|it| it.eq_ignore_ascii_case(&member)) && found.insert(group.clone()) {
                    open.push(group);
                }
            }
        }
        found
    }

    /// A principal for a system identity that is being enabled: another one each time.
    pub(super) fn next_principal(&mut self, resource: &str, now: Timestamp) -> String {
        let resource = path::key(resource);
        let count = self.system_identities.entry(resource.clone()).or_default();
        *count += 1;
        let principal = derived(&format!("{resource}#{count}"));
        self.born.insert(principal.clone(), now);
        principal
    }

    /// Notes that a principal was deleted.
    pub(super) fn bury(&mut self, principal: &str) {
        self.gone.insert(principal.to_lowercase());
    }
}

/// The id of a document, or nothing.
pub(super) fn id_of(document: &Value) -> &str {
    document["id"].as_str().unwrap_or("")
}

/// A GUID that is a function of a text.
pub(super) fn derived(text: &str) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("https://rolecall.dev/sandbox/{text}").as_bytes()).to_string()
}

/// A moment in Azure's form, with seven fraction digits.
pub(super) fn azure_time(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%S%.7fZ").to_string()
}

fn numbered(series: u32, number: u64) -> String {
    format!("{series:08x}-0000-4000-8000-{number:012x}")
}
