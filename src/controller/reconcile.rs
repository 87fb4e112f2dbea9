//! One policy: passed through the pipeline, and the result published. Driven by the kube controller, or call by call.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use kube::{Client, ResourceExt, runtime::controller::Action};

use super::{
    departures::Departures,
    publish::{FINALIZER, Publisher, set_finalizer},
    sights::Sights,
    stores::Stores,
    unpublished::{PassEnd, Unpublished},
};
use crate::{
    api::{DeletionPolicy, FunctionIdentityPolicy, Mode},
    clock::Clock,
    metrics::{StatusWrite, Tally},
    pipeline::{Intent, Leave as _, Pipeline},
    report,
};

/// The annotation by which people and Flux ask for a pass now.
pub(super) const REQUESTED_AT: &str = "reconcile.fluxcd.io/requestedAt";
/// How old what was read may be when an edited policy is looked at.
const AFTER_AN_EDIT: SignedDuration = SignedDuration::from_secs(10);

/// Everything that passing a policy takes. What it remembers between passes is lost with it, and nothing depends on that.
pub struct Reconciler {
    pipeline: Pipeline,
    clock: Clock,
    stores: Stores,
    publisher: Publisher,
    unpublished: Unpublished,
    sights: Sights,
    departures: Departures,
}

/// Why a pass was not published. Everything about Azure is in the report instead.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// The API server did not take the status.
    #[error("status of {policy} could not be written: {source}")]
    Publish {
        /// The policy, as `namespace/name`.
        policy: String,
        /// How long to wait with the next try.
        wait: Duration,
        /// What the API server said.
        #[source]
        source: Box<kube::Error>,
    },
    /// The API server did not take the finalizer, or its removal.
    #[error("finalizer of {policy} could not be written: {source}")]
    Finalizer {
        /// The policy, as `namespace/name`.
        policy: String,
        /// How long to wait with the next try.
        wait: Duration,
        /// What the API server said.
        #[source]
        source: Box<kube::Error>,
    },
}

/// After a finalizer that could not be written. A conflict is over as soon as the watch has caught up.
const FINALIZER_RETRY: Duration = Duration::from_secs(2);
/// When it is a matter of rights, which a person has to mend.
const FINALIZER_REFUSED_RETRY: Duration = Duration::from_secs(60);

impl PassError {
    /// When to try again.
    pub(super) fn action(&self) -> Action {
        match self {
            Self::Publish { wait, .. } | Self::Finalizer { wait, .. } => Action::requeue(*wait),
        }
    }
}

impl Reconciler {
    /// `instance`: who writes events, the pod's name.
    #[must_use]
    pub fn new(client: Client, pipeline: Pipeline, clock: Clock, stores: Stores, instance: String) -> Self {
        let publisher = Publisher { client, clock, instance };
        let (unpublished, sights, departures) = (Unpublished::default(), Sights::default(), Departures::default());
        Self { pipeline, clock, stores, publisher, unpublished, sights, departures }
    }

    /// What all policies come to now.
    pub(super) fn tally(&self) -> Tally {
        self.sights.tally(&self.stores.policies.state(), self.clock.now())
    }

    /// One pass, and how long it took is counted.
    pub(super) async fn timed(&self, policy: &Arc<FunctionIdentityPolicy>) -> Result<Action, PassError> {
        let began = tokio::time::Instant::now();
        let result = self.reconcile(policy).await;
        self.pipeline.metrics().reconciled(result.is_ok(), began.elapsed());
        result
    }

    /// One pass. Never fails because of Azure: that is in the status.
    #[tracing::instrument(skip_all, fields(policy = %policy_name(policy)))]
    pub async fn reconcile(&self, policy: &Arc<FunctionIdentityPolicy>) -> Result<Action, PassError> {
        if policy.metadata.deletion_timestamp.is_some() {
            return if has_finalizer(policy) { self.take_leave(policy).await } else { Ok(Action::await_change()) };
        }
        // Before the first write, so that no grant is made that a deletion would forget.
        let marked;
        let policy = if has_finalizer(policy) == wants_finalizer(policy) {
            policy
        } else {
            marked = self.finalize(policy, wants_finalizer(policy)).await?;
            let Some(marked) = &marked else { return Ok(Action::await_change()) };
            marked
        };
        let requested = policy.annotations().get(REQUESTED_AT).map(|token| report::handled_token(token));
        let requested = requested.as_deref();
        let duplicate_of = self.stores.acts_instead(policy);
        let ground = self.stores.ground(policy, duplicate_of.as_deref());
        if let Some(end) = self.unpublished.of(policy, requested, &ground, self.clock.now()) {
            return self.publish(policy, end).await;
        }

        let previous = policy.status.as_ref();
        let handled = previous.map(|status| status.last_handled_reconcile_at.as_str());
        if requested.is_some_and(|requested| Some(requested) != handled) {
            // Whoever asks for a pass has changed something in Azure and wants it seen.
            self.pipeline.refresh(policy, &self.stores, SignedDuration::ZERO).await;
        } else if previous.is_some_and(|status| {
            status.observed_generation >= 0 && Some(status.observed_generation) != policy.metadata.generation
        }) {
            // An edit is answered from a fresh look, and a thousand edits at once from one.
            self.pipeline.refresh(policy, &self.stores, AFTER_AN_EDIT).await;
        }
        let report = self.pipeline.pass(policy, &self.stores, duplicate_of, Intent::Act).await;
        self.sights.note(policy, &report);

        let now = self.clock.now();
        let status = report::status(previous, &report, requested.or(handled), now);
        let unsettled_since = status.condition("Ready").map(|condition| condition.last_transition_time.0);
        let due = report::due(&report, unsettled_since, now);
        self.publish(policy, PassEnd { status, due, ground }).await
    }

