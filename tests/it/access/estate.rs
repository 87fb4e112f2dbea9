//! A small estate as a handful of choices, and how one is drawn.

use std::fmt::Write as _;

use super::{
    condition::Drawn,
    random::Random,
    universe::{Universe, WIDE, WITH_STAR},
};

/// Somewhere a grant may sit.
pub struct Place {
    pub id: &'static str,
    /// The place above.
    pub parent: Option<usize>,
    /// Which of the two subscriptions; none above them.
    pub subscription: Option<usize>,
    /// How many minutes a grant may take to act here.
    pub clock: i64,
    pub account: Option<&'static str>,
    pub container: Option<&'static str>,
    pub queue: Option<&'static str>,
}

pub const SUBSCRIPTIONS: [&str; 2] = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"];

const fn place(id: &'static str, parent: Option<usize>, subscription: Option<usize>, clock: i64) -> Place {
    Place { id, parent, subscription, clock, account: None, container: None, queue: None }
}

macro_rules! first {
    ($rest:literal) => {
        concat!("/subscriptions/11111111-1111-4111-8111-111111111111", $rest)
    };
}

macro_rules! second {
    ($rest:literal) => {
        concat!("/subscriptions/22222222-2222-4222-8222-222222222222", $rest)
    };
}

const ACCOUNT: Option<&str> = Some("storders");

/// Two of each kind whose names begin alike, and no two ways to the same place.
pub const PLACES: [Place; 14] = [
    place("/", None, None, 360),
    place("/providers/Microsoft.Management/managementGroups/mg-all", Some(0), None, 360),
    place(first!(""), Some(1), Some(0), 10),
    place(first!("/resourceGroups/rg-orders"), Some(2), Some(0), 10),
    Place {
        account: ACCOUNT,
        ..place(
            first!("/resourceGroups/rg-orders/providers/Microsoft.Storage/storageAccounts/stOrders"),
            Some(3),
            Some(0),
            30,
        )
    },
    Place {
        account: ACCOUNT,
        container: Some("uploads"),
        ..place(
            first!(
                "/resourceGroups/RG-orders/providers/Microsoft.Storage/storageAccounts/storders/blobServices/default/containers/uploads"
            ),
            Some(4),
            Some(0),
            30,
        )
    },
    Place {
        account: ACCOUNT,
        container: Some("up"),
        ..place(
            first!(
                "/resourceGroups/rg-orders/providers/Microsoft.Storage/storageAccounts/stOrders/blobServices/default/containers/up"
            ),
            Some(4),
            Some(0),
            30,
        )
    },
    Place {
        account: ACCOUNT,
        queue: Some("incoming"),
        ..place(
            first!(
                "/resourceGroups/rg-orders/providers/Microsoft.Storage/storageAccounts/stOrders/queueServices/default/queues/incoming"
            ),
            Some(4),
            Some(0),
            30,
        )
    },
    place(first!("/resourceGroups/rg-orders2"), Some(2), Some(0), 10),
    place(first!("/resourceGroups/rg-orders2/providers/Microsoft.ServiceBus/namespaces/sb-in"), Some(8), Some(0), 5),
    place(
        first!("/resourceGroups/rg-orders2/providers/Microsoft.ServiceBus/namespaces/sb-in/queues/incoming"),
        Some(9),
        Some(0),
        5,
    ),
    place(second!(""), Some(1), Some(1), 10),
    place(second!("/resourceGroups/rg-far"), Some(11), Some(1), 10),
    Place {
        account: Some("stfar"),
        ..place(
            second!("/resourceGroups/rg-far/providers/Microsoft.Storage/storageAccounts/stfar"),
            Some(12),
            Some(1),
            30,
        )
    },
];

/// Where something can be needed.
const NEEDED: [usize; 8] = [3, 4, 5, 6, 7, 9, 10, 13];

/// The app's two identities, an earlier one of them, a stranger, and three groups. The last group holds nothing by
/// itself more often than not.
pub const WHO: [&str; 7] = [
    "a1a1a1a1-0000-4000-8000-0000000000a1",
    "a2a2a2a2-0000-4000-8000-0000000000a2",
    "b3b3b3b3-0000-4000-8000-0000000000b3",
    "c4c4c4c4-0000-4000-8000-0000000000c4",
    "d5d5d5d5-0000-4000-8000-0000000000d5",
    "d6d6d6d6-0000-4000-8000-0000000000d6",
    "d7d7d7d7-0000-4000-8000-0000000000d7",
];
pub const FIRST_GROUP: usize = 4;
/// Those whose kind may not be known turn out to be groups, too.
const FIRST_STRANGER: usize = 2;

