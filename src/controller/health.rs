//! `/healthz` and `/readyz` for the kubelet, `/metrics` for Prometheus, each kind on a listener of its own.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::Full;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, sync::Semaphore};

use crate::metrics::{MEDIA_TYPE, Metrics};

/// Whether the operator has seen all policies, boundaries and namespaces.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<AtomicBool>);

impl Health {
    /// Whether it was not ready before.
    pub(super) fn set_ready(&self) -> bool {
        !self.0.swap(true, Ordering::Relaxed)
    }

    /// Whether it has.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn answer(&self, path: &str) -> Response<Full<Bytes>> {
        let (status, text) = match path {
            // That this is answered shows that the runtime is not stuck.
            "/healthz" => (StatusCode::OK, "ok\n"),
            "/readyz" if self.is_ready() => (StatusCode::OK, "ok\n"),
            "/readyz" => (StatusCode::SERVICE_UNAVAILABLE, "stores are not synced yet\n"),
            _ => (StatusCode::NOT_FOUND, "not found\n"),
        };
        let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
        *response.status_mut() = status;
        response
    }
}

/// How many connections one listener serves at once, and how long one may last. Whoever opens many and says nothing
/// must not use up the file descriptors that probes need.
const CONNECTIONS: usize = 256;
const LONGEST: Duration = Duration::from_secs(10);

/// Answers probes until the process ends.
pub async fn serve(listener: TcpListener, health: Health) {
    answer(listener, move |path| health.answer(path)).await;
}

/// Answers scrapes until the process ends.
pub async fn serve_metrics(listener: TcpListener, metrics: Metrics) {
    let page = move |path: &str| {
        let is_known = path == "/metrics";
        let body = if is_known { Bytes::from(metrics.scrape()) } else { Bytes::from_static(b"not found\n") };
        let media_type = if is_known { MEDIA_TYPE } else { "text/plain; charset=utf-8" };
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = if is_known { StatusCode::OK } else { StatusCode::NOT_FOUND };
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        response
    };
    answer(listener, page).await;
}

async fn answer(listener: TcpListener, page: impl Fn(&str) -> Response<Full<Bytes>> + Clone + Send + 'static) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let place = places.clone().acquire_owned().await.expect("it is never closed");
        let connection = match listener.accept().await {
            Ok((connection, _)) => connection,
            Err(error) => {
                // Out of file descriptors, mostly: it passes, and probes come again.
                tracing::warn!(%error, "connection not accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let page = page.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let answer = page(request.uri().path());
                async move { Ok::<_, Infallible>(answer) }
            });
            // One answer a connection: it ends by itself, and the limit cannot fall into the next answer.
            let mut builder = hyper::server::conn::http1::Builder::new();
            let serving = builder.keep_alive(false).serve_connection(TokioIo::new(connection), service);
            match tokio::time::timeout(LONGEST, serving).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%error, "connection not answered"),
                Err(_) => tracing::debug!("connection closed: it took too long"),
            }
            drop(place);
        });
    }
}
