//! An incident as a file: the healthy example, what happened to it, and how the controller must end. `demo` plays and
//! tells them; the tests play them and hold every word.

mod play;
mod telemetry;

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::Value;

pub use play::{Moment, Played, Ready, felt, play};
pub use telemetry::Step;

use super::arm::World;
use crate::api::{FunctionIdentityPolicy, IdentityBoundary};

/// The files, in the order in which they are told.
const FILES: &[(&str, &str)] = &[
    ("healthy", include_str!("scenarios/healthy.yaml")),
    ("system-identity-disabled", include_str!("scenarios/system-identity-disabled.yaml")),
    ("wrong-user-identity", include_str!("scenarios/wrong-user-identity.yaml")),
    ("slot-without-identities", include_str!("scenarios/slot-without-identities.yaml")),
    ("container-app-without-identity", include_str!("scenarios/container-app-without-identity.yaml")),
    ("references-by-another-identity", include_str!("scenarios/references-by-another-identity.yaml")),
    ("image-pulled-as-another", include_str!("scenarios/image-pulled-as-another.yaml")),
    ("container-app-reads-as-another", include_str!("scenarios/container-app-reads-as-another.yaml")),
    ("machine-identity-detached", include_str!("scenarios/machine-identity-detached.yaml")),
    ("blob-role-missing", include_str!("scenarios/blob-role-missing.yaml")),
    ("service-bus-role-missing", include_str!("scenarios/service-bus-role-missing.yaml")),
    ("right-role-wrong-account", include_str!("scenarios/right-role-wrong-account.yaml")),
    ("resource-misspelt", include_str!("scenarios/resource-misspelt.yaml")),
    ("inherited-broader-role", include_str!("scenarios/inherited-broader-role.yaml")),
    ("granted-two-minutes-ago", include_str!("scenarios/granted-two-minutes-ago.yaml")),
    ("role-removed-by-mistake", include_str!("scenarios/role-removed-by-mistake.yaml")),
    ("role-put-back-by-hand", include_str!("scenarios/role-put-back-by-hand.yaml")),
    ("granted-anew-and-retried", include_str!("scenarios/granted-anew-and-retried.yaml")),
    ("audience-of-another-service", include_str!("scenarios/audience-of-another-service.yaml")),
    ("archive-deleted", include_str!("scenarios/archive-deleted.yaml")),
    ("identity-recreated", include_str!("scenarios/identity-recreated.yaml")),
    ("user-identity-recreated", include_str!("scenarios/user-identity-recreated.yaml")),
    ("vault-mode-changed", include_str!("scenarios/vault-mode-changed.yaml")),
    ("vault-switched", include_str!("scenarios/vault-switched.yaml")),
    ("vault-switch-held", include_str!("scenarios/vault-switch-held.yaml")),
    ("vault-switched-by-waiver", include_str!("scenarios/vault-switched-by-waiver.yaml")),
    ("access-policy-removed", include_str!("scenarios/access-policy-removed.yaml")),
    ("client-id-missing", include_str!("scenarios/client-id-missing.yaml")),
    ("connection-string-shadows", include_str!("scenarios/connection-string-shadows.yaml")),
    ("wrong-cloud-endpoint", include_str!("scenarios/wrong-cloud-endpoint.yaml")),
    ("host-key-refused", include_str!("scenarios/host-key-refused.yaml")),
    ("app-stopped", include_str!("scenarios/app-stopped.yaml")),
    ("firewall-closed", include_str!("scenarios/firewall-closed.yaml")),
    ("vault-public-access-off", include_str!("scenarios/vault-public-access-off.yaml")),
    ("denied-by-assignment", include_str!("scenarios/denied-by-assignment.yaml")),
    ("subnet-without-endpoint", include_str!("scenarios/subnet-without-endpoint.yaml")),
    ("private-endpoints-in-order", include_str!("scenarios/private-endpoints-in-order.yaml")),
    ("private-zone-not-linked", include_str!("scenarios/private-zone-not-linked.yaml")),
    ("private-zone-unlinked", include_str!("scenarios/private-zone-unlinked.yaml")),
    ("private-name-deleted", include_str!("scenarios/private-name-deleted.yaml")),
    ("peering-deleted", include_str!("scenarios/peering-deleted.yaml")),
    ("pair-identity-off-and-role-missing", include_str!("scenarios/pair-identity-off-and-role-missing.yaml")),
    ("pair-role-missing-and-firewall-closed", include_str!("scenarios/pair-role-missing-and-firewall-closed.yaml")),
    ("pair-propagating-and-vault-mode", include_str!("scenarios/pair-propagating-and-vault-mode.yaml")),
    ("pair-role-missing-and-wrong-endpoint", include_str!("scenarios/pair-role-missing-and-wrong-endpoint.yaml")),
    (
        "pair-identity-detached-and-access-policy-removed",
        include_str!("scenarios/pair-identity-detached-and-access-policy-removed.yaml"),
    ),
    ("outside-the-boundary", include_str!("scenarios/outside-the-boundary.yaml")),
    ("reads-denied", include_str!("scenarios/reads-denied.yaml")),
    ("reads-silently-empty", include_str!("scenarios/reads-silently-empty.yaml")),
    ("throttled", include_str!("scenarios/throttled.yaml")),
    ("report", include_str!("scenarios/report.yaml")),
    ("dry-run", include_str!("scenarios/dry-run.yaml")),
    ("stale-attachment-put-back", include_str!("scenarios/stale-attachment-put-back.yaml")),
    ("host-keeps-running", include_str!("scenarios/host-keeps-running.yaml")),
    ("references-hold-a-refusal", include_str!("scenarios/references-hold-a-refusal.yaml")),
    ("trigger-dropped", include_str!("scenarios/trigger-dropped.yaml")),
    ("policy-deleted", include_str!("scenarios/policy-deleted.yaml")),
    ("deleted-while-azure-is-away", include_str!("scenarios/deleted-while-azure-is-away.yaml")),
];

