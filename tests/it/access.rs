//! Effective access against an oracle: a second implementation that is naive on purpose and shares no code with
//! `evaluate`. A hundred thousand small estates, each feature often enough to meet each other one; what differs is made
//! smaller and printed.

mod built;
mod condition;
mod estate;
mod oracle;
mod random;
mod shrink;
mod universe;

use std::collections::BTreeMap;

use built::Said;
use estate::{Estate, Members};
use oracle::{Answer, Oracle};
use random::Random;
use universe::Universe;

/// How many are compared.
const ESTATES: u64 = 100_000;

/// Where they begin: another number is another set.
const SEED: u64 = 0x5EED_0005;

/// What `evaluate` says, and what is wrong with it, if anything is.
fn judged(estate: &Estate, universe: &Universe) -> (Vec<Answer>, Option<String>) {
    let said = built::evaluated(estate, universe);
    let wrong = wrong(estate, &mut Oracle::of(estate, universe), &said);
    (said.answers, wrong)
}

fn wrong(estate: &Estate, oracle: &mut Oracle, Said { answers, deciding, asked }: &Said) -> Option<String> {
    let expected = oracle.answers();
    if *answers != expected {
        return Some(format!("evaluate: {answers:?}\noracle:   {expected:?}"));
    }
    for ((need, answer), named) in estate.needs.iter().zip(answers).zip(deciding) {
        let all: Option<Vec<usize>> = named.iter().copied().collect();
        if *answer == Answer::Satisfied && !all.is_some_and(|all| oracle.is_met_by(need, &all)) {
            return Some(format!("{need:?} is not met by the grants that are named: {named:?}"));
        }
    }
    for (who, subscription) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let is_asked = asked.contains(&[who, subscription]);
        if !matches!(estate.members[who][subscription], Members::NotAsked) {
            if is_asked {
                return Some(format!("the groups of {who} in {subscription} are asked about again"));
            }
            continue;
        }
        let [whole, part] = oracle.could_change(who, subscription);
        // Only what could tell something is asked about. A deny assignment asks about each group that it names, also where
        // another word of it decides.
        if is_asked && !part && estate.denies.is_empty() {
            return Some(format!("the groups of {who} in {subscription} are asked about and decide nothing"));
        }
        if whole && !is_asked {
            return Some(format!("the groups of {who} in {subscription} would tell, and nobody asks"));
        }
    }
    None
}

#[test]
fn effective_access_is_what_the_oracle_says() {
    let universe = Universe::enumerate();
    let halves = [0, 1].map(|half| (0..ESTATES).filter(move |number| number % 2 == half));
    let tallies = std::thread::scope(|scope| {
        let threads = halves.map(|numbers| scope.spawn(|| compare(numbers, &universe)));
        threads.map(|thread| thread.join().expect("the first difference is printed"))
    });
    let mut tally: BTreeMap<&str, usize> = BTreeMap::new();
    for (word, count) in tallies.into_iter().flatten() {
        *tally.entry(word).or_default() += count;
    }
    println!("{ESTATES} estates, {} actions: {tally:?}", universe.actions.len());
    // A comparison of nothing but one answer would prove little.
    for word in ["satisfied", "propagating", "missing", "denied", "unknown", "no principal"] {
        assert!(tally.get(word).is_some_and(|count| *count > 500), "`{word}` is rare: {tally:?}");
    }
}

fn compare(numbers: impl Iterator<Item = u64>, universe: &Universe) -> BTreeMap<&'static str, usize> {
    let mut tally = BTreeMap::new();
    for number in numbers {
        let estate = Estate::drawn(&mut Random::new(SEED ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15)), universe);
        let (answers, wrong) = judged(&estate, universe);
        for answer in &answers {
            *tally.entry(answer.word()).or_default() += 1;
        }
        if wrong.is_some() {
            let least = shrink::least(estate, |smaller| judged(smaller, universe).1.is_some());
            let wrong = judged(&least, universe).1.unwrap_or_default();
            panic!("estate {number} is judged wrongly; at its least:\n{}\n{wrong}", least.told(universe));
        }
    }
    tally
}
