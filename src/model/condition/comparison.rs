//! The operators of conditions, by what they compare. None for what cannot be compared: then nothing is known.

use jiff::{Timestamp, civil::Time};
use uuid::Uuid;

/// An operator with what stands before it: `ForAnyOfAnyValues:StringNotEquals`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Comparison {
    quantifier: Option<Quantifier>,
    operator: Operator,
    negated: bool,
}

/// Of how many values on the left (`Any`, `All`) it must hold, against how many on the right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Quantifier {
    every_left: bool,
    every_right: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Text { how: TextMatch, ignore_case: bool },
    Number(Order),
    DateTime(Order),
    TimeOfDay(Order),
    Guid,
    Bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TextMatch {
    Equals,
    StartsWith,
    Like,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Equals,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    /// The operator of that name; case does not count, as recorded answers show.
    pub(super) fn named(word: &str) -> Option<Self> {
        let word = word.to_ascii_lowercase();
        let (quantifier, name) = match word.split_once(':') {
            Some((quantifier, name)) => (Some(Quantifier::named(quantifier)?), name),
            None => (None, word.as_str()),
        };
        let (operator, negated) = Operator::named(name)?;
        Some(Self { quantifier, operator, negated })
    }

    /// Whether it holds between these values.
    pub(super) fn holds(self, left: &[String], right: &[String]) -> Option<bool> {
        let one = |left: &String, right: &String| Some(self.operator.holds(left, right)? != self.negated);
        let Some(Quantifier { every_left, every_right }) = self.quantifier else {
            // Several values without a word on how many must match is no documented form.
            let ([left], [right]) = (left, right) else { return None };
            return one(left, right);
        };
        let against = |value: &String| of(every_right, right.iter().map(|other| one(value, other)));
        of(every_left, left.iter().map(against))
    }
}

/// Whether all, or any, are true; none while one that is not known could turn it.
fn of(every: bool, answers: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut known = true;
    for answer in answers {
        match answer {
            Some(answer) if answer != every => return Some(!every),
            Some(_) => {}
            None => known = false,
        }
    }
    known.then_some(every)
}

impl Quantifier {
    fn named(word: &str) -> Option<Self> {
        let (every_left, every_right) = match word {
            "foranyofanyvalues" => (false, false),
            "forallofanyvalues" => (true, false),
            "foranyofallvalues" => (false, true),
            "forallofallvalues" => (true, true),
            _ => return None,
        };
        Some(Self { every_left, every_right })
    }
}

impl Operator {
    /// The operator, and whether its name negates it.
    fn named(name: &str) -> Option<(Self, bool)> {
        let negation = |rest: &str| match rest.strip_prefix("not") {
            Some(rest) => (rest.to_owned(), true),
            None => (rest.to_owned(), false),
        };
        if let Some(rest) = name.strip_prefix("string") {
            let (rest, negated) = negation(rest);
            let (how, ignore_case) = match rest.strip_suffix("ignorecase") {
                Some(how) => (how, true),
                None => (rest.as_str(), false),
            };
            let how = match how {
                "equals" => TextMatch::Equals,
                "startswith" => TextMatch::StartsWith,
                "like" => TextMatch::Like,
                _ => return None,
            };
            return Some((Self::Text { how, ignore_case }, negated));
        }
        let ordered = [
            ("numeric", Self::Number as fn(Order) -> Self),
            ("datetime", Self::DateTime as fn(Order) -> Self),
            ("timeofday", Self::TimeOfDay as fn(Order) -> Self),
        ];
        for (prefix, operator) in ordered {
            if let Some(rest) = name.strip_prefix(prefix) {
                let (order, negated) = Order::named(rest)?;
                return Some((operator(order), negated));
            }
        }
        let (operator, rest) = match (name.strip_prefix("guid"), name.strip_prefix("bool")) {
            (Some(rest), _) => (Self::Guid, rest),
            (None, Some(rest)) => (Self::Bool, rest),
            (None, None) => return None,
        };
        match rest {
            "equals" => Some((operator, false)),
            "notequals" => Some((operator, true)),
            _ => None,
        }
    }

    fn holds(self, left: &str, right: &str) -> Option<bool> {
        match self {
            Self::Text { how, ignore_case: true } => text(how, &left.to_lowercase(), &right.to_lowercase()),
            Self::Text { how, ignore_case: false } => text(how, left, right),
            Self::Number(order) => order.of(&left.parse::<i64>().ok()?, &right.parse().ok()?),
            Self::DateTime(order) => order.of(&left.parse::<Timestamp>().ok()?, &right.parse().ok()?),
            Self::TimeOfDay(order) => order.of(&left.parse::<Time>().ok()?, &right.parse().ok()?),
            Self::Guid => Some(left.parse::<Uuid>().ok()? == right.parse::<Uuid>().ok()?),
            Self::Bool => Some(boolean(left)? == boolean(right)?),
        }
    }
}

impl Order {
    fn named(name: &str) -> Option<(Self, bool)> {
        Some(match name {
            "equals" => (Self::Equals, false),
            "notequals" => (Self::Equals, true),
            "lessthan" => (Self::Less, false),
            "lessthanequals" => (Self::LessOrEqual, false),
            "greaterthan" => (Self::Greater, false),
            "greaterthanequals" => (Self::GreaterOrEqual, false),
            _ => return None,
        })
    }

    #[expect(clippy::unnecessary_wraps, reason = "the other operators may not be able to compare")]
    fn of<T: Ord>(self, left: &T, right: &T) -> Option<bool> {
        Some(match self {
            Self::Equals => left == right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        })
    }
}

fn boolean(text: &str) -> Option<bool> {
    text.to_ascii_lowercase().parse().ok()
}

/// Only `Like` gives the backslash a documented meaning; what the others make of one is not known.
fn text(how: TextMatch, left: &str, right: &str) -> Option<bool> {
    match how {
        TextMatch::Like => Some(like(&wildcards(right)?, &left.chars().collect::<Vec<_>>())),
        TextMatch::Equals | TextMatch::StartsWith if right.contains('\\') => None,
        TextMatch::Equals => Some(left == right),
        TextMatch::StartsWith => Some(left.starts_with(right)),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wildcard {
    One(char),
    AnyOne,
    AnyRun,
}

fn wildcards(pattern: &str) -> Option<Vec<Wildcard>> {
    let mut wildcards = Vec::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        wildcards.push(match character {
            '*' => Wildcard::AnyRun,
            '?' => Wildcard::AnyOne,
            '\\' => Wildcard::One(characters.next().filter(|escaped| matches!(escaped, '*' | '?'))?),
            other => Wildcard::One(other),
        });
    }
    Some(wildcards)
}

/// Greedy, with one point to fall back to: no recursion on hostile patterns.
fn like(pattern: &[Wildcard], text: &[char]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut fallback = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(Wildcard::AnyRun) => {
                fallback = Some((p + 1, t));
                p += 1;
            }
            Some(Wildcard::AnyOne) => (p, t) = (p + 1, t + 1),
            Some(Wildcard::One(character)) if *character == text[t] => (p, t) = (p + 1, t + 1),
            Some(Wildcard::One(_)) | None => {
                let Some((after, from)) = fallback else { return false };
                (p, t) = (after, from + 1);
                fallback = Some((after, from + 1));
            }
        }
    }
    pattern[p..].iter().all(|rest| *rest == Wildcard::AnyRun)
}
