//! A schedule: where it plays, how many operators there are, and what happens at which call. A line of text holds it
//! whole, so that a failure can be printed, kept and played again.

use std::{collections::BTreeMap, fmt, str::FromStr};

use super::{
    at::At,
    chance::Chance,
    fault::{Act, Deed, Fault},
    ledger::Call,
};

/// Everything that a run depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Schedule {
    pub(super) place: Place,
    /// One, or two that run at once, as when a lease has failed to tell them apart.
    pub(super) operators: u8,
    /// Decides how long calls take and in which order equal things are done. 0: calls take no time.
    pub(super) order: u64,
    /// What happens at which call.
    pub(super) faults: BTreeMap<At, Fault>,
}

/// Where it plays.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// A scenario of the demo.
    Scenario(String),
    /// A town made from a seed, with so many policies.
    Town { seed: u64, policies: u8 },
}

/// How many towns there are. Each also plays undisturbed once, so there are fewer of them than schedules.
const TOWNS: u64 = 256;

/// Faults at a later call than this are never met by most schedules.
const LATEST: u64 = 36;

/// The scenarios in which something is taken back, put back, restarted or refreshed. Towns have the rest.
const SCENARIOS: [&str; 6] = [
    "trigger-dropped",
    "policy-deleted",
    "deleted-while-azure-is-away",
    "stale-attachment-put-back",
    "host-keeps-running",
    "references-hold-a-refusal",
];

/// What is drawn from: what one meets most in the beginning of the list more often.
const FAULTS: [Fault; 26] = [
    Fault::CrashBefore,
    Fault::CrashAfter,
    Fault::CrashAfter,
    Fault::CrashLate,
    Fault::AnswerLost,
    Fault::AnswerLost,
    Fault::Hang,
    Fault::Late,
    Fault::Reset(1),
    Fault::Reset(3),
    Fault::Refused { status: 429, retry_after: None, times: 1 },
    Fault::Refused { status: 429, retry_after: Some(7), times: 3 },
    Fault::Refused { status: 429, retry_after: Some(240), times: 1 },
    Fault::Refused { status: 500, retry_after: None, times: 3 },
    Fault::Refused { status: 503, retry_after: None, times: 1 },
    Fault::Refused { status: 403, retry_after: None, times: 1 },
    Fault::Refused { status: 409, retry_after: None, times: 1 },
    Fault::Refused { status: 404, retry_after: None, times: 1 },
    Fault::Stale,
    Fault::StaleOldest,
    Fault::Empty,
    Fault::Empty,
    Fault::HalfList,
    Fault::Reversed,
    Fault::Deaf(20),
    Fault::Deaf(400),
];

impl Schedule {
    /// Without any disturbance.
    pub(super) fn undisturbed(place: Place) -> Self {
        Self { place, operators: 1, order: 0, faults: BTreeMap::new() }
    }

    /// With one fault.
    pub(super) fn at(place: &Place, call: u32, fault: Fault) -> Self {
        Self { faults: BTreeMap::from([(At::Number(call), fault)]), ..Self::undisturbed(place.clone()) }
    }

    /// One of many: a town with one to three policies or a scenario, one or two operators, one to four faults.
    pub(super) fn random(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let policies = if chance.one_in(8) { chance.pick(&[2, 3]) } else { 1 };
        let town = Place::Town { seed: chance.below(TOWNS), policies };
        let place = if chance.one_in(8) { Place::Scenario(chance.pick(&SCENARIOS).to_owned()) } else { town };
        let operators = if chance.one_in(8) { 2 } else { 1 };
        let order = 1 + chance.below(u64::from(u32::MAX));
        let mut faults = BTreeMap::new();
        for _ in 0..=chance.below(4) {
            let call = u32::try_from(1 + chance.below(LATEST)).expect("small");
            let fault = if chance.one_in(3) {
                let (act, policy) = (chance.pick(Act::ALL), chance.below(u64::from(policies)));
                let pick = u8::try_from(chance.below(4)).expect("small");
                Fault::Somebody(Deed { act, policy: u8::try_from(policy).expect("small"), pick })
            } else {
                chance.pick(&FAULTS)
            };
            faults.insert(At::Number(call), fault);
        }
        Self { place, operators, order, faults }
    }

    /// The same, with its calls named by what they ask. `calls`: those that it made.
    pub(super) fn named(&self, calls: &[Call]) -> Self {
        let named = |at: &At| {
            let found = calls.iter().enumerate().find(|(position, call)| at.is(call, &calls[..*position]));
            found.map_or_else(|| at.clone(), |(position, call)| At::named(call, &calls[..position]))
        };
        let faults = self.faults.iter().map(|(at, fault)| (named(at), *fault)).collect();
        Self { faults, ..self.clone() }
    }

    /// Schedules with a little less in them, the biggest steps first.
    pub(super) fn smaller(&self) -> Vec<Self> {
        let mut smaller = Vec::new();
        for call in self.faults.keys() {
            let mut faults = self.faults.clone();
            faults.remove(call);
            smaller.push(Self { faults, ..self.clone() });
        }
        if self.operators > 1 {
            smaller.push(Self { operators: self.operators - 1, ..self.clone() });
        }
        if let Place::Town { seed, policies } = &self.place
            && *policies > 1
        {
            smaller.push(Self { place: Place::Town { seed: *seed, policies: policies - 1 }, ..self.clone() });
        }
        if self.order != 0 {
            smaller.push(Self { order: 0, ..self.clone() });
        }
        smaller
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scenario(name) => write!(f, "scenario={name}"),
            Self::Town { seed, policies } => write!(f, "town={seed}/{policies}"),
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, operators, order, faults } = self;
        write!(f, "{place} operators={operators} order={order}")?;
        faults.iter().try_for_each(|(call, fault)| write!(f, " {call}={fault}"))
    }
}

impl FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut place = None;
        let (mut operators, mut order, mut faults) = (1, 0, BTreeMap::new());
        for word in text.split_whitespace() {
            let wrong = || format!("`{word}` is no part of a schedule");
            let (key, value) = word.split_once('=').ok_or_else(wrong)?;
            match key {
                "scenario" => place = Some(Place::Scenario(value.to_owned())),
                "town" => {
                    let (seed, policies) = value.split_once('/').ok_or_else(wrong)?;
                    let seed = seed.parse().map_err(|_| wrong())?;
                    place = Some(Place::Town { seed, policies: policies.parse().map_err(|_| wrong())? });
                }
                "operators" => operators = value.parse().map_err(|_| wrong())?,
                "order" => order = value.parse().map_err(|_| wrong())?,
                call => {
                    faults.insert(call.parse().map_err(|()| wrong())?, value.parse()?);
                }
            }
        }
        let place = place.ok_or("a schedule begins with `scenario=NAME` or `town=SEED/POLICIES`")?;
        Ok(Self { place, operators, order, faults })
    }
}

#[test]
fn a_schedule_is_the_text_that_it_prints() {
    for seed in 0..2000 {
        let schedule = Schedule::random(seed);
        assert_eq!(schedule.to_string().parse(), Ok(schedule));
    }
}
