//! What a process remembers of its own writes. Losing it costs a needless read or an early write at most; nothing is
//! ever written because of it.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};

use crate::{
    model::Scope,
    plan::{Change, Execution, Outcome, Step},
};

/// How long a write of an app's identity block is left alone. App Service may answer 202 and show the old block for a
/// while; written again, the app would restart again.
pub(super) const IDENTITY_SETTLES: SignedDuration = SignedDuration::from_mins(2);

/// When each app's identity block was last written.
#[derive(Debug, Default)]
pub(super) struct IdentityWrites(Mutex<BTreeMap<Scope, Written>>);

/// One write of an identity block, until the host is known to have been made anew.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    pub(super) at: Timestamp,
    /// The app was restarted for it, or may have been.
    pub(super) restarted: bool,
}

impl IdentityWrites {
    /// Whether the step would repeat a write that Azure may still be carrying out.
    pub(super) fn settling(&self, step: &Step, now: Timestamp) -> Option<Outcome> {
        let target = written_block(&step.change)?;
        let written = self.of(target)?;
        let young = now.duration_since(written.at) < IDENTITY_SETTLES;
        young.then(|| Outcome::Moved(format!("the identities of {} were written just now", target.app_name())))
    }

    /// The last write, if this process made one and has not heard of a new host since.
    pub(super) fn of(&self, target: &Scope) -> Option<Written> {
        self.entries().get(target).copied()
    }

    pub(super) fn forget(&self, target: &Scope) {
        self.entries().remove(target);
    }

    /// `sent_at`: when the step's request was sent. Not when all steps were done: a later one may take a minute, and the
    /// host that this write recycled would look older than the write.
    pub(super) fn remember(&self, execution: &Execution, sent_at: impl Fn(&Step) -> Timestamp) {
        for entry in &execution.outcomes {
            let may_have_acted = entry.may_have_acted();
            // What may be half done is not left alone: the app must not stay without its identity.
            let half_done = matches!(entry.step.change, Change::Reattach(_)) && entry.outcome != Outcome::Applied;
            if let (Some(target), true) = (written_block(&entry.step.change), may_have_acted && !half_done) {
                self.entries().insert(target.clone(), Written { at: sent_at(&entry.step), restarted: false });
            }
            // Also when the answer got lost: once is enough.
            if let (Change::Restart(target), true) = (&entry.step.change, may_have_acted)
                && let Some(written) = self.entries().get_mut(target)
            {
                written.restarted = true;
            }
        }
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, BTreeMap<Scope, Written>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whose identity block the change writes, if it does.
fn written_block(change: &Change) -> Option<&Scope> {
    match change {
        Change::Identity(change) => Some(&change.target),
        Change::Reattach(reattach) => Some(&reattach.target),
        Change::Grant(_)
        | Change::AddEntry(_)
        | Change::Switch(_)
        | Change::Revoke(_)
        | Change::Restart(_)
        | Change::Refresh { .. } => None,
    }
}

/// A cap on the writes of the whole fleet: how many were sent within the last hour.
#[derive(Debug)]
pub(super) struct WriteBudget {
    most: Option<usize>,
    sent: Mutex<VecDeque<Timestamp>>,
}

impl WriteBudget {
    pub(super) fn new(most: Option<u32>) -> Self {
        Self { most: most.map(|most| usize::try_from(most).unwrap_or(usize::MAX)), sent: Mutex::default() }
    }

    /// Takes so many writes, or says from when on there may be as many.
    pub(super) fn take(&self, writes: usize, now: Timestamp) -> Result<(), Timestamp> {
        let Some(most) = self.most else { return Ok(()) };
        let hour = SignedDuration::from_hours(1);
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        while sent.front().is_some_and(|at| now.duration_since(*at) >= hour) {
            sent.pop_front();
        }
        if sent.len() + writes <= most {
            sent.extend(std::iter::repeat_n(now, writes));
            return Ok(());
        }
        let oldest = sent.front().copied().unwrap_or(now);
        Err(oldest.saturating_add(hour).unwrap_or(Timestamp::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_hour_rolls() {
        let budget = WriteBudget::new(Some(2));
        assert_eq!([budget.take(1, at(0)), budget.take(1, at(10))], [Ok(()), Ok(())]);
        assert_eq!(budget.take(1, at(20)), Err(at(3600)));
        assert_eq!(budget.take(1, at(3600)), Ok(()));
        assert_eq!(budget.take(1, at(3601)), Err(at(3610)));
        assert_eq!(budget.take(2, at(3611)), Err(at(7200)), "not one of two");
    }

    #[test]
    fn none_means_no_cap_and_zero_means_no_write() {
        assert_eq!(WriteBudget::new(None).take(1, at(0)), Ok(()));
        assert!(WriteBudget::new(Some(0)).take(1, at(0)).is_err());
    }
}
