//! Private endpoints, where their names are, and the virtual networks that resolve them.
//!
//! Shapes: Azure/azure-rest-api-specs, examples `PrivateEndpointGet`, `PrivateEndpointDnsZoneGroupList` (Network 2024-05-01)
//! and `VirtualNetworkLinkList` (private DNS 2024-06-01).

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use super::{NETWORKS, SubResource};
use crate::{
    azure::{
        Azure,
        reads::absent,
        wire::{Resource, decode, nullable},
    },
    model::{
        Failure, Scope,
        network::{PrivateEndpoint, VirtualNetwork},
    },
};

/// Private DNS has versions of its own.
const PRIVATE_DNS: &str = "2024-06-01";

/// Azure's own resolver, which a network may also name as if it were one of its own
/// (MicrosoftDocs/azure-docs `virtual-network/what-is-ip-address-168-63-129-16.md`).
const AZURE_DNS: &str = "168.63.129.16";

impl Azure {
    /// A virtual network; none when it does not exist.
    pub async fn virtual_network(&self, id: &Scope) -> Result<Option<VirtualNetwork>, Failure> {
        let answer = absent(self.arm.get(id.as_str(), NETWORKS).await)?;
        answer.map(|answer| virtual_network(&answer.json("GET virtual network")?)).transpose()
    }

    /// A private endpoint; none when it does not exist.
    pub async fn private_endpoint(&self, id: &Scope) -> Result<Option<PrivateEndpoint>, Failure> {
        let answer = absent(self.arm.get(id.as_str(), NETWORKS).await)?;
        answer.map(|answer| private_endpoint(&answer.json("GET private endpoint")?)).transpose()
    }

    /// The private DNS zones in which Azure keeps the names of a private endpoint; none when it does not exist.
    pub async fn zones_of(&self, endpoint: &Scope) -> Result<Option<BTreeSet<Scope>>, Failure> {
        let groups = absent(self.arm.list(&format!("{endpoint}/privateDnsZoneGroups"), NETWORKS).await)?;
        groups.map(|groups| zones(&groups)).transpose()
    }

    /// The networks that are linked to a private DNS zone; none when it does not exist.
    pub async fn networks_of(&self, zone: &Scope) -> Result<Option<BTreeSet<Scope>>, Failure> {
        let links = absent(self.arm.list(&format!("{zone}/virtualNetworkLinks"), PRIVATE_DNS).await)?;
        links.map(|links| networks(&links)).transpose()
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct NetworkProperties {
    #[serde(default, deserialize_with = "nullable")]
    dhcp_options: DhcpOptions,
    #[serde(default, deserialize_with = "nullable")]
    virtual_network_peerings: Vec<Peering>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DhcpOptions {
    #[serde(default, deserialize_with = "nullable")]
    dns_servers: Vec<String>,
}

#[derive(Deserialize)]
struct Peering {
    #[serde(default, deserialize_with = "nullable")]
    properties: PeeringProperties,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PeeringProperties {
    #[serde(default)]
    peering_state: Option<String>,
    #[serde(default)]
    allow_virtual_network_access: Option<bool>,
    /// False where only some subnets are connected.
    #[serde(default)]
    peer_complete_vnets: Option<bool>,
    #[serde(default)]
    remote_virtual_network: Option<SubResource>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EndpointProperties {
    #[serde(default)]
    subnet: Option<SubResource>,
    #[serde(default, deserialize_with = "nullable")]
    private_link_service_connections: Vec<LinkConnection>,
    /// Those that somebody else approved.
    #[serde(default, deserialize_with = "nullable")]
    manual_private_link_service_connections: Vec<LinkConnection>,
}

#[derive(Deserialize)]
struct LinkConnection {
    #[serde(default, deserialize_with = "nullable")]
    properties: LinkProperties,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LinkProperties {
    #[serde(default, deserialize_with = "nullable")]
    group_ids: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct GroupProperties {
    #[serde(default, deserialize_with = "nullable")]
    private_dns_zone_configs: Vec<ZoneConfig>,
}

#[derive(Deserialize)]
struct ZoneConfig {
    #[serde(default, deserialize_with = "nullable")]
    properties: ZoneProperties,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ZoneProperties {
    #[serde(default)]
    private_dns_zone_id: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LinkedProperties {
    #[serde(default)]
    virtual_network: Option<SubResource>,
}

fn named(resource: Option<SubResource>) -> Option<Scope> {
    resource.and_then(|resource| resource.id).map(|id| Scope::lenient(&id))
}

fn virtual_network(document: &Value) -> Result<VirtualNetwork, Failure> {
    let Resource::<NetworkProperties> { properties, .. } = decode(document, "the virtual network")?;
    let mut dns_servers = properties.dhcp_options.dns_servers;
    if dns_servers.iter().all(|server| server == AZURE_DNS) {
        dns_servers.clear();
    }
    let connected = |peering: Peering| {
        let PeeringProperties {
            peering_state,
            allow_virtual_network_access,
            peer_complete_vnets,
            remote_virtual_network,
        } = peering.properties;
        let is_connected = peering_state.is_some_and(|state| state.eq_ignore_ascii_case("Connected"));
        let is_whole = allow_virtual_network_access != Some(false) && peer_complete_vnets != Some(false);
        named(remote_virtual_network).filter(|_| is_connected && is_whole)
    };
    let peers = properties.virtual_network_peerings.into_iter().filter_map(connected).collect();
    Ok(VirtualNetwork { dns_servers, peers })
}

fn private_endpoint(document: &Value) -> Result<PrivateEndpoint, Failure> {
    let Resource::<EndpointProperties> { properties, .. } = decode(document, "the private endpoint")?;
    let EndpointProperties { subnet, private_link_service_connections, manual_private_link_service_connections } =
        properties;
    let connections = private_link_service_connections.into_iter().chain(manual_private_link_service_connections);
    let parts = connections.flat_map(|connection| connection.properties.group_ids);
    Ok(PrivateEndpoint {
        network: named(subnet).and_then(|subnet| subnet.cut_at("Microsoft.Network/virtualNetworks")),
        parts: parts.map(|part| part.to_ascii_lowercase()).collect(),
    })
}

fn zones(groups: &[Value]) -> Result<BTreeSet<Scope>, Failure> {
    let mut zones = BTreeSet::new();
    for document in groups {
        let Resource::<GroupProperties> { properties, .. } = decode(document, "the zone group")?;
        let ids = properties.private_dns_zone_configs.into_iter().filter_map(|it| it.properties.private_dns_zone_id);
        zones.extend(ids.map(|id| Scope::lenient(&id)));
    }
    Ok(zones)
}

fn networks(links: &[Value]) -> Result<BTreeSet<Scope>, Failure> {
    let mut networks = BTreeSet::new();
    for document in links {
        let Resource::<LinkedProperties> { properties, .. } = decode(document, "the virtual network link")?;
        networks.extend(named(properties.virtual_network));
    }
    Ok(networks)
}

#[cfg(test)]
mod tests;
