//! Azure's action patterns: `*` stands for any run of characters, `/` included, and case does not count.
//!
//! Source: role definitions reference; matching rules as read in `roles.json` of the built-in dump.

mod samples;

pub use samples::{Work, samples};

/// Whether every action that `narrow` matches is matched by `wide`. Exact for a `narrow` without `*`, and never says
/// yes wrongly for one with it.
#[must_use]
pub fn covers(wide: &str, narrow: &str) -> bool {
    let (wide, narrow) = (wide.as_bytes(), narrow.as_bytes());
    // Most pairs begin alike for a long way and end differently: the cheap questions first.
    let ends_alike = match (wide.last(), narrow.last()) {
        (Some(b'*'), _) => true,
        (Some(own), Some(other)) => own.eq_ignore_ascii_case(other),
        (None, None) => true,
        (None, Some(_)) | (Some(_), None) => false,
    };
    if !ends_alike || (wide.len() != narrow.len() && !wide.contains(&b'*')) {
        return false;
    }
    // A `*` of `narrow` is treated as a character that only a `*` of `wide` can take.
    matches(wide, narrow)
}

/// Whether some action is matched by both patterns.
#[must_use]
pub fn overlap(left: &str, right: &str) -> bool {
    if !left.contains('*') && !right.contains('*') {
        return left.eq_ignore_ascii_case(right);
    }
    // Most pairs end here, and this is asked of every action of a role before each grant.
    if differ_at_an_end(left, right) {
        return false;
    }
    let (left, right) = (lower(left), lower(right));
    // reach[j]: the prefixes left[..i] and right[..j] can stand for the same text.
    let mut reach = vec![false; right.len() + 1];
    reach[0] = true;
    for j in 0..right.len() {
        reach[j + 1] = reach[j] && right[j] == b'*';
    }
    for &a in &left {
        let mut next = vec![false; right.len() + 1];
        next[0] = reach[0] && a == b'*';
        for (j, &b) in right.iter().enumerate() {
            next[j + 1] = if a == b'*' || b == b'*' {
                // A star stands for nothing, or for one more character of the other side.
                next[j] || reach[j + 1]
            } else {
                a == b && reach[j]
            };
        }
        reach = next;
    }
    reach[right.len()]
}

/// Where neither has had a star yet, from the beginning or from the end, a first difference is final.
fn differ_at_an_end(left: &str, right: &str) -> bool {
    let is_plain = |(a, b): &(u8, u8)| *a != b'*' && *b != b'*';
    let differs = |(a, b): (u8, u8)| !a.eq_ignore_ascii_case(&b);
    let (forward, backward) = (left.bytes().zip(right.bytes()), left.bytes().rev().zip(right.bytes().rev()));
    forward.take_while(is_plain).any(differs) || backward.take_while(is_plain).any(differs)
}

fn lower(pattern: &str) -> Vec<u8> {
    pattern.bytes().map(|byte| byte.to_ascii_lowercase()).collect()
}

/// The usual greedy match with one point to fall back to: linear in practice, no recursion on hostile patterns.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut fallback: Option<(usize, usize)> = None;
    while t < text.len() {
        if p < pattern.len() && pattern[p] == b'*' {
            fallback = Some((p + 1, t));
            p += 1;
        } else if p < pattern.len() && pattern[p].eq_ignore_ascii_case(&text[t]) {
            p += 1;
            t += 1;
        } else if let Some((after_star, from)) = fallback {
            p = after_star;
            t = from + 1;
            fallback = Some((after_star, from + 1));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_star_crosses_slashes_and_case_does_not_count() {
        assert!(covers(
            "Microsoft.ServiceBus/*/receive/action",
            "microsoft.servicebus/namespaces/queues/receive/action"
        ));
        assert!(covers("*", "Microsoft.Web/sites/write"));
        assert!(!covers("*/read", "Microsoft.Web/sites/write"));
        assert!(covers("Microsoft.EventHub/*", "Microsoft.EventHub/*/receive/action"));
        assert!(!covers("Microsoft.EventHub/*/receive/action", "Microsoft.EventHub/*"));
    }

    #[test]
    fn overlap_is_about_common_actions() {
        assert!(overlap("Microsoft.Storage/storageAccounts/*", "*/listKeys/action"));
        assert!(!overlap("Microsoft.Authorization/*/read", "Microsoft.Authorization/*/write"));
        assert!(overlap("*", "Microsoft.Web/sites/write"));
        assert!(!overlap("Microsoft.Web/sites/read", "Microsoft.Web/sites/write"));
    }

    fn pattern() -> impl Strategy<Value = String> {
        "[ab/*]{0,6}"
    }

    proptest! {
        #[test]
        fn covering_agrees_with_enumeration(wide in pattern(), narrow in pattern(), text in "[ab/]{0,6}") {
            if covers(&wide, &narrow) && covers(&narrow, &text) {
                prop_assert!(covers(&wide, &text));
            }
        }

        #[test]
        fn a_common_action_means_overlap(left in pattern(), right in pattern(), text in "[ab/]{0,6}") {
            if covers(&left, &text) && covers(&right, &text) {
                prop_assert!(overlap(&left, &right));
            }
        }

        #[test]
        fn no_overlap_with_a_plain_action_unless_it_matches(left in pattern(), text in "[ab/]{0,6}") {
            prop_assert_eq!(overlap(&left, &text), covers(&left, &text));
        }
    }
}
