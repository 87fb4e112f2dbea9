//! What a policy declares, what a boundary allows and who holds what, worked out from the documents a second time:
//! naively, for the shapes that occur in scenarios and towns, and sharing nothing with the code that is tested.

mod rules;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

pub(super) use rules::Rules;

const RECEIVER: &str = "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0";
const HUBS_RECEIVER: &str = "a638d3c7-ab3a-418d-83e6-5f17a39d4fde";
const BLOB_CONTRIBUTOR: &str = "ba92f5b4-2d11-453d-a403-e96b0029c9fe";
const BLOB_OWNER: &str = "b7e6dc6d-f1e8-4753-8033-0f276bb0955b";
const QUEUE_CONTRIBUTOR: &str = "974c5e8b-45b9-4653-ba55-5f855dd0fb88";
const QUEUE_READER: &str = "19e7f393-937e-4f77-808e-94535e297925";
const QUEUE_PROCESSOR: &str = "8a0f0c08-91a1-4084-bc3d-661d67233fed";
const SECRETS_OFFICER: &str = "b86a8fe4-44ce-4948-aee5-eccb2c155cd7";
const SECRETS_USER: &str = "4633458b-17de-408a-b874-0445c86b69e6";

/// Who needs something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    System,
    /// The id of a user-assigned identity, in lower case.
    User(String),
}

/// A role that a policy declares for somebody at a scope, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Need {
    pub(super) who: Who,
    pub(super) role: String,
    pub(super) scope: String,
}