const POLICY: &str = include_str!("../../examples/orders/policy.yaml");
const BOUNDARY: &str = include_str!("../../examples/orders/boundary.yaml");
const WORLD: &str = include_str!("../../examples/orders/world.yaml");
/// The grant that the example lacks, so that a reader of the README has something to repair.
const HEALTHY: &str = include_str!("scenarios/healthy-grant.yaml");

/// An incident, ready to be played.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name, as in `demo NAME`.
    pub name: String,
    /// What happened, in a sentence or two.
    pub story: String,
    /// The policy.
    pub policy: FunctionIdentityPolicy,
    /// The boundary, when there is one.
    pub boundary: Option<IdentityBoundary>,
    /// Azure when it begins.
    pub world: World,
    /// What people do while it is played, in order of time.
    pub then: Vec<Deed>,
    /// How much simulated time it is given.
    pub run_for: SignedDuration,
    /// How it must end.
    pub expect: Expectation,
}

/// How a scenario must end.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Expectation {
    /// The condition `Ready` when the time is over.
    pub ready: Ready,
    /// The codes of the first look's findings.
    pub findings: Vec<String>,
    /// The hypothesis of the first look.
    pub hypothesis: Option<String>,
    /// What a person makes of each hypothesis, who knows no more than can be read: `confirmed`, `refuted`, `open` or
    /// `not-examined`. Where apps live it is of ten minutes after the first deed. Empty where nobody may look.
    pub verdicts: BTreeMap<String, String>,
    /// How grave a person calls it at the same time, by the playbook's table; none while nothing is cut off.
    pub severity: Option<String>,
    /// Requests that change something, in all.
    pub writes: usize,
    /// The condition `Recovered` is true when the time is over.
    #[serde(default)]
    pub recovered: bool,
    /// The policy is gone when the time is over, and with it the condition `Ready`.
    #[serde(default)]
    pub gone: bool,
}

