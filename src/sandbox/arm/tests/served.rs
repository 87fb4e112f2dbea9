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

#[tokio::test(start_paused = true)]
async fn under_paused_time_nothing_is_served_and_nobody_hangs() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let refused = simulate(world()).serve(listener).await.expect_err("sockets and paused time do not mix");
    assert!(refused.to_string().contains("time is paused"), "{refused}");
}

async fn posted(origin: &str, path: &str, form: &str) -> (u16, Value) {
    let options = ClientOptions { retry: RetryOptions::none(), ..ClientOptions::default() };
    let pipeline = Pipeline::new(None, None, options, Vec::new(), Vec::new(), None);
    let mut request = Request::new(Url::parse(&format!("{origin}{path}")).expect("a URL"), Method::Post);
    request.set_body(form.to_owned());
    let options = PipelineSendOptions { skip_checks: true, ..PipelineSendOptions::default() };
    let response = pipeline.send(&Context::new(), &mut request, Some(options)).await.expect("an answer");
    let (status, _, body) = response.deconstruct();
    (status.into(), serde_json::from_slice(&body).expect("JSON"))
}

/// The claims of a token.
fn claims(token: &str) -> Value {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let parts: Vec<&str> = token.split('.').collect();
    assert_eq!((parts.len(), parts[2]), (3, ""), "three parts, and no signature");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).expect("base64")).expect("JSON")
}

#[tokio::test]
async fn whoever_logs_in_is_the_worlds_caller() {
    let sim = simulate(world());
    let (pipeline, origin) = served(&sim).await;
    let Caller { object_id, tenant_id } = Caller::default();
    let form =
        "grant_type=client_credentials&client_id=c1&client_secret=any&scope=https%3A%2F%2Fvault.example%2F.default";
    let (status, answer) = posted(&origin, &format!("/{tenant_id}/oauth2/v2.0/token"), form).await;
    assert_eq!((status, answer["token_type"].as_str()), (200, Some("Bearer")));
    let of_vault = claims(answer["access_token"].as_str().expect("a token"));
    assert_eq!((of_vault["oid"].as_str(), of_vault["tid"].as_str()), (Some(&*object_id), Some(&*tenant_id)));
    assert_eq!((of_vault["aud"].as_str(), of_vault["appid"].as_str()), (Some("https://vault.example"), Some("c1")));
    let given = claims(&sim.token());
    assert_eq!(
        (given["oid"].as_str(), given["aud"].as_str()),
        (Some(&*object_id), Some("https://management.azure.com/"))
    );
    assert!(given["exp"].as_i64() > Some(4_000_000_000));

    let (status, refused) = posted(&origin, &format!("/{tenant_id}/oauth2/v2.0/token"), "scope=x").await;
    assert_eq!((status, refused["error_codes"][0].as_u64()), (400, Some(900_144)));
    let (status, refused) = posted(&origin, "/another-tenant/oauth2/v2.0/token", form).await;
    assert_eq!((status, refused["error_codes"][0].as_u64()), (400, Some(90_002)));

    let (status, endpoints) =
        send(&pipeline, Method::Get, &format!("{origin}/metadata/endpoints"), None).await.unwrap();
    assert_eq!((status, endpoints["resourceManager"].as_str()), (200, Some(&*origin)));
    let path = format!("{origin}/{tenant_id}/v2.0/.well-known/openid-configuration");
    let (_, configuration) = send(&pipeline, Method::Get, &path, None).await.unwrap();
    let token_endpoint = configuration["token_endpoint"].as_str().expect("a URL");
    assert_eq!(token_endpoint, format!("{origin}/{tenant_id}/oauth2/v2.0/token"));
    assert_eq!(sim.journal(), [], "none of this is a request to Resource Manager");
}
