//! Sentences for findings, holds and outcomes. Present tense, no trailing period, literals in backticks.

mod connections;
mod network;
mod vaults;

use jiff::Timestamp;

pub(super) use network::{doubt, private, way_in};

use super::Pass;
use crate::{
    catalog::{built_in, built_in_roles},
    evaluate::{Evaluated, Excess, Finding, Hypothesis, Kept, NearMiss, SignalSeen},
    model::{Scope, Source, TargetKind, cosmos::account_of, spelling::did_you_mean},
    plan::{HoldReason, Outcome},
    policy::{Identity, Unchecked},
};

/// What was expected and what was seen.
pub(super) fn finding(pass: &Pass, finding: &Finding) -> String {
    match finding {
        Finding::TargetNotFound { target } => {
            format!("the {} `{}` does not exist: {target}", TargetKind::of(target).noun(), target.app_name())
        }
        Finding::Unreadable { failure, .. } => failure.text.clone(),
        Finding::SystemIdentityDisabled => {
            "the system-assigned identity is required and is not enabled, so the app gets no token by it".to_owned()
        }
        Finding::SystemIdentityForbidden { principal } => {
            let principal = principal.map(|principal| format!(" (principal {principal})")).unwrap_or_default();
            format!("the system-assigned identity is forbidden and is enabled{principal}")
        }
        Finding::UserIdentityNotAttached { identity, attached } => {
            let instead = match attached.as_slice() {
                [] => "no user-assigned identity is".to_owned(),
                others => format!("attached: {}", names(others)),
            };
            format!("identity `{}` is required and is not attached; {instead}", identity.name())
        }
        Finding::UserIdentityNotFound { identity } => {
            format!("identity `{}` does not exist: {identity}", identity.name())
        }
        Finding::PrincipalMissing { identity } => format!("{identity} has no principal yet"),
        Finding::StaleAttachment { identity, on_site, current } => format!(
            "identity `{}` was made anew: the app still holds principal {on_site}, the identity now has {current}",
            identity.name()
        ),
        Finding::RoleUnknown { role, .. } => role_unknown(role),
        Finding::RoleMissing { identity, principal, role, scope, missing, near, .. } => {
            let near = near.iter().filter(|near| !is_declared(pass, identity, role, near));
            let near: String = near.map(near_miss).collect();
            let missing = actions(missing);
            format!(
                "{identity} (principal {principal}) lacks `{role}` at {}: nothing allows {missing}{near}",
                short(scope)
            )
        }
        Finding::CosmosRoleMissing { identity, principal, role, scope, missing, .. } => {
            let account = account_of(scope);
            let below = scope.as_str().get(account.as_str().len()..).unwrap_or_default();
            format!(
                "{identity} (principal {principal}) lacks `{role}`, a role of Cosmos DB's own, at `{}{below}`: nothing \
                 allows {}",
                account.name(),
                actions(missing),
            )
        }
        Finding::AccessDenied { identity, scope, by, .. } => {
            format!("deny assignment `{by}` keeps {identity} from {}, whatever roles it holds", short(scope))
        }
        Finding::AccessUndecided { identity, role, scope, because, .. } => {
            format!("whether {identity} has `{role}` at {} cannot be told: {because}", short(scope))
        }
        Finding::Propagating { identity, role, scope, since, until, .. } => {
            let (scope, since, until) = (short(scope), moment(*since), moment(*until));
            format!("{identity} was granted `{role}` at {scope}, {since}; it is certain to act from {until}")
        }
        Finding::GrantEnds { identity, role, scope, ends, .. } => grant_ends(identity, role, scope, *ends),
        Finding::ResourceNotFound { resource, .. } => format!("`{}` does not exist: {resource}", resource.name()),
        Finding::NetworkBlocked { resource, by, .. } => network::blocked(resource, by),
        Finding::ResourceNotReady { resource, state, .. } => network::not_ready(resource, state),
        Finding::KeysRefused { resource, .. } => {
            format!(
                "`{}` is reached by a key, and refuses every key (`allowSharedKeyAccess` is false)",
                resource.name()
            )
        }
        Finding::TargetStopped { state } => format!("the app does not run: Azure calls it `{state}`"),
        Finding::VaultNotFound { vault, .. } => format!("vault `{}` does not exist: {vault}", vault.name()),
        Finding::VaultModeMismatch { vault, expected, actual, .. } => vaults::mismatch(vault, *expected, *actual),
        Finding::VaultModeDisputed { vault, by, elsewhere, .. } => vaults::disputed(vault, by, *elsewhere),
        Finding::AccessPolicyMissing { identity, principal, vault, missing, .. } => {
            vaults::no_entry(vault, identity, *principal, missing)
        }
        Finding::AccessPolicyUndecided { identity, vault, because, .. } => {
            format!("whether {identity} may use what is declared of vault `{}` cannot be told: {because}", vault.name())
        }
        Finding::Connection { connection, problem, .. } => connections::problem(connection, problem),
        Finding::PlatformIdentity { declared, used, used_for, .. } => connections::platform(used_for, used, declared),
        // Not since when the host runs: that is worked out from its uptime, and differs by a moment at each look.
        Finding::HostNotRecycled { written, started: _ } => {
            format!("the app's identity was written {}, and its host is older and does not know it", moment(*written))
        }
        Finding::ReferencesDenied { vault, settings, acts_from, .. } => references_denied(vault, settings, *acts_from),
        Finding::UnneededGrant { grant, role, beside: _, kept } => {
            let kept = kept.as_ref().map(|kept| format!("; it stays: {}", why_kept(kept))).unwrap_or_default();
            format!(
                "Rolecall granted `{role}` to principal {} at {}, and the policy does not need it any more{kept}",
                grant.principal,
                short(&grant.scope)
            )
        }
        Finding::ExcessiveGrant { identity, grant: _, role, scope, excess } => excessive(identity, role, scope, excess),
    }
}

