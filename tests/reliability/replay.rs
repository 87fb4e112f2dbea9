//! One schedule again, from the line that a failure printed.

use super::{play::play, schedule::Schedule};

#[test]
#[expect(clippy::disallowed_methods, reason = "whoever looks into a failure names it in the environment")]
fn the_schedule_in_the_environment() {
    let Ok(text) = std::env::var("ROLECALL_REPLAY") else { return };
    let schedule: Schedule = text.parse().unwrap_or_else(|error| panic!("ROLECALL_REPLAY: {error}"));
    let played = play(&schedule);
    println!("{schedule}\n{}", played.journal());
    let broken: Vec<String> = played.broken.iter().map(ToString::to_string).collect();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn a_schedule_goes_the_same_way_twice() {
    for seed in 0..40 {
        let schedule = Schedule::random(seed);
        let (once, twice) = (play(&schedule), play(&schedule));
        assert_eq!(once.journal(), twice.journal(), "{schedule}");
        assert_eq!((once.broken, once.end), (twice.broken, twice.end), "{schedule}");
    }
}
