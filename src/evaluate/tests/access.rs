//! H2 and H3: which grants meet a need, and from when on.

use super::{codes, verdict};
use crate::{
    evaluate::{
        Access, Evaluation, Finding, Hypothesis, NearMiss, Standing, Verdict,
        fixtures::{
            EVERYONE, FORMER, GROUP, SHARED, STRANGER, World, control, data, failure, minutes_ago, now, present,
            principal, role_id,
        },
    },
    model::{Condition, Denied, DenyAssignment, FailureClass, PrincipalKind, Reading, Scope},
    policy::{
        Policy,
        fixtures::{SUBSCRIPTION, declare, host_account, own, policy, queue, trigger},
    },
};

pub(super) const RECEIVER: &str = "Azure Service Bus Data Receiver";

/// A condition on what no request tells.
const UNTOLD: &str = "@Environment[isPrivateLink] BoolEquals true";

/// A policy with one need: `shared` receives from one queue.
pub(super) fn receiving() -> Policy {
    policy(|spec| spec.platform.host_storage = None)
}

pub(super) fn world() -> World {
    World::without_grants(&receiving())
}

pub(super) fn answer(world: &World) -> Access {
    let evaluation = world.evaluate(&receiving());
    let [only] = evaluation.requirements.as_slice() else { panic!("one requirement") };
    only.access.clone()
}

fn granted(role: &str, scope: &Scope) -> Access {
    let mut world = world();
    world.grant(SHARED, role, scope);
    answer(&world)
}

pub(super) fn above(levels: usize) -> Scope {
    let id = queue();
    let segments: Vec<_> = id.as_str().split('/').collect();
    Scope::lenient(&segments[..segments.len() - levels].join("/"))
}

#[test]
fn a_grant_counts_wherever_it_is_inherited_from() {
    let root = Scope::parse("/").unwrap();
    let management = Scope::parse("/providers/Microsoft.Management/managementGroups/mg-all").unwrap();
    let upper = Scope::parse(&queue().to_string().to_uppercase().replace("/SUBSCRIPTIONS", "/subscriptions")).unwrap();
    let subscription = Scope::of_subscription(SUBSCRIPTION);
    let group = queue().resource_group().unwrap();
    for scope in [queue(), upper, above(2), group, subscription, management, root] {
        assert!(matches!(granted(RECEIVER, &scope), Access::Satisfied(_)), "{scope}");
    }
    for elsewhere in [
        own("Microsoft.ServiceBus/namespaces/sb-orders/queues/incoming-2"),
        own("Microsoft.ServiceBus/namespaces/sb-order"),
        own("Microsoft.ServiceBus/namespaces/sb-orders/queues/incoming/rules/x"),
    ] {
        assert!(matches!(granted(RECEIVER, &elsewhere), Access::Missing(_)), "{elsewhere}");
    }
}

#[test]
fn what_a_role_allows_counts_and_not_its_name() {
    assert!(matches!(granted("Azure Service Bus Data Owner", &queue()), Access::Satisfied(_)));
    for other in ["Azure Service Bus Data Sender", "Azure Event Hubs Data Receiver", "Owner", "Contributor"] {
        assert!(matches!(granted(other, &queue()), Access::Missing(_)), "{other} has no such data action");
    }
}

#[test]
fn control_and_data_actions_are_not_mixed_up() {
    let mut world = world();
    let control_plane = control(&["Microsoft.ServiceBus/*"], &[]);
    let role = world.define("c0570111-0000-4000-8000-000000000001", "Control only", vec![control_plane]);
    world.grant_id(SHARED, role, &queue());
    assert!(matches!(answer(&world), Access::Missing(_)));
}

