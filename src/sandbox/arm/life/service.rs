//! What hosts call: which service a resource is, at which address, and what it answers.

use jiff::Timestamp;

use super::super::path::{self, Address};
use super::super::state::State;
use super::access::Grants;
use super::network::{self, Door};
use super::spec::Operation;
use super::token::Token;
use super::words;

/// A service that takes tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Blob,
    Queue,
    Table,
    ServiceBus,
    EventHubs,
    Vault,
}

/// What a call is for.
#[derive(Clone, Debug)]
pub(super) struct Service {
    pub(super) kind: Kind,
    /// The id of the account, namespace or vault.
    pub(super) resource: String,
    /// What is called, with all that it lies in.
    pub(super) target: String,
    /// The names below the resource: a container, a queue, a topic with its subscription.
    pub(super) entity: String,
    /// Its name in DNS.
    pub(super) host: String,
}

/// What a service makes of a call.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// It was done.
    Done,
    /// There is nobody of that name.
    Silence,
    /// There is no way to its address.
    Timeout,
    /// It was refused: the status where the protocol has one, the code, and what a library makes of it.
    Refused { status: Option<u16>, code: &'static str, message: String },
}

/// A call as it arrives.
pub(super) struct Arrival<'a> {
    pub(super) app: &'a str,
    pub(super) token: &'a Token,
    pub(super) operation: Operation,
    /// Which of the service's front ends it came to.
    pub(super) front: u64,
    pub(super) at: Timestamp,
    /// A number of its own.
    pub(super) trace: &'a str,
}

impl Service {
    /// The service that a resource belongs to; none where it is not modelled.
    pub(super) fn of(target: &str) -> Option<Self> {
        let address = Address::parse(target);
        let (kind_of_resource, name) = (address.types.first()?, address.names.first()?);
        let part = address.types.get(1).map(|part| part.to_lowercase());
        let (kind, suffix) = match format!("{}/{kind_of_resource}", address.namespace).to_lowercase().as_str() {
            "microsoft.storage/storageaccounts" => match part.as_deref() {
                None | Some("blobservices") => (Kind::Blob, "blob.core.windows.net"),
                Some("queueservices") => (Kind::Queue, "queue.core.windows.net"),
                Some("tableservices") => (Kind::Table, "table.core.windows.net"),
                Some(_) => return None,
            },
            "microsoft.servicebus/namespaces" => (Kind::ServiceBus, "servicebus.windows.net"),
            "microsoft.eventhub/namespaces" => (Kind::EventHubs, "servicebus.windows.net"),
            "microsoft.keyvault/vaults" => (Kind::Vault, "vault.azure.net"),
            _ => return None,
        };
        // Of a storage account, the first level below is the service itself.
        let skipped = if matches!(kind, Kind::Blob | Kind::Queue | Kind::Table) { 2 } else { 1 };
        Some(Self {
            kind,
            resource: format!("{}/providers/{}/{kind_of_resource}/{name}", address.scope, address.namespace),
            target: address.path.clone(),
            entity: address.names[skipped.min(address.names.len())..].join("/Subscriptions/"),
            host: format!("{}.{suffix}", name.to_lowercase()),
        })
    }

    /// What it answers. First its name must be known, then its firewall passed, then the token be for it.
    pub(super) fn answer(&self, state: &State, grants: &mut Grants, call: &Arrival<'_>) -> Answer {
        let Some(resource) = state.document(&self.resource) else { return Answer::Silence };
        match network::door(state, self, call.app, resource) {
            Door::Open => {}
            Door::Nameless => return Answer::Silence,
            Door::Unreachable => return Answer::Timeout,
            closed => return words::not_let_in(self, call, resource, closed),
        }
        if !self.audiences().contains(&call.token.audience) {
            return words::wrong_audience(self, call);
        }
        let by_policies = self.kind == Kind::Vault && resource["properties"]["enableRbacAuthorization"] != true;
        if by_policies {
            let allowed = access_policy(resource, call.token, call.operation);
            return if allowed { Answer::Done } else { words::refused_by_policy(self, call, resource) };
        }
        let mut actions = self.actions(call.operation).iter();
        if actions.any(|action| grants.allow(state, call.token, action, &self.target, call.front, call.at)) {
            return Answer::Done;
        }
        words::refused_by_roles(self, call, resource)
    }

