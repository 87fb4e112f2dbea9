//! Where a name leads from a virtual network: what DNS answers there, and whether there is a way to the address. An evaluation
//! of its own, so that it can disagree with the client's.
//!
//! MicrosoftDocs/azure-docs: `private-link/private-endpoint-dns-integration.md` (which zones a network resolves by),
//! `dns/private-dns-fallback.md` (what a linked zone answers for a name that it does not have).

use serde_json::Value;

use super::super::path;
use super::super::state::{State, id_of};
use super::service::{Kind, Service};

const LINKS: &str = "microsoft.network/privatednszones/virtualnetworklinks";
const ZONE_GROUPS: &str = "microsoft.network/privateendpoints/privatednszonegroups";

/// Where a call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lead {
    /// To the service, as from anywhere.
    Public,
    /// To a private endpoint of it.
    Private,
    /// To a private endpoint that the network has no way to.
    Astray,
    /// The zone does not have the name.
    Nowhere,
}

/// Where a call from a subnet goes. A network with servers of its own asks the Internet: what else they know is not in a world.
pub(super) fn lead(state: &State, service: &Service, subnet: &str, properties: &Value) -> Lead {
    let own = path::key(path::before(subnet, "/subnets/"));
    let network = state.document(&own).unwrap_or(&Value::Null);
    let servers = network["properties"]["dhcpOptions"]["dnsServers"].as_array();
    let asks_azure = servers.is_none_or(|all| all.iter().all(|server| server == "168.63.129.16"));
    let approved = approved(properties);
    // Only the name of what has a private endpoint is an alias of the one in the zone.
    if !asks_azure || approved.is_empty() {
        return Lead::Public;
    }
    let zone_name = zone_name(service);
    let linked = state.of_kind(LINKS).find(|link| {
        let to = link["properties"]["virtualNetwork"]["id"].as_str().map(path::key);
        let zone = path::before(id_of(link), "/virtualnetworklinks/");
        to.as_ref() == Some(&own) && path::last_segment(zone).eq_ignore_ascii_case(&zone_name)
    });
    let Some(link) = linked else { return Lead::Public };
    let zone = path::key(path::before(id_of(link), "/virtualnetworklinks/"));
    let registered = state.of_kind(ZONE_GROUPS).filter(|group| {
        let configs = group["properties"]["privateDnsZoneConfigs"].as_array().into_iter().flatten();
        let mut zones = configs.filter_map(|config| config["properties"]["privateDnsZoneId"].as_str());
        zones.any(|id| path::key(id) == zone)
    });
    let mut endpoints = registered
        .map(|group| path::key(path::before(id_of(group), "/privatednszonegroups/")))
        .filter(|id| approved.contains(id))
        .filter_map(|id| state.document(&id))
        .filter(|endpoint| leads_to(endpoint, part(service)));
    match endpoints.next() {
        Some(endpoint) if is_near(network, &own, endpoint) => Lead::Private,
        Some(_) => Lead::Astray,
        None if link["properties"]["resolutionPolicy"] == "NxDomainRedirect" => Lead::Public,
        None => Lead::Nowhere,
    }
}

/// The private endpoints that somebody approved.
fn approved(properties: &Value) -> Vec<String> {
    let connections = properties["privateEndpointConnections"].as_array().into_iter().flatten();
    let approved = connections
        .map(|connection| &connection["properties"])
        .filter(|it| it["privateLinkServiceConnectionState"]["status"] == "Approved");
    approved.filter_map(|it| it["privateEndpoint"]["id"].as_str()).map(path::key).collect()
}

fn part(service: &Service) -> &'static str {
    match service.kind {
        Kind::Blob => "blob",
        Kind::Queue => "queue",
        Kind::Table => "table",
        Kind::ServiceBus | Kind::EventHubs => "namespace",
        Kind::Vault => "vault",
    }
}

fn zone_name(service: &Service) -> String {
    match service.kind {
        Kind::Vault => "privatelink.vaultcore.azure.net".to_owned(),
        Kind::Blob | Kind::Queue | Kind::Table | Kind::ServiceBus | Kind::EventHubs => {
            let suffix = service.host.split_once('.').map_or("", |(_, suffix)| suffix);
            format!("privatelink.{suffix}")
        }
    }
}

fn leads_to(endpoint: &Value, part: &str) -> bool {
    let connections = endpoint["properties"]["privateLinkServiceConnections"].as_array().into_iter().flatten();
    let mut parts = connections.flat_map(|it| it["properties"]["groupIds"].as_array().into_iter().flatten());
    parts.any(|it| it.as_str().is_some_and(|it| it.eq_ignore_ascii_case(part)))
}

/// The same network, or one that is peered with it and connected.
fn is_near(network: &Value, own: &str, endpoint: &Value) -> bool {
    let subnet = endpoint["properties"]["subnet"]["id"].as_str().unwrap_or("");
    let theirs = path::key(path::before(subnet, "/subnets/"));
    let mut peerings = network["properties"]["virtualNetworkPeerings"].as_array().into_iter().flatten();
    theirs == own
        || peerings.any(|peering| {
            let peering = &peering["properties"];
            let remote = peering["remoteVirtualNetwork"]["id"].as_str().map(path::key);
            peering["peeringState"] == "Connected" && remote.as_ref() == Some(&theirs)
        })
}
