//! The schema rules of the design, over every field of both definitions.

use kube::CustomResourceExt as _;
use rolecall::api::{FunctionIdentityPolicy, IdentityBoundary};
use serde_json::Value;

/// Calls `look` with the path and schema of every field below `schema`.
fn fields(path: &str, schema: &Value, look: &mut impl FnMut(&str, &Value)) {
    if let Some(properties) = schema["properties"].as_object() {
        for (name, field) in properties {
            let path = format!("{path}.{name}");
            look(&path, field);
            fields(&path, field, look);
        }
    }
    for (part, name) in [("items", "[]"), ("additionalProperties", "{}")] {
        if schema[part].is_object() {
            fields(&format!("{path}{name}"), &schema[part], look);
        }
    }
}

fn each_field(mut look: impl FnMut(&str, &Value)) {
    for crd in [FunctionIdentityPolicy::crd(), IdentityBoundary::crd()] {
        let name = crd.spec.names.kind.clone();
        let schema = serde_json::to_value(&crd.spec.versions[0].schema).expect("a schema is JSON");
        fields(&name, &schema["openAPIV3Schema"], &mut look);
    }
}

/// Written by the operator alone, in a shape that is Kubernetes' own.
fn is_foreign(path: &str) -> bool {
    path.contains(".status.conditions[]")
}

#[test]
fn every_field_has_a_description() {
    let mut silent = Vec::new();
    each_field(|path, field| {
        if field["description"].as_str().is_none_or(|text| text.trim().is_empty()) {
            silent.push(path.to_owned());
        }
    });
    assert_eq!(silent, Vec::<String>::new());
}

#[test]
fn every_list_string_and_map_has_a_bound() {
    let mut unbounded = Vec::new();
    let mut seen = 0;
    each_field(|path, field| {
        if is_foreign(path) {
            return;
        }
        seen += 1;
        let bounded = match field["type"].as_str() {
            Some("array") => field["maxItems"].is_u64(),
            Some("string") => field["maxLength"].is_u64() || field["enum"].is_array() || field["format"] == "date-time",
            Some("object") if field["additionalProperties"].is_object() => field["maxProperties"].is_u64(),
            _ => true,
        };
        if !bounded {
            unbounded.push(path.to_owned());
        }
    });
    assert!(seen > 60, "the schemas were not walked");
    assert_eq!(unbounded, Vec::<String>::new());
}

#[test]
fn no_enum_is_nullable() {
    each_field(|path, field| {
        assert!(!(field["enum"].is_array() && field["nullable"] == true), "{path} advertises a null that is refused");
    });
}

#[test]
fn lists_with_names_are_merged_by_name() {
    let mut atomic = Vec::new();
    each_field(|path, field| {
        let named = field["items"]["properties"]["name"].is_object();
        // A boundary's roles have a name for the reader and are told apart by GUID.
        if named && field["x-kubernetes-list-type"] != "map" {
            atomic.push(path.to_owned());
        }
    });
    assert_eq!(atomic, Vec::<String>::new());
}
