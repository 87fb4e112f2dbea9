//! Targets: an app, a container app or a machine, and the identities on it.

use serde::Deserialize;
use serde_json::Value;

use super::{Resource, decode, nullable};
use crate::model::{
    Attachment, Failure, PlatformIdentity, PlatformUse, Scope, Site, SystemAssigned, TargetKind, Workload,
    network::Outbound,
};

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    #[serde(default)]
    key_vault_reference_identity: Option<String>,
    #[serde(default)]
    virtual_network_subnet_id: Option<String>,
    #[serde(default)]
    hosting_environment_profile: Option<Value>,
    #[serde(default)]
    managed_environment_id: Option<String>,
    /// Of apps: `Running` or `Stopped`.
    #[serde(default)]
    state: Option<String>,
    /// Of apps.
    #[serde(default)]
    enabled: Option<bool>,
    #[serde(default)]
    site_config: Option<Value>,
    /// Of container apps and machines.
    #[serde(default)]
    provisioning_state: Option<String>,
    /// Of container apps.
    #[serde(default, deserialize_with = "nullable")]
    configuration: Configuration,
    /// Of machines.
    #[serde(default)]
    storage_profile: Option<Value>,
}

#[derive(Default, Deserialize)]
struct Configuration {
    #[serde(default, deserialize_with = "nullable")]
    registries: Vec<Registry>,
    #[serde(default, deserialize_with = "nullable")]
    secrets: Vec<Secret>,
}

#[derive(Deserialize)]
struct Registry {
    #[serde(default, deserialize_with = "nullable")]
    server: String,
    /// Empty where a name and a password are used.
    #[serde(default, deserialize_with = "nullable")]
    identity: String,
}

/// A secret's name and where it is. Azure leaves its value out of this answer.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Secret {
    #[serde(default, deserialize_with = "nullable")]
    name: String,
    #[serde(default, deserialize_with = "nullable")]
    key_vault_url: String,
    #[serde(default, deserialize_with = "nullable")]
    identity: String,
}

#[derive(Deserialize)]
struct Kind {
    #[serde(default)]
    kind: Option<String>,
}

/// The target in a document.
pub(in crate::azure) fn site(document: &Value) -> Result<Site, Failure> {
    let Resource::<Properties> { id, identity, properties } = decode(document, "the app")?;
    let id = Scope::lenient(&id);
    let kind = TargetKind::of(&id);
    let block = identity.unwrap_or_default();
    let attached = block.user_assigned_identities.iter().map(|(id, value)| {
        let text = |member: &str| value.get(member).and_then(Value::as_str);
        let principal = text("principalId").and_then(|text| text.parse().ok());
        let client = text("clientId").and_then(|text| text.parse().ok());
        (Scope::lenient(id), Attachment { principal, client })
    });
    Ok(Site {
        workload: workload(kind, document, &properties)?,
        system: match block.principal_id.and_then(|text| text.parse().ok()) {
            Some(principal) => SystemAssigned::On(principal),
            // The type is what is enabled; the principal follows when Azure has made it. `Off` in its place would let
            // a write of the block drop the identity.
            None if block.kind.is_some_and(|kind| kind.to_ascii_lowercase().contains("systemassigned")) => {
                SystemAssigned::Unfilled
            }
            None => SystemAssigned::Off,
        },
        attached: attached.collect(),
        outbound: outbound(kind, &properties),
        stopped: stopped(kind, &properties),
        under_way: properties.provisioning_state.filter(|word| is_under_way(word)),
        platform: platform(&properties.configuration),
        // `SystemAssigned`, empty and null all mean the system-assigned one.
        reference_identity: properties
            .key_vault_reference_identity
            .filter(|id| id.starts_with('/'))
            .map(|id| Scope::lenient(&id)),
        id,
    })
}

/// A container app or a machine says elsewhere whether it runs.
fn stopped(kind: TargetKind, properties: &Properties) -> Option<String> {
    if kind != TargetKind::App {
        return None;
    }
    let state = properties.state.clone().filter(|word| word.eq_ignore_ascii_case("stopped"));
    state.or_else(|| (properties.enabled == Some(false)).then(|| "disabled".to_owned()))
}

fn workload(kind: TargetKind, document: &Value, properties: &Properties) -> Result<Workload, Failure> {
    Ok(match kind {
        TargetKind::App => {
            let Kind { kind } = decode(document, "the app")?;
            // What an answer without the member is of, nobody can say; the least that follows is asked of a Function App.
            let is_web = kind.is_some_and(|kind| !kind.to_ascii_lowercase().starts_with("functionapp"));
            if is_web { Workload::WebApp } else { Workload::FunctionApp }
        }
        TargetKind::ContainerApp => Workload::ContainerApp,
        TargetKind::Machine => {
            let disk = properties.storage_profile.as_ref().and_then(|profile| profile.pointer("/osDisk/osType"));
            Workload::Machine { windows: disk.and_then(Value::as_str) == Some("Windows") }
        }
    })
}

/// Whether a change of a resource goes on in that state.
fn is_under_way(state: &str) -> bool {
    !["Succeeded", "Failed", "Canceled"].iter().any(|word| word.eq_ignore_ascii_case(state))
}

/// By which identity the platform pulls images and reads secrets. What is reached otherwise has none.
fn platform(configuration: &Configuration) -> Vec<PlatformIdentity> {
    let identity = |text: &str| (!text.eq_ignore_ascii_case("system")).then(|| Scope::lenient(text));
    let registries = configuration.registries.iter().filter(|registry| !registry.identity.is_empty()).map(|registry| {
        let used_for = PlatformUse::Registry { server: registry.server.clone() };
        PlatformIdentity { used_for, identity: identity(&registry.identity) }
    });
    let secrets = configuration.secrets.iter().filter(|secret| !secret.identity.is_empty()).map(|secret| {
        let host = secret.key_vault_url.split('/').nth(2).unwrap_or_default().to_owned();
        let used_for = PlatformUse::Secret { name: secret.name.clone(), host };
        PlatformIdentity { used_for, identity: identity(&secret.identity) }
    });
    registries.chain(secrets).collect()
}

/// What the answer shows of the network that it calls from.
fn outbound(kind: TargetKind, properties: &Properties) -> Outbound {
    match kind {
        TargetKind::App => {}
        // An environment's subnet, and the interfaces of a machine, are not in this answer.
        TargetKind::ContainerApp | TargetKind::Machine => return Outbound::Elsewhere,
    }
    let is_there = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    let named = properties.site_config.as_ref().and_then(|config| config.get("vnetName")).and_then(Value::as_str);
    match &properties.virtual_network_subnet_id {
        Some(id) if !id.is_empty() => Outbound::Subnet(Scope::lenient(id)),
        _ if properties.hosting_environment_profile.is_some()
            || is_there(&properties.managed_environment_id)
            || named.is_some_and(|name| !name.is_empty()) =>
        {
            Outbound::Elsewhere
        }
        _ => Outbound::Shared,
    }
}
