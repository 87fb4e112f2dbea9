//! The operations of RFC 6902 that kube itself sends (its `finalizer` tests, adds and removes). The others are
//! refused by name.

use serde_json::Value;

/// Runs all operations on `object`, or says which one cannot be.
pub(super) fn apply(object: &mut Value, operations: &Value) -> Result<(), String> {
    let Some(operations) = operations.as_array() else {
        return Err("a JSON patch is a list of operations".to_owned());
    };
    operations.iter().try_for_each(|operation| run(object, operation))
}

fn run(object: &mut Value, operation: &Value) -> Result<(), String> {
    let path = operation["path"].as_str().unwrap_or_default();
    let value = &operation["value"];
    match operation["op"].as_str().unwrap_or_default() {
        "test" if object.pointer(path).unwrap_or(&Value::Null) == value => Ok(()),
        "test" => Err(format!("testing value {path} failed")),
        "replace" => {
            let target = object.pointer_mut(path).ok_or_else(|| missing(path))?;
            *target = value.clone();
            Ok(())
        }
        "add" => add(object, path, value),
        "remove" => remove(object, path),
        other => Err(format!("the sandbox does not play the JSON patch operation {other:?}")),
    }
}

fn add(object: &mut Value, path: &str, value: &Value) -> Result<(), String> {
    let (parent, key) = split(path)?;
    match object.pointer_mut(parent) {
        Some(Value::Object(fields)) => {
            fields.insert(unescape(key), value.clone());
            Ok(())
        }
        Some(Value::Array(items)) => {
            let index = if key == "-" { Some(items.len()) } else { key.parse().ok() };
            let index = index.filter(|index| *index <= items.len()).ok_or_else(|| missing(path))?;
            items.insert(index, value.clone());
            Ok(())
        }
        Some(_) | None => Err(missing(path)),
    }
}

fn remove(object: &mut Value, path: &str) -> Result<(), String> {
    let (parent, key) = split(path)?;
    let removed = match object.pointer_mut(parent) {
        Some(Value::Object(fields)) => fields.remove(&unescape(key)),
        Some(Value::Array(items)) => {
            key.parse().ok().filter(|index: &usize| *index < items.len()).map(|index| items.remove(index))
        }
        Some(_) | None => None,
    };
    removed.map(drop).ok_or_else(|| missing(path))
}

fn split(path: &str) -> Result<(&str, &str), String> {
    path.rsplit_once('/').ok_or_else(|| missing(path))
}

fn unescape(key: &str) -> String {
    key.replace("~1", "/").replace("~0", "~")
}

fn missing(path: &str) -> String {
    format!("the path {path:?} does not exist")
}
