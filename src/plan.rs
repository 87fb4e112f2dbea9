//! Chooses the changes that an evaluation calls for, and says of every other one why it is held. A plan leaves no
//! choice to `apply`: each step carries the exact request.

mod circumstances;
mod execution;
mod farewell;
mod held;
mod request;
mod step;

use std::collections::BTreeMap;

pub use circumstances::Circumstances;
pub use execution::{Execution, Outcome, StepOutcome};
pub use farewell::Farewell;
pub use held::{Held, HoldReason};
pub use request::{IDENTITY_API, Method, ROLE_ASSIGNMENT_API, Request};
pub use step::{Change, GrantRole, IdentityChange, RevokeRole, Step};

use crate::{
    api::{ChangeKind, Mode, SYSTEM_IDENTITY},
    evaluate::{Access, Effect, Evaluation, Finding, Kept},
    model::{Grant, Mark, Role, Scope, Site, grant_name},
    policy::{Identity, Policy, Refusal, Verdict, subject_of},
};

/// What is to be done, what is not, and how far the run may go.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The mode that applies: the policy's, as far as its boundary and the operator go.
    pub mode: Mode,
    /// Why that is less than the policy's, if it is.
    pub limit: Option<HoldReason>,
    /// Changes in order; none of them in `Report` or while suspended.
    pub steps: Vec<Step>,
    /// Changes that are not made, each with the reason.
    pub held: Vec<Held>,
}

/// A change that was chosen, before anything was asked about it.
struct Wish {
    kind: ChangeKind,
    change: WishedChange,
}

enum WishedChange {
    EnableSystem,
    Attach(Scope),
    Grant(Box<GrantRole>),
    Revoke(Box<RevokeRole>),
}

/// Plans for the policy under the circumstances.
///
/// `role` looks up a definition as Azure answered it in the same observation: what a role may do decides whether it
/// may be granted.
#[must_use]
pub fn plan(
    policy: &Policy,
    verdict: &Verdict,
    evaluation: &Evaluation,
    circumstances: &Circumstances,
    role: impl Fn(&Scope, &crate::model::RoleId) -> Option<Role>,
) -> Plan {
    let (mode, limit) = applicable_mode(policy, verdict, circumstances);
    let mut held = Vec::new();
    let mut accepted = Vec::new();
    for wish in wishes(policy, evaluation, circumstances, role) {
        let wish = match wish {
            Ok(wish) => wish,
            Err(unhelped) => {
                held.push(unhelped);
                continue;
            }
        };
        let reason = refuse(policy, verdict, (mode, limit.as_ref()), &wish)
            .or_else(|| circumstances.stops(wish.written(policy)).cloned().map(HoldReason::BreakerOpen))
            .or_else(|| lacks_evidence(evaluation, circumstances, &wish));
        match reason {
            Some(reason) => held.push(Held { kind: Some(wish.kind), subject: wish.subject(), reason }),
            None if accepted.len() >= policy.max_changes => {
                let reason = HoldReason::MaxChanges(policy.max_changes);
                held.push(Held { kind: Some(wish.kind), subject: wish.subject(), reason });
            }
            None => accepted.push(wish),
        }
    }
    // What waits for another change comes last: the first hold is the one to act on.
    held.extend(waiting(evaluation));
    let steps = steps(policy, evaluation.site.as_ref(), accepted);
    Plan { mode, limit, steps, held }
}

/// The mode that applies, and why it is less than the policy's, if it is.
fn applicable_mode(policy: &Policy, verdict: &Verdict, circumstances: &Circumstances) -> (Mode, Option<HoldReason>) {
    let within = verdict.mode(policy);
    let mode = within.min(circumstances.max_mode);
    let limit = if mode < within {
        Some(HoldReason::OperatorMode(mode))
    } else {
        (mode < policy.mode).then_some(HoldReason::BoundaryMode(mode))
    };
    (mode, limit)
}