/// A role assignment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Assignment {
    pub(super) id: String,
    pub(super) principal: String,
    pub(super) role: String,
    pub(super) scope: String,
    pub(super) conditioned: bool,
    pub(super) group: bool,
    pub(super) changed: Option<Timestamp>,
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A member in lower case: ids and GUIDs are compared so.
pub(super) fn lower(value: &Value) -> String {
    text(value).to_lowercase()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// The id behind a name of `resources`.
fn resource(policy: &Value, name: &Value) -> String {
    let spec = &policy["spec"];
    let id = text(&spec["resources"][text(name)]);
    if id.starts_with('/') {
        return id.to_lowercase();
    }
    let (subscription, group) = (text(&spec["scope"]["subscriptionId"]), text(&spec["scope"]["resourceGroup"]));
    format!("/subscriptions/{subscription}/resourceGroups/{group}/providers/{id}").to_lowercase()
}

pub(super) fn target(policy: &Value) -> String {
    let app = resource(policy, &policy["spec"]["target"]["resource"]);
    match policy["spec"]["target"]["slot"].as_str() {
        None | Some("") => app,
        Some(slot) => format!("{app}/slots/{}", slot.to_lowercase()),
    }
}

/// The user-assigned identities that must be attached.
pub(super) fn declared_identities(policy: &Value) -> Vec<String> {
    list(&policy["spec"]["identities"]["user"]).map(|entry| resource(policy, &entry["resource"])).collect()
}

pub(super) fn requires_system(policy: &Value) -> bool {
    policy["spec"]["identities"]["system"] == "Required"
        || needs(policy).iter().any(|need| need.who == Who::System)
        || vault_needs(policy).iter().any(|need| need.who == Who::System)
}

fn who(policy: &Value, name: &Value) -> Who {
    if name == "system" {
        return Who::System;
    }
    let mut user = list(&policy["spec"]["identities"]["user"]);
    let entry = user.find(|entry| entry["name"] == *name).unwrap_or(&Value::Null);
    Who::User(resource(policy, &entry["resource"]))
}

fn with_entity(id: &str, entity: &str) -> String {
    let entity = entity.to_lowercase();
    match entity.split_once('/') {
        None => id.to_owned(),
        Some(("containers", name)) => format!("{id}/blobservices/default/containers/{name}"),
        Some(("queues", name)) if id.contains("/microsoft.storage/") => {
            format!("{id}/queueservices/default/queues/{name}")
        }
        Some(_) => format!("{id}/{entity}"),
    }
}

/// Everything that may be granted for the policy: also what a vault takes that decides by roles although it is declared to
/// decide by access policies.
pub(super) fn grantable(policy: &Value) -> Vec<Need> {
    let by_policies = vault_needs(policy).into_iter().filter(|need| need.on == "secrets");
    let roles = by_policies.map(|need| Need { who: need.who, role: SECRETS_USER.to_owned(), scope: need.vault });
    needs(policy).into_iter().chain(roles).collect()
}

/// Everything that the policy declares as access.
pub(super) fn needs(policy: &Value) -> Vec<Need> {
    let spec = &policy["spec"];
    // A host that uses a key needs no role.
    let host = Some(&spec["platform"]["hostStorage"]).filter(|host| host["auth"] != "Key").unwrap_or(&Value::Null);
    let mut needs = Vec::new();
    let mut add = |who: Who, role: &str, scope: String| {
        let need = Need { who, role: role.to_lowercase(), scope };
        if !needs.contains(&need) {
            needs.push(need);
        }
    };
    if host.is_object() {
        add(who(policy, &host["identity"]), BLOB_CONTRIBUTOR, resource(policy, &host["resource"]));
    }
    for binding in list(&spec["bindings"]) {
        let (id, by) = (resource(policy, &binding["resource"]), who(policy, &binding["identity"]));
        let entity = with_entity(&id, text(&binding["entity"]));
        // What the host keeps is reached by the host's identity.
        let at_host = host.is_object().then(|| (who(policy, &host["identity"]), resource(policy, &host["resource"])));
        match text(&binding["type"]) {
            "blobTrigger" => {
                add(by.clone(), BLOB_CONTRIBUTOR, entity);
                add(by, QUEUE_CONTRIBUTOR, id);
                if let Some((by, host)) = at_host {
                    add(by, QUEUE_CONTRIBUTOR, host);
                }
            }
            "queueTrigger" => {
                add(by.clone(), QUEUE_READER, entity.clone());
                add(by, QUEUE_PROCESSOR, entity);
            }
            "serviceBusTrigger" => add(by, RECEIVER, entity),
            "eventHubTrigger" => {
                add(by, HUBS_RECEIVER, entity);
                if let Some((by, host)) = at_host {
                    add(by, BLOB_CONTRIBUTOR, host);
                }
            }
            other => panic!("the reliability tests do not know the trigger `{other}` yet"),
        }
    }
    for grant in list(&spec["grants"]) {
        let role = match text(&grant["role"]) {
            "Storage Blob Data Contributor" => BLOB_CONTRIBUTOR,
            "Azure Service Bus Data Receiver" => RECEIVER,
            role if role.len() == 36 => role,
            other => panic!("the reliability tests do not know the role `{other}` yet"),
        };
        let id = resource(policy, &grant["resource"]);
        add(who(policy, &grant["identity"]), role, with_entity(&id, text(&grant["entity"])));
    }
    for vault in list(&spec["vaults"]).filter(|vault| vault["mode"] == "RBAC") {
        if list(&vault["access"]["secrets"]).next().is_some() {
            add(who(policy, &vault["identity"]), SECRETS_USER, resource(policy, &vault["resource"]));
        }
    }
    needs
}

/// An operation that a policy declares on a vault of which it expects that access policies decide. All in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct VaultNeed {
    pub(super) who: Who,
    pub(super) vault: String,
    pub(super) on: String,
    pub(super) word: String,
}

/// Everything that the policy declares of vaults that are to decide by access policies.
pub(super) fn vault_needs(policy: &Value) -> Vec<VaultNeed> {
    needs_of_vaults(policy, "AccessPolicy")
}

/// Everything that the policy declares of vaults that are to decide by roles.
pub(super) fn role_vault_needs(policy: &Value) -> Vec<VaultNeed> {
    needs_of_vaults(policy, "RBAC")
}

