//! The one place where the stages are composed: observe, evaluate, plan, apply, report. The controller and every verb
//! of the command line come through here, so that they cannot disagree.

mod act;
mod ask;
mod breaker;
mod excess;
mod farewell;
mod leave;
mod live;
mod memory;
mod network;
mod vaults;

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};

pub use breaker::BreakerLimits;
pub use leave::Leave;

use self::{
    breaker::Breaker,
    live::Live,
    memory::{IdentityWrites, WriteBudget},
};
use crate::{
    api::{FunctionIdentityPolicy, Mode, Prune},
    apply::{Permit, WriteLocks},
    azure::Azure,
    clock::Clock,
    evaluate::{self, Evaluation, Finding, Standing},
    metrics::Metrics,
    model::{Failure, Grant, HostSeen, Observed, Owner, Reading, Role, RoleId, Scope, Workload},
    observe::{self, Surveys},
    plan::{self, Change, Circumstances, Execution},
    policy::{Policy, Verdict},
    report::{Aftermath, Pass, PassResult, Report},
};

/// What a pass may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Look and plan.
    Look,
    /// The same, and keep the evidence for a person.
    Explain,
    /// Whatever the policy's mode says: write in `Enforce`, rehearse in `DryRun`.
    Act,
}

/// How long a host may leave the question unanswered since when it runs.
const HOSTS_ANSWER_WITHIN: SignedDuration = SignedDuration::from_hours(1);

/// How the operator is run, whatever the policies say.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The installation that grants are made for: one cluster's operators. Without it nothing is ever provably ours.
    pub installation: Option<String>,
    /// The furthest that any policy may go.
    pub max_mode: Mode,
    /// How many writes may be sent within an hour, over all policies.
    pub max_writes_per_hour: Option<u32>,
    /// How much may change at once before writes stop.
    pub breaker: BreakerLimits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            installation: None,
            max_mode: Mode::Enforce,
            max_writes_per_hour: None,
            breaker: BreakerLimits::default(),
        }
    }
}

/// Azure and what is remembered of it between passes.
pub struct Pipeline {
    azure: Azure,
    surveys: Surveys,
    clock: Clock,
    settings: Settings,
    identity_writes: IdentityWrites,
    budget: WriteBudget,
    breaker: Breaker,
    locks: WriteLocks,
}

impl Pipeline {
    /// Composes the stages over a client.
    #[must_use]
    pub fn new(azure: Azure, surveys: Surveys, clock: Clock) -> Self {
        let settings = Settings::default();
        let (budget, breaker) = (WriteBudget::new(settings.max_writes_per_hour), Breaker::new(settings.breaker));
        let (identity_writes, locks) = (IdentityWrites::default(), WriteLocks::default());
        Self { azure, surveys, clock, settings, identity_writes, budget, breaker, locks }
    }

    /// The same, run in that way.
    #[must_use]
    pub fn with(mut self, settings: Settings) -> Self {
        self.budget = WriteBudget::new(settings.max_writes_per_hour);
        self.breaker = Breaker::new(settings.breaker);
        self.settings = settings;
        self
    }

