//! At which call of a run something happens, and how that is written down.

use std::{fmt, str::FromStr};

use super::ledger::Call;

/// Which call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum At {
    /// By its number among all.
    Number(u32),
    /// By what it asks, and which of those that ask it: the same call still when another read comes between.
    Nth { method: String, tail: String, nth: usize },
}

impl At {
    /// Whether it is the call, which comes after those before.
    pub(super) fn is(&self, call: &Call, before: &[Call]) -> bool {
        match self {
            Self::Number(number) => *number == call.number,
            Self::Nth { method, tail, nth } => {
                let asks = |one: &&Call| one.method == *method && one.key.ends_with(tail.as_str());
                asks(&call) && before.iter().filter(asks).count() + 1 == *nth
            }
        }
    }

    /// The call by what it asks.
    pub(super) fn named(call: &Call, before: &[Call]) -> Self {
        let start = call.key.rmatch_indices('/').nth(1).map_or(0, |(start, _)| start);
        let (method, tail) = (call.method.clone(), call.key[start..].to_owned());
        let nth = before.iter().filter(|one| one.method == method && one.key.ends_with(&tail)).count() + 1;
        Self::Nth { method, tail, nth }
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Nth { method, tail, nth } => write!(f, "{method}:{tail}#{nth}"),
        }
    }
}

impl FromStr for At {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if let Ok(number) = text.parse() {
            return Ok(Self::Number(number));
        }
        let (method, asked) = text.split_once(':').ok_or(())?;
        let (tail, nth) = asked.rsplit_once('#').ok_or(())?;
        Ok(Self::Nth { method: method.to_owned(), tail: tail.to_owned(), nth: nth.parse().map_err(drop)? })
    }
}