#[test]
fn several_roles_meet_a_need_together() {
    let policy = policy(|spec| {
        spec.platform.host_storage = None;
        spec.bindings.clear();
        trigger(spec, "uploads", "blobTrigger", "files", "containers/in", "shared");
    });
    let container = own("Microsoft.Storage/storageAccounts/stfiles/blobServices/default/containers/in");
    let mut world = World::without_grants(&policy);
    world.grant(SHARED, "Storage Queue Data Contributor", &own("Microsoft.Storage/storageAccounts/stfiles"));
    world.grant(SHARED, "Storage Blob Data Reader", &container);
    let lacking = world.evaluate(&policy);
    assert_eq!(codes(&lacking), ["role-missing"]);
    let Access::Missing(missing) = &lacking.requirements[0].access else { panic!() };
    assert_eq!(missing, &["Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write"]);
    let write = data(&["Microsoft.Storage/storageAccounts/blobServices/*/write"], &[]);
    let role = world.define("c0570111-0000-4000-8000-000000000002", "Writes", vec![write]);
    world.grant_id(SHARED, role, &container);
    let evaluation = world.evaluate(&policy);
    let Access::Satisfied(by) = &evaluation.requirements[0].access else { panic!("{evaluation:?}") };
    assert_eq!(by.len(), 2, "both are named");
}

#[test]
fn a_not_list_takes_away_within_its_entry_and_another_role_restores_it() {
    let mut world = world();
    let all_but = |not: &str| data(&["Microsoft.ServiceBus/*"], &[not]);
    let id = "c0570111-0000-4000-8000-000000000003";
    let role = world.define(id, "All but receiving", vec![all_but("*/receive/action")]);
    world.grant_id(SHARED, role, &queue());
    assert!(matches!(answer(&world), Access::Missing(_)));
    let partly = vec![all_but("Microsoft.ServiceBus/namespaces/messages/receive/action")];
    world.define(id, "All but receiving messages", partly);
    assert!(matches!(answer(&world), Access::Missing(_)), "a part of the need is taken away");
    world.define(id, "All but sending", vec![all_but("*/send/action")]);
    assert!(matches!(answer(&world), Access::Satisfied(_)));
    world.define(id, "Restored within", vec![all_but("*/receive/action"), data(&["*/receive/action"], &[])]);
    assert!(matches!(answer(&world), Access::Satisfied(_)), "another entry of the same role");
    world.define(id, "All but receiving", vec![all_but("*/receive/action")]);
    world.grant(SHARED, RECEIVER, &queue());
    assert!(matches!(answer(&world), Access::Satisfied(_)), "another role");
}

#[test]
fn a_declared_role_with_a_not_list_is_met_by_itself_and_by_a_wider_one() {
    let id = "c0570111-0000-4000-8000-000000000004";
    let policy = policy(|spec| {
        spec.bindings.clear();
        spec.platform.host_storage = None;
        declare(spec, "Most of it", "bus", "shared");
    });
    let bus = own("Microsoft.ServiceBus/namespaces/sb-orders");
    let most = control(&["Microsoft.ServiceBus/*"], &["Microsoft.ServiceBus/namespaces/delete"]);
    for (held, satisfied) in [("itself", true), ("Owner", true), ("Reader", false)] {
        let mut world = World::without_grants(&policy);
        let own = world.define(id, "Most of it", vec![most.clone()]);
        let role = if held == "itself" { own } else { role_id(held) };
        world.grant_id(SHARED, role, &bus);
        let evaluation = world.evaluate(&policy);
        assert_eq!(matches!(evaluation.requirements[0].access, Access::Satisfied(_)), satisfied, "{held}");
    }
}

fn near(evaluation: &Evaluation) -> Vec<NearMiss> {
    let near = evaluation.findings.iter().filter_map(|finding| match finding {
        Finding::RoleMissing { near, .. } => Some(near.clone()),
        _ => None,
    });
    near.flatten().collect()
}

#[test]
fn the_role_on_another_account_and_at_a_former_identity_are_shown_as_near_misses() {
    let mut world = world();
    let wrong = own("Microsoft.ServiceBus/namespaces/sb-other");
    world.grant(SHARED, RECEIVER, &wrong);
    world.grant(FORMER, RECEIVER, &queue());
    world.grant(STRANGER, "Reader", &queue());
    world.group_grant("Reader", &queue());
    let evaluation = world.evaluate(&receiving());
    let expected = [NearMiss::OtherScope(wrong), NearMiss::OtherPrincipal(principal(FORMER))];
    assert_eq!(near(&evaluation), expected);
    assert_eq!(evaluation.decision.cause, Some(Hypothesis::H2));
}