    /// The last pass: revokes, and lets the policy go.
    async fn take_leave(&self, policy: &Arc<FunctionIdentityPolicy>) -> Result<Action, PassError> {
        let farewell = self.pipeline.farewell(policy, &self.stores).await;
        let now = self.clock.now();
        let asked = policy.metadata.deletion_timestamp.as_ref().map(|time| now.duration_since(time.0));
        let waited = || self.departures.waited(policy, now);
        let end = report::farewell(policy, &farewell, asked.unwrap_or_default(), waited);
        let Some((kind, reason, note)) = end.event else {
            tracing::info!(?farewell, "policy stays for now");
            return Ok(Action::requeue(end.again));
        };
        tracing::info!(reason, note, "policy leaves");
        self.publisher.event(policy, kind, reason, &note).await;
        self.finalize(policy, false).await?;
        self.departures.forget(policy);
        self.unpublished.forget(policy);
        Ok(Action::await_change())
    }

    /// Sets or removes our finalizer; none when the policy is gone.
    async fn finalize(
        &self,
        policy: &FunctionIdentityPolicy,
        wanted: bool,
    ) -> Result<Option<Arc<FunctionIdentityPolicy>>, PassError> {
        match set_finalizer(&self.publisher.client, policy, wanted).await {
            Ok(policy) => Ok(Some(Arc::new(policy))),
            Err(error) if self.is_gone(policy, &error) => Ok(None),
            Err(source) => {
                let refused = matches!(&source, kube::Error::Api(response) if response.code == 403);
                if refused {
                    let note = "the operator may not set finalizers, and nothing is granted that could not be revoked: \
                                give it the right to patch policies, or say `deletionPolicy: Retain`";
                    self.publisher.event(policy, "Warning", "FinalizerRefused", note).await;
                }
                let wait = if refused { FINALIZER_REFUSED_RETRY } else { FINALIZER_RETRY };
                Err(PassError::Finalizer { policy: policy_name(policy), wait, source: Box::new(source) })
            }
        }
    }

    /// Whether the API server does not find the policy, and we do not either. One that it cannot find for a moment, as
    /// when the definition is applied anew, would never be looked at again.
    fn is_gone(&self, policy: &FunctionIdentityPolicy, error: &kube::Error) -> bool {
        matches!(error, kube::Error::Api(response) if response.code == 404) && !self.stores.is_current(policy)
    }

    /// Writes the status when it differs, and says when to come back.
    async fn publish(&self, policy: &FunctionIdentityPolicy, end: PassEnd) -> Result<Action, PassError> {
        let PassEnd { status, due, ground: _ } = &end;
        if policy.status.as_ref() != Some(status) {
            let written = self.publisher.status(policy, status).await;
            self.pipeline.metrics().status_written(match &written {
                Ok(()) => StatusWrite::Written,
                Err(kube::Error::Api(response)) if response.code == 404 => StatusWrite::Gone,
                Err(kube::Error::Api(response)) if response.code == 409 => StatusWrite::Conflict,
                Err(_) => StatusWrite::Failed,
            });
            match written {
                Ok(()) => {}
                Err(error) if self.is_gone(policy, &error) => {
                    self.unpublished.forget(policy);
                    return Ok(Action::await_change());
                }
                Err(source) => {
                    let wait = self.unpublished.keep(policy, end);
                    return Err(PassError::Publish { policy: policy_name(policy), wait, source: Box::new(source) });
                }
            }
            if let Some((kind, reason, note)) = report::event(policy.status.as_ref(), status) {
                tracing::info!(reason, note, "{}", kind.to_lowercase());
                self.publisher.event(policy, kind, &reason, &note).await;
            }
        }
        self.unpublished.forget(policy);
        Ok(due.map_or_else(Action::await_change, |due| {
            let left = Duration::try_from(due.duration_since(self.clock.now())).unwrap_or_default();
            Action::requeue(left)
        }))
    }
}

fn has_finalizer(policy: &FunctionIdentityPolicy) -> bool {
    policy.finalizers().iter().any(|own| own == FINALIZER)
}

/// Exactly while the policy asks for revocation and could have had something granted.
fn wants_finalizer(policy: &FunctionIdentityPolicy) -> bool {
    policy.spec.deletion_policy == DeletionPolicy::Revoke && policy.spec.mode == Mode::Enforce
}

fn policy_name(policy: &FunctionIdentityPolicy) -> String {
    format!("{}/{}", policy.namespace().unwrap_or_default(), policy.name_any())
}
