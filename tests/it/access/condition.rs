//! Conditions of the estates: drawn, written out as Azure holds them, and judged by trying every case.

use super::{
    estate::Place,
    random::Random,
    universe::{BLOBS, MESSAGES, Universe, has},
};

#[derive(Clone, Debug)]
pub enum Drawn {
    All(Vec<Drawn>),
    Any(Vec<Drawn>),
    Not(Box<Drawn>),
    /// The action matches the pattern at that position.
    Action(usize),
    /// The operation is a listing.
    Listing,
    /// What is always so, or never.
    Always(bool),
    /// What the name of something is like.
    Named {
        what: Named,
        how: How,
        value: &'static str,
    },
    /// What no request tells.
    Untold(&'static str),
    /// What nobody understands.
    Garbled(&'static str),
}

#[derive(Clone, Copy, Debug)]
pub enum Named {
    Account,
    Container,
    Queue,
}

#[derive(Clone, Copy, Debug)]
pub enum How {
    Equals,
    DiffersFrom,
    StartsWith,
    IsOneOf,
    IsLike,
}

/// Names that things have, and one that none has. Two of them begin alike.
const NAMES: [&str; 5] = ["storders", "uploads", "up", "incoming", "nothing"];

const UNTOLD: [&str; 4] = [
    "@Environment[isPrivateLink] BoolEquals true",
    "@Resource[Microsoft.Storage/storageAccounts/blobServices/containers/blobs:path] StringLike 'in/*'",
    "Exists @Request[Microsoft.Storage/storageAccounts/blobServices/containers/blobs:snapshot]",
    "@Request[Microsoft.Authorization/roleAssignments:PrincipalType] StringEqualsIgnoreCase 'User'",
];

const GARBLED: [&str; 3] =
    ["@Resource[a", "'a' StringRhymes 'b'", "'a' StringEquals 'a' AND 'a' StringEquals 'a' OR 'b' StringEquals 'a'"];

/// What is said of a request: it is so, it is not, or nobody can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    Yes,
    No,
    Unclear,
}

impl Drawn {
    pub fn any(random: &mut Random, universe: &Universe) -> Self {
        if random.once_in(25) {
            return Self::Garbled(random.one_of(&GARBLED));
        }
        // The form that people write: these actions are free, or else something must hold.
        if random.once_in(2) {
            let action = Self::Not(Box::new(Self::action(random, universe)));
            return Self::Any(vec![action, Self::part(random, universe, 1)]);
        }
        Self::part(random, universe, 2)
    }

    fn action(random: &mut Random, universe: &Universe) -> Self {
        let action = Self::Action(random.below(universe.patterns.len()));
        if random.once_in(4) { Self::All(vec![action, Self::Not(Box::new(Self::Listing))]) } else { action }
    }

    fn part(random: &mut Random, universe: &Universe, depth: usize) -> Self {
        match random.below(if depth == 0 { 6 } else { 9 }) {
            0 => Self::action(random, universe),
            1 => Self::Untold(random.one_of(&UNTOLD)),
            2 => Self::Always(random.once_in(2)),
            3 if random.once_in(2) => Self::Listing,
            3..=5 => Self::Named {
                what: random.one_of(&[Named::Account, Named::Container, Named::Queue]),
                how: random.one_of(&[How::Equals, How::DiffersFrom, How::StartsWith, How::IsOneOf, How::IsLike]),
                value: random.one_of(&NAMES),
            },
            6 => Self::Not(Box::new(Self::part(random, universe, depth - 1))),
            7 => Self::All(vec![Self::part(random, universe, depth - 1), Self::part(random, universe, depth - 1)]),
            _ => Self::Any(vec![Self::part(random, universe, depth - 1), Self::part(random, universe, depth - 1)]),
        }
    }

    /// As Azure holds it.
    pub fn written(&self, universe: &Universe) -> String {
        let joined = |parts: &[Self], word: &str| {
            let parts: Vec<_> = parts.iter().map(|part| format!("({})", part.written(universe))).collect();
            parts.join(word)
        };
        match self {
            Self::All(parts) => joined(parts, " AND "),
            Self::Any(parts) => joined(parts, " || "),
            Self::Not(part) => format!("!({})", part.written(universe)),
            Self::Action(pattern) => format!("ActionMatches{{'{}'}}", universe.patterns[*pattern]),
            Self::Listing => "SubOperationMatches{'Blob.List'}".to_owned(),
            Self::Always(true) => "7 NumericLessThan 9".to_owned(),
            Self::Always(false) => "'a' stringequals 'A'".to_owned(),
            Self::Named { what, how, value } => {
                let attribute = match what {
                    Named::Account => "Microsoft.Storage/storageAccounts:name",
                    Named::Container => "Microsoft.Storage/storageAccounts/blobServices/containers:Name",
                    Named::Queue => "Microsoft.Storage/storageAccounts/queueServices/queues:name",
                };
                let rest = match how {
                    How::Equals => format!("StringEquals '{value}'"),
                    How::DiffersFrom => format!("StringNotEqualsIgnoreCase '{}'", value.to_uppercase()),
                    How::StartsWith => format!("StringStartsWith '{value}'"),
                    How::IsOneOf => format!("ForAnyOfAnyValues:StringEquals {{'other', '{value}'}}"),
                    How::IsLike => format!("StringLike '*{}*'", &value[1..]),
                };
                format!("@Resource[{attribute}] {rest}")
            }
            Self::Untold(text) | Self::Garbled(text) => (*text).to_owned(),
        }
    }

