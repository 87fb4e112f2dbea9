//! Requests to answers: paths, verbs and the checks that come before the store. It must not know connections,
//! faults or the journal.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};

use super::{
    refusal::Refusal,
    registry::{Registry, Resource},
    selector::Selector,
    store::{Deletion, Store},
    watch::{Start, WatchPlan},
    write::{self, Part, Write},
};

/// One request, decoded.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) method: http::Method,
    pub(super) path: String,
    pub(super) query: BTreeMap<String, String>,
    pub(super) content_type: String,
    pub(super) accept: String,
    /// `None` without a body or when it is not JSON.
    pub(super) body: Option<Value>,
}

/// What to answer.
pub(super) enum Reply {
    Document(u16, Value),
    /// The path leads nowhere: the plain text answer, as for a CRD that is not installed.
    NotServed,
    Watch(WatchPlan),
}

/// What a path addresses.
struct Target {
    resource: Arc<Resource>,
    namespace: Option<String>,
    name: Option<String>,
    part: Part,
}

/// Kinds and objects together.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) registry: Registry,
    pub(super) store: Store,
}

impl Server {
    pub(super) fn answer(&mut self, call: &Call) -> Reply {
        let Some(target) = self.target(&call.path) else {
            return Reply::NotServed;
        };
        self.route(call, &target).unwrap_or_else(|refusal| Reply::Document(refusal.code, refusal.document()))
    }

    fn route(&mut self, call: &Call, target: &Target) -> Result<Reply, Refusal> {
        if call.query.contains_key("dryRun") {
            return Err(Refusal::bad_request("the sandbox does not play dryRun"));
        }
        if call.accept.contains("as=PartialObjectMetadata") {
            return Err(Refusal::bad_request("the sandbox does not serve metadata only"));
        }
        let Target { resource, namespace, name, part } = target;
        let space = namespace.as_deref().unwrap_or_default();
        match (call.method.as_str(), name) {
            ("GET", None) if is_set(call, "watch") => Ok(Reply::Watch(watch_plan(call, target)?)),
            ("GET", None) => self.list(call, target),
            ("GET", Some(name)) => {
                let found = self.store.get(resource, space, name).cloned();
                found.map(|object| Reply::Document(200, object)).ok_or_else(|| Refusal::not_found(resource, name))
            }
            ("POST", None) if !resource.namespaced || namespace.is_some() => {
                Ok(Reply::Document(201, self.create(resource, space, body(call)?)?))
            }
            ("PUT", Some(name)) => {
                let write = Write::Replace(body(call)?);
                Ok(Reply::Document(200, self.store.update(resource, space, name, *part, &write)?))
            }
            ("PATCH", Some(name)) => self.patch(call, target, name),
            ("DELETE", Some(name)) if *part == Part::Main => {
                let options = call.body.as_ref().unwrap_or(&Value::Null);
                let deletion = self.store.delete(resource, space, name, &options["preconditions"])?;
                Ok(Reply::Document(200, deleted(resource, name, deletion)))
            }
            _ => Err(Refusal::method_not_allowed()),
        }
    }

    fn target(&self, path: &str) -> Option<Target> {
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let (group, version, rest) = match segments.as_slice() {
            ["api", version, rest @ ..] => ("", version, rest),
            ["apis", group, version, rest @ ..] => (*group, version, rest),
            _ => return None,
        };
        let (namespace, plural, rest) = match rest {
            // `/namespaces/a/status` is a subresource; every other third segment is a kind inside the namespace.
            ["namespaces", namespace, plural, rest @ ..] if *plural != "status" => (Some(*namespace), *plural, rest),
            [plural, rest @ ..] => (None, *plural, rest),
            [] => return None,
        };
        let resource = self.registry.by_path(group, version, plural)?;
        let (name, part) = match rest {
            [] => (None, Part::Main),
            [name] => (Some((*name).to_owned()), Part::Main),
            [name, "status"] if resource.status => (Some((*name).to_owned()), Part::Status),
            _ => return None,
        };
        let is_whole_cluster = resource.namespaced && namespace.is_none();
        if (namespace.is_some() && !resource.namespaced) || (is_whole_cluster && name.is_some()) {
            return None;
        }
        Some(Target { resource, namespace: namespace.map(ToOwned::to_owned), name, part })
    }

