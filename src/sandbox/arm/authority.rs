//! Enough of Microsoft Entra ID and of cloud discovery for real clients to log in against the simulator: they ask where
//! tokens are given, and get one for whatever they present. On the server only; the in-process transport has no use
//! for it, and nothing of this is in the world or in its journal.
//!
//! Shapes: `azure/az-cli.md`, where the Azure CLI was tried against them.

use azure_core::http::Url;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::world::Caller;

/// 2100-01-01: who kept a token must not find it expired.
const FAR: i64 = 4_102_444_800;
const ARM_AUDIENCE: &str = "https://management.azure.com/";
/// Data planes are not simulated; RFC 2606 keeps names below this from existing, so that nobody is sent to the real ones.
const NOWHERE: &str = "sandbox.invalid";

/// A token of the world's caller: readable like one of Entra's, and signed by nobody.
pub(super) fn token(caller: &Caller, audience: &str, client: Option<&str>, now: Timestamp) -> String {
    let Caller { object_id, tenant_id } = caller;
    let mut claims = json!({
        "aud": audience, "iss": format!("https://sts.windows.net/{tenant_id}/"), "oid": object_id, "sub": object_id,
        "tid": tenant_id, "idtyp": "app", "ver": "1.0", "iat": now.as_second(), "nbf": now.as_second(), "exp": FAR,
    });
    if let Some(client) = client {
        claims["appid"] = client.into();
    }
    let encoded = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    format!("{}.{}.", encoded(&json!({"alg": "none", "typ": "JWT"})), encoded(&claims))
}

/// A token for Resource Manager.
pub(super) fn arm_token(caller: &Caller, now: Timestamp) -> String {
    token(caller, ARM_AUDIENCE, None, now)
}

/// The answer to a request that is not for Resource Manager; none when it is. `origin`: scheme and host as the client
/// knows them.
pub(super) fn answer(
    request: &http::Request<Bytes>,
    origin: &str,
    caller: &Caller,
    now: Timestamp,
) -> Option<http::Response<Bytes>> {
    let path = request.uri().path();
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let (status, body) = match (request.method().as_str(), segments.as_slice()) {
        ("GET", ["metadata", "endpoints"]) => (200, endpoints(origin, caller)),
        ("GET", ["common", "discovery", "instance"]) => (200, instance(origin, caller)),
        ("GET", [tenant, "v2.0", ".well-known", "openid-configuration"]) => match wrong_tenant(tenant, caller) {
            Some(refusal) => (400, refusal),
            None => (200, configuration(origin, caller)),
        },
        ("POST", [tenant, "oauth2", "v2.0", "token"]) => match wrong_tenant(tenant, caller) {
            Some(refusal) => (400, refusal),
            None => grant(request.body(), caller, now),
        },
        _ => return None,
    };
    let response = http::Response::builder().status(status).header("content-type", "application/json");
    Some(response.body(body.to_string().into()).expect("status and header are valid HTTP"))
}

/// Whatever is presented, a secret, an assertion or an older token, the caller of the world is who presents it.
fn grant(body: &Bytes, caller: &Caller, now: Timestamp) -> (u16, Value) {
    let form = String::from_utf8_lossy(body);
    let form = Url::parse(&format!("http://localhost/?{form}"));
    let value = |name: &str| {
        let form = form.as_ref().ok()?;
        form.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    };
    if value("grant_type").is_none_or(|grant| grant.is_empty()) {
        let text = "AADSTS900144: The request body must contain the following parameter: 'grant_type'.";
        return (400, refusal("invalid_request", text, 900_144));
    }
    let scope = value("scope").unwrap_or_default();
    let audience = scope.split(' ').find_map(|scope| scope.strip_suffix("/.default")).unwrap_or(ARM_AUDIENCE);
    let token = token(caller, audience, value("client_id").as_deref(), now);
    (200, json!({ "token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": token }))
}

fn wrong_tenant(tenant: &str, caller: &Caller) -> Option<Value> {
    let known = [caller.tenant_id.as_str(), "common", "organizations"];
    (!known.iter().any(|known| known.eq_ignore_ascii_case(tenant))).then(|| {
        let text =
            format!("AADSTS90002: Tenant '{tenant}' not found. The tenant of this sandbox is '{}'.", caller.tenant_id);
        refusal("invalid_request", &text, 90_002)
    })
}

fn refusal(error: &str, text: &str, code: u32) -> Value {
    json!({ "error": error, "error_description": text, "error_codes": [code] })
}

fn configuration(origin: &str, caller: &Caller) -> Value {
    let tenant = format!("{origin}/{}", caller.tenant_id);
    json!({
        "issuer": format!("{tenant}/v2.0"),
        "authorization_endpoint": format!("{tenant}/oauth2/v2.0/authorize"),
        "token_endpoint": format!("{tenant}/oauth2/v2.0/token"),
        "device_authorization_endpoint": format!("{tenant}/oauth2/v2.0/devicecode"),
        "jwks_uri": format!("{tenant}/discovery/v2.0/keys"),
        "response_types_supported": ["code", "id_token", "token"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
    })
}

fn instance(origin: &str, caller: &Caller) -> Value {
    let host = origin.rsplit('/').next().unwrap_or_default();
    json!({
        "tenant_discovery_endpoint": format!("{origin}/{}/v2.0/.well-known/openid-configuration", caller.tenant_id),
        "api-version": "1.1",
        "metadata": [{ "preferred_network": host, "preferred_cache": host, "aliases": [host] }],
    })
}

fn endpoints(origin: &str, caller: &Caller) -> Value {
    let suffix = |kind: &str| format!("{kind}.{NOWHERE}");
    json!({
        "name": "sandbox",
        "resourceManager": origin,
        "authentication": {
            "loginEndpoint": origin, "audiences": [ARM_AUDIENCE, origin], "tenant": caller.tenant_id,
            "identityProvider": "AAD",
        },
        "portal": origin, "graph": origin, "graphAudience": origin, "microsoftGraphResourceId": origin,
        "media": origin, "batch": origin, "gallery": origin, "sqlManagement": origin,
        "activeDirectoryDataLake": origin, "logAnalyticsResourceId": origin, "appInsightsResourceId": origin,
        "suffixes": {
            "storage": suffix("storage"), "keyVaultDns": suffix("vault"), "acrLoginServer": suffix("registry"),
            "sqlServerHostname": suffix("sql"),
        },
    })
}
