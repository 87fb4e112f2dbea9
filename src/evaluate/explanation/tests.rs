//! The facts that are cited, and the links of the chain. That none contradicts its verdict is among the properties.

use super::{
    Answer::{CannotTell, No, Yes},
    *,
};
use crate::{
    evaluate::fixtures::{SHARED, World, failure, minutes_ago, now, present, principal},
    model::{FailureClass, Scope, SystemAssigned},
    policy::fixtures::{app, own, policy, queue, shared, vault},
};

fn declared() -> Policy {
    policy(|spec| vault(spec, "RBAC", "shared", &["get"]))
}

/// The explanation of a world in which everything is as it must be but for `spoil`.
fn explained(spoil: impl Fn(&mut World)) -> Explanation {
    let policy = declared();
    let mut world = World::matching(&policy);
    let kv = policy.vaults[0].vault.clone();
    world.grant(SHARED, "Key Vault Secrets User", &kv);
    spoil(&mut world);
    explain(&policy, &world.observed, &world.evaluate(&policy))
}

fn case(explanation: &Explanation, hypothesis: Hypothesis) -> &Case {
    explanation.cases.iter().find(|case| case.hypothesis == hypothesis).unwrap()
}

fn answers(explanation: &Explanation) -> Vec<Answer> {
    explanation.chain.iter().map(|link| link.answer).collect()
}

/// Each fact as `resource field = value`.
fn lines(facts: &[Fact]) -> Vec<String> {
    facts.iter().map(|it| format!("{} {} = {}", it.resource.name(), it.field, it.value)).collect()
}

#[test]
fn where_all_is_well_each_hypothesis_has_what_speaks_against_it() {
    let explanation = explained(|_| {});
    for (hypothesis, cited) in [
        (
            Hypothesis::H1,
            format!(
                "func-orders identity.userAssignedIdentities[mi-shared].principalId = {SHARED}, as the identity itself has it"
            ),
        ),
        (
            Hypothesis::H2,
            format!("incoming roleAssignments = `Azure Service Bus Data Receiver` for principal {SHARED}"),
        ),
        (Hypothesis::H4, "kv-orders properties.enableRbacAuthorization = true".to_owned()),
    ] {
        let case = case(&explanation, hypothesis);
        // Which identity the connections use is in the settings, which nobody looked at.
        let expected = if hypothesis == Hypothesis::H1 { Verdict::Open } else { Verdict::Refuted };
        assert_eq!(case.verdict, expected, "{hypothesis:?}");
        assert!(lines(&case.disproving).contains(&cited), "{:?}", lines(&case.disproving));
        assert!(case.disproving.iter().all(|fact| fact.at == Some(now())), "each with its time");
    }
    assert_eq!(case(&explanation, Hypothesis::H1).needed, [Needed::Settings]);
    assert_eq!(case(&explanation, Hypothesis::H3).verdict, Verdict::Refuted);
    assert_eq!(answers(&explanation), [Yes, CannotTell, CannotTell, Yes, Yes]);
    let needed: Vec<_> = explanation.chain.iter().filter_map(|link| link.needed.clone()).collect();
    assert_eq!(needed, [Needed::Directory, Needed::Telemetry], "what Resource Manager does not show");
}

#[test]
fn a_missing_role_is_shown_by_the_list_that_has_none() {
    let gone = principal(SHARED);
    let explanation = explained(|world| {
        world.each_list(|list| list.grants.retain(|grant| grant.principal != gone || grant.scope != queue()));
    });
    let h2 = case(&explanation, Hypothesis::H2);
    assert_eq!(h2.verdict, Verdict::Confirmed);
    let [fact] = &h2.confirming[..] else { panic!("{:?}", h2.confirming) };
    assert_eq!((&fact.resource, fact.field.as_str()), (&queue(), "roleAssignments"));
    assert!(
        fact.value.starts_with(&format!("none lets principal {SHARED} do `Microsoft.ServiceBus/")),
        "{}",
        fact.value
    );
    assert!(!h2.disproving.is_empty(), "what is held elsewhere is told as well");
}

#[test]
fn a_young_grant_is_told_with_its_times() {
    let explanation = explained(|world| {
        world.each_list(|list| list.grants.iter_mut().for_each(|grant| grant.changed = Some(minutes_ago(2))));
    });
    let h3 = case(&explanation, Hypothesis::H3);
    assert_eq!(h3.verdict, Verdict::Confirmed);
    assert!(h3.confirming.iter().all(|fact| fact.value.contains("certain to act from")), "{:?}", h3.confirming);
    assert_eq!(explanation.chain[4].answer, No);
}

#[test]
fn what_could_not_be_read_is_what_is_needed() {
    let refused = failure(FailureClass::Denied, "AuthorizationFailed");
    let explanation = explained(|world| {
        world.observed.access.values_mut().for_each(|list| *list = Reading::Unreadable(refused.clone()));
    });
    let h2 = case(&explanation, Hypothesis::H2);
    assert_eq!(h2.verdict, Verdict::Open);
    assert!(h2.needed.contains(&Needed::Reading(refused.clone())), "{:?}", h2.needed);
    assert_eq!(explanation.chain[3].answer, Answer::CannotTell);
    assert!(explanation.chain[3].needed.is_some());
}

#[test]
fn an_identity_that_is_off_or_made_anew_breaks_the_chain_where_it_does() {
    let off = explained(|world| world.site().system = SystemAssigned::Off);
    assert_eq!(answers(&off)[..2], [No, CannotTell]);
    let [fact] = &case(&off, Hypothesis::H1).confirming[..] else { panic!("one fact") };
    assert_eq!((&fact.resource, fact.value.as_str()), (&app(), "UserAssigned"));
    let gone = explained(|world| {
        world.observed.user.insert(shared(), Reading::Absent { at: now() });
    });
    assert_eq!(answers(&gone)[..2], [No, No]);
    assert_eq!(lines(&case(&gone, Hypothesis::H1).confirming), ["mi-shared GET = 404"]);
}

#[test]
fn a_resource_that_is_gone_is_a_404() {
    let bus = own("Microsoft.ServiceBus/namespaces/sb-orders");
    let explanation = explained(|world| {
        world.observed.resources.insert(bus.clone(), Reading::Absent { at: now() });
        world.observed.resources.insert(Scope::parse("/subscriptions/elsewhere").unwrap(), present(()));
    });
    let h6 = case(&explanation, Hypothesis::H6);
    assert_eq!((h6.verdict, lines(&h6.confirming)), (Verdict::Confirmed, vec!["sb-orders GET = 404".to_owned()]));
}
