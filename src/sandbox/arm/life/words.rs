//! What services and libraries say, as they say it. The texts are facts of Azure; where each was seen stands beside it.

use serde_json::Value;

use super::network::Door;
use super::service::{Answer, Arrival, Kind, Service};
use super::spec::Operation;

/// No role assignment lets the bearer in.
pub(super) fn refused_by_roles(service: &Service, call: &Arrival<'_>, resource: &Value) -> Answer {
    match service.kind {
        Kind::Blob | Kind::Queue | Kind::Table => storage(
            call,
            403,
            "AuthorizationPermissionMismatch",
            "This request is not authorized to perform this operation using this permission.",
        ),
        // Azure/azure-sdk-for-net issues 24289 and 39793.
        Kind::ServiceBus | Kind::EventHubs => {
            let claim = if call.operation == Operation::Read { "Listen" } else { "Send" };
            let (host, entity) = (&service.host, service.entity.to_lowercase());
            amqp(
                call,
                &format!(
                    "Unauthorized access. '{claim}' claim(s) are required to perform this operation. Resource: \
                     'sb://{host}/{entity}'."
                ),
            )
        }
        // A recorded answer of a vault, in several public repositories.
        Kind::Vault => {
            let (action, target) = (service.actions(call.operation)[0], &service.target);
            vault(
                call,
                "ForbiddenByRbac",
                &format!(
                    "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or \
                     role definitions were changed recently, please observe propagation time.\r\nCaller: {}\r\nAction: \
                     '{action}'\r\nResource: '{}'\r\nAssignment: (not found)\r\nDenyAssignmentId: null\r\nDecisionReason: \
                     null \r\nVault: {}\r\n",
                    bearer(call),
                    target.to_lowercase(),
                    place(service, resource)
                ),
            )
        }
    }
}

/// No access policy of a vault does. Azure/azure-sdk-for-net, Azure.Security.KeyVault.Secrets, recorded error.
pub(super) fn refused_by_policy(service: &Service, call: &Arrival<'_>, resource: &Value) -> Answer {
    let word = if call.operation == Operation::Read { "get" } else { "set" };
    let message = format!(
        "The user, group or application '{}' does not have secrets {word} permission on key vault '{}'. For help \
         resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287",
        bearer(call),
        place(service, resource)
    );
    vault(call, "ForbiddenByPolicy", &message)
}

/// A firewall does not.
pub(super) fn not_let_in(service: &Service, call: &Arrival<'_>, resource: &Value, door: Door) -> Answer {
    match service.kind {
        Kind::Blob | Kind::Queue | Kind::Table => {
            storage(call, 403, "AuthorizationFailure", "This request is not authorized to perform this operation.")
        }
        // MicrosoftDocs/azure-docs, articles/event-hubs/troubleshooting-guide.md.
        Kind::ServiceBus | Kind::EventHubs => amqp(call, "Ip has been prevented to connect to the endpoint."),
        // MicrosoftDocs/azure-docs, articles/key-vault/general/rest-error-codes.md.
        Kind::Vault if door == Door::Walled => vault(
            call,
            "ForbiddenByConnection",
            &format!(
                "Public network access is disabled and request is not from a trusted service nor via an approved private \
                 link.\r\nCaller: {}\r\nVault: {}",
                bearer(call),
                place(service, resource)
            ),
        ),
        Kind::Vault => vault(
            call,
            "ForbiddenByFirewall",
            &format!(
                "Client address is not authorized and caller is not a trusted service.\r\nClient address: \
                 20.50.2.17\r\nCaller: {}\r\nVault: {}",
                bearer(call),
                place(service, resource)
            ),
        ),
    }
}

/// The token is for somebody else.
pub(super) fn wrong_audience(service: &Service, call: &Arrival<'_>) -> Answer {
    match service.kind {
        Kind::Blob | Kind::Queue | Kind::Table => storage(
            call,
            401,
            "InvalidAuthenticationInfo",
            "Server failed to authenticate the request. Please refer to the information in the www-authenticate header.",
        ),
        // Azure/azure-sdk-for-net issue 27644.
        Kind::ServiceBus | Kind::EventHubs => amqp(
            call,
            "Put token failed. status-code: 401, status-description: InvalidAudience: The authorization header contains a \
             token with a wrong audience.",
        ),
        // MicrosoftDocs/azure-docs, articles/key-vault/general/rest-error-codes.md.
        Kind::Vault => {
            let (own, other) = (&service.audiences()[0], &call.token.audience);
            let message = format!("AKV10022: Invalid audience. Expected {own}, found: {other}.");
            let text = failed(&message, 401, "Unauthorized", "Unauthorized");
            Answer::Refused { status: Some(401), code: "Unauthorized", message: text }
        }
    }
}

/// A name that nobody knows, as .NET says it on Linux.
pub(super) fn no_such_host(service: &Service) -> String {
    format!("Name or service not known ({})", place_of(service))
}

/// An address that does not answer, in the same way.
pub(super) fn timed_out(service: &Service) -> String {
    format!("Connection timed out ({})", place_of(service))
}

fn place_of(service: &Service) -> String {
    let port = if service.is_amqp() { 5671 } else { 443 };
    format!("{}:{port}", service.host)
}

fn storage(call: &Arrival<'_>, status: u16, code: &'static str, text: &str) -> Answer {
    let (trace, time) = (call.trace, call.at);
    let said = format!("{text}\nRequestId:{trace}\nTime:{time}");
    let mut message = failed(&said, status, text, code);
    if status == 401 {
        message.push_str(
            "\n\nAdditional Information:\nAuthenticationErrorDetail: Audience validation failed. Audience did not match.",
        );
    }
    Answer::Refused { status: Some(status), code, message }
}

fn vault(call: &Arrival<'_>, code: &'static str, text: &str) -> Answer {
    let message = failed(text, 403, "Forbidden", "Forbidden");
    let content = serde_json::json!({
        "error": { "code": "Forbidden", "message": text, "innererror": { "code": code } }
    });
    let message = format!("{message}\n\nContent:\n{content}\n\nx-ms-request-id: {}", call.trace);
    Answer::Refused { status: Some(403), code, message }
}

fn amqp(call: &Arrival<'_>, text: &str) -> Answer {
    let (trace, time) = (call.trace.replace('-', ""), call.at.strftime("%Y-%m-%dT%H:%M:%S"));
    let message = format!(
        "{text} TrackingId:{trace}_G{}, SystemTracker:gateway{}, Timestamp:{time}",
        call.front + 1,
        call.front + 5
    );
    Answer::Refused { status: None, code: "UnauthorizedAccess", message }
}

/// An `Azure.RequestFailedException`.
fn failed(text: &str, status: u16, phrase: &str, code: &str) -> String {
    format!("{text}\nStatus: {status} ({phrase})\nErrorCode: {code}")
}

fn bearer(call: &Arrival<'_>) -> String {
    let token = call.token;
    format!("appid={};oid={};iss=https://sts.windows.net/{}/", token.client, token.principal, token.tenant)
}

fn place(service: &Service, resource: &Value) -> String {
    let location = resource["location"].as_str().unwrap_or("").replace(' ', "").to_lowercase();
    format!("{};location={location}", service.name())
}
