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
    /// It has a private endpoint that somebody approved.
    pub has_private_endpoint: bool,
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

/// What was seen of the network between an app and what it uses, where anybody asked.
#[derive(Clone, Debug, Default)]
pub struct NetworkSeen {
    /// From where the app calls, read by itself.
    pub outbound: Option<Reading<Outbound>>,
    /// By resource.
    pub firewalls: BTreeMap<Scope, Reading<Firewall>>,
    /// By subnet.
    pub subnets: BTreeMap<Scope, Reading<Subnet>>,
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
    /// That resource and the app by themselves: what was seen so far would say that the way is blocked.
    Confirm(Scope),
}

impl NetworkQuestion {
    /// What is looked at for it.
    #[must_use]
    pub fn about(&self) -> &Scope {
        match self {
            Self::Listed(scope) | Self::Rules(scope) | Self::Subnet(scope) | Self::Confirm(scope) => scope,
        }
    }
}
