//! Sends the steps of a plan. Each is confirmed by a targeted read just before its write; failures are data.

mod alignment;
mod confirm;
mod locks;

pub use locks::WriteLocks;

use crate::{
    azure::Azure,
    model::{
        Failure, FailureClass, Grant, PrincipalKind, TargetKind,
        condition::{Assignment, Request as Asked},
        grant_name,
    },
    plan::{Change, Execution, GrantRole, HoldReason, Outcome, Plan, Request, RevokeRole, Step, StepOutcome},
};

/// Leave to write. Only whoever holds one can apply; a dry run has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    /// Send the requests.
    Write,
    /// Do everything but the writes.
    Rehearse,
}

/// Applies the plan's steps in order. `refused` is asked just before each: whether there is a reason by now not to make
/// it. `may_write` is asked before the second request of a step. A failed step does not stop those that do not depend on
/// it: steps of one plan never depend on each other, because what needs an earlier one is held for the next pass.
pub async fn apply(
    azure: &Azure,
    plan: &Plan,
    permit: Permit,
    locks: &WriteLocks,
    refused: impl Fn(&Step) -> Option<Outcome>,
    may_write: impl Fn() -> bool,
) -> Execution {
    let mut execution = Execution::default();
    for step in &plan.steps {
        // From the look before the write to its answer.
        let _writing = locks.lock(&step.written().to_ascii_lowercase()).await;
        let mut sent = false;
        // All of a plan rests on one survey. When another step's look has found that wrong, as with an identity that was
        // made anew, nothing is taken away on its word.
        let outcome = if matches!(step.change, Change::Revoke(_)) && execution.found_another_world() {
            Outcome::Moved("another step has found the world changed".to_owned())
        } else {
            let attempt = attempt(azure, plan, step, permit, (&refused, &may_write), &mut sent);
            attempt.await.unwrap_or_else(Outcome::Failed)
        };
        tracing::info!(
            change = ?step.kinds(),
            subject = step.subject(),
            outcome = outcome.word(),
            "step"
        );
        execution.outcomes.push(StepOutcome { step: step.clone(), outcome, sent });
    }
    execution
}

async fn attempt(
    azure: &Azure,
    plan: &Plan,
    step: &Step,
    permit: Permit,
    (refused, may_write): (&impl Fn(&Step) -> Option<Outcome>, &impl Fn() -> bool),
    sent: &mut bool,
) -> Result<Outcome, Failure> {
    // Before the looks: nothing waits between them and the write.
    let azure = &match permit {
        Permit::Write => {
            let mut turns = vec![azure.await_write_turn(&step.request).await?];
            // Nothing is taken off that could not be put back at once.
            for other in step.then.iter().chain(&step.undo) {
                turns.push(azure.await_write_turn(other).await?);
            }
            azure.confirming().with_turns(turns)
        }
        Permit::Rehearse => azure.confirming(),
    };
    let confirmed = match &step.change {
        Change::Identity(change) => confirm::identity(azure, change).await?,
        Change::Grant(grant) => confirm::grant(azure, grant, plan).await?,
        Change::AddEntry(add) => confirm::vault_entry(azure, add, plan).await?,
        Change::Switch(switch) => alignment::confirm(azure, switch).await?,
        Change::Revoke(revoke) => confirm::revocation(azure, revoke).await?,
        Change::Reattach(reattach) => confirm::reattach(azure, reattach).await?,
        // Both rest on a reading of this very pass, and do no harm when the world has moved on.
        Change::Restart(_) | Change::Refresh { .. } => None,
    };
    // After the reads, so that nothing but the write itself lies between the answer and what it allows.
    if let Some(outcome) = confirmed.or_else(|| refused(step)) {
        return Ok(outcome);
    }
    if permit == Permit::Rehearse {
        return confirm::own_rights(azure, &needed_rights(step)).await;
    }
    *sent = true;
    match &step.change {
        Change::Grant(grant) => create_grant(azure, step, grant).await,
        Change::Switch(switch) => alignment::make(azure, step, switch, may_write).await,
        Change::Identity(_)
        | Change::AddEntry(_)
        | Change::Revoke(_)
        | Change::Reattach(_)
        | Change::Restart(_)
        | Change::Refresh { .. } => send(azure, step, may_write).await,
    }
}

/// How often what must follow is tried.
const TRIES: u32 = 3;