fn references_denied(vault: &Scope, settings: &[String], acts_from: Timestamp) -> String {
    let first: Vec<_> = settings.iter().take(3).map(|setting| format!("`{setting}`")).collect();
    let more = match settings.len().saturating_sub(3) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "access to vault `{}` acts since {}, and the app still holds its refusal for {}{more}",
        vault.name(),
        moment(acts_from),
        first.join(", ")
    )
}

/// The nearest of the built-in roles: the names of others are not for every namespace to read.
fn role_unknown(role: &str) -> String {
    let known = built_in_roles().iter().map(|role| role.name.as_str());
    let meant = if built_in(role).is_some() { String::new() } else { did_you_mean(role, known) };
    format!("no role named `{role}` is known in that subscription{meant}")
}

fn grant_ends(identity: &Identity, role: &str, scope: &Scope, ends: Timestamp) -> String {
    let (scope, ends) = (short(scope), moment(ends));
    format!("what gives {identity} the access of `{role}` at {scope} ends {ends}, and nothing takes its place")
}

fn excessive(identity: &Identity, role: &str, scope: &Scope, excess: &Excess) -> String {
    let scope = short(scope);
    match excess {
        Excess::Privileged(action) => format!(
            "{identity} holds `{role}` at {scope}, which allows `{action}` and so leads to more rights; nothing declares it"
        ),
        Excess::Former(principal) => {
            format!("principal {principal}, an earlier one of {identity}, still holds `{role}` at {scope}")
        }
        Excess::Extra => format!("{identity} holds `{role}` at {scope}, and nothing that is declared needs it"),
        Excess::Broad(least) => {
            let least = least.iter().map(|role| format!("`{role}`")).collect::<Vec<_>>().join(" with ");
            format!("{identity} holds `{role}` at {scope}, which allows more than is needed; {least} would do")
        }
        Excess::Inherited(places) => {
            let told = places.iter().take(3).map(short).collect::<Vec<_>>().join(", ");
            let more = places.len().saturating_sub(3);
            let more = if more == 0 { String::new() } else { format!(" and {more} more places") };
            format!("{identity} holds `{role}` at {scope}, and it is needed at {told}{more} only")
        }
    }
}

