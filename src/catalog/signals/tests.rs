use std::collections::BTreeSet;

use super::*;

fn ids(table: Table, target: &str, result: &str, text: &str) -> Vec<&'static str> {
    classify(&Seen { table, target, result, text }).into_iter().map(|signal| signal.id.as_str()).collect()
}

#[test]
fn every_row_asks_for_something_and_has_a_name_of_its_own_and_a_source() {
    let names: BTreeSet<_> = signals().iter().map(|signal| &signal.id).collect();
    assert_eq!(names.len(), signals().len());
    for signal in signals() {
        assert!(!(signal.result.is_empty() && signal.text.is_empty()), "{}", signal.id);
        assert!(!signal.tables.is_empty() && !signal.source.is_empty() && !signal.says.is_empty(), "{}", signal.id);
        assert!(!signal.general || signal.text.is_empty(), "{}: words are never general", signal.id);
        assert!(!signal.supports.iter().any(|one| signal.opposes.contains(one)), "{}", signal.id);
        let known = |name: &String| services::services().iter().any(|service| service.name == *name);
        assert!(signal.service.iter().all(known), "{}", signal.id);
        // Two explanations at once are one signal that does not decide between them.
        assert!(signal.supports.len() < 2 || signal.ambiguous.is_some(), "{}", signal.id);
    }
    assert!(!playbook().is_empty());
}

use Table::{Dependencies, Exceptions, HostLogs, ResourceLogs, Traces};

const VAULT: &str = "kv-func-prod.vault.azure.net";
const BUS: &str = "sb-func-prod.servicebus.windows.net";
const BLOB: &str = "stfuncprod.blob.core.windows.net";

