//! Chooses the changes that an evaluation calls for, and says of every other one why it is held. A plan leaves no
//! choice to `apply`: each step carries the exact request.

mod alignment;
mod circumstances;
mod execution;
mod farewell;
mod held;
mod least;
mod request;
mod step;
mod vault;
mod wish;

pub use alignment::{SwitchVaultMode, may_switch};
pub use circumstances::Circumstances;
pub use execution::{Execution, Outcome, StepOutcome};
pub use farewell::Farewell;
pub use held::{Break, Held, HoldReason};
pub use request::{IDENTITY_API, Method, ROLE_ASSIGNMENT_API, Request};
pub use step::{AddVaultPolicyEntry, Change, GrantRole, IdentityChange, Reattach, RevokeRole, Step};
pub use vault::VaultEntry;

use jiff::Timestamp;
use least::least;
use wish::{Wish, WishedChange, waiting, wishes};

use crate::{
    api::{ChangeKind, Mode, SYSTEM_IDENTITY},
    evaluate::{Effect, Evaluation, Finding},
    model::{Grant, PrincipalId, Role, Scope, Site, grant_name},
    policy::{Identity, Policy, Refusal, Verdict},
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
    let asked = wishes((policy, verdict), evaluation, circumstances, role).into_iter().map(|wish| {
        let wish = wish?;
        let reason = refuse(policy, verdict, (mode, limit.as_ref()), &wish)
            .or_else(|| circumstances.stops(wish.written(policy)).cloned().map(HoldReason::BreakerOpen))
            .or_else(|| lacks_evidence(evaluation, circumstances, &wish))
            .or_else(|| too_much(policy, evaluation, circumstances, &wish));
        match reason {
            Some(reason) => Err(held_back(policy, evaluation, wish, reason)),
            None => Ok(wish),
        }
    });
    for wish in least(policy, asked.collect()) {
        let wish = match wish {
            Ok(wish) => wish,
            Err(unhelped) => {
                held.push(unhelped);
                continue;
            }
        };
        // Planned over the block as it is: after another write it would put back what was there before. And the host
        // that is to be restarted may be made anew by that write.
        let is_over_block = matches!(wish.change, WishedChange::Reattach(_) | WishedChange::Restart);
        let reason = if accepted.len() >= policy.max_changes {
            Some(HoldReason::MaxChanges(policy.max_changes))
        } else {
            (is_over_block && accepted.iter().any(Wish::writes_block)).then_some(HoldReason::AnotherIdentityWrite)
        };
        match reason {
            Some(reason) => held.push(held_back(policy, evaluation, wish, reason)),
            None => accepted.push(wish),
        }
    }
    // What waits for another change comes last: the first hold is the one to act on.
    held.extend(waiting(evaluation));
    let steps = steps(policy, evaluation.site.as_ref(), accepted);
    Plan { mode, limit, steps, held }
}

/// A change that could be made, and is not.
fn held_back(policy: &Policy, evaluation: &Evaluation, wish: Wish, reason: HoldReason) -> Held {
    let (kind, subject) = (Some(wish.kind), wish.subject());
    let would = steps(policy, evaluation.site.as_ref(), vec![wish]).pop().map(Box::new);
    Held { kind, subject, reason, would }
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
    // Nothing is written for an app that could not be read: what it has now is part of the evidence.
    let unread = evaluation.site.is_none().then_some(HoldReason::EvidenceIncomplete);
    match &wish.change {
        WishedChange::EnableSystem
        | WishedChange::Attach(_)
        | WishedChange::Grant(_)
        | WishedChange::AddEntry(_)
        | WishedChange::Reattach(_)
        | WishedChange::Restart
        | WishedChange::Refresh(_) => unread,
        WishedChange::Switch(_) => {
            unread.or_else(|| circumstances.policies_unknown.then_some(HoldReason::PoliciesUnknown))
        }
        WishedChange::Revoke(revoke) => {
            let unknown = evaluation.findings.iter().any(|finding| finding.effect() == Effect::Unknown);
            let unknown = unknown.then_some(HoldReason::EvidenceIncomplete);
            unknown.or_else(|| (!circumstances.knows(&revoke.grant.scope)).then_some(HoldReason::NoBaseline))
        }
    }
}

