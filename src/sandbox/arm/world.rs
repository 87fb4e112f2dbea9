//! The file that describes a simulated Azure. Parsed once; what is wrong with it is said here and nowhere later.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use super::fault::Fault;
use super::life::{Host, HostError, Propagation};
use super::logs;
use super::path;

/// The state in which a simulated Azure begins, and how it behaves. All keys are optional, unknown ones are refused.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own in the file")]
pub struct World {
    /// Start of simulated time, for whoever makes the [`Clock`](crate::clock::Clock).
    pub clock: Option<Timestamp>,
    /// Who presents the token.
    pub caller: Caller,
    /// What the caller may do; absent, everything.
    pub caller_permissions: Option<Vec<Permission>>,
    /// ARM documents as a GET returns them. A subscription exists when something lives in it, or as a document
    /// `/subscriptions/{id}`; a resource group likewise.
    pub resources: Vec<Value>,
    /// Whether the built-in role definitions are served, at every subscription and at the tenant.
    pub built_in_roles: bool,
    /// Members of groups, by object id. Groups may be members.
    pub groups: BTreeMap<String, Vec<String>>,
    /// What goes wrong, in the order in which it is tried.
    pub faults: Vec<Fault>,
    /// How many items a page of a list holds.
    pub page_size: usize,
    /// How long after its creation a principal is unknown to role assignments that do not name its type.
    pub principal_replication: SignedDuration,
    /// Whether an unknown principal is refused even when its type is named.
    pub strict_principals: bool,
    /// Whether hosts of apps go on as they are when the app's identity is written.
    pub hosts_outlive_writes: bool,
    /// Whether an empty token bucket refuses a request. Without it the rate headers count down and nothing happens.
    pub throttling: bool,
    /// How large the caller's buckets are when they refuse. Subscriptions differ; absent, the documented sizes.
    pub buckets: Buckets,
    /// How many requests for Microsoft.Authorization a minute may have; absent, any number. 120 was seen once.
    pub authorization_per_minute: Option<u32>,
    /// The logs of workspaces, by the workspace's name and the table's: rows as a query of the table lists them. A table of
    /// resource logs that is not here was never written to, which is an error in a query.
    pub telemetry: BTreeMap<String, BTreeMap<String, Vec<Value>>>,
    /// How long after its `TimeGenerated` a row is seen. Absent, two and a half minutes where hosts write, and at once else.
    pub telemetry_delay: Option<SignedDuration>,
    /// The hosts of apps, which call what they depend on and write telemetry.
    pub hosts: Vec<Host>,
    /// When services go by role assignments that change, as hosts notice.
    pub propagation: Propagation,
}

/// The sizes of the buckets that a caller has in each subscription. Reads refill a tenth of theirs per second, writes
/// and deletes a twentieth.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Buckets {
    /// GET and HEAD.
    pub reads: u32,
    /// PUT, PATCH and POST.
    pub writes: u32,
    /// DELETE.
    pub deletes: u32,
}

impl Default for Buckets {
    /// The documented sizes of the public cloud.
    fn default() -> Self {
        Self { reads: 250, writes: 200, deletes: 200 }
    }
}

/// Who presents the token.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Caller {
    /// The object id of the caller's principal.
    pub object_id: String,
    /// The tenant of the token and of all identities.
    pub tenant_id: String,
}

/// A role that the caller holds, spelled out.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Permission {
    /// Where, and for all that lies below.
    pub scope: String,
    /// Management actions, with wildcards.
    #[serde(default)]
    pub actions: Vec<String>,
    /// Management actions taken away from this entry.
    #[serde(default)]
    pub not_actions: Vec<String>,
    /// Data actions, with wildcards.
    #[serde(default)]
    pub data_actions: Vec<String>,
    /// Data actions taken away from this entry.
    #[serde(default)]
    pub not_data_actions: Vec<String>,
}

