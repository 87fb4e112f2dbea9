//! The label values that are read back from a status. A status may hold any text, Azure's codes and what others wrote
//! into it, so only known words become a series.

/// The values of `ready`.
pub(super) const READY: [&str; 4] = ["True", "False", "Unknown", "other"];

/// The values of `reason` of `rolecall_policies`: the rows of the status table, `NotObserved` before the first look, and
/// the codes that Azure refuses a change with most often.
pub(super) const READY_REASONS: [&str; 30] = [
    "Compliant",
    "CompliantWithFindings",
    "DriftReported",
    "DriftDetected",
    "Remediating",
    "Propagating",
    "Held",
    "Undetermined",
    "Waiting",
    "Throttled",
    "Transient",
    "Denied",
    "Blocked",
    "Rejected",
    "Bug",
    "TargetNotFound",
    "InvalidSpec",
    "OutsideBoundary",
    "DuplicateTarget",
    "AuthorizationFailed",
    "LinkedAuthorizationFailed",
    "ScopeLocked",
    "RequestDisallowedByPolicy",
    "DenyAssignmentAuthorizationFailed",
    "RoleAssignmentLimitExceeded",
    "MissingSubscriptionRegistration",
    "NoToken",
    "NameInUse",
    "NotObserved",
    "other",
];

/// The values of `code` of `rolecall_findings`; `truncated` for those that a status had no room for.
pub(super) const FINDING_CODES: [&str; 43] = [
    "target-not-found",
    "target-stopped",
    "unreadable",
    "system-identity-disabled",
    "system-identity-forbidden",
    "user-identity-not-attached",
    "user-identity-not-found",
    "principal-missing",
    "stale-attachment",
    "role-unknown",
    "role-missing",
    "cosmos-role-missing",
    "access-denied",
    "access-undecided",
    "propagating",
    "resource-not-found",
    "keys-refused",
    "network-blocked",
    "resource-not-ready",
    "vault-not-found",
    "vault-mode-mismatch",
    "vault-mode-disputed",
    "access-policy-missing",
    "access-policy-undecided",
    "host-not-recycled",
    "connection-missing",
    "connection-uses-secret",
    "connection-wrong-identity",
    "platform-wrong-identity",
    "connection-identity-unsupported",
    "connection-unknown-to-scaler",
    "connection-undecided",
    "service-uri-mismatch",
    "references-denied",
    "grant-ends",
    "unneeded-grant",
    "privileged-grant",
    "former-grant",
    "extra-grant",
    "broad-grant",
    "inherited-grant",
    "truncated",
    "other",
];

/// The values of `reason` of `rolecall_held_changes`.
pub(super) const HOLD_REASONS: [&str; 27] = [
    "ModeReport",
    "Suspended",
    "BoundaryMode",
    "NotAllowed",
    "OutsideBoundary",
    "RoleTooPowerful",
    "MaxChanges",
    "AwaitsIdentity",
    "EvidenceIncomplete",
    "Propagating",
    "NoSafeChange",
    "ConditionedAssignmentExists",
    "OperatorMode",
    "StillRequired",
    "BreakerOpen",
    "NoBaseline",
    "WriteBudget",
    "DefaultIdentityWouldChange",
    "AnotherIdentityWrite",
    "AlreadyRestarted",
    "NotOurWrite",
    "AlreadyRefreshed",
    "LeaseUncertain",
    "VaultModeDisputed",
    "AccessWouldBreak",
    "PoliciesUnknown",
    "other",
];

/// The HTTP statuses that are told apart; the others are counted by their class.
pub(super) const STATUS_CODES: [(u16, &str); 16] = [
    (200, "200"),
    (201, "201"),
    (202, "202"),
    (204, "204"),
    (400, "400"),
    (401, "401"),
    (403, "403"),
    (404, "404"),
    (409, "409"),
    (412, "412"),
    (423, "423"),
    (429, "429"),
    (500, "500"),
    (502, "502"),
    (503, "503"),
    (504, "504"),
];

/// The word as the table has it, or `other`.
pub(super) fn known(table: &'static [&'static str], word: &str) -> &'static str {
    table.iter().find(|known| **known == word).copied().unwrap_or("other")
}

/// The value of `code` of `rolecall_arm_requests_total`.
pub(super) fn status_code(status: u16) -> &'static str {
    let told_apart = STATUS_CODES.iter().find(|(known, _)| *known == status);
    told_apart.map_or_else(|| class(status), |(_, word)| word)
}

fn class(status: u16) -> &'static str {
    match status / 100 {
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        5 => "5xx",
        _ => "other",
    }
}
