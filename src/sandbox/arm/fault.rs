//! Faults on demand: which request they hit, how often, and what is answered instead.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::ArmBody;
use super::call::Call;
use super::reply::{Answer, Cause};

const WORDS: &str = "hang, reset, answer-lost, html, half-json, endless, empty-list, empty-page, foreign-next-link, \
                     fail-second-page, app-locked";

/// Something that goes wrong. Of several that match a request the first one that is due is used.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// The method it hits; absent, every method.
    #[serde(default)]
    pub method: Option<String>,
    /// A part of the path it hits, ignoring case; absent, every path.
    #[serde(default)]
    pub path: String,
    /// How many matching requests are served well before.
    #[serde(default)]
    pub after: u32,
    /// How many matching requests it hits.
    #[serde(default = "once")]
    pub times: u32,
    /// What is answered.
    pub answer: FaultAnswer,
}

/// What is answered in place of the truth.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Value")]
pub enum FaultAnswer {
    /// Nothing happens, and nothing is answered for a day.
    Hang,
    /// Nothing happens, and the connection is closed.
    Reset,
    /// The request takes effect, and the connection is closed.
    AnswerLost,
    /// A page for people, with status 200.
    Html,
    /// The request takes effect; the answer breaks off in the middle.
    HalfJson,
    /// A list that does not end.
    Endless,
    /// A list without items, with status 200.
    EmptyList,
    /// A page without items and a `nextLink` to the first page.
    EmptyPage,
    /// The true page, with a `nextLink` to another host.
    ForeignNextLink,
    /// The first page holds half of the items; the second answers 500. Only the failures count for `times`.
    FailSecondPage,
    /// Another write of the app is under way: App Service's 429, which means a lock and not a limit.
    AppLocked,
    /// An error of choice.
    Status(StatusAnswer),
}

/// An error of choice, or any other answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StatusAnswer {
    /// The HTTP status.
    pub status: u16,
    /// `error.code`.
    #[serde(default)]
    pub code: String,
    /// `error.message`.
    #[serde(default)]
    pub message: String,
    /// More headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The whole body, in place of code and message.
    #[serde(default)]
    pub body: Option<Value>,
}

/// A fault and how many requests it has met.
#[derive(Debug)]
pub(super) struct ArmedFault {
    fault: Fault,
    met: u32,
}

impl From<Fault> for ArmedFault {
    fn from(fault: Fault) -> Self {
        Self { fault, met: 0 }
    }
}

impl ArmedFault {
    /// What this fault answers to a request; none when it does not match or is not due.
    pub(super) fn meet(&mut self, call: &Call) -> Option<FaultAnswer> {
        let Fault { method, path, after, times, answer } = &self.fault;
        let matches = method.as_ref().is_none_or(|method| method.eq_ignore_ascii_case(&call.method))
            && call.address.path.to_lowercase().contains(&path.to_lowercase());
        let last = after.saturating_add(*times);
        if !matches || self.met >= last {
            return None;
        }
        if !matches!(answer, FaultAnswer::FailSecondPage) || call.continues() {
            self.met += 1;
            return (self.met > *after).then(|| answer.clone());
        }
        Some(answer.clone())
    }
}

impl FaultAnswer {
    /// The answer of a fault that leaves the service out.
    pub(super) fn replacement(&self, call: &Call) -> Option<Answer> {
        match self {
            Self::Html => Some(Answer {
                status: 200,
                headers: vec![("content-type".to_owned(), "text/html".to_owned())],
                body: ArmBody::Full("<html><body>The service is being serviced.</body></html>".into()),
            }),
            Self::Endless => Some(Answer { status: 200, headers: Vec::new(), body: ArmBody::Endless }),
            Self::EmptyList => Some(Answer::json(200, &json!({"value": []}))),
            Self::EmptyPage => Some(Answer::json(200, &json!({"value": [], "nextLink": call.next_link(0)}))),
            Self::FailSecondPage if call.continues() => Some(server_error().answer()),
            Self::AppLocked => Some(app_locked()),
            Self::Status(answer) => Some(answer.answer()),
            Self::Hang
            | Self::Reset
            | Self::AnswerLost
            | Self::HalfJson
            | Self::ForeignNextLink
            | Self::FailSecondPage => None,
        }
    }
}

impl StatusAnswer {
    fn answer(&self) -> Answer {
        let body = match &self.body {
            Some(body) => body.clone(),
            None => json!({"error": {"code": self.code, "message": self.message}}),
        };
        let mut answer = Answer::json(self.status, &body);
        if self.status >= 400 {
            answer.headers.push(Cause::Gateway.header());
        }
        answer.headers.extend(self.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
        answer
    }
}

/// As recorded: the code is a text, nothing says when to come back.
fn app_locked() -> Answer {
    let message = "Cannot acquire exclusive lock to create, update or delete this site. Retry the request later.";
    Answer::json(
        429,
        &json!({
            "Code": "429", "Message": message, "Target": null, "Innererror": null,
            "Details": [{"Message": message}, {"Code": "429"}, {"ErrorEntity": {
                "ExtendedCode": "59206", "MessageTemplate": message, "Parameters": [], "Code": "429",
                "Message": message,
            }}],
        }),
    )
}

fn server_error() -> StatusAnswer {
    StatusAnswer {
        status: 500,
        code: "InternalServerError".to_owned(),
        message: "The server encountered an unexpected condition.".to_owned(),
        headers: BTreeMap::new(),
        body: None,
    }
}

fn once() -> u32 {
    1
}

impl TryFrom<Value> for FaultAnswer {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        match value.as_str() {
            Some("hang") => Ok(Self::Hang),
            Some("reset") => Ok(Self::Reset),
            Some("answer-lost") => Ok(Self::AnswerLost),
            Some("html") => Ok(Self::Html),
            Some("half-json") => Ok(Self::HalfJson),
            Some("endless") => Ok(Self::Endless),
            Some("empty-list") => Ok(Self::EmptyList),
            Some("empty-page") => Ok(Self::EmptyPage),
            Some("foreign-next-link") => Ok(Self::ForeignNextLink),
            Some("fail-second-page") => Ok(Self::FailSecondPage),
            Some("app-locked") => Ok(Self::AppLocked),
            Some(word) => Err(format!("unknown fault `{word}`, known are {WORDS}")),
            None => serde_json::from_value(value).map(Self::Status).map_err(|error| format!("fault answer: {error}")),
        }
    }
}
