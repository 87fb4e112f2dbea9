//! H1 and H5: by which identity each connection of the app really asks, and where. Only what its settings say; what an
//! app makes of them in its own code is not seen.

use std::collections::BTreeSet;

use super::{Finding, not_observed};
use crate::{
    api::Settings,
    catalog::{
        binding::Form,
        endpoints::{self, Expected},
    },
    model::{
        AppSettings, ClientId, Observed, Reading, Scope, Site, Workload,
        settings::{Credential, DEFAULT_CLIENT, Member, Setting, TELEMETRY},
    },
    policy::{Connection, Identity, Origin, Policy},
};

/// What is wrong with a connection.
#[derive(Clone, Debug, PartialEq)]
pub enum ConnectionProblem {
    /// The settings that would make it are not there.
    Missing {
        /// Those.
        settings: Vec<String>,
    },
    /// A setting that is named as the connection outweighs those that name an identity.
    UsesSecret {
        /// The setting.
        setting: String,
        /// The string is in a vault or in App Configuration.
        by_reference: bool,
    },
    /// Another identity is used than declared.
    WrongIdentity {
        /// The declared one.
        declared: Identity,
        /// The one that is used.
        used: Used,
    },
    /// It names the identity in a way that its extension does not read.
    IdentityUnsupported {
        /// The setting.
        setting: String,
    },
    /// A trigger's identity is named for the host alone: the platform, which starts instances when there is work, does not
    /// read that setting.
    UnknownToScaler {
        /// The setting that names it to both.
        setting: String,
    },
    /// A setting names another place than where the declared resource answers in this cloud.
    WrongAddress {
        /// The setting.
        setting: String,
        /// Its value, when it is an address of a service. Others are not repeated.
        seen: Option<String>,
        /// The value that it should have. What is not known from the resource's id is in angle brackets.
        canonical: String,
        /// The audience of tokens there.
        audience: String,
    },
    /// A setting is a reference, and what it stands for is not known.
    Undecided {
        /// The setting.
        setting: String,
        /// It says where, and not by which identity.
        is_address: bool,
    },
}

/// The identity that a connection uses.
#[derive(Clone, Debug, PartialEq)]
pub enum Used {
    /// None is named, so it is the system-assigned one, which is enabled or not.
    Default {
        /// It is.
        enabled: bool,
    },
    /// One is named by its client id.
    Client {
        /// The setting.
        setting: String,
        /// None when it is no GUID.
        client: Option<ClientId>,
        /// The identity with that client id, when it is attached or declared.
        identity: Option<Scope>,
    },
    /// One is named by its id; none when the setting holds no such id.
    Resource(Option<Scope>),
    /// One is named twice, which excludes each other.
    Both,
    /// The right one is named, and the setting that says how a token is got does not say `managedidentity`.
    NoCredential,
    /// Telemetry is sent without a token.
    NoToken,
}

/// The connections whose settings name a place, and the declared one, by what is told of them. That of a connection string is
/// not read.
pub(super) fn right_places<'a>(
    policy: &'a Policy,
    findings: &'a [Finding],
) -> impl Iterator<Item = &'a Connection> + 'a {
    let unsaid = |finding: &&Finding| {
        matches!(
            finding,
            Finding::Connection {
                problem: ConnectionProblem::Missing { .. }
                    | ConnectionProblem::UsesSecret { .. }
                    | ConnectionProblem::WrongAddress { .. }
                    | ConnectionProblem::Undecided { is_address: true, .. },
                ..
            }
        )
    };
    let is_told = move |connection: &Connection| {
        let mut told = findings.iter().filter(unsaid).flat_map(Finding::origins);
        told.any(|origin| connection.origins.contains(origin))
    };
    policy.connections.iter().filter(move |one| one.names_a_place() && !is_told(one))
}

/// Adds what is wrong with the connections that the policy uses.
pub(super) fn compare(policy: &Policy, observed: &Observed, site: Option<&Site>, findings: &mut Vec<Finding>) {
    // Why the app could not be read is said already.
    let (Settings::Inspect, Some(site)) = (policy.settings, site) else { return };
    let settings = match &observed.settings {
        Some(Reading::Present { value, .. }) => value,
        Some(Reading::Unreadable(failure)) => {
            return Finding::unreadable(findings, "settings".to_owned(), failure);
        }
        Some(Reading::Absent { .. }) | None => {
            return Finding::unreadable(findings, "settings".to_owned(), &not_observed("the app's settings"));
        }
    };
    let look = Look { settings, observed, site, triggers: &policy.triggers };
    let mut found: Vec<Finding> = Vec::new();
    for connection in &policy.connections {
        for (name, problem) in look.problems(connection) {
            let same = found.iter_mut().find_map(|finding| match finding {
                Finding::Connection { origins, connection, problem: known } => {
                    (*connection == name && *known == problem).then_some(origins)
                }
                _ => None,
            });
            match same {
                Some(origins) => origins.extend(connection.origins.iter().cloned()),
                None => {
                    let origins = connection.origins.clone();
                    found.push(Finding::Connection { origins, connection: name, problem });
                }
            }
        }
    }
    findings.append(&mut found);
}

