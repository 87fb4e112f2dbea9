//! The fewest of the grants that may be made: what another one of them brings along is not granted on its own.

use super::{GrantRole, Held, Wish, WishedChange};
use crate::{evaluate::stands_in, policy::Policy};

/// The same without the grants whose need another one of them meets, to the same principal, there or above. That other
/// one then says for whom it is as well. What is held meets no need.
pub(super) fn least(policy: &Policy, mut asked: Vec<Result<Wish, Held>>) -> Vec<Result<Wish, Held>> {
    let grants: Vec<(usize, &GrantRole)> =
        asked.iter().enumerate().filter_map(|(at, wish)| Some((at, granted(wish.as_ref().ok()?)?))).collect();
    // By position in `grants`: which others would do.
    let others: Vec<Vec<usize>> = grants
        .iter()
        .map(|(at, grant)| {
            let others = grants.iter().enumerate();
            let others = others.filter(|(_, (other_at, other))| other_at != at && meets(policy, grant, other));
            others.map(|(number, _)| number).collect()
        })
        .collect();
    let mut kept = vec![true; grants.len()];
    // Of two that stand in for each other the first stays, and nothing goes whose stand-in went.
    for number in (0..grants.len()).rev() {
        kept[number] = false;
        if !others.iter().zip(&kept).all(|(others, kept_itself)| *kept_itself || others.iter().any(|at| kept[*at])) {
            kept[number] = true;
        }
    }
    let gone = (0..grants.len()).filter(|number| !kept[*number]);
    let stand_in = |number: usize| others[number].iter().copied().find(|at| kept[*at]);
    let moved: Vec<(usize, usize)> =
        gone.filter_map(|number| Some((grants[number].0, grants[stand_in(number)?].0))).collect();
    for &(from, to) in &moved {
        let origins = asked[from].as_ref().ok().and_then(granted).map(|grant| grant.origins.clone());
        if let Ok(Wish { change: WishedChange::Grant(grant), .. }) = &mut asked[to] {
            grant.serves(&origins.unwrap_or_default());
        }
    }
    let is_gone = |at: usize| moved.iter().any(|(from, _)| *from == at);
    asked.into_iter().enumerate().filter(|(at, _)| !is_gone(*at)).map(|(_, wish)| wish).collect()
}

fn granted(wish: &Wish) -> Option<&GrantRole> {
    match &wish.change {
        WishedChange::Grant(grant) => Some(grant),
        WishedChange::EnableSystem
        | WishedChange::Attach(_)
        | WishedChange::AddEntry(_)
        | WishedChange::Switch(_)
        | WishedChange::Revoke(_)
        | WishedChange::Reattach(_)
        | WishedChange::Restart
        | WishedChange::Refresh(_) => None,
    }
}

fn meets(policy: &Policy, grant: &GrantRole, other: &GrantRole) -> bool {
    grant.principal == other.principal
        && other.scope.reaches(&grant.scope)
        && stands_in(policy, &grant.identity, &grant.scope, &grant.role, &other.role)
}
