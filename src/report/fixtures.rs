//! Reports to start a test from: a policy and a world go through the real stages; only what Azure answered is made up.

use super::{Aftermath, Pass, PassResult, Report};
use crate::{
    evaluate::{
        explain,
        fixtures::{World, now},
    },
    model::Failure,
    plan::{Circumstances, Execution, Outcome, StepOutcome, plan},
    policy::{Authority, Policy},
};

/// A pass that only looks.
pub fn looked(policy: &Policy, world: &World) -> Report {
    acted(policy, world, |_| None)
}

/// A pass in which each step, by position, comes out as told.
pub fn acted(policy: &Policy, world: &World, outcome: impl Fn(usize) -> Option<Outcome>) -> Report {
    let evaluation = world.evaluate(policy);
    let verdict = Authority::Caller.verdict(policy);
    let plan = plan(policy, &verdict, &evaluation, &Circumstances::default(), |scope, role| {
        world.observed.access_at(scope).ok()?.roles.get(role).cloned()
    });
    let outcomes =
        plan.steps.iter().enumerate().filter_map(|(at, step)| {
            outcome(at).map(|outcome| StepOutcome { step: step.clone(), outcome, sent: true })
        });
    let execution = Execution { outcomes: outcomes.collect() };
    let explanation = explain(policy, &world.observed, &evaluation);
    report(PassResult::Evaluated(Box::new(Pass {
        policy: policy.clone(),
        evaluation,
        explanation,
        plan,
        execution,
        aftermath: Aftermath::default(),
    })))
}

/// A pass whose every write failed like that.
pub fn failed(policy: &Policy, world: &World, failure: &Failure) -> Report {
    acted(policy, world, |_| Some(Outcome::Failed(failure.clone())))
}

pub fn report(finding: PassResult) -> Report {
    Report { namespace: "payments".to_owned(), name: "orders".to_owned(), generation: 7, at: now(), finding }
}
