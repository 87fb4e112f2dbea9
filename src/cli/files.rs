//! Policies and boundaries from YAML. Stricter than the API server, which drops unknown fields unless asked not to:
//! `mdoe: Enforce` must not quietly become `mode: Report`.

use std::{io::Read as _, path::PathBuf};

use kube::CustomResourceExt;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::CliError;
use crate::api::{FunctionIdentityPolicy, GROUP, IdentityBoundary};

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
                return Err(CliError::new(format!("`{name}` has a {GROUP} object of unknown kind `{other}`")));
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
    let mut unknown = Vec::new();
    unknown_fields(&document["spec"], &schema["openAPIV3Schema"]["properties"]["spec"], "spec", &mut unknown);
    if let Some(first) = unknown.first() {
        let more = if unknown.len() > 1 { format!(" (and {} more)", unknown.len() - 1) } else { String::new() };
        let error = CliError::new(format!("{label}: unknown field `{}`{more}", first.path));
        return Err(match &first.nearest {
            Some(nearest) => error.with_hint(format!("did you mean `{nearest}`?")),
            None => error,
        });
    }
    serde_json::from_value(document).map_err(|error| CliError::new(format!("{label}: {error}")))
}

struct Unknown {
    path: String,
    nearest: Option<String>,
}

/// Fields that the schema does not have, with the nearest one that it has at that place.
fn unknown_fields(value: &Value, schema: &Value, path: &str, unknown: &mut Vec<Unknown>) {
    match value {
        Value::Object(fields) => {
            let known = schema["properties"].as_object();
            for (field, value) in fields {
                let path = format!("{path}.{field}");
                match known {
                    Some(known) => match known.get(field) {
                        Some(schema) => unknown_fields(value, schema, &path, unknown),
                        None => unknown.push(Unknown { path, nearest: nearest(field, known.keys()) }),
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

fn nearest<'a>(field: &str, known: impl Iterator<Item = &'a String>) -> Option<String> {
    let field = field.to_lowercase();
    known
        .map(|known| (strsim::damerau_levenshtein(&field, &known.to_lowercase()), known))
        .filter(|(distance, known)| *distance <= known.len().div_ceil(2).min(4))
        .min()
        .map(|(_, known)| known.clone())
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
    fn names_of_resources_are_free() {
        let text = "apiVersion: rolecall.dev/v1alpha1\nkind: FunctionIdentityPolicy\nmetadata: {name: orders}\n\
             spec: {scope: {subscriptionId: a, resourceGroup: b}, resources: {anything: c}, target: {resource: anything}}\n\
             ---\nkind: Deployment\napiVersion: apps/v1\n";
        let mut found = Found::default();
        assert!(parse("a.yaml", text, &mut found).is_ok());
        assert_eq!(found.policies.len(), 1);
    }
}
