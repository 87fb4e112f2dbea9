//! Sends the steps of a plan. Each is confirmed by a targeted read just before its write; failures are data.

mod confirm;
mod locks;

pub use locks::WriteLocks;

use crate::{
    azure::Azure,
    model::{Failure, FailureClass, Scope},
    plan::{Change, Execution, GrantRole, HoldReason, Outcome, Plan, Step, StepOutcome, grant_name},
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
/// it. A failed step does not stop those that do not depend on it: steps of one plan
/// never depend on each other, because what needs an earlier one is held for the next pass.
pub async fn apply(
    azure: &Azure,
    plan: &Plan,
    permit: Permit,
    locks: &WriteLocks,
    refused: impl Fn(&Step) -> Option<Outcome>,
) -> Execution {
    let mut execution = Execution::default();
    for step in &plan.steps {
        // From the look before the write to its answer.
        let _writing = locks.lock(&step.request.path.to_ascii_lowercase()).await;
        let mut sent = false;
        let outcome = attempt(azure, plan, step, permit, &refused, &mut sent).await.unwrap_or_else(Outcome::Failed);
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
    refused: &impl Fn(&Step) -> Option<Outcome>,
    sent: &mut bool,
) -> Result<Outcome, Failure> {
    // Before the looks: nothing waits between them and the write.
    let azure = &match permit {
        Permit::Write => azure.confirming().with_turn(azure.await_write_turn(&step.request).await?),
        Permit::Rehearse => azure.confirming(),
    };
    let confirmed = match &step.change {
        Change::Identity(change) => confirm::identity(azure, change).await?,
        Change::Grant(grant) => confirm::grant(azure, grant, plan).await?,
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
        Change::Identity(_) => azure.write_identity(&step.request).await.map(|()| Outcome::Applied),
        Change::Grant(grant) => create_grant(azure, step, grant).await,
    }
}

/// What we must be allowed to do, and where, for Azure to accept the step.
fn needed_rights(step: &Step) -> Vec<(&Scope, &'static str)> {
    match &step.change {
        Change::Grant(grant) => vec![(&grant.scope, "Microsoft.Authorization/roleAssignments/write")],
        Change::Identity(change) => {
            let attach = change.attach.iter();
            let attach = attach.map(|id| (id, "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"));
            std::iter::once((&change.target, "Microsoft.Web/sites/write")).chain(attach).collect()
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
            } else if same.iter().any(|other| !other.conditioned) {
                Ok(Outcome::AlreadyDone)
            } else {
                Ok(Outcome::Held(HoldReason::ConditionedAssignmentExists))
            }
        }
        Err(failure) => Err(failure),
    }
}
