//! The facts that are cited, and the links of the chain. That none contradicts its verdict is among the properties.

mod telemetry;

use super::{
    Answer::{CannotTell, No, Yes},
    *,
};
use crate::{
    evaluate::fixtures::{SHARED, World, failure, minutes_ago, now, present, principal, right_settings},
    model::{AppSettings, FailureClass, Scope, SystemAssigned},
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
fn an_identity_whose_principal_the_app_does_not_have_yet_is_attached_all_the_same() {
    let explanation = explained(|world| {
        world.site().attached.get_mut(&shared()).unwrap().principal = None;
    });
    let told = format!(
        "func-orders identity.userAssignedIdentities[mi-shared].principalId = attached; the identity itself has {SHARED}"
    );
    assert!(lines(&case(&explanation, Hypothesis::H1).disproving).contains(&told));
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

#[test]
fn access_through_a_group_leaves_open_whether_it_acts() {
    let policy = policy(|spec| {
        spec.platform.host_storage = None;
        spec.vaults.clear();
    });
    let mut world = World::without_grants(&policy);
    let group = world.group_grant("Azure Service Bus Data Receiver", &queue());
    let asked = world.evaluate(&policy).ask_groups.into_iter().next().expect("a group is asked about");
    world.observed.through_groups.insert(asked, present(vec![group]));
    let evaluation = world.evaluate(&policy);
    let explanation = explain(&policy, &world.observed, &evaluation);
    let case = case(&explanation, Hypothesis::H3);
    assert_eq!(case.verdict, Verdict::Open);
    let [Needed::Undecided(because)] = case.needed.as_slice() else { panic!("{:?}", case.needed) };
    assert!(because.contains("through a group") && because.contains("24 hours"), "{because}");
    assert_eq!(evaluation.standing(), crate::evaluate::Standing::Compliant);
}

#[test]
fn an_entry_that_is_missing_is_access_that_is_missing_and_no_question_of_the_model() {
    let policy = policy(|spec| vault(spec, "AccessPolicy", "shared", &["get"]));
    let mut world = World::matching(&policy);
    (world.vault().mode, world.vault().entries) = (crate::model::VaultMode::AccessPolicy, Some(Vec::new()));
    let evaluation = world.evaluate(&policy);
    let answer = |question| evaluation.decision.path.iter().find(|node| node.question == question).unwrap().answer;
    assert_eq!(answer(Question::RolePresent), No, "{:?}", evaluation.findings);
    assert_eq!(answer(Question::VaultModeAligned), Yes);
    assert_eq!(evaluation.decision.cause, Some(Hypothesis::H4));
}

#[test]
fn an_identity_too_many_explains_no_failure() {
    let explanation = {
        let policy = policy(|spec| {
            spec.identities.system = crate::api::SystemIdentity::Forbidden;
            spec.platform.host_storage = None;
        });
        let mut world = World::matching(&policy);
        world.site().system = SystemAssigned::On(principal(crate::evaluate::fixtures::SYSTEM));
        let evaluation = world.evaluate(&policy);
        assert_eq!(evaluation.findings.iter().map(Finding::code).collect::<Vec<_>>(), ["system-identity-forbidden"]);
        assert_eq!(evaluation.decision.cause, None);
        explain(&policy, &world.observed, &evaluation)
    };
    assert!(case(&explanation, Hypothesis::H1).confirming.is_empty());
}

#[test]
fn a_reference_that_is_not_resolved_leaves_open_what_it_speaks_for_and_a_resolved_one_speaks_against_it() {
    let referring = |status: &str, vault: &str| {
        explained(|world| {
            let reference = crate::model::VaultReference {
                setting: "ApiKey".to_owned(),
                vault: vault.to_owned(),
                status: status.to_owned(),
            };
            world.observed.references = Some(present(vec![reference]));
        })
    };
    let name = declared().vaults[0].vault.name().to_uppercase();
    for (status, hypothesis) in [
        ("AccessToKeyVaultDenied", Hypothesis::H4),
        ("MSINotEnabled", Hypothesis::H1),
        ("VaultNotFound", Hypothesis::H6),
    ] {
        let explanation = referring(status, &name);
        let case = case(&explanation, hypothesis);
        assert_eq!(case.verdict, Verdict::Open, "{status}");
        let told = format!("func-orders config/configreferences/appsettings/ApiKey = {status}");
        assert_eq!(lines(&case.confirming), [told]);
        assert!(!case.needed.is_empty());
    }
    let resolved = referring("Resolved", &name);
    let h4 = case(&resolved, Hypothesis::H4);
    assert_eq!(h4.verdict, Verdict::Refuted);
    assert!(
        lines(&h4.disproving).contains(&"func-orders config/configreferences/appsettings/ApiKey = Resolved".to_owned())
    );
    let elsewhere = referring("AccessToKeyVaultDenied", "kv-of-others");
    assert_eq!(case(&elsewhere, Hypothesis::H4).verdict, Verdict::Refuted, "nobody declares that vault");
}

#[test]
fn what_may_serve_all_the_same_is_no_incident_and_what_only_telemetry_tells_is_one() {
    let policy = policy(|spec| vault(spec, "RBAC", "shared", &["get"]));
    let mut world = World::matching(&policy);
    world.vault().mode = crate::model::VaultMode::AccessPolicy;
    let let_in = crate::evaluate::fixtures::access_entry(principal(SHARED), &[("secrets", &["get"])]);
    world.vault().entries = Some(vec![let_in]);
    let evaluation = world.evaluate(&policy);
    assert_eq!(evaluation.findings.iter().map(Finding::code).collect::<Vec<_>>(), ["vault-mode-mismatch"]);
    assert_eq!(evaluation.severity, None, "its entries let the app in");
    world.vault().entries = Some(Vec::new());
    assert_eq!(world.evaluate(&policy).severity, Some(crate::evaluate::Severity::Sev2));

    let mut world = World::matching(&policy);
    world.grant(SHARED, "Key Vault Secrets User", &policy.vaults[0].vault);
    let mut severity = |signal: &str| {
        world.observed.evidence = Some(present(std::sync::Arc::new(crate::evaluate::fixtures::refusals(signal, 4))));
        world.evaluate(&policy).severity
    };
    assert_eq!(severity("vault-firewall"), Some(crate::evaluate::Severity::Sev2));
    assert_eq!(severity("refused-403"), None, "it has several reasons");
}

#[test]
fn what_was_asked_after_a_repair_and_could_not_be_read_leaves_open_what_it_could_speak_for() {
    let denied = || failure(FailureClass::Denied, "AuthorizationFailed");
    let policy = policy(|spec| {
        (spec.settings, spec.platform.host_storage) = (Settings::Inspect, None);
        "Orders".clone_into(&mut spec.bindings[0].connection);
        vault(spec, "RBAC", "shared", &["get"]);
    });
    let verdicts = |spoil: &dyn Fn(&mut World)| {
        let mut world = World::matching(&policy);
        let settings = right_settings(&policy);
        let settings = settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        world.observed.settings = Some(present(std::sync::Arc::new(AppSettings::read(settings))));
        spoil(&mut world);
        let explanation = explain(&policy, &world.observed, &world.evaluate(&policy));
        [Hypothesis::H1, Hypothesis::H4].map(|hypothesis| {
            let case = case(&explanation, hypothesis);
            assert!(case.verdict != Verdict::Open || case.needed == [Needed::Reading(denied())], "{case:?}");
            case.verdict
        })
    };
    let host = |started| Some(crate::model::HostSeen { identity_written: minutes_ago(9), started });
    assert_eq!(verdicts(&|_| {}), [Verdict::Refuted, Verdict::Refuted]);
    assert_eq!(
        verdicts(&|world| world.observed.host = host(present(minutes_ago(8)))),
        [Verdict::Refuted, Verdict::Refuted]
    );
    assert_eq!(
        verdicts(&|world| world.observed.host = host(Reading::Unreadable(denied()))),
        [Verdict::Open, Verdict::Refuted]
    );
    assert_eq!(
        verdicts(&|world| world.observed.references = Some(Reading::Unreadable(denied()))),
        [Verdict::Open, Verdict::Open]
    );
    let mut gone = World::matching(&policy);
    gone.observed.host = host(Reading::Unreadable(denied()));
    gone.observed.target = Reading::Absent { at: now() };
    let explanation = explain(&policy, &gone.observed, &gone.evaluate(&policy));
    assert_eq!(case(&explanation, Hypothesis::H1).needed.len(), 1, "an app that is gone has no host");
}

#[test]
fn what_nobody_came_to_look_at_is_not_said_to_be_undeclared() {
    let needed = |policy: &Policy, hypothesis: Hypothesis, spoil: &dyn Fn(&mut World)| {
        let mut world = World::matching(policy);
        spoil(&mut world);
        let explained = explain(policy, &world.observed, &world.evaluate(policy));
        let case = case(&explained, hypothesis);
        assert_eq!(case.verdict, Verdict::NotExamined);
        case.needed.clone()
    };
    let denied = || failure(FailureClass::Denied, "AuthorizationFailed");
    let unread = |world: &mut World| world.observed.target = Reading::Unreadable(denied());
    assert_eq!(needed(&policy(|_| {}), Hypothesis::H6, &unread), [Needed::Reading(denied())]);
    let gone = |world: &mut World| world.observed.target = Reading::Absent { at: now() };
    assert!(matches!(needed(&policy(|_| {}), Hypothesis::H6, &gone)[..], [Needed::Undecided(_)]));

    let only_vault = policy(|spec| {
        spec.bindings.clear();
        spec.platform.host_storage = None;
        vault(spec, "RBAC", "shared", &["get"]);
    });
    let closed = |world: &mut World| {
        let id = only_vault.vaults[0].vault.clone();
        world.observed.vaults.insert(id, Reading::Unreadable(denied()));
    };
    assert_eq!(needed(&only_vault, Hypothesis::H2, &closed), [Needed::Reading(denied())]);
    assert_eq!(needed(&only_vault, Hypothesis::H5, &closed), [Needed::Settings]);
}
