//! Small worlds made from a seed: two teams with a resource group each, and one to three policies that share what
//! teams share. Some of what is declared is missing, some modes do not write, some policies want the same grant.

use jiff::Timestamp;
use rolecall::sandbox::arm::World;
use serde_json::{Value, json};

use super::{
    chance::Chance,
    stage::{Key, Stage, role_definitions, words},
};

const MACHINES: &str = "Microsoft.Compute/virtualMachines";
const SUBSCRIPTION: &str = "22222222-bbbb-4ccc-8ddd-000000000002";
const OPERATOR: &str = "0000ca11-0000-4000-8000-0000000000ff";
const READER: &str = "acdd72a7-3385-48ef-bd42-f606fba81ae7";
const RECEIVER: &str = "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0";
const SECRETS_USER: &str = "4633458b-17de-408a-b874-0445c86b69e6";
const SECRETS_OFFICER: &str = "b86a8fe4-44ce-4948-aee5-eccb2c155cd7";
const BLOB_CONTRIBUTOR: &str = "ba92f5b4-2d11-453d-a403-e96b0029c9fe";

/// What boundaries list, and policies: all of it, or the first three.
const CHANGES: [&str; 6] =
    ["EnableSystemIdentity", "AttachUserIdentity", "GrantRole", "RevokeRole", "RestartHost", "ReattachUserIdentity"];
/// The directory of all vaults.
const TENANT: &str = "00000000-7777-4777-8777-00000000000b";

/// A team: its namespace, and what its resources are called after.
struct Team {
    namespace: &'static str,
    word: &'static str,
    /// Of its user-assigned identity, which all its apps share.
    shared: &'static str,
}

const TEAMS: [Team; 2] = [
    Team { namespace: "checkout", word: "azalea", shared: "05e70000-000a-4000-8000-00000000000a" },
    Team { namespace: "invoicing", word: "begonia", shared: "05e70000-000b-4000-8000-00000000000b" },
];

impl Team {
    fn group(&self) -> String {
        format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-{}", self.word)
    }

    fn id(&self, kind: &str, prefix: &str) -> String {
        format!("{}/providers/{kind}/{prefix}{}", self.group(), self.word)
    }

    fn identity(&self) -> String {
        self.id("Microsoft.ManagedIdentity/userAssignedIdentities", "mi-")
    }

    fn queue(&self) -> String {
        format!("{}/queues/orders", self.id("Microsoft.ServiceBus/namespaces", "sb-"))
    }

    fn account(&self) -> String {
        self.id("Microsoft.Storage/storageAccounts", "st")
    }

    /// What the team's resource group holds, apps aside.
    fn resources(&self) -> Vec<Value> {
        let identity = |name: String, principal: &str| {
            json!({
                "id": format!("{}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}", self.group()),
                "name": name, "type": "Microsoft.ManagedIdentity/userAssignedIdentities",
                "properties": { "principalId": principal, "clientId": principal },
            })
        };
        let bus = self.id("Microsoft.ServiceBus/namespaces", "sb-");
        vec![
            identity(format!("mi-{}", self.word), self.shared),
            identity(format!("mi-{}-other", self.word), &self.shared.replace("05e7", "07e4")),
            json!({ "id": bus, "name": format!("sb-{}", self.word), "type": "Microsoft.ServiceBus/Namespaces" }),
            json!({ "id": self.queue(), "name": "orders", "type": "Microsoft.ServiceBus/Namespaces/Queues" }),
            json!({
                "id": self.account(), "name": format!("st{}", self.word), "type": "Microsoft.Storage/storageAccounts",
            }),
        ]
    }

    /// A vault that decides by access policies, with what others may do there, and now and then a part of what is needed.
    fn vault(&self, chance: &mut Chance) -> Value {
        let entry = |principal: &str, permissions: Value| json!({ "tenantId": TENANT, "objectId": principal, "permissions": permissions });
        let mut entries = vec![entry(&self.other(), json!({ "secrets": ["Get", "Set"], "storage": ["all"] }))];
        if chance.one_in(2) {
            entries.push(entry(self.shared, json!({ "keys": ["wrapKey"], "secrets": ["Get"] })));
        }
        json!({
            "id": self.id("Microsoft.KeyVault/vaults", "kv-"), "name": format!("kv-{}", self.word),
            "type": "Microsoft.KeyVault/vaults", "location": "westeurope",
            "properties": { "tenantId": TENANT, "enableRbacAuthorization": null, "accessPolicies": entries },
        })
    }

