//! Every call of every scenario, and at each everything that can happen there. All of it in the profile `fast` (`make
//! reliability`); the debug build of `make test` takes every so many.

use super::{
    fault::{Act, Deed, Fault},
    many::play_all,
    play::undisturbed,
    schedule::{Place, Schedule},
    stage::scenarios,
};

/// A crash at every call: before it, after it took effect, and with the request still on its way.
const CRASHES: [Fault; 3] = [Fault::CrashBefore, Fault::CrashAfter, Fault::CrashLate];

/// No answer, or one that is lost, while the process goes on.
const SILENCES: [Fault; 5] = [Fault::AnswerLost, Fault::Hang, Fault::Late, Fault::Reset(1), Fault::Reset(3)];

const fn refused(status: u16, retry_after: Option<u16>, times: u8) -> Fault {
    Fault::Refused { status, retry_after, times }
}

/// Refusals: once, and until the client gives up.
const REFUSALS: [Fault; 9] = [
    refused(403, None, 1),
    refused(404, None, 1),
    refused(409, None, 1),
    refused(429, None, 1),
    refused(429, Some(7), 3),
    refused(429, Some(240), 1),
    refused(500, None, 1),
    refused(500, None, 3),
    refused(503, None, 1),
];

/// Answers that are not true any more, or not whole; events that are missed.
const LIES: [Fault; 6] =
    [Fault::Stale, Fault::StaleOldest, Fault::Empty, Fault::HalfList, Fault::Reversed, Fault::Deaf(300)];

/// What somebody else can do.
fn deeds() -> Vec<Fault> {
    let of_many = |act: &Act| {
        matches!(act, Act::GrantRemoved | Act::GrantAdded | Act::GrantConditioned | Act::ConditionedGrantAdded)
    };
    let picks = |act: &Act| if of_many(act) { 0..4 } else { 0..1 };
    let all = Act::ALL.iter().flat_map(|act| picks(act).map(|pick| Deed { act: *act, policy: 0, pick }));
    all.map(Fault::Somebody).collect()
}

/// Every point at which one of the faults can happen.
fn points(faults: &[Fault]) -> Vec<Schedule> {
    let mut points = Vec::new();
    for name in scenarios() {
        let place = Place::Scenario(name);
        let played = undisturbed(&place);
        for call in &played.calls[..played.at_rest] {
            let possible = faults.iter().filter(|fault| fault.applies_to(call));
            points.extend(possible.map(|fault| Schedule::at(&place, call.number, *fault)));
        }
    }
    points
}

/// Plays every point, or in a debug build every `stride`th.
fn hold_at(faults: &[Fault], stride: usize) {
    let points = points(faults);
    let stride = if cfg!(debug_assertions) { stride } else { 1 };
    let chosen: Vec<_> = points.iter().step_by(stride).collect();
    let tally = play_all(chosen.len(), |number| chosen[number].clone());
    println!("{} of {} points, {} calls", tally.schedules, points.len(), tally.calls);
    tally.assert_unbroken();
}

#[test]
fn what_is_not_disturbed_holds_every_property() {
    for name in scenarios() {
        let played = undisturbed(&Place::Scenario(name.clone()));
        let broken: Vec<String> = played.broken.iter().map(ToString::to_string).collect();
        assert!(broken.is_empty(), "{name}:\n{}", broken.join("\n"));
    }
}

#[test]
fn a_crash_at_any_call_changes_nothing_in_the_end() {
    hold_at(&CRASHES, 29);
}

#[test]
fn an_answer_that_does_not_come_changes_nothing_in_the_end() {
    hold_at(&SILENCES, 61);
}

#[test]
fn a_refusal_of_any_call_changes_nothing_in_the_end() {
    hold_at(&REFUSALS, 101);
}

#[test]
fn an_untrue_answer_to_any_call_changes_nothing_in_the_end() {
    hold_at(&LIES, 71);
}

#[test]
fn whatever_somebody_else_does_at_any_call_every_property_holds() {
    hold_at(&deeds(), 401);
}
