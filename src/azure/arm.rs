//! The one way to Resource Manager, and to the service that answers queries of logs: origin check, bounded time and size,
//! errors as [`Failure`].

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use azure_core::{
    credentials::TokenCredential,
    http::{
        ClientOptions, Context, Method, Pipeline, PipelineStreamOptions, Request, RetryOptions, Transport, Url,
        headers::HeaderName,
    },
};
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use serde_json::Value;

use super::{
    Limits,
    budget::Urgency,
    counted::Counting,
    envelope,
    policies::{Bearer, ReadRetry},
    told::Told,
    turns::{Counted, NotYet, Operation, Turn, Turns},
};
use crate::{
    catalog::clouds::Allowances,
    metrics::{Metrics, operation},
    model::{AWAITS_TURN, Failure, FailureClass},
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
    prefer: Option<String>,
    limits: Limits,
    metrics: Metrics,
    turns: Arc<Turns>,
    urgency: Urgency,
    /// Turns for the next writes.
    held: Option<Arc<Mutex<Vec<Turn>>>>,
}

/// A service that is spoken to, and as whom.
pub(super) struct Service {
    /// What it is called in messages.
    pub(super) name: &'static str,
    /// Where it answers.
    pub(super) endpoint: String,
    /// The scope of its tokens.
    pub(super) scope: String,
    /// Where they come from.
    pub(super) credential: Arc<dyn TokenCredential>,
    /// Another transport; none means HTTPS by reqwest.
    pub(super) transport: Option<Transport>,
    /// Times and sizes.
    pub(super) limits: Limits,
    /// What it lets one identity ask.
    pub(super) allowances: Allowances,
    /// Whether it is told when nobody waits any more.
    pub(super) is_told_to_stop: bool,
}

