//! The lease that decides which of several operators acts: run for, kept and given up, on our clock, so that simulated
//! time drives it too. What a look at it means is `decision`'s; it must not know what leading is for.

mod decision;

use std::{pin::pin, time::Duration};

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use kube::{Api, Client, ResourceExt as _, api::PostParams};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout, timeout_at},
};

pub use self::decision::LeaseLost;
use self::decision::{Move, Record, Renewal, Sight};
use super::publish::FIELD_MANAGER;
use crate::{
    clock::{Clock, Moment},
    model::innermost,
};

/// The lease that is asked for unless somebody chooses another: with [`PACE`] a failover takes less than 20 seconds, and a
/// write (9 seconds) has room between two renewals.
pub const LEASE_DURATION: Duration = Duration::from_secs(15);
/// How often a lease is renewed in its time. A write may begin within four seconds of a renewal, so that one may fail and
/// be tried again before anything is held.
const RENEWALS: u32 = 7;
/// After a renewal that failed.
const AGAIN: Duration = Duration::from_secs(1);
/// From one look of a standby to the next.
const PACE: Duration = Duration::from_secs(2);
/// The longest that one try may take, so that a connection that died leaves time for three more.
const TRY: Duration = Duration::from_secs(3);

/// Who runs for which lease.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The namespace of the lease. It has to exist.
    pub namespace: String,
    /// The name of the lease: of those who name the same one, one acts.
    pub lease: String,
    /// How long we rely on it after a renewal.
    pub duration: Duration,
    /// Who we are. No other process, not even an earlier one of the same pod, may ever use the same.
    pub identity: String,
}

/// Whether this process leads, as far as its last renewal goes. Clones say the same.
#[derive(Clone, Debug)]
pub struct Leadership(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Alone,
    Elected { clock: Clock, renewal: watch::Receiver<Option<Renewal>> },
}

impl Leadership {
    /// Of a process that knows itself to be the only one: a loop that drives passes itself.
    #[must_use]
    pub fn alone() -> Self {
        Self(Kind::Alone)
    }

    /// Whether something may begin now that takes up to `longest`: nobody else leads before it is over.
    #[must_use]
    pub fn permits(&self, longest: Duration) -> bool {
        match &self.0 {
            Kind::Alone => true,
            Kind::Elected { clock, renewal } => {
                renewal.borrow().is_some_and(|renewal| renewal.permits(longest, &clock.moment()))
            }
        }
    }

    /// Waits until this process leads; for ever when it is not elected.
    pub(super) async fn begun(&self) {
        if let Kind::Elected { renewal, .. } = &self.0
            && renewal.clone().wait_for(Option::is_some).await.is_err()
        {
            // The elector has ended without having led.
            std::future::pending::<()>().await;
        }
    }
}

/// Runs for a lease and keeps it.
pub(super) struct Elector {
    api: Api<Lease>,
    candidate: Candidate,
    clock: Clock,
    /// The last one; none while we do not lead.
    renewal: watch::Sender<Option<Renewal>>,
    /// The lease as last read or written: what others put into it stays.
    lease: Option<Lease>,
    sight: Sight,
    /// A claim was sent whose effect is not known.
    doubtful: bool,
    /// What was logged last, so that it is not said again at every try.
    said: String,
}

impl Elector {
    pub(super) fn new(client: Client, candidate: Candidate, clock: Clock) -> (Self, Leadership) {
        let (renewal, seen) = watch::channel(None);
        let elector = Self {
            api: Api::namespaced(client, &candidate.namespace),
            candidate,
            clock,
            renewal,
            lease: None,
            sight: Sight::nothing(clock.moment()),
            doubtful: false,
            said: String::new(),
        };
        (elector, Leadership(Kind::Elected { clock, renewal: seen }))
    }

    /// Runs for the lease and keeps it until `finished`; then gives it up. `Err` as soon as it is lost.
    pub(super) async fn run(mut self, finished: impl Future<Output = ()>) -> Result<(), LeaseLost> {
        let mut finished = pin!(finished);
        loop {
            let begun = Instant::now();
            let next = tokio::select! {
                biased;
                () = &mut finished => break,
                tried = timeout_at(self.no_later_than(begun + TRY), self.attempt()) => tried,
            };
            let wait = match next {
                Ok(Ok(Move::Lose(lost))) => {
                    self.renewal.send_replace(None);
                    return Err(lost);
                }
                Ok(Ok(Move::Wait(left))) => left.min(PACE),
                Ok(Ok(Move::Create | Move::Replace)) => self.candidate.duration / RENEWALS,
                Ok(Err(error)) => self.failed(&innermost(&error)),
                Err(_) => self.failed("the API server did not answer in time"),
            };
            tokio::select! {
                biased;
                () = &mut finished => break,
                () = sleep_until(self.no_later_than(begun + wait)) => {}
            }
        }
        self.release().await;
        Ok(())
    }

    /// That moment, or the one at which we lead no longer.
    fn no_later_than(&self, moment: Instant) -> Instant {
        self.renewal.borrow().map_or(moment, |renewal| moment.min(renewal.sent.steady + renewal.lasts()))
    }

    fn leads(&self) -> bool {
        self.renewal.borrow().is_some()
    }

    fn next(&self) -> Move {
        decision::next(&self.candidate.identity, self.renewal.borrow().as_ref(), &self.sight, &self.clock.moment())
    }

