//! Actions that stand for a whole pattern: one for each way in which other patterns can tell its actions apart. What
//! holds for each of them holds for every action of the pattern, so nobody has to reason about patterns again.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
};

/// The work of one search. A role that Azure defines takes a hundredth of it.
const MAX_OF_SEARCH: u64 = 10_000_000;

/// The work of all searches for one answer.
const MAX_OF_ANSWER: u64 = 10 * MAX_OF_SEARCH;

/// What it takes to know a set of positions again, in units of work.
const STEP: u64 = 500;

/// How much may still be done for an answer. A unit is one position or one byte of a pattern that is looked at, a few
/// nanoseconds at most; it is taken before the work is done. Who may write custom roles must not keep us busy with them.
#[derive(Debug)]
pub struct Work {
    left: Cell<u64>,
}

impl Default for Work {
    fn default() -> Self {
        Self { left: Cell::new(MAX_OF_ANSWER) }
    }
}

impl Work {
    /// Takes so many units; none when there are not so many, and then there are none for anything else.
    fn take(&self, units: u64) -> Option<()> {
        let left = self.left.get().checked_sub(units);
        self.left.set(left.unwrap_or(0));
        left.map(|_| ())
    }

    /// As much of this as one search may do.
    fn of_search(&self) -> Self {
        Self { left: Cell::new(self.left.get().min(MAX_OF_SEARCH)) }
    }

    /// How much has been done of what may be.
    #[must_use]
    pub fn done(&self) -> u64 {
        MAX_OF_ANSWER - self.left.get()
    }
}

/// One action of `pattern` for each set of patterns in `apart` that can match it; none when there are too many to look
/// at. In lower case.
#[must_use]
pub fn samples(pattern: &str, apart: &[&str], work: &Work) -> Option<Vec<String>> {
    if !pattern.contains('*') {
        return Some(vec![pattern.to_ascii_lowercase()]);
    }
    let own = work.of_search();
    let before = own.left.get();
    let found = searched(pattern, apart, &own);
    work.take(before - own.left.get())?;
    found
}

fn searched(pattern: &str, apart: &[&str], work: &Work) -> Option<Vec<String>> {
    // What matches none or all of its actions tells none from another, and hardly ever is there anything else.
    let mut distinct: BTreeSet<String> = BTreeSet::new();
    for other in apart {
        work.take(units(other.len()))?;
        if super::differ_at_an_end(other, pattern) {
            continue;
        }
        work.take(2 * units(other.len()) * units(pattern.len()))?;
        if !super::covers(other, pattern) && super::overlap(other, pattern) {
            distinct.insert(other.to_ascii_lowercase());
        }
    }
    let pattern = pattern.to_ascii_lowercase();
    if distinct.is_empty() {
        return Some(vec![pattern.replace('*', "x")]);
    }
    let patterns: Vec<&str> = std::iter::once(pattern.as_str()).chain(distinct.iter().map(String::as_str)).collect();
    // Nearly always a star stands for whole segments, and there are far fewer segments than characters.
    let by_segment = patterns.iter().all(|pattern| pattern.split('/').all(|part| part == "*" || !part.contains('*')));
    let split: Vec<Vec<Step>> = patterns.iter().map(|pattern| steps(pattern, by_segment)).collect();
    let texts = Search::over(&split).run(work)?;
    // Each is going to be held against every pattern again.
    let named: usize = patterns.iter().map(|pattern| pattern.len()).sum();
    work.take(units(texts.len()) * units(named))?;
    Some(texts.into_iter().map(|text| text.join(if by_segment { "/" } else { "" })).collect())
}

fn units(length: usize) -> u64 {
    length as u64
}

/// One step of a pattern.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step<'a> {
    /// This segment, or this character.
    One(&'a str),
    /// Any one.
    AnyOne,
    /// Any number of them.
    AnyRun,
}

fn steps(pattern: &str, by_segment: bool) -> Vec<Step<'_>> {
    if by_segment {
        // Between two slashes a star is any text, and so one segment or more.
        let step = |part| if part == "*" { vec![Step::AnyOne, Step::AnyRun] } else { vec![Step::One(part)] };
        pattern.split('/').flat_map(step).collect()
    } else {
        let ends = pattern.char_indices().map(|(at, character)| &pattern[at..at + character.len_utf8()]);
        ends.map(|one| if one == "*" { Step::AnyRun } else { Step::One(one) }).collect()
    }
}