#[test]
fn a_role_without_data_actions_is_shown_where_such_actions_are_missing() {
    let mut world = world();
    world.grant(SHARED, "Contributor", &above(2));
    world.grant(SHARED, "Reader", &own("Microsoft.ServiceBus/namespaces/sb-other"));
    world.grant(SHARED, "Website Contributor", &queue());
    world.grant(SHARED, "Azure Service Bus Data Sender", &queue());
    world.grant(STRANGER, "Owner", &queue());
    let mut evaluation = world.evaluate(&receiving());
    let expected = [NearMiss::NoDataActions { role: "Contributor".to_owned(), scope: above(2) }];
    assert_eq!(near(&evaluation), expected);
    evaluation.withhold(|scope| *scope == queue());
    assert_eq!(near(&evaluation), [], "where it is held may be nobody's business");
    evaluation = world.evaluate(&policy(|spec| {
        spec.platform.host_storage = None;
        spec.bindings.clear();
        declare(spec, "Website Contributor", "bus", "shared");
    }));
    assert_eq!(near(&evaluation), [], "no action on data is missing");
}

#[test]
fn what_one_role_would_meet_is_told_once_with_everything_that_asks_for_it() {
    let policy = policy(|spec| {
        spec.platform.host_storage = None;
        spec.bindings.clear();
        trigger(spec, "uploads", "blobTrigger", "files", "", "shared");
        trigger(spec, "copies", "blobTrigger", "files", "", "shared");
        declare(spec, "Storage Blob Data Owner", "files", "shared");
        declare(spec, "Storage Queue Data Contributor", "files", "system");
        declare(spec, "Storage Queue Data Contributor", "files", "shared");
    });
    let evaluation = World::without_grants(&policy).evaluate(&policy);
    let told = evaluation.findings.iter().map(|finding| (finding.code(), finding.subject()));
    let together = "bindings/uploads, bindings/copies, grants/2";
    let expected = ["bindings/uploads, bindings/copies", together, "grants/0", "grants/1"];
    assert!(told.eq(expected.map(|subject| ("role-missing", subject.to_owned()))), "{:?}", evaluation.findings);
    let lacking = evaluation.findings.iter().find_map(|finding| match finding {
        Finding::RoleMissing { missing, .. } if finding.subject() == together => Some(missing.clone()),
        _ => None,
    });
    let apart = evaluation
        .requirements
        .iter()
        .filter(|one| one.role == "Storage Queue Data Contributor" && one.principal == Some(principal(SHARED)));
    let (mut all, mut requirements) = (Vec::new(), 0);
    for one in apart {
        let Access::Missing(actions) = &one.access else { panic!("nothing is granted") };
        all.extend(actions.iter().filter(|action| !all.contains(*action)).cloned().collect::<Vec<_>>());
        requirements += 1;
    }
    assert!(requirements > 1, "they are asked one by one");
    assert_eq!(lacking, Some(all));
}

#[test]
fn a_role_that_is_not_defined_is_unknown_and_not_missing() {
    let policy = policy(|spec| declare(spec, "Queue Whisperer", "bus", "shared"));
    let evaluation = World::matching_but_last(&policy).evaluate(&policy);
    assert_eq!(codes(&evaluation), ["role-unknown"]);
    assert_eq!(evaluation.standing(), Standing::Undetermined);
    assert_eq!(verdict(&evaluation, Hypothesis::H2), Verdict::Open);
}

#[test]
fn a_condition_leaves_the_answer_open_unless_an_unconditional_grant_meets_the_need() {
    let mut world = world();
    world.grant(SHARED, RECEIVER, &queue()).condition = Condition::read(UNTOLD, None);
    assert!(matches!(answer(&world), Access::Unknown(_)));
    let evaluation = world.evaluate(&receiving());
    assert_eq!(codes(&evaluation), ["access-undecided"]);
    assert_eq!(evaluation.decision.cause, None);
    world.grant(SHARED, RECEIVER, &above(2));
    assert!(matches!(answer(&world), Access::Satisfied(_)));
}

