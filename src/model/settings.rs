//! The app settings of an app, as far as they say by which identity it reaches which resource. Every other value is
//! dropped unread: it may be a secret. What is kept is reduced to what can be compared, so that a secret in the wrong
//! place is not kept either.

mod address;

use std::{collections::BTreeMap, fmt};

use serde::Deserialize;

pub use address::{Address, Path};

use super::{ClientId, Scope};

/// What the host puts in front of a connection's name when it looks for it first.
///
/// Source: `GetWebJobsConnectionStringSection` of Azure/azure-functions-dotnet-worker.
const PREFIX: &str = "AzureWebJobs";

/// The section of the configuration in which connection strings are looked for before the settings themselves.
///
/// Source: `GetConnectionStringOrSetting` beside it.
const STRINGS: &str = "ConnectionStrings__";

/// The client id that the host takes for every connection which names none.
pub const DEFAULT_CLIENT: &str = "AZURE_CLIENT_ID";

/// How Application Insights is told to take a token.
pub const TELEMETRY: &str = "APPLICATIONINSIGHTS_AUTHENTICATION_STRING";

/// The settings of one app, by name. Empty ones are left out, as the host does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppSettings(BTreeMap<String, Setting>);

/// What is known of one setting's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// Dropped unread.
    Unread,
    /// A reference to a vault or to App Configuration. What it stands for is not in the settings.
    Reference,
    /// Where the resource answers; none when it is no address.
    Address(Option<Address>),
    /// The client id of an identity; none when it is no GUID.
    Client(Option<ClientId>),
    /// The id of a user-assigned identity; none when it is no such id.
    Identity(Option<Scope>),
    /// How a token is got.
    Credential(Credential),
    /// Whether telemetry is sent with a token.
    Telemetry {
        /// It is.
        token: bool,
        /// By the identity of this client id; the inner one is none when it is no GUID.
        client: Option<Option<ClientId>>,
    },
}

/// How a connection gets a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// By a managed identity.
    ManagedIdentity,
    /// By a managed identity that stands for an application, in another tenant too.
    Federated,
    /// Another word.
    Other,
}

/// What a connection's setting says, by the end of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Member {
    /// The host name of a namespace of Service Bus or Event Hubs.
    FullyQualifiedNamespace,
    /// The address of the one service that the connection is for.
    ServiceUri,
    /// The address of the blob service.
    BlobServiceUri,
    /// The address of the queue service.
    QueueServiceUri,
    /// The address of the table service.
    TableServiceUri,
    /// The name of a storage account in the public cloud.
    AccountName,
    /// The address of a Cosmos DB account.
    AccountEndpoint,
    /// The address of an Event Grid topic.
    TopicEndpointUri,
    /// The address of an account of Azure `OpenAI`.
    Endpoint,
    /// How a token is got.
    Credential,
    /// Whose token, by client id.
    ClientId,
    /// Whose token, by the identity's id.
    ManagedIdentityResourceId,
}

