//! What Azure says about who reaches a resource, and from which network an app calls: only the members that decide.

use std::collections::{BTreeMap, BTreeSet};

use super::{Reading, Scope};

/// Who may reach a resource, as far as its own document tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firewall {
    /// Whether it answers outside of private endpoints.
    pub public: PublicAccess,
    /// Whom it answers there.
    pub rules: Rules,
    /// Its approved private endpoints; none for one that is not named.
    pub private_endpoints: BTreeSet<Option<Scope>>,
    /// It takes no keys, only tokens. A fact and no fault.
    pub keys_off: bool,
    /// The word of its state, when it serves nobody in it.
    pub out_of_service: Option<String>,
    /// It was read by itself. A list may leave members out, and what is left out must not count as refused.
    pub is_whole: bool,
}

/// Whether a resource answers outside of private endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublicAccess {
    /// Those whom its rules let in.
    ByRules,
    /// Nobody.
    Off,
    /// Whom a network security perimeter lets in, or a word that is not known here.
    Elsewhere,
}

/// Whom a firewall lets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rules {
    /// A child of the resource has them, and nobody looked at it.
    NotAsked,
    /// They wait for their turn to be read.
    Waits,
    /// Nobody can say.
    Unknown,
    /// Everybody.
    Open,
    /// Only those.
    Closed {
        /// Calls out of these subnets, by service endpoint.
        subnets: BTreeSet<Scope>,
        /// Calls from some addresses, or by an entry that is not compared here.
        others: bool,
    },
}

/// From where an app calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outbound {
    /// Addresses that it shares with other apps.
    Shared,
    /// That subnet, for private addresses and service endpoints at least. Whether all traffic is routed there decides
    /// neither (MicrosoftDocs/azure-docs `overview-vnet-integration.md`), so it is not read.
    Subnet(Scope),
    /// A network that is not looked at: an App Service Environment, a Container Apps environment, a gateway.
    Elsewhere,
}

/// A subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// The services that it has an endpoint to, in lower case.
    pub endpoints: BTreeSet<String>,
}

/// A virtual network, as far as it decides which private endpoints are found from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VirtualNetwork {
    /// Who resolves names for it; empty for Azure's own DNS.
    pub dns_servers: Vec<String>,
    /// The networks that it is connected with as a whole.
    pub peers: BTreeSet<Scope>,
}

/// A private endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrivateEndpoint {
    /// The network that it is in.
    pub network: Option<Scope>,
    /// The parts of the resource that it leads to, in lower case: `blob`, `vault`.
    pub parts: BTreeSet<String>,
}

/// What was seen of the network between an app and what it uses, where anybody asked.
#[derive(Clone, Debug, Default)]
pub struct NetworkSeen {
    /// From where the app calls, read by itself.
    pub outbound: Option<Reading<Outbound>>,
    /// By resource.
    pub firewalls: BTreeMap<Scope, Reading<Firewall>>,
    /// By subnet.
    pub subnets: BTreeMap<Scope, Reading<Subnet>>,
    /// By virtual network.
    pub networks: BTreeMap<Scope, Reading<VirtualNetwork>>,
    /// By private endpoint.
    pub endpoints: BTreeMap<Scope, Reading<PrivateEndpoint>>,
    /// By private endpoint: the private DNS zones that have its names.
    pub zones: BTreeMap<Scope, Reading<BTreeSet<Scope>>>,
    /// By private DNS zone: the networks that are linked to it.
    pub links: BTreeMap<Scope, Reading<BTreeSet<Scope>>>,
}

/// What would have to be known to say whether an app reaches a resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NetworkQuestion {
    /// What a list shows of that resource's firewall.
    Listed(Scope),
    /// The rules of that namespace.
    Rules(Scope),
    /// That subnet.
    Subnet(Scope),
    /// That virtual network.
    Network(Scope),
    /// That private endpoint.
    Endpoint(Scope),
    /// The private DNS zones that have the names of that private endpoint.
    Zones(Scope),
    /// The networks that are linked to that private DNS zone.
    Links(Scope),
    /// That resource and the app by themselves: what was seen so far would say that the way is blocked.
    Confirm(Scope),
}

impl NetworkQuestion {
    /// What is looked at for it.
    #[must_use]
    pub fn about(&self) -> &Scope {
        match self {
            Self::Listed(scope)
            | Self::Rules(scope)
            | Self::Subnet(scope)
            | Self::Network(scope)
            | Self::Endpoint(scope)
            | Self::Zones(scope)
            | Self::Links(scope)
            | Self::Confirm(scope) => scope,
        }
    }
}
