//! GETs and lists.

use super::*;

#[tokio::test(start_paused = true)]
async fn ids_are_compared_ignoring_case_and_answered_as_stored() {
    let bench = Bench::new(world());
    let got = bench.get(&SITE.to_uppercase().replace("/PROVIDERS", "//providers")).await;
    assert_eq!((got.status, got.body["id"].as_str()), (200, Some(SITE)));
}

#[tokio::test(start_paused = true)]
async fn each_family_says_not_found_in_its_own_words() {
    let bench = Bench::new(world());
    let role = "0a0a0a0a-0000-4000-8000-0000000000aa";
    let cases = [
        (format!("{SUBSCRIPTION}/resourceGroups/rg-none/providers/Microsoft.Web/sites/x"), "ResourceGroupNotFound"),
        (format!("{GROUP}/providers/Microsoft.KeyVault/vaults/kv-none"), "ResourceNotFound"),
        (format!("{GROUP}/providers/Microsoft.ServiceBus/namespaces/sb/queues/q"), "NotFound"),
        (
            format!("{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{role}"),
            "RoleDefinitionDoesNotExist",
        ),
        (grant_path(STORE, role), "RoleAssignmentNotFound"),
        (format!("{VAULT}/providers/Microsoft.Authorization/locks/none"), "LockNotFound"),
        ("/subscriptions/99999999-0000-4000-8000-000000000009/resourceGroups".to_owned(), "SubscriptionNotFound"),
    ];
    for (path, code) in cases {
        let got = bench.get(&path).await;
        assert_eq!((got.status, got.code()), (404, code), "{path}");
    }
    let slot = bench.get(&format!("{SITE}/slots/none")).await;
    assert_eq!((slot.status, slot.body["Code"].as_str()), (404, Some("NotFound")));
}

#[tokio::test(start_paused = true)]
async fn requests_without_version_or_token_are_refused() {
    let bench = Bench::new(world());
    let base = format!("https://management.azure.com{SITE}");
    for (query, code) in [
        ("", "MissingApiVersionParameter"),
        ("?api-version=", "MissingApiVersionParameter"),
        ("?api-version=latest", "InvalidApiVersionParameter"),
        ("?api-version=2022-13-01", "InvalidApiVersionParameter"),
    ] {
        let got = bench.try_send(Method::Get, &format!("{base}{query}"), None).await.unwrap();
        assert_eq!((got.status, got.code()), (400, code), "{query}");
        assert_eq!(got.header("x-ms-failure-cause").as_deref(), Some("gateway"));
    }
    let request = http::Request::get(format!("{base}?api-version=2022-04-01")).body(Bytes::new()).unwrap();
    let response = bench.sim.answer(request).await.unwrap();
    assert_eq!(response.status(), 401);
    assert!(response.headers().contains_key("www-authenticate"));
}

#[tokio::test(start_paused = true)]
async fn lists_hold_the_resources_of_one_type_at_subscription_group_or_parent() {
    let bench = Bench::new(world());
    let type_lists = [
        (format!("{SUBSCRIPTION}/providers/microsoft.web/sites"), vec!["fn-invoice"]),
        (format!("{GROUP}/providers/Microsoft.Storage/storageAccounts"), vec!["stparcels"]),
        (format!("{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities"), vec![]),
        (format!("{SUBSCRIPTION}/providers/Microsoft.ManagedIdentity/userAssignedIdentities"), vec!["id-shared"]),
        (format!("{SITE}/slots"), vec!["fn-invoice/blue"]),
        (format!("{SUBSCRIPTION}/resourceGroups"), vec!["rg-orders", "rg-people"]),
        (format!("{GROUP}/providers/Microsoft.ServiceBus/namespaces"), vec![]),
    ];
    for (path, names) in type_lists {
        assert_eq!(bench.get(&path).await.names(), names, "{path}");
    }
    let typo = bench.get(&format!("{GROUP}/providers/Microsoft.Web/site")).await;
    assert_eq!((typo.status, typo.code()), (404, "InvalidResourceType"));
}

#[tokio::test(start_paused = true)]
async fn all_resources_are_listed_or_those_of_one_type() {
    let bench = Bench::new(world());
    assert_eq!(bench.get(&format!("{GROUP}/resources")).await.names(), ["kv-ledger", "stparcels", "fn-invoice"]);
    let filters = [
        ("resourceType eq 'microsoft.keyvault/Vaults'", vec!["kv-ledger"]),
        ("resourceType eq 'Microsoft.KeyVault/vaults' and name eq 'KV-ledger'", vec!["kv-ledger"]),
        ("resourceType eq 'Microsoft.KeyVault/vaults' and name eq 'stparcels'", vec![]),
    ];
    for (filter, names) in filters {
        assert_eq!(bench.get(&format!("{GROUP}/resources?$filter={filter}")).await.names(), names, "{filter}");
    }
    let other = bench.get(&format!("{GROUP}/resources?$filter=tagName eq 'team'")).await;
    assert_eq!((other.status, other.code()), (501, "SandboxUnsupported"));
}

