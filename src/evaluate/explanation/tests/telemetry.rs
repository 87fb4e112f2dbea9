//! What telemetry moves of what documents say, and what it does not.

use super::*;
use crate::evaluate::fixtures::refusals;

#[test]
fn words_of_a_service_that_have_one_reason_decide_what_documents_leave_open() {
    let policy = declared();
    let decided = |signal: &str, auth_failures| {
        let mut world = World::matching(&policy);
        world.grant(SHARED, "Key Vault Secrets User", &policy.vaults[0].vault);
        world.observed.evidence = Some(present(std::sync::Arc::new(refusals(signal, auth_failures))));
        let decision = world.evaluate(&policy).decision;
        let recovered = decision.path.iter().find(|node| node.question == Question::Recovered).map(|node| node.answer);
        (decision.cause, recovered)
    };
    assert_eq!(decided("vault-firewall", 4), (Some(Hypothesis::H6), Some(No)));
    assert_eq!(decided("audience", 4), (Some(Hypothesis::H5), Some(No)), "nobody looked at settings");
    assert_eq!(decided("refused-403", 4), (None, Some(No)), "it has other reasons");
    assert_eq!(decided("vault-firewall", 0), (None, Some(Yes)), "it is over");
    assert_eq!(decided("storage-permission", 4), (None, Some(No)), "what is refused may be something undeclared");
}

#[test]
fn work_that_nobody_does_is_no_recovery_and_decides_nothing() {
    use crate::model::{
        evidence::Summary,
        work::{Sources, Span, Work},
    };
    let policy = declared();
    let judged = |had: Option<Work>| {
        let mut world = World::matching(&policy);
        world.grant(SHARED, "Key Vault Secrets User", &policy.vaults[0].vault);
        let sources = had.map(|work| Sources {
            span: Span { from: minutes_ago(20), to: minutes_ago(5) },
            had: [(crate::policy::fixtures::queue(), present(work))].into(),
            others: false,
        });
        // With a word that would decide, if calls were refused.
        let told = refusals("vault-firewall", 0);
        // It was invoked, and is not any more.
        let invoked = told.dependencies.present().expect("it says something").clone();
        let invoked = Summary { first: minutes_ago(70), last: minutes_ago(60), signals: Vec::new(), ..invoked };
        let told = crate::model::Evidence { sources, invocations: present(invoked), ..told };
        world.observed.evidence = Some(present(std::sync::Arc::new(told)));
        let mut decision = world.evaluate(&policy).decision;
        let recovered = decision.path.pop().expect("it was asked");
        (decision, recovered.answer)
    };
    let (waiting, recovered) = judged(Some(Work::Waiting { least: 3, last: 43 }));
    let (without, calls) = judged(None);
    assert_eq!((recovered, calls), (No, Yes));
    assert_eq!(waiting, without);
    assert_eq!(waiting.cause, None);
}

#[test]
fn a_plain_word_against_what_documents_refute_leaves_it_open() {
    let policy = declared();
    let explained = |spoil: &dyn Fn(&mut World)| {
        let mut world = World::matching(&policy);
        world.grant(SHARED, "Key Vault Secrets User", &policy.vaults[0].vault);
        world.observed.evidence = Some(present(std::sync::Arc::new(refusals("storage-permission", 4))));
        spoil(&mut world);
        explain(&policy, &world.observed, &world.evaluate(&policy))
    };
    let told = explained(&|_| {});
    let h2 = case(&told, Hypothesis::H2);
    assert_eq!(h2.verdict, Verdict::Open);
    let [Needed::Undecided(because)] = h2.needed.as_slice() else { panic!("{:?}", h2.needed) };
    assert!(because.starts_with("all that is declared is there, and telemetry says that "), "{because}");
    let vault = policy.vaults[0].vault.clone();
    let explained_otherwise = explained(&|world| {
        world
            .each_list(|access| access.grants = access.grants.iter().filter(|it| it.scope != vault).cloned().collect());
        world.grant(SHARED, "Key Vault Secrets User", &vault).changed = Some(minutes_ago(1));
    });
    assert_eq!(case(&explained_otherwise, Hypothesis::H3).verdict, Verdict::Confirmed);
    assert_eq!(case(&explained_otherwise, Hypothesis::H2).verdict, Verdict::Refuted, "it is explained already");
}

#[test]
fn old_words_and_telemetry_that_is_late_decide_nothing() {
    let policy = declared();
    let mut world = World::matching(&policy);
    world.grant(SHARED, "Key Vault Secrets User", &policy.vaults[0].vault);
    let mut old = refusals("vault-firewall", 4);
    let Reading::Present { value, .. } = &mut old.dependencies else { panic!("it is present") };
    value.signals[0].last = minutes_ago(30);
    world.observed.evidence = Some(present(std::sync::Arc::new(old)));
    assert_eq!(world.evaluate(&policy).decision.cause, None);
    let mut decided = |newest| {
        let mut late = refusals("vault-firewall", 4);
        let Reading::Present { value, .. } = &mut late.recovery else { panic!("it is present") };
        value.newest = minutes_ago(newest);
        world.observed.evidence = Some(present(std::sync::Arc::new(late)));
        world.evaluate(&policy).decision.cause
    };
    assert_eq!((decided(15), decided(16)), (Some(Hypothesis::H6), None), "it may be over");
    let without = World::matching(&policy).evaluate(&policy).decision;
    assert!(without.path.iter().all(|node| node.question != Question::Recovered), "nobody asked");
}
