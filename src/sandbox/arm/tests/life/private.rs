//! A vault behind a private endpoint: a call arrives by a name that the app's network resolves and an address that it reaches.

use super::*;

const NETWORKS: &str =
    "/subscriptions/11111111-aaaa-4000-8000-000000000001/resourceGroups/rg-orders/providers/Microsoft.Network";
const ZONE: &str = "privateDnsZones/privatelink.vaultcore.azure.net";

fn id(path: &str) -> String {
    format!("{NETWORKS}/{path}")
}

/// All in the app's network, which resolves the vault's zone.
fn world() -> ArmSim {
    let subnet = |name: &str| id(&format!("virtualNetworks/vnet/subnets/{name}"));
    let state = json!({ "status": "Approved" });
    let connection =
        json!({ "privateEndpoint": { "id": id("privateEndpoints/pe") }, "privateLinkServiceConnectionState": state });
    alive(|world| {
        world["resources"][0]["properties"]["virtualNetworkSubnetId"] = subnet("apps").into();
        let vault = &mut world["resources"][4]["properties"];
        vault["publicNetworkAccess"] = "Disabled".into();
        vault["privateEndpointConnections"] = json!([{ "properties": connection }]);
        let more = [
            json!({ "id": id("virtualNetworks/vnet"), "properties": {} }),
            json!({ "id": id("privateEndpoints/pe"), "properties": {
                "subnet": { "id": subnet("links") },
                "privateLinkServiceConnections": [{ "properties": { "privateLinkServiceId": VAULT, "groupIds": ["vault"] } }],
            } }),
            group(),
            json!({ "id": id(&format!("{ZONE}/virtualNetworkLinks/vnet")), "properties": {
                "virtualNetwork": { "id": id("virtualNetworks/VNET") },
            } }),
        ];
        world["resources"].as_array_mut().expect("a list").extend(more);
    })
}

fn group() -> Value {
    let configs = json!([{ "properties": { "privateDnsZoneId": id(ZONE) } }]);
    let id = id("privateEndpoints/pe/privateDnsZoneGroups/default");
    json!({ "id": id, "properties": { "privateDnsZoneConfigs": configs } })
}

/// What the vault's caller has to say after that, nothing when its calls succeed.
async fn after(change: impl FnOnce(&ArmSim)) -> String {
    let sim = world();
    minutes(20).await;
    assert_eq!(runs(&sim, "orders"), (20, 0), "all is right at first");
    change(&sim);
    minutes(20).await;
    if runs(&sim, "orders") == (20, 0) { String::new() } else { said(&sim) }
}

#[tokio::test(start_paused = true)]
async fn each_link_of_the_way_has_a_symptom_of_its_own() {
    let link = format!("{ZONE}/virtualNetworkLinks/vnet");
    let outside = "Public network access is disabled";
    assert!(after(|sim| sim.remove(&id(&link))).await.contains(outside), "the name leads to the public address");
    let servers = json!({ "dnsServers": ["10.9.0.4"] });
    let own = after(|sim| sim.edit(&id("virtualNetworks/vnet"), |it| it["properties"]["dhcpOptions"] = servers)).await;
    assert!(own.contains(outside), "who else resolves knows no more: {own}");
    let group = "privateEndpoints/pe/privateDnsZoneGroups/default";
    let nameless = after(|sim| sim.remove(&id(group))).await;
    assert!(nameless.contains("Name or service not known"), "a linked zone knows all of its names: {nameless}");
    let fallback = after(|sim| {
        sim.remove(&id(group));
        sim.edit(&id(&link), |it| it["properties"]["resolutionPolicy"] = "NxDomainRedirect".into());
    });
    assert!(fallback.await.contains(outside), "unless it falls back to the Internet");
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_of_another_network_is_reached_by_a_connected_peering() {
    let away = |sim: &ArmSim| {
        let subnet = id("virtualNetworks/hub/subnets/links");
        sim.edit(&id("privateEndpoints/pe"), |it| it["properties"]["subnet"]["id"] = subnet.into());
    };
    let peered = |sim: &ArmSim, state: &str| {
        let peering = json!({ "peeringState": state, "remoteVirtualNetwork": { "id": id("virtualNetworks/hub") } });
        let peerings = json!([{ "properties": peering }]);
        sim.edit(&id("virtualNetworks/vnet"), |it| it["properties"]["virtualNetworkPeerings"] = peerings);
    };
    assert!(after(away).await.contains("Connection timed out"));
    for (state, expected) in [("Disconnected", "Connection timed out"), ("Connected", "")] {
        let said = after(|sim| {
            away(sim);
            peered(sim, state);
        });
        let said = said.await;
        assert!(said.contains(expected) && said.is_empty() == expected.is_empty(), "{state}: {said}");
    }
}
