//! An estate as `evaluate` gets to see it, and what it says.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, LazyLock},
};

use jiff::{SignedDuration, Timestamp};
use rolecall::{
    catalog,
    evaluate::{self, Access},
    model::{
        Attachment, Condition, Denied, DenyAssignment, Failure, FailureClass, Grant, Observed, PermissionSet,
        PrincipalId, PrincipalKind, Reading, Role, RoleId, Scope, Site, SubscriptionAccess, SystemAssigned,
        UserIdentity, Workload,
        network::{NetworkSeen, Outbound},
    },
    policy::{Identity, Origin, Policy, Requirement, RoleName, Wanted as PolicyWanted},
};
use serde_json::json;

use super::{
    condition::Drawn,
    estate::{Entry, Estate, FIRST_GROUP, Members, PLACES, Principal, ROLES, SUBSCRIPTIONS, WHO, Wanted, Whom},
    oracle::Answer,
    universe::Universe,
};

fn now() -> Timestamp {
    Timestamp::from_second(1_780_000_000).expect("a time")
}

/// What is the same in every estate, read once.
struct Names {
    scopes: Vec<Scope>,
    principals: Vec<PrincipalId>,
    roles: Vec<RoleId>,
    user: Scope,
    policy: Policy,
    /// The roles that rows recommend: they are defined, and nobody holds them.
    recommended: BTreeMap<RoleId, Role>,
}

static NAMES: LazyLock<Names> = LazyLock::new(|| {
    let id = "/resourceGroups/rg-orders/providers/Microsoft.ManagedIdentity/userAssignedIdentities/mi-orders";
    let role = |number: usize| format!("e{number}e{number}e{number}e{number}-0000-4000-8000-00000000000e");
    let built_in = catalog::built_in_roles().iter().map(|role| Role {
        id: role.role_id(),
        name: role.name.clone(),
        permissions: Vec::new(),
        changed: None,
    });
    Names {
        scopes: PLACES.iter().map(|place| Scope::parse(place.id).expect("a scope")).collect(),
        principals: WHO.iter().map(|id| id.parse().expect("a GUID")).collect(),
        roles: (0..ROLES).map(|number| role(number).parse().expect("a GUID")).collect(),
        user: Scope::parse(&format!("/subscriptions/{}{id}", SUBSCRIPTIONS[0])).expect("a scope"),
        policy: declared(),
        recommended: built_in.map(|role| (role.id, role)).collect(),
    }
});

fn scope(place: usize) -> Scope {
    NAMES.scopes[place].clone()
}

fn principal(who: usize) -> PrincipalId {
    NAMES.principals[who]
}

fn role_id(role: usize) -> RoleId {
    NAMES.roles[role]
}

fn user_identity() -> Scope {
    NAMES.user.clone()
}

fn present<T>(value: T) -> Reading<T> {
    Reading::Present { value, at: now() }
}

fn refused<T>() -> Reading<T> {
    Reading::Unreadable(Failure::new(FailureClass::Denied, "AuthorizationFailed", "refused"))
}

/// What `evaluate` says of an estate.
pub struct Said {
    /// The answer to each need.
    pub answers: Vec<Answer>,
    /// The grants by position that each answer `Satisfied` rests on; no position for one that there is not.
    pub deciding: Vec<Vec<Option<usize>>>,
    /// Whose groups are to be asked about, by identity and subscription.
    pub asked: Vec<[usize; 2]>,
}

pub fn evaluated(estate: &Estate, universe: &Universe) -> Said {
    let builder = Builder { estate, universe };
    let evaluation = evaluate::evaluate(&builder.policy(), &builder.observed(), now());
    let position = |id: &Scope| {
        let number: usize = id.name().parse().ok()?;
        estate.grants.get(number).is_some_and(|grant| grant_id(number, grant.place) == *id).then_some(number)
    };
    let of = |access: &Access| match access {
        Access::Satisfied(grants) => grants.iter().map(|grant| position(&grant.id)).collect(),
        _ => Vec::new(),
    };
    let asked = evaluation.ask_groups.iter().map(|(who, subscription)| {
        let who = NAMES.principals.iter().position(|known| known == who).expect("somebody of the estate");
        [who, SUBSCRIPTIONS.iter().position(|known| known == subscription).expect("one of the two")]
    });
    Said {
        answers: evaluation.requirements.iter().map(|requirement| answer(&requirement.access)).collect(),
        deciding: evaluation.requirements.iter().map(|requirement| of(&requirement.access)).collect(),
        asked: asked.collect(),
    }
}

