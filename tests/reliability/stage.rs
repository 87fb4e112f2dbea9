//! What is there when a run begins: Azure, the cluster's objects, and which policies there are.

use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use rolecall::sandbox::{
    arm::World,
    scenario::{self, Deed, Scenario},
};
use serde_json::{Value, json};

use super::{
    facts::{lower, text},
    schedule::Place,
    town,
};

/// A policy, as namespace and name. Every call has one.
pub(super) type Key = Arc<(String, String)>;

/// The beginning of a run.
#[derive(Clone, Debug)]
pub(super) struct Stage {
    pub(super) world: World,
    /// Boundaries and policies, as users apply them.
    pub(super) objects: Vec<Value>,
    /// The policies, in the order in which deeds count them.
    pub(super) policies: Vec<Key>,
    pub(super) start: Timestamp,
    /// What people do, each when all is at rest after what came before.
    pub(super) then: Vec<Deed>,
    /// By which words each document of Azure can be told, with its id: names and principals.
    pub(super) words: Vec<(String, Vec<String>)>,
    /// The operator may read and write everything, and nothing in the world itself stands in its way.
    pub(super) unhindered: bool,
}

/// The roles that worlds are made with. Serving all built-in ones would be most of the work of a run.
const ROLES: [&str; 8] = [
    "acdd72a7-3385-48ef-bd42-f606fba81ae7", // Reader
    "b24988ac-6180-42a0-ab88-20f7382dd24c", // Contributor
    "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0", // Azure Service Bus Data Receiver
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe", // Storage Blob Data Contributor
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b", // Storage Blob Data Owner
    "974c5e8b-45b9-4653-ba55-5f855dd0fb88", // Storage Queue Data Contributor
    "4633458b-17de-408a-b874-0445c86b69e6", // Key Vault Secrets User
    "b86a8fe4-44ce-4948-aee5-eccb2c155cd7", // Key Vault Secrets Officer
];

static SCENARIOS: LazyLock<Vec<Scenario>> = LazyLock::new(scenario::all);

static BUILT_IN: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let dump: Value = serde_json::from_str(include_str!("../../src/catalog/roles.json")).expect("JSON");
    let roles = dump["roles"].as_array().expect("a list of roles");
    roles.iter().filter(|role| ROLES.contains(&role["id"].as_str().unwrap_or_default())).cloned().collect()
});

/// Names of scenarios with commas between, for whoever works on a few of them.
const ONLY: &str = "ROLECALL_SCENARIOS";

/// The names of the scenarios that are played.
#[expect(clippy::disallowed_methods, reason = "whoever works on some of them names them in the environment")]
pub(super) fn scenarios() -> Vec<String> {
    let names = SCENARIOS.iter().map(|scenario| scenario.name.clone());
    let Ok(only) = std::env::var(ONLY) else { return names.collect() };
    let only: Vec<_> = only.split(',').collect();
    names.filter(|name| only.contains(&name.as_str())).collect()
}

impl Stage {
    pub(super) fn of(place: &Place) -> Self {
        match place {
            Place::Scenario(name) => {
                let scenario = SCENARIOS.iter().find(|scenario| scenario.name == *name);
                Self::of_scenario(scenario.unwrap_or_else(|| panic!("there is no scenario `{name}`")))
            }
            Place::Town { seed, policies } => town::build(*seed, *policies),
        }
    }

    fn of_scenario(scenario: &Scenario) -> Self {
        let mut world = scenario.world.clone();
        let start = world.clock.expect("a scenario's world has a clock");
        world.built_in_roles = false;
        let subscription = scenario.policy.spec.scope.subscription_id.as_str();
        world.resources.extend(role_definitions(subscription, &ROLES));
        let metadata = &scenario.policy.metadata;
        let key = (metadata.namespace.clone().unwrap_or_default(), metadata.name.clone().unwrap_or_default());
        let boundary = scenario.boundary.iter().map(|boundary| serde_json::to_value(boundary).expect("JSON"));
        let policy = serde_json::to_value(&scenario.policy).expect("a policy is JSON");
        Self {
            unhindered: world.faults.is_empty() && world.caller_permissions.is_none(),
            words: words(&world.resources),
            world,
            objects: boundary.chain([policy]).collect(),
            policies: vec![Arc::new(key)],
            start,
            then: scenario.then.clone(),
        }
    }
}

/// The definitions of roles, as documents of a subscription.
pub(super) fn role_definitions(subscription: &str, roles: &[&str]) -> Vec<Value> {
    let wanted = BUILT_IN.iter().filter(|role| roles.contains(&text(&role["id"])));
    let documents = wanted.map(|role| {
        let list = |member: &str| role[member].as_array().cloned().unwrap_or_default();
        let name = role["id"].as_str().expect("a role has an id");
        let id = format!("/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{name}");
        json!({
            "id": id, "name": name, "type": "Microsoft.Authorization/roleDefinitions",
            "properties": {
                "roleName": role["name"], "type": "BuiltInRole", "assignableScopes": ["/"],
                "permissions": [{
                    "actions": list("actions"), "notActions": list("notActions"),
                    "dataActions": list("dataActions"), "notDataActions": list("notDataActions"),
                }],
            },
        })
    });
    documents.collect()
}

/// The words that give a document away, for each that is not a role's definition.
pub(super) fn words(documents: &[Value]) -> Vec<(String, Vec<String>)> {
    let of = |document: &Value| {
        let id = lower(&document["id"]);
        let mut parts = id.split("/providers/");
        let group = parts.next().and_then(|container| container.split('/').nth(4)).unwrap_or_default().to_owned();
        // Behind the provider's own name, types and names take turns.
        let names = parts.flat_map(|part| part.split('/').skip(2).step_by(2)).map(str::to_owned);
        let principals = [lower(&document["properties"]["principalId"]), lower(&document["identity"]["principalId"])];
        let words = names.chain(principals).chain([group]).filter(|word| word.len() > 5 && word != "default");
        let words = words.collect();
        (id, words)
    };
    documents.iter().map(of).filter(|(id, _)| !id.contains("/roledefinitions/")).collect()
}