    /// Who works with the vault and is in no policy.
    fn other(&self) -> String {
        self.shared.replace("05e7", "07e4")
    }

    /// A vault that decides by access policies and is to decide by roles. Others get in by a role, too, or by none.
    fn old_vault(&self, number: u64, chance: &mut Chance) -> Vec<Value> {
        let mut vault = self.vault(chance);
        let other = if chance.one_in(4) { json!({ "keys": ["sign"] }) } else { json!({ "secrets": ["Get", "Set"] }) };
        let entries = &mut vault["properties"]["accessPolicies"];
        entries[0]["permissions"] = other;
        if entries[1].is_object() {
            entries[1]["permissions"] = json!({ "secrets": ["Get", "List"] });
        }
        let mut documents = vec![vault];
        if !chance.one_in(3) {
            documents.push(grant(number, &self.group(), &self.other(), SECRETS_OFFICER));
        }
        documents
    }

    /// The boundary of a team whose vault may be switched, for the most part.
    fn switching(&self, boundary: &mut Value, chance: &mut Chance) {
        let spec = &mut boundary["spec"];
        let (allowed, lets_off) = (!chance.one_in(5), chance.one_in(3));
        let waiver = json!({ "objectId": self.other(), "reason": "an old job", "until": "2026-12-31" });
        spec["vaults"] = json!([{
            "resource": self.id("Microsoft.KeyVault/vaults", "kv-"),
            "switch": if allowed { "WhenSafe" } else { "Never" }, "waive": if lets_off { json!([waiver]) } else { json!([]) },
        }]);
        if let (Some(changes), true) = (spec["changes"].as_array_mut(), allowed) {
            changes.push(json!("SwitchVaultMode"));
        }
        if let Some(roles) = spec["roles"].as_array_mut() {
            roles.push(json!({ "id": SECRETS_USER }));
        }
    }

    fn boundary(&self, chance: &mut Chance) -> Value {
        let mut roles = vec![json!({ "id": RECEIVER }), json!({ "id": BLOB_CONTRIBUTOR })];
        if chance.one_in(8) {
            roles.pop();
        }
        json!({
            "apiVersion": "rolecall.dev/v1alpha1", "kind": "IdentityBoundary", "metadata": { "name": self.namespace },
            "spec": {
                "namespaces": { "names": [self.namespace] },
                "maxMode": if chance.one_in(10) { "DryRun" } else { "Enforce" },
                "scopes": [{ "id": self.group() }],
                "roles": roles,
                "changes": CHANGES.iter().chain(&["AddVaultPolicyEntry"]).collect::<Vec<_>>(),
            },
        })
    }
}

