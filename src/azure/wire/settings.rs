//! The settings of an app. Their values may be secrets, so no error repeats any part of the answer.

use serde_json::Value;

use crate::model::{AppSettings, Failure, FailureClass};

pub(in crate::azure) fn settings(document: &Value) -> Result<AppSettings, Failure> {
    match document.get("properties") {
        // An app without settings.
        Some(Value::Null) | None => Ok(AppSettings::default()),
        Some(Value::Object(settings)) => {
            let texts = settings.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
            Ok(AppSettings::read(texts))
        }
        Some(_) => {
            let text = "the app's settings cannot be understood: they are no map";
            Err(Failure::new(FailureClass::Bug, "UndecodableAnswer", text))
        }
    }
}
