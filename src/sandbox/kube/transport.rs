//! The server as a kube client sees it: HTTP in, HTTP out, with faults and the journal in between.

use std::{collections::BTreeMap, io, sync::Arc};

use azure_core::http::Url;
use bytes::Bytes;
use futures::{StreamExt, stream, stream::BoxStream};
use http::{Request, Response, header};
use http_body_util::StreamBody;
use hyper::body::Frame;
use kube::client::Body;
use serde_json::Value;

use super::{
    KubeRequest, Shared, State,
    fault::KubeFailure,
    refusal::Refusal,
    server::{Call, Reply},
    watch,
};

type Frames = StreamBody<BoxStream<'static, io::Result<Frame<Bytes>>>>;

/// A client whose every request ends in `shared`.
pub(super) fn client(shared: Arc<Shared>) -> kube::Client {
    let service = tower::service_fn(move |request: Request<Body>| {
        let shared = shared.clone();
        async move { serve(&shared, request).await }
    });
    kube::Client::new(service, "default")
}

async fn serve(shared: &Arc<Shared>, request: Request<Body>) -> io::Result<Response<Frames>> {
    let (parts, body) = request.into_parts();
    let body = body.collect_bytes().await.map_err(io::Error::other)?;
    let call = decode(&parts, &body);
    let mut state = shared.lock();
    let before = state.server.store.revision();
    let response = answer(shared, &mut state, &call);
    if state.server.store.revision() != before {
        shared.wake_watches();
    }
    response
}

fn decode(parts: &http::request::Parts, body: &Bytes) -> Call {
    let text = |name: header::HeaderName| {
        parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    // The host is only there to make the URL absolute, which the parser wants.
    let url = Url::parse("http://kube.sandbox").ok().and_then(|base| base.join(&parts.uri.to_string()).ok());
    Call {
        method: parts.method.clone(),
        path: parts.uri.path().to_owned(),
        query: url.map(|url| url.query_pairs().into_owned().collect()).unwrap_or_default(),
        content_type: text(header::CONTENT_TYPE),
        accept: text(header::ACCEPT),
        body: serde_json::from_slice(body).ok(),
    }
}

fn answer(shared: &Arc<Shared>, state: &mut State, call: &Call) -> io::Result<Response<Frames>> {
    let mut entry = entry(state, call);
    let refused = if state.is_available { None } else { Some(KubeFailure::Unavailable) };
    let failure = refused.or_else(|| state.faults.strike(&entry.method, &format!("{}?{}", entry.path, entry.query)));
    let before = state.server.store.revision();
    let response = match failure {
        None => Ok(respond(shared, state, call)),
        Some(KubeFailure::Status(code)) => Ok(document(code, &Refusal::injected(code).document())),
        Some(KubeFailure::Unavailable) => Err(io::ErrorKind::ConnectionRefused.into()),
        Some(KubeFailure::AnswerLost) => {
            drop(state.server.answer(call));
            Err(io::ErrorKind::ConnectionReset.into())
        }
    };
    entry.status = response.as_ref().ok().map(|response| response.status().as_u16());
    entry.changed = state.server.store.revision() != before;
    state.journal.push(entry);
    response
}

fn respond(shared: &Arc<Shared>, state: &mut State, call: &Call) -> Response<Frames> {
    match state.server.answer(call) {
        Reply::Document(code, value) => document(code, &value),
        Reply::NotServed => once(404, "text/plain; charset=utf-8", Bytes::from_static(b"404 page not found\n")),
        Reply::Watch(plan) => {
            let lines = watch::open(plan, shared.clone(), state);
            response(200, "application/json", lines.boxed())
        }
    }
}

fn entry(state: &State, call: &Call) -> KubeRequest {
    let is_status = call.path.ends_with("/status");
    KubeRequest {
        at: state.clock.now(),
        method: call.method.to_string(),
        path: call.path.clone(),
        query: joined(&call.query),
        subresource: is_status.then(|| "status".to_owned()),
        patch: (call.method == http::Method::PATCH).then(|| call.content_type.clone()),
        body: call.body.clone(),
        status: None,
        mutating: call.method != http::Method::GET,
        changed: false,
    }
}

fn joined(query: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

fn document(code: u16, value: &Value) -> Response<Frames> {
    once(code, "application/json", Bytes::from(value.to_string()))
}

fn once(code: u16, content_type: &'static str, body: Bytes) -> Response<Frames> {
    response(code, content_type, stream::iter([Ok(body)]).boxed())
}

fn response(code: u16, content_type: &'static str, lines: BoxStream<'static, io::Result<Bytes>>) -> Response<Frames> {
    let frames = lines.map(|line| line.map(Frame::data)).boxed();
    let mut response = Response::new(StreamBody::new(frames));
    // A scenario may ask for a code that HTTP does not have; the client then sees 500.
    *response.status_mut() = http::StatusCode::from_u16(code).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    response
}
