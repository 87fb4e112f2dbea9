//! The rows of the status table: every pass ends in exactly one.

use jiff::Timestamp;

use super::{Pass, PassResult, Report};
use crate::{
    api::{Gate, Mode},
    evaluate::{Effect, Finding, Standing},
    model::{Failure, FailureClass},
    plan::{HoldReason, Outcome},
};

/// Where a policy stands after a pass.
#[derive(Clone, Debug, PartialEq)]
pub enum Situation {
    /// Everything declared was confirmed at this generation.
    Compliant,
    /// Everything needed is there; something else deserves a look.
    CompliantWithFindings,
    /// Drift, and the policy asks to be told only.
    DriftReported,
    /// Drift, and the policy asks that it fails health checks.
    DriftGated,
    /// Drift, and something was done about it just now.
    Remediating,
    /// Everything was granted; the youngest grant is certain to act at this time.
    Propagating(Timestamp),
    /// Drift, and every step is held; the reason of the first.
    Held(&'static str),
    /// Not enough could be read to say.
    Undetermined(Option<Failure>),
    /// A failure that time or another try may heal.
    Retrying(Failure),
    /// A failure that somebody has to heal.
    Failing(Failure),
    /// The app does not exist.
    TargetNotFound,
    /// The policy contradicts itself.
    InvalidSpec,
    /// The boundaries do not reach all of it.
    OutsideBoundary,
    /// Another policy is about the same app.
    DuplicateTarget,
}

/// The exit codes of `check`, from best to worst for a pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitCode {
    /// Everything declared was confirmed.
    Compliant = 0,
    /// The question could not be asked: invalid policy, no such app, outside the boundary.
    Error = 1,
    /// Something declared is missing, different or not certain to act yet.
    Drift = 2,
    /// Not enough could be read to say.
    Undetermined = 3,
}

impl Report {
    /// The row of the status table.
    #[must_use]
    pub fn situation(&self) -> Situation {
        match &self.finding {
            PassResult::Invalid(_) => Situation::InvalidSpec,
            PassResult::Duplicate(_) => Situation::DuplicateTarget,
            PassResult::OutsideBoundary(_) => Situation::OutsideBoundary,
            PassResult::Evaluated(pass) => pass.situation(),
        }
    }

    /// Whether the last look at Azure found drift; none when it cannot be said.
    #[must_use]
    pub fn drifted(&self) -> Option<bool> {
        match &self.finding {
            PassResult::Evaluated(pass) => match pass.evaluation.standing() {
                Standing::Compliant => Some(false),
                // An advisory finding is drift also beside a grant that may not act yet.
                Standing::Propagating => {
                    Some(pass.evaluation.findings.iter().any(|finding| finding.effect() == Effect::Advisory))
                }
                Standing::Drifted | Standing::CompliantWithFindings => Some(true),
                Standing::Undetermined | Standing::TargetNotFound => None,
            },
            PassResult::Invalid(_) | PassResult::Duplicate(_) | PassResult::OutsideBoundary(_) => None,
        }
    }

    /// Whether Azure was read well enough to judge the policy.
    #[must_use]
    pub fn is_observed(&self) -> bool {
        match &self.finding {
            PassResult::Evaluated(pass) => pass.evaluation.standing() != Standing::Undetermined,
            PassResult::Invalid(_) | PassResult::Duplicate(_) | PassResult::OutsideBoundary(_) => false,
        }
    }

    /// Whether the policy's writes are suspended.
    #[must_use]
    pub fn suspended(&self) -> bool {
        matches!(&self.finding, PassResult::Evaluated(pass) if pass.policy.suspended)
    }

    /// What `check` exits with for this policy.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self.situation() {
            Situation::Compliant | Situation::CompliantWithFindings => ExitCode::Compliant,
            Situation::DriftReported
            | Situation::DriftGated
            | Situation::Remediating
            | Situation::Propagating(_)
            | Situation::Held(_) => ExitCode::Drift,
            Situation::Undetermined(_) | Situation::Retrying(_) | Situation::Failing(_) => ExitCode::Undetermined,
            Situation::TargetNotFound
            | Situation::InvalidSpec
            | Situation::OutsideBoundary
            | Situation::DuplicateTarget => ExitCode::Error,
        }
    }
}

