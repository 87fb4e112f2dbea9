//! Deny assignments: whether one takes an action away from a principal, whatever roles it holds.

use super::Question;
use crate::model::{Condition, Denied, DenyAssignment, Truth, condition::Request};

/// The answer about one deny assignment, or about all of them.
pub(super) enum Denial {
    /// The one of that name denies it.
    Denied(String),
    /// Cannot be told.
    Undecided(String),
}

impl Question<'_> {
    /// The deny assignment that takes the action away, or may do so; of several the one with the least name.
    pub(super) fn denial(&self, request: &Request<'_>) -> Option<Denial> {
        let (mut denied, mut undecided) = (None::<String>, None::<(String, String)>);
        for deny in self.access.denies.iter().filter(|deny| self.is_under(deny)) {
            match self.is_denied_by(deny, request) {
                Truth::False => {}
                Truth::True => {
                    if denied.as_ref().is_none_or(|known| deny.name < *known) {
                        denied = Some(deny.name.clone());
                    }
                }
                Truth::Undecided(why) => {
                    if undecided.as_ref().is_none_or(|(known, _)| deny.name < *known) {
                        undecided = Some((deny.name.clone(), why));
                    }
                }
            }
        }
        let may_apply =
            |(name, why)| Denial::Undecided(format!("deny assignment `{name}` may apply to this identity: {why}"));
        denied.map(Denial::Denied).or(undecided.map(may_apply))
    }

    pub(super) fn is_under(&self, deny: &DenyAssignment) -> bool {
        if deny.own_scope_only { deny.scope == *self.scope } else { deny.scope.reaches(self.scope) }
    }

    fn is_denied_by(&self, deny: &DenyAssignment, request: &Request<'_>) -> Truth {
        // What first: nobody is asked about memberships for the sake of an action that is not denied.
        let what = denies(deny, request);
        if what == Truth::False {
            return Truth::False;
        }
        let named = self.is_among(&deny.principals);
        if named == Truth::False {
            return Truth::False;
        }
        let exempt = self.is_among(&deny.excluded);
        if exempt == Truth::True {
            return Truth::False;
        }
        [named, exempt, what].into_iter().find(|part| matches!(part, Truth::Undecided(_))).unwrap_or(Truth::True)
    }

    /// Whether the principal is one of them.
    fn is_among(&self, listed: &[Denied]) -> Truth {
        let mut doubt = None;
        for one in listed {
            match one {
                Denied::Everyone => return Truth::True,
                Denied::Principal(id) | Denied::Group(id) if *id == self.principal => return Truth::True,
                Denied::Principal(_) => {}
                Denied::Group(group) => match self.is_member(*group) {
                    Some(true) => return Truth::True,
                    Some(false) => {}
                    None => {
                        let text = format!("whether it is in group {group} could not be read");
                        doubt.get_or_insert(text);
                    }
                },
                Denied::Unread => {
                    doubt.get_or_insert("whom it names could not be read".to_owned());
                }
            }
        }
        doubt.map_or(Truth::False, Truth::Undecided)
    }
}

/// Whether the deny assignment is about that action, whoever asks.
fn denies(deny: &DenyAssignment, request: &Request<'_>) -> Truth {
    if deny.permissions.is_empty() {
        return Truth::Undecided("what it denies could not be read".to_owned());
    }
    let under = |condition: Option<&Condition>| condition.map_or(Truth::True, |condition| condition.denies(request));
    let named = deny.permissions.iter().filter(|entry| entry.names(request.data, request.action));
    Truth::of_entries(named.map(|entry| under(entry.condition.as_ref())), || under(deny.condition.as_ref()))
}