/// All patterns walk along the same text at once. Where they may stand is a set of positions, one bit each, pattern after
/// pattern, and one more behind each pattern for its end.
struct Search<'a> {
    steps: Vec<Option<Step<'a>>>,
    /// Where each pattern begins.
    starts: Vec<usize>,
    /// Stands for everything that no pattern names.
    other: &'static str,
}

type Positions = Vec<u64>;

impl<'a> Search<'a> {
    fn over(patterns: &[Vec<Step<'a>>]) -> Self {
        let (mut steps, mut starts) = (Vec::new(), Vec::new());
        for pattern in patterns {
            starts.push(steps.len());
            steps.extend(pattern.iter().copied().map(Some).chain([None]));
        }
        // The first text of which no part is named by any pattern.
        let others = ["x", "z", "q", "j", "y", "w", "v", "u", "0", "9", "~"];
        let is_free = |text: &&&str| !steps.contains(&Some(Step::One(text)));
        let other = others.iter().find(is_free).copied().unwrap_or("\u{7f}");
        Self { steps, starts, other }
    }

    /// A shortest text for each way in which the patterns can match, if the first of them does.
    fn run(&self, work: &Work) -> Option<Vec<Vec<&'a str>>> {
        let mut start = vec![0; self.steps.len().div_ceil(64)];
        for &at in &self.starts {
            self.enter(&mut start, at);
        }
        let mut known: BTreeSet<Positions> = [start.clone()].into();
        let mut reached: Vec<(Positions, Option<(usize, &'a str)>)> = vec![(start, None)];
        let mut found: BTreeMap<Vec<bool>, usize> = BTreeMap::new();
        let mut next = 0;
        while let Some((positions, _)) = reached.get(next) {
            let standing = units(all(positions).count());
            work.take(units(self.starts.len()) + standing)?;
            let ends: Vec<bool> = self.ends().map(|end| has(positions, end)).collect();
            if ends[0] {
                found.entry(ends).or_insert(next);
            }
            let mut new = Vec::new();
            for text in self.next_texts(positions) {
                work.take(STEP + units(positions.len()) + standing)?;
                let moved = self.moved(positions, text);
                // Text that the first pattern cannot match any more leads nowhere.
                if self.is_open(&moved) && known.insert(moved.clone()) {
                    new.push((moved, Some((next, text))));
                }
            }
            reached.extend(new);
            next += 1;
        }
        Some(found.into_values().map(|at| text(&reached, at)).collect())
    }

    fn ends(&self) -> impl Iterator<Item = usize> + '_ {
        let behind = self.starts.iter().skip(1).copied().chain([self.steps.len()]);
        behind.map(|next| next - 1)
    }

    fn is_open(&self, positions: &Positions) -> bool {
        let end = self.starts.get(1).copied().unwrap_or(self.steps.len());
        all(positions).next().is_some_and(|first| first < end)
    }

    /// What some pattern names at one of these positions, and what none names.
    fn next_texts(&self, positions: &Positions) -> BTreeSet<&'a str> {
        let named = all(positions).filter_map(|at| match self.steps[at] {
            Some(Step::One(text)) => Some(text),
            Some(Step::AnyOne | Step::AnyRun) | None => None,
        });
        named.chain([self.other]).collect()
    }

    fn moved(&self, positions: &Positions, text: &str) -> Positions {
        let mut moved = vec![0; positions.len()];
        for at in all(positions) {
            match self.steps[at] {
                Some(Step::One(own)) if own != text => {}
                Some(Step::One(_) | Step::AnyOne) => self.enter(&mut moved, at + 1),
                Some(Step::AnyRun) => self.enter(&mut moved, at),
                None => {}
            }
        }
        moved
    }

    /// Any number may also be none.
    fn enter(&self, positions: &mut Positions, mut at: usize) {
        positions[at / 64] |= 1 << (at % 64);
        while self.steps[at] == Some(Step::AnyRun) {
            at += 1;
            positions[at / 64] |= 1 << (at % 64);
        }
    }
}

fn has(positions: &Positions, at: usize) -> bool {
    positions[at / 64] & (1 << (at % 64)) != 0
}

