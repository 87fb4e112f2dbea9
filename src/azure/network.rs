//! Firewalls, subnets, and from where an app calls.
//!
//! What is not understood must never look like a closed door: an unknown word of `publicNetworkAccess` leaves it open who
//! gets in, and a rule that cannot be read counts as one that may let the app in.

mod private;

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use super::{
    Azure,
    reads::{SITES, absent, target_version},
    wire::{self, Resource, decode, nullable},
};
use crate::{
    catalog::services,
    model::{
        Failure, FailureClass, Scope, TargetKind,
        network::{Firewall, Outbound, PublicAccess, Rules, Subnet},
    },
};

/// Of subnets and all else of `Microsoft.Network` but private DNS; `docs/adr/0003` says how api-versions were chosen.
const NETWORKS: &str = "2026-03-01";

impl Azure {
    /// The firewalls of all resources of a type in a subscription that we may see, without what only one by itself shows.
    pub async fn firewalls(&self, subscription: &str, kind: &str) -> Result<Vec<(Scope, Firewall)>, Failure> {
        let path = format!("/subscriptions/{subscription}/providers/{kind}");
        let documents = self.arm.list(&path, version_of(kind)?).await?;
        // One odd entry does not hide the others: it is as if it were not listed.
        Ok(documents.iter().filter_map(|document| firewall(document).ok()).collect())
    }

    /// A resource's firewall, with the rules of a namespace; none when the resource does not exist.
    pub async fn firewall(&self, resource: &Scope) -> Result<Option<Firewall>, Failure> {
        let kind = resource.resource_type().unwrap_or_default();
        let Some(answer) = absent(self.arm.get(resource.as_str(), version_of(&kind)?).await)? else { return Ok(None) };
        let (_, mut found) = firewall(&answer.json("GET resource")?)?;
        if found.rules == Rules::NotAsked {
            self.rule_set(resource).await?.put_into(&mut found);
        }
        found.is_whole = true;
        Ok(Some(found))
    }

    /// The rules of a Service Bus or Event Hubs namespace.
    pub async fn rule_set(&self, namespace: &Scope) -> Result<RuleSet, Failure> {
        let kind = namespace.resource_type().unwrap_or_default();
        let path = format!("{namespace}/networkRuleSets/default");
        match absent(self.arm.get(&path, version_of(&kind)?).await)? {
            Some(answer) => rule_set(&answer.json("GET network rule set")?),
            None => Ok(RuleSet { public: PublicAccess::ByRules, rules: Rules::Open }),
        }
    }

    /// A subnet; none when it does not exist.
    pub async fn subnet(&self, id: &Scope) -> Result<Option<Subnet>, Failure> {
        absent(self.arm.get(id.as_str(), NETWORKS).await)?.map(|answer| subnet(&answer.json("GET subnet")?)).transpose()
    }

    /// From where an app calls; none when it does not exist.
    pub async fn outbound(&self, site: &Scope) -> Result<Option<Outbound>, Failure> {
        let Some(answer) = absent(self.arm.get(site.as_str(), target_version(TargetKind::of(site))).await)? else {
            return Ok(None);
        };
        let document = answer.json("GET target")?;
        let shown = wire::site(&document)?.outbound;
        // A gateway's network is named in the full configuration only, and no Linux app can have one.
        let is_linux = document["kind"].as_str().is_some_and(|kind| kind.to_ascii_lowercase().contains("linux"));
        if shown != Outbound::Shared || is_linux {
            return Ok(Some(shown));
        }
        let configuration = absent(self.arm.get(&format!("{site}/config/web"), SITES).await)?;
        let name = match configuration {
            Some(answer) => {
                answer.json("GET site configuration")?["properties"]["vnetName"].as_str().map(str::to_owned)
            }
            None => return Ok(Some(Outbound::Elsewhere)),
        };
        let has_gateway = name.is_some_and(|name| !name.is_empty());
        Ok(Some(if has_gateway { Outbound::Elsewhere } else { Outbound::Shared }))
    }
}

/// The part of a namespace's firewall that is a child of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSet {
    public: PublicAccess,
    rules: Rules,
}

