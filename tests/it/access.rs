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

use estate::Estate;
use oracle::Answer;
use random::Random;
use universe::Universe;

/// How many are compared.
const ESTATES: u64 = 100_000;

/// Where they begin: another number is another set.
const SEED: u64 = 0x5EED_0005;

/// What both say of an estate's needs.
fn both(estate: &Estate, universe: &Universe) -> (Vec<Answer>, Vec<Answer>) {
    (built::evaluated(estate, universe), oracle::answers(estate, universe))
}

fn differs(estate: &Estate, universe: &Universe) -> bool {
    let (evaluated, expected) = both(estate, universe);
    evaluated != expected
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
        let (evaluated, expected) = both(&estate, universe);
        for answer in &evaluated {
            *tally.entry(answer.word()).or_default() += 1;
        }
        if evaluated != expected {
            let least = shrink::least(estate, |smaller| differs(smaller, universe));
            let (evaluated, expected) = both(&least, universe);
            panic!(
                "estate {number} differs; at its least:\n{}\nevaluate: {evaluated:?}\noracle:   {expected:?}",
                least.told(universe)
            );
        }
    }
    tally
}
