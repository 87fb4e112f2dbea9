//! Many schedules with several faults each, over small towns.

use super::{many::play_all, schedule::Schedule};

/// How many are played: enough to find in a debug build what is badly broken, and all of them in the profile `fast`.
const SCHEDULES: usize = if cfg!(debug_assertions) { 100 } else { 100_000 };

/// How many schedules: another number is a question of patience, not of the code.
#[expect(clippy::disallowed_methods, reason = "whoever has more time asks for more in the environment")]
fn schedules() -> usize {
    std::env::var("ROLECALL_SCHEDULES").map_or(SCHEDULES, |text| text.parse().expect("ROLECALL_SCHEDULES is a number"))
}

#[test]
fn whatever_happens_together_every_property_holds() {
    let tally = play_all(schedules(), |number| Schedule::random(number as u64));
    println!("{} schedules, {} faults met, {} calls", tally.schedules, tally.met, tally.calls);
    tally.assert_unbroken();
}