impl Member {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::FullyQualifiedNamespace,
        Self::ServiceUri,
        Self::BlobServiceUri,
        Self::QueueServiceUri,
        Self::TableServiceUri,
        Self::AccountName,
        Self::AccountEndpoint,
        Self::TopicEndpointUri,
        Self::Endpoint,
        Self::Credential,
        Self::ClientId,
        Self::ManagedIdentityResourceId,
    ];

    /// As the end of a setting's name.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::FullyQualifiedNamespace => "fullyQualifiedNamespace",
            Self::ServiceUri => "serviceUri",
            Self::BlobServiceUri => "blobServiceUri",
            Self::QueueServiceUri => "queueServiceUri",
            Self::TableServiceUri => "tableServiceUri",
            Self::AccountName => "accountName",
            Self::AccountEndpoint => "accountEndpoint",
            Self::TopicEndpointUri => "topicEndpointUri",
            Self::Endpoint => "endpoint",
            Self::Credential => "credential",
            Self::ClientId => "clientId",
            Self::ManagedIdentityResourceId => "managedIdentityResourceId",
        }
    }

    /// The setting of a connection, such as `Orders__clientId`.
    #[must_use]
    pub fn of(self, connection: &str) -> String {
        format!("{connection}__{}", self.word())
    }

    fn read(self, value: &str) -> Setting {
        match self {
            Self::Credential => Setting::Credential(match value.to_ascii_lowercase().as_str() {
                "managedidentity" => Credential::ManagedIdentity,
                "managedidentityasfederatedidentity" => Credential::Federated,
                _ => Credential::Other,
            }),
            Self::ClientId => Setting::Client(value.parse().ok()),
            Self::ManagedIdentityResourceId => {
                let id = Scope::parse(value).ok();
                Setting::Identity(id.filter(|id| id.is_type("Microsoft.ManagedIdentity/userAssignedIdentities")))
            }
            Self::AccountName => Setting::Address(Address::account(value)),
            Self::FullyQualifiedNamespace
            | Self::ServiceUri
            | Self::BlobServiceUri
            | Self::QueueServiceUri
            | Self::TableServiceUri
            | Self::AccountEndpoint
            | Self::TopicEndpointUri
            | Self::Endpoint => Setting::Address(Address::read(value)),
        }
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl AppSettings {
    /// Takes what is ours to know from names and values.
    pub fn read<'a>(settings: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let settings = settings.into_iter().filter(|(_, value)| !value.trim().is_empty());
        Self(settings.map(|(name, value)| (key(name), setting(&key(name), value.trim()))).collect())
    }

    /// What is known of a setting; none when the app does not have it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Setting> {
        self.0.get(&key(name))
    }

    /// The name under which the host finds a connection: the longer one first, and a connection string of either in the
    /// section of its own before the settings. None when it finds no setting of it.
    #[must_use]
    pub fn resolve(&self, connection: &str) -> Option<String> {
        let has = |name: &String| {
            let own = key(name);
            let in_group = |known: &String| known.strip_prefix(&own).is_some_and(|rest| rest.starts_with("__"));
            self.0.contains_key(&own) || self.0.keys().any(in_group)
        };
        let names = [format!("{PREFIX}{connection}"), connection.to_owned()];
        names.into_iter().find_map(|name| {
            let string = format!("{STRINGS}{name}");
            if self.0.contains_key(&key(&string)) { Some(string) } else { Some(name).filter(has) }
        })
    }
}

/// Names are told apart without their case. On Windows `:` may stand for `__`.
fn key(name: &str) -> String {
    name.to_ascii_lowercase().replace(':', "__")
}

fn setting(key: &str, value: &str) -> Setting {
    if value.to_ascii_lowercase().starts_with("@microsoft.") {
        return Setting::Reference;
    }
    if key.eq_ignore_ascii_case(DEFAULT_CLIENT) {
        return Setting::Client(value.parse().ok());
    }
    if key.eq_ignore_ascii_case(TELEMETRY) {
        return telemetry(value);
    }
    let Some((_, end)) = key.rsplit_once("__") else { return Setting::Unread };
    let member = Member::ALL.into_iter().find(|member| member.word().eq_ignore_ascii_case(end));
    member.map_or(Setting::Unread, |member| member.read(value))
}

/// `Authorization=AAD;ClientId=…`, in any order.
fn telemetry(value: &str) -> Setting {
    let pairs = || value.split(';').filter_map(|pair| pair.split_once('='));
    let says =
        |word: &str| pairs().find(|(name, _)| name.trim().eq_ignore_ascii_case(word)).map(|(_, value)| value.trim());
    Setting::Telemetry {
        token: says("Authorization").is_some_and(|how| how.eq_ignore_ascii_case("AAD")),
        client: says("ClientId").map(|id| id.parse().ok()),
    }
}

#[cfg(test)]
mod tests;
