//! Writes that are answered before they are done: where their progress is asked for, and what it says.
//!
//! What such a write changes is there at once; only the answers speak of a later time.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::call::Call;
use super::path;
use super::reply::{Outcome, Reply, not_found};
use super::state::{State, azure_time, derived};

/// How one provider tells of its operations.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    /// The provider.
    namespace: &'static str,
    /// The type of the operations at a location.
    status: &'static str,
    /// What the operation says when it is first asked for; then it has succeeded.
    first: &'static str,
    /// Whether the status is a document with a name and times, and not the word alone.
    document: bool,
    /// Where the result is asked for; none when there is no `location` header.
    result: Option<Place>,
}

/// Where the result of an operation is asked for.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// At the location, under this type.
    Location(&'static str),
    /// Below the resource.
    Resource,
}

/// Microsoft.DocumentDB (recorded; the first word is none of the documented ones).
pub(super) const COSMOS: Progress = Progress {
    namespace: "Microsoft.DocumentDB",
    status: "operationsStatus",
    first: "Dequeued",
    document: false,
    result: Some(Place::Resource),
};

/// Microsoft.App (recorded).
pub(super) const CONTAINER_APPS: Progress = Progress {
    namespace: "Microsoft.App",
    status: "containerappOperationStatuses",
    first: "InProgress",
    document: true,
    result: Some(Place::Location("containerappOperationResults")),
};

/// Microsoft.Compute (the header is recorded; the body of the status is that of its documentation).
pub(super) const COMPUTE: Progress = Progress {
    namespace: "Microsoft.Compute",
    status: "operations",
    first: "InProgress",
    document: true,
    result: None,
};

const ALL: [Progress; 3] = [COSMOS, CONTAINER_APPS, COMPUTE];

/// An operation that was begun.
#[derive(Debug)]
struct Operation {
    began: Timestamp,
    asked: u32,
    /// What the result is when it is done; null for nothing.
    result: Value,
}

/// All operations, by id.
#[derive(Debug, Default)]
pub(super) struct Operations {
    begun: BTreeMap<String, Operation>,
}

/// Begins an operation on a resource and adds the headers that tell where it can be followed.
pub(super) fn begin(
    state: &mut State,
    call: &Call,
    reply: Reply,
    of: Progress,
    result: Value,
    now: Timestamp,
) -> Reply {
    let Progress { namespace, status, result: place, .. } = of;
    let id = derived(&format!("{}/operation-{}", call.address.path, state.operations.begun.len()));
    state.operations.begun.insert(id.clone(), Operation { began: now, asked: 0, result });
    let subscription = path::subscription(&call.address.path).unwrap_or("");
    let version = call.parameter("api-version").unwrap_or("");
    let location = format!(
        "{}/subscriptions/{subscription}/providers/{namespace}/locations/{}",
        call.origin(),
        region(state, call)
    );
    let reply = reply.with_header("azure-asyncoperation", format!("{location}/{status}/{id}?api-version={version}"));
    match place {
        None => reply,
        Some(Place::Location(results)) => {
            reply.with_header("location", format!("{location}/{results}/{id}?api-version={version}"))
        }
        Some(Place::Resource) => {
            let resource = format!("{}{}", call.origin(), call.address.path);
            reply.with_header("location", format!("{resource}/operationResults/{id}?api-version={version}"))
        }
    }
}

/// The region of the resource, or of what it lies in, as it is in paths: `eastus2` of `East US 2`.
fn region(state: &State, call: &Call) -> String {
    let path = &call.address.path;
    let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
    let mut above = ends.rev().filter_map(|end| state.document(&path[..end])?["location"].as_str());
    above.next().unwrap_or("global").replace(' ', "").to_lowercase()
}

/// The answer to a question after an operation; none when the path is of nothing of the kind.
pub(super) fn answer(state: &mut State, call: &Call) -> Option<Outcome> {
    let address = &call.address;
    let kind = address.types.last()?;
    let asks_status = |of: &&Progress| kind.eq_ignore_ascii_case(of.status);
    let asks_result = |of: &&Progress| match of.result {
        None => false,
        Some(Place::Location(results)) => kind.eq_ignore_ascii_case(results),
        Some(Place::Resource) => kind.eq_ignore_ascii_case("operationResults"),
    };
    let of_provider = ALL.iter().find(|of| address.namespace.eq_ignore_ascii_case(of.namespace))?;
    let (status, result) = (asks_status(&of_provider), asks_result(&of_provider));
    if address.is_collection() || !(status || result) {
        return None;
    }
    let Some(operation) = state.operations.begun.get_mut(address.name()) else { return Some(Err(not_found(address))) };
    operation.asked += 1;
    let done = operation.asked > 1;
    if result {
        let reply = match &operation.result {
            _ if !done => Reply::empty(202),
            Value::Null => Reply::empty(200),
            document => Reply::document(200, document.clone()),
        };
        return Some(Ok(reply));
    }
    let word = if done { "Succeeded" } else { of_provider.first };
    let mut body = json!({ "status": word });
    if of_provider.document {
        body["id"] = address.path.as_str().into();
        body["name"] = address.name().into();
        body["startTime"] = azure_time(operation.began).trim_end_matches('Z').into();
    }
    Some(Ok(Reply::document(200, body)))
}
