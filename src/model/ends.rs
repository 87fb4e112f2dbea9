//! When grants end that Privileged Identity Management gave for a time.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Grant;

/// The ends of the grants of a subscription that are known to end. Every other grant stays, as far as is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ends(BTreeMap<String, Timestamp>);

impl Ends {
    /// Whether nothing is known to end: what most subscriptions answer.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// When the grant ends; none when it stays.
    #[must_use]
    pub fn of(&self, grant: &Grant) -> Option<Timestamp> {
        self.0.get(&grant.id.name().to_ascii_lowercase()).copied()
    }
}

/// Collects what schedules say: the name of a grant, and its end where it has one. Of several the longest counts.
impl FromIterator<(String, Option<Timestamp>)> for Ends {
    fn from_iter<I: IntoIterator<Item = (String, Option<Timestamp>)>>(schedules: I) -> Self {
        let mut ends = BTreeMap::<String, Timestamp>::new();
        for (name, end) in schedules {
            // A schedule without an end goes on for ever.
            let end = end.unwrap_or(Timestamp::MAX);
            ends.entry(name.to_ascii_lowercase()).and_modify(|known| *known = end.max(*known)).or_insert(end);
        }
        ends.retain(|_, end| *end < Timestamp::MAX);
        Self(ends)
    }
}