#[test]
fn a_condition_in_the_role_itself_counts_like_one_on_the_grant() {
    let mut world = world();
    let mut entry = data(&["Microsoft.ServiceBus/*"], &[]);
    entry.condition = Condition::read(UNTOLD, None);
    let role = world.define("c0570111-0000-4000-8000-000000000005", "Sometimes", vec![entry]);
    world.grant_id(SHARED, role, &queue());
    assert!(matches!(answer(&world), Access::Unknown(_)));
}

#[test]
fn a_groups_grant_is_asked_about_and_then_counts_as_the_answer_says() {
    let mut world = world();
    let id = world.group_grant(RECEIVER, &queue());
    let asked = world.evaluate(&receiving());
    assert_eq!(codes(&asked), ["access-undecided"]);
    assert_eq!(asked.ask_groups.into_iter().collect::<Vec<_>>(), [(principal(SHARED), SUBSCRIPTION.to_owned())]);

    let mut told = |reading: Reading<Vec<Scope>>| {
        world.observed.through_groups.insert((principal(SHARED), SUBSCRIPTION.to_owned()), reading);
        let evaluation = world.evaluate(&receiving());
        assert!(evaluation.ask_groups.is_empty(), "it is asked once");
        evaluation.requirements[0].access.clone()
    };
    assert!(matches!(told(Reading::Present { value: vec![id], at: now() }), Access::Satisfied(_)));
    assert!(matches!(told(Reading::Present { value: vec![queue()], at: now() }), Access::Missing(_)));
    assert!(matches!(told(Reading::Absent { at: now() }), Access::Missing(_)));
    let denied = failure(FailureClass::Denied, "AuthorizationFailed");
    assert!(matches!(told(Reading::Unreadable(denied)), Access::Unknown(_)));
}

#[test]
fn a_young_grant_is_waited_for_only_where_no_group_may_have_given_the_same_for_long() {
    let key = (principal(SHARED), SUBSCRIPTION.to_owned());
    let mut world = World::without_grants(&receiving());
    let id = world.group_grant(RECEIVER, &queue());
    world.grant(SHARED, RECEIVER, &queue()).changed = Some(minutes_ago(1));
    assert!(world.evaluate(&receiving()).ask_groups.contains(&key));
    let mut told = |reading: Reading<Vec<Scope>>| {
        world.observed.through_groups.insert(key.clone(), reading);
        world.evaluate(&receiving()).requirements[0].access.clone()
    };
    assert!(matches!(told(present(vec![id])), Access::Satisfied(_)));
    assert!(matches!(told(present(Vec::new())), Access::Propagating { .. }));
    assert!(matches!(told(Reading::Unreadable(failure(FailureClass::Denied, "Denied"))), Access::Unknown(_)));
    world.each_list(|list| list.grants.iter_mut().for_each(|grant| grant.changed = Some(minutes_ago(1))));
    assert!(matches!(world.evaluate(&receiving()).requirements[0].access, Access::Propagating { .. }));
}

#[test]
fn whoever_may_be_a_group_is_asked_about_like_one() {
    let mut world = world();
    let id = world.group_grant(RECEIVER, &queue());
    let key = (principal(SHARED), SUBSCRIPTION.to_owned());
    let mut of_kind = |kind| {
        world.each_list(|access| access.grants.iter_mut().for_each(|grant| grant.principal_kind = kind));
        world.observed.through_groups.remove(&key);
        let asked = world.evaluate(&receiving());
        world.observed.through_groups.insert(key.clone(), Reading::Present { value: vec![id.clone()], at: now() });
        (asked, world.evaluate(&receiving()).requirements[0].access.clone())
    };
    let (asked, told) = of_kind(PrincipalKind::Unknown);
    assert!(asked.ask_groups.contains(&key) && matches!(told, Access::Satisfied(_)), "{told:?}");
    let Access::Unknown(because) = &asked.requirements[0].access else { panic!("{asked:?}") };
    assert!(because.contains("which may be a group"), "{because}");
    for certain in [PrincipalKind::ServicePrincipal, PrincipalKind::Other] {
        let (asked, told) = of_kind(certain);
        assert!(asked.ask_groups.is_empty() && matches!(told, Access::Missing(_)), "{certain:?}: {told:?}");
    }
}

