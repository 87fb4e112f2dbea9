//! What a structural schema does to an object: unknown fields are dropped, defaults appear. It validates nothing;
//! a real server refuses what this lets through.

use serde_json::{Map, Value};

/// The parts of an object that belong to the API server and not to the schema of its kind.
const ENVELOPE: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// Prunes and defaults a whole object in place.
pub(super) fn conform(object: &mut Value, schema: &Value) {
    conform_fields(object, schema, true);
}

fn conform_fields(value: &mut Value, schema: &Value, is_object_root: bool) {
    if !schema.is_object() {
        return;
    }
    match value {
        Value::Object(fields) => conform_object(fields, schema, is_object_root),
        Value::Array(items) => {
            for item in items {
                conform_fields(item, &schema["items"], false);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn conform_object(fields: &mut Map<String, Value>, schema: &Value, is_object_root: bool) {
    let none = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&none);
    let additional = schema.get("additionalProperties").filter(|additional| **additional != Value::Bool(false));
    let is_open = additional.is_some() || schema["x-kubernetes-preserve-unknown-fields"] == true;
    let has_envelope = is_object_root || schema["x-kubernetes-embedded-resource"] == true;
    let in_envelope = |name: &str| has_envelope && ENVELOPE.contains(&name);

    fields.retain(|name, _| is_open || properties.contains_key(name) || in_envelope(name));
    for (name, property) in properties.iter().filter(|(name, _)| !in_envelope(name)) {
        // An explicit null counts as absent, except where the schema says that null is a value.
        let is_absent = match fields.get(name) {
            None => true,
            Some(Value::Null) => property["nullable"] != true,
            Some(_) => false,
        };
        if is_absent {
            match property.get("default") {
                Some(default) => fields.insert(name.clone(), default.clone()),
                None => fields.remove(name),
            };
        }
    }
    for (name, value) in fields.iter_mut().filter(|(name, _)| !in_envelope(name)) {
        if let Some(nested) = properties.get(name).or(additional) {
            conform_fields(value, nested, false);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({ "properties": {
            "spec": { "properties": {
                "mode": { "type": "string", "default": "Report" },
                "note": { "type": "string", "nullable": true, "default": "none" },
                "limits": { "default": {}, "properties": { "max": { "default": 10 } } },
                "labels": { "additionalProperties": { "properties": { "weight": { "default": 1 } } } },
                "steps": { "items": { "properties": { "retry": { "default": false } } } },
            } },
            "status": { "default": { "observedGeneration": -1 }, "properties": { "observedGeneration": {} } },
        } })
    }

    fn conformed(mut object: Value) -> Value {
        conform(&mut object, &schema());
        object
    }

    #[test]
    fn defaults_appear_at_every_depth() {
        let object = conformed(json!({ "spec": { "labels": { "a": {} }, "steps": [{}] } }));
        assert_eq!(
            object,
            json!({
                "spec": { "mode": "Report", "note": "none", "limits": { "max": 10 },
                          "labels": { "a": { "weight": 1 } }, "steps": [{ "retry": false }] },
                "status": { "observedGeneration": -1 },
            })
        );
    }

    #[test]
    fn null_is_kept_only_where_it_is_a_value() {
        let object = conformed(json!({ "spec": { "mode": null, "note": null } }));
        assert_eq!(object["spec"]["mode"], "Report");
        assert_eq!(object["spec"]["note"], Value::Null);
    }

    #[test]
    fn misspelled_fields_vanish_and_the_envelope_stays() {
        let object = conformed(json!({ "kind": "Widget", "metadata": { "name": "a" }, "spec": { "mdoe": "Enforce" } }));
        assert_eq!(object["spec"].get("mdoe"), None);
        assert_eq!(object["spec"]["mode"], "Report");
        assert_eq!(object["metadata"]["name"], "a");
    }
}
