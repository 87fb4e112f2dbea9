//! The way to Azure, on which calls are counted and faults happen.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use azure_core::{
    error::{Error, ErrorKind},
    http::{AsyncRawResponse, Body, HttpClient, Request, headers::Headers},
};
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt as _;
use rolecall::sandbox::arm::ArmSim;
use serde_json::{Value, json};

use super::{
    deeds,
    fault::Fault,
    ledger::{Sent, Service},
    properties,
    run::{ProcessId, Run},
};

/// Longer than any client waits.
pub(super) const LONGER_THAN_ANY_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);
/// When a request takes effect whose sender has given up after a minute.
const AFTER_GIVING_UP: Duration = Duration::from_secs(90);
/// When a request takes effect whose sender has crashed, and has a successor by now.
const AFTER_A_RESTART: Duration = Duration::from_secs(4);

/// One process's way to Azure.
pub(super) struct ArmWay {
    pub(super) run: Arc<Run>,
    pub(super) id: ProcessId,
}

impl fmt::Debug for ArmWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ArmWay({:?})", self.id)
    }
}

#[async_trait]
impl HttpClient for ArmWay {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let Self { run, id } = self;
        let (number, fault) = run.begin(*id, sent(request)).await;
        let answer = match fault {
            Some(Fault::CrashBefore) => run.crash(*id).await,
            Some(Fault::CrashAfter) => {
                serve(run, number, request, Lie::None).await?;
                run.crash(*id).await
            }
            Some(Fault::CrashLate) => {
                straggle(run, number, request, AFTER_A_RESTART);
                run.crash(*id).await
            }
            Some(Fault::AnswerLost) => {
                serve(run, number, request, Lie::None).await?;
                None
            }
            Some(Fault::Hang) => {
                tokio::time::sleep(LONGER_THAN_ANY_TIMEOUT).await;
                None
            }
            Some(Fault::Late) => {
                straggle(run, number, request, AFTER_GIVING_UP);
                tokio::time::sleep(LONGER_THAN_ANY_TIMEOUT).await;
                None
            }
            Some(Fault::Reset(_)) => None,
            Some(Fault::Refused { status, retry_after, .. }) => Some(refusal(status, retry_after)),
            Some(Fault::Stale) => Some(ask(&run.past(false), request).await?),
            Some(Fault::StaleOldest) => Some(ask(&run.past(true), request).await?),
            Some(Fault::Empty) => Some(serve(run, number, request, Lie::Empty).await?),
            // The pages behind the first are refused by what the fault does `again`.
            Some(Fault::HalfList) => Some(serve(run, number, request, Lie::Half).await?),
            Some(Fault::Reversed) => Some(serve(run, number, request, Lie::Reversed).await?),
            Some(Fault::Deaf(seconds)) => {
                deeds::deafen(run, id.operator, seconds);
                Some(serve(run, number, request, Lie::None).await?)
            }
            Some(Fault::Somebody(deed)) => {
                deeds::act(run, deed);
                Some(serve(run, number, request, Lie::None).await?)
            }
            None => Some(serve(run, number, request, Lie::None).await?),
        };
        match answer {
            Some(Answer { status, headers, body }) => {
                run.hear(*id, number, Some((status, body.clone()))).await;
                Ok(AsyncRawResponse::from_bytes(status.into(), headers, body))
            }
            None => {
                run.hear(*id, number, None).await;
                Err(broken_off())
            }
        }
    }
}

/// How an answer is falsified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lie {
    None,
    Empty,
    /// The first half, with a link to the rest.
    Half,
    Reversed,
}

struct Answer {
    status: u16,
    headers: Headers,
    body: Bytes,
}

fn sent(request: &Request) -> Sent {
    let body = match request.body() {
        Body::Bytes(bytes) if !bytes.is_empty() => serde_json::from_slice(bytes).unwrap_or_default(),
        _ => Value::Null,
    };
    Sent {
        service: Service::Azure,
        method: request.method().as_str().to_owned(),
        path: request.url().path().to_owned(),
        query: request.url().query().unwrap_or_default().to_owned(),
        body,
    }
}