/// The town of that seed. What belongs to a policy depends on its position only, so that a town with one policy less is
/// the same town.
pub(super) fn build(seed: u64, policies: u8) -> Stage {
    let mut chance = Chance::new(seed);
    let mut documents: Vec<_> = TEAMS.iter().flat_map(Team::resources).collect();
    documents.extend(role_definitions(SUBSCRIPTION, &[READER, RECEIVER, BLOB_CONTRIBUTOR]));
    documents.push(grant(1, &format!("/subscriptions/{SUBSCRIPTION}"), OPERATOR, READER));
    let mut objects: Vec<_> = TEAMS.iter().map(|team| team.boundary(&mut chance)).collect();
    if chance.one_in(3) {
        let mut second = TEAMS[0].boundary(&mut chance);
        second["metadata"]["name"] = json!("checkout-reads");
        second["spec"]["changes"] = json!([]);
        objects.push(second);
    }
    // The team's own grant, which each of its policies needs.
    for (number, team) in (2..).zip(&TEAMS) {
        if chance.one_in(2) {
            documents.push(grant(number, &team.queue(), team.shared, RECEIVER));
        }
    }
    if aligns(seed) {
        documents.extend(role_definitions(SUBSCRIPTION, &[SECRETS_USER, SECRETS_OFFICER]));
        for (number, team) in TEAMS.iter().enumerate() {
            documents.extend(team.old_vault(20 + number as u64, &mut chance));
            team.switching(&mut objects[number], &mut chance);
        }
    } else if has_vaults(seed) {
        documents.extend(TEAMS.iter().map(|team| team.vault(&mut chance)));
    }
    let mut keys = Vec::new();
    for position in 0..policies {
        let mut chance = Chance::new(seed ^ (u64::from(position) + 1) << 32);
        let team = if position > 0 && chance.one_in(2) { &TEAMS[1] } else { &TEAMS[0] };
        // Now and then the app of the policy before.
        let twin = position > 0 && chance.one_in(6);
        let (app, name) = (format!("app-{}", if twin { position - 1 } else { position }), format!("policy-{position}"));
        let principal = format!("5e57e300-0000-4000-8000-0000000000{:02x}", position + 1);
        let target = target(seed, if twin { position - 1 } else { position });
        let id = format!("{}/providers/{target}/{app}", team.group());
        let site = site(&id, team, &principal, &mut chance);
        if !documents.iter().any(|document| document["id"] == site["id"]) {
            documents.push(site);
        }
        let needs_blobs = chance.one_in(3);
        if needs_blobs && chance.one_in(2) {
            documents.push(grant(10 + u64::from(position), &team.account(), &principal, BLOB_CONTRIBUTOR));
        }
        let mut policy = policy(team, &name, needs_blobs, &mut chance);
        is_about(&mut policy, target, &app);
        if has_vaults(seed) {
            reads_vault(&mut policy, team, &mut chance);
        }
        if aligns(seed) {
            declares_roles(&mut policy, &mut chance);
        }
        objects.push(policy);
        keys.push(Key::new((team.namespace.to_owned(), name)));
    }
    stage(documents, objects, keys)
}

/// Whether a town has vaults. Not all, so that those without go as they always went.
fn has_vaults(seed: u64) -> bool {
    seed % 4 == 3
}

/// Whether their vaults are to decide by roles.
fn aligns(seed: u64) -> bool {
    seed % 8 == 7
}

/// What the policy declares of its vault are roles, now and then not, against the others of its team.
fn declares_roles(policy: &mut Value, chance: &mut Chance) {
    if chance.one_in(8) {
        return;
    }
    policy["spec"]["vaults"][0]["mode"] = json!("RBAC");
    if let Some(allow) = policy["spec"]["remediation"]["allow"].as_array_mut() {
        allow.push(json!("SwitchVaultMode"));
    }
}

/// What the app at that position is. Other things than sites in some towns only, for the same reason.
fn target(seed: u64, position: u8) -> &'static str {
    match (seed % 8, position % 3) {
        (6, 0) => "Microsoft.App/containerApps",
        (6, 1) => MACHINES,
        _ => "Microsoft.Web/sites",
    }
}

/// A machine has no bindings: it declares the role.
fn is_about(policy: &mut Value, target: &str, app: &str) {
    let spec = &mut policy["spec"];
    spec["resources"]["app"] = json!(format!("{target}/{app}"));
    if target == MACHINES {
        let role = "Azure Service Bus Data Receiver";
        let grant = json!({ "role": role, "resource": "bus", "entity": "queues/orders", "identity": "shared" });
        spec["grants"].as_array_mut().expect("a list").push(grant);
        spec["bindings"] = json!([]);
    }
}

/// The policy's app reads its team's vault.
fn reads_vault(policy: &mut Value, team: &Team, chance: &mut Chance) {
    let spec = &mut policy["spec"];
    let words = if chance.one_in(2) { json!(["get", "list"]) } else { json!(["get"]) };
    let identity = if chance.one_in(3) { "system" } else { "shared" };
    spec["resources"]["vault"] = json!(format!("Microsoft.KeyVault/vaults/kv-{}", team.word));
    spec["vaults"] = json!([
        { "resource": "vault", "mode": "AccessPolicy", "identity": identity, "access": { "secrets": words } },
    ]);
    if let Some(allow) = spec["remediation"]["allow"].as_array_mut() {
        allow.push(json!("AddVaultPolicyEntry"));
    }
}