impl RuleSet {
    /// Completes what the namespace itself shows. Either may switch public access off.
    pub fn put_into(self, firewall: &mut Firewall) {
        if firewall.public == PublicAccess::ByRules {
            firewall.public = self.public;
        }
        firewall.rules = self.rules;
    }
}

fn version_of(kind: &str) -> Result<&'static str, Failure> {
    let known = services::of_type(kind).into_iter().flat_map(|service| &service.resources);
    let version = known.filter(|(own, _)| own.eq_ignore_ascii_case(kind)).map(|(_, version)| version.as_str()).next();
    version.ok_or_else(|| Failure::new(FailureClass::Bug, "UnknownType", format!("how to look at {kind} is not known")))
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    #[serde(default)]
    provisioning_state: Option<String>,
    /// Of namespaces.
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    public_network_access: Option<String>,
    #[serde(default)]
    network_acls: Option<Acls>,
    #[serde(default, deserialize_with = "nullable")]
    private_endpoint_connections: Vec<Connection>,
    #[serde(default)]
    allow_shared_key_access: Option<bool>,
    #[serde(default)]
    disable_local_auth: Option<bool>,
    /// Cosmos DB has its rules beside everything else.
    #[serde(default)]
    is_virtual_network_filter_enabled: Option<bool>,
    #[serde(default, deserialize_with = "nullable")]
    ip_rules: Vec<Value>,
    #[serde(default)]
    ip_range_filter: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    virtual_network_rules: Vec<NetworkRule>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Acls {
    #[serde(default)]
    public_network_access: Option<String>,
    #[serde(default)]
    default_action: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    ip_rules: Vec<Value>,
    #[serde(default, deserialize_with = "nullable")]
    ipv6_rules: Vec<Value>,
    #[serde(default, deserialize_with = "nullable")]
    virtual_network_rules: Vec<NetworkRule>,
    #[serde(default, deserialize_with = "nullable")]
    resource_access_rules: Vec<InstanceRule>,
}

#[derive(Deserialize)]
struct NetworkRule {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    subnet: Option<SubResource>,
}

