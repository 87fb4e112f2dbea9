//! What is understood of a firewall, and which way what is not understood counts.

use serde_json::{Value, json};

use super::{Rules, firewall, rule_set, subnet};
use crate::model::{
    Scope,
    network::{Firewall, PublicAccess},
};

const GROUP: &str = "/subscriptions/1/resourceGroups/rg/providers";
const SUBNET: &str = "/subscriptions/1/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/v/subnets/s";

fn read(kind: &str, properties: &Value) -> Firewall {
    let document = json!({ "id": format!("{GROUP}/{kind}/one"), "properties": properties });
    let (id, firewall) = firewall(&document).expect("it can be understood");
    assert_eq!(id.name(), "one");
    firewall
}

fn closed(subnets: &[&str], others: bool) -> Rules {
    Rules::Closed { subnets: subnets.iter().map(|id| Scope::lenient(id)).collect(), others }
}

#[test]
fn the_rules_of_accounts_and_vaults_are_those_of_their_acls() {
    let acls = |more: Value| {
        let mut acls = json!({ "bypass": "AzureServices", "defaultAction": "Deny" });
        for (member, value) in more.as_object().expect("members") {
            acls[member] = value.clone();
        }
        json!({ "networkAcls": acls })
    };
    let rule = |id: &str| json!({ "virtualNetworkRules": [{ "id": id, "action": "Allow" }] });
    let instance = |id: &str| json!({ "resourceAccessRules": [{ "tenantId": "t", "resourceId": id }] });
    let cases = [
        (json!({}), Rules::Open),
        (json!({ "networkAcls": null }), Rules::Open),
        (acls(json!({ "defaultAction": "Allow", "ipRules": [{ "value": "1.2.3.4" }] })), Rules::Open),
        (acls(json!({ "defaultAction": null })), Rules::Open),
        (acls(json!({ "defaultAction": "Sometimes" })), Rules::Open),
        (acls(json!({})), closed(&[], false)),
        (acls(json!({ "defaultAction": "deny", "ipRules": null, "virtualNetworkRules": [] })), closed(&[], false)),
        (acls(json!({ "ipRules": [{ "value": "1.2.3.4" }] })), closed(&[], true)),
        (acls(json!({ "ipv6Rules": [{}] })), closed(&[], true)),
        (acls(rule(&SUBNET.to_lowercase())), closed(&[SUBNET], false)),
        (acls(json!({ "virtualNetworkRules": [{ "state": "Succeeded" }] })), closed(&[], true)),
        (acls(instance("/subscriptions/1/resourceGroups/r/providers/Microsoft.Logic/workflows/w")), closed(&[], false)),
        (acls(instance("/subscriptions/1/resourceGroups/r/providers/Microsoft.Web/sites/w")), closed(&[], true)),
        (acls(json!({ "resourceAccessRules": [{}] })), closed(&[], true)),
    ];
    for (properties, expected) in cases {
        for kind in ["Microsoft.Storage/storageAccounts", "Microsoft.KeyVault/vaults"] {
            assert_eq!(read(kind, &properties).rules, expected, "{kind}: {properties}");
        }
    }
}

#[test]
fn cosmos_db_is_closed_by_a_rule_and_not_by_a_filter_alone() {
    let rule = json!([{ "id": SUBNET, "ignoreMissingVNetServiceEndpoint": false }]);
    let cases = [
        (json!({ "isVirtualNetworkFilterEnabled": false, "ipRules": [], "virtualNetworkRules": [] }), Rules::Open),
        (json!({ "ipRules": [{ "ipAddressOrRange": "0.0.0.0" }] }), closed(&[], true)),
        (json!({ "ipRangeFilter": "1.2.3.4", "virtualNetworkRules": null }), closed(&[], true)),
        (json!({ "ipRangeFilter": "" }), Rules::Open),
        (json!({ "isVirtualNetworkFilterEnabled": true, "virtualNetworkRules": rule }), closed(&[SUBNET], false)),
        (json!({ "isVirtualNetworkFilterEnabled": false, "virtualNetworkRules": rule }), Rules::Open),
        (json!({ "isVirtualNetworkFilterEnabled": true }), Rules::Unknown),
    ];
    for (properties, expected) in cases {
        assert_eq!(read("Microsoft.DocumentDB/databaseAccounts", &properties).rules, expected, "{properties}");
    }
}

#[test]
fn a_namespace_has_its_rules_elsewhere_and_one_of_the_basic_tier_has_none() {
    for kind in ["Microsoft.ServiceBus/Namespaces", "Microsoft.EventHub/namespaces"] {
        assert_eq!(read(kind, &json!({})).rules, Rules::NotAsked);
        let basic = json!({ "id": format!("{GROUP}/{kind}/one"), "sku": { "name": "basic" }, "properties": {} });
        assert_eq!(firewall(&basic).unwrap().1.rules, Rules::Open);
    }
}

