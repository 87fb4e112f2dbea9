//! What moves between the judgement and the write, and a vault that does not show what was written.

use jiff::tz::TimeZone;

use super::*;

/// The stranger's entry may be lost until the end of that day.
fn waive_to(spec: &mut IdentityBoundarySpec, until: &str) {
    let waiver = json!([{ "objectId": STRANGER, "reason": "an old job", "until": until }]);
    spec.vaults[0].waive = serde_json::from_value(waiver).expect("a list of waivers");
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_comes_between_the_look_and_the_write_stops_it() {
    for mode in [VaultMode::Rbac, VaultMode::AccessPolicy] {
        let bench = bench(Mode::Enforce);
        bench.look().await;
        let (cluster, late) = (bench.cluster.clone(), other(&bench, "payments", mode));
        bench.before("GET", LIST, 1, move |_| cluster.also_store(late));
        let seen = bench.act().await;
        bench.assert_happened();
        assert_eq!(seen.outcomes(), ["not sent: the policies of the cluster have changed"], "{mode:?}");
        assert_eq!(bench.writes(), NOTHING);
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_comes_while_the_switch_is_judged_stops_it() {
    let bench = bench(Mode::Enforce);
    // Whether the stranger is in the group has to be asked.
    bench.arm.remove(&others_grant());
    bench.arm.insert(grant_to_a_group());
    bench.cluster.set_authority(boundary(|spec| {
        allowed(spec);
        waive_to(spec, "2027-01-01");
    }));
    let (cluster, late) = (bench.cluster.clone(), other(&bench, "payments", VaultMode::Rbac));
    // The first is the survey's.
    let list = format!("{SUBSCRIPTION}/providers/Microsoft.Authorization/roleAssignments");
    bench.before("GET", &list, 2, move |_| cluster.also_store(late));
    let seen = bench.act().await;
    bench.assert_happened();
    assert_eq!(seen.outcomes(), ["not sent: the policies of the cluster have changed"]);
    assert_eq!(bench.writes(), NOTHING);
    // Once it was asked, too, it is not in the way.
    assert_eq!(bench.act().await.outcomes(), [APPLIED]);
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_may_look_at_the_vault_by_now_stops_it() {
    let bench = bench(Mode::Enforce);
    bench.cluster.also_store(other(&bench, "billing", VaultMode::Rbac));
    let cluster = bench.cluster.clone();
    bench.before("GET", LIST, 1, move |_| {
        cluster.set_authority(boundary(|spec| {
            allowed(spec);
            spec.namespaces.names.push("billing".to_owned());
        }));
    });
    let seen = bench.act().await;
    bench.assert_happened();
    assert_eq!(seen.outcomes(), ["not sent: other policies have a say about the vault"]);
    assert_eq!(bench.writes(), NOTHING);
    assert_eq!(bench.act().await.outcomes(), [APPLIED]);
}

#[tokio::test(start_paused = true)]
async fn leave_that_is_lost_between_the_look_and_the_write_stops_it() {
    let bench = bench(Mode::Enforce);
    bench.look().await;
    let cluster = bench.cluster.clone();
    bench.before("GET", LIST, 1, move |_| {
        cluster.set_authority(boundary(|spec| {
            allowed(spec);
            spec.vaults.clear();
        }));
    });
    let seen = bench.act().await;
    bench.assert_happened();
    let said = "not sent: boundary `payments` does not say `switch: WhenSafe` of `kv-orders`";
    assert_eq!((seen.outcomes(), bench.writes()), (vec![said], Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn a_waiver_that_ends_between_the_look_and_the_write_stops_it() {
    let bench = bench(Mode::Enforce);
    bench.arm.remove(&others_grant());
    let now = bench.clock.now().to_zoned(TimeZone::UTC);
    bench.cluster.set_authority(boundary(|spec| {
        allowed(spec);
        waive_to(spec, &now.date().to_string());
    }));
    let late = now.with().hour(23).minute(59).second(59).build().expect("a time");
    tokio::time::sleep(late.duration_since(&now).unsigned_abs()).await;
    // The look before the write takes seconds.
    let busy = json!({ "status": 503, "headers": { "retry-after": "2" } });
    bench.fault(&json!({ "method": "GET", "path": LIST, "answer": busy }));
    let said = "not sent: no boundary waives all who would lose access to `kv-orders`";
    assert_eq!(bench.act().await.outcomes(), [said]);
    assert_eq!(bench.writes(), NOTHING);
}

/// The vault does not show, after the write, that it was switched.
fn hide_the_switch(arm: &ArmSim, read_fails: bool) {
    let mut stale = arm.document(&vault()).expect("the vault is there");
    stale["properties"]["enableRbacAuthorization"] = false.into();
    let (status, times) = if read_fails { (500, 3) } else { (200, 1) };
    let answer = json!({ "status": status, "body": stale });
    let fault = json!({ "method": "GET", "path": vault(), "times": times, "answer": answer });
    arm.add_fault(serde_json::from_value(fault).expect("a fault"));
}

#[tokio::test(start_paused = true)]
async fn access_that_was_lost_is_given_back_whatever_the_vault_shows() {
    for read_fails in [true, false] {
        // The pass looks at the vault itself twice before the write.
        let hiding = |bench: &Bench| {
            bench.before("GET", "/vaults/kv-orders", 3, move |arm| hide_the_switch(arm, read_fails));
        };
        let whole = bench(Mode::Enforce);
        hiding(&whole);
        let seen = whole.act().await;
        whole.assert_happened();
        let Situation::Retrying(failure) = &seen.situation else { panic!("{:?}", seen.situation) };
        assert_eq!(failure.code == "ModeNotShown", !read_fails, "{failure:?}");
        assert_eq!((by_roles(&whole), whole.writes()), (true, vec![patch()]));

        let lossy = bench(Mode::Enforce);
        hiding(&lossy);
        lose_the_grant_after_the_write(&lossy);
        let seen = lossy.act().await;
        let Situation::Retrying(failure) = &seen.situation else { panic!("{:?}", seen.situation) };
        assert_eq!(failure.code, "AccessLost", "{failure:?}");
        assert_eq!((by_roles(&lossy), lossy.writes()), (false, vec![patch(), patch()]));
    }
}