impl Arm {
    pub(super) fn new(service: Service, metrics: Metrics) -> Result<Self, Failure> {
        let Service { name, endpoint: text, scope, credential, transport, limits, allowances, is_told_to_stop } =
            service;
        let invalid = |problem: String| Failure::new(FailureClass::Rejected, "InvalidEndpoint", problem);
        let endpoint: Url =
            text.parse().map_err(|error| invalid(format!("`{text}` is not a URL for {name}: {error}")))?;
        // A token over plain HTTP may only go to this machine, where the simulator is.
        let is_local = matches!(endpoint.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        if !(endpoint.scheme() == "https" || endpoint.scheme() == "http" && is_local) {
            return Err(invalid(format!("`{text}` would send tokens without TLS: use https")));
        }
        // Retries are ours: the built-in policy repeats writes, and waits as long as any `Retry-After` says.
        let options = ClientOptions { transport, retry: RetryOptions::none(), ..ClientOptions::default() };
        let retry =
            ReadRetry { retries: limits.read_retries, longest_wait: limits.longest_wait, metrics: metrics.clone() };
        let bearer = Bearer { credential, scope };
        let counting = Counting { metrics: metrics.clone() };
        let pipeline = Pipeline::new(
            option_env!("CARGO_PKG_NAME"),
            option_env!("CARGO_PKG_VERSION"),
            options,
            vec![Arc::new(retry)],
            vec![Arc::new(bearer), Arc::new(counting)],
            None,
        );
        let turns = Arc::new(Turns::new(allowances, limits.longest_wait));
        // A preference of RFC 7240, in seconds.
        let prefer = is_told_to_stop.then(|| format!("wait={}", limits.write_timeout.as_secs()));
        Ok(Self { pipeline, endpoint, prefer, limits, metrics, turns, urgency: Urgency::Looking, held: None })
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(super) fn confirming(&self) -> Self {
        Self { urgency: Urgency::Confirming, ..self.clone() }
    }

    pub(super) fn holding(&self, turns: Vec<Turn>) -> Self {
        Self { held: Some(Arc::new(Mutex::new(turns))), ..self.clone() }
    }

    /// A turn for a write at that path.
    pub(super) async fn write_turn(&self, operation: Operation, path: &str) -> Result<Turn, Failure> {
        let turn = self.turns.next(&Counted::at(operation, path), Urgency::Confirming).await;
        turn.map_err(|not_yet| out_of_turn(&format!("a write of {path}"), not_yet))
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
        let counted = Counted::of(method, &url);
        let mut turn = self.turn(&counted, &what).await?;
        let mut tried = 0;
        loop {
            let result = self.send_in_time(method, url.clone(), body.clone(), &what, &mut turn).await;
            tried += 1;
            if !turn.was_refused() || method != Method::Get || tried > self.limits.read_retries {
                return result;
            }
            let Err(refusal) = result else { return result };
            // Without a time, or with a long one, it is the next pass that tries again.
            if refusal.retry_after.is_none_or(|told| told > self.limits.longest_wait) {
                return Err(refusal);
            }
            turn = match self.turns.next(&counted, self.urgency).await {
                Ok(turn) => turn,
                Err(_) => return Err(refusal),
            };
            self.metrics.arm_retried(operation(method.as_str(), url.path()));
        }
    }

    /// The turn that is held for this write, or the next one.
    async fn turn(&self, counted: &Counted, what: &str) -> Result<Turn, Failure> {
        let held = self.held.as_ref().and_then(|held| {
            let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
            let own = held.iter().position(|turn| turn.is_for(counted))?;
            Some(held.remove(own))
        });
        let Some(turn) = held else {
            let next = self.turns.next(counted, self.urgency).await;
            return next.map_err(|not_yet| out_of_turn(what, not_yet));
        };
        match turn.void() {
            None => Ok(turn),
            Some(not_yet) => Err(out_of_turn(what, not_yet)),
        }
    }

    /// Time spent in waiting for the turn is none of the request's.
    async fn send_in_time(
        &self,
        method: Method,
        url: Url,
        body: Option<Bytes>,
        what: &str,
        turn: &mut Turn,
    ) -> Result<Answer, Failure> {
        let limit = if method == Method::Get { self.limits.total_timeout } else { self.limits.write_timeout };
        match tokio::time::timeout(limit, self.send(method, url, body, what, turn)).await {
            Ok(result) => result,
            Err(_) => {
                let text = format!("{what} was not answered within {} s", limit.as_secs());
                Err(Failure::new(FailureClass::Transient, "Timeout", text))
            }
        }
    }

    async fn send(
        &self,
        method: Method,
        url: Url,
        body: Option<Bytes>,
        what: &str,
        turn: &mut Turn,
    ) -> Result<Answer, Failure> {
        let mut request = Request::new(url, method);
        request.insert_header("accept", "application/json");
        if let Some(prefer) = &self.prefer {
            request.insert_header("prefer", prefer.clone());
        }
        if let Some(body) = body {
            request.insert_header("content-type", "application/json");
            request.set_body(body);
        }
        turn.use_up();
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
        let header = |name: &'static str| envelope::header(&headers, &HeaderName::from_static(name)).map(str::to_owned);
        tracing::debug!(operation = what, status, "azure answered");
        if (200..300).contains(&status) {
            turn.answered(&Told::of(turn.operation(), status, &headers, None));
            Ok(Answer { status, body: body.freeze() })
        } else {
            let facts = envelope::ErrorFacts {
                status,
                retry_after: header("retry-after"),
                correlation_id: header("x-ms-correlation-request-id").or_else(|| header("x-ms-request-id")),
            };
            let failure = envelope::failure_of(what, &facts, &body);
            turn.answered(&Told::of(turn.operation(), status, &headers, Some(&failure)));
            // A 404 is an answer like any other, and looked for on purpose.
            if !failure.is_not_found() {
                let correlation_id = failure.correlation_id.as_deref().unwrap_or_default();
                tracing::info!(code = failure.code, correlation_id, "azure refused: {}", failure.text);
            }
            Err(failure)
        }
    }
}

/// The failure of a request that was not sent. Azure would refuse it, or others would have nothing left.
fn out_of_turn(what: &str, not_yet: NotYet) -> Failure {
    let NotYet { wait, refused } = not_yet;
    let why = if refused {
        "Azure has refused a request like it and asked us to wait"
    } else {
        "we have asked as much of Azure as it allows for now"
    };
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    Failure {
        retry_after: Some(Duration::from_secs(seconds.max(1))),
        ..Failure::new(FailureClass::Throttled, AWAITS_TURN, format!("{what} was not sent yet: {why}"))
    }
}