/// Sends what is planned, and what must follow at once. The second closes a gap that the first may have made, so it is sent
/// also when the first failed in passing: an identity that was taken off by a request whose answer got lost is an outage
/// too, and putting on what is on changes nothing.
async fn send(azure: &Azure, step: &Step, may_write: &impl Fn() -> bool) -> Result<Outcome, Failure> {
    let first = azure.write(&step.request).await;
    let Some(then) = &step.then else { return first.map(|()| Outcome::Applied) };
    if first.as_ref().is_err_and(|failure| failure.class != FailureClass::Transient) {
        return first.map(|()| Outcome::Applied);
    }
    first.and(follow(azure, then, may_write).await).map(|()| Outcome::Applied)
}

/// Sends what must follow, again after a passing failure, but never when another operator may act.
async fn follow(azure: &Azure, then: &Request, may_write: &impl Fn() -> bool) -> Result<(), Failure> {
    let mut result = Ok(());
    for tried in 0..TRIES {
        // The first try has its turn. Others wait for theirs before the permit, which is for the write alone.
        let azure = match tried {
            0 => azure.clone(),
            _ => match azure.await_write_turn(then).await {
                Ok(turn) => azure.with_turns(vec![turn]),
                Err(_) => break,
            },
        };
        if !may_write() {
            let text = "the lease ran out between two writes";
            result = Err(Failure::new(FailureClass::Transient, "LeaseUncertain", text));
            break;
        }
        result = azure.write(then).await;
        let passes = |failure: &Failure| matches!(failure.class, FailureClass::Transient | FailureClass::Throttled);
        if !result.as_ref().is_err_and(passes) {
            break;
        }
    }
    result
}

/// What we must be allowed to do, and where, for Azure to accept the step.
fn needed_rights(step: &Step) -> Vec<Asked<'_>> {
    let right = |resource, action| Asked { data: false, action, resource, assignment: None };
    let assign = |id| right(id, "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action");
    match &step.change {
        Change::Grant(grant) => {
            let kind = PrincipalKind::ServicePrincipal;
            let assignment = Some(Assignment { role: grant.role.id, principal: grant.principal, kind });
            vec![Asked { assignment, ..right(&grant.scope, "Microsoft.Authorization/roleAssignments/write") }]
        }
        Change::Revoke(RevokeRole { grant, .. }) => {
            let Grant { role, principal, principal_kind: kind, scope, .. } = grant;
            let assignment = Some(Assignment { role: *role, principal: *principal, kind: *kind });
            vec![Asked { assignment, ..right(scope, "Microsoft.Authorization/roleAssignments/delete") }]
        }
        Change::Reattach(reattach) => {
            vec![right(&reattach.target, TargetKind::of(&reattach.target).write_action()), assign(&reattach.identity)]
        }
        Change::AddEntry(add) => vec![right(&add.entry.vault, "Microsoft.KeyVault/vaults/accessPolicies/write")],
        // Two pages of the documentation differ on whether `roleAssignments/write` is needed as well.
        Change::Switch(switch) => vec![right(&switch.vault, "Microsoft.KeyVault/vaults/write")],
        Change::Restart(target) => vec![right(target, "Microsoft.Web/sites/restart/action")],
        // The action has no documented name; whoever may write the app may refresh it.
        Change::Refresh { target, .. } => vec![right(target, "Microsoft.Web/sites/write")],
        Change::Identity(change) => {
            let attach = change.attach.iter().map(assign);
            let write = right(&change.target, TargetKind::of(&change.target).write_action());
            std::iter::once(write).chain(attach).collect()
        }
    }
}

async fn create_grant(azure: &Azure, step: &Step, grant: &GrantRole) -> Result<Outcome, Failure> {
    let name = grant_name(&grant.scope, grant.principal, grant.role.id).to_string();
    match azure.create_grant(&grant.scope, &name, &step.request).await {
        Ok(()) => Ok(Outcome::Applied),
        // The same grant exists under another name. The answer does not say which, so it is looked up.
        Err(failure) if failure.code == "RoleAssignmentExists" => {
            let existing = azure.grants_at(&grant.scope, grant.principal).await?;
            let same: Vec<_> = existing.iter().filter(|other| confirm::is_same(other, grant)).collect();
            if same.is_empty() {
                let text = format!("{}, and it is not in the list yet", failure.text);
                Err(Failure::new(FailureClass::Waiting, "RoleAssignmentExists", text))
            } else if same.iter().any(|other| !other.is_conditioned()) {
                Ok(Outcome::AlreadyDone)
            } else {
                Ok(Outcome::Held(HoldReason::ConditionedAssignmentExists))
            }
        }
        Err(failure) => Err(failure),
    }
}