/// Why what was read does not suffice for the change, if so.
fn lacks_evidence(evaluation: &Evaluation, circumstances: &Circumstances, wish: &Wish) -> Option<HoldReason> {
    match &wish.change {
        // Nothing is written for an app that could not be read: what it has now is part of the evidence.
        WishedChange::EnableSystem | WishedChange::Attach(_) | WishedChange::Grant(_) => {
            evaluation.site.is_none().then_some(HoldReason::EvidenceIncomplete)
        }
        WishedChange::Revoke(revoke) => {
            let unknown = evaluation.findings.iter().any(|finding| finding.effect() == Effect::Unknown);
            let unknown = unknown.then_some(HoldReason::EvidenceIncomplete);
            unknown.or_else(|| (!circumstances.knows(&revoke.grant.scope)).then_some(HoldReason::NoBaseline))
        }
    }
}

/// Every change that would help, in the order of the chain, and what no change of ours would help between them.
fn wishes(
    policy: &Policy,
    evaluation: &Evaluation,
    circumstances: &Circumstances,
    role: impl Fn(&Scope, &crate::model::RoleId) -> Option<Role>,
) -> Vec<Result<Wish, Held>> {
    let mut wishes: Vec<Result<Wish, Held>> = Vec::new();
    let mut granted: BTreeMap<_, usize> = BTreeMap::new();
    for finding in &evaluation.findings {
        let subject = finding.subject();
        match finding {
            Finding::SystemIdentityDisabled => {
                wishes.push(Ok(Wish { kind: ChangeKind::EnableSystemIdentity, change: WishedChange::EnableSystem }));
            }
            Finding::UserIdentityNotAttached { identity, .. } => {
                let others = || evaluation.findings.iter();
                // An identity that does not exist cannot be attached; its own finding is held.
                let gone = others()
                    .any(|other| matches!(other, Finding::UserIdentityNotFound { identity: gone } if gone == identity));
                let unread = others().any(|other| other.is_unreadable(|one| one == subject));
                let kind = ChangeKind::AttachUserIdentity;
                if unread {
                    wishes.push(Err(Held { kind: Some(kind), subject, reason: HoldReason::EvidenceIncomplete }));
                } else if !gone {
                    wishes.push(Ok(Wish { kind, change: WishedChange::Attach(identity.clone()) }));
                }
            }
            Finding::RoleMissing { origins, identity, principal, role_id, scope, held, .. } => {
                let Some(role) = role(scope, role_id) else {
                    wishes.push(Err(Held {
                        kind: Some(ChangeKind::GrantRole),
                        subject,
                        reason: HoldReason::NoSafeChange("the role's definition could not be read"),
                    }));
                    continue;
                };
                // Two needs may be met by one role: one grant serves both, and says so.
                let earlier = *granted.entry((*principal, *role_id, scope.clone())).or_insert(wishes.len());
                if let Some(Ok(Wish { change: WishedChange::Grant(grant), .. })) = wishes.get_mut(earlier) {
                    let new = origins.iter().filter(|origin| !grant.origins.contains(origin)).cloned();
                    let new: Vec<_> = new.collect();
                    grant.origins.extend(new);
                } else {
                    let grant = GrantRole {
                        origins: origins.clone(),
                        identity: identity.clone(),
                        principal: *principal,
                        role,
                        scope: scope.clone(),
                        held: held.clone(),
                        mark: Mark { installation: circumstances.installation.clone(), policy: policy.full_name() },
                        target: policy.target.clone(),
                    };
                    let change = WishedChange::Grant(Box::new(grant));
                    wishes.push(Ok(Wish { kind: ChangeKind::GrantRole, change }));
                }
            }
            Finding::UnneededGrant { grant, role, kept: None } => {
                let revoke = Box::new(RevokeRole { grant: (**grant).clone(), role: role.clone() });
                wishes.push(Ok(Wish { kind: ChangeKind::RevokeRole, change: WishedChange::Revoke(revoke) }));
            }
            Finding::UnneededGrant { kept: Some(kept), .. } => {
                let reason = match kept {
                    Kept::Required { .. } => HoldReason::StillRequired(kept.clone()),
                    Kept::Undecided(_) => HoldReason::EvidenceIncomplete,
                };
                wishes.push(Err(Held { kind: Some(ChangeKind::RevokeRole), subject, reason }));
            }
            other => wishes.extend(no_change_for(other, subject).map(Err)),
        }
    }
    wishes
}

