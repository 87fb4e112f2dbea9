//! Policies and boundaries from YAML. Stricter than the API server, which drops unknown fields unless asked not to:
//! `mdoe: Enforce` must not quietly become `mode: Report`.

use std::{io::Read as _, path::PathBuf};

use kube::CustomResourceExt;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::CliError;
use crate::{
    api::{FunctionIdentityPolicy, GROUP, IdentityBoundary},
    model::spelling::nearest,
};

/// The longest list of values that is told whole.
const MOST_LISTED: usize = 8;

/// What was found in files, in order.
#[derive(Default)]
pub(super) struct Found {
    pub(super) policies: Vec<FunctionIdentityPolicy>,
    pub(super) boundaries: Vec<IdentityBoundary>,
}

pub(super) fn read(paths: &[PathBuf]) -> Result<Found, CliError> {
    let mut found = Found::default();
    for path in paths {
        let name = path.display().to_string();
        let text = if name == "-" {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map(|_| text)
        } else {
            std::fs::read_to_string(path)
        };
        let text = text.map_err(|error| CliError::new(format!("cannot read `{name}`: {error}")))?;
        parse(&name, &text, &mut found)?;
    }
    Ok(found)
}

fn parse(name: &str, text: &str, found: &mut Found) -> Result<(), CliError> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).map_err(|error| {
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default().split(", set ").next().unwrap_or_default();
        CliError::new(format!("`{name}` is not YAML: {first}")).with_hint("separate documents with `---`")
    })?;
    for document in documents.into_iter().filter(|document| !document.is_null()) {
        let kind = document["kind"].as_str().unwrap_or_default().to_owned();
        let group = document["apiVersion"].as_str().unwrap_or_default().split('/').next().unwrap_or_default();
        match (group, kind.as_str()) {
            (GROUP, "FunctionIdentityPolicy") => found.policies.push(typed(name, document)?),
            (GROUP, "IdentityBoundary") => found.boundaries.push(typed(name, document)?),
            (GROUP, other) => {
                let error = CliError::new(format!("`{name}` has a {GROUP} object of unknown kind `{other}`"));
                return Err(match nearest(other, ["FunctionIdentityPolicy", "IdentityBoundary"]) {
                    Some(nearest) => error.with_hint(format!("did you mean `{nearest}`?")),
                    None => error,
                });
            }
            // Manifests of an app hold other kinds too.
            _ => {}
        }
    }
    Ok(())
}

fn typed<K: CustomResourceExt + DeserializeOwned>(name: &str, document: Value) -> Result<K, CliError> {
    let crd = K::crd();
    let label = format!("`{name}`, {} `{}`", crd.spec.names.kind, document["metadata"]["name"].as_str().unwrap_or("?"));
    let version = format!("{}/{}", crd.spec.group, crd.spec.versions[0].name);
    if document["apiVersion"] != Value::String(version.clone()) {
        return Err(CliError::new(format!("{label}: apiVersion is {}, expected {version}", document["apiVersion"])));
    }
    let schema = serde_json::to_value(&crd.spec.versions[0].schema)
        .map_err(|error| CliError::new(format!("the schema cannot be read: {error}")))?;
    let schema = &schema["openAPIV3Schema"]["properties"]["spec"];
    let mut unknown = Vec::new();
    unknown_fields(&document["spec"], schema, "spec", &mut unknown);
    refuse(&label, &unknown)?;
    let spec = document["spec"].clone();
    serde_json::from_value(document).map_err(|error| {
        let mut misfits = Vec::new();
        misfits_of(&spec, schema, "spec", &mut misfits);
        refuse(&label, &misfits).err().unwrap_or_else(|| CliError::new(format!("{label}: {error}")))
    })
}

/// One place in a document that does not fit the schema.
struct Misfit {
    text: String,
    nearest: Option<String>,
}

/// The first of them as an error.
fn refuse(label: &str, misfits: &[Misfit]) -> Result<(), CliError> {
    let Some(Misfit { text, nearest }) = misfits.first() else { return Ok(()) };
    let more = if misfits.len() > 1 { format!(" (and {} more)", misfits.len() - 1) } else { String::new() };
    let error = CliError::new(format!("{label}: {text}{more}"));
    Err(match nearest {
        Some(nearest) => error.with_hint(format!("did you mean `{nearest}`?")),
        None => error,
    })
}

