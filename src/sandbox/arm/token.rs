//! A token as the service would hand it out: readable, and signed by nobody. The simulator believes any.

use serde_json::{Value, json};

use super::World;

/// Year 2100: no test and no tour outlives it.
const EXPIRES: i64 = 4_102_444_800;

impl World {
    /// A token of the world's caller.
    #[must_use]
    pub fn token(&self) -> String {
        let header = json!({ "alg": "none", "typ": "JWT" });
        let claims = json!({
            "aud": "https://management.azure.com/", "exp": EXPIRES,
            "oid": self.caller.object_id, "tid": self.caller.tenant_id,
        });
        let part = |value: &Value| azure_core::base64::encode_url_safe(value.to_string());
        let unpadded = |value: &Value| part(value).trim_end_matches('=').to_owned();
        format!("{}.{}.", unpadded(&header), unpadded(&claims))
    }
}
