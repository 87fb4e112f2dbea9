//! Plays many schedules on several threads, each with a runtime and a clock of its own, and tells of the first that
//! broke something in as few words as will do.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    num::NonZero,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use super::{
    play::{Played, play},
    schedule::Schedule,
};

/// What many schedules came to.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) schedules: usize,
    pub(super) calls: usize,
    /// Faults that could happen where they were to.
    pub(super) met: usize,
    /// The schedules that broke something, by what they broke first.
    pub(super) broken: BTreeMap<&'static str, Vec<Schedule>>,
}

/// How many broken schedules are enough to stop.
const ENOUGH: usize = 40;

/// Plays the schedules 0 to `count`, as `schedule` makes them.
pub(super) fn play_all(count: usize, schedule: impl Fn(usize) -> Schedule + Sync) -> Tally {
    let (next, enough, tally) = (AtomicUsize::new(0), AtomicBool::new(false), Mutex::new(Tally::default()));
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !enough.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    let schedule = schedule(number);
                    let Played { broken, calls, met, .. } = play(&schedule);
                    let mut tally = tally.lock().expect("no thread panics while it holds this lock");
                    tally.schedules += 1;
                    tally.calls += calls.len();
                    tally.met += met as usize;
                    if let Some(first) = broken.first() {
                        tally.broken.entry(first.property).or_default().push(schedule);
                        enough.store(tally.broken.values().map(Vec::len).sum::<usize>() >= ENOUGH, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    tally.into_inner().expect("no thread panicked")
}

impl Tally {
    /// Fails with the shrunk trace of one schedule for each property that was broken.
    pub(super) fn assert_unbroken(&self) {
        if self.broken.is_empty() {
            return;
        }
        let mut text = String::new();
        for (property, schedules) in &self.broken {
            let simplest = schedules.iter().min_by_key(|schedule| (schedule.faults.len(), schedule.operators));
            let Some(simplest) = simplest else { continue };
            let small = shrunk(simplest, property);
            let played = play(&small);
            writeln!(text, "{property} is broken by {} of {} schedules", schedules.len(), self.schedules)
                .and_then(|()| writeln!(text, "  as in   {simplest}\n  shrunk  {small}"))
                .expect("a text takes everything");
            for broken in &played.broken {
                writeln!(text, "  {broken}").expect("a text takes everything");
            }
            writeln!(text, "  to keep  {}", small.named(&played.calls)).expect("a text takes everything");
            writeln!(text, "  ROLECALL_REPLAY='{small}' cargo test --test reliability replay -- --nocapture\n")
                .expect("a text takes everything");
        }
        panic!("\n{text}");
    }
}

/// The schedule with everything left out that is not needed to break the property.
pub(super) fn shrunk(schedule: &Schedule, property: &str) -> Schedule {
    let mut small = schedule.clone();
    'smaller: loop {
        for candidate in small.smaller() {
            if play(&candidate).broken.iter().any(|broken| broken.property == property) {
                small = candidate;
                continue 'smaller;
            }
        }
        return small;
    }
}
