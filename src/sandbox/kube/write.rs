//! What an object becomes by a write: a pure function of the object before it and the request. It must not know
//! revisions, the log or the clock.

use serde_json::{Map, Value};

use super::{json_patch, refusal::Refusal, registry::Resource, schema};

/// Which half of an object a path addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The object without its status (if the kind has a status subresource).
    Main,
    /// `/status`.
    Status,
}

/// A change as the client words it.
#[derive(Clone, Debug)]
pub(super) enum Write {
    /// PUT.
    Replace(Value),
    /// RFC 7386.
    Merge(Value),
    /// RFC 6902, as far as kube's `finalizer` needs it.
    Json(Value),
    /// Server-side apply without ownership: each top-level part that is given replaces the part; labels,
    /// annotations and finalizers only ever gain entries.
    Apply(Value),
}

/// Fields of metadata that no client writes.
const SYSTEM_METADATA: [&str; 9] = [
    "name",
    "namespace",
    "generateName",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
];

/// The object after `write`, with `current`'s resourceVersion. Equal to `current` when the write changes nothing.
pub(super) fn next(resource: &Resource, current: &Value, part: Part, write: &Write) -> Result<Value, Refusal> {
    let name = current["metadata"]["name"].as_str().unwrap_or_default();
    let desired = desired(resource, current, write)?;
    check_preconditions(resource, name, current, &desired, matches!(write, Write::Replace(_)))?;

    let mut next = match part {
        Part::Main => {
            let mut next = desired;
            if resource.status {
                copy_field(current, &mut next, "status");
            }
            next["metadata"] = settled_metadata(&current["metadata"], &next["metadata"]);
            next
        }
        Part::Status => {
            let mut next = current.clone();
            copy_field(&desired, &mut next, "status");
            next
        }
    };
    copy_field(current, &mut next, "apiVersion");
    copy_field(current, &mut next, "kind");
    if let Some(schema) = &resource.schema {
        schema::conform(&mut next, schema);
    }
    check_finalizers(resource, name, current, &next)?;
    if resource.custom && part == Part::Main && !same_but_metadata(current, &next) {
        let generation = current["metadata"]["generation"].as_i64().unwrap_or(0);
        next["metadata"]["generation"] = (generation + 1).into();
    }
    Ok(next)
}

/// Metadata as a client may write it, on top of what only the server writes.
pub(super) fn settled_metadata(system: &Value, written: &Value) -> Value {
    let mut metadata = written.as_object().cloned().unwrap_or_default();
    metadata.remove("managedFields");
    metadata.remove("selfLink");
    metadata.retain(|_, value| !is_empty(value));
    for field in SYSTEM_METADATA {
        match system.get(field) {
            Some(value) => metadata.insert(field.to_owned(), value.clone()),
            None => metadata.remove(field),
        };
    }
    Value::Object(metadata)
}

fn desired(resource: &Resource, current: &Value, write: &Write) -> Result<Value, Refusal> {
    match write {
        Write::Replace(object) => {
            check_type(resource, object)?;
            Ok(object.clone())
        }
        Write::Merge(patch) => {
            let mut object = current.clone();
            merge(&mut object, patch);
            Ok(object)
        }
        Write::Json(operations) => {
            let mut object = current.clone();
            let name = current["metadata"]["name"].as_str().unwrap_or_default();
            json_patch::apply(&mut object, operations).map_err(|why| Refusal::invalid(resource, name, &why))?;
            Ok(object)
        }
        Write::Apply(given) => {
            check_type(resource, given)?;
            let mut object = current.clone();
            apply(&mut object, given);
            Ok(object)
        }
    }
}