struct Look<'a> {
    settings: &'a AppSettings,
    observed: &'a Observed,
    site: &'a Site,
    triggers: &'a BTreeSet<String>,
}

/// Problems, each with the name under which the host found the connection.
type Problems = Vec<(String, ConnectionProblem)>;

impl Look<'_> {
    fn problems(&self, connection: &Connection) -> Problems {
        if connection.row.form == Form::Telemetry {
            return self.telemetry(connection);
        }
        let name = self.settings.resolve(&connection.name).unwrap_or_else(|| connection.name.clone());
        let setting = |member: Member| self.settings.get(&member.of(&name));
        if let Some(value) = self.settings.get(&name) {
            let (setting, by_reference) = (name.clone(), *value == Setting::Reference);
            return vec![(name, ConnectionProblem::UsesSecret { setting, by_reference })];
        }
        let is_there = |way: &&Vec<Member>| way.iter().all(|member| setting(*member).is_some());
        let Some(way) = connection.row.addresses.iter().find(is_there) else {
            // `accountName` would do in the public cloud only.
            let full = connection.row.addresses.iter().find(|way| **way != [Member::AccountName]);
            let lacking = full.into_iter().flatten().filter(|member| setting(**member).is_none());
            let settings = lacking.map(|member| member.of(&name)).collect();
            return vec![(name, ConnectionProblem::Missing { settings })];
        };
        let mut problems: Vec<_> =
            self.addresses(connection, &name, way).into_iter().map(|problem| (name.clone(), problem)).collect();
        problems.extend(self.identity(connection, &name).map(|problem| (name.clone(), problem)));
        problems
    }

    fn addresses(&self, connection: &Connection, name: &str, way: &[Member]) -> Vec<ConnectionProblem> {
        let row = connection.row;
        let specific = [Member::BlobServiceUri, Member::QueueServiceUri, Member::TableServiceUri];
        let service = row.addresses.iter().flatten().copied().find(|member| specific.contains(member));
        let mut looked_at = way.to_vec();
        if way != [Member::AccountName] {
            // The host's storage may name further services.
            let named = |member: &Member| row.settings.iter().any(|text| text.ends_with(&format!("__{member}")));
            looked_at.extend(specific.into_iter().filter(|member| named(member) && !way.contains(member)));
        }
        let problem = |member: Member| {
            let setting = member.of(name);
            let address = match self.settings.get(&setting)? {
                Setting::Reference => return Some(ConnectionProblem::Undecided { setting, is_address: true }),
                Setting::Address(address) => address.as_ref(),
                // The name decides how a setting is read.
                _ => None,
            };
            let (resource, cloud) = (&connection.resource, self.observed.cloud);
            let expected = Expected { resource, member, service: service.unwrap_or(member), cloud };
            let endpoint = expected.contradicts(address)?;
            let repeated = |host: &str| member != Member::AccountName && endpoints::is_known_host(host);
            Some(ConnectionProblem::WrongAddress {
                setting,
                seen: address.filter(|address| repeated(&address.host)).map(ToString::to_string),
                canonical: endpoint.canonical,
                audience: endpoint.audience,
            })
        };
        looked_at.into_iter().filter_map(problem).collect()
    }

    /// Which identity is meant, if it is not the declared one.
    ///
    /// An identity that `AZURE_CLIENT_ID` names is the host's default. The platform's scaler does not know it.
    fn identity(&self, connection: &Connection, name: &str) -> Option<ConnectionProblem> {
        let setting = |member: Member| self.settings.get(&member.of(name));
        let undecided =
            |member: Member| Some(ConnectionProblem::Undecided { setting: member.of(name), is_address: false });
        let credential = setting(Member::Credential);
        // An application is asked for, which is none of the declared identities.
        if matches!(credential, Some(Setting::Credential(Credential::Federated) | Setting::Reference)) {
            return undecided(Member::Credential);
        }
        let declared = connection.identity.clone();
        let wrong = |used: Used| Some(ConnectionProblem::WrongIdentity { declared: declared.clone(), used });
        match (setting(Member::ClientId), setting(Member::ManagedIdentityResourceId)) {
            (Some(_), Some(_)) => wrong(Used::Both),
            (Some(Setting::Reference), None) => undecided(Member::ClientId),
            (None, Some(Setting::Reference)) => undecided(Member::ManagedIdentityResourceId),
            (None, Some(_)) if connection.row.no_resource_id => {
                let setting = Member::ManagedIdentityResourceId.of(name);
                Some(ConnectionProblem::IdentityUnsupported { setting })
            }
            (None, Some(Setting::Identity(id))) => {
                let right = id.as_ref().is_some_and(|id| declared == Identity::User(id.clone()));
                if right { Self::credential(credential, &declared) } else { wrong(Used::Resource(id.clone())) }
            }
            (Some(Setting::Client(client)), None) => match self.is_meant(&declared, *client) {
                Some(true) => Self::credential(credential, &declared),
                Some(false) => wrong(self.client(Member::ClientId.of(name), *client)),
                None => None,
            },
            // By that word the client makes a credential of its own, which reads no `AZURE_CLIENT_ID`
            // (`ClientFactory.CreateCredential` of Azure/azure-sdk-for-net, Microsoft.Extensions.Azure).
            _ if credential == Some(&Setting::Credential(Credential::ManagedIdentity)) => {
                let is_right = declared == Identity::System;
                if is_right { None } else { wrong(Used::Default { enabled: self.site.system.is_enabled() }) }
            }
            (None, _) | (Some(_), None) => match self.settings.get(DEFAULT_CLIENT) {
                Some(Setting::Client(client)) => match self.is_meant(&declared, *client) {
                    Some(false) => wrong(self.client(DEFAULT_CLIENT.to_owned(), *client)),
                    Some(true) => self
                        .scaled(connection)
                        .then(|| ConnectionProblem::UnknownToScaler { setting: Member::ClientId.of(name) }),
                    None => None,
                },
                Some(_) => Some(ConnectionProblem::Undecided { setting: DEFAULT_CLIENT.to_owned(), is_address: false }),
                None if declared == Identity::System => None,
                None => wrong(Used::Default { enabled: self.site.system.is_enabled() }),
            },
        }
    }

    /// Whether a trigger uses it, of which the platform looks how much there is to do.
    fn scaled(&self, connection: &Connection) -> bool {
        let is_trigger = |origin: &Origin| matches!(origin, Origin::Binding(name) if self.triggers.contains(name));
        self.site.workload == Workload::FunctionApp && connection.origins.iter().any(is_trigger)
    }

    /// What is wrong with how the right identity's token is got.
    fn credential(credential: Option<&Setting>, declared: &Identity) -> Option<ConnectionProblem> {
        let right = credential == Some(&Setting::Credential(Credential::ManagedIdentity));
        (!right).then(|| ConnectionProblem::WrongIdentity { declared: declared.clone(), used: Used::NoCredential })
    }

    /// Whether that client id is the declared identity's. Not known while the identity's own is not.
    fn is_meant(&self, declared: &Identity, client: Option<ClientId>) -> Option<bool> {
        let Identity::User(id) = declared else { return Some(false) };
        let Some(client) = client else { return Some(false) };
        let own = self.observed.user.get(id).and_then(Reading::present).and_then(|identity| identity.client);
        own.map(|own| own == client)
    }

    fn client(&self, setting: String, client: Option<ClientId>) -> Used {
        let attached = self.site.attached.iter().map(|(id, attachment)| (id, attachment.client));
        let identities = self.observed.user.values().filter_map(Reading::present);
        let mut known = attached.chain(identities.map(|identity| (&identity.id, identity.client)));
        let identity = client.and_then(|client| known.find(|(_, own)| *own == Some(client)));
        Used::Client { setting, client, identity: identity.map(|(id, _)| id.clone()) }
    }

    /// One setting says all of it.
    fn telemetry(&self, connection: &Connection) -> Problems {
        let declared = connection.identity.clone();
        let wrong = |used: Used| Some(ConnectionProblem::WrongIdentity { declared: declared.clone(), used });
        let problem = match self.settings.get(TELEMETRY) {
            None => Some(ConnectionProblem::Missing { settings: vec![TELEMETRY.to_owned()] }),
            Some(Setting::Telemetry { token: false, .. }) => wrong(Used::NoToken),
            Some(Setting::Telemetry { token: true, client: None }) if declared == Identity::System => None,
            Some(Setting::Telemetry { token: true, client: None }) => {
                wrong(Used::Default { enabled: self.site.system.is_enabled() })
            }
            Some(Setting::Telemetry { token: true, client: Some(client) }) => match self.is_meant(&declared, *client) {
                Some(false) => wrong(self.client(TELEMETRY.to_owned(), *client)),
                Some(true) | None => None,
            },
            Some(_) => Some(ConnectionProblem::Undecided { setting: TELEMETRY.to_owned(), is_address: false }),
        };
        problem.into_iter().map(|problem| (connection.name.clone(), problem)).collect()
    }
}

#[cfg(test)]
mod tests;
