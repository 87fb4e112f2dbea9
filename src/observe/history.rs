//! What was changed lately. Asked about while something is wrong that a change would explain, and shared like a survey.

use std::{collections::BTreeSet, sync::Arc};

use jiff::{SignedDuration, Timestamp};

use super::{Surveys, reading};
use crate::{
    azure::Azure,
    model::{Change, History, Observed, Reading},
};

/// How far back changes are looked for. What was changed before that is told by what is.
const SINCE: SignedDuration = SignedDuration::from_hours(24);

/// Adds what was changed lately.
pub async fn ask_history(azure: &Azure, surveys: &Surveys, observed: &mut Observed, asked: &BTreeSet<History>) {
    for of in asked {
        let survey = surveys.of(azure, of.subscription(), None).await;
        observed.history.insert(of.clone(), surveys.history(azure, of, survey.began).await);
    }
}

impl Surveys {
    /// A refusal lasts as long as an answer: what is not known is only not told.
    async fn history(&self, azure: &Azure, of: &History, survey: Timestamp) -> Reading<Arc<Vec<Change>>> {
        let since = self.clock.now().saturating_sub(SINCE).unwrap_or(Timestamp::MIN);
        let read = async || reading(self.clock, azure.changes(of, since).await.map(|changes| Some(Arc::new(changes))));
        self.history.get(of, survey, |_| None, read).await
    }
}
