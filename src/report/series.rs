//! Calls and failures, five minutes a line.

use std::cmp::Ordering;

use jiff::Timestamp;

/// The longest bar.
const LONGEST: u64 = 26;

/// What failed in five minutes.
#[derive(Clone, Copy, Debug)]
pub struct Failed {
    /// Calls that were refused.
    pub refused: u64,
    /// Calls without an answer.
    pub unanswered: u64,
    /// All calls.
    pub calls: u64,
}

impl Failed {
    /// How many failed.
    #[must_use]
    pub fn count(self) -> u64 {
        self.refused.saturating_add(self.unanswered)
    }
}

/// The line of five minutes: a bar of `#` for refused calls and `~` for calls without an answer, against the `most` that
/// failed in any five minutes of the plot; the figures; and what is to be said beside.
#[must_use]
pub fn five_minutes(begin: Timestamp, failed: Failed, most: u64, beside: &str) -> String {
    let count = failed.count();
    // In 128 bits, so that no count is too large.
    let part = |of: u64| u64::try_from((u128::from(of) * u128::from(LONGEST)).div_ceil(u128::from(most.max(1))));
    let part = |of: u64| part(of).unwrap_or(LONGEST).min(LONGEST);
    let length = part(count);
    // What was refused is seen, and so is what had no answer.
    let refused = match failed.refused.cmp(&0) {
        Ordering::Greater if failed.unanswered > 0 => part(failed.refused).min(length.saturating_sub(1)).max(1),
        Ordering::Greater => length,
        Ordering::Less | Ordering::Equal => 0,
    };
    let times = |what: &str, count: u64| what.repeat(usize::try_from(count).unwrap_or_default());
    let bar = match length {
        0 => ".".to_owned(),
        _ => times("#", refused) + &times("~", length.saturating_sub(refused)),
    };
    let line = format!("  {}  {bar:<26}  {count:>3} of {:>3}  {beside}", begin.strftime("%H:%M"), failed.calls);
    format!("{}\n", line.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(refused: u64, unanswered: u64, most: u64) -> String {
        let begin: Timestamp = "2026-03-02T08:55:00Z".parse().unwrap();
        five_minutes(begin, Failed { refused, unanswered, calls: refused.saturating_add(unanswered) }, most, "")
    }

    fn bar(refused: u64, unanswered: u64, most: u64) -> String {
        told(refused, unanswered, most).split_whitespace().nth(1).unwrap().to_owned()
    }

    #[test]
    fn bars_are_as_long_as_their_share_and_the_least_is_seen() {
        assert_eq!(told(0, 0, 7), "  08:55  .                             0 of   0\n");
        assert_eq!(bar(7, 0, 7), "#".repeat(26));
        assert_eq!(bar(1, 0, 1000), "#");
        assert_eq!(bar(0, 2, 4), "~".repeat(13));
        assert_eq!(bar(1, 999, 1000), format!("#{}", "~".repeat(25)));
        assert_eq!(bar(999, 1, 1000), format!("{}~", "#".repeat(25)));
        assert_eq!(bar(u64::MAX, 0, u64::MAX), "#".repeat(26));
    }
}