fn why_kept(kept: &Kept) -> String {
    match kept {
        Kept::Required { by, elsewhere } => format!("{} needs it", policies(by, *elsewhere)),
        Kept::Undecided(because) => (*because).to_owned(),
    }
}

/// Policies as those of a namespace may be told: others are not named.
fn policies(named: &[String], elsewhere: bool) -> String {
    let named = named.iter().map(|name| format!("`{name}`"));
    let other = elsewhere.then(|| "a policy of another namespace".to_owned());
    named.chain(other).collect::<Vec<_>>().join(" and ")
}

/// The first of some actions, without the provider, and how many more there are.
fn actions(actions: &[String]) -> String {
    let first = actions.first().map(String::as_str).unwrap_or_default();
    let ways = first.split(" or ").map(|way| way.split(" with ").map(short_action).collect::<Vec<_>>().join(" with "));
    let ways = ways.collect::<Vec<_>>().join(" or ");
    match actions.len() {
        0 | 1 => ways,
        many => format!("{ways} and {} more", many - 1),
    }
}

/// Without its provider, which the resource says. What is left of a pattern would say too little.
fn short_action(action: &str) -> String {
    let tail = action.split_once('/').map(|(_, tail)| tail).filter(|tail| !tail.contains('*') && tail.contains('/'));
    format!("`{}`", tail.unwrap_or(action))
}

/// Whether what looks like a mistake meets another need of the same policy.
fn is_declared(pass: &Pass, identity: &Identity, role: &str, near: &NearMiss) -> bool {
    let NearMiss::OtherScope(held_at) = near else { return false };
    let needs = |one: &Evaluated| one.identity == *identity && one.role == role && held_at.reaches(&one.scope);
    pass.evaluation.requirements.iter().any(needs)
}

fn near_miss(near: &NearMiss) -> String {
    match near {
        NearMiss::OtherScope(scope) => format!("; it holds that role at {}", short(scope)),
        NearMiss::NoDataActions { role, scope } => {
            format!("; it holds `{role}` at {}, which has no data actions", short(scope))
        }
        NearMiss::OtherPrincipal(principal) => {
            format!("; principal {principal}, which is none of the app's, holds that role there")
        }
    }
}

/// A hypothesis in words.
pub(super) fn hypothesis(hypothesis: Hypothesis) -> &'static str {
    match hypothesis {
        Hypothesis::H1 => "an identity is missing or the wrong one",
        Hypothesis::H2 => "a role is missing at the right scope",
        Hypothesis::H3 => "a grant has not taken effect yet",
        Hypothesis::H4 => "a vault's permission model, its access policies, or a remembered refusal",
        Hypothesis::H5 => "the wrong audience is asked for",
        Hypothesis::H6 => "not a matter of identities and roles",
    }
}

