//! The errors an API server answers with, as its `Status` documents. Wording follows kube-apiserver 1.34, because
//! clients and people match on it. It must not know how a request came to fail.

use serde_json::{Value, json};

use super::registry::Resource;

/// A request that was understood and refused.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Refusal {
    pub(super) code: u16,
    reason: &'static str,
    message: String,
    details: Value,
}

impl Refusal {
    fn about(code: u16, reason: &'static str, resource: &Resource, name: &str, message: String) -> Self {
        let mut details = json!({ "name": name, "kind": resource.plural });
        if !resource.group.is_empty() {
            details["group"] = json!(resource.group);
        }
        Self { code, reason, message, details }
    }

    pub(super) fn not_found(resource: &Resource, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", resource.id());
        Self::about(404, "NotFound", resource, name, message)
    }

    pub(super) fn already_exists(resource: &Resource, name: &str) -> Self {
        let message = format!("{} \"{name}\" already exists", resource.id());
        Self::about(409, "AlreadyExists", resource, name, message)
    }

    pub(super) fn conflict(resource: &Resource, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {} \"{name}\": {why}", resource.id());
        Self::about(409, "Conflict", resource, name, message)
    }

    pub(super) fn stale(resource: &Resource, name: &str) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(resource, name, why)
    }

    pub(super) fn invalid(resource: &Resource, name: &str, why: &str) -> Self {
        let kind = if resource.group.is_empty() {
            resource.kind.clone()
        } else {
            format!("{}.{}", resource.kind, resource.group)
        };
        let message = format!("{kind} \"{name}\" is invalid: {why}");
        let mut refusal = Self::about(422, "Invalid", resource, name, message);
        refusal.details["kind"] = json!(resource.kind);
        refusal
    }

    /// An object whose `field` (name or namespace) is not the one of its path.
    pub(super) fn misnamed(field: &str, found: &str, wanted: &str) -> Self {
        Self::bad_request(format!(
            "the {field} of the object ({found}) does not match the {field} on the URL ({wanted})"
        ))
    }

    /// A real server answers 500 and no reason as well: the check is in its storage.
    pub(super) fn version_on_create() -> Self {
        let message = "resourceVersion should not be set on objects to be created".to_owned();
        Self { code: 500, reason: "", message, details: Value::Null }
    }

    /// Server-side apply without the name of a field manager.
    pub(super) fn anonymous_apply() -> Self {
        let message =
            "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch";
        let details = json!({ "group": "meta.k8s.io", "kind": "PatchOptions" });
        Self { code: 422, reason: "Invalid", message: message.to_owned(), details }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self { code: 400, reason: "BadRequest", message: message.into(), details: Value::Null }
    }

    pub(super) fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource".to_owned();
        Self { code: 405, reason: "MethodNotAllowed", message, details: json!({}) }
    }

    pub(super) fn unsupported_media_type(media_type: &str) -> Self {
        let message = format!("the body of the request was in an unknown format: {media_type}");
        Self { code: 415, reason: "UnsupportedMediaType", message, details: json!({}) }
    }

    pub(super) fn expired(asked: u64, oldest: u64) -> Self {
        let message = format!("too old resource version: {asked} ({oldest})");
        Self { code: 410, reason: "Expired", message, details: Value::Null }
    }

    /// What a fault injected by a scenario answers.
    pub(super) fn injected(code: u16) -> Self {
        let (reason, message) = match code {
            401 => ("Unauthorized", "Unauthorized"),
            403 => ("Forbidden", "forbidden by the scenario"),
            404 => ("NotFound", "the server could not find the requested resource"),
            409 => ("Conflict", "the object has been modified; please apply your changes to the latest version"),
            410 => ("Expired", "The resourceVersion for the provided list is too old."),
            429 => ("TooManyRequests", "too many requests, please try again later"),
            503 => ("ServiceUnavailable", "the server is currently unable to handle the request"),
            504 => ("Timeout", "the server was unable to return a response in the time allotted"),
            _ => ("InternalError", "an error on the server has prevented the request from succeeding"),
        };
        Self { code, reason, message: message.to_owned(), details: Value::Null }
    }

    /// The `Status` document of this refusal.
    pub(super) fn document(&self) -> Value {
        let mut document = json!({
            "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
            "message": self.message, "code": self.code,
        });
        if !self.reason.is_empty() {
            document["reason"] = json!(self.reason);
        }
        if !self.details.is_null() {
            document["details"] = self.details.clone();
        }
        document
    }
}
