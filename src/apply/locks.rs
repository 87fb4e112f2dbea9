//! One write of a name at a time: two passes that find the same name free must not both write it, because the second
//! would replace what somebody may have put there in between.
//!
//! Within one process. Between two operators the window is that of one request; Azure offers no "create only".

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::OwnedMutexGuard;

/// The names that are being written.
#[derive(Debug, Default)]
pub struct WriteLocks(Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>);

impl WriteLocks {
    /// Waits until nobody else writes `name`, and keeps others from it while the guard lives.
    pub(super) async fn lock(&self, name: &str) -> OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Those that nobody holds or waits for are done with.
            locks.retain(|_, lock| Arc::strong_count(lock) > 1);
            locks.entry(name.to_owned()).or_default().clone()
        };
        lock.lock_owned().await
    }
}
