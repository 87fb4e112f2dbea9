//! The simulator against the recordings: put into the state that a recording implies and asked the same, it answers with the
//! same status, the same members and the same headers. `docs/recordings.md` says for each recording what that proves.

mod compare;
pub(crate) mod page;
mod rows;
mod scenes;
mod stage;

use super::{Recording, recordings};
use compare::differences;
use rows::{Proof, rows};

#[tokio::test(start_paused = true)]
async fn the_simulator_answers_as_recorded() {
    let Some(all) = recordings() else { return };
    let mut wrong = Vec::new();
    for row in rows() {
        let recording = &all[&row.number];
        let (Proof::Made(scene) | Proof::Given(scene)) = row.proof else { continue };
        let answer = scene(recording).play().await;
        let found = differences(recording, &answer);
        wrong.extend(found.into_iter().map(|difference| format!("{}: {difference}", row.number)));
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_rows_say_what_was_recorded() {
    let Some(all) = recordings() else { return };
    for row in rows() {
        let recording = &all[&row.number];
        assert_eq!((row.operation, row.status), (operation(recording).as_str(), recording.status), "{}", row.number);
    }
}

/// Method, type and api-version of a request.
fn operation(recording: &Recording) -> String {
    let segments: Vec<&str> = recording.path.split('/').filter(|segment| !segment.is_empty()).collect();
    let provider = segments.iter().rposition(|segment| segment.eq_ignore_ascii_case("providers"));
    let kind = match provider {
        Some(at) => {
            let types: Vec<&str> = segments[at + 2..].iter().step_by(2).copied().collect();
            format!("{}/{}", segments[at + 1], types.join("/"))
        }
        None if recording.query.is_empty() || recording.query.contains("api-version=7.") => "data plane".to_owned(),
        None => segments.iter().step_by(2).next_back().map(|kind| (*kind).to_owned()).unwrap_or_default(),
    };
    let version = recording.query.split('&').find_map(|pair| pair.strip_prefix("api-version=")).unwrap_or("");
    format!("{} {kind} {version}", recording.method).trim_end().to_owned()
}
