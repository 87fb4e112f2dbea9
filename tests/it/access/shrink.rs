//! Of an estate that differs, the least that still does: parts are left out one at a time, as long as any can be.

use super::{
    condition::Drawn,
    estate::{Entry, Estate, Members, Principal},
};

pub fn least(mut estate: Estate, differs: impl Fn(&Estate) -> bool) -> Estate {
    while let Some(smaller) = smaller(&estate).into_iter().find(&differs) {
        estate = smaller;
    }
    estate
}

/// Every estate that is smaller by one part.
fn smaller(estate: &Estate) -> Vec<Estate> {
    let mut all = Vec::new();
    let mut push = |change: &dyn Fn(&mut Estate)| {
        let mut smaller = estate.clone();
        change(&mut smaller);
        all.push(smaller);
    };
    for at in 0..estate.needs.len() {
        push(&|smaller| {
            smaller.needs.remove(at);
        });
    }
    for at in 0..estate.grants.len() {
        push(&|smaller| {
            smaller.grants.remove(at);
        });
        if estate.grants[at].age.is_some() {
            push(&|smaller| smaller.grants[at].age = None);
        }
        if estate.grants[at].untyped {
            push(&|smaller| smaller.grants[at].untyped = false);
        }
        for condition in simpler(estate.grants[at].condition.as_ref()) {
            push(&|smaller| smaller.grants[at].condition.clone_from(&condition));
        }
    }
    for (role, entries) in estate.roles.iter().enumerate() {
        for (at, known) in entries.iter().enumerate() {
            push(&|smaller| {
                smaller.roles[role].remove(at);
            });
            for entry in smaller_entries(known) {
                push(&|smaller| smaller.roles[role][at] = entry.clone());
            }
        }
    }
    for (number, deny) in estate.denies.iter().enumerate() {
        push(&|smaller| {
            smaller.denies.remove(number);
        });
        for at in 0..deny.whom.len() {
            push(&|smaller| {
                smaller.denies[number].whom.remove(at);
            });
        }
        for at in 0..deny.exempt.len() {
            push(&|smaller| {
                smaller.denies[number].exempt.remove(at);
            });
        }
        for at in 0..deny.entries.len() {
            push(&|smaller| {
                smaller.denies[number].entries.remove(at);
            });
            for entry in smaller_entries(&deny.entries[at]) {
                push(&|smaller| smaller.denies[number].entries[at] = entry.clone());
            }
        }
        for condition in simpler(deny.condition.as_ref()) {
            push(&|smaller| smaller.denies[number].condition.clone_from(&condition));
        }
        if deny.own_place_only {
            push(&|smaller| smaller.denies[number].own_place_only = false);
        }
    }
    for who in 0..2 {
        for at in 0..2 {
            if !matches!(estate.members[who][at], Members::NotAsked) {
                push(&|smaller| smaller.members[who][at] = Members::NotAsked);
            }
        }
        if estate.principals[who] != Principal::Known {
            push(&|smaller| smaller.principals[who] = Principal::Known);
        }
    }
    if !estate.unreadable.is_empty() || !estate.unwitnessed.is_empty() {
        push(&|smaller| (smaller.unreadable, smaller.unwitnessed) = (Vec::new(), Vec::new()));
    }
    all
}

fn smaller_entries(entry: &Entry) -> Vec<Entry> {
    let mut all: Vec<Entry> =
        simpler(entry.condition.as_ref()).into_iter().map(|condition| Entry { condition, ..entry.clone() }).collect();
    for (number, list) in entry.lists.iter().enumerate() {
        for at in 0..list.len() {
            let mut smaller = entry.clone();
            smaller.lists[number].remove(at);
            all.push(smaller);
        }
    }
    all
}

/// None at all, or one part of it.
fn simpler(condition: Option<&Drawn>) -> Vec<Option<Drawn>> {
    let Some(condition) = condition else { return Vec::new() };
    let parts: Vec<Drawn> = match condition {
        Drawn::All(parts) | Drawn::Any(parts) => parts.clone(),
        Drawn::Not(part) => vec![(**part).clone()],
        _ => Vec::new(),
    };
    std::iter::once(None).chain(parts.into_iter().map(Some)).collect()
}