/// How many roles there are; the definition of the last is never found.
pub const ROLES: usize = 5;

#[derive(Clone, Debug)]
pub struct Estate {
    pub needs: Vec<Need>,
    pub grants: Vec<Held>,
    pub roles: Vec<Vec<Entry>>,
    pub denies: Vec<Deny>,
    /// What is known of each identity's groups, as asked in each subscription.
    pub members: [[Members; 2]; 2],
    /// Subscriptions whose lists could not be read.
    pub unreadable: Vec<usize>,
    /// Places for which nobody vouches.
    pub unwitnessed: Vec<usize>,
    /// Of each identity.
    pub principals: [Principal; 2],
}

#[derive(Clone, Debug)]
pub struct Need {
    pub who: usize,
    pub place: usize,
    pub wanted: Wanted,
}

#[derive(Clone, Copy, Debug)]
pub enum Wanted {
    /// The catalog's row at that position.
    Row(usize),
    /// Whatever that role allows.
    Role(usize),
}

#[derive(Clone, Debug)]
pub struct Held {
    pub who: usize,
    pub role: usize,
    pub place: usize,
    /// Azure does not say what kind of principal holds it.
    pub untyped: bool,
    /// In minutes; none where Azure does not say.
    pub age: Option<i64>,
    pub condition: Option<Drawn>,
}

/// Patterns by position: control plane, taken away; data plane, taken away.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    pub lists: [Vec<usize>; 4],
    pub condition: Option<Drawn>,
}

#[derive(Clone, Debug)]
pub struct Deny {
    pub place: usize,
    pub own_place_only: bool,
    pub whom: Vec<Whom>,
    pub exempt: Vec<Whom>,
    /// None at all when they could not be read.
    pub entries: Vec<Entry>,
    pub condition: Option<Drawn>,
}

#[derive(Clone, Copy, Debug)]
pub enum Whom {
    Everyone,
    One(usize),
    Members(usize),
    Unread,
}