impl Wish {
    /// What in the policy it is about.
    fn subject(&self) -> String {
        match &self.change {
            WishedChange::EnableSystem => identity_subject(&Identity::System),
            WishedChange::Attach(id) => identity_subject(&Identity::User(id.clone())),
            WishedChange::Grant(grant) => subject_of(&grant.origins),
            WishedChange::Revoke(revoke) => grant_subject(&revoke.grant),
        }
    }

    /// Where it writes.
    fn written<'a>(&'a self, policy: &'a Policy) -> &'a Scope {
        match &self.change {
            WishedChange::EnableSystem | WishedChange::Attach(_) => &policy.target,
            WishedChange::Grant(grant) => &grant.scope,
            WishedChange::Revoke(revoke) => &revoke.grant.scope,
        }
    }
}

/// Access that nobody could be granted, because there is no principal yet.
fn waiting(evaluation: &Evaluation) -> impl Iterator<Item = Held> {
    let waiting = evaluation.requirements.iter().filter(|evaluated| evaluated.access == Access::NoPrincipal);
    waiting.map(|evaluated| Held {
        kind: Some(ChangeKind::GrantRole),
        subject: subject_of(&evaluated.origins),
        reason: HoldReason::AwaitsIdentity(evaluated.identity.clone()),
    })
}

/// Why nothing is done about a finding that no change of this version would put right.
fn no_change_for(finding: &Finding, subject: String) -> Option<Held> {
    let reason = match finding {
        Finding::SystemIdentityForbidden { .. } => "identities are never switched off: other things may rely on them",
        Finding::UserIdentityNotFound { .. } => "the identity does not exist; creating one is not the operator's to do",
        Finding::PrincipalMissing { .. } => "Azure has not filled in the identity's principal yet",
        Finding::StaleAttachment { .. } => "putting it right means detaching the identity for a moment",
        Finding::AccessDenied { .. } => "a deny assignment outweighs every grant",
        Finding::VaultNotFound { .. } => "the vault does not exist",
        Finding::VaultModeMismatch { .. } => "a vault's mode is shared by all who use it and is not switched",
        Finding::TargetNotFound { .. } => "the app does not exist",
        Finding::Unreadable { .. } | Finding::AccessUndecided { .. } | Finding::RoleUnknown { .. } => {
            return Some(Held { kind: None, subject, reason: HoldReason::EvidenceIncomplete });
        }
        Finding::Propagating { until, .. } => {
            return Some(Held { kind: None, subject, reason: HoldReason::Propagating(*until) });
        }
        Finding::SystemIdentityDisabled
        | Finding::UserIdentityNotAttached { .. }
        | Finding::RoleMissing { .. }
        | Finding::UnneededGrant { .. } => return None,
    };
    Some(Held { kind: None, subject, reason: HoldReason::NoSafeChange(reason) })
}

fn refuse(
    policy: &Policy,
    verdict: &Verdict,
    (mode, limit): (Mode, Option<&HoldReason>),
    wish: &Wish,
) -> Option<HoldReason> {
    // The switches first: someone who sees `Suspended` need not look further.
    if policy.suspended {
        return Some(HoldReason::Suspended);
    }
    if mode == Mode::Report {
        return Some(limit.cloned().unwrap_or(HoldReason::ModeReport));
    }
    if !policy.allow.contains(&wish.kind) {
        return Some(HoldReason::NotAllowed(wish.kind));
    }
    let permitted = match &wish.change {
        WishedChange::EnableSystem => verdict.permits_change(mode, wish.kind, &[&policy.target]),
        WishedChange::Attach(identity) => verdict.permits_change(mode, wish.kind, &[&policy.target, identity]),
        WishedChange::Grant(grant) => verdict.permits_grant(mode, &grant.role, &grant.scope),
        WishedChange::Revoke(revoke) => verdict.permits_change(mode, wish.kind, &[&revoke.grant.scope]),
    };
    permitted.err().map(hold)
}

