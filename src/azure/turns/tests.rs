//! Who goes when.

use std::sync::Arc;

use futures::future::join_all;

use super::*;
use crate::catalog::clouds::CLOUDS;

const SITE: &str = "/subscriptions/S1/resourceGroups/g/providers/Microsoft.Web/sites/app";
const GRANT: &str = "/subscriptions/s1/resourceGroups/g/providers/Microsoft.Web/sites/app/providers/\
    Microsoft.Authorization/roleAssignments/name";
const FIVE: Duration = Duration::from_secs(5);

fn turns() -> Arc<Turns> {
    Arc::new(Turns::new(CLOUDS[0].allowances, FIVE))
}

fn reads() -> Counted {
    Counted::at(Operation::Reads, SITE)
}

/// Sends as much as may be sent at once.
async fn drain(turns: &Turns, counted: &Counted, urgency: Urgency) -> Vec<Turn> {
    let began = Instant::now();
    let mut sent = Vec::new();
    while let Ok(mut turn) = turns.next(counted, urgency).await {
        if Instant::now() > began {
            break;
        }
        turn.use_up();
        sent.push(turn);
    }
    sent
}

fn refusal(by_provider: bool, seconds: u64) -> Told {
    Told::Refused { by_provider, retry_after: Some(Duration::from_secs(seconds)) }
}

fn not_before(seconds: u64) -> NotYet {
    NotYet { wait: Duration::from_secs(seconds), refused: true }
}

#[test]
fn a_request_counts_for_its_subscription_and_its_last_provider() {
    let counted = |subscription: &str, provider: &str| Counted {
        subscription: subscription.to_owned(),
        operation: Operation::Reads,
        provider: provider.to_owned(),
    };
    let at = |path| Counted::at(Operation::Reads, path);
    assert_eq!(at(SITE), counted("s1", "microsoft.web"));
    assert_eq!(at(GRANT), counted("s1", "microsoft.authorization"));
    assert_eq!(at("//subscriptions/s1/providers//Microsoft.Web/sites"), counted("s1", "microsoft.web"));
    assert_eq!(at("/subscriptions/s1/resourceGroups/g"), counted("s1", ""));
    assert_eq!(at("/providers/Microsoft.Authorization/roleDefinitions/x"), counted("", "microsoft.authorization"));
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_go_in_the_order_in_which_they_came() {
    let turns = turns();
    drain(&turns, &reads(), Urgency::Confirming).await;
    let order = Arc::new(Mutex::new(Vec::new()));
    join_all((0..20).map(|number| {
        let (turns, order) = (turns.clone(), order.clone());
        async move {
            turns.next(&reads(), Urgency::Confirming).await.expect("soon").use_up();
            order.lock().expect("no panic").push(number);
        }
    }))
    .await;
    assert_eq!(*order.lock().expect("no panic"), (0..20).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn confirmations_overtake_lists_and_lists_come_through_all_the_same() {
    let (turns, reads) = (turns(), reads());
    drain(&turns, &reads, Urgency::Looking).await;
    let began = Instant::now();
    // More confirmations than the refill gives, for longer than a list may wait.
    let confirming = join_all((0..8).map(|_| async {
        while began.elapsed() < 2 * FIVE {
            turns.next(&reads, Urgency::Confirming).await.expect("soon").use_up();
        }
    }));
    let looking = async {
        turns.next(&reads, Urgency::Looking).await.expect("within its time").use_up();
        began.elapsed()
    };
    let (_, waited) = tokio::join!(confirming, looking);
    assert!(waited > Duration::from_secs(2) && waited <= FIVE, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_is_too_far_away_is_told_at_once() {
    let turns = turns();
    let mut sent = drain(&turns, &reads(), Urgency::Looking).await;
    sent[0].answered(&refusal(false, 240));
    let began = Instant::now();
    for urgency in [Urgency::Confirming, Urgency::Looking] {
        assert_eq!(turns.next(&reads(), urgency).await.err(), Some(not_before(240)));
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
    // Nobody else is kept by it: other operations and other subscriptions have buckets of their own.
    assert!(turns.next(&Counted::at(Operation::Writes, SITE), Urgency::Confirming).await.is_ok());
    let other = Counted::at(Operation::Reads, "/subscriptions/s2/providers/Microsoft.Web/sites");
    assert!(turns.next(&other, Urgency::Looking).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn the_refusal_of_a_provider_concerns_its_requests_alone() {
    let turns = turns();
    let mut turn = turns.next(&Counted::at(Operation::Writes, GRANT), Urgency::Confirming).await.expect("the first");
    turn.use_up();
    turn.answered(&refusal(true, 60));
    assert!(turn.was_refused());
    assert!(turns.next(&Counted::at(Operation::Reads, GRANT), Urgency::Confirming).await.is_err(), "reads too");
    assert!(turns.next(&Counted::at(Operation::Writes, SITE), Urgency::Confirming).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_is_not_used_is_somebody_elses() {
    let turns = turns();
    let writes = Counted::at(Operation::Writes, SITE);
    let kept = drain(&turns, &writes, Urgency::Confirming).await;
    assert_eq!(kept.len(), 190);
    let unused = turns.next(&writes, Urgency::Confirming).await.expect("in a moment");
    drop(unused);
    let began = Instant::now();
    turns.next(&writes, Urgency::Confirming).await.expect("at once").use_up();
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_is_held_is_void_when_azure_has_refused_since() {
    let turns = turns();
    let writes = Counted::at(Operation::Writes, GRANT);
    let held = turns.next(&writes, Urgency::Confirming).await.expect("the first");
    let mut other = turns.next(&writes, Urgency::Confirming).await.expect("the second");
    assert!(held.is_for(&writes) && !held.is_for(&reads()) && held.void().is_none());
    other.use_up();
    other.answered(&refusal(false, 17));
    assert_eq!(held.void(), Some(not_before(17)));
}

/// A write takes its turn before its confirming look: were the turn after the silence void as well, none would go again.
#[tokio::test(start_paused = true)]
async fn the_turn_after_the_silence_is_good_and_goes_to_another_when_it_is_not_used() {
    let turns = turns();
    let writes = Counted::at(Operation::Writes, GRANT);
    let mut first = turns.next(&writes, Urgency::Confirming).await.expect("the first");
    first.use_up();
    first.answered(&refusal(false, 4));
    sleep(Duration::from_secs(4)).await;
    let unused = turns.next(&writes, Urgency::Confirming).await.expect("the silence is over");
    assert_eq!(unused.void(), None);
    drop(unused);
    let began = Instant::now();
    let mut used = turns.next(&writes, Urgency::Confirming).await.expect("nobody finds out");
    assert_eq!((began.elapsed(), used.void()), (Duration::ZERO, None));
    used.use_up();
    used.answered(&refusal(false, 4));
    assert!(used.void().is_some(), "and it is refused as well");
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_waiting_keeps_nobody_back() {
    let (turns, reads) = (turns(), reads());
    drain(&turns, &reads, Urgency::Confirming).await;
    turns.next(&reads, Urgency::Confirming).await.expect("soon").use_up();
    {
        let first = turns.next(&reads, Urgency::Confirming);
        tokio::select! {
            _ = first => panic!("there is no token yet"),
            () = sleep(Duration::from_millis(10)) => {}
        }
    }
    let began = Instant::now();
    turns.next(&reads, Urgency::Confirming).await.expect("soon").use_up();
    assert!(began.elapsed() < Duration::from_millis(100), "{:?}", began.elapsed());
}
