//! Without a token nothing is sent; with one, nothing but Resource Manager gets it.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use azure_core::{
    Error,
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::ErrorKind,
};
use rolecall::{
    azure::{Azure, AzureConfig, Limits, StaticToken},
    catalog::clouds::CLOUDS,
    model::{
        FailureClass::{self, Denied, Rejected, Transient},
        TargetKind,
    },
};

use super::bench::{Bench, SUBSCRIPTION, TOKEN, planned_grant, planned_identity, uploads, world};

/// A credential that gives no token.
#[derive(Clone, Copy, Debug)]
enum Refusing {
    Saying(&'static str),
    Hanging,
}

#[async_trait]
impl TokenCredential for Refusing {
    async fn get_token(&self, _: &[&str], _: Option<TokenRequestOptions<'_>>) -> azure_core::Result<AccessToken> {
        match self {
            Self::Saying(why) => Err(Error::with_message(ErrorKind::Io, *why)),
            Self::Hanging => std::future::pending().await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_a_denial_and_nothing_is_sent() {
    let cases: [(Refusing, FailureClass, &str); 4] = [
        (Refusing::Saying("AADSTS700016: the application was not found in the directory"), Denied, "NoToken"),
        (Refusing::Saying("the authority answered invalid_client"), Denied, "NoToken"),
        (Refusing::Saying("connection to 169.254.169.254 timed out"), Transient, "NoToken"),
        (Refusing::Hanging, Transient, "Timeout"),
    ];
    for (credential, class, code) in cases {
        let bench = Bench::with_credential(world(), Limits::default(), Arc::new(credential));
        let (name, grant) = planned_grant();
        let failures = [
            bench.azure.sites(SUBSCRIPTION, TargetKind::App).await.expect_err("no token"),
            bench.azure.grants_of_subscription(SUBSCRIPTION).await.expect_err("no token"),
            bench.azure.write(&planned_identity()).await.expect_err("no token"),
            bench.azure.create_grant(&uploads(), &name, &grant).await.expect_err("no token"),
        ];
        for failure in failures {
            assert_eq!((failure.class, failure.code.as_str()), (class, code), "{credential:?}: {failure}");
            if let Refusing::Saying(why) = credential {
                assert!(failure.text.contains(why) && failure.text.starts_with("nothing could be asked"), "{failure}");
                assert!(failure.hint.is_some(), "{failure}");
            }
        }
        assert!(bench.hosts().is_empty() && bench.sim.journal().is_empty(), "{credential:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_this_machine_is_spoken_to_without_tls() {
    let endpoint = |endpoint: &str| {
        Azure::new(AzureConfig {
            cloud: CLOUDS[0],
            arm_endpoint: Some(endpoint.to_owned()),
            logs_endpoint: None,
            credential: Arc::new(StaticToken::new(TOKEN)),
            transport: None,
            limits: Limits { total_timeout: Duration::from_secs(1), ..Limits::default() },
        })
    };
    for accepted in ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:9", "https://management.example.net"] {
        assert!(endpoint(accepted).is_ok(), "{accepted}");
    }
    for refused in [
        "http://management.example.net",
        "http://127.0.0.1.example.net",
        "http://localhost.example.net",
        "http://localhost@example.net",
        "http://127.0.0.2",
        "http://10.0.0.7:8080",
        "ftp://localhost",
        "file:///localhost",
        "management.example.net",
        "",
    ] {
        let failure = endpoint(refused).err().unwrap_or_else(|| panic!("`{refused}` is accepted"));
        assert_eq!((failure.class, failure.code.as_str()), (Rejected, "InvalidEndpoint"), "{refused}");
    }
}
