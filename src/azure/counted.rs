//! Counts every try of every request, and how long Azure takes to begin its answer. Changes nothing.

use std::sync::Arc;

use async_trait::async_trait;
use azure_core::http::{
    Context, Request,
    headers::RETRY_AFTER,
    policies::{Policy, PolicyResult},
};

use super::envelope::header;
use crate::metrics::{Metrics, operation};

/// Comes last before the transport, so that neither the wait for a token nor a pause between tries is in the time.
#[derive(Debug)]
pub(super) struct Counting {
    pub(super) metrics: Metrics,
}

#[async_trait]
impl Policy for Counting {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let counted = self.metrics.arm_request(operation(request.method().as_str(), request.url().path()));
        let result = next[0].send(ctx, request, &next[1..]).await;
        if let Ok(response) = &result {
            let told_to_wait = header(response.headers(), &RETRY_AFTER).is_some();
            counted.answered(u16::from(response.status()), told_to_wait);
        }
        result
    }
}
