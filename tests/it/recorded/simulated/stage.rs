//! A simulator in a state, what it is asked first, and the request whose answer is compared.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use rolecall::{
    clock::Clock,
    sandbox::arm::{ArmBody, ArmSim, World},
};
use serde_json::{Value, json};

use super::super::Recording;

/// What is asked.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) method: String,
    /// Path and query.
    pub(super) target: String,
    /// Null for none; a text is sent as it is.
    pub(super) body: Value,
}

/// Where the compared request goes when Azure decided its address.
#[derive(Clone, Copy, Debug)]
pub(super) enum Follow {
    /// To the `nextLink` of the answer before.
    NextLink,
    /// To the operation that the answer before names, so many times.
    Operation(usize),
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Value,
    /// Whether it is of an operation, whose id was invented.
    pub(super) of_operation: bool,
}

/// See the module.
pub(super) struct Stage {
    documents: BTreeMap<String, Value>,
    world: Value,
    token: String,
    first: Vec<Ask>,
    follow: Option<Follow>,
    ask: Ask,
}

impl Ask {
    /// The recorded request.
    pub(super) fn of(recording: &Recording) -> Self {
        let Recording { method, path, query, sent, .. } = recording;
        Self { method: method.clone(), target: format!("{path}?{query}"), body: sent.clone() }
    }
}

impl Stage {
    /// An empty Azure of the recording's time that is about to be asked what was recorded.
    pub(super) fn of(recording: &Recording) -> Self {
        Self {
            documents: BTreeMap::new(),
            world: json!({ "throttling": tells_of_everybody(recording) }),
            token: "any".to_owned(),
            first: Vec::new(),
            follow: None,
            ask: Ask::of(recording),
        }
    }

    /// Adds or replaces a document.
    #[must_use]
    pub(super) fn with(mut self, document: Value) -> Self {
        let id = document["id"].as_str().expect("a document of a world has an id").to_lowercase();
        self.documents.insert(id, document);
        self
    }

    /// The same for several.
    #[must_use]
    pub(super) fn with_all(self, documents: impl IntoIterator<Item = Value>) -> Self {
        documents.into_iter().fold(self, Self::with)
    }

    /// Lets everything be there that a path lies in or hangs on, but not what it names itself.
    #[must_use]
    pub(super) fn inside_of(mut self, path: &str) -> Self {
        for id in ancestors(path) {
            let name = id.rsplit('/').next().unwrap_or("").to_owned();
            let bare = json!({ "id": id, "name": name, "location": "westeurope", "tags": {}, "properties": {} });
            self.documents.entry(id.to_lowercase()).or_insert(bare);
        }
        self
    }

    /// Sets a key of the world.
    #[must_use]
    pub(super) fn set(mut self, key: &str, value: Value) -> Self {
        self.world[key] = value;
        self
    }

    /// Presents another token.
    #[must_use]
    pub(super) fn token(mut self, token: String) -> Self {
        self.token = token;
        self
    }

    /// Sends something before.
    #[must_use]
    pub(super) fn after(mut self, ask: Ask) -> Self {
        self.first.push(ask);
        self
    }

    /// Is about to be asked this.
    #[must_use]
    pub(super) fn asking(mut self, recording: &Recording) -> Self {
        self.ask = Ask::of(recording);
        self.set("throttling", tells_of_everybody(recording).into())
    }

    /// Asks at an address that the answer before names.
    #[must_use]
    pub(super) fn following(mut self, follow: Follow) -> Self {
        self.follow = Some(follow);
        self
    }

    /// Sends this body: for requests whose own was not kept.
    #[must_use]
    pub(super) fn sending(mut self, body: Value) -> Self {
        self.ask.body = body;
        self
    }

    /// Asks all of it; the last answer.
    pub(super) async fn play(mut self) -> Answer {
        self.world["resources"] = self.documents.into_values().collect();
        let world = World::from_yaml(&self.world.to_string()).expect("the state of a recording is a world");
        let now: Timestamp = "2026-03-02T09:00:00Z".parse().expect("a time");
        let sim = ArmSim::new(world, Clock::starting_at(now));
        let mut before = None;
        for ask in &self.first {
            let answer = send(&sim, &self.token, ask).await;
            if answer.status >= 400 {
                // Its status differs from what was recorded for the request after it.
                return answer;
            }
            before = Some(answer);
        }
        let Some(follow) = self.follow else { return send(&sim, &self.token, &self.ask).await };
        let before = before.expect("something is sent before an address is followed");
        let (link, times) = match follow {
            Follow::NextLink => (before.body["nextLink"].as_str().map(str::to_owned), 1),
            Follow::Operation(times) => (before.headers.get("azure-asyncoperation").cloned(), times),
        };
        let target = link.expect("an address to follow").replace("https://management.azure.com", "");
        let ask = Ask { target, ..self.ask };
        let mut answer = send(&sim, &self.token, &ask).await;
        for _ in 1..times {
            answer = send(&sim, &self.token, &ask).await;
        }
        answer.of_operation = matches!(follow, Follow::Operation(_));
        answer
    }
}

/// Newer answers tell what is left to everybody as well.
fn tells_of_everybody(recording: &Recording) -> bool {
    recording.headers.iter().any(|(name, _)| name.contains("-global-"))
}

async fn send(sim: &ArmSim, token: &str, ask: &Ask) -> Answer {
    let body = match &ask.body {
        Value::Null => Bytes::new(),
        Value::String(text) => text.clone().into(),
        body => body.to_string().into(),
    };
    let request = http::Request::builder()
        .method(ask.method.as_str())
        .uri(format!("https://management.azure.com{}", ask.target))
        .header("authorization", format!("Bearer {token}"))
        .body(body)
        .expect("a recorded request is valid HTTP");
    let response = sim.answer(request).await.expect("an answer");
    let (parts, body) = response.into_parts();
    let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        (name.as_str().to_owned(), value.to_str().unwrap_or("").to_owned())
    };
    let ArmBody::Full(bytes) = body else { panic!("no scene has an endless body") };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Answer {
        status: parts.status.as_u16(),
        headers: parts.headers.iter().map(header).collect(),
        body: if text.is_empty() { text.into() } else { serde_json::from_str(&text).expect("JSON") },
        of_operation: false,
    }
}

/// Subscription, resource group and resources that a path names on its way, each as an id.
pub(super) fn ancestors(path: &str) -> Vec<String> {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < segments.len() {
        // A provider has no name of its own: its first type and name follow.
        at += if segments[at].eq_ignore_ascii_case("providers") { 4 } else { 2 };
        if at < segments.len() {
            found.push(format!("/{}", segments[..at].join("/")));
        }
    }
    found
}