/// Table, target, result and text of rows as services and libraries write them, each with a signal that it is.
const MESSAGES: &[(Table, &str, &str, &str, &str)] = &[
    (Dependencies, "api.example.org", "401", "GET /v1", "refused-401"),
    (Dependencies, BLOB, "403", "GET https://stfuncprod.blob.core.windows.net/uploads", "refused-403"),
    (Dependencies, VAULT, "403", "GET /secrets/api-key/", "refused-403"),
    (Dependencies, VAULT, "401", "GET /secrets/api-key/", "vault-challenge"),
    (Dependencies, "KV.VAULT.AZURE.CN:443", "401", "", "vault-challenge"),
    (
        Exceptions,
        "",
        "",
        "The user, group or application 'appid=1;oid=2' does not have secrets get permission on key vault \
             'kv-func-prod;location=westeurope'. Status: 403 (Forbidden) ErrorCode: Forbidden Content: \
             {\"error\":{\"code\":\"Forbidden\",\"innererror\":{\"code\":\"ForbiddenByPolicy\"}}}",
        "vault-refused-by-policy",
    ),
    (
        Dependencies,
        VAULT,
        "403",
        "ForbiddenByPolicy: Caller is not authorized by access policy.",
        "vault-refused-by-policy",
    ),
    (
        Traces,
        "",
        "",
        "Caller is not authorized to perform action on resource.\r\nAction: \
             'Microsoft.KeyVault/vaults/secrets/getSecret/action'\r\nInner error: {\"code\": \"ForbiddenByRbac\"}",
        "vault-refused-by-rbac",
    ),
    (
        Exceptions,
        "",
        "",
        "Client address is not authorized and caller is not a trusted service.\r\nClient address: 20.1.2.3",
        "vault-firewall",
    ),
    (
        Exceptions,
        "",
        "",
        "Public network access is disabled and request is not from a trusted service nor via an approved private \
             link.",
        "vault-firewall",
    ),
    (
        Exceptions,
        "",
        "",
        "This request is not authorized to perform this operation using this permission.\nStatus: 403 (This request \
             is not authorized to perform this operation using this permission.)\nErrorCode: \
             AuthorizationPermissionMismatch",
        "storage-permission",
    ),
    (ResourceLogs, "", "403", "AuthorizationPermissionMismatch", "storage-permission"),
    (
        HostLogs,
        "",
        "",
        "This request is not authorized to perform this operation. Status: 403 ErrorCode: AuthorizationFailure",
        "storage-refused",
    ),
    (
        Exceptions,
        "",
        "",
        "Operation returned an invalid status code 'Forbidden'. Code: Forbidden. Message: Client address is not \
             authorized and caller is not a trusted service. Vault: kv-func-prod;location=westeurope InnerError: \
             {\"code\":\"ForbiddenByFirewall\"}",
        "vault-firewall",
    ),
    (
        Traces,
        "",
        "",
        "(Forbidden) Connection is not an approved private link and caller was ignored because bypass is not set to \
             'AzureServices' and PublicNetworkAccess is set to 'Disabled'.\nInner error: {\"code\": \
             \"ForbiddenByConnection\"}",
        "vault-firewall",
    ),
    (Exceptions, "", "", "Status: 401 ErrorCode: InvalidAuthenticationInfo", "storage-token"),
    (
        Exceptions,
        "",
        "",
        "Server failed to authenticate the request. ErrorCode: InvalidAuthenticationInfo <AuthenticationErrorDetail>Audience validation failed. Audience \
             did not match.</AuthenticationErrorDetail>",
        "audience",
    ),
    (
        Exceptions,
        "",
        "",
        "Key based authentication is not permitted on this storage account. ErrorCode: \
             KeyBasedAuthenticationNotPermitted",
        "storage-key",
    ),
    (
        Traces,
        "",
        "",
        "Unauthorized access. 'Listen' claim(s) are required to perform this operation. Resource: \
             'sb://sb-func-prod.servicebus.windows.net/orders'. TrackingId:1_G1, SystemTracker:gateway5",
        "amqp-claims",
    ),
    (
        Exceptions,
        "",
        "",
        "Put token failed. status-code: 401, status-description: InvalidAudience: The authorization header contains a \
             token with a wrong audience.",
        "audience",
    ),
    (
        Exceptions,
        "",
        "",
        "Status: 400 (Bad Request) Content: {\"statusCode\":400,\"message\":\"Unable to load the proper Managed \
             Identity.\",\"correlationId\":\"bf68136a\"}",
        "identity-not-found",
    ),
    (Dependencies, BUS, "", "amqp:unauthorized-access", "amqp-refused"),
    (
        Exceptions,
        "",
        "",
        "Ip has been prevented to connect to the endpoint. (amqp:unauthorized-access) TrackingId:9421",
        "namespace-firewall",
    ),
    (
        Exceptions,
        "",
        "",
        "Response status code does not indicate success: Forbidden (403); Substatus: 5301; ActivityId: eb482ff1; \
             Reason: (Request blocked by Auth co-func : Request is blocked because principal [a2461c6f] does not have \
             required RBAC permissions to perform action [Microsoft.DocumentDB/databaseAccounts/readMetadata])",
        "cosmos-refused",
    ),
    (
        HostLogs,
        "",
        "",
        "The listener for function 'Functions.feed' was unable to start. Microsoft.Azure.Cosmos.Client: Response status \
             code does not indicate success: Forbidden (403); Substatus: 5301; ActivityId: eb482ff2; Reason: ().",
        "cosmos-refused",
    ),
    // The account's own words, as the clients for Python and Node.js pass them on: without a substatus.
    (
        Exceptions,
        "",
        "",
        "(Forbidden) Request blocked by Auth co-func : Request is blocked because principal [a2461c6f] does not have \
             required RBAC permissions to perform action [Microsoft.DocumentDB/databaseAccounts/readMetadata] on resource \
             [/]. Learn more: https://aka.ms/cosmos-native-rbac.",
        "cosmos-refused",
    ),
    (Traces, "", "", "Cosmos DB answered 403 (Forbidden), Substatus 5301", "cosmos-refused"),
    (Exceptions, "", "", "HTTP 403, x-ms-substatus: 5301", "cosmos-refused"),
    (
        Exceptions,
        "",
        "",
        "Request originated from IP 20.1.2.3 through public internet. This is blocked by your Cosmos DB account \
             firewall settings.",
        "cosmos-firewall",
    ),
    (
        Traces,
        "",
        "",
        "ManagedIdentityCredential authentication unavailable. No Managed Identity endpoint found.",
        "credential-unavailable",
    ),
    (Traces, "", "", "MSI endpoint not found", "credential-unavailable"),
    (
        Exceptions,
        "",
        "",
        "ManagedIdentityCredential authentication failed: Service request failed.\nStatus: 400 (Bad \
             Request)\nContent: {\"statusCode\":400,\"message\":\"No User Assigned or Delegated Managed Identity found \
             for specified ClientId/ResourceId/PrincipalId.\"}",
        "identity-not-found",
    ),
    (Traces, "", "", "User-assigned identity not found for clientId 05e7.", "identity-not-found"),
    (Exceptions, "", "", "ManagedIdentityCredential authentication failed: No such identity", "identity-not-found"),
    (Exceptions, "", "", "Unable to retrieve access token", "token-not-retrieved"),
    (Traces, "", "", "Token request failed: The caller is not authorized.", "token-not-retrieved"),
    (
        Exceptions,
        "",
        "",
        "DefaultAzureCredential failed to retrieve a token from the included credentials. See the troubleshooting \
             guide for more information.\n- EnvironmentCredential authentication unavailable.",
        "chain-exhausted",
    ),
    (
        Exceptions,
        "",
        "",
        "AggregateAuthenticationError: ChainedTokenCredential authentication failed.\nCredentialUnavailableError: \
             EnvironmentCredential is unavailable. No underlying credential could be used.",
        "chain-exhausted",
    ),
    (
        Traces,
        "",
        "",
        "DefaultAzureCredential: failed to acquire a token.\nAttempted credentials:\n\tEnvironmentCredential: missing \
             environment variable AZURE_TENANT_ID",
        "chain-exhausted",
    ),
    (
        Exceptions,
        "",
        "",
        "AADSTS500011: The resource principal named https://storage.azure.example was not found in the tenant named \
             contoso.",
        "audience",
    ),
    (
        Exceptions,
        "",
        "",
        "Status: 401 (Unauthorized) WWW-Authenticate: Bearer error=\"invalid_token\", error_description=\"The audience is \
             invalid\"",
        "audience",
    ),
    (Traces, "", "", "the token was refused: invalid audience", "audience"),
    (Dependencies, "api.example.org", "401", "IDX10214: Audience validation failed.", "audience"),
    (Exceptions, "", "", "Name or service not known (sb-func-prod.servicebus.windows.net:443)", "no-such-host"),
    (Dependencies, BUS, "0", "No such host is known.", "no-such-host"),
    (Exceptions, "", "", "getaddrinfo ENOTFOUND stfuncprod.blob.core.windows.net", "no-such-host"),
    (
        Exceptions,
        "",
        "",
        "request to https://stfuncprod.blob.core.windows.net/uploads failed, reason: connect ETIMEDOUT 20.1.2.3:443",
        "timed-out",
    ),
    (
        Exceptions,
        "",
        "",
        "System.Net.Sockets.SocketException (10060): A connection attempt failed because the connected party did not \
             properly respond after a period of time, or established connection failed because connected host has failed \
             to respond. (stfuncprod.blob.core.windows.net:443)",
        "timed-out",
    ),
    (Exceptions, "", "", "The operation was not completed within the timeout: 00:01:00", "timed-out"),
    (Exceptions, "", "", "System.TimeoutException: The operation has timed out.", "timed-out"),
    (Dependencies, BLOB, "0", "", "no-answer"),
    (HostLogs, "", "", "The listener for function 'Functions.orders' was unable to start.", "listener-failed"),
];