/// Refuses an object of another kind than the path's.
pub(super) fn check_type(resource: &Resource, object: &Value) -> Result<(), Refusal> {
    if !object.is_object() {
        return Err(Refusal::bad_request("the request body is not an object"));
    }
    for (field, expected) in [("apiVersion", resource.api_version()), ("kind", resource.kind.clone())] {
        match object[field].as_str() {
            Some(found) if found == expected => {}
            Some(found) => {
                let message = format!("the {field} of the provided object ({found}) does not match {expected}");
                return Err(Refusal::bad_request(message));
            }
            None => return Err(Refusal::bad_request(format!("Object '{field}' is missing in the request body"))),
        }
    }
    Ok(())
}

fn check_preconditions(
    resource: &Resource,
    name: &str,
    current: &Value,
    desired: &Value,
    is_replace: bool,
) -> Result<(), Refusal> {
    let (is, wanted) = (&current["metadata"], &desired["metadata"]);
    for field in ["name", "namespace"] {
        if wanted[field].is_string() && wanted[field] != is[field] {
            let text = |metadata: &Value| metadata[field].as_str().unwrap_or_default().to_owned();
            return Err(Refusal::misnamed(field, &text(wanted), &text(is)));
        }
    }
    if wanted["uid"].is_string() && wanted["uid"] != is["uid"] {
        let why =
            format!("Precondition failed: UID in precondition: {}, UID in object meta: {}", wanted["uid"], is["uid"]);
        return Err(Refusal::conflict(resource, name, &why));
    }
    match wanted["resourceVersion"].as_str().filter(|version| !version.is_empty()) {
        Some(version) if is["resourceVersion"] != version => Err(Refusal::stale(resource, name)),
        None if is_replace && resource.refuses_blind_replace() => {
            let why = "metadata.resourceVersion: Invalid value: 0x0: must be specified for an update";
            Err(Refusal::invalid(resource, name, why))
        }
        Some(_) | None => Ok(()),
    }
}

fn check_finalizers(resource: &Resource, name: &str, current: &Value, next: &Value) -> Result<(), Refusal> {
    if !current["metadata"]["deletionTimestamp"].is_string() {
        return Ok(());
    }
    let before = finalizers(current);
    let added: Vec<&str> = finalizers(next).into_iter().filter(|finalizer| !before.contains(finalizer)).collect();
    if added.is_empty() {
        return Ok(());
    }
    let why = format!(
        "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, \
         found new finalizers {added:?}"
    );
    Err(Refusal::invalid(resource, name, &why))
}

/// The finalizers of an object, in order.
pub(super) fn finalizers(object: &Value) -> Vec<&str> {
    object["metadata"]["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// RFC 7386.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    for (name, value) in fields {
        if value.is_null() {
            target.as_object_mut().map(|target| target.remove(name));
        } else {
            merge(&mut target[name], value);
        }
    }
}

fn apply(target: &mut Value, given: &Value) {
    for (name, value) in given.as_object().into_iter().flatten() {
        if name != "metadata" {
            target[name] = value.clone();
        }
    }
    for (name, value) in given["metadata"].as_object().into_iter().flatten() {
        let field = &mut target["metadata"][name];
        match (name.as_str(), value) {
            ("labels" | "annotations", Value::Object(_)) => merge(field, value),
            ("finalizers", Value::Array(finalizers)) => {
                let mut all = field.as_array().cloned().unwrap_or_default();
                all.extend(finalizers.iter().filter(|finalizer| !all.contains(finalizer)).cloned().collect::<Vec<_>>());
                *field = Value::Array(all);
            }
            _ => *field = value.clone(),
        }
    }
}

fn copy_field(from: &Value, to: &mut Value, field: &str) {
    match from.get(field) {
        Some(value) => to[field] = value.clone(),
        None => {
            to.as_object_mut().map(|to| to.remove(field));
        }
    }
}

fn same_but_metadata(left: &Value, right: &Value) -> bool {
    let without = |object: &Value| {
        let mut object = object.clone();
        object.as_object_mut().map(|object| object.remove("metadata"));
        object
    };
    without(left) == without(right)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}
