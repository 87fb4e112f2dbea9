//! One schedule again, from the line that a failure printed.

use super::{play::play, schedule::Schedule};

#[test]
#[expect(clippy::disallowed_methods, reason = "whoever looks into a failure names it in the environment")]
fn the_schedule_in_the_environment() {
    let Ok(text) = std::env::var("ROLECALL_REPLAY") else { return };
    let schedule: Schedule = text.parse().unwrap_or_else(|error| panic!("ROLECALL_REPLAY: {error}"));
    let played = play(&schedule);
    println!("{schedule}\n{}", played.journal());
    let broken: Vec<String> = played.broken.iter().map(ToString::to_string).collect();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn a_schedule_goes_the_same_way_twice() {
    for seed in 0..40 {
        let schedule = Schedule::random(seed);
        let (once, twice) = (play(&schedule), play(&schedule));
        assert_eq!(once.journal(), twice.journal(), "{schedule}");
        assert_eq!((once.broken, once.end), (twice.broken, twice.end), "{schedule}");
    }
}

/// Schedules that broke something once.
const BROKE_ONCE: [&str; 18] = [
    // The write that would have found out whether a refusal was over was outdated by it.
    "scenario=system-identity-disabled operators=1 order=0 10=429/7x3",
    // A grant of ours was taken back although somebody had narrowed it.
    "scenario=trigger-dropped operators=1 order=0 19=grant-conditioned@0.1",
    // A dry run told of drift that its own look had found repaired.
    "town=129/3 operators=1 order=3544934636 23=boundary-restored@2.2",
    // An identity stayed off when the answer to taking it off was lost.
    "scenario=stale-attachment-put-back operators=1 order=0 26=answer-lost",
    // The same, when the gateway failed or putting it back was refused for a moment.
    "scenario=stale-attachment-put-back operators=1 order=0 27=429/7",
    "scenario=user-identity-recreated operators=1 order=0 3=429/240",
    // A grant was taken from an identity that had been made anew, on the word of an old list.
    "town=233/2 operators=1 order=1934902090 2=user-identity-recreated@0.2 24=stale-oldest",
    // Drift was said to be none beside a finding of drift.
    "town=130/3 operators=1 order=0 31=binding-dropped@0.1",
    // A refused list of networks was believed for an hour, and a closed firewall was not told meanwhile.
    "scenario=firewall-closed operators=1 order=0 10=403",
    "scenario=subnet-without-endpoint operators=1 order=0 12=403",
    // A vault was switched back on the word of an old list.
    "scenario=vault-switched operators=1 order=0 48=stale-oldest",
    // It was switched back when somebody had conditioned a grant meanwhile, and no grant was gone.
    "scenario=vault-switched operators=1 order=0 46=grant-conditioned@0.0",
    // Nothing declared uses the identity that was switched off: it is told and held.
    "scenario=container-app-reads-as-another operators=1 order=0 1=system-identity-disabled@0.0",
    // That calls recovered was told later than everything else came to rest.
    "scenario=role-removed-by-mistake operators=1 order=0 82=429/7x3",
    "scenario=role-put-back-by-hand operators=1 order=0 103=429/7x3",
    // Calls are refused from some minutes after a grant is gone, and the decision says so when all else was said.
    "scenario=role-removed-by-mistake operators=1 order=0 1=boundary-to-report@0.0",
    // A hypothesis that only telemetry confirms was named, beside a reading that failed.
    "scenario=audience-of-another-service operators=1 order=0 4=empty",
    // Two operators added an entry at once, and its words came in another order.
    "town=195/1 operators=2 order=0 10=403",
];

#[test]
fn what_broke_once_holds() {
    for text in BROKE_ONCE {
        let schedule: Schedule = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        let broken: Vec<String> = play(&schedule).broken.iter().map(ToString::to_string).collect();
        assert!(broken.is_empty(), "{text}\n{}", broken.join("\n"));
    }
}
