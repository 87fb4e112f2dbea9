//! What the sources of triggers had for them, as the platform counts it: whether there was anything to do while nothing was
//! done.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{Reading, Scope};

/// The steps in which it is counted.
pub const STEP: SignedDuration = SignedDuration::from_mins(5);

/// How many of them are asked for.
pub const STEPS: usize = 3;

/// A quarter of an hour of which both the counts and the telemetry of what was done about them can have arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its beginning.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
}

impl Span {
    /// The last one as of `now`. It begins and ends where steps do, so that each of its steps is whole.
    #[must_use]
    pub fn before(now: Timestamp) -> Self {
        let arrived = now.saturating_sub(STEP).unwrap_or(Timestamp::MIN);
        let second = arrived.as_second();
        let to = Timestamp::from_second(second - second.rem_euclid(STEP.as_secs())).unwrap_or(arrived);
        let from = (0..STEPS).fold(to, |at, _| at.saturating_sub(STEP).unwrap_or(Timestamp::MIN));
        Self { from, to }
    }
}

/// What a source had in that time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Work {
    /// Messages waited in it.
    Waiting {
        /// How many at the least, in all of that time.
        least: u64,
        /// How many at the least, in the last step of it.
        last: u64,
    },
    /// Messages arrived.
    Arrived(u64),
}

impl Work {
    /// Whether there was something to do for certain. What came and went was done by somebody else.
    #[must_use]
    pub fn is_there(self) -> bool {
        matches!(self, Self::Waiting { least: 1.., .. } | Self::Arrived(1..))
    }

    /// Whether there was nothing to do in the end.
    #[must_use]
    pub fn is_none(self) -> bool {
        matches!(self, Self::Waiting { last: 0, .. } | Self::Arrived(0))
    }

    /// How many messages, as far as they are still there.
    #[must_use]
    pub fn count(self) -> u64 {
        match self {
            Self::Waiting { last, .. } => last,
            Self::Arrived(count) => count,
        }
    }
}

/// The sources of an app's triggers.
#[derive(Clone, Debug, PartialEq)]
pub struct Sources {
    /// The time that was asked about.
    pub span: Span,
    /// What each had. One whose counts are not there, or not all of them, is [`Reading::Absent`], which proves nothing.
    pub had: BTreeMap<Scope, Reading<Work>>,
    /// Whether there are others, of which that is not counted or was not asked.
    pub others: bool,
}

impl Sources {
    /// Whether none of them had anything in the end, as far as anything starts functions at all.
    #[must_use]
    pub fn are_idle(&self) -> bool {
        let is_idle = |work: &Reading<Work>| work.present().is_some_and(|work| work.is_none());
        !self.others && !self.had.is_empty() && self.had.values().all(is_idle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_asked_about_is_whole_steps_that_can_have_arrived() {
        for (now, from, to) in [
            ("2026-03-02T09:20:00Z", "2026-03-02T09:00:00Z", "2026-03-02T09:15:00Z"),
            ("2026-03-02T09:24:59Z", "2026-03-02T09:00:00Z", "2026-03-02T09:15:00Z"),
            ("2026-03-02T09:25:00Z", "2026-03-02T09:05:00Z", "2026-03-02T09:20:00Z"),
        ] {
            let [now, from, to] = [now, from, to].map(|it| it.parse().unwrap());
            assert_eq!(Span::before(now), Span { from, to }, "{now}");
        }
    }

    #[test]
    fn what_came_and_went_is_neither_there_nor_missed() {
        let cases = [
            (Work::Waiting { least: 2, last: 7 }, true, false, 7),
            (Work::Waiting { least: 0, last: 7 }, false, false, 7),
            (Work::Waiting { least: 0, last: 0 }, false, true, 0),
            (Work::Arrived(3), true, false, 3),
            (Work::Arrived(0), false, true, 0),
        ];
        for (work, is_there, is_none, count) in cases {
            assert_eq!((work.is_there(), work.is_none(), work.count()), (is_there, is_none, count), "{work:?}");
        }
    }
}