/// Every row of the table is met by one of them, and so is every phrase of its words.
#[test]
fn real_messages_are_recognised() {
    let mut met = BTreeSet::new();
    for (table, target, result, text, id) in MESSAGES {
        let found = ids(*table, target, result, text);
        assert!(found.contains(id), "{text}: {found:?}");
        met.extend(found);
    }
    let unmet: Vec<_> = signals().iter().map(|signal| signal.id.as_str()).filter(|id| !met.contains(id)).collect();
    assert!(unmet.is_empty(), "no message has {unmet:?}");
    let is_said = |id: &str, phrase: &str| {
        let mut of_row = MESSAGES.iter().filter(|(.., of)| *of == id);
        of_row.any(|(_, _, result, text, _)| {
            has_phrase(&format!("{result}\n{text}").to_lowercase(), &phrase.to_lowercase())
        })
    };
    let phrases = signals().iter().flat_map(|signal| signal.text.iter().map(|phrase| (signal.id.as_str(), phrase)));
    let unsaid: Vec<_> = phrases.filter(|(id, phrase)| !is_said(id, phrase)).collect();
    assert!(unsaid.is_empty(), "no message says {unsaid:?}");
}

#[test]
fn what_only_looks_like_a_signal_is_none() {
    let cases: &[(Table, &str, &str, &str)] = &[
        (Dependencies, "stfuncprod.blob.core.windows.net", "404", "BlobNotFound"),
        (Dependencies, "stfuncprod.blob.core.windows.net", "409", "LeaseAlreadyPresent"),
        (Dependencies, "stfuncprod.blob.core.windows.net", "200", "GET /uploads/403"),
        (Traces, "", "403", "an app that logs 403"),
        (Traces, "", "", "Visibility timeout is 00:10:00"),
        (Exceptions, "", "", "sessionTimeoutMinutes must be positive"),
        (Traces, "", "", "AuthorizationFailed: the client has no right over the scope"),
        (Traces, "", "", "handled MyAuthorizationFailureCount"),
        (HostLogs, "", "", "The debugger was unable to start."),
        (HostLogs, "", "", "The listener for function 'Functions.orders' started."),
        (Traces, "", "", "ManagedIdentityCredential.GetToken succeeded"),
        (Traces, "", "", "The audience is invalidated every hour"),
        (Traces, "", "", "Substatus: 53012"),
    ];
    for (table, target, result, text) in cases {
        assert_eq!(ids(*table, target, result, text), Vec::<&str>::new(), "{text}");
    }
}

