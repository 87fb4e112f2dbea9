//! A dry run says whether Azure would let us write, and never tries.

use rolecall::{api::Mode, report::Situation, sandbox::arm::Permission};

use super::bench::Bench;
use super::documents::{GROUP, NOTHING, REHEARSED, SYSTEM, app, block, rights, rights_at, storage, uploads};

const GRANT: &str = "Microsoft.Authorization/roleAssignments/write";
const SITE: &str = "Microsoft.Web/sites/write";
/// What attaching needs of the identity.
const ASSIGN: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action";

async fn rehearsed(bench: Bench, permissions: Vec<Permission>) -> Vec<String> {
    bench.arm.set_caller_permissions(Some(permissions));
    let seen = Box::pin(bench.act()).await;
    assert_eq!(seen.situation, Situation::DriftReported, "{:?}", seen.status.findings);
    assert_eq!(bench.writes(), NOTHING);
    seen.outcomes().into_iter().map(str::to_owned).collect()
}

fn grant() -> Bench {
    Bench::new(Mode::DryRun)
}

fn attachment() -> Bench {
    Bench::with_block(Mode::DryRun, &block(Some(SYSTEM), &[]))
}

fn refused(action: &str, scope: &str) -> [String; 1] {
    [format!("the write would be refused: we lack `{action}` at {scope}")]
}

#[tokio::test(start_paused = true)]
async fn without_the_right_to_grant_the_write_would_be_refused() {
    let expected = refused(GRANT, &uploads());
    assert_eq!(rehearsed(grant(), vec![rights(&["*/read"], &[])]).await, expected);
    assert_eq!(rehearsed(grant(), vec![rights(&["*/read", SITE], &[])]).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_right_to_grant_that_is_taken_away_is_none() {
    let expected = refused(GRANT, &uploads());
    for taken in [GRANT, "Microsoft.Authorization/*/write", "*/WRITE"] {
        assert_eq!(rehearsed(grant(), vec![rights(&["*"], &[taken])]).await, expected, "{taken}");
        assert_eq!(rehearsed(grant(), vec![rights(&["*/read", GRANT], &[taken])]).await, expected, "{taken}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_right_to_grant_somewhere_else_is_none() {
    let elsewhere = format!("{GROUP}/providers/Microsoft.KeyVault/vaults/kv-orders");
    let permissions = vec![rights(&["*/read"], &[]), rights_at(&elsewhere, &[GRANT], &[])];
    assert_eq!(rehearsed(grant(), permissions).await, refused(GRANT, &uploads()));
}

#[tokio::test(start_paused = true)]
async fn with_the_right_to_grant_nothing_stands_against_it() {
    for allowed in [GRANT, "Microsoft.Authorization/roleAssignments/*", "microsoft.authorization/*/WRITE", "*"] {
        assert_eq!(rehearsed(grant(), vec![rights(&["*/read", allowed], &[])]).await, [REHEARSED], "{allowed}");
    }
    // Two roles: what one takes away, the other may give, and a role on the account is enough.
    let two = vec![rights(&["*"], &["Microsoft.Authorization/*/write"]), rights_at(&storage(), &[GRANT], &[])];
    assert_eq!(rehearsed(grant(), two).await, [REHEARSED]);
}

#[tokio::test(start_paused = true)]
async fn an_identity_write_needs_the_right_to_write_the_app() {
    let expected = refused(SITE, &app());
    assert_eq!(rehearsed(attachment(), vec![rights(&["*/read", GRANT], &[])]).await, expected);
    assert_eq!(
        rehearsed(attachment(), vec![rights(&["*"], &["Microsoft.Web/*"]), rights(&["*/read"], &[])]).await,
        expected
    );
    assert_eq!(rehearsed(attachment(), vec![rights(&["*/read", SITE, ASSIGN], &[])]).await, [REHEARSED]);
}
