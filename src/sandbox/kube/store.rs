//! Objects, revisions and the log of changes that watches replay. It must not know HTTP, watches or faults.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Value, json};

use super::{
    refusal::Refusal,
    registry::Resource,
    write::{self, Part, Write},
};
use crate::clock::Clock;

/// How many changes a watch may be behind. A real server keeps at least as many per kind; a watch that is further
/// behind is told 410 and lists again.
const LOG_CAPACITY: usize = 1000;

/// Where an object is: resource id, namespace (empty at cluster scope), name.
type Key = (String, String, String);

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChangeKind {
    Added,
    Modified,
    Deleted,
}

/// One entry of the log.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) revision: u64,
    pub(super) resource: String,
    pub(super) kind: ChangeKind,
    /// The object after the change; for a deletion the last state, at the revision of the deletion.
    pub(super) object: Value,
    /// The object before the change, if there was one.
    pub(super) previous: Option<Value>,
}

/// How a delete ended.
#[derive(Clone, Debug)]
pub(super) enum Deletion {
    /// The object is gone; this was its last state.
    Gone(Value),
    /// Finalizers hold the object, as it is now.
    Pending(Value),
}

/// All state behind the API.
#[derive(Debug)]
pub(super) struct Store {
    clock: Clock,
    revision: u64,
    /// Counts uids and generated names, which a real server draws at random.
    minted: u64,
    objects: BTreeMap<Key, Value>,
    /// Custom objects that nobody has written to since they were created.
    untouched: BTreeSet<Key>,
    log: VecDeque<Change>,
    /// Changes at or below it cannot be replayed.
    compacted: u64,
}

