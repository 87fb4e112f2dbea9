//! Cosmos DB's own role assignments. They live inside an account, below Azure RBAC, and no list of role assignments shows
//! them.

use std::collections::BTreeMap;

use super::{PrincipalId, RoleId, Scope};

/// What decides access to the data of one account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CosmosAccess {
    /// Every SQL role assignment of the account.
    pub grants: Vec<CosmosGrant>,
    /// Every SQL role definition of the account, the built-in ones included.
    pub roles: BTreeMap<RoleId, CosmosRole>,
    /// Some assignment could not be understood: what is not found may be in it.
    pub has_unread: bool,
}

/// One SQL role assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CosmosGrant {
    /// Its full id.
    pub id: Scope,
    /// Who holds it. Whether that is a group is not said.
    pub principal: PrincipalId,
    /// Which role.
    pub role: RoleId,
    /// Where: the account, or a database or container below it.
    pub scope: Scope,
}

impl CosmosGrant {
    /// Whether it reaches that place. Names of databases and containers have a case of their own.
    #[must_use]
    pub fn reaches(&self, place: &Scope, account: &Scope) -> bool {
        let below = |scope: &Scope| scope.as_str().get(account.as_str().len()..).unwrap_or_default().to_owned();
        let (own, place) = (below(&self.scope), below(place));
        own == place || place.strip_prefix(&own).is_some_and(|rest| rest.starts_with('/'))
    }
}

/// One SQL role definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CosmosRole {
    /// Its name.
    pub name: String,
    /// Data actions, entry by entry: allowed, and taken away from that entry again.
    pub permissions: Vec<(Vec<String>, Vec<String>)>,
}

impl CosmosRole {
    /// Whether one of its entries allows the whole pattern.
    #[must_use]
    pub fn allows(&self, pattern: &str) -> bool {
        self.permissions.iter().any(|(allowed, taken)| {
            allowed.iter().any(|own| covers(own, pattern))
                && !taken.iter().any(|not| covers(not, pattern) || covers(pattern, not))
        })
    }
}

/// The account that a place is in: a scope of an account, or of a database or container below it.
#[must_use]
pub fn account_of(place: &Scope) -> Scope {
    // `/subscriptions/S/resourceGroups/G/providers/Microsoft.DocumentDB/databaseAccounts/A`: eight segments.
    let text = place.as_str();
    let end = text.match_indices('/').nth(8).map_or(text.len(), |(at, _)| at);
    Scope::lenient(&text[..end])
}

/// Whether every action of `narrow` is one of `wide`. A `*` stands for the last segment and not for more: that is why
/// the built-in contributor names `containers/*` and `containers/items/*`.
fn covers(wide: &str, narrow: &str) -> bool {
    if wide.eq_ignore_ascii_case(narrow) {
        return true;
    }
    let Some(parent) = wide.strip_suffix("/*") else { return false };
    narrow.rsplit_once('/').is_some_and(|(own, _)| own.eq_ignore_ascii_case(parent))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ITEMS: &str = "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/items";

    #[test]
    fn a_star_is_the_last_segment_and_no_more() {
        assert!(covers(&format!("{ITEMS}/*"), &format!("{ITEMS}/READ")));
        assert!(covers(&format!("{ITEMS}/*"), &format!("{ITEMS}/*")));
        assert!(!covers("Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/*", &format!("{ITEMS}/read")));
        assert!(!covers(&format!("{ITEMS}/read"), &format!("{ITEMS}/*")));
    }

    #[test]
    fn the_account_of_a_place_is_cut_by_its_segments_whatever_they_are_called() {
        let account = "/subscriptions/1/resourceGroups/dbs/providers/Microsoft.DocumentDB/databaseAccounts/dbs";
        for below in ["", "/dbs/sales", "/dbs/sales/colls/dbs"] {
            assert_eq!(account_of(&Scope::parse(&format!("{account}{below}")).unwrap()).as_str(), account, "{below}");
        }
    }

    #[test]
    fn what_an_entry_takes_away_another_may_give() {
        let entry =
            |allowed: &str, taken: &[&str]| (vec![allowed.to_owned()], taken.iter().map(|&it| it.to_owned()).collect());
        let (all, read) = (format!("{ITEMS}/*"), format!("{ITEMS}/read"));
        let role = |permissions| CosmosRole { name: "r".to_owned(), permissions };
        assert!(!role(vec![entry(&all, &[&read])]).allows(&read));
        assert!(!role(vec![entry(&all, &[&read])]).allows(&all), "a part of it is taken away");
        assert!(role(vec![entry(&all, &[&read]), entry(&read, &[])]).allows(&read));
    }

    #[test]
    fn a_grant_reaches_its_own_place_and_what_is_below_and_knows_case() {
        let account = "/subscriptions/1/resourceGroups/r/providers/Microsoft.DocumentDB/databaseAccounts/co";
        let scope = |path: &str| Scope::parse(&format!("{account}{path}")).unwrap();
        let grant = |path: &str| CosmosGrant {
            id: scope("/sqlRoleAssignments/1"),
            principal: "05e70000-0000-4000-8000-000000000001".parse().unwrap(),
            role: "00000000-0000-0000-0000-000000000001".parse().unwrap(),
            scope: scope(path),
        };
        let reaches = |own: &str, place: &str| grant(own).reaches(&scope(place), &scope(""));
        assert!(reaches("", "/dbs/sales/colls/orders") && reaches("/dbs/sales", "/dbs/sales/colls/orders"));
        assert!(reaches("/dbs/sales", "/dbs/sales") && !reaches("/dbs/sales/colls/orders", "/dbs/sales"));
        assert!(!reaches("/dbs/sale", "/dbs/sales") && !reaches("/dbs/Sales", "/dbs/sales"));
    }
}
