//! The rule by which `kubectl`, Flux and Argo CD tell from any object whether it is done.

use serde_json::Value;

/// The verdict of kstatus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kstatus {
    InProgress,
    Failed,
    Current,
    Terminating,
}

/// As in sigs.k8s.io/cli-utils: deletion, then observedGeneration, then the first of `Reconciling` and `Stalled` that
/// is true in the order of the list, then `Ready`.
pub fn kstatus(object: &Value) -> Kstatus {
    if object["metadata"]["deletionTimestamp"].is_string() {
        return Kstatus::Terminating;
    }
    let observed = &object["status"]["observedGeneration"];
    if observed.is_i64() && *observed != object["metadata"]["generation"] {
        return Kstatus::InProgress;
    }
    let conditions = object["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    for condition in conditions.iter().filter(|condition| condition["status"] == "True") {
        match condition["type"].as_str() {
            Some("Reconciling") => return Kstatus::InProgress,
            Some("Stalled") => return Kstatus::Failed,
            _ => {}
        }
    }
    match conditions.iter().find(|condition| condition["type"] == "Ready").map(|ready| &ready["status"]) {
        Some(status) if status != "True" => Kstatus::InProgress,
        Some(_) | None => Kstatus::Current,
    }
}

/// One condition's status and reason; empty when it is not there.
pub fn condition<'a>(object: &'a Value, kind: &str) -> (&'a str, &'a str) {
    let conditions = object["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let found = conditions.iter().find(|condition| condition["type"] == kind);
    let text = |field: &str| found.and_then(|found| found[field].as_str()).unwrap_or_default();
    (text("status"), text("reason"))
}

/// What holds of every status that is ever seen.
pub fn assert_sound(object: &Value) {
    let status = &object["status"];
    let conditions = status["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    if conditions.is_empty() {
        assert_eq!(kstatus(object), Kstatus::InProgress, "nobody has looked at it: {object:#}");
        return;
    }
    let (reconciling, stalled) = (condition(object, "Reconciling"), condition(object, "Stalled"));
    assert!(reconciling.0.is_empty() || stalled.0.is_empty(), "both abnormal conditions: {status:#}");
    for (status_of, _) in [reconciling, stalled] {
        assert!(status_of.is_empty() || status_of == "True", "abnormal-true and not true: {status:#}");
    }
    for kind in ["Ready", "Drifted"] {
        assert!(!condition(object, kind).0.is_empty(), "no {kind}: {status:#}");
    }
    for condition in conditions {
        assert_eq!(condition["observedGeneration"], status["observedGeneration"], "{condition:#}");
    }
    // A Ready that is not true is explained: kstatus would otherwise call it in progress for ever.
    if condition(object, "Ready").0 == "True" {
        assert!(reconciling.0.is_empty() && stalled.0.is_empty(), "{status:#}");
    } else {
        assert!(!reconciling.0.is_empty() || !stalled.0.is_empty(), "{status:#}");
    }
}
