//! The simulator over HTTP/1.1, plain or with TLS, for clients in other processes, with what they need to log in.
//!
//! Sockets and paused time do not mix: a paused clock jumps to the next timeout while an answer is on its way.

use std::convert::Infallible;
use std::io;

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

use super::{ArmBody, ArmSim, Certificate, authority};

type SentBody = UnsyncBoxBody<Bytes, Infallible>;
type ServiceError = Box<dyn std::error::Error + Send + Sync>;

impl ArmSim {
    /// Serves connections until the listener fails. Dropping the future closes them. Fails at once when time is paused.
    pub async fn serve(self, listener: TcpListener) -> io::Result<()> {
        self.accept(listener, None).await
    }

    /// The same with TLS.
    pub async fn serve_tls(self, listener: TcpListener, certificate: &Certificate) -> io::Result<()> {
        self.accept(listener, Some(certificate)).await
    }

    /// A token of the world's caller, for clients that are given one: its claims can be read, and nobody signed it.
    #[must_use]
    pub fn token(&self) -> String {
        let now = self.clock.now();
        authority::arm_token(&self.state().caller, now)
    }

    async fn accept(self, listener: TcpListener, certificate: Option<&Certificate>) -> io::Result<()> {
        if time_is_paused() {
            return Err(io::Error::other(
                "the simulator cannot listen while tokio's time is paused: answers would come after every timeout; \
                 use its transport in process instead",
            ));
        }
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let (stream, _) = accepted?;
                    let sim = self.clone();
                    match certificate.map(Certificate::acceptor) {
                        None => { connections.spawn(sim.serve_connection(stream, Scheme::HTTP)); }
                        Some(acceptor) => {
                            connections.spawn(async move {
                                // A client that does not trust the certificate says so itself.
                                if let Ok(stream) = acceptor.accept(stream).await {
                                    sim.serve_connection(stream, Scheme::HTTPS).await;
                                }
                            });
                        }
                    }
                }
                Some(_) = connections.join_next() => {}
            }
        }
    }

    /// Serves one connection; `scheme` is what links in its answers begin with.
    async fn serve_connection<S>(self, stream: S, scheme: Scheme)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(move |request| respond(self.clone(), scheme.clone(), request));
        // A broken connection is the client's to notice; a fault may have broken it on purpose.
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }
}

/// Whether tokio's clock stands still while the machine's goes on. Tokio does not tell.
#[expect(clippy::disallowed_methods, reason = "two clocks are compared, and nothing is decided by the time")]
fn time_is_paused() -> bool {
    let (simulated, real) = (tokio::time::Instant::now(), std::time::Instant::now());
    while real.elapsed() < std::time::Duration::from_micros(10) {
        std::hint::spin_loop();
    }
    simulated == tokio::time::Instant::now()
}

async fn respond(
    sim: ArmSim,
    scheme: Scheme,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<SentBody>, ServiceError> {
    let (mut parts, body) = request.into_parts();
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost").to_owned();
    let origin = format!("{scheme}://{host}");
    let mut uri = parts.uri.into_parts();
    uri.scheme = Some(scheme);
    uri.authority = Some(host.parse()?);
    uri.path_and_query.get_or_insert(PathAndQuery::from_static("/"));
    parts.uri = http::Uri::from_parts(uri)?;
    let body = body.collect().await?.to_bytes();
    let request = http::Request::from_parts(parts, body);
    let now = sim.clock.now();
    let entra = authority::answer(&request, &origin, &sim.state().caller, now);
    if let Some(answer) = entra {
        return Ok(answer.map(|body| Full::new(body).boxed_unsync()));
    }
    // An error makes hyper close the connection without an answer, which is what a reset looks like.
    let response = sim.answer(request).await?;
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
