//! What a person is told who asks `explain` when calls have failed for a while: telemetry may know what no document shows, and
//! while all that is declared is there the operator asks it nothing.

use std::{collections::BTreeMap, time::Duration};

use jiff::SignedDuration;

use super::{Scenario, play};
use crate::{
    clock::Clock,
    evaluate::{Case, Side},
    pipeline::Intent,
    policy::{Authority, Boundary},
    report::{Pass, PassResult},
    sandbox::arm::ArmSim,
};

/// How long after somebody did something.
const AFTER: SignedDuration = SignedDuration::from_mins(10);

/// Waits until somebody has done something where apps live, and asks ten minutes later. Nothing where calls do not fail.
pub(super) async fn ask(scenario: Scenario, arm: ArmSim, clock: Clock) -> Option<play::Moment> {
    let deed = scenario.then.first().filter(|_| !scenario.world.hosts.is_empty())?;
    let after = Duration::try_from(deed.after + AFTER).expect("deeds come after the beginning");
    tokio::time::sleep(after).await;
    let boundaries = scenario.boundary.iter().map(Boundary::from).collect();
    let authority = Authority::Boundaries { boundaries, namespaces: BTreeMap::new() };
    let report = play::pipeline(&scenario, &arm, clock).pass(&scenario.policy, &authority, None, Intent::Explain).await;
    let PassResult::Evaluated(pass) = &report.finding else { return None };
    Some(play::Moment::Asked { at: report.at, says: answer(pass)? })
}

/// The cause and what telemetry says of it; without one what speaks for something that stays open.
fn answer(pass: &Pass) -> Option<String> {
    let told = |case: &Case| {
        let speaks = case.telemetry.iter().filter(|seen| seen.side == Side::For);
        // What has one reason before what has several.
        speaks.min_by_key(|seen| seen.ambiguous.is_some()).map(|seen| seen.says.clone())
    };
    let mut cases = pass.explanation.cases.iter();
    let Some(cause) = pass.evaluation.decision.cause else {
        let (case, says) = cases.find_map(|case| Some((case, told(case)?)))?;
        return Some(format!("no cause is certain; {:?} stays open: {says}", case.hypothesis));
    };
    let says = cases.find(|case| case.hypothesis == cause).and_then(told)?;
    let severity = pass.evaluation.severity.map(|severity| format!(", {}", severity.word())).unwrap_or_default();
    Some(format!("{cause:?}{severity}: {says}"))
}
