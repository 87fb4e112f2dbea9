//! Somebody makes another grant between the survey and the write. One that covers the need makes ours superfluous.

use rolecall::api::Mode;
use serde_json::Value;

use super::bench::{Bench, Seen};
use super::documents::{
    APPLIED, BLOB_CONTRIBUTOR, BLOB_OWNER, GROUP, NOTHING, READER, STRANGER, SYSTEM, foreign, missing, put, storage,
    uploads,
};

/// A survey, then this grant, then a pass that rests on the survey.
async fn after(document: &Value) -> (Bench, Seen) {
    let bench = Bench::new(Mode::Enforce);
    bench.look().await;
    bench.arm.insert(document.clone());
    let seen = bench.act().await;
    (bench, seen)
}

#[tokio::test(start_paused = true)]
async fn a_grant_that_does_not_cover_the_need_changes_nothing() {
    let others = [foreign(GROUP, SYSTEM, READER), foreign(GROUP, STRANGER, BLOB_OWNER)];
    for other in others {
        let (bench, first) = after(&other).await;
        // One that the identity itself holds is looked at with a fresh survey first; it is not judged by its role.
        if other["properties"]["principalId"] == SYSTEM {
            assert_eq!(bench.writes(), NOTHING, "{:?}", first.outcomes());
            assert_eq!(bench.act().await.outcomes(), [APPLIED], "{other}");
        }
        assert_eq!(bench.writes(), [put(&missing())]);
    }
    let account = format!("{GROUP}/providers/Microsoft.Storage/storageAccounts/stordershost");
    let (bench, _) = after(&foreign(&account, SYSTEM, BLOB_OWNER)).await;
    assert_eq!(bench.writes(), [put(&missing())], "an account that is another's");
    let _ = storage();
}

#[tokio::test(start_paused = true)]
async fn a_grant_that_covers_the_need_by_now_makes_ours_superfluous() {
    let grants = [
        foreign(GROUP, SYSTEM, BLOB_OWNER),
        foreign(&storage(), SYSTEM, BLOB_OWNER),
        foreign(&storage(), SYSTEM, BLOB_CONTRIBUTOR),
        foreign(&uploads(), SYSTEM, BLOB_CONTRIBUTOR),
    ];
    for grant in grants {
        let (bench, seen) = after(&grant).await;
        assert_eq!(bench.writes(), NOTHING, "{grant} {:?}", seen.outcomes());
        let [outcome] = seen.outcomes()[..] else { panic!("{:?}", seen.outcomes()) };
        assert_ne!(outcome, APPLIED, "{grant}");
        bench.assert_settled().await;
        assert_eq!(bench.writes(), NOTHING, "{grant}");
    }
}
