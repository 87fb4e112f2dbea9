//! Times and sizes of the conversation with Azure.

use std::time::Duration;

/// Bounds on one operation.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Everything about one read: token, retries, body.
    pub total_timeout: Duration,
    /// The same of a request that changes something. Shorter, because a write has to be over before another operator
    /// may act; one that is cut off is looked for before anything is sent again.
    pub write_timeout: Duration,
    /// How often a read is sent again after a transport error, a 5xx or a short `Retry-After`.
    pub read_retries: u32,
    /// The longest wait between two tries. A longer `Retry-After` ends the operation and becomes the requeue, so
    /// that one throttled subscription does not hold a worker.
    pub longest_wait: Duration,
    /// Bytes of one answer. The list of all built-in role definitions is about 3 MiB.
    pub max_body: usize,
    /// Pages of one list: with 100 entries each, far beyond the 4,000 role assignments that a subscription can have.
    pub max_pages: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            total_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(9),
            read_retries: 2,
            longest_wait: Duration::from_secs(5),
            max_body: 32 * 1024 * 1024,
            max_pages: 1000,
        }
    }
}
