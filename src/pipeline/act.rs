//! The plan's steps are sent, each on the leave that holds at that moment, and what was written is remembered.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use super::{Leave, Live, Pipeline, vaults};
use crate::{
    api::{ChangeKind, FunctionIdentityPolicy},
    apply::{self, Permit},
    model::Scope,
    plan::{self, Change, Execution, HoldReason, Outcome, Plan, Step},
    policy::Policy,
};

impl Pipeline {
    /// Sends the plan's steps, each only while everything that allowed it still does.
    pub(super) async fn act(
        &self,
        object: &FunctionIdentityPolicy,
        leave: &(impl Leave + Sync),
        policy: &Policy,
        plan: &Plan,
        permit: Permit,
        live: Option<&Live>,
    ) -> Execution {
        let may_write = || leave.may_write(self.azure.longest_write());
        let sent = Mutex::new(BTreeMap::new());
        let refused = |step: &Step| {
            if !leave.is_current(object) {
                return Some(Outcome::Moved("the policy was changed or deleted".to_owned()));
            }
            // A policy that came or changed since may need what is about to be taken away: a grant, or all access policies
            // of a vault.
            let is_switch = matches!(step.change, Change::Switch(_));
            let takes_away = is_switch || matches!(step.change, Change::Revoke(_));
            if takes_away && live.is_none_or(|live| live.has_moved(leave)) {
                return Some(Outcome::Moved("the policies of the cluster have changed".to_owned()));
            }
            if is_switch && live.is_none_or(|live| vaults::others_are_heard(leave, policy, live)) {
                return Some(Outcome::Moved("other policies have a say about the vault".to_owned()));
            }
            if written_vault(&step.change).is_some_and(|vault| vaults::is_disputed(leave, policy, vault)) {
                return Some(Outcome::Held(HoldReason::VaultModeDisputed));
            }
            let now = self.clock.now();
            let held = plan::refuse_step(policy, &leave.authority().verdict(policy), plan.mode, step, now);
            let held = held.map(Outcome::Held).or_else(|| self.identity_writes.settling(step, now));
            if held.is_some() || permit != Permit::Write {
                return held;
            }
            // Nothing but the write itself comes after these two.
            if !may_write() {
                return Some(Outcome::Held(HoldReason::LeaseUncertain));
            }
            if let Err(until) = self.budget.take(step.writes(), now) {
                return Some(Outcome::Held(HoldReason::WriteBudget(until)));
            }
            sent.lock().unwrap_or_else(PoisonError::into_inner).insert(step.request.path.clone(), now);
            None
        };
        let execution = apply::apply(&self.azure, plan, permit, &self.locks, refused, may_write).await;
        self.count(&execution);
        if permit == Permit::Write {
            let sent = sent.into_inner().unwrap_or_else(PoisonError::into_inner);
            let sent_at = |step: &Step| sent.get(&step.request.path).copied().unwrap_or_else(|| self.clock.now());
            self.identity_writes.remember(&execution, sent_at);
            self.surveys.forget_references(&policy.target).await;
            for entry in execution.outcomes.iter().filter(|entry| entry.outcome == Outcome::Applied) {
                if let Change::Revoke(revoke) = &entry.step.change {
                    self.breaker.forgive_one_grant(revoke.grant.scope.subscription().unwrap_or_default());
                }
            }
        }
        let outdated = match permit {
            Permit::Write => execution.outdates_the_survey(),
            Permit::Rehearse => execution.found_another_world(),
        };
        if outdated && execution.only_adds() {
            for subscription in policy.subscriptions() {
                self.surveys.outdate_for(subscription, &policy.target).await;
            }
        } else if outdated {
            self.outdate(policy).await;
        }
        execution
    }

    fn count(&self, execution: &Execution) {
        for entry in &execution.outcomes {
            for kind in entry.step.kinds() {
                self.metrics().changed(change_word(kind), entry.outcome.word());
            }
        }
    }
}

/// The vault that a change is about.
fn written_vault(change: &Change) -> Option<&Scope> {
    match change {
        Change::AddEntry(add) => Some(&add.entry.vault),
        Change::Switch(switch) => Some(&switch.vault),
        _ => None,
    }
}

/// A label has to be a word of the program, so that it cannot be anything else.
fn change_word(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::EnableSystemIdentity => "EnableSystemIdentity",
        ChangeKind::AttachUserIdentity => "AttachUserIdentity",
        ChangeKind::GrantRole => "GrantRole",
        ChangeKind::AddVaultPolicyEntry => "AddVaultPolicyEntry",
        ChangeKind::RevokeRole => "RevokeRole",
        ChangeKind::RestartHost => "RestartHost",
        ChangeKind::RefreshReferences => "RefreshReferences",
        ChangeKind::SwitchVaultMode => "SwitchVaultMode",
        ChangeKind::ReattachUserIdentity => "ReattachUserIdentity",
    }
}
