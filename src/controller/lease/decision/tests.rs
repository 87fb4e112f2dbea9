//! Who does what, when. Times are seconds of the steady clock; the wall clock goes along unless a test says otherwise.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use tokio::time::Instant;

use super::*;

const DURATION: Duration = Duration::from_secs(15);
const WRITE: Duration = Duration::from_secs(9);
const US: &str = "rolecall-a_1";
const THEM: &str = "rolecall-b_2";

/// Both clocks of one machine, at second zero.
fn start() -> Moment {
    Moment { wall: "2026-03-02T09:00:00Z".parse::<Timestamp>().unwrap(), steady: Instant::now() }
}

fn after(start: Moment, seconds: f64) -> Moment {
    by(start, seconds, seconds)
}

/// As many seconds later by the steady clock, and by the wall clock.
fn by(start: Moment, steady: f64, wall: f64) -> Moment {
    Moment {
        wall: start.wall + SignedDuration::from_secs_f64(wall),
        steady: start.steady + Duration::from_secs_f64(steady),
    }
}

fn renewal(sent: Moment) -> Renewal {
    Renewal { sent, duration: DURATION }
}

fn lost() -> Move {
    Move::Lose(LeaseLost::NotRenewed { within: Duration::from_secs(13) })
}

fn held(by: &str, version: &str) -> Record {
    Record { holder: Some(by.to_owned()), duration: DURATION, version: version.to_owned() }
}

fn released(version: &str) -> Record {
    Record { holder: None, duration: DURATION, version: version.to_owned() }
}

fn seen(found: impl Into<Option<Record>>, at: Moment) -> Sight {
    Sight::nothing(at).after(found.into(), at)
}

#[test]
fn a_lease_that_nobody_has_made_is_created_and_a_released_one_is_taken() {
    let now = start();
    assert_eq!(next(US, None, &seen(None, now), &now), Move::Create);
    assert_eq!(next(US, None, &seen(released("1"), now), &now), Move::Replace);
}

#[test]
fn a_claim_of_ours_whose_answer_was_lost_is_ours() {
    let now = start();
    assert_eq!(next(US, None, &seen(held(US, "1"), now), &now), Move::Replace);
}

#[test]
fn a_lease_of_another_is_taken_when_it_was_seen_unchanged_for_all_its_time() {
    let zero = start();
    let mut sight = seen(held(THEM, "1"), zero);
    for seconds in [2.0, 8.0, 14.9] {
        let now = after(zero, seconds);
        sight = sight.after(Some(held(THEM, "1")), now);
        let left = Duration::from_secs(15).checked_sub(Duration::from_secs_f64(seconds)).unwrap();
        assert_eq!(next(US, None, &sight, &now), Move::Wait(left), "after {seconds} s");
    }
    assert_eq!(next(US, None, &sight, &after(zero, 15.0)), Move::Replace);
}

#[test]
fn a_renewal_that_is_seen_begins_the_time_anew() {
    let zero = start();
    let renewed = after(zero, 14.0);
    let sight = seen(held(THEM, "1"), zero).after(Some(held(THEM, "2")), renewed);
    assert_eq!(next(US, None, &sight, &after(zero, 28.0)), Move::Wait(Duration::from_secs(1)));
    assert_eq!(next(US, None, &sight, &after(zero, 29.0)), Move::Replace);
}

#[test]
fn the_time_that_its_holder_relies_on_counts_and_not_ours() {
    let zero = start();
    let longer = Record { duration: Duration::from_secs(60), ..held(THEM, "1") };
    let sight = seen(longer, zero);
    assert_eq!(next(US, None, &sight, &after(zero, 59.0)), Move::Wait(Duration::from_secs(1)));
    assert_eq!(next(US, None, &sight, &after(zero, 60.0)), Move::Replace);
}

#[test]
fn a_lease_that_somebody_deletes_still_has_its_holder_until_the_time_is_over() {
    let zero = start();
    let sight = seen(held(THEM, "1"), zero).after(None, after(zero, 3.0));
    assert_eq!(next(US, None, &sight, &after(zero, 3.0)), Move::Wait(Duration::from_secs(12)));
    assert_eq!(next(US, None, &sight, &after(zero, 15.0)), Move::Create);
    // Its holder makes it anew.
    let sight = sight.after(Some(held(THEM, "7")), after(zero, 4.0));
    assert_eq!(next(US, None, &sight, &after(zero, 15.0)), Move::Wait(Duration::from_secs(4)));
}

