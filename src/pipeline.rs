//! The one place where the stages are composed: observe, evaluate, plan, apply, report. The controller and every verb
//! of the command line come through here, so that they cannot disagree.

use std::{collections::BTreeMap, sync::Mutex};

use jiff::{SignedDuration, Timestamp};

use crate::{
    api::{FunctionIdentityPolicy, Mode},
    apply::{self, Permit, WriteLocks},
    azure::Azure,
    clock::Clock,
    evaluate,
    model::{Observed, Role, RoleId, Scope},
    observe::{self, Surveys},
    plan::{self, Change, Execution, Outcome, Step},
    policy::{Authority, Policy},
    report::{Pass, PassResult, Report},
};

/// What a pass may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Look and plan.
    Look,
    /// Whatever the policy's mode says: write in `Enforce`, rehearse in `DryRun`.
    Act,
}

/// On what authority a pass acts. Asked at its beginning, before planning and before each write, because boundaries and
/// policies change while passes are under way.
pub trait Leave {
    /// What policies may do now.
    fn authority(&self) -> Authority;

    /// Whether the policy that is being passed is still what its owner wants.
    fn is_current(&self, object: &FunctionIdentityPolicy) -> bool;
}

/// An authority that does not change: that of a command line.
impl Leave for Authority {
    fn authority(&self) -> Authority {
        self.clone()
    }

    fn is_current(&self, _: &FunctionIdentityPolicy) -> bool {
        true
    }
}

/// How long a write of an app's identity block is left alone. App Service may answer 202 and show the old block for a
/// while; written again, the app would restart again.
const IDENTITY_SETTLES: SignedDuration = SignedDuration::from_mins(2);

/// Azure and what is remembered of it between passes.
pub struct Pipeline {
    azure: Azure,
    surveys: Surveys,
    clock: Clock,
    /// When each app's identity block was last written. Losing it costs one needless write at most.
    identity_written: Mutex<BTreeMap<Scope, Timestamp>>,
    locks: WriteLocks,
}

impl Pipeline {
    /// Composes the stages over a client.
    #[must_use]
    pub fn new(azure: Azure, surveys: Surveys, clock: Clock) -> Self {
        Self { azure, surveys, clock, identity_written: Mutex::default(), locks: WriteLocks::default() }
    }

    /// One pass over one policy. Never fails: what goes wrong is in the report.
    pub async fn pass(
        &self,
        object: &FunctionIdentityPolicy,
        leave: &(impl Leave + Sync),
        duplicate_of: Option<String>,
        intent: Intent,
    ) -> Report {
        let at = self.clock.now();
        let finding = self.run(object, leave, duplicate_of, intent).await;
        Report {
            namespace: object.metadata.namespace.clone().unwrap_or_default(),
            name: object.metadata.name.clone().unwrap_or_default(),
            generation: object.metadata.generation.unwrap_or_default(),
            at,
            finding,
        }
    }

    /// Makes the next pass over this policy read everything anew that is older than `age`. Not for a policy outside its boundary: nobody makes
    /// us read subscriptions that are not theirs to look at.
    pub async fn refresh(&self, object: &FunctionIdentityPolicy, leave: &(impl Leave + Sync), age: SignedDuration) {
        let Ok(policy) = Policy::parse(object) else { return };
        if !leave.authority().verdict(&policy).unreadable(&policy).is_empty() {
            return;
        }
        if age.is_zero() {
            self.outdate(&policy).await;
        } else {
            let moment = self.clock.now().saturating_sub(age).unwrap_or(Timestamp::MIN);
            for subscription in policy.subscriptions() {
                self.surveys.outdate_before(subscription, moment).await;
            }
        }
    }

    async fn outdate(&self, policy: &Policy) {
        for subscription in policy.subscriptions() {
            self.surveys.outdate(subscription).await;
        }
    }