impl Store {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            revision: 1,
            minted: 0,
            objects: BTreeMap::new(),
            untouched: BTreeSet::new(),
            log: VecDeque::new(),
            compacted: 0,
        }
    }

    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    pub(super) fn get(&self, resource: &Resource, namespace: &str, name: &str) -> Option<&Value> {
        self.objects.get(&key(resource, namespace, name))
    }

    /// Objects by namespace and name; of all namespaces without `namespace`.
    pub(super) fn list(&self, resource: &Resource, namespace: Option<&str>) -> Vec<&Value> {
        let id = resource.id();
        let matches = |(found, found_namespace, _): &Key| {
            *found == id && namespace.is_none_or(|namespace| found_namespace == namespace)
        };
        self.objects.iter().filter(|(key, _)| matches(key)).map(|(_, object)| object).collect()
    }

    /// Changes after `revision`, or the oldest revision from which changes can still be told.
    pub(super) fn changes_after(&self, revision: u64) -> Result<impl Iterator<Item = &Change>, u64> {
        if revision < self.compacted {
            return Err(self.compacted);
        }
        let known = self.log.partition_point(|change| change.revision <= revision);
        Ok(self.log.range(known..))
    }

    /// Forgets the log, so that every revision handed out before is too old to watch from.
    pub(super) fn compact(&mut self) {
        self.revision += 1;
        self.compacted = self.revision;
        self.log.clear();
    }

    pub(super) fn create(&mut self, resource: &Resource, namespace: &str, object: Value) -> Result<Value, Refusal> {
        let given = &object["metadata"];
        let name = match (given["name"].as_str(), given["generateName"].as_str()) {
            (Some(name), _) if !name.is_empty() => name.to_owned(),
            (_, Some(prefix)) if !prefix.is_empty() => format!("{prefix}{:05}", self.minted + 1),
            _ => {
                let why = "metadata.name: Required value: name or generateName is required";
                return Err(Refusal::invalid(resource, "", why));
            }
        };
        if self.get(resource, namespace, &name).is_some() {
            return Err(Refusal::already_exists(resource, &name));
        }
        self.minted += 1;
        let mut system = json!({
            "name": name,
            "uid": format!("00000000-0000-4000-8000-{:012}", self.minted),
            "creationTimestamp": self.now(),
        });
        if resource.namespaced {
            system["namespace"] = json!(namespace);
        }
        if resource.custom {
            system["generation"] = json!(1);
        }
        if given["generateName"].is_string() {
            system["generateName"] = given["generateName"].clone();
        }
        let metadata = write::settled_metadata(&system, given);
        let mut created = object;
        created["metadata"] = metadata;
        if resource.status {
            created.as_object_mut().map(|created| created.remove("status"));
        }
        if let Some(schema) = &resource.schema {
            super::schema::conform(&mut created, schema);
        }
        Ok(self.commit(resource, ChangeKind::Added, None, created))
    }

    /// Writes `part` of an existing object. A write that changes nothing moves no revision and is told to nobody, except
    /// for the first one after a custom object was created: kube-apiserver 1.34 then stores it once more.
    pub(super) fn update(
        &mut self,
        resource: &Resource,
        namespace: &str,
        name: &str,
        part: Part,
        write: &Write,
    ) -> Result<Value, Refusal> {
        let Some(current) = self.get(resource, namespace, name).cloned() else {
            return Err(Refusal::not_found(resource, name));
        };
        let next = write::next(resource, &current, part, write)?;
        let was_untouched = self.untouched.remove(&key(resource, namespace, name));
        if next == current && !was_untouched {
            return Ok(current);
        }
        if next["metadata"]["deletionTimestamp"].is_string() && write::finalizers(&next).is_empty() {
            self.commit(resource, ChangeKind::Deleted, Some(current.clone()), current);
            return Ok(next);
        }
        Ok(self.commit(resource, ChangeKind::Modified, Some(current), next))
    }

    /// Deletes an object, or marks it when finalizers hold it. `preconditions` as in `DeleteOptions`.
    pub(super) fn delete(
        &mut self,
        resource: &Resource,
        namespace: &str,
        name: &str,
        preconditions: &Value,
    ) -> Result<Deletion, Refusal> {
        let Some(current) = self.get(resource, namespace, name).cloned() else {
            return Err(Refusal::not_found(resource, name));
        };
        for field in ["uid", "resourceVersion"] {
            let (wanted, is) = (&preconditions[field], &current["metadata"][field]);
            if wanted.is_string() && wanted != is {
                let why = format!("the {field} in the precondition ({wanted}) does not match the object's ({is})");
                return Err(Refusal::conflict(resource, name, &why));
            }
        }
        if write::finalizers(&current).is_empty() {
            let gone = self.commit(resource, ChangeKind::Deleted, Some(current.clone()), current);
            return Ok(Deletion::Gone(gone));
        }
        if current["metadata"]["deletionTimestamp"].is_string() {
            return Ok(Deletion::Pending(current));
        }
        let mut marked = current.clone();
        marked["metadata"]["deletionTimestamp"] = json!(self.now());
        marked["metadata"]["deletionGracePeriodSeconds"] = json!(0);
        if let Some(generation) = marked["metadata"]["generation"].as_i64() {
            marked["metadata"]["generation"] = json!(generation + 1);
        }
        Ok(Deletion::Pending(self.commit(resource, ChangeKind::Modified, Some(current), marked)))
    }

    fn commit(&mut self, resource: &Resource, kind: ChangeKind, previous: Option<Value>, mut object: Value) -> Value {
        self.revision += 1;
        object["metadata"]["resourceVersion"] = json!(self.revision.to_string());
        let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default();
        let key = key(resource, text("namespace"), text("name"));
        if kind == ChangeKind::Added && resource.custom {
            self.untouched.insert(key.clone());
        } else {
            self.untouched.remove(&key);
        }
        match kind {
            ChangeKind::Added | ChangeKind::Modified => self.objects.insert(key, object.clone()),
            ChangeKind::Deleted => self.objects.remove(&key),
        };
        let change =
            Change { revision: self.revision, resource: resource.id(), kind, object: object.clone(), previous };
        self.log.push_back(change);
        if self.log.len() > LOG_CAPACITY
            && let Some(oldest) = self.log.pop_front()
        {
            self.compacted = oldest.revision;
        }
        object
    }

    fn now(&self) -> String {
        self.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }
}

fn key(resource: &Resource, namespace: &str, name: &str) -> Key {
    (resource.id(), namespace.to_owned(), name.to_owned())
}
