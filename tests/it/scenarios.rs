//! The demo's incidents, held word by word: the timeline, the last status and every request that changes something.

use rolecall::sandbox::scenario::{self, Moment};

#[test]
fn every_scenario_ends_as_it_must_and_tells_the_same_twice() {
    for scenario in scenario::all() {
        let first = scenario::play(&scenario);
        assert!(first.complaints.is_empty(), "{}: {}", scenario.name, first.complaints.join("; "));
        let second = scenario::play(&scenario);
        assert_eq!(first.moments, second.moments, "{} went differently the second time", scenario.name);
    }
}

#[test]
fn status_and_requests_are_what_they_were() {
    for scenario in scenario::all() {
        let played = scenario::play(&scenario);
        let mut lines = Vec::new();
        let mut last = None;
        for moment in &played.moments {
            match moment {
                Moment::Write { at, method, path, body, answered } => {
                    lines.push(format!("{at} {method} {path}\n{body}\n→ {answered:?}"));
                }
                Moment::Status { status, .. } => last = Some(status),
                Moment::App { at, says } => lines.push(format!("{at} app {says}")),
                Moment::Deed { at, says } => lines.push(format!("{at} somebody {says}")),
                Moment::Event { at, reason, note } => lines.push(format!("{at} event {reason}: {note}")),
            }
        }
        let status = last.map(|status| serde_json::to_value(status).expect("a status is JSON"));
        let requests = if lines.is_empty() { "none".to_owned() } else { lines.join("\n") };
        insta::with_settings!({ snapshot_path => "snapshots/scenarios", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(
                scenario.name.clone(),
                format!("requests:\n{requests}\n\nlast status:\n{:#}", status.unwrap_or_default())
            );
        });
    }
}