    async fn run(
        &self,
        object: &FunctionIdentityPolicy,
        leave: &(impl Leave + Sync),
        duplicate_of: Option<String>,
        intent: Intent,
    ) -> PassResult {
        let policy = match Policy::parse(object) {
            Ok(policy) => policy,
            Err(error) => return PassResult::Invalid(error),
        };
        let outside = leave.authority().verdict(&policy).unreadable(&policy);
        if !outside.is_empty() {
            return PassResult::OutsideBoundary(outside);
        }
        // After the boundary: who else speaks of an app is told only to those who may look at it.
        if let Some(other) = duplicate_of {
            return PassResult::Duplicate(other);
        }

        let mut observed = observe::observe(&self.azure, &self.surveys, self.clock, &policy).await;
        let mut evaluation = evaluate::evaluate(&policy, &observed, self.clock.now());
        if !evaluation.ask_groups.is_empty() {
            observe::ask_groups(&self.azure, &self.surveys, &mut observed, &evaluation.ask_groups).await;
            evaluation = evaluate::evaluate(&policy, &observed, self.clock.now());
        }
        let verdict = leave.authority().verdict(&policy);
        // Lost while we were reading: what was read is not ours to tell.
        let outside = verdict.unreadable(&policy);
        if !outside.is_empty() {
            return PassResult::OutsideBoundary(outside);
        }
        // Lists are of whole subscriptions; what lies outside of the boundary is not told.
        evaluation.withhold(|scope| verdict.may_tell(scope));
        let plan = plan::plan(&policy, &verdict, &evaluation, |scope, role| role_at(&observed, scope, *role));

        let permit = match (intent, plan.mode, policy.suspended) {
            (Intent::Act, Mode::Enforce, false) => Some(Permit::Write),
            (Intent::Act, Mode::DryRun, false) => Some(Permit::Rehearse),
            (Intent::Act, Mode::Report, _) | (Intent::Act, _, true) | (Intent::Look, _, _) => None,
        };
        let refused = |step: &Step| {
            if !leave.is_current(object) {
                return Some(Outcome::Moved("the policy was changed or deleted".to_owned()));
            }
            let held =
                plan::refuse_step(&policy, &leave.authority().verdict(&policy), plan.mode, step).map(Outcome::Held);
            held.or_else(|| self.settling(step))
        };
        let execution = match permit {
            Some(permit) => apply::apply(&self.azure, &plan, permit, &self.locks, refused).await,
            None => Execution::default(),
        };
        if permit == Some(Permit::Write) {
            self.remember(&execution);
            if execution.outdates_the_survey() && execution.only_adds() {
                for subscription in policy.subscriptions() {
                    self.surveys.outdate_for(subscription, &policy.target).await;
                }
            } else if execution.outdates_the_survey() {
                self.outdate(&policy).await;
            }
        }
        PassResult::Evaluated(Box::new(Pass { policy, evaluation, plan, execution }))
    }
}

impl Pipeline {
    /// Whether the step would repeat a write that Azure may still be carrying out.
    fn settling(&self, step: &Step) -> Option<Outcome> {
        let Change::Identity(change) = &step.change else { return None };
        let written = *self.identity_written.lock().ok()?.get(&change.target)?;
        let young = self.clock.now().duration_since(written) < IDENTITY_SETTLES;
        young.then(|| Outcome::Moved(format!("the identities of {} were written just now", change.target.name())))
    }

    fn remember(&self, execution: &Execution) {
        let Ok(mut written) = self.identity_written.lock() else { return };
        for entry in &execution.outcomes {
            // A refusal changed nothing; an answer that got lost may have been a yes.
            let may_be_under_way = match &entry.outcome {
                Outcome::Applied => true,
                Outcome::Failed(failure) => entry.sent && matches!(failure.code.as_str(), "Timeout" | "TransportError"),
                Outcome::AlreadyDone | Outcome::Moved(_) | Outcome::Held(_) | Outcome::Rehearsed => false,
            };
            if let (Change::Identity(change), true) = (&entry.step.change, may_be_under_way) {
                written.insert(change.target.clone(), self.clock.now());
            }
        }
    }
}

fn role_at(observed: &Observed, scope: &Scope, role: RoleId) -> Option<Role> {
    observed.access_at(scope).ok()?.roles.get(&role).cloned()
}