    fn list(&self, call: &Call, target: &Target) -> Result<Reply, Refusal> {
        let selector = Selector::parse(&call.query)?;
        let objects = self.store.list(&target.resource, target.namespace.as_deref());
        let items: Vec<&Value> = objects.into_iter().filter(|object| selector.matches(object)).collect();
        let document = json!({
            "apiVersion": target.resource.api_version(),
            "kind": format!("{}List", target.resource.kind),
            "metadata": { "resourceVersion": self.store.revision().to_string() },
            "items": items,
        });
        Ok(Reply::Document(200, document))
    }

    /// Creates `object` after the checks of a POST.
    pub(super) fn create(&mut self, resource: &Resource, namespace: &str, object: Value) -> Result<Value, Refusal> {
        write::check_type(resource, &object)?;
        let given = object["metadata"]["namespace"].as_str().unwrap_or(namespace);
        if given != namespace {
            return Err(Refusal::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
        if object["metadata"]["resourceVersion"].as_str().is_some_and(|version| !version.is_empty()) {
            return Err(Refusal::version_on_create());
        }
        if resource.namespaced && !self.namespace_exists(namespace) {
            return Err(Refusal::not_found(&self.registry.namespaces(), namespace));
        }
        self.store.create(resource, namespace, object)
    }

    /// Whether objects can be created in `namespace`.
    pub(super) fn namespace_exists(&self, namespace: &str) -> bool {
        self.store.get(&self.registry.namespaces(), "", namespace).is_some()
    }

    fn patch(&mut self, call: &Call, target: &Target, name: &str) -> Result<Reply, Refusal> {
        let Target { resource, namespace, part, .. } = target;
        let space = namespace.as_deref().unwrap_or_default();
        let patch = body(call)?;
        let write = match call.content_type.as_str() {
            "application/merge-patch+json" => Write::Merge(patch),
            "application/json-patch+json" => Write::Json(patch),
            "application/apply-patch+yaml" => {
                if !call.query.contains_key("fieldManager") {
                    return Err(Refusal::anonymous_apply());
                }
                let exists = self.store.get(resource, space, name).is_some();
                if !exists && *part == Part::Main {
                    return Ok(Reply::Document(201, self.create(resource, space, named(patch, name)?)?));
                }
                Write::Apply(patch)
            }
            other => return Err(Refusal::unsupported_media_type(other)),
        };
        Ok(Reply::Document(200, self.store.update(resource, space, name, *part, &write)?))
    }
}

fn watch_plan(call: &Call, target: &Target) -> Result<WatchPlan, Refusal> {
    let start = match call.query.get("resourceVersion").map(String::as_str) {
        _ if is_set(call, "sendInitialEvents") => Start::InitialEvents,
        None | Some("" | "0") => Start::Everything,
        Some(version) => Start::After(
            version.parse().map_err(|_| Refusal::bad_request(format!("invalid resource version: {version:?}")))?,
        ),
    };
    let timeout = call.query.get("timeoutSeconds").and_then(|seconds| seconds.parse().ok());
    Ok(WatchPlan {
        resource: target.resource.clone(),
        namespace: target.namespace.clone(),
        selector: Selector::parse(&call.query)?,
        start,
        timeout_seconds: timeout.filter(|seconds| *seconds > 0),
        bookmarks: is_set(call, "allowWatchBookmarks"),
    })
}

fn is_set(call: &Call, parameter: &str) -> bool {
    call.query.get(parameter).is_some_and(|value| value == "true" || value == "1")
}

fn body(call: &Call) -> Result<Value, Refusal> {
    call.body.clone().ok_or_else(|| Refusal::bad_request("the request body is not JSON"))
}

/// The object of an apply that creates, under the name of the path.
fn named(mut object: Value, name: &str) -> Result<Value, Refusal> {
    match object["metadata"]["name"].as_str() {
        Some(found) if found != name => Err(Refusal::misnamed("name", found, name)),
        Some(_) => Ok(object),
        None => {
            if object.is_object() {
                object["metadata"]["name"] = json!(name);
            }
            Ok(object)
        }
    }
}

/// A delete answers with the object while finalizers hold it, else with a `Status`.
fn deleted(resource: &Resource, name: &str, deletion: Deletion) -> Value {
    match deletion {
        Deletion::Pending(object) => object,
        Deletion::Gone(object) => json!({
            "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Success",
            "details": {
                "name": name, "group": resource.group, "kind": resource.plural, "uid": object["metadata"]["uid"],
            },
        }),
    }
}