    /// The subscriptions in which nothing is written because too much changed at once, with the reason.
    #[must_use]
    pub fn stopped(&self) -> BTreeMap<String, String> {
        self.breaker.stopped()
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
        // Boxed: all stages together are a large future, and every driver holds it.
        let finding = Box::pin(self.run(object, leave, duplicate_of, intent)).await;
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

        let previous = Aftermath::of(object.status.as_ref());
        let mut observed = Box::pin(self.observe(&policy)).await;
        let pending = self.pending_restart(&policy, previous, &mut observed).await;
        let may_look = leave.authority().verdict(&policy);
        self.look_at_network(&policy, object.status.as_ref(), intent, &may_look, &mut observed).await;
        // Whoever asks why is told what telemetry says, also where the configuration is in order.
        let wants_evidence = intent == Intent::Explain || previous.recovery.is_due(self.clock.now());
        // On the heap: few policies ask more than once, and the future of every pass would carry the room for it.
        let (mut observed, mut evaluation) =
            Box::pin(self.evaluate(&policy, observed, &may_look, wants_evidence)).await;
        let verdict = leave.authority().verdict(&policy);
        // Lost while we were reading: what was read is not ours to tell.
        let outside = verdict.unreadable(&policy);
        if !outside.is_empty() {
            return PassResult::OutsideBoundary(outside);
        }
        // Lists are of whole subscriptions; what lies outside of the boundary is not told.
        evaluation.withhold(|scope| verdict.may_tell(scope));
        vaults::add_disputes(&policy, leave, &mut evaluation);
        let live = Box::pin(self.align(&policy, &verdict, leave, &mut observed, &mut evaluation)).await;
        let live = live.or_else(|| (policy.prune == Prune::Owned).then(|| Live::of(leave, None)).flatten());
        if policy.prune == Prune::Owned {
            let unneeded = self.unneeded(&policy, &observed, &verdict, live.as_ref()).await;
            evaluation.findings.extend(
                unneeded.unwrap_or_else(|failure| {
                    vec![Finding::Unreadable { subjects: vec!["prune".to_owned()], failure }]
                }),
            );
        }
        excess::add(&policy, &observed, &verdict, leave, &mut evaluation);
        let circumstances = Circumstances {
            wrote_identity: self.identity_writes.of(&policy.target).is_some(),
            restarted: pending.is_some_and(|(_, restarted)| restarted),
            references_refreshed: previous.references_refreshed,
            ..self.circumstances(&policy, leave, &evaluation).await
        };
        // Whoever asks why wants to know what would help, also where the policy only reports.
        let plan = {
            let planned = match intent {
                Intent::Explain => Cow::Owned(Policy { mode: Mode::Enforce, ..policy.clone() }),
                Intent::Look | Intent::Act => Cow::Borrowed(&policy),
            };
            let role = |scope: &Scope, role: &RoleId| role_at(&observed, scope, *role);
            plan::plan(&planned, &verdict, &evaluation, &circumstances, role)
        };
        let permit = match (intent, plan.mode, policy.suspended) {
            (Intent::Act, Mode::Enforce, false) => Some(Permit::Write),
            (Intent::Act, Mode::DryRun, false) => Some(Permit::Rehearse),
            (Intent::Act, Mode::Report, _) | (Intent::Act, _, true) | (Intent::Look | Intent::Explain, _, _) => None,
        };
        let execution = match permit {
            Some(permit) => self.act(object, leave, &policy, &plan, permit, live.as_ref()).await,
            None => Execution::default(),
        };
        // Lost while we were writing. What was done is in the log; what was read is not ours to tell any more.
        let outside = leave.authority().verdict(&policy).unreadable(&policy);
        if !outside.is_empty() {
            return PassResult::OutsideBoundary(outside);
        }
        let written = self.identity_writes.of(&policy.target).map(|written| (written.at, written.restarted));
        let refreshed = execution.acted().any(|step| matches!(step.change, Change::Refresh { .. }));
        let aftermath = Aftermath {
            pending_restart: written.or(pending),
            references_refreshed: if refreshed { Some(self.clock.now()) } else { previous.references_refreshed },
            recovery: previous.recovery,
        };
        let mut explanation = evaluate::explain(&policy, &observed, &evaluation);
        explanation.withhold(&policy.target, |scope| verdict.may_tell(scope));
        PassResult::Evaluated(Box::new(Pass { policy, evaluation, explanation, plan, execution, aftermath }))
    }

    /// Whether the app's host may still be the one from before its identity was written, by our memory or by what
    /// status carries on: since when, and whether the app was restarted for it. Asks the host once it had time.
    async fn pending_restart(
        &self,
        policy: &Policy,
        previous: Aftermath,
        observed: &mut Observed,
    ) -> Option<(Timestamp, bool)> {
        let written = self.identity_writes.of(&policy.target).map(|written| (written.at, written.restarted));
        let (since, restarted) = written.or(previous.pending_restart)?;
        let age = self.clock.now().duration_since(since);
        // Only a Functions host says how long it has run.
        if observed.target.present().is_some_and(|target| target.workload != Workload::FunctionApp) {
            if age >= memory::IDENTITY_SETTLES {
                self.identity_writes.forget(&policy.target);
            }
            return None;
        }
        if age >= memory::IDENTITY_SETTLES {
            observe::ask_host(&self.azure, self.clock, policy, observed, since).await;
            let answered = matches!(&observed.host, Some(HostSeen { started: Reading::Present { .. }, .. }));
            // A host that does not answer for so long is not running, and will be a new one when it does.
            if (answered && !evaluate::is_host_older(observed)) || (!answered && age >= HOSTS_ANSWER_WITHIN) {
                self.identity_writes.forget(&policy.target);
                return None;
            }
        }
        Some((since, restarted))
    }