/// Why a step may no longer be made, asked again just before it: boundaries change while a pass is under way.
/// `planned`: the mode that it was planned in.
#[must_use]
pub fn refuse_step(policy: &Policy, verdict: &Verdict, planned: Mode, step: &Step) -> Option<HoldReason> {
    let mode = verdict.mode(policy).min(planned);
    if mode < planned {
        return Some(HoldReason::BoundaryMode(mode));
    }
    let permitted = match &step.change {
        Change::Grant(grant) => verdict.permits_grant(mode, &grant.role, &grant.scope),
        Change::Identity(change) => {
            let target = &change.target;
            let enable = change.enable_system.then_some((ChangeKind::EnableSystemIdentity, vec![target]));
            let attach = change.attach.iter().map(|id| (ChangeKind::AttachUserIdentity, vec![target, id]));
            enable.into_iter().chain(attach).try_for_each(|(kind, scopes)| verdict.permits_change(mode, kind, &scopes))
        }
        Change::Revoke(revoke) => verdict.permits_change(mode, ChangeKind::RevokeRole, &[&revoke.grant.scope]),
    };
    permitted.err().map(hold)
}

fn hold(refusal: Refusal) -> HoldReason {
    match refusal {
        Refusal::Outside(why) => HoldReason::OutsideBoundary(why),
        Refusal::Powerful { role, action } => HoldReason::RoleTooPowerful { role, action },
    }
}

/// The accepted wishes as steps: what gives before what takes away. Identity changes become one request, because each
/// write of a site's identity block restarts the app.
fn steps(policy: &Policy, site: Option<&Site>, accepted: Vec<Wish>) -> Vec<Step> {
    let (mut enable_system, mut attach) = (false, Vec::new());
    let (mut grants, mut revocations) = (Vec::new(), Vec::new());
    for wish in accepted {
        match wish.change {
            WishedChange::EnableSystem => enable_system = true,
            WishedChange::Attach(id) => attach.push(id),
            WishedChange::Grant(grant) => grants.push(Step::of(Change::Grant(*grant))),
            WishedChange::Revoke(revoke) => revocations.push(Step::of(Change::Revoke(*revoke))),
        }
    }
    let identity = site.filter(|_| enable_system || !attach.is_empty()).map(|site| {
        Step::of(Change::Identity(IdentityChange {
            target: policy.target.clone(),
            enable_system,
            attach,
            system_before: site.system,
            attached_before: site.attached.keys().cloned().collect(),
        }))
    });
    identity.into_iter().chain(grants).chain(revocations).collect()
}

impl Plan {
    /// Whether a role assignment of that name is one that this plan creates.
    #[must_use]
    pub fn creates(&self, name: &str) -> bool {
        self.steps.iter().any(|step| match &step.change {
            Change::Grant(grant) => grant_name(&grant.scope, grant.principal, grant.role.id).to_string() == name,
            Change::Identity(_) | Change::Revoke(_) => false,
        })
    }

    /// Whether the steps may be sent.
    #[must_use]
    pub fn may_write(&self) -> bool {
        self.mode == Mode::Enforce
    }
}

/// How an identity is called in a subject.
pub(crate) fn identity_subject(identity: &Identity) -> String {
    match identity {
        Identity::System => format!("identities/{SYSTEM_IDENTITY}"),
        Identity::User(id) => format!("identities/{}", id.name()),
    }
}

/// How a grant is called in a subject: by its name, which is unique in a tenant.
pub(crate) fn grant_subject(grant: &Grant) -> String {
    format!("roleAssignments/{}", grant.id.name())
}

#[cfg(test)]
mod tests;