fn needs_of_vaults(policy: &Value, mode: &str) -> Vec<VaultNeed> {
    let mut needs = Vec::new();
    for entry in list(&policy["spec"]["vaults"]).filter(|vault| vault["mode"] == mode) {
        for (on, words) in entry["access"].as_object().into_iter().flatten() {
            needs.extend(list(words).map(|word| VaultNeed {
                who: who(policy, &entry["identity"]),
                vault: resource(policy, &entry["resource"]),
                on: on.to_lowercase(),
                word: lower(word),
            }));
        }
    }
    needs
}

/// An access policy, all in lower case: whose it is, and what it permits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) tenant: String,
    pub(super) object: String,
    /// Empty for none.
    pub(super) application: String,
    pub(super) permissions: BTreeSet<(String, String)>,
}

/// The access policies in a vault, or in a request about them.
pub(super) fn entries(document: &Value) -> Vec<Entry> {
    let entries = list(&document["properties"]["accessPolicies"]).map(|entry| {
        let kinds = entry["permissions"].as_object().into_iter().flatten();
        let words = |(on, words): (&String, &Value)| -> Vec<(String, String)> {
            list(words).map(|word| (on.to_lowercase(), lower(word))).collect()
        };
        Entry {
            tenant: lower(&entry["tenantId"]),
            object: lower(&entry["objectId"]),
            application: lower(&entry["applicationId"]),
            permissions: kinds.flat_map(words).collect(),
        }
    });
    entries.collect()
}

impl Entry {
    /// Whether both are the same one's.
    pub(super) fn is_of(&self, other: &Self) -> bool {
        (&self.tenant, &self.object, &self.application) == (&other.tenant, &other.object, &other.application)
    }

    /// Whether it lets whoever it names do that, in a vault of that directory.
    pub(super) fn lets(&self, need: &VaultNeed, vault: &Value) -> bool {
        let has = |word: &str| self.permissions.contains(&(need.on.clone(), word.to_owned()));
        self.application.is_empty()
            && self.tenant == lower(&vault["properties"]["tenantId"])
            && (has(&need.word) || has("all"))
    }
}

/// Whom of those in a vault's access policies a switch to roles would keep out: who lacks a role that is certain to act.
pub(super) fn kept_out(vault: &Value, grants: &[Assignment], now: Timestamp) -> Vec<String> {
    let scope = lower(&vault["id"]);
    let is_in = |entry: &Entry| {
        entry.permissions.is_empty()
            || (entry.application.is_empty()
                && entry.tenant == lower(&vault["properties"]["tenantId"])
                && entry.permissions.iter().all(|(on, word)| {
                    let role = match (on.as_str(), word.as_str()) {
                        ("secrets", "get" | "list") => SECRETS_USER,
                        ("secrets", _) => SECRETS_OFFICER,
                        _ => return false,
                    };
                    let need = Need { who: Who::System, role: role.to_owned(), scope: scope.clone() };
                    grants.iter().any(|grant| grant.meets(&entry.object, &need) && grant.acts(&need, now))
                }))
    };
    entries(vault).into_iter().filter(|entry| !is_in(entry)).map(|entry| entry.object).collect()
}

/// Whether a vault decides by roles. Otherwise by access policies.
pub(super) fn uses_roles(vault: &Value) -> bool {
    vault["properties"]["enableRbacAuthorization"] == true
}

/// Whether a role gives at least what another one does.
fn gives(role: &str, wanted: &str) -> bool {
    role == wanted
        || (role == BLOB_OWNER && wanted == BLOB_CONTRIBUTOR)
        || (role == SECRETS_OFFICER && wanted == SECRETS_USER)
}

/// Whether what holds at `scope` holds at `at`, both in lower case.
pub(super) fn reaches(scope: &str, at: &str) -> bool {
    scope == "/" || scope == at || at.strip_prefix(scope).is_some_and(|rest| rest.starts_with('/'))
}

