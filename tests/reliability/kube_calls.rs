//! The way to the cluster, on which calls are counted and faults happen.

use std::{io, sync::Arc};

use bytes::Bytes;
use http::{Request, Response};
use kube::client::Body;
use serde_json::json;

use super::{
    arm_calls::LONGER_THAN_ANY_TIMEOUT,
    deeds,
    fault::Fault,
    ledger::{Sent, Service},
    properties,
    run::{ProcessId, Run},
};

/// A client of the cluster for one process. `inner`: the simulator's own, which all processes share.
pub(super) fn client(run: &Arc<Run>, id: ProcessId, inner: &kube::Client) -> kube::Client {
    let (run, inner) = (run.clone(), inner.clone());
    let service = tower::service_fn(move |request: Request<Body>| {
        let (run, inner) = (run.clone(), inner.clone());
        async move { answer(&run, id, &inner, request).await }
    });
    kube::Client::new(service, "default")
}

async fn answer(
    run: &Arc<Run>,
    id: ProcessId,
    inner: &kube::Client,
    request: Request<Body>,
) -> io::Result<Response<Body>> {
    let (parts, body) = request.into_parts();
    let body = body.collect_bytes().await.map_err(io::Error::other)?;
    let sent = Sent {
        service: Service::Cluster,
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    let (number, fault) = run.begin(id, sent).await;
    let serve = async || serve(run, number, inner, Request::from_parts(parts, Body::from(body))).await;
    let answer = match fault {
        Some(Fault::CrashBefore) => run.crash(id).await,
        Some(Fault::CrashAfter) => {
            serve().await?;
            run.crash(id).await
        }
        Some(Fault::AnswerLost) => {
            serve().await?;
            None
        }
        Some(Fault::Hang) => {
            tokio::time::sleep(LONGER_THAN_ANY_TIMEOUT).await;
            None
        }
        Some(Fault::Reset(_)) => None,
        Some(Fault::Refused { status, .. }) => Some((status, refusal(status))),
        Some(Fault::Deaf(seconds)) => {
            deeds::deafen(run, id.operator, seconds);
            Some(serve().await?)
        }
        Some(Fault::Somebody(deed)) => {
            deeds::act(run, deed);
            Some(serve().await?)
        }
        // Of Azure's answers only; `applies_to` says so.
        Some(
            Fault::CrashLate
            | Fault::Late
            | Fault::Stale
            | Fault::StaleOldest
            | Fault::Empty
            | Fault::HalfList
            | Fault::Reversed,
        )
        | None => Some(serve().await?),
    };
    run.hear(id, number, answer.clone()).await;
    let (status, body) = answer.ok_or(io::ErrorKind::ConnectionReset)?;
    let response = Response::builder().status(status).header("content-type", "application/json");
    Ok(response.body(Body::from(body)).expect("a status and a header"))
}

/// Lets the request take effect.
async fn serve(run: &Arc<Run>, number: u32, inner: &kube::Client, request: Request<Body>) -> io::Result<(u16, Bytes)> {
    let answer = inner.send(request).await.map_err(io::Error::other)?;
    let status = answer.status().as_u16();
    let body = answer.into_body().collect_bytes().await.map_err(io::Error::other)?;
    let mut ledger = run.ledger();
    let moment = ledger.effect();
    ledger.call_mut(number).served = Some(moment);
    if ledger.call(number).mutating {
        // Nobody watches events.
        ledger.cluster_changed |= !ledger.call(number).path.ends_with("/events");
        properties::at_publishing(&mut ledger, run, number, status);
        drop(ledger);
        run.stirred.notify_one();
    }
    Ok((status, body))
}

fn refusal(status: u16) -> Bytes {
    let reason = match status {
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        429 => "TooManyRequests",
        503 => "ServiceUnavailable",
        _ => "InternalError",
    };
    let body = json!({
        "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure", "reason": reason, "code": status,
        "message": "as the schedule wants it",
    });
    Bytes::from(body.to_string())
}