/// Why the change would do more than it is meant to, or was made already, if so.
fn too_much(
    policy: &Policy,
    evaluation: &Evaluation,
    circumstances: &Circumstances,
    wish: &Wish,
) -> Option<HoldReason> {
    match &wish.change {
        // A connection without a client id asks for the system-assigned identity first, whatever else is attached.
        WishedChange::EnableSystem => {
            let has_others = evaluation.site.as_ref().is_some_and(|site| !site.attached.is_empty());
            let is_meant = policy.needs().any(|need| need.identity == Identity::System);
            (has_others && !is_meant).then_some(HoldReason::DefaultIdentityWouldChange)
        }
        WishedChange::Restart if circumstances.restarted => Some(HoldReason::AlreadyRestarted),
        WishedChange::Restart if !circumstances.wrote_identity => Some(HoldReason::NotOurWrite),
        WishedChange::Refresh(_) => {
            let acting = evaluation.findings.iter().filter_map(|finding| match finding {
                Finding::ReferencesDenied { acts_from, .. } => Some(*acts_from),
                _ => None,
            });
            let refreshed = circumstances.references_refreshed;
            acting
                .max()
                .is_some_and(|from| refreshed.is_some_and(|at| at >= from))
                .then_some(HoldReason::AlreadyRefreshed)
        }
        WishedChange::Restart
        | WishedChange::Attach(_)
        | WishedChange::Grant(_)
        | WishedChange::AddEntry(_)
        | WishedChange::Switch(_)
        | WishedChange::Revoke(_)
        | WishedChange::Reattach(_) => None,
    }
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
    // Whoever lets an identity be detached for a moment must let it be attached again.
    let attach = (wish.kind == ChangeKind::ReattachUserIdentity).then_some(ChangeKind::AttachUserIdentity);
    if let Some(missing) = [Some(wish.kind), attach].into_iter().flatten().find(|kind| !policy.allow.contains(kind)) {
        return Some(HoldReason::NotAllowed(missing));
    }
    let permitted = match &wish.change {
        WishedChange::EnableSystem => verdict.permits_change(mode, wish.kind, &[&policy.target]),
        WishedChange::Attach(identity) => verdict.permits_change(mode, wish.kind, &[&policy.target, identity]),
        WishedChange::Grant(grant) => verdict.permits_grant(mode, &grant.role, &grant.scope),
        WishedChange::AddEntry(add) => verdict.permits_change(mode, wish.kind, &[&add.entry.vault]),
        WishedChange::Switch(switch) => alignment::permits(verdict, mode, switch, switch.at),
        WishedChange::Revoke(revoke) => verdict.permits_change(mode, wish.kind, &[&revoke.grant.scope]),
        WishedChange::Reattach(reattach) => permits_reattach(verdict, mode, reattach),
        WishedChange::Restart | WishedChange::Refresh(_) => verdict.permits_change(mode, wish.kind, &[&policy.target]),
    };
    permitted.err().map(hold)
}

/// Why a step may no longer be made, asked again just before it: boundaries change and waivers end while a pass is under
/// way. `planned`: the mode that it was planned in.
#[must_use]
pub fn refuse_step(
    policy: &Policy,
    verdict: &Verdict,
    planned: Mode,
    step: &Step,
    now: Timestamp,
) -> Option<HoldReason> {
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
        Change::AddEntry(add) => verdict.permits_change(mode, ChangeKind::AddVaultPolicyEntry, &[&add.entry.vault]),
        Change::Switch(switch) => alignment::permits(verdict, mode, switch, now),
        Change::Revoke(revoke) => verdict.permits_change(mode, ChangeKind::RevokeRole, &[&revoke.grant.scope]),
        Change::Reattach(reattach) => permits_reattach(verdict, mode, reattach),
        Change::Restart(target) => verdict.permits_change(mode, ChangeKind::RestartHost, &[target]),
        Change::Refresh { target, .. } => verdict.permits_change(mode, ChangeKind::RefreshReferences, &[target]),
    };
    permitted.err().map(hold)
}