impl ExitCode {
    /// The code for a run over several policies: an error outweighs ignorance, which outweighs drift.
    #[must_use]
    pub fn worst(codes: impl IntoIterator<Item = Self>) -> Self {
        let weight = |code: &Self| match code {
            Self::Compliant => 0,
            Self::Drift => 1,
            Self::Undetermined => 2,
            Self::Error => 3,
        };
        codes.into_iter().max_by_key(weight).unwrap_or(Self::Compliant)
    }
}

impl Pass {
    fn situation(&self) -> Situation {
        match self.evaluation.standing() {
            Standing::Compliant => Situation::Compliant,
            Standing::CompliantWithFindings => Situation::CompliantWithFindings,
            Standing::TargetNotFound => Situation::TargetNotFound,
            Standing::Propagating => Situation::Propagating(self.propagated()),
            Standing::Undetermined => self.undetermined(),
            Standing::Drifted => self.drifted(),
        }
    }

    /// When the youngest grant is certain to act.
    fn propagated(&self) -> Timestamp {
        let until = self.evaluation.findings.iter().filter_map(|finding| match finding {
            Finding::Propagating { until, .. } => Some(*until),
            _ => None,
        });
        until.max().unwrap_or(Timestamp::MIN)
    }

    fn undetermined(&self) -> Situation {
        let failures: Vec<_> = self
            .evaluation
            .findings
            .iter()
            .filter(|finding| finding.effect() == Effect::Unknown)
            .map(|finding| match finding {
                Finding::Unreadable { failure, .. } => Some(failure),
                _ => None,
            })
            .collect();
        // Trying again helps only when nothing but passing failures stand in the way.
        match failures.iter().find(|failure| !failure.is_some_and(retryable)) {
            Some(failure) => Situation::Undetermined(failure.cloned()),
            None => failures
                .first()
                .copied()
                .flatten()
                .map_or(Situation::Undetermined(None), |failure| Situation::Retrying(failure.clone())),
        }
    }

    fn drifted(&self) -> Situation {
        // A boundary that allows less than the policy asks for is a hold, not a wish to be told only.
        if self.policy.mode != Mode::Enforce || self.policy.suspended {
            return match self.policy.gate {
                Gate::None => Situation::DriftReported,
                Gate::Drift => Situation::DriftGated,
            };
        }
        if let Some(limit) = &self.plan.limit {
            return Situation::Held(limit.word());
        }
        if self.plan.waits_to_switch().is_some() {
            return Situation::Remediating;
        }
        let outcomes = &self.execution.outcomes;
        if outcomes.is_empty() && self.plan.may_write() && !self.plan.steps.is_empty() {
            // Only looked at: the operator would act.
            return Situation::Remediating;
        }
        // A lease is renewed, or lost to somebody who goes on, within seconds: that is no hold to tell anybody of.
        let progress = |outcome: &Outcome| match outcome {
            Outcome::Applied | Outcome::AlreadyDone | Outcome::Moved(_) => true,
            Outcome::Held(reason) => *reason == HoldReason::LeaseUncertain,
            Outcome::Rehearsed | Outcome::Failed(_) => false,
        };
        if outcomes.iter().any(|entry| progress(&entry.outcome)) {
            return Situation::Remediating;
        }
        if let Some(failure) = self.execution.failures().find(|failure| !retryable(failure)) {
            return Situation::Failing(failure.clone());
        }
        if let Some(failure) = self.execution.failures().next() {
            return Situation::Retrying(failure.clone());
        }
        let in_execution = outcomes.iter().find_map(|entry| match &entry.outcome {
            Outcome::Held(reason) => Some(reason.word()),
            _ => None,
        });
        let in_plan = self.plan.held.first().map(|held| held.reason.word());
        // Steps that were not tried: the boundary allows a dry run at most.
        Situation::Held(in_execution.or(in_plan).unwrap_or("BoundaryMode"))
    }
}

/// Whether another try may help without anybody doing anything.
fn retryable(failure: &Failure) -> bool {
    match failure.class {
        FailureClass::Waiting | FailureClass::Throttled | FailureClass::Transient => true,
        FailureClass::Denied | FailureClass::Blocked | FailureClass::Rejected | FailureClass::Bug => false,
    }
}