#[test]
fn a_rule_set_without_rules_lets_everybody_in_whatever_its_default() {
    let cases = [
        (json!({ "defaultAction": "Deny" }), PublicAccess::ByRules, Rules::Open),
        (
            json!({ "defaultAction": "Deny", "virtualNetworkRules": [], "ipRules": [] }),
            PublicAccess::ByRules,
            Rules::Open,
        ),
        (
            json!({ "defaultAction": "Deny", "ipRules": [{ "ipMask": "1.2.3.4", "action": "Allow" }] }),
            PublicAccess::ByRules,
            closed(&[], true),
        ),
        (
            json!({ "defaultAction": "Deny", "virtualNetworkRules": [{ "subnet": { "id": SUBNET } }] }),
            PublicAccess::ByRules,
            closed(&[SUBNET], false),
        ),
        (json!({ "publicNetworkAccess": "Disabled", "defaultAction": "Allow" }), PublicAccess::Off, Rules::Open),
    ];
    for (properties, public, rules) in cases {
        let document = json!({ "id": "/x", "properties": properties });
        let mut firewall = read("Microsoft.ServiceBus/namespaces", &json!({}));
        rule_set(&document).expect("a rule set").put_into(&mut firewall);
        assert_eq!((firewall.public, firewall.rules), (public, rules), "{properties}");
    }
    let mut off = read("Microsoft.ServiceBus/namespaces", &json!({ "publicNetworkAccess": "Disabled" }));
    rule_set(&json!({ "id": "/x", "properties": { "publicNetworkAccess": "Enabled" } })).unwrap().put_into(&mut off);
    assert_eq!(off.public, PublicAccess::Off, "either switches it off");
}

#[test]
fn public_access_endpoints_keys_and_state_are_read_and_unknown_words_close_nothing() {
    let account = |properties: Value| read("Microsoft.Storage/storageAccounts", &properties);
    for (word, expected) in [
        (json!(null), PublicAccess::ByRules),
        (json!(""), PublicAccess::ByRules),
        (json!("enabled"), PublicAccess::ByRules),
        (json!("disabled"), PublicAccess::Off),
        (json!("SecuredByPerimeter"), PublicAccess::Elsewhere),
        (json!("Tomorrow"), PublicAccess::Elsewhere),
    ] {
        assert_eq!(account(json!({ "publicNetworkAccess": word })).public, expected, "{word}");
    }
    let endpoint = "/subscriptions/2/resourceGroups/hub/providers/Microsoft.Network/privateEndpoints/pe";
    for (status, id, expected) in [
        (json!("Approved"), json!({ "id": endpoint }), vec![Some(Scope::lenient(endpoint))]),
        (json!("Approved"), json!(null), vec![None]),
        (json!("Pending"), json!({ "id": endpoint }), vec![]),
        (json!(null), json!({ "id": endpoint }), vec![]),
    ] {
        let state = json!({ "privateEndpoint": id, "privateLinkServiceConnectionState": { "status": status } });
        let connections = json!({ "privateEndpointConnections": [{ "properties": null }, { "properties": state }] });
        assert_eq!(account(connections).private_endpoints, expected.into_iter().collect(), "{status}");
    }
    assert!(account(json!({ "allowSharedKeyAccess": false })).keys_off);
    assert!(!account(json!({ "allowSharedKeyAccess": null })).keys_off, "null means allowed");
    assert!(read("Microsoft.EventHub/namespaces", &json!({ "disableLocalAuth": true })).keys_off);
    for (properties, expected) in [
        (json!({ "provisioningState": "Succeeded" }), None),
        // An update that failed leaves a resource that works.
        (json!({ "provisioningState": "Failed" }), None),
        (json!({ "provisioningState": "Deleting" }), Some("Deleting")),
        (json!({ "provisioningState": "Succeeded", "status": "Active" }), None),
        (json!({ "provisioningState": "Succeeded", "status": "Disabled" }), Some("Disabled")),
    ] {
        let state = read("Microsoft.ServiceBus/namespaces", &properties).out_of_service;
        assert_eq!(state.as_deref(), expected, "{properties}");
    }
}

#[test]
fn a_subnet_may_have_no_endpoints_at_all() {
    let read = |properties: Value| subnet(&json!({ "id": SUBNET, "properties": properties })).unwrap().endpoints;
    assert!(read(json!({})).is_empty() && read(json!({ "serviceEndpoints": null })).is_empty());
    let endpoints = json!([{ "service": "Microsoft.Storage", "locations": ["*"] }, { "locations": null }]);
    assert_eq!(read(json!({ "serviceEndpoints": endpoints })), ["microsoft.storage".to_owned()].into());
}
