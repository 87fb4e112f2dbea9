//! Grants, drawn.

use proptest::{prelude::*, sample::select};

use crate::{
    evaluate::fixtures::{FORMER, GROUP, SHARED, STRANGER, SYSTEM, World, minutes_ago},
    model::{Condition, PrincipalKind, Scope},
    policy::fixtures::{SUBSCRIPTION, host_account, kv, own, queue},
};

/// A grant as a handful of choices; few enough values that collisions and near misses are common.
#[derive(Clone, Debug)]
pub struct DrawnGrant {
    who: usize,
    role: usize,
    scope: usize,
    conditioned: bool,
    age: i64,
}

pub const WHO: [&str; 5] = [SYSTEM, SHARED, FORMER, STRANGER, GROUP];
const ROLES: [&str; 8] = [
    "Azure Service Bus Data Receiver",
    "Azure Service Bus Data Owner",
    "Storage Blob Data Contributor",
    "Storage Blob Data Reader",
    "Azure Event Hubs Data Receiver",
    "Key Vault Secrets User",
    "Owner",
    "Reader",
];

/// In minutes: on both sides of each clock by which a grant comes to act.
const AGES: [i64; 7] = [0, 4, 8, 20, 45, 300, 500];

fn scopes() -> Vec<Scope> {
    let group = queue().resource_group().unwrap();
    let hub = own("Microsoft.EventHub/namespaces/eh-clicks");
    vec![queue(), host_account(), hub, kv(), group, Scope::of_subscription(SUBSCRIPTION), Scope::parse("/").unwrap()]
}

pub fn grants() -> impl Strategy<Value = Vec<DrawnGrant>> {
    let one = (0..WHO.len(), 0..ROLES.len(), 0..scopes().len(), any::<bool>(), select(AGES.to_vec()));
    let one = one.prop_map(|(who, role, scope, conditioned, age)| DrawnGrant { who, role, scope, conditioned, age });
    prop::collection::vec(one, 0..14)
}

pub fn add(world: &mut World, drawn: &DrawnGrant) {
    let grant = world.grant(WHO[drawn.who], ROLES[drawn.role], &scopes()[drawn.scope]);
    let id = grant.id.clone();
    world.each_list(|access| {
        for grant in access.grants.iter_mut().filter(|grant| grant.id == id) {
            grant.condition = drawn
                .conditioned
                .then(|| Condition::read("@Environment[isPrivateLink] BoolEquals true", None))
                .flatten();
            grant.changed = Some(minutes_ago(drawn.age));
            if WHO[drawn.who] == GROUP {
                grant.principal_kind = PrincipalKind::Group;
            }
        }
    });
}