#[test]
fn a_group_is_not_asked_about_when_it_could_not_help_or_is_not_needed() {
    let mut world = world();
    world.group_grant("Reader", &queue());
    assert!(world.evaluate(&receiving()).ask_groups.is_empty(), "that role would not meet the need");
    world.group_grant(RECEIVER, &queue());
    world.grant(SHARED, RECEIVER, &queue());
    let evaluation = world.evaluate(&receiving());
    assert!(evaluation.ask_groups.is_empty(), "the need is met already");
    assert_eq!(evaluation.standing(), Standing::Compliant);
}

#[test]
fn a_deny_assignment_outweighs_every_grant_where_it_applies() {
    let receive = || data(&["Microsoft.ServiceBus/*"], &[]);
    let denied = |who: &str, scope: &Scope, edit: &dyn Fn(&mut DenyAssignment)| {
        let mut world = world();
        world.grant(SHARED, RECEIVER, &queue());
        world.deny("locked", scope, who, receive());
        world.each_list(|access| access.denies.iter_mut().for_each(edit));
        answer(&world)
    };
    let nothing = |_: &mut DenyAssignment| ();
    assert_eq!(denied(SHARED, &queue(), &nothing), Access::Denied("locked".to_owned()));
    assert_eq!(denied(EVERYONE, &above(2), &nothing), Access::Denied("locked".to_owned()));
    assert!(matches!(denied(STRANGER, &queue(), &nothing), Access::Satisfied(_)));
    assert!(matches!(denied(EVERYONE, &above(2), &|deny| deny.own_scope_only = true), Access::Satisfied(_)));
    let exempt = |deny: &mut DenyAssignment| deny.excluded.push(Denied::Principal(principal(SHARED)));
    assert!(matches!(denied(EVERYONE, &queue(), &exempt), Access::Satisfied(_)));
    let group = |deny: &mut DenyAssignment| deny.principals = vec![Denied::Group(principal(GROUP))];
    assert!(matches!(denied(GROUP, &queue(), &group), Access::Unknown(_)));
    let spared = |deny: &mut DenyAssignment| {
        deny.permissions[0].not_data_actions.push("*/receive/action".to_owned());
    };
    assert!(matches!(denied(EVERYONE, &queue(), &spared), Access::Satisfied(_)));
    let other_plane = |deny: &mut DenyAssignment| deny.permissions[0] = control(&["*"], &[]);
    assert!(matches!(denied(EVERYONE, &queue(), &other_plane), Access::Satisfied(_)), "the data plane is not denied");
}

#[test]
fn denied_access_is_h6_and_says_nothing_about_roles() {
    let mut world = world();
    world.deny("locked", &queue(), SHARED, data(&["*"], &[]));
    let evaluation = world.evaluate(&receiving());
    assert_eq!(codes(&evaluation), ["access-denied"]);
    assert_eq!(evaluation.decision.cause, Some(Hypothesis::H6));
    assert_eq!(verdict(&evaluation, Hypothesis::H2), Verdict::Open, "nobody looked whether the role is there");
}

#[test]
fn a_hostile_role_leaves_the_answer_open_and_never_missing() {
    const HOSTILE: &str = "Hostile";
    let policy = policy(|spec| declare(spec, HOSTILE, "host", "shared"));
    let mut world = World::without_grants(&policy);
    let starry: Vec<String> = (0..3000).map(|at| format!("*{}*", format!("{at}*").repeat(100))).collect();
    let starry: Vec<&str> = starry.iter().map(String::as_str).collect();
    let role = world.define("c0570111-0000-4000-8000-000000000006", HOSTILE, vec![data(&["*"], &[])]);
    let other = world.define("c0570111-0000-4000-8000-000000000007", "Other", vec![data(&starry, &[])]);
    world.grant_id(SHARED, other, &host_account());
    let declared = world.evaluate(&policy).requirements.into_iter().find(|one| one.role_id == Some(role));
    let Some(Access::Unknown(because)) = declared.map(|one| one.access) else { panic!("it is left open") };
    assert!(because.contains("too many patterns"), "{because}");
}

impl World {
    /// Matching, except for the requirement declared last.
    fn matching_but_last(policy: &Policy) -> Self {
        let mut shorter = policy.clone();
        shorter.requirements.pop();
        Self::matching(&shorter)
    }
}
