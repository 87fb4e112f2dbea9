//! What can happen at one call, and how it is written down. What it does is in `arm_calls`, `kube_calls` and `deeds`.

use std::{fmt, str::FromStr};

use super::ledger::{Call, Service};

/// What happens at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// The process ends before the request leaves it.
    CrashBefore,
    /// The request takes effect, and the process ends before it hears so.
    CrashAfter,
    /// The process ends, and the request that it sent takes effect seconds later, when its successor runs.
    CrashLate,
    /// The request takes effect, and the connection breaks before the answer.
    AnswerLost,
    /// Nothing happens and nothing is answered, until the client gives up.
    Hang,
    /// The same, and the request takes effect after the client has given up.
    Late,
    /// The connection breaks before anything happens; as often in a row.
    Reset(u8),
    /// Refused with a status, and a `Retry-After` in seconds; as often in a row.
    Refused { status: u16, retry_after: Option<u16>, times: u8 },
    /// A read is answered from before the last change.
    Stale,
    /// A read is answered from the very beginning.
    StaleOldest,
    /// A list is empty, with status 200.
    Empty,
    /// A list breaks off after its first page.
    HalfList,
    /// A list comes in another order.
    Reversed,
    /// The operator misses what happens in the cluster from here on, for so many seconds.
    Deaf(u16),
    /// Somebody else acts just before the call is served.
    Somebody(Deed),
}

/// Something that somebody else does, about one policy. `pick` chooses among what there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Deed {
    pub(super) act: Act,
    pub(super) policy: u8,
    pub(super) pick: u8,
}

macro_rules! acts {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// What somebody else can do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) enum Act { $($(#[$doc])* $name,)* }

        impl Act {
            pub(super) const ALL: &[Self] = &[$(Self::$name,)*];

            pub(super) fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }
        }
    };
}

acts! {
    /// A grant that the policy needs is deleted.
    GrantRemoved = "grant-removed",
    /// A grant that the policy needs is made under a foreign name.
    GrantAdded = "grant-added",
    /// A condition is put on a grant that the policy needs.
    GrantConditioned = "grant-conditioned",
    /// A grant that the policy needs is made under a foreign name, with a condition.
    ConditionedGrantAdded = "conditioned-grant-added",
    /// A user-assigned identity is deleted and made again.
    UserIdentityRecreated = "user-identity-recreated",
    /// The system-assigned identity is switched off and on again.
    SystemIdentityRecreated = "system-identity-recreated",
    /// The system-assigned identity is switched off.
    SystemIdentityDisabled = "system-identity-disabled",
    /// The system-assigned identity is switched on.
    SystemIdentityEnabled = "system-identity-enabled",
    /// Another identity is attached to the app.
    OtherAttached = "other-attached",
    /// A declared identity is detached from the app.
    DeclaredDetached = "declared-detached",
    /// An access policy that the policy needs is taken out of its vault.
    VaultEntryRemoved = "vault-entry-removed",
    /// Somebody lets an identity of the policy do something else in its vault, and nothing of what it is declared to do.
    VaultEntryReplaced = "vault-entry-replaced",
    /// Somebody whom nobody knows may do there what is declared; it may be a group.
    VaultEntryOfAnother = "vault-entry-of-another",
    /// The vault decides by the other model.
    VaultModeSwitched = "vault-mode-switched",
    /// The app is deleted.
    AppDeleted = "app-deleted",
    /// The boundary of the policy's namespace is deleted.
    BoundaryDeleted = "boundary-deleted",
    /// The boundary allows no more than `Report`.
    BoundaryToReport = "boundary-to-report",
    /// The boundary lists no role any more.
    BoundaryWithoutRoles = "boundary-without-roles",
    /// The boundary is as it was in the beginning.
    BoundaryRestored = "boundary-restored",
    /// Something in the spec that changes nothing about needs is edited.
    PolicyEdited = "policy-edited",
    /// The last binding is taken out of the policy.
    BindingDropped = "binding-dropped",
    /// The policy is suspended.
    Suspended = "suspended",
    /// The policy is no longer suspended.
    Resumed = "resumed",
    /// The mode becomes `Report`.
    ToReport = "to-report",
    /// The mode becomes `DryRun`.
    ToDryRun = "to-dry-run",
    /// The mode becomes `Enforce`.
    ToEnforce = "to-enforce",
    /// No kind of change is allowed any more.
    NothingAllowed = "nothing-allowed",
    /// A pass is asked for by annotation.
    PassRequested = "pass-requested",
    /// The policy is deleted.
    PolicyDeleted = "policy-deleted",
    /// The policy is deleted and made again.
    PolicyRecreated = "policy-recreated",
    /// A second policy for the same app is made.
    TwinCreated = "twin-created",
}