    /// What it takes tokens for, the first of them documented as its own.
    pub(super) fn audiences(&self) -> Vec<String> {
        let own = match self.kind {
            Kind::Blob | Kind::Queue | Kind::Table => "https://storage.azure.com",
            Kind::ServiceBus => "https://servicebus.azure.net",
            Kind::EventHubs => "https://eventhubs.azure.net",
            Kind::Vault => "https://vault.azure.net",
        };
        let mut all = vec![own.to_owned()];
        match self.kind {
            Kind::Blob | Kind::Queue | Kind::Table => all.push(format!("https://{}", self.host)),
            Kind::EventHubs => all.push("https://servicebus.azure.net".to_owned()),
            Kind::ServiceBus | Kind::Vault => {}
        }
        all
    }

    /// The data actions of which one is needed.
    pub(super) fn actions(&self, operation: Operation) -> &'static [&'static str] {
        match (self.kind, operation) {
            (Kind::Blob, Operation::Read) => &["Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"],
            (Kind::Blob, Operation::Write) => {
                &["Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write"]
            }
            (Kind::Queue, Operation::Read) => {
                &["Microsoft.Storage/storageAccounts/queueServices/queues/messages/process/action"]
            }
            (Kind::Queue, Operation::Write) => &[
                "Microsoft.Storage/storageAccounts/queueServices/queues/messages/add/action",
                "Microsoft.Storage/storageAccounts/queueServices/queues/messages/write",
            ],
            (Kind::Table, Operation::Read) => &["Microsoft.Storage/storageAccounts/tableServices/tables/entities/read"],
            (Kind::Table, Operation::Write) => {
                &["Microsoft.Storage/storageAccounts/tableServices/tables/entities/write"]
            }
            (Kind::ServiceBus, Operation::Read) => &["Microsoft.ServiceBus/namespaces/messages/receive/action"],
            (Kind::ServiceBus, Operation::Write) => &["Microsoft.ServiceBus/namespaces/messages/send/action"],
            (Kind::EventHubs, Operation::Read) => &["Microsoft.EventHub/namespaces/messages/receive/action"],
            (Kind::EventHubs, Operation::Write) => &["Microsoft.EventHub/namespaces/messages/send/action"],
            (Kind::Vault, Operation::Read) => &["Microsoft.KeyVault/vaults/secrets/getSecret/action"],
            (Kind::Vault, Operation::Write) => &["Microsoft.KeyVault/vaults/secrets/setSecret/action"],
        }
    }

    /// Whether it is called over a link that stays open.
    pub(super) fn is_amqp(&self) -> bool {
        matches!(self.kind, Kind::ServiceBus | Kind::EventHubs)
    }

    /// The account's, namespace's or vault's name.
    pub(super) fn name(&self) -> &str {
        path::last_segment(&self.resource)
    }
}

/// Whether a vault that decides by access policies has one for this. Entries for a pair of app and user are for neither.
fn access_policy(vault: &serde_json::Value, token: &Token, operation: Operation) -> bool {
    let word = if operation == Operation::Read { "get" } else { "set" };
    let mut entries = vault["properties"]["accessPolicies"].as_array().into_iter().flatten();
    entries.any(|entry| {
        let object = entry["objectId"].as_str().unwrap_or("");
        let mut words = entry["permissions"]["secrets"].as_array().into_iter().flatten().filter_map(|it| it.as_str());
        entry["applicationId"].as_str().is_none_or(str::is_empty)
            && token.is_of(object)
            && words.any(|it| it.eq_ignore_ascii_case(word) || it.eq_ignore_ascii_case("all"))
    })
}
