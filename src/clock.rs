//! The one place that reads the time. Everything else takes a [`Clock`] or a timestamp as an argument, so that
//! a run can be repeated exactly.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Where "now" comes from.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// The wall clock of the machine.
    System,
    /// A chosen moment that advances with tokio's clock. Under `tokio::time::pause` it moves only when everything
    /// waits, which makes hours of simulated time cost milliseconds.
    Simulated {
        /// What `now` was at `origin`.
        start: Timestamp,
        /// When the simulation began, on tokio's clock.
        origin: tokio::time::Instant,
    },
}

impl Clock {
    /// A simulated clock that shows `start` now.
    #[must_use]
    pub fn starting_at(start: Timestamp) -> Self {
        Self::Simulated { start, origin: tokio::time::Instant::now() }
    }

    /// The current time of this clock.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the seam that everything else goes through")]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp::now(),
            Self::Simulated { start, origin } => {
                let elapsed = SignedDuration::try_from(origin.elapsed()).unwrap_or(SignedDuration::MAX);
                start.saturating_add(elapsed).unwrap_or(Timestamp::MAX)
            }
        }
    }
}

/// A moment as both clocks of a machine show it: the one that people set, and tokio's, which only ever goes forward but
/// may stand still while the machine is suspended. They tell how long something took from two sides.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The clock that people read.
    pub wall: Timestamp,
    /// Tokio's.
    pub steady: tokio::time::Instant,
}

impl Clock {
    /// This moment on both clocks.
    #[must_use]
    pub fn moment(&self) -> Moment {
        Moment { wall: self.now(), steady: tokio::time::Instant::now() }
    }
}

impl Moment {
    /// The time that has certainly passed since `earlier`, for whoever waits until something is over.
    #[must_use]
    pub fn at_least_since(&self, earlier: &Self) -> Duration {
        self.steady.saturating_duration_since(earlier.steady)
    }

    /// The time that may have passed since `earlier`, for whoever must have ended by then: the longer of what the clocks
    /// say, because one misses the time of a suspended machine, and the other may be set back.
    #[must_use]
    pub fn at_most_since(&self, earlier: &Self) -> Duration {
        let by_wall = Duration::try_from(self.wall.duration_since(earlier.wall)).unwrap_or_default();
        self.at_least_since(earlier).max(by_wall)
    }
}