    /// One try to get or to keep the lease, and what was done or is to be done.
    async fn attempt(&mut self) -> Result<Move, kube::Error> {
        // Once more after each refusal, because the lease was changed under us. Whoever loses three times waits.
        for _ in 0..3 {
            let is_over = matches!(self.next(), Move::Lose(_));
            if !is_over && (self.doubtful || !self.leads()) {
                self.look().await?;
            }
            match self.next() {
                next @ (Move::Wait(_) | Move::Lose(_)) => return Ok(next),
                next @ (Move::Create | Move::Replace) => {
                    if self.claim(&next).await? {
                        return Ok(next);
                    }
                }
            }
        }
        Ok(Move::Wait(PACE))
    }

    async fn look(&mut self) -> Result<(), kube::Error> {
        let found = self.api.get_opt(&self.candidate.lease).await?;
        self.saw(found);
        self.doubtful = false;
        if let Some(holder) = self.sight.holder().filter(|holder| *holder != self.candidate.identity) {
            let standing_by = format!("standing by: `{holder}` leads");
            if self.said != standing_by {
                tracing::info!(lease = %self.candidate, "{standing_by}");
                self.said = standing_by;
            }
        }
        Ok(())
    }

    fn saw(&mut self, lease: Option<Lease>) {
        let now = self.clock.moment();
        self.sight = self.sight.clone().after(lease.as_ref().map(record), now);
        self.lease = lease;
    }

    /// Puts our name and the time into the lease. `false`: it is another than the one that we know.
    async fn claim(&mut self, next: &Move) -> Result<bool, kube::Error> {
        let sent = self.clock.moment();
        let lease = self.claimed(&sent);
        self.doubtful = true;
        let written = match next {
            Move::Create => self.api.create(&params(), &lease).await,
            Move::Replace | Move::Wait(_) | Move::Lose(_) => {
                self.api.replace(&self.candidate.lease, &params(), &lease).await
            }
        };
        match written {
            Ok(lease) => {
                self.saw(Some(lease));
                self.doubtful = false;
                if !self.leads() {
                    tracing::info!(lease = %self.candidate, "leading as `{}`", self.candidate.identity);
                } else if !self.said.is_empty() {
                    tracing::info!(lease = %self.candidate, "lease renewed again");
                }
                self.said.clear();
                self.renewal.send_replace(Some(Renewal { sent, duration: self.candidate.duration }));
                Ok(true)
            }
            Err(kube::Error::Api(refusal)) if refusal.code == 409 => Ok(false),
            // Deleted. A 404 to a creation is about the namespace, and no look would help.
            Err(kube::Error::Api(refusal)) if refusal.code == 404 && *next == Move::Replace => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The lease with our name in it.
    fn claimed(&self, now: &Moment) -> Lease {
        let Lease { metadata, spec } = self.lease.clone().unwrap_or_else(|| Lease {
            metadata: ObjectMeta { name: Some(self.candidate.lease.clone()), ..ObjectMeta::default() },
            spec: None,
        });
        let (is_new, before) = (spec.is_none(), spec.unwrap_or_default());
        let is_ours = before.holder_identity.as_ref() == Some(&self.candidate.identity);
        let transitions = before.lease_transitions.unwrap_or_default();
        let spec = LeaseSpec {
            holder_identity: Some(self.candidate.identity.clone()),
            lease_duration_seconds: i32::try_from(self.candidate.duration.as_secs()).ok(),
            acquire_time: before.acquire_time.filter(|_| is_ours).or(Some(MicroTime(now.wall))),
            renew_time: Some(MicroTime(now.wall)),
            lease_transitions: Some(transitions.saturating_add(i32::from(!is_ours && !is_new))),
            ..before
        };
        Lease { metadata, spec: Some(spec) }
    }

    /// Takes our name out of the lease, so that nobody has to wait for its end.
    async fn release(mut self) {
        if !self.leads() && !self.doubtful {
            return;
        }
        self.renewal.send_replace(None);
        match timeout(TRY, self.clear()).await {
            Ok(Ok(())) => tracing::info!(lease = %self.candidate, "released the lease"),
            Ok(Err(error)) => {
                tracing::warn!(lease = %self.candidate, error = %innermost(&error), "lease not released");
            }
            Err(_) => tracing::warn!(lease = %self.candidate, "lease not released: the API server did not answer"),
        }
    }

    async fn clear(&mut self) -> Result<(), kube::Error> {
        self.look().await?;
        let Some(mut lease) = self.lease.take() else { return Ok(()) };
        if let Some(spec) = &mut lease.spec
            && spec.holder_identity.as_ref() == Some(&self.candidate.identity)
        {
            spec.holder_identity = None;
            self.api.replace(&self.candidate.lease, &params(), &lease).await?;
        }
        Ok(())
    }

    /// Says once why a try failed. Returns how long to wait with the next one.
    fn failed(&mut self, why: &str) -> Duration {
        if self.said != why {
            let doing = if self.leads() { "renewed" } else { "looked at" };
            tracing::warn!(lease = %self.candidate, error = why, "lease not {doing}");
            why.clone_into(&mut self.said);
        }
        if self.leads() { AGAIN } else { PACE }
    }
}

impl std::fmt::Display for Candidate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.lease)
    }
}

fn params() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() }
}

fn record(lease: &Lease) -> Record {
    let spec = lease.spec.clone().unwrap_or_default();
    let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
    Record {
        holder: spec.holder_identity.filter(|holder| !holder.is_empty()),
        duration: seconds.map_or(LEASE_DURATION, Duration::from_secs),
        version: lease.resource_version().unwrap_or_default(),
    }
}
