//! What one of several operators sends, and what becomes of it: each has a line of its own to the cluster and to Azure.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use azure_core::http::{AsyncRawResponse, HttpClient, Request};
use kube::client::Body;
use rolecall::sandbox::{arm::ArmSim, kube::KubeSim};

/// The state of a line to the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// As it should be.
    Open,
    /// Connections are refused.
    Refused,
    /// Nothing is ever answered.
    Silent,
    /// Nothing is answered to whoever writes to a lease.
    SilentToLeases,
    /// A write to a lease takes effect, and its answer comes so much later.
    LateToLeases(Duration),
}

/// The lines of one operator. Clones are the same.
#[derive(Clone, Debug)]
pub struct Wire(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    line: Line,
    cluster: Vec<String>,
    azure: Vec<String>,
}

impl Wire {
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(State { line: Line::Open, cluster: Vec::new(), azure: Vec::new() })))
    }

    pub fn set(&self, line: Line) {
        self.lock().line = line;
    }

    /// What was sent to the cluster and changes something there, except for the lease.
    pub fn cluster_writes(&self) -> Vec<String> {
        let sent = self.lock().cluster.clone();
        sent.into_iter().filter(|request| !request.starts_with("GET") && !request.contains("/leases")).collect()
    }

    /// Everything that was sent to Azure.
    pub fn azure(&self) -> Vec<String> {
        self.lock().azure.clone()
    }

    /// What was sent to Azure and changes something there.
    pub fn azure_writes(&self) -> Vec<String> {
        self.azure().into_iter().filter(|request| !request.starts_with("GET")).collect()
    }

    /// How much was sent in all.
    pub fn sent(&self) -> usize {
        let state = self.lock();
        state.cluster.len() + state.azure.len()
    }

    /// A client of `kube` on this line.
    pub fn client(&self, kube: &KubeSim) -> kube::Client {
        let (wire, inner) = (self.clone(), kube.client());
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let (wire, inner) = (wire.clone(), inner.clone());
            async move {
                let is_write = request.method() != http::Method::GET;
                let to_lease = is_write && request.uri().path().contains("/leases");
                let line = {
                    let mut state = wire.lock();
                    state.cluster.push(format!("{} {}", request.method(), request.uri().path()));
                    state.line
                };
                match line {
                    Line::Open | Line::LateToLeases(_) => {}
                    Line::SilentToLeases if !to_lease => {}
                    Line::Refused => return Err(std::io::Error::from(std::io::ErrorKind::ConnectionRefused)),
                    Line::Silent | Line::SilentToLeases => std::future::pending().await,
                }
                let answer = inner.send(request).await.map_err(std::io::Error::other);
                if let (Line::LateToLeases(late), true) = (line, to_lease) {
                    tokio::time::sleep(late).await;
                }
                answer
            }
        });
        kube::Client::new(service, "default")
    }

    /// A transport to `arm` on this line.
    pub fn transport(&self, arm: &ArmSim) -> Arc<dyn HttpClient> {
        Arc::new(Watched { wire: self.clone(), inner: arm.transport() })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().expect("nobody panics while holding this lock")
    }
}

#[derive(Debug)]
struct Watched {
    wire: Wire,
    inner: Arc<dyn HttpClient>,
}

#[async_trait]
impl HttpClient for Watched {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        self.wire.lock().azure.push(format!("{} {}", request.method().as_str(), request.url().path()));
        self.inner.execute_request(request).await
    }
}
