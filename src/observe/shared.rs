//! Readings that many policies share: each read by one at a time, and again when it is too old.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use crate::{clock::Clock, model::Failure};

/// How long a failed reading is shared: a retry that sees the failure from before is none.
const AFTER_A_FAILURE: SignedDuration = SignedDuration::from_secs(3);

/// The longest time that a refused reading is not tried again, whatever Azure says: the other lists of a survey age
/// meanwhile.
const LONGEST_SILENCE: SignedDuration = SignedDuration::from_mins(5);

/// One reading.
#[derive(Debug)]
struct Made<V> {
    began: Timestamp,
    ended: Timestamp,
    value: V,
}

type Slot<V> = Arc<Mutex<Option<Made<V>>>>;

/// Readings by key.
#[derive(Debug)]
pub(super) struct Readings<K, V> {
    clock: Clock,
    max_age: SignedDuration,
    slots: Mutex<BTreeMap<K, Slot<V>>>,
}

impl<K: Ord + Clone, V: Clone> Readings<K, V> {
    pub(super) fn new(clock: Clock, max_age: SignedDuration) -> Self {
        Self { clock, max_age, slots: Mutex::default() }
    }

    /// The reading of `key`, made now if there is none that is young enough and not older than `not_before`. Whoever
    /// comes while it is being made waits for it.
    pub(super) async fn get(
        &self,
        key: &K,
        not_before: Timestamp,
        failure: impl Fn(&V) -> Option<&Failure>,
        read: impl AsyncFnOnce() -> V,
    ) -> V {
        let slot = self.slots.lock().await.entry(key.clone()).or_default().clone();
        let mut slot = slot.lock().await;
        let now = self.clock.now();
        if let Some(Made { began, ended, value }) = &*slot {
            let max_age = match failure(value) {
                None => self.max_age,
                // Not sooner than Azure asked for.
                Some(Failure { retry_after: Some(told), .. }) => {
                    SignedDuration::try_from(*told).unwrap_or(LONGEST_SILENCE).min(LONGEST_SILENCE)
                }
                Some(_) => self.max_age.min(AFTER_A_FAILURE),
            };
            // Its age counts from its end, so that those who waited for a slow one share it; what it knows is as old as
            // its beginning.
            if now.duration_since(*ended) < max_age && *began >= not_before {
                return value.clone();
            }
        }
        let value = read().await;
        *slot = Some(Made { began: now, ended: self.clock.now(), value: value.clone() });
        value
    }

    /// What was read of `key`, however long ago, and when that began.
    pub(super) async fn known(&self, key: &K) -> Option<(Timestamp, V)> {
        let slot = self.slots.lock().await.get(key).cloned()?;
        let made = slot.lock().await;
        made.as_ref().map(|made| (made.began, made.value.clone()))
    }

    /// Makes the next look at `key` a new one.
    pub(super) async fn forget(&self, key: &K) {
        // Taken out first: whoever waits for another key must not wait for a reading of this one.
        let slot = self.slots.lock().await.get(key).cloned();
        if let Some(slot) = slot {
            *slot.lock().await = None;
        }
    }
}
