//! The simulator over a socket.

use tokio::net::TcpListener;

use super::*;

/// A client of the real HTTP stack, and the address of the service.
async fn served(sim: &ArmSim) -> (Pipeline, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let origin = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(sim.clone().serve(listener));
    let options = ClientOptions { retry: RetryOptions::none(), ..ClientOptions::default() };
    (Pipeline::new(None, None, options, Vec::new(), Vec::new(), None), origin)
}

async fn send(pipeline: &Pipeline, method: Method, url: &str, body: Option<Value>) -> azure_core::Result<(u16, Value)> {
    let mut request = Request::new(Url::parse(url).expect("a URL"), method);
    request.insert_header("authorization", "Bearer let-me-in");
    if let Some(body) = body {
        request.set_body(body.to_string());
    }
    let options = PipelineSendOptions { skip_checks: true, ..PipelineSendOptions::default() };
    let response = pipeline.send(&Context::new(), &mut request, Some(options)).await?;
    let (status, _, body) = response.deconstruct();
    Ok((status.into(), serde_json::from_slice(&body).unwrap_or(Value::Null)))
}

#[tokio::test]
async fn pages_over_http_are_linked_on_the_socket_that_was_asked() {
    let sim = simulate(World { page_size: 2, ..world() });
    let (pipeline, origin) = served(&sim).await;
    let path = format!("{SUBSCRIPTION}/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01");
    let (status, first) = send(&pipeline, Method::Get, &format!("{origin}{path}"), None).await.unwrap();
    assert_eq!((status, first["value"].as_array().map(Vec::len)), (200, Some(2)));
    let link = first["nextLink"].as_str().expect("a link");
    assert!(link.starts_with(&origin), "{link}");
    let (_, second) = send(&pipeline, Method::Get, link, None).await.unwrap();
    assert_eq!(second["value"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_write_over_http_is_stored_and_a_lost_answer_is_a_closed_connection() {
    let sim = simulate(world());
    let (pipeline, origin) = served(&sim).await;
    let name = "cd34cd34-0000-4000-8000-0000000000cd";
    let url = format!("{origin}{}?api-version=2022-04-01", grant_path(STORE, name));
    sim.add_fault(Fault {
        method: Some("PUT".to_owned()),
        path: name.to_owned(),
        after: 0,
        times: 1,
        answer: FaultAnswer::AnswerLost,
    });
    let body = grant_body(SHARED_PRINCIPAL, BLOB_READER);
    assert!(send(&pipeline, Method::Put, &url, Some(body.clone())).await.is_err());
    assert!(sim.document(&grant_path(STORE, name)).is_some());
    let (status, _) = send(&pipeline, Method::Put, &url, Some(body)).await.unwrap();
    assert_eq!(status, 200);
}
