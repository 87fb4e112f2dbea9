//! What came of a plan, as data: `apply` fills it in, `report` puts it into words.

use super::{held::HoldReason, step::Step};
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
    /// Whether anything was changed in Azure.
    #[must_use]
    pub fn wrote(&self) -> bool {
        self.outcomes.iter().any(|entry| entry.outcome == Outcome::Applied)
    }

    /// Whether a request that changes something was sent, whatever came of it: a lost answer may have taken effect.
    #[must_use]
    pub fn may_have_written(&self) -> bool {
        self.outcomes.iter().any(|entry| matches!(entry.outcome, Outcome::Applied | Outcome::Failed(_)))
    }

    /// The failures, in order.
    pub fn failures(&self) -> impl Iterator<Item = &Failure> {
        self.outcomes.iter().filter_map(|entry| match &entry.outcome {
            Outcome::Failed(failure) => Some(failure),
            _ => None,
        })
    }
}