/// Something that somebody does.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Deed {
    /// How long after the beginning.
    pub after: SignedDuration,
    /// What it is, for the reader.
    pub says: String,
    /// Merged into the policy's `spec`.
    #[serde(default)]
    pub policy: Value,
    /// The policy is deleted.
    #[serde(default)]
    pub delete: bool,
    /// Azure documents that are taken away.
    #[serde(default)]
    pub remove: Vec<String>,
    /// Azure documents that are added or replaced.
    #[serde(default)]
    pub add: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    story: String,
    /// Merged into the example policy's `spec`.
    #[serde(default)]
    policy: Value,
    /// Merged into the example boundary's `spec`.
    #[serde(default)]
    boundary: Value,
    #[serde(default)]
    world: Changes,
    #[serde(default)]
    then: Vec<Deed>,
    run_for: SignedDuration,
    expect: Expectation,
}

/// What is different from the healthy world.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Changes {
    #[serde(default)]
    remove: Vec<String>,
    #[serde(default)]
    merge: Vec<Merge>,
    #[serde(default)]
    add: Vec<Value>,
    /// Any other key of a world, such as `faults` and `callerPermissions`.
    #[serde(default)]
    set: serde_json::Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Merge {
    id: String,
    with: Value,
}

/// All scenarios. The files are ours and are read by a test, so a mistake in them is a panic.
#[must_use]
pub fn all() -> Vec<Scenario> {
    FILES.iter().map(|(name, text)| Scenario::read(name, text)).collect()
}

impl Scenario {
    fn read(name: &str, text: &str) -> Self {
        let group = "/subscriptions/11111111-aaaa-4bbb-8ccc-000000000001/resourceGroups/rg-functions-prod";
        let text = text
            .replace(
                "$ROLES",
                "/subscriptions/11111111-aaaa-4bbb-8ccc-000000000001/providers/Microsoft.Authorization/roleDefinitions",
            )
            .replace("$RG", group);
        let File { story, policy, boundary, world, then, run_for, expect } =
            serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("scenario {name}: {error}"));
        let no_boundary = boundary == Value::Bool(false);
        Self {
            name: name.to_owned(),
            story,
            policy: merged(POLICY, &policy),
            boundary: (!no_boundary).then(|| merged(BOUNDARY, &boundary)),
            world: changed_world(name, world),
            then,
            run_for,
            expect,
        }
    }
}

fn merged<T: serde::de::DeserializeOwned>(base: &str, spec: &Value) -> T {
    let mut object: Value = serde_saphyr::from_str(base).expect("the example is YAML");
    merge(&mut object["spec"], spec);
    serde_json::from_value(object).expect("the example with the scenario's changes is an object of its kind")
}

fn changed_world(name: &str, changes: Changes) -> World {
    let Changes { remove, merge: merges, add, set } = changes;
    let mut world: Value = serde_saphyr::from_str(WORLD).expect("the example world is YAML");
    let healthy: Value = serde_saphyr::from_str(HEALTHY).expect("the healthy grant is YAML");
    let resources = world["resources"].as_array_mut().expect("a world has resources");
    resources.push(healthy);
    for id in remove {
        let before = resources.len();
        resources.retain(|document| document["id"] != Value::String(id.clone()));
        assert!(resources.len() < before, "scenario {name} removes `{id}`, which is not there");
    }
    for Merge { id, with } in merges {
        let document = resources.iter_mut().find(|document| document["id"] == Value::String(id.clone()));
        merge(document.unwrap_or_else(|| panic!("scenario {name} changes `{id}`, which is not there")), &with);
    }
    resources.extend(add);
    for (key, value) in set {
        world[key] = value;
    }
    World::from_yaml(&world.to_string()).unwrap_or_else(|error| panic!("scenario {name}: {error}"))
}

/// JSON merge patch: null removes, objects merge, everything else replaces.
fn merge(target: &mut Value, patch: &Value) {
    match patch {
        Value::Object(fields) => {
            if !target.is_object() {
                *target = Value::Object(serde_json::Map::new());
            }
            let object = target.as_object_mut().expect("it was just made one");
            for (key, value) in fields {
                if value.is_null() {
                    object.remove(key);
                } else {
                    merge(object.entry(key).or_insert(Value::Null), value);
                }
            }
        }
        Value::Null => {}
        other => *target = other.clone(),
    }
}
