//! Targets: an app, a container app or a machine, and the identities on it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Resource, decode, nullable};
use crate::model::{
    ActsAs, Attachment, ClientId, Failure, PlatformIdentity, PlatformUse, Scope, Site, SystemAssigned, TargetKind,
    Workload, network::Outbound,
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
    let attached: BTreeMap<_, _> = attached.collect();
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
        outbound: outbound(kind, &properties),
        stopped: stopped(kind, &properties),
        platform: platform(&properties, &attached),
        attached,
        under_way: properties.provisioning_state.filter(|word| is_under_way(word)),
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

/// As whom the platform pulls images and reads secrets. A secret that is written down is read by nobody.
fn platform(properties: &Properties, attached: &BTreeMap<Scope, Attachment>) -> Vec<PlatformIdentity> {
    // Another word than these is somebody else's identity, such as that of the environment.
    let by = |text: &str| match text {
        "" => Some(ActsAs::Password),
        id if id.starts_with('/') => Some(ActsAs::User(Scope::lenient(id))),
        word => word.eq_ignore_ascii_case("system").then_some(ActsAs::System),
    };
    let configuration = &properties.configuration;
    let registries = configuration.registries.iter().filter_map(|registry| {
        let used_for = PlatformUse::Registry { server: registry.server.clone() };
        Some(PlatformIdentity { used_for, by: by(&registry.identity)? })
    });
    let secrets = configuration.secrets.iter().filter(|secret| !secret.identity.is_empty()).filter_map(|secret| {
        let host = secret.key_vault_url.split('/').nth(2).unwrap_or_default().to_owned();
        let used_for = PlatformUse::Secret { name: secret.name.clone(), host };
        Some(PlatformIdentity { used_for, by: by(&secret.identity)? })
    });
    let app = properties.site_config.as_ref().and_then(|config| registry(config, attached));
    registries.chain(secrets).chain(app).collect()
}

/// As whom App Service pulls the image of an app, by its configuration; none when it runs no image of a registry by name.
///
/// `acrUserManagedIdentityID` is a client id, and empty for the system-assigned identity (Azure/azure-cli issue 14631);
/// whoever writes a resource id is understood.
pub(in crate::azure) fn registry(
    configuration: &Value,
    attached: &BTreeMap<Scope, Attachment>,
) -> Option<PlatformIdentity> {
    let text = |member: &str| configuration[member].as_str().unwrap_or_default();
    let mut images = [text("linuxFxVersion"), text("windowsFxVersion")].into_iter().filter_map(|version| {
        let (kind, image) = version.split_once('|')?;
        kind.eq_ignore_ascii_case("docker").then_some(image)
    });
    // Without a server, or with an account of Docker Hub in its place.
    let (server, _) =
        images.find_map(|image| image.split_once('/')).filter(|(server, _)| server.contains(['.', ':']))?;
    let by = match (configuration["acrUseManagedIdentityCreds"].as_bool(), text("acrUserManagedIdentityID")) {
        (Some(true), "") => ActsAs::System,
        (Some(true), id) if id.starts_with('/') => ActsAs::User(Scope::lenient(id)),
        (Some(true), text) => {
            let client = text.parse::<ClientId>().ok();
            let owner = attached.iter().find(|(_, identity)| client.is_some() && identity.client == client);
            let all_known = attached.values().all(|identity| identity.client.is_some());
            match owner {
                Some((id, _)) => ActsAs::User(id.clone()),
                None if client.is_none() || all_known => ActsAs::Unattached(text.to_owned()),
                None => ActsAs::Unclear,
            }
        }
        (Some(false) | None, _) => ActsAs::Password,
    };
    let used_for = PlatformUse::Registry { server: server.to_owned() };
    Some(PlatformIdentity { used_for, by })
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "/subscriptions/11111111-aaaa-4bbb-8ccc-000000000001/resourceGroups/rg/providers/\
                      Microsoft.ManagedIdentity/userAssignedIdentities/mi";
    const CLIENT: &str = "c11e0000-0003-4000-8000-000000000003";
    const STRANGER: &str = "c11e0000-0003-4000-8000-00000000ffff";

    #[test]
    fn as_whom_an_image_is_pulled() {
        let user = || ActsAs::User(Scope::lenient(ID));
        let attached = Attachment { principal: None, client: CLIENT.parse().ok() };
        let attached = BTreeMap::from([(Scope::lenient(ID), attached)]);
        let pulled = |linux: Value, windows: Value, uses: Value, id: Value| {
            let configuration = json!({
                "linuxFxVersion": linux, "windowsFxVersion": windows,
                "acrUseManagedIdentityCreds": uses, "acrUserManagedIdentityID": id,
            });
            registry(&configuration, &attached).map(|pulled| match pulled.used_for {
                PlatformUse::Registry { server } => (server, pulled.by),
                other => panic!("{other:?}"),
            })
        };
        let image = || json!("DOCKER|acr.azurecr.io/orders/worker:7");
        for (uses, id, by) in [
            (json!(true), json!(null), ActsAs::System),
            (json!(true), json!(""), ActsAs::System),
            (json!(true), json!(CLIENT.to_uppercase()), user()),
            (json!(true), json!(ID.to_uppercase()), user()),
            (json!(true), json!(STRANGER), ActsAs::Unattached(STRANGER.to_owned())),
            (json!(true), json!("mi"), ActsAs::Unattached("mi".to_owned())),
            (json!(false), json!(CLIENT), ActsAs::Password),
            (json!(null), json!(null), ActsAs::Password),
        ] {
            let expected = Some(("acr.azurecr.io".to_owned(), by));
            assert_eq!(pulled(image(), json!(""), uses.clone(), id.clone()), expected, "{uses} {id}");
            assert_eq!(pulled(json!(null), image(), uses, id), expected, "on Windows");
        }
        for other in ["", "PYTHON|3.11", "sitecontainers", "COMPOSE|dmVyc2lvbg==", "DOCKER|nginx", "DOCKER|acr/worker"]
        {
            assert_eq!(pulled(json!(other), json!(null), json!(true), json!(null)), None, "{other}");
        }
        let unfilled = BTreeMap::from([(Scope::lenient(ID), Attachment { principal: None, client: None })]);
        let configuration = json!({
            "linuxFxVersion": image(), "acrUseManagedIdentityCreds": true, "acrUserManagedIdentityID": STRANGER,
        });
        assert_eq!(registry(&configuration, &unfilled).map(|pulled| pulled.by), Some(ActsAs::Unclear));
    }

    #[test]
    fn as_whom_a_container_app_pulls() {
        let configuration =
            |identity: Value| json!({ "registries": [{ "server": "acr.azurecr.io", "identity": identity }] });
        let pulled = |identity: Value| {
            let properties = json!({ "configuration": configuration(identity) });
            let properties: Properties = serde_json::from_value(properties).expect("properties");
            platform(&properties, &BTreeMap::new()).into_iter().map(|one| one.by).collect::<Vec<_>>()
        };
        assert_eq!(pulled(json!("system")), [ActsAs::System]);
        assert_eq!(pulled(json!(ID)), [ActsAs::User(Scope::lenient(ID))]);
        for none in [json!(""), json!(null)] {
            assert_eq!(pulled(none), [ActsAs::Password]);
        }
        assert!(pulled(json!("system-environment")).is_empty(), "an identity of the environment");
    }
}