#[test]
fn what_is_said_in_words_outweighs_the_number() {
    let dependency = |text: &str| ids(Table::Dependencies, "stfuncprod.blob.core.windows.net", "403", text);
    assert_eq!(dependency("ErrorCode: AuthorizationPermissionMismatch"), ["storage-permission"]);
    let mismatch = "This request is not authorized to perform this operation using this permission.";
    assert_eq!(dependency(mismatch), ["storage-permission"], "its words begin like those of the other code");
    assert_eq!(dependency("AuthorizationFailure"), ["storage-refused"]);
    assert_eq!(dependency(""), ["refused-403"]);
}

#[test]
fn a_vault_that_asks_for_a_token_accuses_nobody() {
    for signal in classify(&Seen { table: Table::Dependencies, target: "kv.vault.azure.net", result: "401", text: "" })
    {
        assert!(signal.supports.is_empty() && signal.opposes.is_empty(), "{}", signal.id);
    }
    // Only a vault does: the name may be part of another host's.
    assert_eq!(ids(Table::Dependencies, "kv.vault.azure.net.example.org", "401", ""), ["refused-401"]);
    assert_eq!(ids(Table::Dependencies, "notvault.azure.net", "401", ""), ["refused-401"]);
}

#[test]
fn a_firewall_is_no_missing_role_and_a_missing_role_no_firewall() {
    use Hypothesis::{H2, H6};
    for (id, supports, opposes) in [
        ("vault-firewall", H6, H2),
        ("namespace-firewall", H6, H2),
        ("cosmos-firewall", H6, H2),
        ("storage-permission", H2, H6),
        ("amqp-claims", H2, H6),
        ("cosmos-refused", H2, H6),
    ] {
        let signal = signal(id).unwrap();
        assert!(signal.supports.contains(&supports) && signal.opposes.contains(&opposes), "{id}");
        assert!(signal.ambiguous.is_none(), "{id}");
    }
}

#[test]
fn texts_in_any_alphabet_are_searched_and_none_is_cut_within_a_character() {
    assert_eq!(ids(Table::Exceptions, "", "", "İ: délai dépassé, timed out — ß"), ["timed-out"]);
    assert_eq!(ids(Table::Exceptions, "ß|x", "ß", "étimed outé"), Vec::<&str>::new());
}
