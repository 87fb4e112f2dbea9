//! Whether a firewall lets an app in. An evaluation of its own, so that it can disagree with the client's.

use std::net::Ipv4Addr;

use serde_json::Value;

use super::super::path;
use super::super::state::State;
use super::private::{self, Lead};
use super::service::{Kind, Service};

/// What a caller finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    Open,
    /// The address is on no list.
    Closed,
    /// Nobody comes in from outside.
    Walled,
    /// The name is in a zone of the app's network, without an address.
    Nameless,
    /// The name leads to an address to which there is no way.
    Unreachable,
}

/// Whether the app gets through. A Function App is none of the trusted services that a firewall may let pass.
pub(super) fn door(state: &State, service: &Service, app: &str, resource: &Value) -> Door {
    let app = state.document(app).unwrap_or(&Value::Null);
    let properties = &resource["properties"];
    let subnet = app["properties"]["virtualNetworkSubnetId"].as_str().filter(|id| !id.is_empty());
    if let Some(subnet) = subnet {
        match private::lead(state, service, subnet, properties) {
            Lead::Private => return Door::Open,
            Lead::Nowhere => return Door::Nameless,
            Lead::Astray => return Door::Unreachable,
            Lead::Public => {}
        }
    }
    let of_namespace = state.document(&format!("{}/networkRuleSets/default", service.resource));
    let rules = match service.kind {
        Kind::ServiceBus | Kind::EventHubs => of_namespace.map_or(&Value::Null, |rules| &rules["properties"]),
        Kind::Blob | Kind::Queue | Kind::Table | Kind::Vault => &properties["networkAcls"],
    };
    let is = |value: &Value, word: &str| value.as_str().is_some_and(|it| it.eq_ignore_ascii_case(word));
    if is(&properties["publicNetworkAccess"], "Disabled") || is(&rules["publicNetworkAccess"], "Disabled") {
        return Door::Walled;
    }
    let open = !is(&rules["defaultAction"], "Deny")
        || subnet.is_some_and(|subnet| lets_subnet_in(state, service, rules, subnet))
        || lets_address_in(service, rules, app, resource);
    if open { Door::Open } else { Door::Closed }
}

/// A rule for a subnet acts where the subnet has the service's endpoint.
fn lets_subnet_in(state: &State, service: &Service, rules: &Value, subnet: &str) -> bool {
    let named = |rule: &Value| {
        let id = rule["id"].as_str().or(rule["subnet"]["id"].as_str()).unwrap_or("");
        path::key(id) == path::key(subnet)
    };
    let wanted = match service.kind {
        Kind::Blob | Kind::Queue | Kind::Table => "Microsoft.Storage",
        Kind::ServiceBus => "Microsoft.ServiceBus",
        Kind::EventHubs => "Microsoft.EventHub",
        Kind::Vault => "Microsoft.KeyVault",
    };
    let has_endpoint = |subnet: &Value| {
        let mut endpoints = subnet["properties"]["serviceEndpoints"].as_array().into_iter().flatten();
        endpoints.any(|it| it["service"].as_str().is_some_and(|service| service.starts_with(wanted)))
    };
    rules["virtualNetworkRules"].as_array().into_iter().flatten().any(named)
        && state.document(subnet).is_some_and(has_endpoint)
}

/// A rule for addresses. Storage does not see the public address of a caller in its own region ("Configure Azure Storage
/// firewalls", restrictions for IP network rules).
fn lets_address_in(service: &Service, rules: &Value, app: &Value, resource: &Value) -> bool {
    let place = |it: &Value| it["location"].as_str().map(|name| name.replace(' ', "").to_lowercase());
    let is_storage = matches!(service.kind, Kind::Blob | Kind::Queue | Kind::Table);
    if is_storage && place(app) == place(resource) {
        return false;
    }
    let addresses = app["properties"]["outboundIpAddresses"].as_str().unwrap_or("").split(',');
    let mut addresses = addresses.filter_map(|it| it.trim().parse::<Ipv4Addr>().ok()).peekable();
    let rules = rules["ipRules"].as_array().into_iter().flatten();
    let rules: Vec<&str> = rules.filter_map(|it| it["value"].as_str().or(it["ipMask"].as_str())).collect();
    // Any of its addresses may be the next call's.
    addresses.peek().is_some() && addresses.all(|address| rules.iter().any(|rule| holds(rule, address)))
}

fn holds(rule: &str, address: Ipv4Addr) -> bool {
    let (network, bits) = rule.split_once('/').unwrap_or((rule, "32"));
    let (Ok(network), Ok(bits)) = (network.parse::<Ipv4Addr>(), bits.parse::<u32>()) else { return false };
    let mask = u32::MAX.checked_shl(32 - bits.min(32)).unwrap_or(0);
    network.to_bits() & mask == address.to_bits() & mask
}
