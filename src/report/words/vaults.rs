//! How vaults decide, and who would lose access to one.

use super::policies;
use crate::{
    evaluate::Gap,
    model::{PrincipalId, Scope, VaultMode, VaultOperation},
    plan::Break,
    policy::Identity,
};

pub(super) fn mismatch(vault: &Scope, expected: VaultMode, actual: VaultMode) -> String {
    format!("vault `{}` decides by {}, while {} are declared", vault.name(), mode(actual), mode(expected))
}

pub(super) fn disputed(vault: &Scope, by: &[String], elsewhere: bool) -> String {
    format!("the other mode of vault `{}` is declared by {}", vault.name(), policies(by, elsewhere))
}

pub(super) fn no_entry(
    vault: &Scope,
    identity: &Identity,
    principal: PrincipalId,
    missing: &[VaultOperation],
) -> String {
    let missing: Vec<_> = missing.iter().map(|word| format!("`{word}`")).collect();
    let (name, missing) = (vault.name(), missing.join(" and "));
    format!("vault `{name}` decides by access policies, and none lets {identity} (principal {principal}) {missing}")
}

fn mode(mode: VaultMode) -> &'static str {
    match mode {
        VaultMode::Rbac => "role assignments (RBAC)",
        VaultMode::AccessPolicy => "access policies",
    }
}

/// How many of them are named.
const NAMED: usize = 5;

/// Object ids only: whose they are is not in what was read.
pub(super) fn breaks(breaks: &[Break]) -> String {
    let named = breaks.iter().take(NAMED).map(|Break { object, gap }| {
        let who = object.map_or_else(|| "an identity that another policy declares".to_owned(), |it| it.to_string());
        format!("{who} {}", why(gap))
    });
    let more = match breaks.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    format!("access by roles would break: {}{more}", named.collect::<Vec<_>>().join("; "))
}

fn why(gap: &Gap) -> String {
    match gap {
        Gap::Lacks(roles) => {
            let roles: Vec<_> = roles.iter().map(|role| format!("`{role}`")).collect();
            format!("lacks {}", roles.join(" and "))
        }
        Gap::Denied => "is kept out by a deny assignment".to_owned(),
        Gap::Undecided => "holds what cannot be judged".to_owned(),
        Gap::Compound => "has an entry that counts with an application only".to_owned(),
        Gap::Foreign => "has an entry of another directory".to_owned(),
        Gap::Unmapped(permission) => format!("may `{permission}`, for which there is no role"),
    }
}
