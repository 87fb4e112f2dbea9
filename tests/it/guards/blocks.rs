//! An app's identity block is written only over the block that the plan was built on: over another, it could detach
//! something, or bring back what was detached.

use rolecall::{api::Mode, sandbox::arm::ArmSim};
use serde_json::{Value, json};

use super::bench::Bench;
use super::documents::{ACTING, APPLIED, DONE, NOTHING, REHEARSED, SHARED, STRANGER, SYSTEM, app, block, patch};

const MOVED: &str = "not sent: the identities of func-orders have changed";
const OTHER: (&str, &str) = ("mi-other", "07e40000-0007-4000-8000-000000000007");
const OURS: (&str, &str) = ("mi-orders", SHARED);

/// A pass in which the block becomes another just before the look that precedes the write: the app is read once to
/// plan, because the list shows that something is missing, and once more to confirm.
async fn assert_not_sent(planned_on: &Value, deed: impl FnOnce(&ArmSim) + Send + Clone + 'static, said: &str) {
    for mode in ACTING {
        let bench = Bench::with_block(mode, planned_on);
        bench.look().await;
        bench.before("GET", &app(), 2, deed.clone());
        let seen = bench.act().await;
        bench.assert_happened();
        assert_eq!(seen.outcomes(), [said], "{mode:?}");
        assert_eq!(bench.writes(), NOTHING, "{mode:?}");
    }
}

fn becomes(block: Value) -> impl FnOnce(&ArmSim) + Send + Clone + 'static {
    move |arm| arm.edit(&app(), |app| app["identity"] = block)
}

#[tokio::test(start_paused = true)]
async fn an_unchanged_block_is_written_once_with_everything_that_is_in_it() {
    let bench = Bench::with_block(Mode::Enforce, &block(Some(SYSTEM), &[OTHER]));
    bench.look().await;
    assert_eq!(bench.act().await.outcomes(), [APPLIED]);
    assert_eq!(bench.writes(), [patch()]);
    let written = bench.arm.document(&app()).expect("the app is there");
    assert_eq!(written["identity"]["principalId"], SYSTEM);
    assert_eq!(written["identity"]["userAssignedIdentities"].as_object().map(serde_json::Map::len), Some(2));
    bench.assert_settled().await;
}

#[tokio::test(start_paused = true)]
async fn a_rehearsal_over_an_unchanged_block_sends_nothing() {
    let bench = Bench::with_block(Mode::DryRun, &block(Some(SYSTEM), &[OTHER]));
    assert_eq!(bench.act().await.outcomes(), [REHEARSED]);
    assert_eq!(bench.writes(), NOTHING);
}

#[tokio::test(start_paused = true)]
async fn another_identity_attached_in_between_stops_the_write() {
    assert_not_sent(&block(Some(SYSTEM), &[]), becomes(block(Some(SYSTEM), &[OTHER])), MOVED).await;
}

#[tokio::test(start_paused = true)]
async fn another_identity_detached_in_between_is_not_brought_back() {
    assert_not_sent(&block(Some(SYSTEM), &[OTHER]), becomes(block(Some(SYSTEM), &[])), MOVED).await;
}

#[tokio::test(start_paused = true)]
async fn a_system_identity_enabled_in_between_stops_the_write() {
    assert_not_sent(&block(None, &[OTHER]), becomes(block(Some(SYSTEM), &[OTHER])), MOVED).await;
}

#[tokio::test(start_paused = true)]
async fn a_system_identity_switched_off_in_between_is_not_switched_on_again() {
    assert_not_sent(&block(Some(SYSTEM), &[OTHER]), becomes(block(None, &[OTHER])), MOVED).await;
}

#[tokio::test(start_paused = true)]
async fn a_system_identity_made_anew_in_between_stops_the_write() {
    assert_not_sent(&block(Some(SYSTEM), &[]), becomes(block(Some(STRANGER), &[])), MOVED).await;
}

#[tokio::test(start_paused = true)]
async fn an_app_that_is_gone_is_not_written() {
    assert_not_sent(&block(Some(SYSTEM), &[]), |arm| arm.remove(&app()), "not sent: func-orders is gone").await;
}

#[tokio::test(start_paused = true)]
async fn what_somebody_attached_in_between_is_not_attached_again() {
    assert_not_sent(&block(Some(SYSTEM), &[]), becomes(block(Some(SYSTEM), &[OURS])), DONE).await;
}

#[tokio::test(start_paused = true)]
async fn half_of_what_is_wanted_is_not_all_of_it() {
    assert_not_sent(&block(None, &[]), becomes(block(Some(SYSTEM), &[])), MOVED).await;
    assert_not_sent(&block(None, &[]), becomes(block(None, &[OURS])), MOVED).await;
    assert_not_sent(&block(None, &[]), becomes(block(Some(SYSTEM), &[OURS])), DONE).await;
}

#[tokio::test(start_paused = true)]
async fn another_spelling_of_what_is_attached_is_no_change() {
    let bench = Bench::with_block(Mode::Enforce, &block(Some(SYSTEM), &[OTHER]));
    bench.look().await;
    bench.before("GET", &app(), 2, |arm| {
        arm.edit(&app(), |app| {
            let attached = app["identity"]["userAssignedIdentities"].to_string();
            let respelled = attached.replace("/resourceGroups/", "/resourcegroups/");
            app["identity"]["userAssignedIdentities"] = serde_json::from_str(&respelled).unwrap_or(json!({}));
        });
    });
    assert_eq!(bench.act().await.outcomes(), [APPLIED]);
    bench.assert_happened();
    assert_eq!(bench.writes(), [patch()]);
}
