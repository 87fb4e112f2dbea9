//! The arithmetic against limits that it does not know.

use proptest::prelude::*;

use super::*;
use crate::catalog::clouds::CLOUDS;

const READS: Allowance = CLOUDS[0].allowances.reads;

fn start() -> Instant {
    Instant::now()
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// Takes as many as there are.
fn drain(bucket: &mut Bucket, urgency: Urgency, now: Instant) -> Vec<Ticket> {
    std::iter::from_fn(|| bucket.take(urgency, 1.0, now).ok()).take(100_000).collect()
}

#[test]
fn lists_leave_a_tenth_and_confirmations_a_twentieth_and_who_has_no_patience_left_takes_all() {
    let now = start();
    let mut bucket = Bucket::documented(READS, now);
    assert_eq!(drain(&mut bucket, Urgency::Looking, now).len(), 225);
    // Twelve and a half are to stay.
    assert_eq!(drain(&mut bucket, Urgency::Confirming, now).len(), 12);
    assert_eq!(bucket.take(Urgency::Confirming, 1.0, now), Err(seconds(0.5 / 25.0)));
    assert_eq!(bucket.take(Urgency::Looking, 1.0, now), Err(seconds(13.0 / 25.0)));
    assert!(bucket.take(Urgency::Looking, 0.0, now).is_ok());
    assert_eq!(drain(&mut bucket, Urgency::Looking, now + seconds(1.0)).len(), 12, "25 came back to 12");
}

#[test]
fn a_lower_counter_is_believed_at_once_and_a_higher_one_gives_one_token_back() {
    let now = start();
    let mut bucket = Bucket::documented(READS, now);
    let sent = drain(&mut bucket, Urgency::Looking, now);
    // Level 25; another front end has plenty.
    bucket.answered(sent[0], Some(240.0), now);
    assert_eq!(drain(&mut bucket, Urgency::Looking, now).len(), 1);
    bucket.answered(sent[1], Some(3.0), now);
    bucket.answered(sent[2], Some(239.0), now);
    assert_eq!(bucket.take(Urgency::Confirming, 1.0, now), Err(seconds(9.5 / 25.0)), "4 of 13.5");
}

#[test]
fn a_bucket_larger_than_documented_is_found_out() {
    let mut now = start();
    let mut bucket = Bucket::documented(READS, now);
    let mut sent = 0;
    for _ in 0..6000 {
        now += Duration::from_millis(10);
        if let Ok(ticket) = bucket.take(Urgency::Looking, 1.0, now) {
            sent += 1;
            bucket.answered(ticket, Some(1000.0), now);
        }
    }
    assert_eq!(sent, 6000, "a hundred a second for a minute, where twenty-five are documented");
}

#[test]
fn after_a_refusal_one_goes_alone_and_its_answer_opens_the_bucket() {
    let now = start();
    let mut bucket = Bucket::documented(READS, now);
    let (early, refused) = (bucket.take(Urgency::Looking, 1.0, now), bucket.take(Urgency::Looking, 1.0, now));
    bucket.refused(refused.unwrap(), Some(seconds(17.0)), now);
    assert_eq!(bucket.take(Urgency::Confirming, 1.0, now), Err(seconds(17.0)));
    bucket.answered(early.unwrap(), Some(200.0), now);
    assert_eq!(bucket.closed_for(now), Some(seconds(17.0)), "an answer from before changes nothing");
    let then = now + seconds(17.0);
    let alone = bucket.take(Urgency::Looking, 1.0, then).expect("told so");
    assert_eq!(bucket.take(Urgency::Confirming, 1.0, then), Err(PROBE));
    bucket.answered(alone, Some(30.0), then);
    assert!(bucket.take(Urgency::Confirming, 1.0, then).is_ok());
}

#[test]
fn many_refusals_at_once_teach_as_much_as_one() {
    let now = start();
    let (mut one, mut many) = (Bucket::documented(READS, now), Bucket::documented(READS, now));
    let sent = (drain(&mut one, Urgency::Looking, now), drain(&mut many, Urgency::Looking, now));
    one.refused(sent.0[8], Some(seconds(5.0)), now);
    for ticket in &sent.1[..9] {
        many.refused(*ticket, Some(seconds(5.0)), now);
    }
    assert_eq!(one.closed_for(now), many.closed_for(now));
    assert_eq!(one.wait(100, now + seconds(5.0)), many.wait(100, now + seconds(5.0)));
}

#[test]
fn who_is_told_to_come_back_too_early_again_and_again_comes_back_later_and_later() {
    let mut now = start();
    let mut bucket = Bucket::unlimited();
    let mut pauses = Vec::new();
    for _ in 0..7 {
        let ticket = bucket.take(Urgency::Confirming, 1.0, now).expect("it is time");
        bucket.refused(ticket, Some(seconds(5.0)), now);
        let pause = bucket.closed_for(now).expect("closed");
        pauses.push(pause.as_secs());
        now += pause;
    }
    assert_eq!(pauses, [5, 5, 10, 20, 40, 60, 60]);
    let long = bucket.take(Urgency::Confirming, 1.0, now).expect("it is time");
    bucket.refused(long, Some(seconds(900.0)), now);
    assert_eq!(bucket.closed_for(now), Some(seconds(900.0)), "never sooner than told");
}

#[test]
fn a_token_that_was_not_used_is_there_for_the_next() {
    let now = start();
    let mut bucket = Bucket::documented(READS, now);
    let taken = drain(&mut bucket, Urgency::Looking, now);
    bucket.give_back(*taken.last().expect("many"), now);
    assert_eq!(drain(&mut bucket, Urgency::Looking, now).len(), 1);
}

/// A limit as somebody may have it. It is asked for a token and says what is left, if it says so at all.
trait Server {
    fn asked(&mut self, elapsed: Duration) -> Result<Option<f64>, Duration>;
}

struct TokenBucket {
    size: f64,
    per_second: f64,
    level: f64,
    at: Duration,
    silent: bool,
}

impl Server for TokenBucket {
    fn asked(&mut self, elapsed: Duration) -> Result<Option<f64>, Duration> {
        self.level = self.size.min(self.level + elapsed.saturating_sub(self.at).as_secs_f64() * self.per_second);
        self.at = elapsed;
        if self.level < 1.0 {
            return Err(Duration::from_secs(1));
        }
        self.level -= 1.0;
        Ok((!self.silent).then_some(self.level.floor()))
    }
}

/// So many a minute, in windows that begin with a request. `told`: what it says when it refuses, or the truth.
struct Window {
    limit: u32,
    began: Duration,
    count: u32,
    told: Option<Duration>,
}

impl Server for Window {
    fn asked(&mut self, elapsed: Duration) -> Result<Option<f64>, Duration> {
        if elapsed.saturating_sub(self.began) >= MINUTE {
            (self.began, self.count) = (elapsed, 0);
        }
        if self.count >= self.limit {
            return Err(self.told.unwrap_or((self.began + MINUTE).saturating_sub(elapsed)));
        }
        self.count += 1;
        Ok(None)
    }
}

/// Asks as much as the bucket allows for half an hour; how much was answered and how much refused.
fn half_an_hour(mut bucket: Bucket, mut server: impl Server) -> (u32, u32) {
    let began = start();
    let (mut elapsed, mut answered, mut refused) = (Duration::ZERO, 0, 0);
    while elapsed < 30 * MINUTE {
        match bucket.take(Urgency::Confirming, 1.0, began + elapsed) {
            Err(wait) => elapsed += wait.max(Duration::from_millis(1)),
            Ok(ticket) => match server.asked(elapsed) {
                Ok(left) => {
                    answered += 1;
                    bucket.answered(ticket, left, began + elapsed);
                    elapsed += Duration::from_millis(1);
                }
                Err(told) => {
                    refused += 1;
                    bucket.refused(ticket, Some(told), began + elapsed);
                }
            },
        }
    }
    (answered, refused)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn with_counters_there_is_hardly_a_refusal_and_little_waste(size in 20_u32..2000, hundredths in 50_u32..5000) {
        let (size, per_second) = (f64::from(size), f64::from(hundredths) / 100.0);
        let server = TokenBucket { size, per_second, level: size, at: Duration::ZERO, silent: false };
        let (answered, refused) = half_an_hour(Bucket::documented(READS, start()), server);
        prop_assert!(refused <= 3, "{refused} refused");
        let allowed = size + per_second * 1800.0;
        prop_assert!(f64::from(answered) > 0.9 * allowed - 250.0, "{answered} of {allowed}");
    }

    #[test]
    fn a_limit_that_says_nothing_until_it_refuses_refuses_seldom(limit in 30_u32..600, told in 1_u64..60) {
        for told in [None, Some(Duration::from_secs(told))] {
            let server = Window { limit, began: Duration::ZERO, count: 0, told };
            let (answered, refused) = half_an_hour(Bucket::unlimited(), server);
            prop_assert!(refused <= 30, "{refused} refused, {told:?}");
            let allowed = f64::from(limit) * 30.0;
            prop_assert!(f64::from(answered) > 0.6 * allowed, "{answered} of {allowed}, {told:?}");
        }
    }

    #[test]
    fn a_silent_bucket_that_is_smaller_than_documented_refuses_seldom(hundredths in 100_u32..2500) {
        let per_second = f64::from(hundredths) / 100.0;
        let server = TokenBucket { size: 50.0, per_second, level: 50.0, at: Duration::ZERO, silent: true };
        let (answered, refused) = half_an_hour(Bucket::documented(READS, start()), server);
        prop_assert!(refused <= 60, "{refused} refused");
        prop_assert!(f64::from(answered) > 0.6 * per_second * 1800.0, "{answered} at {per_second}/s");
    }
}
