//! The last pass over a policy: what was granted for it is revoked, as far as that is allowed and nobody else needs it.

use super::{Leave, Live, Pipeline};
use crate::{
    api::{DeletionPolicy, FunctionIdentityPolicy, Mode, Settings},
    apply::Permit,
    evaluate::{self, Evaluation, Finding},
    model::{Failure, Observed, grant_name},
    plan::{self, Execution, Farewell, HoldReason, Outcome, Plan},
    policy::Policy,
};

impl Pipeline {
    /// Revokes what was granted for a policy that is being deleted. Never fails: what goes wrong is in the answer.
    pub async fn farewell(&self, object: &FunctionIdentityPolicy, leave: &(impl Leave + Sync)) -> Farewell {
        let Ok(mut policy) = Policy::parse(object) else { return Farewell::Skipped("the policy is invalid") };
        if policy.deletion != DeletionPolicy::Revoke {
            return Farewell::Skipped("its `deletionPolicy` is `Retain`");
        }
        if policy.mode != Mode::Enforce {
            return Farewell::Skipped("its mode is not `Enforce`");
        }
        if policy.suspended {
            return Farewell::Skipped("it is suspended");
        }
        let verdict = leave.authority().verdict(&policy);
        if !verdict.unreadable(&policy).is_empty() {
            return Farewell::Skipped("it lies outside of its boundary");
        }
        if self.settings.installation.is_none() {
            return Farewell::Skipped("the operator has no installation id");
        }

        // Grants are all that this is about: nothing that may be a secret is read for it.
        policy.settings = Settings::Never;
        let observed = self.observe(&policy).await;
        if let Some(failure) = observed.access.values().find_map(|access| access.unreadable()) {
            return waiting(Vec::new(), failure);
        }
        let Some(live) = Live::of(leave, object.metadata.uid.clone()) else {
            return Farewell::Skipped("the policies of the cluster are not known");
        };
        let unneeded = match self.unneeded(&policy, &observed, &verdict, Some(&live)).await {
            Ok(unneeded) => unneeded,
            Err(failure) => return waiting(Vec::new(), &failure),
        };
        let evaluation = Evaluation::of_grants(&policy, unneeded);
        let circumstances = self.circumstances(&policy, leave, &evaluation).await;
        let plan = plan::plan(&policy, &verdict, &evaluation, &circumstances, |_, _| None);
        let execution = if plan.may_write() {
            self.act(object, leave, &policy, &plan, Permit::Write, Some(&live)).await
        } else {
            Execution::default()
        };
        let mut end = outcome(&evaluation, &plan, &execution);
        if matches!(end, Farewell::Done { .. }) {
            end = match self.unlisted(&policy, &observed).await {
                Ok(None) => end,
                Ok(Some(left)) => Farewell::Waiting { left: vec![left], because: "NotListed".to_owned() },
                Err(failure) => waiting(Vec::new(), &failure),
            };
        }
        if matches!(end, Farewell::FirstSight | Farewell::Waiting { .. }) {
            self.outdate(&policy).await;
        }
        end
    }

    /// A grant of ours for a need of the policy that the list does not show: lists may be older than the last write, and
    /// nobody looks again when the policy is gone.
    async fn unlisted(&self, policy: &Policy, observed: &Observed) -> Result<Option<String>, Failure> {
        let evaluation = evaluate::evaluate(policy, observed, self.clock.now());
        for need in &evaluation.requirements {
            let (Some(principal), Some(role)) = (need.principal, need.role_id) else { continue };
            let name = grant_name(&need.scope, principal, role).to_string();
            let listed = observed
                .access_at(&need.scope)
                .is_ok_and(|access| access.grants.iter().any(|grant| grant.id.name() == name));
            if listed {
                continue;
            }
            if let Some(grant) = self.azure.grant(&need.scope, &name).await?
                && grant.mark.as_ref().and_then(|mark| mark.installation.as_ref())
                    == self.settings.installation.as_ref()
            {
                return Ok(Some(grant.id.to_string()));
            }
        }
        Ok(None)
    }
}

fn waiting(left: Vec<String>, failure: &Failure) -> Farewell {
    Farewell::Waiting { left, because: failure.code.clone() }
}

fn outcome(evaluation: &Evaluation, plan: &Plan, execution: &Execution) -> Farewell {
    // Found gone by one read that contradicts the list is not gone: nobody looks again when the policy is, so both are
    // asked once more.
    let is_gone = |outcome: &Outcome| *outcome == Outcome::Applied;
    let gone: Vec<_> =
        execution.outcomes.iter().filter(|entry| is_gone(&entry.outcome)).map(|entry| entry.step.subject()).collect();
    let kept = plan.held.iter().filter(|held| matches!(held.reason, HoldReason::StillRequired(_)));
    let kept: Vec<_> = kept.map(|held| held.subject.clone()).collect();
    let left = evaluation.findings.iter().filter_map(|finding| match finding {
        Finding::UnneededGrant { grant, .. } => Some((finding.subject(), grant.id.to_string())),
        _ => None,
    });
    let left: Vec<_> =
        left.filter(|(subject, _)| !gone.contains(subject) && !kept.contains(subject)).map(|(_, id)| id).collect();
    if left.is_empty() {
        return Farewell::Done { revoked: gone.len(), kept: kept.len() };
    }
    // A switch that is off stays off: waiting would not help.
    let forbidden = plan.held.iter().find_map(|held| match &held.reason {
        HoldReason::NotAllowed(_) => Some("`remediation.allow` does not list `RevokeRole`"),
        HoldReason::OutsideBoundary(_) => Some("no boundary lets it revoke"),
        HoldReason::BoundaryMode(_) | HoldReason::OperatorMode(_) => Some("its boundary or the operator caps the mode"),
        _ => None,
    });
    if let Some(why) = forbidden {
        return Farewell::Skipped(why);
    }
    if plan.held.iter().any(|held| held.reason == HoldReason::NoBaseline) {
        return Farewell::FirstSight;
    }
    let held = plan.held.iter().map(|held| held.reason.word().to_owned());
    let tried = execution.outcomes.iter().filter_map(|entry| match &entry.outcome {
        Outcome::Failed(failure) => Some(failure.code.clone()),
        Outcome::Held(reason) => Some(reason.word().to_owned()),
        Outcome::Moved(what) => Some(what.clone()),
        Outcome::AlreadyDone => Some("Listed".to_owned()),
        Outcome::Applied | Outcome::Rehearsed => None,
    });
    let because = tried.chain(held).next().unwrap_or_else(|| "not all of it was tried".to_owned());
    Farewell::Waiting { left, because }
}
