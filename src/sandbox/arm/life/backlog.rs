//! What arrives at a queue, topic or event hub for a function that is started by it, and how much of that waits.

use jiff::{SignedDuration, Timestamp};

use super::super::path::{self, Address};
use super::service::Service;
use super::spec::Function;

/// The messages of one function.
pub(in crate::sandbox::arm) struct Backlog {
    /// The key of the queue, topic or event hub.
    entity: String,
    /// When the first one arrives, and how long after it the next.
    first: Timestamp,
    every: SignedDuration,
    /// When the function ran to its end, with all that waited by then.
    taken: Vec<Timestamp>,
}

impl Backlog {
    /// That of a function which begins to be sent something; none where what starts it is of another kind. Nobody sends
    /// anything to a quiet one.
    pub(super) fn of(function: &Function, first: Timestamp) -> Option<Self> {
        let trigger = function.trigger.as_ref().filter(|_| !function.quiet)?;
        let service = Service::of(&trigger.target).filter(Service::is_amqp)?;
        let address = Address::parse(&service.target);
        let (kind, name) = (address.types.get(1)?, address.names.get(1)?);
        let entity = path::key(&format!("{}/{kind}/{name}", service.resource));
        Some(Self { entity, first, every: function.every, taken: Vec::new() })
    }

    /// Whether it is of that entity.
    pub(in crate::sandbox::arm) fn is_of(&self, entity: &str) -> bool {
        self.entity == path::key(entity)
    }

    /// All that waits is taken.
    pub(super) fn take(&mut self, at: Timestamp) {
        self.taken.push(at);
    }

    /// How many have arrived until then.
    pub(in crate::sandbox::arm) fn arrived(&self, until: Timestamp) -> u64 {
        let since = until.duration_since(self.first);
        if since.is_negative() {
            return 0;
        }
        u64::try_from(since.as_millis() / self.every.as_millis().max(1)).unwrap_or_default() + 1
    }

    /// How many wait at that moment.
    pub(in crate::sandbox::arm) fn waiting(&self, at: Timestamp) -> u64 {
        let until = self.taken.partition_point(|taken| *taken <= at);
        let taken = until.checked_sub(1).map_or(0, |last| self.arrived(self.taken[last]));
        self.arrived(at).saturating_sub(taken)
    }
}
