//! What needs no knowledge of a family.

use serde_json::{Value, json};

use super::{beside, path};
use crate::recorded::{Recording, simulated::stage::Stage};

/// The document that is answered was there.
pub(in crate::recorded::simulated) fn document(recording: &Recording) -> Stage {
    let path = path(recording);
    Stage::of(recording).inside_of(&path).with(recording.body.clone())
}

/// What lies above is there, and what the request names is not.
pub(in crate::recorded::simulated) fn absent(recording: &Recording) -> Stage {
    Stage::of(recording).inside_of(&path(recording))
}

/// The same, and the resource group that the request names is there.
pub(in crate::recorded::simulated) fn absent_but_group(recording: &Recording) -> Stage {
    let group = path(recording);
    Stage::of(recording).with(json!({ "id": group, "name": "group", "location": "westeurope", "properties": {} }))
}

/// The subscription is there and the resource group is not.
pub(in crate::recorded::simulated) fn no_group(recording: &Recording) -> Stage {
    let path = path(recording);
    let subscription: Vec<&str> = path.split('/').take(3).collect();
    Stage::of(recording).with(json!({ "id": subscription.join("/") }))
}

/// The items of the list were there, and the same kind of thing in a place beside.
pub(in crate::recorded::simulated) fn listed(recording: &Recording) -> Stage {
    let path = path(recording);
    let items = recording.body["value"].as_array().expect("a list").iter().cloned();
    Stage::of(recording).inside_of(&path).with_all(items).with(foreign(&path)).inside_of(&foreign_path(&path))
}

/// One of the same kind in another subscription, in another resource group, or of another parent.
fn foreign(path: &str) -> Value {
    let id = format!("{}/foreign", foreign_path(path));
    json!({ "id": id, "name": "foreign", "location": "westeurope", "properties": {} })
}

/// The collection of that name in a place beside.
fn foreign_path(path: &str) -> String {
    let (above, kind) = path.rsplit_once('/').expect("a path of a collection");
    // `…/providers/Microsoft.Web` is of no place: what precedes it is.
    let (place, provider) = match above.rsplit_once('/') {
        Some((front, namespace)) if front.to_lowercase().ends_with("/providers") => {
            (&front[..front.len() - "/providers".len()], format!("/providers/{namespace}"))
        }
        _ => (above, String::new()),
    };
    format!("{}{provider}/{kind}", beside(place))
}