    /// Whether it lets an action on these things through, in every way in which it may be meant.
    pub fn allows(&self, data: bool, action: usize, place: &Place, universe: &Universe) -> Said {
        let [plain, listing] = self.ways(data, action, place, universe);
        match (plain, listing) {
            (Said::No, _) => Said::No,
            (Said::Yes, Said::Yes) => Said::Yes,
            _ => Said::Unclear,
        }
    }

    /// Whether it makes a deny assignment hold.
    pub fn denies(&self, data: bool, action: usize, place: &Place, universe: &Universe) -> Said {
        let [plain, listing] = self.ways(data, action, place, universe);
        match (plain, listing) {
            (Said::Yes, _) => Said::Yes,
            (Said::No, Said::No) => Said::No,
            _ => Said::Unclear,
        }
    }

    /// As a plain action, and as a listing where the condition knows of listings.
    fn ways(&self, data: bool, action: usize, place: &Place, universe: &Universe) -> [Said; 2] {
        let mut unknown = 0;
        if self.count(data, action, place, universe, &mut unknown).is_none() {
            return [Said::Unclear; 2];
        }
        [false, true].map(|listing| {
            // Every case of what is not known.
            let cases = (0..1_u32 << unknown).map(|case| {
                let mut at = 0;
                self.holds(data, action, place, universe, listing, case, &mut at)
            });
            let cases: Vec<bool> = cases.collect();
            match (cases.contains(&true), cases.contains(&false)) {
                (true, false) => Said::Yes,
                (false, true) => Said::No,
                _ => Said::Unclear,
            }
        })
    }

    /// How many parts are not known; none when the whole is not understood.
    fn count(&self, data: bool, action: usize, place: &Place, universe: &Universe, unknown: &mut u32) -> Option<()> {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                for part in parts {
                    part.count(data, action, place, universe, unknown)?;
                }
            }
            Self::Not(part) => part.count(data, action, place, universe, unknown)?,
            Self::Untold(_) => *unknown += 1,
            Self::Named { what, .. } => {
                *unknown += u32::from(what.name(data, action, place, universe).is_none());
            }
            Self::Garbled(_) => return None,
            Self::Action(_) | Self::Listing | Self::Always(_) => {}
        }
        Some(())
    }

    #[expect(clippy::too_many_arguments, reason = "it is the whole of one case")]
    fn holds(
        &self,
        data: bool,
        action: usize,
        place: &Place,
        universe: &Universe,
        listing: bool,
        case: u32,
        at: &mut u32,
    ) -> bool {
        let mut supposed = || {
            *at += 1;
            case & (1 << (*at - 1)) != 0
        };
        match self {
            Self::All(parts) => {
                let parts: Vec<bool> =
                    parts.iter().map(|part| part.holds(data, action, place, universe, listing, case, at)).collect();
                parts.into_iter().all(|part| part)
            }
            Self::Any(parts) => {
                let parts: Vec<bool> =
                    parts.iter().map(|part| part.holds(data, action, place, universe, listing, case, at)).collect();
                parts.into_iter().any(|part| part)
            }
            Self::Not(part) => !part.holds(data, action, place, universe, listing, case, at),
            Self::Action(pattern) => has(universe.matched[*pattern], action),
            Self::Listing => listing,
            Self::Always(so) => *so,
            Self::Untold(_) => supposed(),
            Self::Garbled(_) => unreachable!("it was counted out"),
            Self::Named { what, how, value } => match (what.name(data, action, place, universe), how) {
                (None, _) => supposed(),
                (Some(name), How::Equals | How::IsOneOf) => name == *value,
                (Some(name), How::DiffersFrom) => name != *value,
                (Some(name), How::StartsWith) => name.starts_with(value),
                (Some(name), How::IsLike) => name.contains(&value[1..]),
            },
        }
    }
}

impl Named {
    /// The name, where the action is one of a service whose requests tell it.
    fn name(self, data: bool, action: usize, place: &Place, universe: &Universe) -> Option<&'static str> {
        let blobs = data && has(universe.matched[BLOBS], action);
        let messages = data && has(universe.matched[MESSAGES], action);
        match self {
            Self::Account if blobs || messages => place.account,
            Self::Container if blobs => place.container,
            Self::Queue if messages => place.queue,
            _ => None,
        }
    }
}
