//! The simulator as a transport of `azure_core`: the real pipeline runs, no socket is opened.

use std::sync::Arc;

use async_trait::async_trait;
use azure_core::error::{Error, ErrorKind, ResultExt as _};
use azure_core::http::headers::Headers;
use azure_core::http::{AsyncRawResponse, Body, HttpClient, Request};
use bytes::Bytes;
use futures::{AsyncReadExt as _, StreamExt as _};

use super::{ArmBody, ArmFailure, ArmSim};

#[derive(Debug)]
struct SimulatedTransport(ArmSim);

impl ArmSim {
    /// An HTTP client for `ClientOptions::transport` that asks this service, whatever host is addressed.
    pub fn transport(&self) -> Arc<dyn HttpClient> {
        Arc::new(SimulatedTransport(self.clone()))
    }
}

#[async_trait]
impl HttpClient for SimulatedTransport {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let mut builder = http::Request::builder().method(request.method().as_ref()).uri(request.url().as_str());
        for (name, value) in request.headers().iter() {
            builder = builder.header(name.as_str(), value.as_str());
        }
        let body = whole_body(request.body()).await?;
        let request = builder.body(body).with_context(ErrorKind::DataConversion, "request is not valid HTTP")?;
        let response = self.0.answer(request).await.map_err(connection_error)?;
        let (parts, body) = response.into_parts();
        let mut headers = Headers::new();
        for (name, value) in &parts.headers {
            headers.insert(name.as_str().to_owned(), value.to_str().unwrap_or("").to_owned());
        }
        let status = parts.status.as_u16().into();
        Ok(match body {
            ArmBody::Full(bytes) => AsyncRawResponse::from_bytes(status, headers, bytes),
            endless @ ArmBody::Endless => AsyncRawResponse::new(status, headers, endless.into_stream().map(Ok).boxed()),
        })
    }
}

/// The kind of error that the client's usual transport gives for a connection that breaks off.
fn connection_error(failure: ArmFailure) -> Error {
    Error::with_error(ErrorKind::Io, failure, "failed to execute request")
}

async fn whole_body(body: &Body) -> azure_core::Result<Bytes> {
    match body {
        Body::Bytes(bytes) => Ok(bytes.clone()),
        Body::SeekableStream(stream) => {
            let mut stream = stream.clone();
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).await.with_context(ErrorKind::Io, "request body cannot be read")?;
            Ok(bytes.into())
        }
    }
}
