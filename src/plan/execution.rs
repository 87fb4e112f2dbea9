//! What came of a plan, as data: `apply` fills it in, `report` puts it into words.

use super::{
    held::HoldReason,
    step::{Change, Step},
};
use crate::model::Failure;

/// What came of a plan, step by step.
#[derive(Clone, Debug, Default)]
pub struct Execution {
    /// One entry for each step that was tried, in order.
    pub outcomes: Vec<StepOutcome>,
}

/// What came of one step.
#[derive(Clone, Debug)]
pub struct StepOutcome {
    /// The step.
    pub step: Step,
    /// What came of it.
    pub outcome: Outcome,
    /// The request that changes something was sent; without an answer it may have taken effect.
    pub sent: bool,
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Azure accepted the write.
    Applied,
    /// What the step wants is there already; nothing was sent.
    AlreadyDone,
    /// The world is no longer what the plan was made for; the next pass looks again.
    Moved(String),
    /// Not sent after all.
    Held(HoldReason),
    /// Dry run: everything up to the write was done, and nothing stands against it.
    Rehearsed,
    /// The write, or the read before it, failed.
    Failed(Failure),
}

impl StepOutcome {
    /// Whether the request took effect, or may have: a refusal changed nothing, an answer that got lost may have been a
    /// yes.
    #[must_use]
    pub fn may_have_acted(&self) -> bool {
        match &self.outcome {
            Outcome::Applied => true,
            Outcome::Failed(failure) => self.sent && failure.is_unanswered(),
            Outcome::AlreadyDone | Outcome::Moved(_) | Outcome::Held(_) | Outcome::Rehearsed => false,
        }
    }
}

impl Outcome {
    /// One word for logs, status and metrics.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Applied => "Applied",
            Self::AlreadyDone => "AlreadyDone",
            Self::Moved(_) => "Moved",
            Self::Held(_) => "Held",
            Self::Rehearsed => "Rehearsed",
            Self::Failed(_) => "Failed",
        }
    }
}

impl Execution {
    /// Whether the world may be another than the one that was surveyed: something was sent (a lost answer may have
    /// taken effect), or the look before the write found it changed.
    #[must_use]
    pub fn outdates_the_survey(&self) -> bool {
        self.outcomes.iter().any(|entry| match entry.outcome {
            Outcome::Applied | Outcome::AlreadyDone | Outcome::Moved(_) | Outcome::Failed(_) => true,
            Outcome::Held(_) | Outcome::Rehearsed => false,
        })
    }

    /// Whether a look found the world changed since the survey.
    #[must_use]
    pub fn found_another_world(&self) -> bool {
        self.outcomes.iter().any(|entry| matches!(entry.outcome, Outcome::AlreadyDone | Outcome::Moved(_)))
    }

    /// The steps whose request took effect, or may have.
    pub fn acted(&self) -> impl Iterator<Item = &Step> {
        self.outcomes.iter().filter(|entry| entry.may_have_acted()).map(|entry| &entry.step)
    }

    /// Whether nothing in it takes anything away. What it adds, only its own policy has to see in the next survey: others
    /// find it by the look before their write.
    #[must_use]
    pub fn only_adds(&self) -> bool {
        self.outcomes.iter().all(|entry| match entry.step.change {
            Change::Identity(_)
            | Change::Grant(_)
            | Change::AddEntry(_)
            | Change::Restart(_)
            | Change::Refresh { .. } => true,
            // To a policy that declares access policies a switch takes them all away.
            Change::Switch(_) | Change::Revoke(_) | Change::Reattach(_) => false,
        })
    }

    /// Whether the mode of a vault was switched, and seen to be.
    #[must_use]
    pub fn has_switched(&self) -> bool {
        let is_switch = |entry: &StepOutcome| matches!(entry.step.change, Change::Switch(_));
        self.outcomes.iter().any(|entry| is_switch(entry) && entry.outcome == Outcome::Applied)
    }

    /// The failures, in order.
    pub fn failures(&self) -> impl Iterator<Item = &Failure> {
        self.outcomes.iter().filter_map(|entry| match &entry.outcome {
            Outcome::Failed(failure) => Some(failure),
            _ => None,
        })
    }
}