    /// Looks at the policy's world, and takes note of how much there is in it.
    async fn observe(&self, policy: &Policy) -> Observed {
        let observed = observe::observe(&self.azure, &self.surveys, self.clock, policy).await;
        for (subscription, census) in &observed.census {
            self.breaker.note(subscription, *census);
        }
        self.metrics().breaker_open(self.breaker.stopped().len());
        observed
    }

    /// What the plan depends on besides policy and world.
    async fn circumstances(
        &self,
        policy: &Policy,
        leave: &(impl Leave + Sync),
        evaluation: &Evaluation,
    ) -> Circumstances {
        let would_write = policy.mode == Mode::Enforce && evaluation.standing() == Standing::Drifted;
        if would_write && let Some(live) = leave.policies() {
            for subscription in policy.subscriptions() {
                if !self.breaker.is_counted(subscription) {
                    self.count_drift(subscription, &live).await;
                }
            }
        }
        Circumstances {
            installation: self.settings.installation.clone(),
            max_mode: self.settings.max_mode,
            policies_unknown: !evaluation.alignments.is_empty() && leave.policies().is_none(),
            stopped: self.breaker.stopped(),
            known: self.breaker.known(),
            ..Circumstances::default()
        }
    }

    /// How many of the policies that were in order drifted in the last survey of a subscription.
    async fn count_drift(&self, subscription: &str, live: &[Arc<FunctionIdentityPolicy>]) {
        let were_in_order = live.iter().filter(|object| breaker::was_in_order(object));
        let parsed: Vec<_> = were_in_order.filter_map(|object| Policy::parse(object).ok()).collect();
        let here: Vec<_> = parsed.into_iter().filter(|policy| policy.subscriptions().contains(subscription)).collect();
        let observed = observe::glance(&self.azure, &self.surveys, subscription, &here).await;
        let now = self.clock.now();
        let drifted = here
            .iter()
            .zip(&observed)
            .filter(|(policy, observed)| evaluate::evaluate(policy, observed, now).standing() == Standing::Drifted);
        self.breaker.count(subscription, drifted.count(), here.len());
        self.metrics().breaker_open(self.breaker.stopped().len());
    }

    /// The grants of ours that this policy does not need. Without an installation, a principal or the cluster's
    /// policies nothing is provably ours or unneeded.
    async fn unneeded(
        &self,
        policy: &Policy,
        observed: &Observed,
        verdict: &Verdict,
        live: Option<&Live>,
    ) -> Result<Vec<Finding>, Failure> {
        let (Some(installation), Some(live)) = (&self.settings.installation, live) else { return Ok(Vec::new()) };
        let mut marked = observed.access.values().filter_map(Reading::present).flat_map(|access| access.grants.iter());
        let installed =
            |grant: &Grant| grant.mark.as_ref().and_then(|mark| mark.installation.as_ref()) == Some(installation);
        if !marked.any(installed) {
            return Ok(Vec::new());
        }
        let Some(principal) = self.azure.own_principal().await? else { return Ok(Vec::new()) };
        let owner = Owner { installation: installation.clone(), principal };
        let mut claims = observe::claims(&self.azure, &self.surveys, policy, observed, &live.policies).await;
        claims.unparsed.clone_from(&live.unparsed);
        let may_tell = |scope: &Scope| verdict.may_tell(scope);
        Ok(evaluate::unneeded(policy, &owner, &claims, observed, self.clock.now(), may_tell))
    }

    /// Where passes are counted: the same place as the requests that they send.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        self.azure.metrics()
    }
}

fn role_at(observed: &Observed, scope: &Scope, role: RoleId) -> Option<Role> {
    observed.access_at(scope).ok()?.roles.get(&role).cloned()
}