#[derive(Clone, Debug)]
pub enum Members {
    NotAsked,
    Refused,
    Of(Vec<usize>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Principal {
    Known,
    Missing,
    Unreadable,
}

impl Estate {
    pub fn drawn(random: &mut Random, universe: &Universe) -> Self {
        let members = |random: &mut Random| match random.below(6) {
            0 => Members::NotAsked,
            1 => Members::Refused,
            _ => Members::Of((FIRST_STRANGER..WHO.len()).filter(|_| random.once_in(2)).collect()),
        };
        let principal = |random: &mut Random| match random.below(30) {
            0 => Principal::Missing,
            1 => Principal::Unreadable,
            _ => Principal::Known,
        };
        let needs = (0..=usize::from(random.once_in(4))).map(|_| Need {
            who: random.below(2),
            place: random.one_of(&NEEDED),
            wanted: match random.below(20) {
                0..14 => Wanted::Row(random.below(universe.rows.len())),
                14..18 => Wanted::Role(0),
                18 => Wanted::Role(random.below(ROLES - 1)),
                _ => Wanted::Role(ROLES - 1),
            },
        });
        let needs: Vec<Need> = needs.collect();
        // The first has no star: to ask for one with stars takes a hundred times as long.
        let roles = (1..ROLES)
            .map(|number| (0..=random.below(2)).map(|_| Entry::drawn(random, universe, number == 1)).collect());
        let roles = roles.collect();
        let grants = random.some(7, |random| Held {
            // Mostly to whom and where it could matter.
            who: if random.once_in(2) { random.pick(&needs).who } else { random.below(WHO.len()) },
            role: if random.once_in(30) { ROLES - 1 } else { random.below(ROLES - 1) },
            place: if random.once_in(3) { random.below(PLACES.len()) } else { random.pick(&needs).above(random) },
            untyped: random.once_in(6),
            age: if random.once_in(8) { None } else { Some(random.one_of(&[0, 3, 5, 9, 10, 29, 30, 200, 360, 5000])) },
            condition: random.once_in(4).then(|| Drawn::any(random, universe)),
        });
        let denies =
            if random.once_in(3) { random.some(3, |random| Deny::drawn(random, universe, &needs)) } else { vec![] };
        Self {
            members: [[members(random), members(random)], [members(random), members(random)]],
            unreadable: if random.once_in(40) { vec![random.below(2)] } else { vec![] },
            unwitnessed: if random.once_in(40) { vec![random.one_of(&NEEDED)] } else { vec![] },
            principals: [principal(random), principal(random)],
            needs,
            grants,
            roles,
            denies,
        }
    }

    /// For a person to read.
    pub fn told(&self, universe: &Universe) -> String {
        let patterns = |list: &[usize]| list.iter().map(|at| universe.patterns[*at]).collect::<Vec<_>>();
        let condition = |drawn: &Option<Drawn>| drawn.as_ref().map(|drawn| drawn.written(universe)).unwrap_or_default();
        let mut text = String::new();
        for need in &self.needs {
            let _ = writeln!(text, "need  {} at {}: {:?}", need.who, PLACES[need.place].id, need.wanted);
            if let Wanted::Row(row) = need.wanted {
                let row = universe.rows[row];
                let _ = writeln!(text, "      {:?}", row.rights);
            }
        }
        for grant in &self.grants {
            let Held { who, role, place, untyped, age, .. } = grant;
            let (place, kind) = (PLACES[*place].id, if *untyped { " of no type" } else { "" });
            let condition = condition(&grant.condition);
            let _ = writeln!(text, "grant {who}{kind} role {role} at {place} age {age:?} {condition}");
        }
        let entry = |text: &mut String, entry: &Entry| {
            let _ = writeln!(
                text,
                "      {:?} {}",
                entry.lists.each_ref().map(|list| patterns(list)),
                condition(&entry.condition)
            );
        };
        for (number, role) in self.roles.iter().enumerate() {
            let _ = writeln!(text, "role  {number}");
            for one in role {
                entry(&mut text, one);
            }
        }
        for deny in &self.denies {
            let Deny { place, own_place_only, whom, exempt, .. } = deny;
            let place = PLACES[*place].id;
            let _ = writeln!(
                text,
                "deny  {whom:?} but {exempt:?} at {place} only there: {own_place_only} {}",
                condition(&deny.condition)
            );
            for one in &deny.entries {
                entry(&mut text, one);
            }
        }
        let Self { members, unreadable, unwitnessed, principals, .. } = self;
        let _ = writeln!(
            text,
            "groups {members:?}, unreadable {unreadable:?}, unwitnessed {unwitnessed:?}, {principals:?}"
        );
        text
    }
}

impl Held {
    /// Whether others may be in whoever holds it, as far as Azure says.
    pub fn may_be_of_group(&self) -> bool {
        self.untyped || self.who >= FIRST_GROUP
    }
}

impl Need {
    fn above(&self, random: &mut Random) -> usize {
        let mut place = self.place;
        for _ in 0..random.below(4) {
            place = PLACES[place].parent.unwrap_or(place);
        }
        place
    }
}

impl Entry {
    fn drawn(random: &mut Random, universe: &Universe, plain: bool) -> Self {
        let pattern = |random: &mut Random| {
            if plain {
                return WITH_STAR + random.below(universe.patterns.len() - WITH_STAR);
            }
            let end = if random.once_in(2) { WITH_STAR } else { universe.patterns.len() };
            random.below(end)
        };
        // Every other one begins wide, or most needs would be met by nobody.
        let allowed = |random: &mut Random| {
            let wide = (!plain && random.once_in(2)).then(|| random.below(WIDE));
            wide.into_iter().chain((0..=random.below(3)).map(|_| pattern(random))).collect()
        };
        let taken = |random: &mut Random| if random.once_in(2) { random.some(3, pattern) } else { vec![] };
        Self {
            lists: [allowed(random), taken(random), allowed(random), taken(random)],
            condition: random.once_in(12).then(|| Drawn::any(random, universe)),
        }
    }
}

impl Deny {
    fn drawn(random: &mut Random, universe: &Universe, needs: &[Need]) -> Self {
        let whom = |random: &mut Random| match random.below(12) {
            0..4 => Whom::Everyone,
            4..7 => Whom::One(random.below(WHO.len())),
            7..11 => Whom::Members(random.below(WHO.len())),
            _ => Whom::Unread,
        };
        Self {
            place: if random.once_in(4) { random.below(PLACES.len()) } else { random.pick(needs).above(random) },
            own_place_only: random.once_in(4),
            whom: (0..=random.below(2)).map(|_| whom(random)).collect(),
            exempt: if random.once_in(2) { random.some(3, whom) } else { vec![] },
            entries: if random.once_in(15) {
                vec![]
            } else {
                (0..=random.below(2)).map(|_| Entry::drawn(random, universe, false)).collect()
            },
            condition: random.once_in(4).then(|| Drawn::any(random, universe)),
        }
    }
}