/// Why a text is not a world.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// It is no YAML, or has a key or a value that does not belong there.
    #[error("world cannot be read")]
    Syntax(#[source] Box<serde_saphyr::Error>),
    /// A document has no usable id.
    #[error("document {0} of `resources` has no `id` that starts with `/`")]
    NoId(usize),
    /// Two documents have one id.
    #[error("`resources` has two documents with the id `{0}`")]
    TwiceTheSame(String),
    /// A row of telemetry bears no time.
    #[error("row {1} of `{0}` in `telemetry` has no `TimeGenerated` that is a time")]
    NoTime(String, usize),
    /// A host cannot live.
    #[error("`hosts` cannot live")]
    Host(#[source] HostError),
    /// A page must hold something.
    #[error("`pageSize` must be at least 1")]
    EmptyPages,
}

impl World {
    /// Reads a world from YAML or JSON.
    pub fn from_yaml(text: &str) -> Result<Self, WorldError> {
        let world: Self = serde_saphyr::from_str(text).map_err(|error| WorldError::Syntax(Box::new(error)))?;
        if world.page_size == 0 {
            return Err(WorldError::EmptyPages);
        }
        world.hosts.iter().try_for_each(Host::check).map_err(WorldError::Host)?;
        let mut seen = BTreeSet::new();
        for (position, document) in world.resources.iter().enumerate() {
            let id = document["id"].as_str().filter(|id| id.starts_with('/')).ok_or(WorldError::NoId(position))?;
            if !seen.insert(path::key(id)) {
                return Err(WorldError::TwiceTheSame(id.to_owned()));
            }
        }
        for (table, rows) in world.telemetry.values().flatten() {
            if let Some(position) = rows.iter().position(|row| logs::time_of(row).is_none()) {
                return Err(WorldError::NoTime(table.clone(), position));
            }
        }
        Ok(world)
    }
}

impl Default for World {
    fn default() -> Self {
        Self {
            clock: None,
            caller: Caller::default(),
            caller_permissions: None,
            resources: Vec::new(),
            built_in_roles: true,
            groups: BTreeMap::new(),
            faults: Vec::new(),
            page_size: 100,
            principal_replication: SignedDuration::ZERO,
            strict_principals: false,
            hosts_outlive_writes: false,
            throttling: false,
            buckets: Buckets::default(),
            authorization_per_minute: None,
            telemetry: BTreeMap::new(),
            telemetry_delay: None,
            hosts: Vec::new(),
            propagation: Propagation::default(),
        }
    }
}

impl Default for Caller {
    fn default() -> Self {
        Self {
            object_id: "c0ffee00-5eed-4a11-8b0d-0123456789ab".to_owned(),
            tenant_id: "7e4a4700-5eed-4a11-8b0d-ba9876543210".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let error = World::from_yaml("pagesize: 3").unwrap_err();
        assert!(error.source().is_some_and(|cause| cause.to_string().contains("pagesize")), "{error:?}");
    }

    #[test]
    fn one_id_in_two_casings_is_one_document_too_many() {
        let error = World::from_yaml("resources: [{id: /subscriptions/AB}, {id: /subscriptions/ab}]").unwrap_err();
        assert_eq!(error.to_string(), "`resources` has two documents with the id `/subscriptions/ab`");
    }

    #[test]
    fn an_unknown_fault_word_is_answered_with_the_known_ones() {
        let error = World::from_yaml("faults: [{path: x, answer: explode}]").unwrap_err();
        let cause = error.source().expect("a source").to_string();
        assert!(cause.contains("explode") && cause.contains("answer-lost"), "{cause}");
    }

    #[test]
    fn a_row_without_a_time_is_refused() {
        let error = World::from_yaml("telemetry: {law: {AppTraces: [{Message: a, TimeGenerated: soon}]}}").unwrap_err();
        assert_eq!(error.to_string(), "row 0 of `AppTraces` in `telemetry` has no `TimeGenerated` that is a time");
    }

    #[test]
    fn json_is_read_too_and_absent_keys_have_defaults() {
        let world = World::from_yaml(r#"{"principalReplication": "90s", "builtInRoles": false}"#).unwrap();
        assert_eq!(world.principal_replication, SignedDuration::from_secs(90));
        assert_eq!((world.page_size, world.built_in_roles), (100, false));
    }
}
