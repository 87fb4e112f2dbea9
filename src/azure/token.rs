//! Who we are, by our own token. The token itself goes nowhere from here.
//!
//! Access tokens are opaque by contract, and no endpoint of Resource Manager tells a caller its object id; Microsoft's own
//! command line reads the same claim. What cannot be read means that nothing is provably ours, and so nothing is deleted.

use std::sync::Arc;

use azure_core::{base64, credentials::TokenCredential};
use serde::Deserialize;

use super::envelope;
use crate::model::{Failure, PrincipalId};

/// The caller behind a credential.
#[derive(Clone)]
pub(super) struct Caller {
    credential: Arc<dyn TokenCredential>,
    scope: String,
}

impl Caller {
    pub(super) fn new(credential: Arc<dyn TokenCredential>, scope: &str) -> Self {
        Self { credential, scope: scope.to_owned() }
    }

    pub(super) async fn principal(&self) -> Result<Option<PrincipalId>, Failure> {
        let token = self.credential.get_token(&[&self.scope], None).await.map_err(|error| {
            let error = azure_core::Error::with_error(azure_core::error::ErrorKind::Credential, error, "no token");
            envelope::failure_of_transport("the token", &error)
        })?;
        Ok(object_id(token.token.secret()))
    }
}

#[derive(Deserialize)]
struct Claims {
    oid: String,
}

/// The claim `oid` of a JSON Web Token; none of anything else.
fn object_id(token: &str) -> Option<PrincipalId> {
    let payload = token.split('.').nth(1)?.trim_end_matches('=');
    let claims: Claims = serde_json::from_slice(&base64::decode_url_safe(payload).ok()?).ok()?;
    claims.oid.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_object_id_is_read_from_a_token_and_from_nothing_else() {
        // {"alg":"none"} . {"oid":"c0ffee00-5eed-4a11-8b0d-0123456789ab","tid":"x"} .
        let token = "eyJhbGciOiJub25lIn0.\
                     eyJvaWQiOiJjMGZmZWUwMC01ZWVkLTRhMTEtOGIwZC0wMTIzNDU2Nzg5YWIiLCJ0aWQiOiJ4In0.";
        assert_eq!(object_id(token), "c0ffee00-5eed-4a11-8b0d-0123456789ab".parse().ok());
        for other in ["any", "", "a.b.c", "..", "eyJhbGciOiJub25lIn0.eyJhIjoxfQ."] {
            assert_eq!(object_id(other), None, "{other}");
        }
    }
}