impl Assignment {
    /// The role assignment of a document; none when it is something else.
    pub(super) fn of(document: &Value) -> Option<Self> {
        let id = lower(&document["id"]);
        if !id.contains("/providers/microsoft.authorization/roleassignments/") {
            return None;
        }
        let properties = &document["properties"];
        let role = lower(&properties["roleDefinitionId"]);
        let time = |member: &str| text(&properties[member]).parse::<Timestamp>().ok();
        Some(Self {
            principal: lower(&properties["principalId"]),
            role: role.rsplit('/').next().unwrap_or_default().to_owned(),
            scope: lower(&properties["scope"]),
            conditioned: properties["condition"].is_string(),
            group: properties["principalType"] == "Group",
            changed: time("createdOn").max(time("updatedOn")),
            id,
        })
    }

    /// Whether it is for this principal, role and scope exactly.
    pub(super) fn is_for(&self, principal: &str, need: &Need) -> bool {
        self.principal == principal && self.role == need.role && self.scope == need.scope
    }

    /// Whether it meets the need of this principal. A group's may.
    pub(super) fn meets(&self, principal: &str, need: &Need) -> bool {
        (self.principal == principal || self.group)
            && gives(&self.role, &need.role)
            && reaches(&self.scope, &need.scope)
            && !self.conditioned
    }

    /// Whether it is certain to act: Azure's documented times for what it is about.
    pub(super) fn acts(&self, need: &Need, now: Timestamp) -> bool {
        let minutes = match need.scope.as_str() {
            scope if scope.contains("/providers/microsoft.storage/") => 30,
            scope if scope.contains("/providers/microsoft.servicebus/") => 5,
            _ => 10,
        };
        self.changed.is_none_or(|changed| now.duration_since(changed) >= SignedDuration::from_mins(minutes))
    }
}

/// Every role assignment among documents.
pub(super) fn assignments<'a>(documents: impl IntoIterator<Item = &'a Value>) -> Vec<Assignment> {
    documents.into_iter().filter_map(Assignment::of).collect()
}

/// Whether a deny assignment takes something away there. Those of scenarios are about everybody and everything.
pub(super) fn is_denied(documents: &[Value], at: &str) -> bool {
    let ids = documents.iter().map(|document| lower(&document["id"]));
    let mut scopes = ids.filter_map(|id| {
        id.split_once("/providers/microsoft.authorization/denyassignments/").map(|(scope, _)| scope.to_owned())
    });
    scopes.any(|scope| reaches(&scope, at))
}

/// The principal of somebody, as the documents of the app and of the identity have it.
pub(super) fn principal(who: &Who, site: Option<&Value>, identity: Option<&Value>) -> Option<String> {
    let found = match who {
        Who::System => &site?["identity"]["principalId"],
        Who::User(_) => &identity?["properties"]["principalId"],
    };
    found.as_str().map(str::to_lowercase)
}

/// The user-assigned identities in an identity block, in lower case.
pub(super) fn attached(block: &Value) -> Vec<String> {
    block["userAssignedIdentities"].as_object().into_iter().flatten().map(|(id, _)| id.to_lowercase()).collect()
}

/// Whether an identity block has the system-assigned identity.
pub(super) fn has_system(block: &Value) -> bool {
    lower(&block["type"]).contains("systemassigned")
}

/// How far a mode goes.
pub(super) fn reach_of(mode: &str) -> u8 {
    match mode {
        "Enforce" => 2,
        "DryRun" => 1,
        _ => 0,
    }
}

/// Whether the policy wants anything written.
pub(super) fn enforces(policy: &Value) -> bool {
    policy["spec"]["mode"] == "Enforce" && policy["spec"]["suspend"] != true
}

/// Whether the policy itself asks for that kind of change to be made.
pub(super) fn asks_for(policy: &Value, change: &str) -> bool {
    enforces(policy) && list(&policy["spec"]["remediation"]["allow"]).any(|own| own == change)
}

/// A condition of a status.
pub(super) fn condition<'a>(status: &'a Value, kind: &str) -> Option<&'a Value> {
    list(&status["conditions"]).find(|condition| condition["type"] == kind)
}