fn answer(access: &Access) -> Answer {
    match access {
        Access::Satisfied(_) => Answer::Satisfied,
        Access::Propagating { until, .. } => Answer::Propagating(until.duration_since(now()).as_mins()),
        Access::Missing(_) => Answer::Missing,
        Access::Denied(_) => Answer::Denied,
        Access::Unknown(_) => Answer::Unknown,
        Access::NoPrincipal => Answer::NoPrincipal,
        Access::NoResource => unreachable!("nobody says of any resource that it does not exist"),
    }
}

struct Builder<'a> {
    estate: &'a Estate,
    universe: &'a Universe,
}

impl Builder<'_> {
    fn policy(&self) -> Policy {
        let requirement = |need: &super::estate::Need| Requirement {
            origins: vec![Origin::Grant(0)],
            identity: if need.who == 0 { Identity::System } else { Identity::User(user_identity()) },
            scope: scope(need.place),
            wanted: match need.wanted {
                Wanted::Row(row) => PolicyWanted::Need(self.universe.rows[row]),
                Wanted::Role(role) => PolicyWanted::Role(RoleName::Id(role_id(role))),
            },
        };
        let requirements = self.estate.needs.iter().map(requirement).collect();
        Policy { requirements, ..NAMES.policy.clone() }
    }

    fn observed(&self) -> Observed {
        let estate = self.estate;
        let [system, user] = estate.principals;
        let target = match system {
            Principal::Unreadable => refused(),
            Principal::Known | Principal::Missing => present(Site {
                id: scope(3).child("providers/Microsoft.Web/sites/func-orders"),
                workload: Workload::FunctionApp,
                system: if system == Principal::Known { SystemAssigned::On(principal(0)) } else { SystemAssigned::Off },
                attached: [(user_identity(), Attachment { principal: None, client: None })].into(),
                reference_identity: None,
                stopped: None,
                outbound: Outbound::Shared,
                under_way: None,
                platform: Vec::new(),
            }),
        };
        let identity = |principal| present(UserIdentity { id: user_identity(), principal, client: None });
        let user = match user {
            Principal::Known => identity(Some(principal(1))),
            Principal::Missing => identity(None),
            Principal::Unreadable => refused(),
        };
        let asked = |at: &usize| estate.needs.iter().any(|need| PLACES[need.place].subscription == Some(*at));
        let access = SUBSCRIPTIONS.iter().enumerate().filter(|(at, _)| asked(at)).map(|(at, id)| {
            let list = if estate.unreadable.contains(&at) { refused() } else { present(Arc::new(self.access(at))) };
            ((*id).to_owned(), list)
        });
        let mut through_groups = BTreeMap::new();
        for (who, members) in estate.members.iter().enumerate() {
            for (at, members) in members.iter().enumerate() {
                let answer = match members {
                    Members::NotAsked => continue,
                    Members::Refused => refused(),
                    Members::Of(groups) => {
                        let ids = estate.grants.iter().enumerate();
                        let theirs = ids.filter(|(_, grant)| groups.contains(&grant.who) && is_listed(grant.place, at));
                        present(theirs.map(|(number, grant)| grant_id(number, grant.place)).collect())
                    }
                };
                through_groups.insert((principal(who), SUBSCRIPTIONS[at].to_owned()), answer);
            }
        }
        let unwitnessed = estate
            .unwitnessed
            .iter()
            .map(|place| (scope(*place), Failure::new(FailureClass::Denied, "Unwitnessed", "nobody vouches for it")));
        Observed {
            target,
            user: [(user_identity(), user)].into(),
            vaults: BTreeMap::new(),
            access: access.collect(),
            unwitnessed: unwitnessed.collect(),
            through_groups,
            ends: BTreeMap::new(),
            host: None,
            references: None,
            registry: None,
            settings: None,
            cloud: "AzureCloud",
            cosmos: BTreeMap::new(),
            resources: BTreeMap::new(),
            evidence: None,
            history: BTreeMap::new(),
            network: NetworkSeen::default(),
            identities: BTreeSet::new(),
            census: BTreeMap::new(),
        }
    }

    fn access(&self, subscription: usize) -> SubscriptionAccess {
        let estate = self.estate;
        let listed = estate.grants.iter().enumerate().filter(|(_, grant)| is_listed(grant.place, subscription));
        let grants = listed.map(|(number, grant)| Grant {
            id: grant_id(number, grant.place),
            principal: principal(grant.who),
            principal_kind: match grant.who {
                _ if grant.untyped => PrincipalKind::Unknown,
                FIRST_GROUP.. => PrincipalKind::Group,
                _ => PrincipalKind::ServicePrincipal,
            },
            role: role_id(grant.role),
            scope: scope(grant.place),
            condition: self.condition(grant.condition.as_ref()),
            changed: grant.age.map(|age| now() - SignedDuration::from_mins(age)),
            mark: None,
            created_by: None,
        });
        let custom = estate.roles.iter().enumerate().map(|(number, entries)| Role {
            id: role_id(number),
            name: format!("Role {number}"),
            permissions: entries.iter().map(|entry| self.permissions(entry)).collect(),
            changed: None,
        });
        let rows = estate.needs.iter().filter_map(|need| match need.wanted {
            Wanted::Row(row) => catalog::built_in(&self.universe.rows[row].role),
            Wanted::Role(_) => None,
        });
        let recommended = rows.map(|row| NAMES.recommended[&row.role_id()].clone());
        let denies = estate.denies.iter().enumerate().filter(|(_, deny)| is_listed(deny.place, subscription));
        let denies = denies.map(|(number, deny)| DenyAssignment {
            id: scope(deny.place).child(&format!("providers/Microsoft.Authorization/denyAssignments/{number}")),
            name: format!("deny {number}"),
            scope: scope(deny.place),
            own_scope_only: deny.own_place_only,
            principals: deny.whom.iter().map(denied).collect(),
            excluded: deny.exempt.iter().map(denied).collect(),
            condition: self.condition(deny.condition.as_ref()),
            permissions: deny.entries.iter().map(|entry| self.permissions(entry)).collect(),
        });
        SubscriptionAccess {
            grants: grants.collect(),
            roles: recommended.chain(custom).map(|role| (role.id, role)).collect(),
            denies: denies.collect(),
        }
    }

    fn permissions(&self, entry: &Entry) -> PermissionSet {
        let texts = |list: &Vec<usize>| list.iter().map(|at| self.universe.patterns[*at].to_owned()).collect();
        let [actions, not_actions, data_actions, not_data_actions] = entry.lists.each_ref().map(texts);
        let condition = self.condition(entry.condition.as_ref());
        PermissionSet { actions, not_actions, data_actions, not_data_actions, condition }
    }

    fn condition(&self, drawn: Option<&Drawn>) -> Option<Condition> {
        Condition::read(&drawn?.written(self.universe), None)
    }
}

