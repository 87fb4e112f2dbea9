//! Whether an app in a virtual network finds a private endpoint of what it calls: an endpoint that its network reaches, by a
//! name that its network resolves.
//!
//! What was seen never says that there is no way: networks can be connected without a peering (a connected group of a network
//! manager has none; MicrosoftDocs/azure-docs `virtual-network-manager/concept-connectivity-configuration.md`), and names may
//! come from another zone or a resolver. So the answer is that there is a way, or why that is open.

use std::collections::{BTreeMap, BTreeSet};

use super::{Doubt, Reach, Used};
use crate::{
    catalog::services::Service,
    model::{
        AWAITS_TURN, FailureClass, NetworkQuestion, Reading, Scope,
        network::{Firewall, NetworkSeen, PrivateEndpoint, VirtualNetwork},
    },
    policy::Wanted,
};

/// How many endpoints of a resource are looked at.
const ENDPOINTS: usize = 5;

/// What leaves it open whether an app's network finds a private endpoint. The first is nearest to an answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PrivateDoubt {
    /// The network asks servers that are not Azure's.
    Resolvers {
        /// The app's network.
        own: Scope,
        /// Their addresses.
        servers: Vec<String>,
    },
    /// The zone with the endpoint's name is not linked to the app's network. Another zone of that name may be.
    NotLinked {
        /// The zone.
        zone: Scope,
        /// What it is linked to.
        networks: BTreeSet<Scope>,
        /// The app's network.
        own: Scope,
    },
    /// Azure keeps the endpoint's name in no zone. Somebody may keep it by hand.
    NoZone(Scope),
    /// The zone has the name for an endpoint that was not found to be in reach, too, and gives it one address.
    Shared {
        /// The zone.
        zone: Scope,
        /// The other endpoint.
        endpoint: Scope,
    },
    /// Something was not seen.
    Unseen(NetworkQuestion, Unseen),
    /// There are more endpoints than are looked at.
    LeftOut(BTreeSet<Scope>),
    /// The endpoint's network is not the app's, and not peered with it. There are other ways to connect networks.
    Apart {
        /// The endpoint.
        endpoint: Scope,
        /// Its network.
        network: Option<Scope>,
    },
    /// No endpoint leads to that part of the resource.
    NoEndpoint(&'static str),
}

/// Why something was not seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unseen {
    /// Nobody looked: the boundary ends before it.
    Outside,
    /// A right is missing.
    Denied,
    /// It is not there.
    Gone,
    /// Not yet, or not this time.
    NotYet,
    /// It waits for its turn.
    Waits,
    /// Azure did not answer in a way that time alone would mend.
    Failed,
}

/// The parts of a resource that something in a policy uses: of a storage account those whose rights it needs.
pub(super) fn parts(service: &'static Service, scope: &Scope, wanted: Option<&Wanted>) -> BTreeSet<&'static str> {
    let all = service.private.keys().map(String::as_str);
    if service.private.len() == 1 {
        return all.collect();
    }
    let rights = match wanted {
        Some(Wanted::Need(need)) => need.rights.iter().flat_map(|right| right.any_of.iter().flatten()).collect(),
        Some(Wanted::Role(_)) | None => Vec::new(),
    };
    let texts: Vec<_> =
        rights.into_iter().map(|right| right.to_ascii_lowercase()).chain([scope.key().to_owned()]).collect();
    let named: BTreeSet<_> =
        all.filter(|part| texts.iter().any(|text| text.contains(&format!("/{part}services/")))).collect();
    // A role or a key says nothing of parts; nothing that an app is declared to do with an account works without blobs.
    if named.is_empty() { BTreeSet::from(["blob"]) } else { named }
}

/// The answer for a resource with private endpoints, and what to look at next.
pub(super) fn reach(
    used: &Used,
    firewall: &Firewall,
    subnet: &Scope,
    seen: &NetworkSeen,
) -> (Reach, BTreeSet<NetworkQuestion>) {
    let Some(own) = subnet.cut_at("Microsoft.Network/virtualNetworks") else {
        return (Reach::Undecided(Doubt::PrivateEndpoint), BTreeSet::new());
    };
    let mut look = Look { used, own, seen, questions: BTreeSet::new() };
    let reach = match look.ways(firewall) {
        Ok(endpoints) => Reach::Private(endpoints),
        Err(doubt) => Reach::Undecided(doubt),
    };
    (reach, look.questions)
}

struct Look<'a> {
    used: &'a Used,
    /// The app's network.
    own: Scope,
    seen: &'a NetworkSeen,
    questions: BTreeSet<NetworkQuestion>,
}

/// An endpoint that leads to a part, and whether its network is reached.
struct Candidate<'a> {
    id: &'a Scope,
    endpoint: &'a PrivateEndpoint,
    is_near: bool,
}

