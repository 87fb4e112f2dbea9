//! The simulator over plain HTTP/1.1, for clients in other processes. Sockets and paused time do not mix.

use std::convert::Infallible;

use bytes::Bytes;
use futures::StreamExt as _;
use http::header::HOST;
use http::uri::{PathAndQuery, Scheme};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::{ArmBody, ArmSim};

type SentBody = UnsyncBoxBody<Bytes, Infallible>;
type ServiceError = Box<dyn std::error::Error + Send + Sync>;

impl ArmSim {
    /// Serves connections until the listener fails. Dropping the future closes them.
    pub async fn serve(self, listener: TcpListener) -> std::io::Result<()> {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let (stream, _) = accepted?;
                    connections.spawn(self.clone().serve_connection(stream, Scheme::HTTP));
                }
                Some(_) = connections.join_next() => {}
            }
        }
    }

    /// Serves one connection; `scheme` is what links in its answers begin with. TLS is the business of whoever gives
    /// the stream.
    pub async fn serve_connection<S>(self, stream: S, scheme: Scheme)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(move |request| respond(self.clone(), scheme.clone(), request));
        // A broken connection is the client's to notice; a fault may have broken it on purpose.
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }
}

async fn respond(
    sim: ArmSim,
    scheme: Scheme,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<SentBody>, ServiceError> {
    let (mut parts, body) = request.into_parts();
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost").to_owned();
    let mut uri = parts.uri.into_parts();
    uri.scheme = Some(scheme);
    uri.authority = Some(host.parse()?);
    uri.path_and_query.get_or_insert(PathAndQuery::from_static("/"));
    parts.uri = http::Uri::from_parts(uri)?;
    let body = body.collect().await?.to_bytes();
    // An error makes hyper close the connection without an answer, which is what a reset looks like.
    let response = sim.answer(http::Request::from_parts(parts, body)).await?;
    Ok(response.map(sent_body))
}

fn sent_body(body: ArmBody) -> SentBody {
    match body {
        ArmBody::Full(bytes) => Full::new(bytes).boxed_unsync(),
        endless @ ArmBody::Endless => {
            StreamBody::new(endless.into_stream().map(|bytes| Ok(Frame::data(bytes)))).boxed_unsync()
        }
    }
}
