//! What each recording is held against, and what that proves: the source of `docs/recordings.md`. Words of our own, and of
//! the recordings nothing but number, operation and status.

mod apps;
mod authorization;
mod dependencies;
mod others;

use super::{super::Recording, stage::Stage};

/// Puts the simulator into the state that a recording implies.
pub(super) type Scene = fn(&Recording) -> Stage;

/// What the comparison proves.
#[derive(Clone, Copy)]
pub(super) enum Proof {
    /// The simulator made the answer itself.
    Made(Scene),
    /// The documents of the answer were given to it before: their members prove nothing.
    Given(Scene),
    /// Nothing is compared.
    Left,
}

/// One recording.
#[derive(Clone, Copy)]
pub(super) struct Row {
    pub(super) number: u16,
    /// Method, type, api-version.
    pub(super) operation: &'static str,
    pub(super) status: u16,
    pub(super) proof: Proof,
    /// What is compared besides status and headers, or why nothing is.
    pub(super) words: &'static str,
}

/// All rows, by number.
pub(super) fn rows() -> impl Iterator<Item = Row> {
    let all: [&[Row]; 4] = [&authorization::ROWS, &apps::ROWS, &dependencies::ROWS, &others::ROWS];
    all.into_iter().flatten().copied()
}

const fn made(number: u16, operation: &'static str, status: u16, scene: Scene, words: &'static str) -> Row {
    Row { number, operation, status, proof: Proof::Made(scene), words }
}

const fn given(number: u16, operation: &'static str, status: u16, scene: Scene, words: &'static str) -> Row {
    Row { number, operation, status, proof: Proof::Given(scene), words }
}

const fn left(number: u16, operation: &'static str, status: u16, words: &'static str) -> Row {
    Row { number, operation, status, proof: Proof::Left, words }
}

#[test]
fn there_is_one_row_for_each_recording() {
    let numbers: Vec<u16> = rows().map(|row| row.number).collect();
    assert_eq!(numbers, (1..=super::super::ALL).collect::<Vec<_>>());
}
