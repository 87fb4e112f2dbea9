//! A transport that answers every request with what was recorded, whatever is asked.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use azure_core::http::{AsyncRawResponse, HttpClient, Method, Request, Transport, headers::Headers};
use rolecall::{
    azure::{Azure, AzureConfig, Limits, StaticToken},
    catalog::clouds::CLOUDS,
};
use serde_json::Value;

use super::Recording;

/// What the client presents.
pub(super) const TOKEN: &str = "replayed-token-2d1f";

/// Answers in turn; the last one for ever.
#[derive(Debug)]
pub(super) struct Replay {
    answers: Mutex<VecDeque<Recording>>,
    sent: Mutex<Vec<(Method, String)>>,
}

impl Replay {
    /// A client and the transport that it talks to.
    pub(super) fn of<'a>(answers: impl IntoIterator<Item = &'a Recording>) -> (Azure, Arc<Self>) {
        let replay =
            Arc::new(Self { answers: Mutex::new(answers.into_iter().cloned().collect()), sent: Mutex::default() });
        let config = AzureConfig {
            cloud: CLOUDS[0],
            arm_endpoint: None,
            logs_endpoint: None,
            credential: Arc::new(StaticToken::new(TOKEN)),
            transport: Some(Transport::new(replay.clone())),
            limits: Limits { max_pages: 20, ..Limits::default() },
        };
        (Azure::new(config).expect("the endpoint of the cloud is a URL"), replay)
    }

    /// A client of one recording.
    pub(super) fn client(recording: &Recording) -> Azure {
        Self::of([recording]).0
    }

    /// Method and URL of each request so far.
    pub(super) fn sent(&self) -> Vec<(Method, String)> {
        self.sent.lock().expect("no test panics while it holds this lock").clone()
    }
}

#[async_trait]
impl HttpClient for Replay {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        self.sent
            .lock()
            .expect("no test panics while it holds this lock")
            .push((request.method(), request.url().to_string()));
        let mut answers = self.answers.lock().expect("no test panics while it holds this lock");
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        let Recording { status, headers: recorded, body, .. } = answer.expect("there is something to replay");
        let mut headers = Headers::new();
        for (name, value) in recorded {
            headers.insert(name, value);
        }
        let body = if body == Value::String(String::new()) { Vec::new() } else { body.to_string().into_bytes() };
        Ok(AsyncRawResponse::from_bytes(status.into(), headers, body))
    }
}
