//! Azure's error answers, in every shape that was recorded, turned into one [`Failure`] with a class.
//!
//! Shapes: `{error:{code,message}}` (Resource Manager and most providers), `{Code,Message,…}` (Microsoft.Web),
//! `{code,message}` (Microsoft.DocumentDB), `{Error:{Code,Message}}` (operation results), `{Message}` alone, HTML, and
//! nothing at all (HEAD). The code decides, never the message.

use std::time::Duration;

use azure_core::{
    error::ErrorKind,
    http::headers::{HeaderName, Headers},
};
use serde_json::Value;

use crate::model::{Failure, FailureClass, innermost};

/// What the status line and the headers of a refused request say.
#[derive(Clone, Debug, Default)]
pub struct ErrorFacts {
    /// The HTTP status.
    pub status: u16,
    /// `Retry-After`, as sent.
    pub retry_after: Option<String>,
    /// The id that Azure support asks for.
    pub correlation_id: Option<String>,
}

/// The failure behind an answer that is not a success. `what` names the request, as `METHOD path`.
#[must_use]
pub fn failure_of(what: &str, facts: &ErrorFacts, body: &[u8]) -> Failure {
    let ErrorFacts { status, retry_after, correlation_id } = facts;
    let status = *status;
    let (code, message) = code_and_message(body);
    let code = code.filter(|code| !code.is_empty()).unwrap_or_else(|| format!("Http{status}"));
    // Only seconds: Azure sends no dates there, and a date would need a clock.
    let retry_after = retry_after.as_deref().and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
    let class = classify(status, &code, retry_after.is_some());

    let mut text = format!("{what} was answered {status} {code}");
    if let Some(message) = message.as_deref().map(first_line).filter(|message| !message.is_empty()) {
        text.push_str(": ");
        text.push_str(message.trim_end_matches('.'));
    }
    Failure {
        class,
        hint: hint(&code).map(str::to_owned),
        code: condition_reason(&code),
        text,
        correlation_id: correlation_id.clone(),
        retry_after,
    }
}

/// What a header of an answer says, if it is there. `Headers::get_optional_str` makes an error of each that is not, and
/// a backtrace with it where those are on: with nine names asked for, most of the work of an answer.
pub(super) fn header<'a>(headers: &'a Headers, name: &HeaderName) -> Option<&'a str> {
    headers.iter().find(|(own, _)| *own == name).map(|(_, value)| value.as_str())
}

/// The failure behind a request that got no answer.
pub(super) fn failure_of_transport(what: &str, error: &azure_core::Error) -> Failure {
    let detail = first_line(&innermost(error)).to_owned();
    match error.kind() {
        ErrorKind::Credential => {
            // An authority that refuses says so with an AADSTS code; all else is a network or set-up matter.
            let refused = detail.contains("AADSTS") || detail.contains("invalid_client");
            let class = if refused { FailureClass::Denied } else { FailureClass::Transient };
            // Without the request: it is the same failure for all of them, and told once.
            Failure::new(class, "NoToken", format!("nothing could be asked of Azure: no token: {detail}"))
                .with_hint("check `--token-source` and the identity it stands for")
        }
        _ => Failure::new(FailureClass::Transient, "TransportError", format!("{what} got no answer: {detail}")),
    }
}

fn code_and_message(body: &[u8]) -> (Option<String>, Option<String>) {
    let Ok(Value::Object(outer)) = serde_json::from_slice(body) else {
        return (None, None);
    };
    let member = |object: &serde_json::Map<String, Value>, name: &str| {
        object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
    };
    let inner = match member(&outer, "error") {
        Some(Value::Object(inner)) => inner,
        _ => outer,
    };
    let text = |name| match member(&inner, name) {
        Some(Value::String(text)) => Some(text),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    // A query that is refused says what is wrong with it in the innermost error only.
    let mut innermost = None;
    let mut next = member(&inner, "innererror");
    while let Some(Value::Object(error)) = next {
        innermost = member(&error, "message").and_then(|message| message.as_str().map(str::to_owned)).or(innermost);
        next = member(&error, "innererror");
    }
    let message = match (text("message"), innermost) {
        (Some(outer), Some(inner)) => Some(format!("{}: {inner}", outer.trim_end_matches('.'))),
        (outer, inner) => outer.or(inner),
    };
    (text("code"), message)
}

fn classify(status: u16, code: &str, has_retry_after: bool) -> FailureClass {
    match code {
        "PrincipalNotFound" | "ParentResourceNotFound" | "FailedIdentityOperation" => FailureClass::Waiting,
        "ScopeLocked"
        | "RequestDisallowedByPolicy"
        | "DenyAssignmentAuthorizationFailed"
        | "RoleAssignmentLimitExceeded"
        | "MissingSubscriptionRegistration" => FailureClass::Blocked,
        "AnotherOperationInProgress" | "RetryableErrorDueToAnotherOperation" => FailureClass::Transient,
        // A name in use for another triple: ours are derived from the triple, so this must not happen.
        "RoleAssignmentUpdateNotPermitted" => FailureClass::Bug,
        // App Service answers 429 with the code "429" while another write holds the site: a lock, not a limit.
        "429" if !has_retry_after => FailureClass::Transient,
        _ => match status {
            401 | 403 => FailureClass::Denied,
            429 => FailureClass::Throttled,
            503 if has_retry_after => FailureClass::Throttled,
            408 | 409 | 412 | 423 | 500..=599 => FailureClass::Transient,
            // A redirect is nothing that Resource Manager does.
            0..=399 => FailureClass::Bug,
            _ => FailureClass::Rejected,
        },
    }
}

fn hint(code: &str) -> Option<&'static str> {
    match code {
        "AuthorizationFailed" => Some("grant the operator the action at that scope (README, \"Azure rights\")"),
        "LinkedAuthorizationFailed" => {
            Some("attaching an identity also needs `Managed Identity Operator` on that identity")
        }
        "ScopeLocked" => Some("a lock on the scope forbids the change: remove it or make the change by hand"),
        "RequestDisallowedByPolicy" => Some("an Azure Policy assignment forbids the change"),
        "DenyAssignmentAuthorizationFailed" => Some("a deny assignment forbids it, whatever roles the operator has"),
        "InsufficientAccessError" => Some("grant the operator `Log Analytics Reader` on the workspace"),
        "RoleAssignmentLimitExceeded" => Some("the subscription has no room for more role assignments"),
        _ => None,
    }
}