impl<'a> Look<'a> {
    /// An endpoint for each part that is used.
    fn ways(&mut self, firewall: &'a Firewall) -> Result<BTreeSet<Scope>, Doubt> {
        let mut named: Vec<_> = firewall.private_endpoints.iter().flatten().collect();
        if named.is_empty() {
            return Err(Doubt::PrivateEndpoint);
        }
        let own = self.own.clone();
        let network = self.known(&self.seen.networks, NetworkQuestion::Network(own.clone())).map_err(Doubt::Private)?;
        if !network.dns_servers.is_empty() {
            return Err(Doubt::Private(PrivateDoubt::Resolvers { own, servers: network.dns_servers.clone() }));
        }
        // Those nearby first: what others have in their subscriptions is seldom for the app.
        named.sort_by_key(|id| (id.resource_group() != own.resource_group(), id.subscription() != own.subscription()));
        let left_out: BTreeSet<_> = named.split_off(named.len().min(ENDPOINTS)).into_iter().cloned().collect();
        let mut doubts = BTreeSet::new();
        let mut known = Vec::new();
        for id in named {
            match self.known(&self.seen.endpoints, NetworkQuestion::Endpoint(id.clone())) {
                Ok(endpoint) => known.push((id, endpoint)),
                Err(doubt) => {
                    doubts.insert(doubt);
                }
            }
        }
        if !left_out.is_empty() {
            doubts.insert(PrivateDoubt::LeftOut(left_out));
        }
        let mut ways = BTreeSet::new();
        let mut open = BTreeSet::new();
        for &part in &self.used.parts {
            let leading = known.iter().filter(|(_, endpoint)| endpoint.parts.contains(part));
            let candidates: Vec<_> = leading
                .map(|&(id, endpoint)| Candidate { id, endpoint, is_near: is_near(endpoint, &own, network) })
                .collect();
            match self.way(part, &candidates) {
                Ok(id) => {
                    ways.insert(id);
                }
                // What was not seen of other endpoints may be the way to this part.
                Err(doubt) => open.extend(doubts.iter().cloned().chain([doubt])),
            }
        }
        match open.pop_first() {
            Some(doubt) => Err(Doubt::Private(doubt)),
            None => Ok(ways),
        }
    }

    /// The endpoint by which a part is reached.
    fn way(&mut self, part: &'static str, candidates: &[Candidate<'a>]) -> Result<Scope, PrivateDoubt> {
        let mut doubts = BTreeSet::new();
        for Candidate { id, endpoint, is_near } in candidates {
            if !is_near {
                let (endpoint, network) = ((*id).clone(), endpoint.network.clone());
                doubts.insert(PrivateDoubt::Apart { endpoint, network });
                continue;
            }
            match self.linked_zone(part, id) {
                Ok(zone) => return self.alone(zone, candidates).map(|()| (*id).clone()),
                Err(doubt) => {
                    doubts.insert(doubt);
                }
            }
        }
        Err(doubts.pop_first().unwrap_or(PrivateDoubt::NoEndpoint(part)))
    }

    /// The zone with the endpoint's name for a part that the app's network resolves by.
    fn linked_zone(&mut self, part: &'static str, endpoint: &Scope) -> Result<&'a Scope, PrivateDoubt> {
        let beginning = self.used.service.private.get(part).map(String::as_str).unwrap_or_default();
        let zones = self.known(&self.seen.zones, NetworkQuestion::Zones(endpoint.clone()))?;
        let mut doubts = BTreeSet::new();
        for zone in zones.iter().filter(|zone| zone.name().to_ascii_lowercase().starts_with(beginning)) {
            match self.known(&self.seen.links, NetworkQuestion::Links(zone.clone())) {
                Ok(networks) if networks.contains(&self.own) => return Ok(zone),
                Ok(networks) => {
                    let (zone, networks, own) = (zone.clone(), networks.clone(), self.own.clone());
                    doubts.insert(PrivateDoubt::NotLinked { zone, networks, own });
                }
                Err(doubt) => {
                    doubts.insert(doubt);
                }
            }
        }
        Err(doubts.pop_first().unwrap_or_else(|| PrivateDoubt::NoZone(endpoint.clone())))
    }

    /// A zone has one set of addresses for the name: that no endpoint out of reach has it there as well.
    fn alone(&mut self, zone: &Scope, candidates: &[Candidate<'a>]) -> Result<(), PrivateDoubt> {
        let mut doubts = BTreeSet::new();
        for Candidate { id, .. } in candidates.iter().filter(|other| !other.is_near) {
            match self.known(&self.seen.zones, NetworkQuestion::Zones((*id).clone())) {
                Ok(zones) if zones.contains(zone) => {
                    doubts.insert(PrivateDoubt::Shared { zone: zone.clone(), endpoint: (*id).clone() });
                }
                Ok(_) => {}
                Err(doubt) => {
                    doubts.insert(doubt);
                }
            }
        }
        doubts.pop_first().map_or(Ok(()), Err)
    }

    /// What was seen, or why not; what nobody looked at yet becomes a question.
    fn known<T>(
        &mut self,
        readings: &'a BTreeMap<Scope, Reading<T>>,
        question: NetworkQuestion,
    ) -> Result<&'a T, PrivateDoubt> {
        let why = match readings.get(question.about()) {
            Some(Reading::Present { value, .. }) => return Ok(value),
            Some(Reading::Absent { .. }) => Unseen::Gone,
            Some(Reading::Unreadable(failure)) if failure.code == AWAITS_TURN => Unseen::Waits,
            Some(Reading::Unreadable(failure)) => match failure.class {
                FailureClass::Waiting | FailureClass::Throttled | FailureClass::Transient => Unseen::NotYet,
                FailureClass::Denied => Unseen::Denied,
                FailureClass::Blocked | FailureClass::Rejected | FailureClass::Bug => Unseen::Failed,
            },
            None => {
                self.questions.insert(question.clone());
                Unseen::Outside
            }
        };
        Err(PrivateDoubt::Unseen(question, why))
    }
}

fn is_near(endpoint: &PrivateEndpoint, own: &Scope, network: &VirtualNetwork) -> bool {
    endpoint.network.as_ref().is_some_and(|other| other == own || network.peers.contains(other))
}