fn all(positions: &Positions) -> impl Iterator<Item = usize> + '_ {
    positions.iter().enumerate().flat_map(|(word, bits)| {
        let mut bits = *bits;
        std::iter::from_fn(move || {
            let bit = (bits != 0).then(|| bits.trailing_zeros() as usize)?;
            bits &= bits - 1;
            Some(word * 64 + bit)
        })
    })
}

/// The text by which a position was reached first.
fn text<'a>(reached: &[(Positions, Option<(usize, &'a str)>)], mut at: usize) -> Vec<&'a str> {
    let mut parts = Vec::new();
    while let Some((from, part)) = reached[at].1 {
        parts.push(part);
        at = from;
    }
    parts.reverse();
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::covers, *};

    #[test]
    fn an_action_stands_for_itself() {
        let found = samples("Microsoft.Web/sites/read", &["*"], &Work::default());
        assert_eq!(found, Some(vec!["microsoft.web/sites/read".to_owned()]));
    }

    #[test]
    fn what_two_patterns_leave_of_a_third_is_found() {
        let found = samples("a/*", &["a/*/read", "a/b/*"], &Work::default()).unwrap();
        let ways: BTreeSet<_> = found.iter().map(|text| (covers("a/*/read", text), covers("a/b/*", text))).collect();
        assert_eq!(ways.len(), 4, "{found:?}");
    }

    /// Whether the search is given up, with what it did.
    fn given_up(hostile: impl Iterator<Item = String>) -> u64 {
        let hostile: Vec<String> = hostile.collect();
        let hostile: Vec<&str> = hostile.iter().map(String::as_str).collect();
        let work = Work::default();
        assert_eq!(samples("*", &hostile, &work), None);
        work.done()
    }

    #[test]
    fn a_search_without_an_end_in_sight_is_given_up() {
        let done = given_up(('a'..'m').map(|letter| format!("*{letter}*{letter}*{letter}*")));
        assert!(done <= MAX_OF_SEARCH, "{done}");
    }

    #[test]
    fn the_work_is_bounded_however_many_and_long_the_patterns_are() {
        let starry = |at: usize| format!("*{}*", format!("{at}*").repeat(100));
        for count in [100, 3000] {
            let done = given_up((0..count).map(starry));
            assert!(done <= MAX_OF_SEARCH, "{done}");
        }
        // Nor does it help to ask for as many.
        let hostile: Vec<String> = (0..300).map(starry).collect();
        let hostile: Vec<&str> = hostile.iter().map(String::as_str).collect();
        let work = Work::default();
        assert!(hostile.iter().all(|one| samples(one, &hostile, &work).is_none()));
        assert_eq!(work.done(), MAX_OF_ANSWER);
        assert_eq!(samples("a/*", &["a/b"], &work), None, "nothing is left for this answer");
    }

    fn assert_sampled(pattern: &str, apart: &[String], text: &str) -> Result<(), TestCaseError> {
        let apart: Vec<&str> = apart.iter().map(String::as_str).collect();
        let found = samples(pattern, &apart, &Work::default()).unwrap();
        let way = |text: &str| apart.iter().map(|other| covers(other, text)).collect::<Vec<_>>();
        prop_assert!(found.iter().all(|sample| covers(pattern, sample)));
        let ways: BTreeSet<_> = found.iter().map(|sample| way(sample)).collect();
        prop_assert!(!covers(pattern, text) || ways.contains(&way(text)), "{found:?}");
        Ok(())
    }

    proptest! {
        #[test]
        fn so_it_is_where_stars_are_segments(
            pattern in "([ab]|\\*)(/([ab]|\\*)){0,3}",
            apart in prop::collection::vec("([ab]|\\*)(/([ab]|\\*)){0,3}", 0..4),
            text in "[abc]{0,1}(/[abc]{0,1}){0,4}",
        ) {
            assert_sampled(&pattern, &apart, &text)?;
        }

        #[test]
        fn every_action_has_a_sample_that_nothing_tells_from_it(
            pattern in "[ab/*]{0,5}", apart in prop::collection::vec("[ab/*]{0,4}", 0..4), text in "[abc/]{0,6}",
        ) {
            assert_sampled(&pattern, &apart, &text)?;
        }
    }
}