/// Why a change is not made.
pub(super) fn hold(reason: &HoldReason) -> String {
    match reason {
        HoldReason::ModeReport => "the policy's mode is `Report`".to_owned(),
        HoldReason::Suspended => "the policy is suspended: no write".to_owned(),
        HoldReason::BoundaryMode(mode) => format!("the boundary over the app allows no more than `{mode:?}`"),
        HoldReason::OperatorMode(mode) => format!("the operator is run with `--max-mode {mode:?}`"),
        HoldReason::NotAllowed(kind) => format!("`remediation.allow` does not list `{kind:?}`"),
        HoldReason::OutsideBoundary(why) => why.clone(),
        HoldReason::RoleTooPowerful { role, action } => {
            format!("role `{role}` allows `{action}`, which leads to more rights and is never granted")
        }
        HoldReason::MaxChanges(0) => "`remediation.maxChanges` is 0".to_owned(),
        HoldReason::MaxChanges(most) => format!("`remediation.maxChanges` allows {most} in one pass; the next goes on"),
        HoldReason::AwaitsIdentity(identity) => format!("{identity} has no principal to grant to yet"),
        HoldReason::EvidenceIncomplete => "what was read does not suffice to write".to_owned(),
        HoldReason::Propagating(until) => format!("the grant is there; it is certain to act from {}", moment(*until)),
        HoldReason::NoSafeChange(why) => (*why).to_owned(),
        HoldReason::ConditionedAssignmentExists => {
            "the same role assignment exists with a condition, which a write would erase".to_owned()
        }
        HoldReason::StillRequired(kept) => why_kept(kept),
        HoldReason::BreakerOpen(why) => format!("all writes in the subscription stop: {why}"),
        HoldReason::NoBaseline => {
            "the subscription was seen for the first time; nothing is taken away before a second look".to_owned()
        }
        HoldReason::DefaultIdentityWouldChange => {
            "user-assigned identities are attached and nothing declared uses the system-assigned one; once enabled, it \
             would be the one that connections without a client id use"
                .to_owned()
        }
        HoldReason::AnotherIdentityWrite => "another write of the app's identities comes first".to_owned(),
        HoldReason::AlreadyRestarted => "the app was restarted for it once already".to_owned(),
        HoldReason::NotOurWrite => {
            "this operator did not write the identity, or does not remember it; restart the app by hand if it answers \
             401"
            .to_owned()
        }
        HoldReason::AlreadyRefreshed => {
            "the references were refreshed after access took effect; look at the vault's firewall".to_owned()
        }
        HoldReason::WriteBudget(until) => {
            format!("`--max-writes-per-hour` is used up; there is room again from {}", moment(*until))
        }
        HoldReason::VaultModeDisputed => {
            "live policies declare different modes of the vault; none of them acts on it until they agree".to_owned()
        }
        HoldReason::PoliciesUnknown => {
            "it takes the policies of the cluster, which only the operator knows: others may need the vault as it is"
                .to_owned()
        }
        HoldReason::AccessWouldBreak(breaks) => vaults::breaks(breaks),
        HoldReason::LeaseUncertain => {
            "the operator's lease was not renewed in time for a write; another operator may take over".to_owned()
        }
    }
}

/// What came of a step.
pub(super) fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Applied => "applied".to_owned(),
        Outcome::AlreadyDone => "already there; nothing was sent".to_owned(),
        Outcome::Moved(what) => format!("not sent: {what}"),
        Outcome::Held(reason) => format!("not sent: {}", hold(reason)),
        Outcome::Rehearsed => "dry run: everything was confirmed and our rights allow it; not sent".to_owned(),
        Outcome::Failed(failure) => failure.text.clone(),
    }
}

/// A scope without what the reader can see elsewhere: `func-orders`, `stfuncprod/containers/uploads`.
pub(super) fn short(scope: &Scope) -> String {
    let text = scope.as_str();
    let Some(at) = scope.key().rfind("/providers/") else { return format!("`{text}`") };
    let mut segments = text[at + "/providers/".len()..].split('/').skip(2);
    let name = segments.next().unwrap_or_default();
    let below: Vec<_> = segments.filter(|segment| !segment.ends_with("Services") && *segment != "default").collect();
    if below.is_empty() { format!("`{name}`") } else { format!("`{name}/{}`", below.join("/")) }
}

/// Where a fact is from. A role assignment is named by a GUID, which tells nobody anything: its scope does.
pub(super) fn place(resource: &Scope) -> String {
    let assignment = "/providers/microsoft.authorization/roleassignments/";
    let scope =
        resource.key().rfind(assignment).filter(|at| *at > 0).map(|at| Scope::lenient(&resource.as_str()[..at]));
    short(scope.as_ref().unwrap_or(resource))
}

/// What is declared and cannot be checked.
pub(super) fn unchecked(entry: &Unchecked) -> String {
    format!("{}: {}", entry.origin, entry.because)
}

/// A time to the second: nobody waits for a fraction.
/// What telemetry says, and where it was seen most often; without its count, which moves with every look.
pub(super) fn signal(seen: &SignalSeen) -> String {
    let at = match seen.source {
        _ if seen.at.is_empty() => String::new(),
        Source::CredentialTraces => format!(" in the app's {}", seen.at),
        _ => format!(" at `{}`", seen.at),
    };
    format!("telemetry: {}{at}", seen.says)
}

pub(super) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn names(scopes: &[Scope]) -> String {
    scopes.iter().map(|scope| format!("`{}`", scope.name())).collect::<Vec<_>>().join(", ")
}
