//! A grant is made to the principal that the named identity has now, and to no other.

use rolecall::{api::Mode, report::Situation};
use serde_json::Value;

use super::bench::Bench;
use super::documents::{
    ACTING, APPLIED, BLOB_CONTRIBUTOR, NOTHING, RECEIVER, SHARED, STRANGER, SYSTEM, app, identity, missing, own_name,
    put, queue, uploads,
};

const SYSTEM_MOVED: &str = "not sent: the system-assigned identity is no longer 5e57e300-0001-4000-8000-000000000001";
const SHARED_MOVED: &str = "not sent: identity `mi-orders` is no longer 05e70000-0002-4000-8000-000000000002";

/// A pass that rests on a survey of before the change. In `Enforce` and in `DryRun` nothing is sent.
async fn assert_not_sent(bench: impl Fn(Mode) -> Bench, change: impl Fn(&Bench), said: &str) {
    for mode in ACTING {
        let bench = bench(mode);
        bench.look().await;
        change(&bench);
        let seen = bench.act().await;
        assert_eq!(seen.outcomes(), [said], "{mode:?}");
        assert_eq!(bench.writes(), NOTHING, "{mode:?}");
        let expected = if mode == Mode::Enforce { Situation::Remediating } else { Situation::DriftReported };
        assert_eq!(seen.situation, expected);
    }
}

fn recreate_system(bench: &Bench) {
    bench.arm.edit(&app(), |app| app["identity"]["principalId"] = STRANGER.into());
}

fn recreate_shared(bench: &Bench) {
    bench.arm.edit(&identity("mi-orders"), |identity| identity["properties"]["principalId"] = STRANGER.into());
}

#[tokio::test(start_paused = true)]
async fn an_unchanged_principal_gets_its_grant() {
    let bench = Bench::new(Mode::Enforce);
    bench.look().await;
    assert_eq!(bench.act().await.outcomes(), [APPLIED]);
    assert_eq!(bench.writes(), [put(&missing())]);

    let bench = Bench::lacking_the_users(Mode::Enforce);
    bench.look().await;
    assert_eq!(bench.act().await.outcomes(), [APPLIED]);
    assert_eq!(bench.writes(), [put(&own_name(&queue(), SHARED, RECEIVER))]);
}

#[tokio::test(start_paused = true)]
async fn a_system_identity_made_anew_gets_nothing_of_the_former() {
    assert_not_sent(Bench::new, recreate_system, SYSTEM_MOVED).await;
}

#[tokio::test(start_paused = true)]
async fn a_system_identity_switched_off_gets_nothing() {
    let switch_off = |bench: &Bench| {
        bench.arm.edit(&app(), |app| {
            app["identity"]["type"] = "UserAssigned".into();
            app["identity"]["principalId"] = Value::Null;
        });
    };
    assert_not_sent(Bench::new, switch_off, SYSTEM_MOVED).await;
}

#[tokio::test(start_paused = true)]
async fn an_app_that_is_gone_gets_nothing() {
    assert_not_sent(Bench::new, |bench| bench.arm.remove(&app()), SYSTEM_MOVED).await;
}

#[tokio::test(start_paused = true)]
async fn a_user_identity_made_anew_gets_nothing_of_the_former() {
    assert_not_sent(Bench::lacking_the_users, recreate_shared, SHARED_MOVED).await;
}

#[tokio::test(start_paused = true)]
async fn a_user_identity_that_is_gone_gets_nothing() {
    let remove = |bench: &Bench| bench.arm.remove(&identity("mi-orders"));
    assert_not_sent(Bench::lacking_the_users, remove, SHARED_MOVED).await;
}

#[tokio::test(start_paused = true)]
async fn the_next_pass_grants_to_the_new_principal_only() {
    let bench = Bench::new(Mode::Enforce);
    bench.look().await;
    recreate_system(&bench);
    bench.act().await;
    bench.act().await;
    assert!(bench.writes().contains(&put(&own_name(&uploads(), STRANGER, BLOB_CONTRIBUTOR))), "{:?}", bench.writes());
    let sent = bench.arm.journal().into_iter().filter(|request| request.mutating);
    assert!(sent.into_iter().all(|request| request.body["properties"]["principalId"] == STRANGER));
    assert!(bench.grants(&uploads(), SYSTEM, BLOB_CONTRIBUTOR).is_empty());
}

#[tokio::test(start_paused = true)]
async fn one_principal_that_moved_does_not_stop_the_others_grant() {
    let bench = Bench::lacking_two(Mode::Enforce);
    bench.look().await;
    recreate_shared(&bench);
    let seen = bench.act().await;
    let mut outcomes = seen.outcomes();
    outcomes.sort_unstable();
    assert_eq!(outcomes, [APPLIED, SHARED_MOVED]);
    assert_eq!(bench.writes(), [put(&missing())]);
}