/// Fields that the schema does not have, with the nearest one that it has at that place.
fn unknown_fields(value: &Value, schema: &Value, path: &str, unknown: &mut Vec<Misfit>) {
    match value {
        Value::Object(fields) => {
            let known = schema["properties"].as_object();
            for (field, value) in fields {
                let path = format!("{path}.{field}");
                match known {
                    Some(known) => match known.get(field) {
                        Some(schema) => unknown_fields(value, schema, &path, unknown),
                        None => unknown.push(Misfit {
                            text: format!("unknown field `{path}`"),
                            nearest: nearest(field, known.keys().map(String::as_str)).map(str::to_owned),
                        }),
                    },
                    None => unknown_fields(value, &schema["additionalProperties"], &path, unknown),
                }
            }
        }
        Value::Array(items) => {
            for (position, item) in items.iter().enumerate() {
                unknown_fields(item, &schema["items"], &format!("{path}[{position}]"), unknown);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Values that are missing, of another type or none of those listed. Asked for once the whole was refused, to say where.
fn misfits_of(value: &Value, schema: &Value, path: &str, misfits: &mut Vec<Misfit>) {
    let mut misfit = |text: String, nearest: Option<&str>| {
        misfits.push(Misfit { text, nearest: nearest.map(str::to_owned) });
    };
    if value.is_null() {
        if schema["nullable"] != Value::Bool(true) {
            misfit(format!("`{path}` has no value"), None);
        }
        return;
    }
    let expected = schema["type"].as_str().unwrap_or_default();
    let fits = match expected {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        _ => true,
    };
    if !fits {
        return misfit(format!("`{path}` is {}, expected {}", kind_of(value), with_kind(expected)), None);
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        let word = value.as_str().unwrap_or_default();
        let allowed: Vec<_> = allowed.iter().filter_map(Value::as_str).filter(|one| !one.is_empty()).collect();
        let all = allowed.iter().map(|one| format!("`{one}`")).collect::<Vec<_>>().join(", ");
        let known = if allowed.len() > MOST_LISTED { "a known value".to_owned() } else { format!("one of {all}") };
        return misfit(format!("`{path}` is `{word}`, not {known}"), nearest(word, allowed.iter().copied()));
    }
    for field in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.get(field).is_none() {
            misfit(format!("`{path}.{field}` is missing"), None);
        }
    }
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                let inner = schema["properties"].get(field).unwrap_or(&schema["additionalProperties"]);
                misfits_of(value, inner, &format!("{path}.{field}"), misfits);
            }
        }
        Value::Array(items) => {
            for (position, item) in items.iter().enumerate() {
                misfits_of(item, &schema["items"], &format!("{path}[{position}]"), misfits);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

/// A type as the schema names it, in the words of [`kind_of`].
fn with_kind(expected: &str) -> &'static str {
    match expected {
        "object" => "a map",
        "array" => "a list",
        "boolean" => "a boolean",
        "integer" => "a whole number",
        _ => "a string",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> (String, Option<String>) {
        let error = parse("a.yaml", text, &mut Found::default()).expect_err("the text is refused");
        (error.text, error.hint)
    }

    #[test]
    fn an_unknown_field_is_refused_with_the_nearest_name() {
        let (text, hint) = problem(
            "apiVersion: rolecall.dev/v1alpha1\nkind: FunctionIdentityPolicy\nmetadata: {name: orders}\nspec: {mdoe: Enforce}",
        );
        assert_eq!(text, "`a.yaml`, FunctionIdentityPolicy `orders`: unknown field `spec.mdoe`");
        assert_eq!(hint.as_deref(), Some("did you mean `mode`?"));
    }

    #[test]
    fn an_unknown_field_in_a_list_names_its_place() {
        let (text, hint) = problem(
            "apiVersion: rolecall.dev/v1alpha1\nkind: FunctionIdentityPolicy\nmetadata: {name: orders}\n\
             spec: {bindings: [{name: a, resorce: b}]}",
        );
        assert!(text.ends_with("unknown field `spec.bindings[0].resorce`"), "{text}");
        assert_eq!(hint.as_deref(), Some("did you mean `resource`?"));
    }

    #[test]
    fn a_value_that_does_not_fit_names_its_place() {
        const HEAD: &str =
            "apiVersion: rolecall.dev/v1alpha1\nkind: FunctionIdentityPolicy\nmetadata: {name: orders}\nspec: ";
        const REST: &str = "scope: {subscriptionId: a, resourceGroup: b}, resources: {app: c}";
        let table = [
            (
                "{mode: Enforc, target: {resource: app}",
                "`spec.mode` is `Enforc`, not one of `Report`, `DryRun`, `Enforce`",
                Some("did you mean `Enforce`?"),
            ),
            (
                "{target: {resource: app}, vaults: [{resource: app, mode: rbca, identity: system}]",
                "`spec.vaults[0].mode` is `rbca`, not one of `RBAC`, `AccessPolicy`",
                Some("did you mean `RBAC`?"),
            ),
            ("{target: {resource: app}, bindings: [{type: timerTrigger}]", "`spec.bindings[0].name` is missing", None),
            ("{target: {resource: [app]}", "`spec.target.resource` is a list, expected a string", None),
            ("{target: {resource: app}, suspend: 'no'", "`spec.suspend` is a string, expected a boolean", None),
        ];
        for (spec, text, hint) in table {
            let (said, hinted) = problem(&format!("{HEAD}{spec}, {REST}}}"));
            assert_eq!(said, format!("`a.yaml`, FunctionIdentityPolicy `orders`: {text}"));
            assert_eq!(hinted.as_deref(), hint, "{spec}");
        }
    }

    #[test]
    fn a_kind_misspelt_is_refused_with_the_nearest() {
        let (_, hint) = problem("apiVersion: rolecall.dev/v1alpha1\nkind: FunctionIdentityPolcy\n");
        assert_eq!(hint.as_deref(), Some("did you mean `FunctionIdentityPolicy`?"));
    }

    #[test]
    fn names_of_resources_are_free() {
        let text = "apiVersion: rolecall.dev/v1alpha1\nkind: FunctionIdentityPolicy\nmetadata: {name: orders}\n\
             spec: {scope: {subscriptionId: a, resourceGroup: b}, resources: {anything: c}, target: {resource: anything}}\n\
             ---\nkind: Deployment\napiVersion: apps/v1\n";
        let mut found = Found::default();
        assert!(parse("a.yaml", text, &mut found).is_ok());
        assert_eq!(found.policies.len(), 1);
    }
}
