//! What to do about the lease, given how it was seen and what time it is. Values in, values out: it must not know the
//! API server, and it trusts no time but that of this machine's own clocks.

use std::time::Duration;

use crate::clock::Moment;

/// Between the end of everything that we do and the first deed of whoever comes next: for clocks that do not run equally
/// fast, and for a process that takes a moment to end.
const MARGIN: Duration = Duration::from_secs(2);

/// A renewal that succeeded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Renewal {
    /// From before it was sent: others may have seen it at any time since.
    pub(super) sent: Moment,
    /// How long the lease lasts after it.
    pub(super) duration: Duration,
}

/// A lease as the API server shows it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Record {
    /// Who holds it; none when it was released.
    pub(super) holder: Option<String>,
    /// How long its holder relies on it after a renewal.
    pub(super) duration: Duration,
    /// Differs after every write.
    pub(super) version: String,
}

/// A lease as we have seen it.
#[derive(Clone, Debug)]
pub(super) struct Sight {
    /// The holder of the last that was there: a lease that somebody deletes still has a holder, who relies on it.
    holder: Option<String>,
    duration: Duration,
    /// None when there is none now.
    version: Option<String>,
    /// Since when it has not been renewed, as far as we saw.
    since: Moment,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Move {
    /// Create the lease in our name.
    Create,
    /// Put our name into the lease that is there, or renew it.
    Replace,
    /// Somebody else may rely on it for so much longer.
    Wait(Duration),
    /// We led and may not any more.
    Lose(LeaseLost),
}

/// We led and may not any more: another operator may act from now on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeaseLost {
    /// Another operator holds the lease.
    #[error("the lease was taken over by `{by}`")]
    Taken {
        /// Its identity.
        by: String,
    },
    /// The API server took no renewal.
    #[error("the lease was not renewed within {} s", within.as_secs())]
    NotRenewed {
        /// How long it was tried.
        within: Duration,
    },
}

impl Renewal {
    /// For how long it counts.
    pub(super) fn lasts(&self) -> Duration {
        self.duration.saturating_sub(MARGIN)
    }

    /// Whether something may begin now that takes up to `longest`: it is over while this still counts.
    pub(super) fn permits(&self, longest: Duration, now: &Moment) -> bool {
        now.at_most_since(&self.sent).saturating_add(longest) < self.lasts()
    }
}

impl Sight {
    /// What is known before the first look.
    pub(super) fn nothing(now: Moment) -> Self {
        Self { holder: None, duration: Duration::ZERO, version: None, since: now }
    }

    /// What is known after a look that ended `now`. The holder counts from before the write that we saw, so we count from
    /// after the look.
    pub(super) fn after(self, found: Option<Record>, now: Moment) -> Self {
        match found {
            None => Self { version: None, ..self },
            Some(Record { holder, duration, version }) => {
                let since = if self.version.as_ref() == Some(&version) { self.since } else { now };
                Self { holder, duration, version: Some(version), since }
            }
        }
    }

    /// Who holds it.
    pub(super) fn holder(&self) -> Option<&str> {
        self.holder.as_deref()
    }
}

/// What `us` does next. `renewal`: our last one; none while we do not lead.
pub(super) fn next(us: &str, renewal: Option<&Renewal>, sight: &Sight, now: &Moment) -> Move {
    if let Some(renewal) = renewal
        && !renewal.permits(Duration::ZERO, now)
    {
        return Move::Lose(LeaseLost::NotRenewed { within: renewal.lasts() });
    }
    let claim = if sight.version.is_some() { Move::Replace } else { Move::Create };
    match sight.holder() {
        None => claim,
        Some(holder) if holder == us => claim,
        Some(holder) if renewal.is_some() => Move::Lose(LeaseLost::Taken { by: holder.to_owned() }),
        Some(_) => match sight.duration.saturating_sub(now.at_least_since(&sight.since)) {
            Duration::ZERO => claim,
            left => Move::Wait(left),
        },
    }
}

#[cfg(test)]
mod tests;
