//! What every request goes through: retries of reads, and the token.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use azure_core::{
    credentials::TokenCredential,
    error::ErrorKind,
    http::{
        Context, Method, Request,
        headers::{AUTHORIZATION, RETRY_AFTER},
        policies::{Policy, PolicyResult},
    },
};

use super::envelope::header;
use crate::metrics::{Metrics, operation};

/// Sends reads again after a passing fault. Writes are never repeated here: whether a write took effect is found out
/// by reading, in the next pass.
#[derive(Debug)]
pub(super) struct ReadRetry {
    pub(super) retries: u32,
    pub(super) longest_wait: Duration,
    pub(super) metrics: Metrics,
}

#[async_trait]
impl Policy for ReadRetry {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let mut tried = 0;
        loop {
            let result = next[0].send(ctx, request, &next[1..]).await;
            tried += 1;
            if request.method() != Method::Get || tried > self.retries {
                return result;
            }
            let pause = Duration::from_millis(200 * u64::from(tried) * u64::from(tried));
            let wait = match &result {
                Ok(response) => {
                    let told = header(response.headers(), &RETRY_AFTER);
                    match (u16::from(response.status()), told.and_then(|text| text.trim().parse().ok())) {
                        // A 429 is not for this policy: everybody's next request depends on it (`turns`).
                        (503, Some(seconds)) => Duration::from_secs(seconds),
                        (500 | 502 | 503 | 504, _) => pause,
                        _ => return result,
                    }
                }
                Err(error) if matches!(error.kind(), ErrorKind::Io | ErrorKind::Connection) => pause,
                Err(_) => return result,
            };
            if wait > self.longest_wait {
                return result;
            }
            tracing::debug!(path = request.url().path(), tried, "trying a read again");
            self.metrics.arm_retried(operation(request.method().as_str(), request.url().path()));
            tokio::time::sleep(wait).await;
        }
    }
}

/// Adds the token. Ours, because the one of `azure_core` refuses plain HTTP, which the simulator on this machine speaks;
/// `Arm::new` has checked the endpoint and `Arm::execute` the origin.
pub(super) struct Bearer {
    pub(super) credential: Arc<dyn TokenCredential>,
    pub(super) scope: String,
}

impl std::fmt::Debug for Bearer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bearer").field("scope", &self.scope).finish_non_exhaustive()
    }
}

#[async_trait]
impl Policy for Bearer {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let token = self.credential.get_token(&[&self.scope], None).await.map_err(|error| {
            // Whatever the credential calls it, no request was sent.
            azure_core::Error::with_error(ErrorKind::Credential, error, "no token")
        })?;
        request.insert_header(AUTHORIZATION, format!("Bearer {}", token.token.secret()));
        next[0].send(ctx, request, &next[1..]).await
    }
}