#[derive(Deserialize)]
struct SubResource {
    #[serde(default)]
    id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InstanceRule {
    #[serde(default)]
    resource_id: Option<String>,
}

#[derive(Default, Deserialize)]
struct Connection {
    #[serde(default, deserialize_with = "nullable")]
    properties: ConnectionProperties,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConnectionProperties {
    #[serde(default)]
    private_endpoint: Option<SubResource>,
    #[serde(default, deserialize_with = "nullable")]
    private_link_service_connection_state: ConnectionState,
}

#[derive(Default, Deserialize)]
struct ConnectionState {
    #[serde(default)]
    status: Option<String>,
}

#[derive(Deserialize)]
struct Sku {
    #[serde(default)]
    sku: Option<SkuName>,
}

#[derive(Deserialize)]
struct SkuName {
    #[serde(default)]
    name: Option<String>,
}

fn is_word(text: Option<&str>, word: &str) -> bool {
    text.is_some_and(|text| text.eq_ignore_ascii_case(word))
}

fn public(text: Option<&str>) -> PublicAccess {
    match text {
        None => PublicAccess::ByRules,
        Some(word) if word.is_empty() || word.eq_ignore_ascii_case("Enabled") => PublicAccess::ByRules,
        Some(word) if word.eq_ignore_ascii_case("Disabled") => PublicAccess::Off,
        Some(_) => PublicAccess::Elsewhere,
    }
}

/// A resource and its firewall.
fn firewall(document: &Value) -> Result<(Scope, Firewall), Failure> {
    let Resource::<Properties> { id, properties, .. } = decode(document, "the resource")?;
    let id = Scope::lenient(&id);
    let Properties { provisioning_state, status, private_endpoint_connections, .. } = &properties;
    let out_of_service = match (provisioning_state.as_deref(), status.as_deref()) {
        (Some(word), _) if word.eq_ignore_ascii_case("Deleting") => Some(word.to_owned()),
        (_, Some(word)) if word.eq_ignore_ascii_case("Disabled") => Some(word.to_owned()),
        _ => None,
    };
    let is_approved = |connection: &&Connection| {
        is_word(connection.properties.private_link_service_connection_state.status.as_deref(), "Approved")
    };
    let endpoint = |connection: &Connection| {
        let named = connection.properties.private_endpoint.as_ref()?.id.as_deref()?;
        Some(Scope::lenient(named))
    };
    let firewall = Firewall {
        public: public(properties.public_network_access.as_deref()),
        private_endpoints: private_endpoint_connections.iter().filter(is_approved).map(endpoint).collect(),
        keys_off: properties.allow_shared_key_access == Some(false) || properties.disable_local_auth == Some(true),
        out_of_service,
        is_whole: false,
        rules: if id.is_type("Microsoft.DocumentDB/databaseAccounts") {
            of_cosmos(properties)
        } else if id.is_type("Microsoft.ServiceBus/namespaces") || id.is_type("Microsoft.EventHub/namespaces") {
            // The tier has no firewall (azure-docs `service-bus-ip-filtering.md`).
            let Sku { sku } = decode(document, "the namespace")?;
            let is_basic = sku.is_some_and(|sku| is_word(sku.name.as_deref(), "Basic"));
            if is_basic { Rules::Open } else { Rules::NotAsked }
        } else {
            properties.network_acls.map_or(Rules::Open, of_acls)
        },
    };
    Ok((id, firewall))
}

fn of_acls(acls: Acls) -> Rules {
    if !is_word(acls.default_action.as_deref(), "Deny") {
        return Rules::Open;
    }
    // An app is none of the resources that such a rule is for; whoever wrote one for it may know more.
    let is_for_apps = |rule: &InstanceRule| {
        rule.resource_id.as_ref().is_none_or(|id| id.to_ascii_lowercase().contains("/microsoft.web/"))
    };
    let others =
        !acls.ip_rules.is_empty() || !acls.ipv6_rules.is_empty() || acls.resource_access_rules.iter().any(is_for_apps);
    closed(acls.virtual_network_rules, others)
}

fn of_cosmos(properties: Properties) -> Rules {
    let addresses =
        !properties.ip_rules.is_empty() || properties.ip_range_filter.is_some_and(|ranges| !ranges.is_empty());
    match (properties.is_virtual_network_filter_enabled == Some(true), addresses) {
        (false, false) => Rules::Open,
        (false, true) => closed(Vec::new(), true),
        (true, addresses) => match closed(properties.virtual_network_rules, addresses) {
            // A filter without any rule: no page says whom it lets in.
            Rules::Closed { subnets, others: false } if subnets.is_empty() => Rules::Unknown,
            rules => rules,
        },
    }
}

fn rule_set(document: &Value) -> Result<RuleSet, Failure> {
    let Resource::<Acls> { properties, .. } = decode(document, "the network rule set")?;
    let public = public(properties.public_network_access.as_deref());
    // Without any rule everybody gets in, whatever the default action (azure-docs `service-bus-ip-filtering.md`,
    // `event-hubs-ip-filtering.md`).
    let rules = match of_acls(properties) {
        Rules::Closed { subnets, others: false } if subnets.is_empty() => Rules::Open,
        rules => rules,
    };
    Ok(RuleSet { public, rules })
}

fn closed(rules: Vec<NetworkRule>, mut others: bool) -> Rules {
    let mut subnets = BTreeSet::new();
    for NetworkRule { id, subnet } in rules {
        match id.or_else(|| subnet.and_then(|subnet| subnet.id)) {
            Some(id) => {
                subnets.insert(Scope::lenient(&id));
            }
            None => others = true,
        }
    }
    Rules::Closed { subnets, others }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SubnetProperties {
    #[serde(default, deserialize_with = "nullable")]
    service_endpoints: Vec<Endpoint>,
}

#[derive(Deserialize)]
struct Endpoint {
    #[serde(default)]
    service: Option<String>,
}

fn subnet(document: &Value) -> Result<Subnet, Failure> {
    let Resource::<SubnetProperties> { properties, .. } = decode(document, "the subnet")?;
    let endpoints = properties.service_endpoints.into_iter().filter_map(|endpoint| endpoint.service);
    Ok(Subnet { endpoints: endpoints.map(|service| service.to_ascii_lowercase()).collect() })
}

#[cfg(test)]
mod tests;
