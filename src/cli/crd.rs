//! `crd`: the custom resource definitions as YAML, as in `crds/`.

use kube::CustomResourceExt;
use serde_json::Value;

use super::CliError;
use crate::api::{FunctionIdentityPolicy, IdentityBoundary};

pub(super) fn print() -> Result<(), CliError> {
    for (_, text) in definitions()? {
        super::print(&format!("---\n{text}"));
    }
    Ok(())
}

/// File name and text of each definition.
pub fn definitions() -> Result<Vec<(String, String)>, CliError> {
    let definitions = [FunctionIdentityPolicy::crd(), IdentityBoundary::crd()];
    let texts = definitions.into_iter().map(|crd| {
        let unprintable =
            |error: &dyn std::fmt::Display| CliError::new(format!("a definition cannot be printed: {error}"));
        let name = crd.metadata.name.clone().unwrap_or_default();
        let mut document = serde_json::to_value(&crd).map_err(|error| unprintable(&error))?;
        without_nulls(&mut document);
        let text = serde_saphyr::to_string(&document).map_err(|error| unprintable(&error))?;
        Ok((format!("{name}.yaml"), text))
    });
    texts.collect()
}

fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