impl Fault {
    /// Whether it can happen at that call.
    pub(super) fn applies_to(self, call: &Call) -> bool {
        let read = !call.mutating;
        let list = read && call.is_list();
        let azure = call.service == Service::Azure;
        match self {
            Self::CrashBefore | Self::CrashAfter | Self::AnswerLost | Self::Hang | Self::Reset(_) => true,
            Self::CrashLate | Self::Late => azure && !read,
            Self::Refused { status: 404, .. } => !azure,
            Self::Refused { status: 409, .. } => !read,
            Self::Refused { .. } => true,
            Self::Stale | Self::StaleOldest => azure && read,
            Self::Empty | Self::HalfList | Self::Reversed => azure && list,
            Self::Deaf(_) | Self::Somebody(_) => true,
        }
    }

    /// Whether the world that it leaves behind may end otherwise than the undisturbed one.
    pub(super) fn changes_the_end(self) -> bool {
        matches!(self, Self::Somebody(_))
    }

    /// Whether it is about what happened before.
    pub(super) fn needs_the_past(self) -> bool {
        matches!(self, Self::Stale | Self::StaleOldest)
    }

    /// The same fault for the next try of the same request.
    pub(super) fn again(self) -> Option<Self> {
        match self {
            Self::Reset(times) => (times > 1).then(|| Self::Reset(times - 1)),
            Self::Refused { status, retry_after, times } => {
                (times > 1).then(|| Self::Refused { status, retry_after, times: times - 1 })
            }
            Self::HalfList => Some(Self::Refused { status: 500, retry_after: None, times: 3 }),
            _ => None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let times = |f: &mut fmt::Formatter<'_>, times: u8| if times > 1 { write!(f, "x{times}") } else { Ok(()) };
        match *self {
            Self::CrashBefore => f.write_str("crash-before"),
            Self::CrashAfter => f.write_str("crash-after"),
            Self::CrashLate => f.write_str("crash-late"),
            Self::AnswerLost => f.write_str("answer-lost"),
            Self::Hang => f.write_str("hang"),
            Self::Late => f.write_str("late"),
            Self::Reset(count) => f.write_str("reset").and_then(|()| times(f, count)),
            Self::Refused { status, retry_after, times: count } => {
                write!(f, "{status}")?;
                if let Some(seconds) = retry_after {
                    write!(f, "/{seconds}")?;
                }
                times(f, count)
            }
            Self::Stale => f.write_str("stale"),
            Self::StaleOldest => f.write_str("stale-oldest"),
            Self::Empty => f.write_str("empty"),
            Self::HalfList => f.write_str("half-list"),
            Self::Reversed => f.write_str("reversed"),
            Self::Deaf(seconds) => write!(f, "deaf/{seconds}"),
            Self::Somebody(Deed { act, policy, pick }) => write!(f, "{}@{policy}.{pick}", act.word()),
        }
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no fault");
        let (rest, times) = match text.rsplit_once('x').and_then(|(rest, times)| Some((rest, times.parse().ok()?))) {
            Some((rest, times)) => (rest, times),
            None => (text, 1),
        };
        if let Some((word, place)) = text.split_once('@') {
            let act = Act::ALL.iter().copied().find(|act| act.word() == word).ok_or_else(wrong)?;
            let (policy, pick) = place.split_once('.').ok_or_else(wrong)?;
            let number = |text: &str| text.parse().map_err(|_| wrong());
            return Ok(Self::Somebody(Deed { act, policy: number(policy)?, pick: number(pick)? }));
        }
        let (word, number) = match rest.split_once('/') {
            Some((word, number)) => (word, Some(number.parse().map_err(|_| wrong())?)),
            None => (rest, None),
        };
        match (word, number) {
            ("crash-before", None) => Ok(Self::CrashBefore),
            ("crash-after", None) => Ok(Self::CrashAfter),
            ("crash-late", None) => Ok(Self::CrashLate),
            ("answer-lost", None) => Ok(Self::AnswerLost),
            ("hang", None) => Ok(Self::Hang),
            ("late", None) => Ok(Self::Late),
            ("reset", None) => Ok(Self::Reset(times)),
            ("stale", None) => Ok(Self::Stale),
            ("stale-oldest", None) => Ok(Self::StaleOldest),
            ("empty", None) => Ok(Self::Empty),
            ("half-list", None) => Ok(Self::HalfList),
            ("reversed", None) => Ok(Self::Reversed),
            ("deaf", Some(seconds)) => Ok(Self::Deaf(seconds)),
            (status, retry_after) => {
                let status = status.parse().map_err(|_| wrong())?;
                Ok(Self::Refused { status, retry_after, times })
            }
        }
    }
}