/// A code that Kubernetes accepts as a condition's reason: `^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$`.
fn condition_reason(code: &str) -> String {
    let kept: String = code.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(128).collect();
    if kept.starts_with(|c: char| c.is_ascii_alphabetic()) { kept } else { format!("Http{kept}") }
}

/// The first line, cut to a length that a status can carry.
fn first_line(text: &str) -> &str {
    let line = text.lines().next().unwrap_or_default().trim();
    let end = line.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= 600).last();
    &line[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(status: u16, body: &str) -> Failure {
        failure_of("GET /x", &ErrorFacts { status, ..ErrorFacts::default() }, body.as_bytes())
    }

    #[test]
    fn every_envelope_gives_its_code() {
        let shapes = [
            (r#"{"error":{"code":"ResourceNotFound","message":"gone."}}"#, "ResourceNotFound"),
            (r#"{"Code":"NotFound","Message":"gone","Target":null}"#, "NotFound"),
            (r#"{"code":"NotFound","message":"gone\r\nActivityId: 1"}"#, "NotFound"),
            (r#"{"Error":{"Code":"ResourceGroupNotFound","Message":"x"}}"#, "ResourceGroupNotFound"),
            (r#"{"Message":"no code"}"#, "Http404"),
            ("<html>Bad Gateway</html>", "Http404"),
            ("", "Http404"),
        ];
        for (body, code) in shapes {
            assert_eq!(failure(404, body).code, code, "{body}");
        }
        assert_eq!(failure(404, shapes[2].0).text, "GET /x was answered 404 NotFound: gone");
    }

    #[test]
    fn an_escaped_message_does_not_hide_the_code() {
        let body = r#"{"error":{"code":"AuthorizationFailed","message":"the client \"x\" has no right.\r\n"}}"#;
        let failure = failure(403, body);
        assert_eq!((failure.class, failure.code.as_str()), (FailureClass::Denied, "AuthorizationFailed"));
        assert!(failure.hint.is_some());
    }

    #[test]
    fn a_refused_query_says_what_is_wrong_with_it() {
        let body = r#"{"error":{"message":"The request had some invalid properties","code":"BadArgumentError",
            "innererror":{"code":"SemanticError","message":"A semantic error occurred.","innererror":{"code":"SEM0100",
            "message":"'where' operator: Failed to resolve table or column expression named 'FunctionAppLogs'"}}}}"#;
        let text = "GET /x was answered 400 BadArgumentError: The request had some invalid properties: 'where' operator: \
                    Failed to resolve table or column expression named 'FunctionAppLogs'";
        assert_eq!(failure(400, body).text, text);
    }

    #[test]
    fn a_lock_of_app_service_is_not_throttling() {
        let lock = failure(429, r#"{"Code":"429","Message":"Cannot acquire exclusive lock"}"#);
        assert_eq!((lock.class, lock.code.as_str()), (FailureClass::Transient, "Http429"));
        let facts = ErrorFacts { status: 429, retry_after: Some("17".into()), correlation_id: Some("c-1".into()) };
        let limit = failure_of("GET /x", &facts, br#"{"error":{"code":"TooManyRequests","message":"slow"}}"#);
        assert_eq!((limit.class, limit.retry_after), (FailureClass::Throttled, Some(Duration::from_secs(17))));
        assert_eq!(limit.correlation_id.as_deref(), Some("c-1"));
    }
}
