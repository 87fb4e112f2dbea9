//! What access is, by going through everything: every action that is asked for, every grant, every entry, every deny
//! assignment, every case of what is not known. Slow, plain, and nothing of it is shared with `evaluate`.

use super::{
    condition::{Drawn, Said},
    estate::{Deny, Entry, Estate, Held, Members, Need, PLACES, Principal, ROLES, WHO, Wanted, Whom},
    universe::{Actions, NONE, Universe, has, with, without},
};

/// What is said of a need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Satisfied,
    /// In so many minutes.
    Propagating(i64),
    Missing,
    Denied,
    Unknown,
    NoPrincipal,
}

impl Answer {
    pub fn word(self) -> &'static str {
        match self {
            Self::Satisfied => "satisfied",
            Self::Propagating(_) => "propagating",
            Self::Missing => "missing",
            Self::Denied => "denied",
            Self::Unknown => "unknown",
            Self::NoPrincipal => "no principal",
        }
    }
}

pub struct Oracle<'a> {
    estate: &'a Estate,
    universe: &'a Universe,
    /// What each entry of each role names on each plane, and of each deny assignment.
    roles: Vec<Vec<[Actions; 2]>>,
    denies: Vec<Vec<[Actions; 2]>>,
    /// What is known of groups.
    members: [[Members; 2]; 2],
    /// Only these grants count, whatever else says who is in a group.
    only: Option<Vec<usize>>,
}

impl<'a> Oracle<'a> {
    pub fn of(estate: &'a Estate, universe: &'a Universe) -> Self {
        let of_entry = |entry: &Entry| {
            let all = |list: &[usize]| list.iter().fold(NONE, |all, at| with(all, universe.matched[*at]));
            let [control, not_control, data, not_data] = entry.lists.each_ref().map(|list| all(list));
            [without(control, not_control), without(data, not_data)]
        };
        let of_all = |entries: &Vec<Entry>| entries.iter().map(of_entry).collect();
        Self {
            estate,
            universe,
            roles: estate.roles.iter().map(of_all).collect(),
            denies: estate.denies.iter().map(|deny| of_all(&deny.entries)).collect(),
            members: estate.members.clone(),
            only: None,
        }
    }

    pub fn answers(&self) -> Vec<Answer> {
        self.estate.needs.iter().map(|need| self.answer(need)).collect()
    }

    /// Whether these grants alone meet the need, and none of them is somebody else's or somewhere else.
    pub fn is_met_by(&mut self, need: &Need, grants: &[usize]) -> bool {
        let is_ours = |at: &usize| {
            let grant = &self.estate.grants[*at];
            is_at_or_above(grant.place, need.place) && self.reaches(grant, need) == Said::Yes
        };
        if !grants.iter().all(is_ours) {
            return false;
        }
        self.only = Some(grants.to_vec());
        let answer = self.answer(need);
        self.only = None;
        answer == Answer::Satisfied
    }

    /// Whether an answer about the identity's groups could settle a need of it there that is open, and change any action's.
    pub fn could_change(&mut self, who: usize, subscription: usize) -> [bool; 2] {
        let needs = self.estate.needs.iter();
        let needs: Vec<&Need> =
            needs.filter(|need| need.who == who && PLACES[need.place].subscription == Some(subscription)).collect();
        let of_needs = |oracle: &Self| -> Vec<Answer> { needs.iter().map(|need| oracle.answer(need)).collect() };
        let of_actions =
            |oracle: &Self| -> Vec<Answer> { needs.iter().flat_map(|need| oracle.each_action(need)).collect() };
        let known = self.members[who][subscription].clone();
        let before = (of_needs(self), of_actions(self));
        let all: Vec<usize> = (0..WHO.len()).collect();
        let some = all.iter().map(|one| vec![*one]).chain([Vec::new(), all.clone()]);
        let mut could = [false; 2];
        for groups in some {
            self.members[who][subscription] = Members::Of(groups);
            could[0] |= of_needs(self).iter().zip(&before.0).any(|(one, was)| *was == Answer::Unknown && one != was);
            could[1] |= of_actions(self) != before.1;
        }
        self.members[who][subscription] = known;
        could
    }

    fn each_action(&self, need: &Need) -> Vec<Answer> {
        let asked = self.asked(need).unwrap_or_default();
        let all = asked.into_iter().flatten().fold([NONE; 2], |all, way| [with(all[0], way[0]), with(all[1], way[1])]);
        let each = (0..2).flat_map(|plane| (0..self.universe.actions.len()).map(move |action| (plane, action)));
        let each = each.filter(|(plane, action)| has(all[*plane], *action));
        each.map(|(plane, action)| self.of_action(need, plane, action)).collect()
    }

