//! What the survey leaves open: asked only where the comparison says that it could decide.

use super::Pipeline;
use crate::{
    evaluate::{self, Evaluation, Standing},
    model::{History, Observed, Scope},
    observe,
    policy::{Policy, Verdict},
};

impl Pipeline {
    /// Compares, and where a group's grant, a resource that may not exist, the app's own references or the end of a grant
    /// could decide, asks about them and compares again.
    pub(super) async fn evaluate(
        &self,
        policy: &Policy,
        mut observed: Observed,
        verdict: &Verdict,
        wants_evidence: bool,
    ) -> (Observed, Evaluation) {
        let compare = |observed: &Observed| evaluate::evaluate(policy, observed, self.clock.now());
        let mut evaluation = compare(&observed);
        if !evaluation.ask_groups.is_empty() {
            observe::ask_groups(&self.azure, &self.surveys, &mut observed, &evaluation.ask_groups).await;
            evaluation = compare(&observed);
        }
        // A boundary may end inside of a resource, and then says nothing of the whole.
        evaluation.ask_resources.retain(|resource| verdict.may_tell(resource));
        if !evaluation.ask_resources.is_empty() {
            observe::ask_resources(&self.azure, &self.surveys, &mut observed, &evaluation.ask_resources).await;
            evaluation = compare(&observed);
        }
        if evaluation.ask_registry {
            observe::ask_registry(&self.azure, &self.surveys, &mut observed).await;
            evaluation = compare(&observed);
        }
        if evaluation.ask_references || (wants_evidence && evaluate::has_references(policy)) {
            observe::ask_references(&self.azure, &self.surveys, policy, &mut observed).await;
            evaluation = compare(&observed);
        }
        if evaluation.ask_evidence || (wants_evidence && policy.evidence.is_some()) {
            let may_tell = |scope: &Scope| verdict.may_tell(scope);
            observe::ask_evidence(&self.azure, &self.surveys, policy, &mut observed, may_tell).await;
            evaluation = compare(&observed);
        }
        // How it came about. A pass that stops before here still says what is wrong.
        evaluation.ask_history.retain(|history| match history {
            History::Grants(_) => true,
            History::Resource(resource) => verdict.may_tell(resource),
        });
        // It decides nothing, so there is nothing to compare again.
        observe::ask_history(&self.azure, &self.surveys, &mut observed, &evaluation.ask_history).await;
        // Advice, so only where nothing graver is to be told.
        if !evaluation.ask_ends.is_empty() && evaluation.standing() <= Standing::CompliantWithFindings {
            observe::ask_ends(&self.azure, &self.surveys, &mut observed, &evaluation.ask_ends).await;
            evaluation = compare(&observed);
            // Whether a group's grant takes the place of one that ends.
            if !evaluation.ask_groups.is_empty() {
                observe::ask_groups(&self.azure, &self.surveys, &mut observed, &evaluation.ask_groups).await;
                evaluation = compare(&observed);
            }
        }
        (observed, evaluation)
    }
}
