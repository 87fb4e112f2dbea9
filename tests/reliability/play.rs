//! Plays one schedule from its beginning to its end, and says which properties did not hold.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock, Mutex},
};

use super::{
    deeds,
    driver::{Driver, Rest},
    ledger::Broken,
    properties::{self, End},
    run::Run,
    schedule::{Place, Schedule},
    stage::Stage,
};

/// How a schedule went.
#[derive(Clone, Debug)]
pub(super) struct Played {
    pub(super) broken: Vec<Broken>,
    pub(super) end: End,
    /// What was sent, in all.
    pub(super) calls: Vec<super::ledger::Call>,
    /// How many calls there were when everything was at rest.
    pub(super) at_rest: usize,
    /// Faults that could happen where they were to.
    pub(super) met: u32,
}

impl Played {
    /// Every call, as text.
    pub(super) fn journal(&self) -> String {
        self.calls.iter().flat_map(|call| [call.to_string(), "\n".to_owned()]).collect()
    }
}

/// How a place ends, and what is sent there, when nothing disturbs. Played once for each place.
pub(super) fn undisturbed(place: &Place) -> Arc<Played> {
    static KNOWN: LazyLock<Mutex<BTreeMap<Place, Arc<Played>>>> = LazyLock::new(Mutex::default);
    let known = KNOWN.lock().expect("no code panics while it holds this lock").get(place).cloned();
    known.unwrap_or_else(|| {
        let played = Arc::new(run_alone(&Schedule::undisturbed(place.clone()), None));
        let mut all = KNOWN.lock().expect("no code panics while it holds this lock");
        all.entry(place.clone()).or_insert(played).clone()
    })
}

fn stage(place: &Place) -> Arc<Stage> {
    static KNOWN: LazyLock<Mutex<BTreeMap<Place, Arc<Stage>>>> = LazyLock::new(Mutex::default);
    let mut known = KNOWN.lock().expect("a place can be built");
    known.entry(place.clone()).or_insert_with(|| Arc::new(Stage::of(place))).clone()
}

/// Plays the schedule.
pub(super) fn play(schedule: &Schedule) -> Played {
    run_alone(schedule, Some(&undisturbed(&schedule.place).end))
}

fn run_alone(schedule: &Schedule, undisturbed: Option<&End>) -> Played {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime on this thread needs nothing that can be missing");
    runtime.block_on(run(schedule, undisturbed))
}

async fn run(schedule: &Schedule, undisturbed: Option<&End>) -> Played {
    let run = Run::new(schedule, stage(&schedule.place));
    let mut driver = Driver::new(run.clone(), schedule.operators);
    let mut rest = driver.settle().await;
    for deed in &run.stage.then {
        if rest == Rest::Settled {
            deeds::happen(&run, deed).await;
            rest = driver.settle().await;
        }
    }
    // What was not met by now is never met: the end is to be without faults.
    let at_rest = {
        let mut ledger = run.ledger();
        ledger.faults.clear();
        ledger.again.clear();
        ledger.calls.len()
    };
    let end = End::of(&run);
    // Once more by the same processes, when all that they remember is old, and by new ones. Of drawn schedules every
    // eighth, one way or the other.
    let (same, new) = match schedule.order {
        0 => (true, true),
        order => (order % 16 == 0, order % 16 == 1),
    };
    if rest == Rest::Settled && same {
        tokio::time::sleep(2 * super::process::SURVEY_AGE).await;
        driver.ask_for_passes();
        rest = driver.settle().await;
    }
    if rest == Rest::Settled && new {
        driver.restart();
        rest = driver.settle().await;
    }
    let mut ledger = run.ledger();
    properties::judge(&mut ledger, &run, rest, at_rest);
    let order_matters = schedule.faults.values().any(|fault| fault.changes_the_end());
    if let (Some(undisturbed), false) = (undisturbed, order_matters) {
        properties::compare(&mut ledger, &end, undisturbed);
    }
    Played {
        broken: std::mem::take(&mut ledger.broken),
        end,
        calls: std::mem::take(&mut ledger.calls),
        at_rest,
        met: ledger.met,
    }
}