    /// All of these, each in one of its ways; none when that is not known.
    fn asked(&self, need: &Need) -> Option<Vec<Vec<[Actions; 2]>>> {
        match need.wanted {
            Wanted::Row(row) => Some(self.universe.of_rows[row].clone()),
            Wanted::Role(role) if role == ROLES - 1 => None,
            Wanted::Role(role) => {
                let entries = self.roles[role].iter();
                let all = entries.fold([NONE; 2], |all, entry| [with(all[0], entry[0]), with(all[1], entry[1])]);
                (all != [NONE; 2]).then(|| vec![vec![all]])
            }
        }
    }

    fn answer(&self, need: &Need) -> Answer {
        match self.estate.principals[need.who] {
            Principal::Missing => return Answer::NoPrincipal,
            Principal::Unreadable => return Answer::Unknown,
            Principal::Known => {}
        }
        let subscription = PLACES[need.place].subscription.expect("needs are in subscriptions");
        if self.estate.unwitnessed.contains(&need.place) || self.estate.unreadable.contains(&subscription) {
            return Answer::Unknown;
        }
        let Some(asked) = self.asked(need) else { return Answer::Unknown };
        worst(asked.iter().map(|ways| self.best(need, ways)))
    }

    /// Of several ways to one thing the one that serves best. What is denied may be so on purpose, so it counts before
    /// what is merely not granted.
    fn best(&self, need: &Need, ways: &[[Actions; 2]]) -> Answer {
        let rank = |answer: &Answer| match answer {
            Answer::Satisfied => (0, 0),
            Answer::Propagating(minutes) => (1, *minutes),
            Answer::Unknown => (2, 0),
            Answer::Denied => (3, 0),
            Answer::Missing | Answer::NoPrincipal => (4, 0),
        };
        let answers = ways.iter().map(|way| self.of_way(need, *way));
        answers.min_by_key(rank).expect("there is a way to everything")
    }

    fn of_way(&self, need: &Need, way: [Actions; 2]) -> Answer {
        let mut each = Vec::new();
        for (plane, actions) in way.into_iter().enumerate() {
            for action in (0..self.universe.actions.len()).filter(|action| has(actions, *action)) {
                each.push(self.of_action(need, plane, action));
            }
        }
        worst(each.into_iter())
    }

    fn of_action(&self, need: &Need, plane: usize, action: usize) -> Answer {
        let denials: Vec<Said> =
            (0..self.denies.len()).map(|number| self.denies(number, need, plane, action)).collect();
        if denials.contains(&Said::Yes) {
            return Answer::Denied;
        }
        if denials.contains(&Said::Unclear) {
            return Answer::Unknown;
        }
        let mut waits = Vec::new();
        let mut unclear = false;
        let mut may_act = false;
        for (number, grant) in self.estate.grants.iter().enumerate() {
            if self.only.as_ref().is_some_and(|only| !only.contains(&number)) {
                continue;
            }
            let above = PLACES[grant.place].subscription.is_none();
            let clock = if above { PLACES[grant.place].clock } else { PLACES[need.place].clock };
            let wait = grant.age.map_or(0, |age| (clock - age).max(0));
            let allows = self.lets_through(grant, need, plane, action);
            match both(self.reaches(grant, need), allows) {
                Said::Yes => waits.push(wait),
                Said::Unclear => {
                    unclear = true;
                    // Whoever is in that group has had it for long, and waits for nothing.
                    may_act |= allows == Said::Yes && wait == 0;
                }
                Said::No => {}
            }
        }
        match waits.into_iter().min() {
            Some(0) => Answer::Satisfied,
            Some(_) if may_act => Answer::Unknown,
            Some(minutes) => Answer::Propagating(minutes),
            None if unclear => Answer::Unknown,
            None => Answer::Missing,
        }
    }

    /// Whether the grant lets that action through to whoever holds it.
    fn lets_through(&self, grant: &Held, need: &Need, plane: usize, action: usize) -> Said {
        if !is_at_or_above(grant.place, need.place) {
            return Said::No;
        }
        if grant.role == ROLES - 1 {
            Said::Unclear
        } else {
            let entries = self.estate.roles[grant.role].iter().zip(&self.roles[grant.role]).map(|(entry, named)| {
                if !has(named[plane], action) {
                    return Said::No;
                }
                both(Said::Yes, self.allows(entry.condition.as_ref(), need, plane, action))
            });
            let any = any(entries);
            both(any, self.allows(grant.condition.as_ref(), need, plane, action))
        }
    }

