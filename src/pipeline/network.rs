//! Whether the app can reach what it uses: asked question by question, inside of the boundary only.

use super::{Intent, Pipeline};
use crate::{
    api::FunctionIdentityPolicyStatus,
    evaluate,
    model::Observed,
    observe,
    policy::{Policy, Verdict},
};

/// A list, the rules of a namespace, a subnet, what would be said to be blocked by itself, and a subnet that this names; the
/// app's network, private endpoints, their zones, and what those are linked to.
const ROUNDS: usize = 9;

impl Pipeline {
    /// Adds to what was observed what is known of the network.
    pub(super) async fn look_at_network(
        &self,
        policy: &Policy,
        status: Option<&FunctionIdentityPolicyStatus>,
        intent: Intent,
        verdict: &Verdict,
        observed: &mut Observed,
    ) {
        // A person who asks does not wait for turns.
        let open = intent != Intent::Act || status.is_some_and(is_open);
        for _ in 0..ROUNDS {
            let mut questions = evaluate::network_questions(policy, observed);
            // A boundary may end inside of a resource, and the app's subnet may lie outside of it.
            questions.retain(|question| verdict.may_tell(question.about()));
            if questions.is_empty() {
                return;
            }
            observe::ask_network(&self.azure, &self.surveys, &policy.target, observed, &questions, open).await;
        }
    }
}

/// Whether the last pass found something wrong, advice aside. Then what is known has to be young; while all is well it may
/// be old.
fn is_open(status: &FunctionIdentityPolicyStatus) -> bool {
    status.condition("Ready").is_some() && status.in_order().is_none()
}