/// Lets the request take effect, and checks what it did.
async fn serve(run: &Arc<Run>, number: u32, request: &Request, lie: Lie) -> azure_core::Result<Answer> {
    let mutating = run.ledger().call(number).mutating;
    if !mutating {
        let mut answer = ask(&run.arm, request).await?;
        let mut ledger = run.ledger();
        let moment = ledger.effect();
        ledger.call_mut(number).served = Some(moment);
        // A fault of the scenario's own, which passes like one of the schedule's.
        if answer.status == 429 || answer.status >= 500 {
            let operator = ledger.call(number).operator;
            let told = answer.headers.get_optional_string(&"retry-after".into());
            let told = told.and_then(|seconds| seconds.parse().ok()).unwrap_or_default();
            ledger.is_disturbed(operator, run.clock.now(), told);
        }
        if lie != Lie::None {
            falsify(&mut answer, lie, request);
        }
        return Ok(answer);
    }
    let before = run.arm.snapshot();
    run.keep_the_past(&mut run.ledger());
    let answer = ask(&run.arm, request).await?;
    let after = run.arm.snapshot();
    if before != after {
        let mut ledger = run.ledger();
        let (operator, policy) = (ledger.call(number).operator, ledger.call(number).policy.clone());
        ledger.others_will_see(Some((operator, policy)), run.when_surveys_are_old());
    }
    properties::at_effect(&mut run.ledger(), number, answer.status, &before, &after);
    Ok(answer)
}

/// The request takes effect later, and nobody hears the answer.
fn straggle(run: &Arc<Run>, number: u32, request: &Request, after: Duration) {
    run.ledger().stragglers += 1;
    let (run, request) = (run.clone(), request.clone());
    tokio::spawn(async move {
        tokio::time::sleep(after).await;
        serve(&run, number, &request, Lie::None).await.expect("the simulator answers");
        run.ledger().stragglers -= 1;
        run.stirred.notify_one();
    });
}

async fn ask(arm: &ArmSim, request: &Request) -> azure_core::Result<Answer> {
    let (status, headers, body) = arm.transport().execute_request(request).await?.deconstruct();
    let chunks: Vec<Bytes> = body.try_collect().await?;
    let body = match <[Bytes; 1]>::try_from(chunks) {
        Ok([whole]) => whole,
        Err(chunks) => {
            let mut whole = BytesMut::new();
            for chunk in &chunks {
                whole.extend_from_slice(chunk);
            }
            whole.freeze()
        }
    };
    Ok(Answer { status: status.into(), headers, body })
}

fn falsify(answer: &mut Answer, lie: Lie, request: &Request) {
    let Ok(mut body) = serde_json::from_slice::<Value>(&answer.body) else { return };
    let Some(items) = body["value"].as_array_mut() else { return };
    match lie {
        Lie::None => {}
        Lie::Empty => items.clear(),
        Lie::Half => {
            items.truncate(items.len().div_ceil(2));
            let mut rest = request.url().clone();
            rest.query_pairs_mut().append_pair("$skiptoken", &format!("after-{}", items.len()));
            body["nextLink"] = rest.as_str().into();
        }
        Lie::Reversed => items.reverse(),
    }
    answer.body = body.to_string().into();
}

fn refusal(status: u16, retry_after: Option<u16>) -> Answer {
    let code = match status {
        403 => "AuthorizationFailed",
        409 => "AnotherOperationInProgress",
        429 => "SubscriptionRequestsThrottled",
        503 => "ServerBusy",
        _ => "InternalServerError",
    };
    let mut headers = Headers::new();
    headers.insert("content-type", "application/json");
    if let Some(seconds) = retry_after {
        headers.insert("retry-after", seconds.to_string());
    }
    let body = json!({ "error": { "code": code, "message": "as the schedule wants it" } });
    Answer { status, headers, body: body.to_string().into() }
}

fn broken_off() -> Error {
    Error::with_message(ErrorKind::Io, "connection reset before an answer arrived")
}