    /// Whether who holds the grant is the need's identity, or a group with it in it.
    fn reaches(&self, grant: &Held, need: &Need) -> Said {
        if grant.who == need.who {
            Said::Yes
        } else if grant.may_be_of_group() {
            self.is_member(grant.who, need)
        } else {
            Said::No
        }
    }

    fn allows(&self, condition: Option<&Drawn>, need: &Need, plane: usize, action: usize) -> Said {
        condition.map_or(Said::Yes, |drawn| drawn.allows(plane == 1, action, &PLACES[need.place], self.universe))
    }

    fn denies(&self, number: usize, need: &Need, plane: usize, action: usize) -> Said {
        let deny: &Deny = &self.estate.denies[number];
        let is_under =
            if deny.own_place_only { deny.place == need.place } else { is_at_or_above(deny.place, need.place) };
        if !is_under {
            return Said::No;
        }
        let under = |condition: Option<&Drawn>| {
            condition.map_or(Said::Yes, |drawn| drawn.denies(plane == 1, action, &PLACES[need.place], self.universe))
        };
        let what = if deny.entries.is_empty() {
            Said::Unclear
        } else {
            let entries = deny.entries.iter().zip(&self.denies[number]).map(|(entry, named)| {
                if !has(named[plane], action) {
                    return Said::No;
                }
                both(Said::Yes, under(entry.condition.as_ref()))
            });
            // Of what could not be read, no condition is asked either.
            both(any(entries), under(deny.condition.as_ref()))
        };
        let spared = match self.is_among(&deny.exempt, need) {
            Said::Yes => Said::No,
            Said::No => Said::Yes,
            Said::Unclear => Said::Unclear,
        };
        both(both(what, self.is_among(&deny.whom, need)), spared)
    }

    fn is_among(&self, whom: &[Whom], need: &Need) -> Said {
        any(whom.iter().map(|one| match one {
            Whom::Everyone => Said::Yes,
            Whom::One(who) | Whom::Members(who) if *who == need.who => Said::Yes,
            Whom::One(_) => Said::No,
            Whom::Members(group) => self.is_member(*group, need),
            Whom::Unread => Said::Unclear,
        }))
    }

    /// A group can be asked about by the grants that it holds, and only in the lists where they are.
    fn is_member(&self, group: usize, need: &Need) -> Said {
        let subscription = PLACES[need.place].subscription;
        let is_listed = |grant: &&Held| {
            let place = PLACES[grant.place].subscription;
            grant.who == group && grant.may_be_of_group() && (place.is_none() || place == subscription)
        };
        if !self.estate.grants.iter().any(|grant| is_listed(&grant)) {
            return Said::Unclear;
        }
        match &self.members[need.who][subscription.expect("needs are in subscriptions")] {
            Members::NotAsked | Members::Refused => Said::Unclear,
            Members::Of(groups) if groups.contains(&group) => Said::Yes,
            Members::Of(_) => Said::No,
        }
    }
}

/// The worst of several answers that are all needed.
fn worst(answers: impl Iterator<Item = Answer>) -> Answer {
    let each: Vec<Answer> = answers.collect();
    if each.contains(&Answer::Denied) {
        Answer::Denied
    } else if each.contains(&Answer::Missing) {
        Answer::Missing
    } else if each.contains(&Answer::Unknown) {
        Answer::Unknown
    } else {
        let waits =
            each.iter().filter_map(|one| if let Answer::Propagating(minutes) = one { Some(*minutes) } else { None });
        waits.max().map_or(Answer::Satisfied, Answer::Propagating)
    }
}

fn is_at_or_above(place: usize, other: usize) -> bool {
    place == other || PLACES[other].parent.is_some_and(|parent| is_at_or_above(place, parent))
}

fn both(one: Said, other: Said) -> Said {
    match (one, other) {
        (Said::No, _) | (_, Said::No) => Said::No,
        (Said::Yes, Said::Yes) => Said::Yes,
        _ => Said::Unclear,
    }
}

fn any(all: impl Iterator<Item = Said>) -> Said {
    let all: Vec<Said> = all.collect();
    if all.contains(&Said::Yes) {
        Said::Yes
    } else if all.contains(&Said::Unclear) {
        Said::Unclear
    } else {
        Said::No
    }
}