#[test]
fn a_leader_renews_what_is_its_own_and_makes_a_deleted_lease_anew() {
    let zero = start();
    let now = after(zero, 2.0);
    let own = seen(held(US, "1"), zero);
    assert_eq!(next(US, Some(&renewal(zero)), &own, &now), Move::Replace);
    assert_eq!(next(US, Some(&renewal(zero)), &own.clone().after(None, now), &now), Move::Create);
    assert_eq!(next(US, Some(&renewal(zero)), &own.after(Some(released("2")), now), &now), Move::Replace);
}

#[test]
fn a_leader_that_meets_another_holder_has_lost_at_once() {
    let zero = start();
    let taken = LeaseLost::Taken { by: THEM.to_owned() };
    assert_eq!(next(US, Some(&renewal(zero)), &seen(held(THEM, "2"), zero), &after(zero, 0.1)), Move::Lose(taken));
}

#[test]
fn a_leader_whose_renewals_fail_has_lost_before_anybody_else_may_begin() {
    let zero = start();
    let own = seen(held(US, "1"), zero);
    assert_eq!(next(US, Some(&renewal(zero)), &own, &after(zero, 12.9)), Move::Replace);
    assert_eq!(next(US, Some(&renewal(zero)), &own, &after(zero, 13.0)), lost());
    // Whoever saw the renewal in the very moment in which it was sent waits for longer.
    let sight = seen(held(US, "1"), zero);
    assert_eq!(next(THEM, None, &sight, &after(zero, 13.0)), Move::Wait(Duration::from_secs(2)));
}

#[test]
fn a_clock_that_is_set_back_prolongs_no_lease_and_a_machine_that_slept_has_lost_it() {
    let zero = start();
    let own = seen(held(US, "1"), zero);
    assert_eq!(next(US, Some(&renewal(zero)), &own, &by(zero, 13.0, -3600.0)), lost());
    assert_eq!(next(US, Some(&renewal(zero)), &own, &by(zero, 1.0, 3600.0)), lost());
    assert!(!renewal(zero).permits(WRITE, &by(zero, 5.0, -3600.0)));
    assert!(!renewal(zero).permits(WRITE, &by(zero, 1.0, 3600.0)));
}

#[test]
fn a_clock_that_is_set_forward_takes_nothing_from_anybody() {
    let zero = start();
    let sight = seen(held(THEM, "1"), zero);
    assert_eq!(next(US, None, &sight, &by(zero, 1.0, 3600.0)), Move::Wait(Duration::from_secs(14)));
}

#[test]
fn a_write_may_begin_when_it_is_over_two_seconds_before_the_lease_is() {
    let zero = start();
    for (seconds, may) in [(0.0, true), (3.9, true), (4.0, false), (12.0, false)] {
        assert_eq!(renewal(zero).permits(WRITE, &after(zero, seconds)), may, "{seconds} s after the renewal");
    }
    assert!(!renewal(zero).permits(Duration::MAX, &zero));
}

proptest! {
    /// The whole point, for a leader whose renewals all fail from some moment on: the write that begins last is over
    /// before the standby that looks at the best moment claims the lease, and so is the leader.
    #[test]
    fn nobody_claims_what_somebody_may_still_write(
        sent in 0.0..5.0_f64,
        // The renewal arrives after it was sent, and is seen after it has arrived.
        arrives in 0.0..3.0_f64,
        is_seen in 0.0..2.0_f64,
        begins in 0.0..30.0_f64,
        claims in 0.0..30.0_f64,
        takes in 1_u64..12,
    ) {
        let zero = start();
        let renewed = after(zero, sent);
        let sight = seen(held(US, "1"), after(zero, sent + arrives + is_seen));
        let (begins, claims) = (after(zero, sent + begins), after(zero, sent + claims));
        let write = Duration::from_secs(takes);
        if next(THEM, None, &sight, &claims) == Move::Replace {
            prop_assert_eq!(next(US, Some(&renewal(renewed)), &sight, &claims), lost());
            if renewal(renewed).permits(write, &begins) {
                prop_assert!(begins.steady + write + Duration::from_secs(2) <= claims.steady);
            }
        }
    }
}
