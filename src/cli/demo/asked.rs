//! What a person is told who asks `explain` when calls have failed for a while: telemetry may know what no document shows, and
//! while all that is declared is there the operator asks it nothing.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::{
    pipeline::Intent,
    policy::{Authority, Boundary},
    report::{self, PassResult},
    sandbox::scenario::{self, Moment, Played, Scenario},
};

/// How long after somebody did something.
const AFTER: SignedDuration = SignedDuration::from_mins(10);

/// When and what, where apps live and no status names a cause. Nothing where calls do not fail.
pub(super) fn answer(scenario: &Scenario, played: &Played) -> Option<(Timestamp, String)> {
    let names_a_cause = |it: &Moment| matches!(it, Moment::Status { status, .. } if !status.hypothesis.is_empty());
    if scenario.world.hosts.is_empty() || played.moments.iter().any(names_a_cause) {
        return None;
    }
    let boundaries = scenario.boundary.iter().map(Boundary::from).collect();
    let authority = Authority::Boundaries { boundaries, namespaces: BTreeMap::new() };
    let report = scenario::felt(scenario, AFTER, async |pipeline| {
        pipeline.pass(&scenario.policy, &authority, None, Intent::Explain).await
    })?;
    let PassResult::Evaluated(pass) = &report.finding else { return None };
    Some((report.at, report::told_in_a_line(pass)?))
}
