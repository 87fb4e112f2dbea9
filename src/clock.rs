//! The one place that reads the time. Everything else takes a [`Clock`] or a timestamp as an argument, so that
//! a run can be repeated exactly.

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
