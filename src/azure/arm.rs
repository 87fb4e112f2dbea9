//! The one way to Resource Manager: origin check, bounded time and size, errors as [`Failure`].

use std::sync::Arc;

use azure_core::http::{
    ClientOptions, Context, Method, Pipeline, PipelineStreamOptions, Request, RetryOptions, Url, headers::HeaderName,
};
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use serde_json::Value;

use super::{
    AzureConfig, Limits,
    counted::Counted,
    envelope,
    policies::{Bearer, ReadRetry},
};
use crate::{
    metrics::Metrics,
    model::{Failure, FailureClass},
};

/// A successful answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// 200, 201, 202 or 204.
    pub status: u16,
    /// The body; empty for 204.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON.
    pub(super) fn json(&self, what: &str) -> Result<Value, Failure> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let text = format!("the answer to {what} is not JSON: {error}");
            Failure::new(FailureClass::Bug, "UndecodableAnswer", text)
        })
    }
}

/// The pipeline and the endpoint it may talk to.
#[derive(Clone, Debug)]
pub(super) struct Arm {
    pipeline: Pipeline,
    endpoint: Url,
    limits: Limits,
    metrics: Metrics,
}

impl Arm {
    pub(super) fn new(config: AzureConfig, metrics: Metrics) -> Result<Self, Failure> {
        let AzureConfig { cloud, arm_endpoint, credential, transport, limits } = config;
        let text = arm_endpoint.as_deref().unwrap_or(cloud.arm_endpoint);
        let invalid = |problem: String| Failure::new(FailureClass::Rejected, "InvalidEndpoint", problem);
        let endpoint: Url =
            text.parse().map_err(|error| invalid(format!("`{text}` is not a URL for Resource Manager: {error}")))?;
        // A token over plain HTTP may only go to this machine, where the simulator is.
        let is_local = matches!(endpoint.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        if !(endpoint.scheme() == "https" || endpoint.scheme() == "http" && is_local) {
            return Err(invalid(format!("`{text}` would send tokens without TLS: use https")));
        }
        // Retries are ours: the built-in policy repeats writes, and waits as long as any `Retry-After` says.
        let options = ClientOptions { transport, retry: RetryOptions::none(), ..ClientOptions::default() };
        let retry =
            ReadRetry { retries: limits.read_retries, longest_wait: limits.longest_wait, metrics: metrics.clone() };
        let bearer = Bearer { credential, scope: cloud.arm_scope.to_owned() };
        let counted = Counted { metrics: metrics.clone() };
        let pipeline = Pipeline::new(
            option_env!("CARGO_PKG_NAME"),
            option_env!("CARGO_PKG_VERSION"),
            options,
            vec![Arc::new(retry)],
            vec![Arc::new(bearer), Arc::new(counted)],
            None,
        );
        Ok(Self { pipeline, endpoint, limits, metrics })
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(super) fn endpoint(&self) -> &Url {
        &self.endpoint
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The URL of a path below the endpoint.
    pub(super) fn url(&self, path: &str, api_version: &str) -> Url {
        let mut url = self.endpoint.clone();
        url.set_path(path);
        url.query_pairs_mut().append_pair("api-version", api_version);
        url
    }

    pub(super) async fn get(&self, path: &str, api_version: &str) -> Result<Answer, Failure> {
        self.execute(Method::Get, self.url(path, api_version), None).await
    }

    /// Sends one request. `Err` for every status that is not a success.
    pub(super) async fn execute(&self, method: Method, url: Url, body: Option<Bytes>) -> Result<Answer, Failure> {
        let what = format!("{} {}", method.as_str(), url.path());
        if url.origin() != self.endpoint.origin() {
            let host = url.host_str().unwrap_or_default();
            let text = format!("refused to follow a link to `{host}`, which is not {}", self.endpoint);
            return Err(Failure::new(FailureClass::Bug, "ForeignLink", text));
        }
        let limit = self.limits.total_timeout;
        match tokio::time::timeout(limit, self.send(method, url, body, &what)).await {
            Ok(result) => result,
            Err(_) => {
                let text = format!("{what} was not answered within {} s", limit.as_secs());
                Err(Failure::new(FailureClass::Transient, "Timeout", text))
            }
        }
    }

    async fn send(&self, method: Method, url: Url, body: Option<Bytes>, what: &str) -> Result<Answer, Failure> {
        let mut request = Request::new(url, method);
        request.insert_header("accept", "application/json");
        if let Some(body) = body {
            request.insert_header("content-type", "application/json");
            request.set_body(body);
        }
        let options = PipelineStreamOptions { skip_checks: true, ..PipelineStreamOptions::default() };
        let response = self
            .pipeline
            .stream(&Context::new(), &mut request, Some(options))
            .await
            .map_err(|error| envelope::failure_of_transport(what, &error))?;
        let (status, headers, mut stream) = response.deconstruct();
        let mut body = BytesMut::new();
        while let Some(chunk) = stream.try_next().await.map_err(|error| envelope::failure_of_transport(what, &error))? {
            if body.len() + chunk.len() > self.limits.max_body {
                let text = format!("the answer to {what} is longer than {} bytes", self.limits.max_body);
                return Err(Failure::new(FailureClass::Bug, "AnswerTooLong", text));
            }
            body.extend_from_slice(&chunk);
        }
        let status = u16::from(status);
        let header = |name: &'static str| headers.get_optional_str(&HeaderName::from_static(name)).map(str::to_owned);
        tracing::debug!(operation = what, status, "azure answered");
        if (200..300).contains(&status) {
            Ok(Answer { status, body: body.freeze() })
        } else {
            let facts = envelope::ErrorFacts {
                status,
                retry_after: header("retry-after"),
                correlation_id: header("x-ms-correlation-request-id").or_else(|| header("x-ms-request-id")),
            };
            let failure = envelope::failure_of(what, &facts, &body);
            // A 404 is an answer like any other, and looked for on purpose.
            if !failure.is_not_found() {
                let correlation_id = failure.correlation_id.as_deref().unwrap_or_default();
                tracing::info!(code = failure.code, correlation_id, "azure refused: {}", failure.text);
            }
            Err(failure)
        }
    }
}