fn permits_reattach(verdict: &Verdict, mode: Mode, reattach: &Reattach) -> Result<(), Refusal> {
    let scopes = [&reattach.target, &reattach.identity];
    verdict.permits_change(mode, ChangeKind::ReattachUserIdentity, &scopes)?;
    verdict.permits_change(mode, ChangeKind::AttachUserIdentity, &scopes)
}

fn hold(refusal: Refusal) -> HoldReason {
    match refusal {
        Refusal::Outside(why) => HoldReason::OutsideBoundary(why),
        Refusal::Powerful { role, action } => HoldReason::RoleTooPowerful { role, action },
    }
}

/// The accepted wishes as steps: what gives before what takes away, and what relies on both last. Enabling and attaching
/// become one request, because each write of a site's identity block restarts the app.
fn steps(policy: &Policy, site: Option<&Site>, accepted: Vec<Wish>) -> Vec<Step> {
    let (mut enable_system, mut attach) = (false, Vec::new());
    let (mut grants, mut others) = (Vec::new(), Vec::new());
    for wish in accepted {
        match wish.change {
            WishedChange::EnableSystem => enable_system = true,
            WishedChange::Attach(id) => attach.push(id),
            WishedChange::Grant(grant) => grants.push(Change::Grant(*grant)),
            WishedChange::AddEntry(add) => grants.push(Change::AddEntry(*add)),
            WishedChange::Switch(switch) => others.push(Change::Switch(*switch)),
            WishedChange::Revoke(revoke) => others.push(Change::Revoke(*revoke)),
            WishedChange::Reattach(reattach) => others.push(Change::Reattach(*reattach)),
            WishedChange::Restart => others.push(Change::Restart(policy.target.clone())),
            WishedChange::Refresh(origins) => {
                others.push(Change::Refresh { target: policy.target.clone(), origins });
            }
        }
    }
    let identity = site.filter(|_| enable_system || !attach.is_empty()).map(|site| {
        Change::Identity(IdentityChange {
            target: policy.target.clone(),
            workload: site.workload,
            enable_system,
            attach,
            system_before: site.system,
            attached_before: site.attached.keys().cloned().collect(),
        })
    });
    identity.into_iter().chain(grants).chain(others).map(Step::of).collect()
}

impl Plan {
    /// Whether a role assignment of that name is one that this plan creates.
    #[must_use]
    pub fn creates(&self, name: &str) -> bool {
        self.steps.iter().any(|step| match &step.change {
            Change::Grant(grant) => grant_name(&grant.scope, grant.principal, grant.role.id).to_string() == name,
            Change::Identity(_)
            | Change::AddEntry(_)
            | Change::Switch(_)
            | Change::Revoke(_)
            | Change::Reattach(_)
            | Change::Restart(_)
            | Change::Refresh { .. } => false,
        })
    }

    /// Whether this plan adds an access policy for that principal to the vault.
    #[must_use]
    pub fn adds_entry(&self, vault: &Scope, principal: PrincipalId) -> bool {
        self.steps.iter().any(|step| match &step.change {
            Change::AddEntry(AddVaultPolicyEntry { entry, .. }) => {
                entry.vault == *vault && entry.principal == principal
            }
            _ => false,
        })
    }

    /// From when on a vault may be switched whose grants have to act first; of several the earliest.
    #[must_use]
    pub fn switches_from(&self) -> Option<Timestamp> {
        self.held.iter().filter_map(waiting_switch).min()
    }

    /// Until when a vault's switch waits for grants to act, if nothing else is to be done before.
    #[must_use]
    pub fn waits_to_switch(&self) -> Option<Timestamp> {
        let first = self.held.first().filter(|_| self.steps.is_empty() && self.may_write());
        first.and_then(waiting_switch)
    }

    /// Whether the steps may be sent.
    #[must_use]
    pub fn may_write(&self) -> bool {
        self.mode == Mode::Enforce
    }
}

fn waiting_switch(held: &Held) -> Option<Timestamp> {
    match held {
        Held { kind: Some(ChangeKind::SwitchVaultMode), reason: HoldReason::Propagating(until), .. } => Some(*until),
        _ => None,
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
