//! A request as the service reads it: address, query, body. No decision is taken here.

use azure_core::http::Url;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST};
use jiff::Timestamp;
use serde_json::Value;

use super::path::Address;

/// What a request presents.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Token {
    /// Nothing.
    Absent,
    /// A token, whoever made it.
    Given {
        /// When it ends; none when it does not say.
        expires: Option<Timestamp>,
    },
}

/// A request, parsed once.
pub(super) struct Call {
    pub(super) method: String,
    /// Scheme and authority, for links.
    origin: String,
    /// The path as sent, for links.
    sent_path: String,
    pub(super) address: Address,
    /// The query as sent.
    pub(super) query: String,
    pairs: Vec<(String, String)>,
    /// Null when empty, a string when it is not JSON.
    pub(super) body: Value,
    pub(super) token: Token,
    pub(super) client_request_id: Option<String>,
    pub(super) echo_client_request_id: bool,
}

impl Call {
    pub(super) fn read(request: &http::Request<Bytes>) -> Self {
        let uri = request.uri();
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let authority = uri.authority().map(http::uri::Authority::as_str).or_else(|| header(HOST.as_str()));
        let query = uri.query().unwrap_or("").to_owned();
        Self {
            method: request.method().as_str().to_uppercase(),
            origin: format!("{}://{}", uri.scheme_str().unwrap_or("http"), authority.unwrap_or("localhost")),
            sent_path: uri.path().to_owned(),
            address: Address::parse(&percent_decoded(uri.path())),
            pairs: query_pairs(&query),
            query,
            body: json_body(request.body()),
            token: header(AUTHORIZATION.as_str()).map_or(Token::Absent, token),
            client_request_id: header("x-ms-client-request-id").map(str::to_owned),
            echo_client_request_id: header("x-ms-return-client-request-id") == Some("true"),
        }
    }

    /// Scheme and authority as the client knows them.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// A query parameter, decoded. Names are compared ignoring case.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.pairs.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Whether the request follows a `nextLink`.
    pub(super) fn continues(&self) -> bool {
        self.parameter("$skiptoken").is_some()
    }

    /// How many items earlier pages have shown; none when the token is not ours.
    pub(super) fn offset(&self) -> Option<usize> {
        self.parameter("$skiptoken").map_or(Some(0), |token| token.strip_prefix("after-")?.parse().ok())
    }

    /// The absolute address of the page that starts after `offset` items.
    pub(super) fn next_link(&self, offset: usize) -> String {
        let kept = self.query.split('&').filter(|pair| {
            let name = percent_decoded(pair.split('=').next().unwrap_or(""));
            !pair.is_empty() && !name.eq_ignore_ascii_case("$skiptoken")
        });
        let query: Vec<&str> = kept.collect();
        format!("{}{}?{}&$skiptoken=after-{offset}", self.origin, self.sent_path, query.join("&"))
    }

    /// Whether the request asks for a change.
    pub(super) fn mutating(&self) -> bool {
        match self.method.as_str() {
            "GET" | "HEAD" => false,
            "POST" if super::logs::is_query(self) => false,
            "POST" => !self.address.types.last().is_some_and(|word| word.to_lowercase().starts_with("list")),
            _ => true,
        }
    }
}

fn token(header: &str) -> Token {
    match header.split_at_checked(7) {
        Some((word, token)) if word.eq_ignore_ascii_case("bearer ") && !token.is_empty() => {
            Token::Given { expires: expiry(token) }
        }
        _ => Token::Absent,
    }
}

/// When a token says that it ends. Any text is believed to be a token, and one that is not like Entra's never ends.
fn expiry(token: &str) -> Option<Timestamp> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    Timestamp::from_second(claims["exp"].as_i64()?).ok()
}

fn json_body(bytes: &Bytes) -> Value {
    if bytes.is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(bytes).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(bytes).into_owned()))
}

fn query_pairs(query: &str) -> Vec<(String, String)> {
    let url = Url::parse(&format!("http://localhost/?{query}"));
    url.map(|url| url.query_pairs().into_owned().collect()).unwrap_or_default()
}

fn percent_decoded(text: &str) -> String {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = (first == b'%').then(|| after.get(..2)).flatten();
        let byte = escaped.and_then(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
        decoded.push(byte.unwrap_or(first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