fn denied(whom: &Whom) -> Denied {
    match whom {
        Whom::Everyone => Denied::Everyone,
        Whom::One(who) => Denied::Principal(principal(*who)),
        Whom::Members(who) => Denied::Group(principal(*who)),
        Whom::Unread => Denied::Unread,
    }
}

fn grant_id(number: usize, place: usize) -> Scope {
    Scope::lenient(&format!("{}/providers/Microsoft.Authorization/roleAssignments/{number}", PLACES[place].id))
}

/// A subscription's list has what is in it and above.
fn is_listed(place: usize, subscription: usize) -> bool {
    PLACES[place].subscription.is_none_or(|own| own == subscription)
}

/// A policy with both identities and nothing else: the needs are the estate's.
fn declared() -> Policy {
    let object = serde_json::from_value(json!({
        "apiVersion": "rolecall.dev/v1alpha1",
        "kind": "FunctionIdentityPolicy",
        "metadata": { "name": "orders", "namespace": "payments" },
        "spec": {
            "scope": { "subscriptionId": SUBSCRIPTIONS[0], "resourceGroup": "rg-orders" },
            "resources": {
                "app": "Microsoft.Web/sites/func-orders",
                "identity": "Microsoft.ManagedIdentity/userAssignedIdentities/mi-orders",
            },
            "target": { "resource": "app" },
            "identities": { "system": "Optional", "user": [{ "name": "shared", "resource": "identity" }] },
        },
    }));
    assert_eq!(ROLES, 5, "the ids of roles are one digit");
    Policy::parse(&object.expect("a policy")).expect("it is valid")
}