fn stage(resources: Vec<Value>, objects: Vec<Value>, policies: Vec<Key>) -> Stage {
    let start: Timestamp = "2026-03-02T09:00:00Z".parse().expect("a time");
    let world = World { clock: Some(start), resources, built_in_roles: false, ..World::default() };
    Stage { words: words(&world.resources), world, objects, policies, start, then: Vec::new(), unhindered: true }
}

fn site(id: &str, team: &Team, principal: &str, chance: &mut Chance) -> Value {
    let (system, user) = (!chance.one_in(4), !chance.one_in(4));
    let kind = match (system, user) {
        (true, true) => "SystemAssigned, UserAssigned",
        (true, false) => "SystemAssigned",
        (false, true) => "UserAssigned",
        (false, false) => "None",
    };
    let mut identity = json!({ "type": kind });
    if system {
        identity["principalId"] = json!(principal);
    }
    if user {
        identity["userAssignedIdentities"] =
            json!({ team.identity(): { "principalId": team.shared, "clientId": team.shared } });
    }
    let name = id.rsplit('/').next();
    let kind = id.rsplit("/providers/").next().and_then(|below| below.rsplit_once('/')).map(|(kind, _)| kind);
    json!({ "id": id, "name": name, "type": kind, "kind": "functionapp", "identity": identity })
}

fn policy(team: &Team, name: &str, needs_blobs: bool, chance: &mut Chance) -> Value {
    let mode = ["Enforce", "Enforce", "Enforce", "Enforce", "Enforce", "Enforce", "DryRun", "Report"];
    let grants = json!([{ "role": "Storage Blob Data Contributor", "resource": "account", "identity": "system" }]);
    let takes_back = chance.one_in(3);
    json!({
        "apiVersion": "rolecall.dev/v1alpha1", "kind": "FunctionIdentityPolicy",
        "metadata": { "name": name, "namespace": team.namespace },
        "spec": {
            "mode": chance.pick(&mode), "suspend": chance.one_in(12), "interval": "30m",
            "scope": { "subscriptionId": SUBSCRIPTION, "resourceGroup": format!("rg-{}", team.word) },
            "resources": {
                "identity": format!("Microsoft.ManagedIdentity/userAssignedIdentities/mi-{}", team.word),
                "bus": format!("Microsoft.ServiceBus/namespaces/sb-{}", team.word),
                "account": format!("Microsoft.Storage/storageAccounts/st{}", team.word),
            },
            "target": { "resource": "app" },
            "identities": { "system": "Optional", "user": [{ "name": "shared", "resource": "identity" }] },
            "bindings": [{
                "name": "incoming", "type": "serviceBusTrigger", "resource": "bus", "entity": "queues/orders",
                "identity": "shared",
            }],
            "grants": if needs_blobs { grants } else { json!([]) },
            "remediation": {
                "allow": &CHANGES[..if takes_back { CHANGES.len() } else { 3 }],
                "maxChanges": if chance.one_in(4) { 1 } else { 10 },
            },
            "prune": if takes_back { "Owned" } else { "Never" },
            "deletionPolicy": if takes_back { "Revoke" } else { "Retain" },
        },
    })
}

/// A role assignment of last year.
pub(super) fn grant(number: u64, scope: &str, principal: &str, role: &str) -> Value {
    let name = format!("a5516e00-{number:04}-4000-8000-000000000000");
    json!({
        "id": format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}"), "name": name,
        "type": "Microsoft.Authorization/roleAssignments",
        "properties": {
            "roleDefinitionId":
                format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{role}"),
            "principalId": principal, "principalType": "ServicePrincipal", "scope": scope,
            "condition": null, "conditionVersion": null, "description": null,
            "createdOn": "2025-11-03T08:15:42.1234567Z", "updatedOn": "2025-11-03T08:15:42.1234567Z",
        },
    })
}