#[tokio::test(start_paused = true)]
async fn a_token_that_has_ended_is_refused() {
    let bench = Bench::new(world());
    let ended = "e30.eyJleHAiOjE1MDAwMDAwMDB9.";
    let request = http::Request::get(format!("https://management.azure.com{SITE}?api-version=2022-04-01"))
        .header("authorization", format!("Bearer {ended}"))
        .body(Bytes::new())
        .unwrap();
    let ArmBody::Full(body) = bench.sim.answer(request).await.unwrap().into_body() else { panic!("a whole body") };
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["error"]["code"], "ExpiredAuthenticationToken");
}

#[tokio::test(start_paused = true)]
async fn a_long_list_is_cut_into_pages_linked_on_the_host_that_was_asked() {
    let bench = Bench::new(World { page_size: 2, ..world() });
    let path = format!("{SUBSCRIPTION}/providers/Microsoft.Authorization/roleAssignments");
    let first = bench.get(&path).await;
    assert_eq!(first.names().len(), 2);
    let link = first.body["nextLink"].as_str().expect("a link");
    assert!(link.starts_with(&format!("https://management.azure.com{path}?api-version=2022-04-01&$skiptoken=")));
    let second = bench.try_send(Method::Get, link, None).await.unwrap();
    assert_eq!((second.names().len(), second.body.get("nextLink")), (1, None));
}

#[tokio::test(start_paused = true)]
async fn assignment_lists_show_what_each_filter_promises() {
    let bench = Bench::new(world());
    let (root, group, store) = (
        "a0000000-0000-4000-8000-00000000000a",
        "b0000000-0000-4000-8000-00000000000b",
        "d0000000-0000-4000-8000-00000000000d",
    );
    let cases = [
        (SUBSCRIPTION, String::new(), vec![root, group, store]),
        (SUBSCRIPTION, "?$filter=atScope()".to_owned(), vec![root, group]),
        (STORE, "?$filter=atScope()".to_owned(), vec![root, group, store]),
        (VAULT, String::new(), vec![root, group]),
        (SUBSCRIPTION, format!("?$filter=principalId%20eq%20'{SITE_PRINCIPAL}'"), vec![store]),
        (SUBSCRIPTION, format!("?$filter=principalId eq '{SHARED_PRINCIPAL}'"), vec![]),
        (SUBSCRIPTION, format!("?$filter=assignedTo('{SHARED_PRINCIPAL}')"), vec![group]),
        (GROUP, format!("?$filter=atScope()+and+assignedTo('{SITE_PRINCIPAL}')"), vec![]),
    ];
    for (scope, filter, mut names) in cases {
        let got = bench.get(&format!("{scope}/providers/Microsoft.Authorization/roleAssignments{filter}")).await;
        let mut found = got.names();
        found.sort_unstable();
        names.sort_unstable();
        assert_eq!(found, names, "{scope} {filter}");
    }
    let refused = format!("?$filter=atScope() and principalId eq '{HUMAN}'");
    let got = bench.get(&format!("{SUBSCRIPTION}/providers/Microsoft.Authorization/roleAssignments{refused}")).await;
    assert_eq!((got.status, got.code()), (400, "UnsupportedQuery"));
}

#[tokio::test(start_paused = true)]
async fn built_in_roles_are_found_by_id_and_by_name_in_any_casing() {
    let bench = Bench::new(world());
    let base = "/providers/Microsoft.Authorization/roleDefinitions";
    let asked_at_group = bench.get(&format!("{GROUP}{base}?$filter=roleName eq 'storage blob data READER'")).await;
    assert_eq!(asked_at_group.body["value"][0]["id"], format!("{SUBSCRIPTION}{base}/{BLOB_READER}"));
    let unknown = bench.get(&format!("{SUBSCRIPTION}{base}?$filter=roleName eq 'no such role'")).await;
    assert_eq!((unknown.status, unknown.body), (200, json!({"value": []})));
    let tenant = bench.get(&format!("{base}/{}", SECRETS_USER.to_uppercase())).await;
    assert_eq!(tenant.body["properties"]["roleName"], "Key Vault Secrets User");
    assert_eq!(tenant.body["id"], format!("{base}/{SECRETS_USER}"));
    let two_pages = bench.get(&format!("{SUBSCRIPTION}{base}")).await;
    assert_eq!((two_pages.names().len(), two_pages.body["nextLink"].is_string()), (100, true));
}

#[tokio::test(start_paused = true)]
async fn every_answer_has_numbered_ids_and_a_count_of_what_is_left() {
    let bench = Bench::new(world());
    let (first, second) = (bench.get(SITE).await, bench.get(VAULT).await);
    assert_ne!(first.header("x-ms-request-id"), second.header("x-ms-request-id"));
    let left = |got: &Got| -> u32 {
        got.header("x-ms-ratelimit-remaining-subscription-reads").expect("a count").parse().expect("a number")
    };
    assert_eq!(left(&first), left(&second) + 1);
    let again = Bench::new(world()).get(SITE).await;
    assert_eq!(first.header("x-ms-correlation-request-id"), again.header("x-ms-correlation-request-id"));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_modelled_says_so() {
    let bench = Bench::new(world());
    let got = bench.send(Method::Post, &format!("{SITE}/slotsswap"), Some(json!({"targetSlot": "blue"}))).await;
    assert_eq!((got.status, got.code()), (501, "SandboxUnsupported"));
}
