//! Two policies, two apps, one shared identity: both find the same grant missing at the same time.

use futures::future::join;
use rolecall::{
    api::{FunctionIdentityPolicy, Mode, SystemIdentity},
    pipeline::{Intent, Pipeline},
    report::Situation,
};
use serde_json::Value;

use super::bench::Bench;
use super::documents::{
    APPLIED, GROUP, NOTHING, RECEIVER, SHARED, app, block, conditioned, foreign, own_name, put, queue,
};

/// A second app with the same user-assigned identity and a policy that needs the same queue by it.
fn second(bench: &Bench) -> FunctionIdentityPolicy {
    let billing = format!("{GROUP}/providers/Microsoft.Web/sites/func-billing");
    let mut document = bench.arm.document(&app()).expect("the app is there");
    document["id"] = billing.into();
    document["name"] = "func-billing".into();
    document["identity"] = block(None, &[("mi-orders", SHARED)]);
    bench.arm.insert(document);
    let mut policy = bench.policy.clone();
    policy.metadata.name = Some("billing".to_owned());
    let spec = &mut policy.spec;
    spec.resources.insert("app".to_owned(), "Microsoft.Web/sites/func-billing".to_owned());
    spec.identities.system = SystemIdentity::Optional;
    spec.platform.host_storage = None;
    spec.bindings.retain(|binding| binding.name == "incoming");
    spec.vaults.clear();
    policy
}

fn grant() -> String {
    own_name(&queue(), SHARED, RECEIVER)
}

fn users_grants(bench: &Bench) -> Vec<Value> {
    bench.grants(&queue(), SHARED, RECEIVER)
}

/// Both passes at once, request by request in turns.
async fn at_once(bench: &Bench, other: &Pipeline, billing: &FunctionIdentityPolicy) {
    let cluster = &rolecall::policy::Authority::clone(&bench.cluster.authority.lock().expect("nobody panics"));
    let (one, two) = join(
        Box::pin(bench.pipeline.pass(&bench.policy, cluster, None, Intent::Act)),
        Box::pin(other.pass(billing, cluster, None, Intent::Act)),
    )
    .await;
    for report in [&one, &two] {
        let seen = bench.seen(report);
        assert!(
            seen.outcomes().iter().all(|said| [APPLIED, super::documents::DONE].contains(said)),
            "{:?} {:?}",
            seen.outcomes(),
            seen.situation
        );
        assert_eq!(seen.situation, Situation::Remediating);
    }
}

async fn assert_one_grant(same_pipeline: bool) {
    let bench = Bench::lacking_the_users(Mode::Enforce);
    let billing = second(&bench);
    let another = bench.another_pipeline();
    let other = if same_pipeline { &bench.pipeline } else { &another };
    Box::pin(at_once(&bench, other, &billing)).await;
    let [document] = &users_grants(&bench)[..] else { panic!("{:?}", users_grants(&bench)) };
    assert_eq!(document["id"], grant());
    assert_eq!(document["properties"]["condition"], Value::Null);
    // Two operators may both have found the name free; Azure makes one of it, and both sent the same.
    if same_pipeline {
        assert_eq!(bench.writes().len(), 1, "one operator writes a name once");
    }
    assert!(bench.writes().iter().all(|write| *write == put(&grant())), "{:?}", bench.writes());
    let created = bench.answers().into_iter().filter(|status| *status == Some(201)).count();
    assert_eq!(created, 1, "{:?}", bench.answers());
    let before = bench.writes();
    for policy in [&bench.policy, &billing] {
        let seen = Box::pin(bench.act_over(policy)).await;
        assert!(matches!(seen.situation, Situation::Propagating(_)), "{:?}", seen.situation);
    }
    assert_eq!(bench.writes(), before);
}

#[tokio::test(start_paused = true)]
async fn two_passes_of_one_operator_make_one_grant() {
    assert_one_grant(true).await;
}

#[tokio::test(start_paused = true)]
async fn two_operators_make_one_grant() {
    assert_one_grant(false).await;
}

#[tokio::test(start_paused = true)]
async fn a_rivals_condition_stays_whoever_looks() {
    let bench = Bench::lacking_the_users(Mode::Enforce);
    let billing = second(&bench);
    bench.look().await;
    let document = conditioned(foreign(&queue(), SHARED, RECEIVER));
    bench.arm.insert(document.clone());
    join(Box::pin(bench.act()), Box::pin(bench.act_over(&billing))).await;
    bench.act_over(&billing).await;
    bench.act().await;
    assert_eq!(users_grants(&bench), [document]);
    assert!(!bench.answers().iter().any(|status| status.is_some_and(|status| status < 300)), "{:?}", bench.answers());
}

#[tokio::test(start_paused = true)]
async fn a_rehearsal_beside_a_rival_sends_nothing() {
    let bench = Bench::lacking_the_users(Mode::DryRun);
    let billing = second(&bench);
    join(Box::pin(bench.act()), Box::pin(bench.act_over(&billing))).await;
    assert_eq!(bench.writes(), NOTHING);
    assert!(users_grants(&bench).is_empty());
}
