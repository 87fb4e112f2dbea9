//! One schedule again, from the line that a failure printed.

use super::{play::play, schedule::Schedule};

#[test]
#[expect(clippy::disallowed_methods, reason = "whoever looks into a failure names it in the environment")]
fn the_schedule_in_the_environment() {
    let Ok(text) = std::env::var("ROLECALL_REPLAY") else { return };
    let schedule: Schedule = text.parse().unwrap_or_else(|error| panic!("ROLECALL_REPLAY: {error}"));
    let played = play(&schedule);
    println!("{}\n{}", schedule.named(&played.calls), played.journal());
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

/// Schedules that broke something once. Their calls have names: numbers move with every read that is added.
const BROKE_ONCE: [&str; 20] = [
    // The write that would have found out whether a refusal was over was outdated by it.
    "scenario=system-identity-disabled operators=1 order=0 GET:/microsoft.servicebus/namespaces#1=429/7x3",
    // A grant of ours was taken back although somebody had narrowed it.
    "scenario=trigger-dropped operators=1 order=0 PATCH:/orders/status#1=grant-conditioned@0.1",
    // A dry run told of drift that its own look had found repaired.
    "town=129/3 operators=1 order=3544934636 \
     GET:/microsoft.managedidentity/userassignedidentities#2=boundary-restored@2.2",
    // An identity stayed off when the answer to taking it off was lost.
    "scenario=stale-attachment-put-back operators=1 order=0 PATCH:/sites/func-orders#1=answer-lost",
    // The same, when the gateway failed or putting it back was refused for a moment.
    "scenario=stale-attachment-put-back operators=1 order=0 PATCH:/sites/func-orders#2=429/7",
    "scenario=user-identity-recreated operators=1 order=0 GET:/microsoft.keyvault/vaults#1=429/240",
    // A grant was taken from an identity that had been made anew, on the word of an old list.
    "town=233/2 operators=1 order=1934902090 \
     GET:/microsoft.managedidentity/userassignedidentities#1=user-identity-recreated@0.2 \
     GET:/userassignedidentities/mi-azalea#2=stale-oldest",
    // Drift was said to be none beside a finding of drift.
    "town=130/3 operators=1 order=0 POST:/checkout/events#2=binding-dropped@0.1",
    // A refused list of networks was believed for an hour, and a closed firewall was not told meanwhile.
    "scenario=firewall-closed operators=1 order=0 GET:/microsoft.storage/storageaccounts#1=403",
    "scenario=subnet-without-endpoint operators=1 order=0 GET:/subnets/snet-func#1=403",
    // A vault was switched back on the word of an old list.
    "scenario=vault-switched operators=1 order=0 GET:/microsoft.authorization/roleassignments#6=stale-oldest",
    // It was switched back when somebody had conditioned a grant meanwhile, and no grant was gone.
    "scenario=vault-switched operators=1 order=0 GET:/vaults/kv-orders#2=grant-conditioned@0.0",
    // Nothing declared uses the identity that was switched off: it is told and held.
    "scenario=container-app-reads-as-another operators=1 order=0 \
     GET:/microsoft.web/sites#1=system-identity-disabled@0.0",
    // That calls recovered was told later than everything else came to rest.
    "scenario=role-removed-by-mistake operators=1 order=0 GET:/workspaces/law-prod#3=429/7x3",
    "scenario=role-put-back-by-hand operators=1 order=0 GET:/workspaces/law-prod#5=429/7x3",
    // Calls are refused from some minutes after a grant is gone, and the decision says so when all else was said.
    "scenario=role-removed-by-mistake operators=1 order=0 GET:/microsoft.web/sites#1=boundary-to-report@0.0",
    // A hypothesis that only telemetry confirms was named, beside a reading that failed.
    "scenario=audience-of-another-service operators=1 order=0 GET:/microsoft.authorization/roleassignments#1=empty",
    // Two operators added an entry at once, and its words came in another order.
    "town=195/1 operators=2 order=0 GET:/microsoft.managedidentity/userassignedidentities#2=403",
    // That an endpoint has no zone was believed for a day, on the word of one empty list.
    "scenario=private-endpoints-in-order operators=1 order=0 GET:/pe-secrets/privatednszonegroups#1=empty",
    // What telemetry confirmed was named when all that is declared was there again, and the evidence was left out.
    "scenario=private-zone-unlinked operators=1 order=0 GET:/microsoft.web/sites#1=declared-detached@0.0",
];

#[test]
fn what_broke_once_holds() {
    for text in BROKE_ONCE {
        let schedule: Schedule = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        let played = play(&schedule);
        let broken: Vec<String> = played.broken.iter().map(ToString::to_string).collect();
        assert!(broken.is_empty(), "{text}\n{}", broken.join("\n"));
        for at in schedule.faults.keys() {
            let mut calls = played.calls.iter().enumerate();
            let happened = calls.any(|(position, call)| call.fault.is_some() && at.is(call, &played.calls[..position]));
            assert!(happened, "{text}: nothing happened at {at}\n{}", played.journal());
        }
    }
}
