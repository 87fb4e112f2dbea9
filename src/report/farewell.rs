//! How a policy that is being deleted takes its leave: the event that tells it, or when to try again.

use std::time::Duration;

use jiff::SignedDuration;
use kube::ResourceExt as _;

use crate::{api::FunctionIdentityPolicy, plan::Farewell};

/// How long one operator tries before the policy is let go all the same: deletion always ends.
const PATIENCE: SignedDuration = SignedDuration::from_mins(15);
/// The same since the deletion, whoever tried: operators that never run for so long are no reason to stay for ever.
const LIMIT: SignedDuration = SignedDuration::from_hours(1);
const SOONEST: Duration = Duration::from_secs(15);
const LATEST: Duration = Duration::from_secs(120);

/// What to do about a policy that is being deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FarewellEnd {
    /// The event to record before the policy goes: type, reason and note. None while it stays.
    pub event: Option<(&'static str, &'static str, String)>,
    /// When to try again while it stays.
    pub again: Duration,
}

/// What follows from the last pass, when the deletion was asked for `asked` ago. `waited`: for how long this operator has
/// tried in vain, asked only when it did so again.
#[must_use]
pub fn farewell(
    policy: &FunctionIdentityPolicy,
    farewell: &Farewell,
    asked: SignedDuration,
    waited: impl FnOnce() -> SignedDuration,
) -> FarewellEnd {
    let waited = if matches!(farewell, Farewell::Waiting { .. }) { waited() } else { SignedDuration::ZERO };
    let event = match farewell {
        Farewell::Skipped(why) => {
            let note = format!("nothing was revoked: {why}; what was granted stays. {}", find(policy));
            Some(("Warning", "RevokeSkipped", note))
        }
        Farewell::Done { revoked, kept: 0 } => Some(("Normal", "Revoked", format!("{} revoked", grants(*revoked)))),
        Farewell::Done { revoked, kept } => {
            let note =
                format!("{} revoked; {} kept, because other policies need them", grants(*revoked), grants(*kept));
            Some(("Normal", "StillRequired", note))
        }
        Farewell::Waiting { left, because } if waited >= PATIENCE || asked >= LIMIT => {
            let left = match left.as_slice() {
                [] => format!("what is left could not be read. {}", find(policy)),
                left => format!("left: {}", left.join(", ")),
            };
            let when = if waited >= PATIENCE { "after 15 minutes" } else { "an hour after the deletion" };
            Some(("Warning", "RevokeAbandoned", format!("given up {when}: {because}; {left}")))
        }
        // A second look decides, and Azure being away then counts as what it is.
        Farewell::FirstSight | Farewell::Waiting { .. } => None,
    };
    // As long again as it has lasted: a backoff that needs no counter and survives restarts.
    let again = Duration::try_from(asked).unwrap_or_default().clamp(SOONEST, LATEST);
    FarewellEnd { event, again }
}

fn grants(count: usize) -> String {
    if count == 1 { "1 role assignment".to_owned() } else { format!("{count} role assignments") }
}

/// How a person finds what was granted for the policy.
fn find(policy: &FunctionIdentityPolicy) -> String {
    format!(
        "Find it with: az role assignment list --all --subscription {} --query \"[?starts_with(description || '', \
         'Granted by Rolecall for FunctionIdentityPolicy {}/{}')].id\"",
        policy.spec.scope.subscription_id,
        policy.namespace().unwrap_or_default(),
        policy.name_any(),
    )
}
