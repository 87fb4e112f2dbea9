//! What went wrong, as a value: the class decides the cadence, the text helps the reader.

use std::time::Duration;

/// How a failure is to be treated. One class, one cadence (`report::cadence`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub enum FailureClass {
    /// Azure is not ready yet; time alone may heal it.
    Waiting,
    /// Azure asked us to slow down.
    Throttled,
    /// Transport, server errors, locks held by another operation.
    Transient,
    /// Our credential or its rights do not suffice.
    Denied,
    /// A lock, an Azure Policy, a deny assignment or a limit forbids it.
    Blocked,
    /// Azure refused the request as wrong.
    Rejected,
    /// An answer that this version cannot understand, or a request it should not have sent.
    Bug,
}

/// The code of a request that waits for its turn: of what Azure allows, or of what no list shows.
pub const AWAITS_TURN: &str = "AwaitsTurn";

/// A failed call or an answer that proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Failure {
    /// How to treat it.
    pub class: FailureClass,
    /// Azure's code, or ours in the same style (`Unwitnessed`, `Timeout`). Fit for a condition's reason.
    pub code: String,
    /// What was tried, on what, what Azure said. No secrets, no trailing period. The same for the same failure, so that
    /// a status that carries it does not change at every try.
    pub text: String,
    /// The id of this one answer, which Azure support asks for.
    pub correlation_id: Option<String>,
    /// What the reader can do, where there is something.
    pub hint: Option<String>,
    /// How long Azure asked us to wait.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// A failure of ours, without a code from Azure.
    pub fn new(class: FailureClass, code: &str, text: impl Into<String>) -> Self {
        Self { class, code: code.to_owned(), text: text.into(), correlation_id: None, hint: None, retry_after: None }
    }

    /// The same failure with advice.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Whether no answer came, so that a write may have taken effect all the same.
    pub fn is_unanswered(&self) -> bool {
        matches!(self.code.as_str(), "Timeout" | "TransportError")
    }

    /// Whether the thing asked for does not exist.
    pub fn is_not_found(&self) -> bool {
        self.class == FailureClass::Rejected && NOT_FOUND.contains(&self.code.as_str())
    }
}

/// Codes of a 404. `NotFound` is the provider's, the others are Resource Manager's own or of one family.
///
/// Not `SubscriptionNotFound`: it may mean another tenant or cloud, and says nothing about what is in it.
pub const NOT_FOUND: [&str; 5] =
    ["NotFound", "ResourceNotFound", "ResourceGroupNotFound", "RoleAssignmentNotFound", "RoleDefinitionDoesNotExist"];

/// The innermost cause of an error, on one line: the outer ones repeat it with less.
#[must_use]
pub fn innermost(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !inner_text.is_empty() {
            text = inner_text;
        }
        source = inner.source();
    }
    text.lines().next().unwrap_or_default().trim().to_owned()
}
