//! Leave to act is lost while a pass is under way. It is asked after the last read, so that nothing lies between the
//! answer and the write.

use std::{sync::Arc, time::Duration};

use rolecall::{
    api::{ChangeKind, Mode},
    report::Situation,
};
use serde_json::json;

use super::bench::{Bench, Cluster};
use super::documents::{
    ACTING, APPLIED, BLOB_CONTRIBUTOR, NOTHING, RECEIVER, REHEARSED, SHARED, SUBSCRIPTION, SYSTEM, app, block,
    boundary, missing, no_boundary, own_name, patch, put, queue,
};

/// What was read and done under a boundary that is gone is not told any more.
const TOLD_NOTHING: &str = "nothing";
const CAPPED: &str = "not sent: the boundary over the app allows no more than `Report`";
const CHANGED: &str = "not sent: the policy was changed or deleted";

/// What happens to the policy and its boundary, what a step says then, and where the policy stands.
type Loss = (fn(&Bench, &Cluster), &'static str, Situation);

fn outside() -> Situation {
    Situation::OutsideBoundary
}

fn boundaries_lost() -> Vec<Loss> {
    let held = Situation::Held;
    vec![
        (|_, cluster| cluster.set_authority(no_boundary()), TOLD_NOTHING, outside()),
        (
            |_, cluster| cluster.set_authority(boundary(|spec| spec.max_mode = Mode::Report)),
            CAPPED,
            held("BoundaryMode"),
        ),
        (
            |_, cluster| cluster.set_authority(boundary(|spec| spec.namespaces.names = vec!["others".to_owned()])),
            TOLD_NOTHING,
            outside(),
        ),
        (
            |_, cluster| cluster.set_authority(boundary(|spec| spec.scopes[0].id.push_str("-other"))),
            TOLD_NOTHING,
            outside(),
        ),
        (
            |_, cluster| cluster.set_authority(boundary(|spec| spec.changes.clear())),
            "not sent: boundary `payments` does not list the change",
            held("OutsideBoundary"),
        ),
    ]
}

fn policies_lost() -> Vec<Loss> {
    let moved = || Situation::Remediating;
    vec![
        (|_, cluster| cluster.store(None), CHANGED, moved()),
        (
            |bench, cluster| {
                let mut suspended = bench.policy.clone();
                suspended.spec.suspend = true;
                cluster.store(Some(suspended));
            },
            CHANGED,
            moved(),
        ),
        (
            |bench, cluster| {
                let mut edited = bench.policy.clone();
                edited.spec.bindings.clear();
                cluster.store(Some(edited));
            },
            CHANGED,
            moved(),
        ),
    ]
}

/// Loses leave before the `nth` GET of that path, the last read before a write.
async fn assert_lost(bench: impl Fn(Mode) -> Bench, path: &str, nth: u32, losses: Vec<Loss>) {
    for (number, (loss, said, situation)) in losses.into_iter().enumerate() {
        for mode in ACTING {
            let bench = bench(mode);
            bench.look().await;
            // The loss is worked out on a cluster of its own, so that nothing of the bench moves into the deed.
            let (now, then) = (Arc::clone(&bench.cluster), Bench::new(mode));
            loss(&bench, &then.cluster);
            let authority = then.cluster.authority.lock().expect("nobody panics").clone();
            let stored = then.cluster.stored.lock().expect("nobody panics").clone();
            bench.before("GET", path, nth, move |_| {
                now.set_authority(authority);
                now.store(stored);
            });
            let seen = Box::pin(bench.act()).await;
            bench.assert_happened();
            if said == TOLD_NOTHING {
                assert_eq!((seen.outcomes(), seen.codes()), (Vec::new(), Vec::new()), "{number} {mode:?}");
            } else {
                let [outcome] = seen.outcomes()[..] else { panic!("{:?}", seen.outcomes()) };
                assert!(outcome.starts_with(said), "{number} {mode:?}: {outcome}");
            }
            assert_eq!(bench.writes(), NOTHING, "{number} {mode:?}");
            let is_told = mode == Mode::Enforce || said == TOLD_NOTHING;
            let expected = if is_told { situation.clone() } else { Situation::DriftReported };
            assert_eq!(seen.situation, expected, "{number}");
        }
    }
}

fn unattached(mode: Mode) -> Bench {
    Bench::with_block(mode, &block(Some(SYSTEM), &[]))
}

#[tokio::test(start_paused = true)]
async fn a_boundary_lost_before_a_grant_holds_it() {
    assert_lost(Bench::new, &missing(), 1, boundaries_lost()).await;
}

#[tokio::test(start_paused = true)]
async fn a_boundary_lost_before_an_identity_write_holds_it() {
    assert_lost(unattached, &app(), 2, boundaries_lost()).await;
}

#[tokio::test(start_paused = true)]
async fn a_policy_changed_before_a_grant_is_not_acted_on() {
    assert_lost(Bench::new, &missing(), 1, policies_lost()).await;
}

#[tokio::test(start_paused = true)]
async fn a_policy_changed_before_an_identity_write_is_not_acted_on() {
    assert_lost(unattached, &app(), 2, policies_lost()).await;
}

#[tokio::test(start_paused = true)]
async fn a_role_no_longer_listed_is_not_granted() {
    let loss: Loss = (
        |_, cluster| {
            cluster.set_authority(boundary(|spec| spec.roles.retain(|role| role.id != BLOB_CONTRIBUTOR)));
        },
        "not sent: boundary `payments` does not list the role Storage Blob Data Contributor",
        Situation::Held("OutsideBoundary"),
    );
    assert_lost(Bench::new, &missing(), 1, vec![loss]).await;
}

#[tokio::test(start_paused = true)]
async fn a_change_no_longer_listed_is_not_made() {
    let loss: Loss = (
        |_, cluster| {
            let attach = ChangeKind::AttachUserIdentity;
            cluster.set_authority(boundary(|spec| spec.changes.retain(|change| *change != attach)));
        },
        "not sent: boundary `payments` does not list the change AttachUserIdentity",
        Situation::Held("OutsideBoundary"),
    );
    assert_lost(unattached, &app(), 2, vec![loss]).await;
}

#[tokio::test(start_paused = true)]
async fn leave_that_is_not_lost_is_used() {
    for (bench, write) in [(Bench::new(Mode::Enforce), put(&missing())), (unattached(Mode::Enforce), patch())] {
        bench.look().await;
        assert_eq!(bench.act().await.outcomes(), [APPLIED]);
        assert_eq!(bench.writes(), [write]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_might_not_be_over_in_time_is_held_and_tried_again_soon() {
    let writes = [(Bench::new as fn(Mode) -> Bench, missing(), 1), (unattached, app(), 2)];
    for (bench, last_read, nth) in writes {
        let bench = bench(Mode::Enforce);
        bench.look().await;
        let cluster = Arc::clone(&bench.cluster);
        bench.before("GET", &last_read, nth, move |_| cluster.leave_undisturbed_for(Duration::from_secs(9)));
        let seen = bench.act().await;
        bench.assert_happened();
        let [outcome] = seen.outcomes()[..] else { panic!("{:?}", seen.outcomes()) };
        assert!(outcome.starts_with("not sent: the operator's lease was not renewed in time"), "{outcome}");
        assert_eq!(bench.writes(), NOTHING);
        assert_eq!(seen.situation, Situation::Remediating);
        bench.cluster.leave_undisturbed_for(Duration::from_millis(9001));
        assert_eq!(bench.act().await.outcomes(), [APPLIED], "nothing has to be read anew for that");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_needs_no_time_for_a_write() {
    let bench = Bench::new(Mode::DryRun);
    bench.cluster.leave_undisturbed_for(Duration::ZERO);
    assert_eq!(bench.act().await.outcomes(), [REHEARSED]);
}

#[tokio::test(start_paused = true)]
async fn leave_lost_after_the_first_of_two_grants_stops_the_second() {
    let grants = [put(&own_name(&queue(), SHARED, RECEIVER)), put(&missing())];
    for (lose, said) in [(0, vec![]), (1, vec![APPLIED, CHANGED])] {
        let bench = Bench::lacking_two(Mode::Enforce);
        bench.look().await;
        let cluster = Arc::clone(&bench.cluster);
        bench.before("PUT", "", 1, move |_| match lose {
            0 => cluster.set_authority(no_boundary()),
            _ => cluster.store(None),
        });
        let seen = bench.act().await;
        bench.assert_happened();
        assert_eq!(seen.outcomes(), said);
        assert_eq!(bench.writes().len(), 1);
        assert!(grants.contains(&bench.writes()[0]), "{:?}", bench.writes());
    }
}

#[tokio::test(start_paused = true)]
async fn a_boundary_lost_during_observation_leaves_nothing_to_tell() {
    let bench = Bench::new(Mode::Enforce);
    let cluster = Arc::clone(&bench.cluster);
    let list = format!("{SUBSCRIPTION}/providers/Microsoft.Authorization/roleAssignments");
    bench.before("GET", &list, 1, move |_| cluster.set_authority(no_boundary()));
    let seen = bench.act().await;
    bench.assert_happened();
    assert_eq!(seen.situation, Situation::OutsideBoundary);
    assert_eq!(bench.writes(), NOTHING);

    // The very words of a policy that nothing was ever read for.
    let outsider = Bench::new(Mode::Enforce);
    outsider.cluster.set_authority(no_boundary());
    let told_nothing = outsider.act().await;
    assert_eq!(outsider.arm.journal(), []);
    assert_eq!(json!(seen.status), json!(told_nothing.status));
}

#[tokio::test(start_paused = true)]
async fn a_boundary_capped_during_observation_holds_the_plan() {
    let bench = Bench::new(Mode::Enforce);
    let cluster = Arc::clone(&bench.cluster);
    let list = format!("{SUBSCRIPTION}/providers/Microsoft.Authorization/roleAssignments");
    bench.before("GET", &list, 1, move |_| {
        cluster.set_authority(boundary(|spec| spec.max_mode = Mode::DryRun));
    });
    let seen = bench.act().await;
    bench.assert_happened();
    assert_eq!(bench.writes(), NOTHING);
    assert_eq!(seen.situation, Situation::Held("BoundaryMode"));
}

#[tokio::test(start_paused = true)]
async fn a_policy_deleted_during_observation_is_not_acted_on() {
    let bench = Bench::new(Mode::Enforce);
    let cluster = Arc::clone(&bench.cluster);
    let list = format!("{SUBSCRIPTION}/providers/Microsoft.Authorization/roleAssignments");
    bench.before("GET", &list, 1, move |_| cluster.store(None));
    assert_eq!(bench.act().await.outcomes(), [CHANGED]);
    bench.assert_happened();
    assert_eq!(bench.writes(), NOTHING);
}
