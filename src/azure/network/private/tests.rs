//! What is understood of private endpoints and networks, and which way what is not understood counts.

use serde_json::{Value, json};

use super::{networks, private_endpoint, virtual_network, zones};
use crate::model::Scope;

const HUB: &str = "/subscriptions/2/resourceGroups/rg-hub/providers/Microsoft.Network";

fn id(path: &str) -> String {
    format!("{HUB}/{path}")
}

fn scope(path: &str) -> Scope {
    Scope::lenient(&id(path))
}

#[test]
fn an_endpoint_is_where_its_subnet_is_and_leads_to_its_groups() {
    let read = |properties: Value| private_endpoint(&json!({ "id": "/x", "properties": properties })).unwrap();
    let connection = |part: &str| json!([{ "name": "one", "properties": { "groupIds": [part] } }]);
    let found = read(json!({
        "subnet": { "id": id("virtualNetworks/vnet-hub/subnets/snet-links") },
        "privateLinkServiceConnections": connection("Blob"),
        "manualPrivateLinkServiceConnections": connection("queue"),
        "networkInterfaces": [{ "id": id("networkInterfaces/nic") }], "customDnsConfigs": [],
    }));
    assert_eq!(found.network, Some(scope("virtualnetworks/VNET-HUB")));
    assert_eq!(found.parts, ["blob".to_owned(), "queue".to_owned()].into());
    for odd in [json!({}), json!({ "subnet": null, "privateLinkServiceConnections": [{ "properties": null }] })] {
        let found = read(odd);
        assert_eq!((found.network, found.parts.len()), (None, 0));
    }
}

#[test]
fn zones_are_those_of_all_groups() {
    let group = |zone: &str| {
        let config = json!({ "name": "c", "properties": { "privateDnsZoneId": id(zone), "recordSets": [] } });
        json!({ "id": "/x", "properties": { "privateDnsZoneConfigs": [config, { "properties": {} }] } })
    };
    let one = group("privateDnsZones/privatelink.blob.core.windows.net");
    let other = group("privateDnsZones/corp.example");
    let expected = ["privateDnsZones/corp.example", "privateDnsZones/privatelink.blob.core.windows.net"].map(scope);
    assert_eq!(zones(&[one, other]).unwrap(), expected.into());
    let odd = [json!({ "id": "/x" }), json!({ "id": "/x", "properties": { "privateDnsZoneConfigs": null } })];
    assert!(zones(&odd).unwrap().is_empty());
}

#[test]
fn links_name_their_networks_whatever_their_state() {
    let link = |state: &str| {
        let network = json!({ "id": id(&format!("virtualNetworks/vnet-{state}")) });
        json!({ "id": "/x", "properties": { "virtualNetworkLinkState": state, "virtualNetwork": network } })
    };
    let all = [link("Completed"), link("InProgress"), json!({ "id": "/x", "properties": {} })];
    let expected = ["virtualNetworks/vnet-completed", "virtualNetworks/vnet-inprogress"].map(scope);
    assert_eq!(networks(&all).unwrap(), expected.into());
}

#[test]
fn a_network_is_connected_where_a_peering_is_and_reaches_all_of_the_other() {
    let read = |properties: Value| virtual_network(&json!({ "id": "/x", "properties": properties })).unwrap();
    let peers = |more: Value| {
        let mut peering = json!({
            "peeringState": "Connected", "allowVirtualNetworkAccess": true, "peerCompleteVnets": true,
            "remoteVirtualNetwork": { "id": id("virtualNetworks/vnet-hub") },
        });
        for (member, value) in more.as_object().expect("members") {
            peering[member] = value.clone();
        }
        read(json!({ "virtualNetworkPeerings": [{ "name": "to-hub", "properties": peering }] })).peers.len()
    };
    assert_eq!(peers(json!({})), 1);
    assert_eq!(peers(json!({ "allowVirtualNetworkAccess": null, "peerCompleteVnets": null })), 1);
    for broken in [
        json!({ "peeringState": "Disconnected" }),
        json!({ "peeringState": null }),
        json!({ "allowVirtualNetworkAccess": false }),
        json!({ "peerCompleteVnets": false }),
        json!({ "remoteVirtualNetwork": null }),
    ] {
        assert_eq!(peers(broken.clone()), 0, "{broken}");
    }
    assert_eq!(read(json!({})), read(json!({ "dhcpOptions": null, "virtualNetworkPeerings": null })));
}

#[test]
fn a_network_that_names_azures_own_resolver_has_no_other() {
    for (servers, expected) in
        [(json!([]), 0), (json!(null), 0), (json!(["168.63.129.16"]), 0), (json!(["10.9.0.4", "168.63.129.16"]), 2)]
    {
        let network = json!({ "id": "/x", "properties": { "dhcpOptions": { "dnsServers": servers } } });
        assert_eq!(virtual_network(&network).unwrap().dns_servers.len(), expected, "{servers}");
    }
}
