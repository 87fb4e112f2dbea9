//! Vaults that are switched to role assignments, and everybody for whose sake they are not.

use std::collections::BTreeSet;

use super::*;
use crate::{
    evaluate::{
        Alignment, Gap, align,
        fixtures::{GROUP, STRANGER, access_entry, control},
    },
    model::{AccessEntry, Condition, VaultMode},
    policy::{
        Claim, Claims,
        fixtures::{kv, vault},
    },
};

const SWITCH: ChangeKind = ChangeKind::SwitchVaultMode;
const USER: &str = "Key Vault Secrets User";
const OFFICER: &str = "Key Vault Secrets Officer";

fn declaring() -> Policy {
    enforcing(|spec| {
        vault(spec, "RBAC", "shared", &["get"]);
        spec.remediation.allow.push(SWITCH);
    })
}

fn entry(object: &str, permissions: &[(&str, &[&str])]) -> AccessEntry {
    access_entry(principal(object), permissions)
}

/// The vault decides by these access policies, and the policy's own identity has its role.
fn with(policy: &Policy, entries: &[AccessEntry]) -> World {
    let mut world = World::matching(policy);
    let vault = world.vault();
    (vault.mode, vault.entries) = (VaultMode::AccessPolicy, Some(entries.to_vec()));
    world
}

/// A boundary over app and vault that lets it be switched, and waives these until the day.
fn boundaries(switch: &str, waived: &[(&str, &str)], changes: &[ChangeKind]) -> Vec<Boundary> {
    let groups = [app().resource_group().unwrap(), kv().resource_group().unwrap()];
    let waive = |(object, until): &(&str, &str)| serde_json::json!({ "objectId": object, "reason": "an old job", "until": until });
    let mut object = boundary_object(Mode::Enforce, &groups, &[USER], changes);
    let vault = serde_json::json!({
        "resource": kv().to_string().to_uppercase().replace("/SUBSCRIPTIONS", "/subscriptions"),
        "switch": switch, "waive": waived.iter().map(waive).collect::<Vec<_>>(),
    });
    object.spec.vaults = vec![serde_json::from_value(vault).unwrap()];
    vec![Boundary::from(&object)]
}

fn waiving(waived: &[(&str, &str)]) -> Authority {
    let boundaries = boundaries("WhenSafe", waived, &[ChangeKind::GrantRole, SWITCH]);
    Authority::Boundaries { boundaries, namespaces: [].into() }
}

fn claiming(policy: &Policy, world: &World, authority: &Authority, claims: &Claims) -> Plan {
    under(policy, world, authority, claims, &Circumstances::default())
}

fn under(
    policy: &Policy,
    world: &World,
    authority: &Authority,
    claims: &Claims,
    circumstances: &Circumstances,
) -> Plan {
    let mut evaluation = world.evaluate(policy);
    let alignment = align(policy, &kv(), claims, &world.observed, now(), &mut BTreeSet::new());
    evaluation.alignments.insert(kv(), alignment);
    let verdict = authority.verdict(policy);
    plan(policy, &verdict, &evaluation, circumstances, lookup(&world.observed))
}

fn aligned(policy: &Policy, world: &World, authority: &Authority) -> Plan {
    claiming(policy, world, authority, &Claims::default())
}

/// Who would lose access, as told.
fn breaks(plan: &Plan) -> Vec<(String, Gap)> {
    assert!(!plan.steps.iter().any(|step| step.kinds() == [SWITCH]), "{:?}", plan.steps);
    let held = plan.held.iter().find(|held| held.kind == Some(SWITCH)).expect("it is held");
    let HoldReason::AccessWouldBreak(breaks) = &held.reason else { panic!("{held:?}") };
    let who = |one: &Break| one.object.map(|object| object.to_string()).unwrap_or_default();
    breaks.iter().map(|one| (who(one), one.gap.clone())).collect()
}

fn lacks(roles: &[&str]) -> Gap {
    Gap::Lacks(roles.iter().map(|&role| role.to_owned()).collect())
}

#[test]
fn a_vault_is_switched_when_everybody_gets_in_by_roles() {
    let policy = declaring();
    let entries = [
        entry(SHARED, &[("secrets", &["Get"]), ("keys", &[])]),
        entry(STRANGER, &[("Secrets", &["ALL"])]),
        entry(FORMER, &[("keys", &[])]),
    ];
    let mut world = with(&policy, &entries);
    world.grant(STRANGER, OFFICER, &kv().resource_group().unwrap());
    let plan = aligned(&policy, &world, &waiving(&[]));
    let [step] = plan.steps.as_slice() else { panic!("{plan:?}") };
    let Request { method, path, api_version, body } = &step.request;
    assert_eq!((*method, path.as_str(), *api_version), (Method::Patch, kv().as_str(), "2026-02-01"));
    assert_eq!(*body, serde_json::json!({ "properties": { "enableRbacAuthorization": true } }));
    let undo = step.undo.as_ref().expect("it can be taken back");
    assert_eq!(undo.body, serde_json::json!({ "properties": { "enableRbacAuthorization": false } }));
    assert_eq!((step.kinds(), step.subject().as_str(), step.writes()), (vec![SWITCH], "vaults/kv", 2));
    assert!(plan.held.is_empty(), "{:?}", plan.held);
}

#[test]
fn whoever_gets_in_by_no_role_holds_the_switch_and_is_told() {
    let policy = declaring();
    let stranger = |permissions: &[(&str, &[&str])]| entry(STRANGER, permissions);
    let compound = AccessEntry { compound: true, ..stranger(&[("secrets", &["get"])]) };
    let foreign = AccessEntry { tenant: Some("another".to_owned()), ..stranger(&[("secrets", &["get"])]) };
    let table = [
        (stranger(&[("secrets", &["get"])]), lacks(&[USER])),
        (stranger(&[("secrets", &["get", "set"])]), lacks(&[OFFICER])),
        (
            stranger(&[("secrets", &["set"]), ("keys", &["sign", "wrapKey"])]),
            lacks(&["Key Vault Crypto User", OFFICER]),
        ),
        (compound, Gap::Compound),
        (foreign, Gap::Foreign),
        (stranger(&[("storage", &["all"])]), Gap::Unmapped("all storage".to_owned())),
        (stranger(&[("secrets", &["Conjure"])]), Gap::Unmapped("Conjure secrets".to_owned())),
    ];
    for (entry, gap) in table {
        let plan = aligned(&policy, &with(&policy, &[entry]), &waiving(&[]));
        assert_eq!(breaks(&plan), [(STRANGER.to_owned(), gap)]);
    }
}

#[test]
fn a_role_proves_nothing_that_is_narrowed_denied_or_elsewhere() {
    let policy = declaring();
    let reading = || with(&policy, &[entry(STRANGER, &[("secrets", &["get"])])]);
    let told = |world: &World| breaks(&aligned(&policy, world, &waiving(&[])));
    let mut narrowed = reading();
    narrowed.grant(STRANGER, USER, &kv()).condition = Condition::read("@Resource[a] StringEquals 'a'", None);
    assert_eq!(told(&narrowed), [(STRANGER.to_owned(), Gap::Undecided)]);
    let mut denied = reading();
    denied.grant(STRANGER, USER, &kv());
    denied.deny("closed", &kv(), STRANGER, data(&["Microsoft.KeyVault/vaults/secrets/*"], &[]));
    assert_eq!(told(&denied), [(STRANGER.to_owned(), Gap::Denied)]);
    let mut below = reading();
    below.grant(STRANGER, USER, &kv().child("secrets/one"));
    assert_eq!(told(&below), [(STRANGER.to_owned(), lacks(&[USER]))]);
    let mut ageless = reading();
    ageless.grant(STRANGER, USER, &kv()).changed = None;
    assert_eq!(told(&ageless), [(STRANGER.to_owned(), Gap::Undecided)], "it may be a second old");
    // A right whose name is only inferred is not proved by a role that spells it out.
    let mut guessed = with(&policy, &[entry(STRANGER, &[("secrets", &["purge"])])]);
    let purger = data(&["Microsoft.KeyVault/vaults/secrets/purge/action"], &[]);
    let purger = guessed.define("c0570111-0000-4000-8000-00000000c057", "Purger", vec![purger]);
    guessed.grant_id(STRANGER, purger, &kv());
    assert_eq!(told(&guessed), [(STRANGER.to_owned(), lacks(&[OFFICER]))]);
}

#[test]
fn a_groups_entry_is_proved_by_the_groups_own_role_and_nobody_is_proved_by_being_a_member() {
    let policy = declaring();
    let mut world = with(&policy, &[entry(GROUP, &[("secrets", &["get"])])]);
    let grant = world.group_grant(USER, &kv());
    assert_eq!(aligned(&policy, &world, &waiving(&[])).steps.len(), 1);
    world.vault().entries = Some(vec![entry(STRANGER, &[("secrets", &["get"])])]);
    let told = |world: &World| breaks(&aligned(&policy, world, &waiving(&[])));
    assert_eq!(told(&world), [(STRANGER.to_owned(), Gap::Undecided)]);
    let asked = (principal(STRANGER), kv().subscription().unwrap().to_owned());
    let through = |ids: Vec<Scope>| Reading::Present { value: ids, at: now() };
    world.observed.through_groups.insert(asked.clone(), through(vec![]));
    assert_eq!(told(&world), [(STRANGER.to_owned(), lacks(&[USER]))]);
    world.observed.through_groups.insert(asked, through(vec![grant]));
    // A member since when? The token may still be one without the group.
    assert_eq!(told(&world), [(STRANGER.to_owned(), Gap::Undecided)]);
    world.grant(STRANGER, USER, &kv());
    assert_eq!(aligned(&policy, &world, &waiving(&[])).steps.len(), 1, "its own grant decides, not the group's");
}

#[test]
fn the_switch_waits_for_the_youngest_grant_that_it_rests_on() {
    let policy = declaring();
    let mut world = with(&policy, &[entry(STRANGER, &[("secrets", &["get"])])]);
    world.grant(STRANGER, USER, &kv()).changed = Some(minutes_ago(4));
    world.each_list(|access| {
        access.grants.iter_mut().filter(|grant| grant.scope == kv()).for_each(|grant| {
            grant.changed = grant.changed.max(Some(minutes_ago(7)));
        });
    });
    let plan = aligned(&policy, &world, &waiving(&[]));
    let until = minutes_ago(-6);
    assert_eq!(plan.held[0].reason, HoldReason::Propagating(until));
    assert_eq!((plan.steps.len(), plan.waits_to_switch()), (0, Some(until)));
}

#[test]
fn the_policys_own_grant_comes_first_and_nobody_elses_is_made() {
    let policy = declaring();
    let mut world =
        with(&policy, &[entry(SHARED, &[("secrets", &["get", "set"])]), entry(STRANGER, &[("keys", &["get"])])]);
    world.each_list(|access| access.grants.retain(|grant| grant.scope != kv()));
    let plan = aligned(&policy, &world, &waiving(&[]));
    let [step] = plan.steps.as_slice() else { panic!("{plan:?}") };
    let Change::Grant(grant) = &step.change else { panic!("{step:?}") };
    assert_eq!((grant.principal, grant.role.name.as_str(), &grant.scope), (principal(SHARED), USER, &kv()));
    // What it may do beyond what is declared is not granted either.
    let expected = [
        (SHARED.to_owned(), lacks(&[OFFICER])),
        (SHARED.to_owned(), lacks(&[USER])),
        (STRANGER.to_owned(), lacks(&["Key Vault Reader"])),
    ];
    assert_eq!(breaks(&plan), expected);
}

#[test]
fn a_waiver_counts_to_its_last_day_for_entries_and_never_for_what_is_declared() {
    let policy = declaring();
    let world = with(&policy, &[entry(STRANGER, &[("storage", &["all"])]), entry(SHARED, &[("keys", &["sign"])])]);
    let today = "2026-03-01";
    let plan = aligned(&policy, &world, &waiving(&[(STRANGER, today), (SHARED, today)]));
    let Change::Switch(switch) = &plan.steps[0].change else { panic!("{plan:?}") };
    assert_eq!(switch.waived, [principal(STRANGER), principal(SHARED)].into());
    let past = aligned(&policy, &world, &waiving(&[(STRANGER, "2026-02-28"), (SHARED, today)]));
    assert_eq!(breaks(&past), [(STRANGER.to_owned(), Gap::Unmapped("all storage".to_owned()))]);
    let mut lacking = with(&policy, &[]);
    lacking.each_list(|access| access.grants.retain(|grant| grant.scope != kv()));
    let silent = waiving(&[(SHARED, today)]);
    assert_eq!(breaks(&aligned(&policy, &lacking, &silent)), [(SHARED.to_owned(), lacks(&[USER]))]);
    // Two boundaries that each allow half of it allow nothing.
    let mut two = boundaries("WhenSafe", &[], &[SWITCH]);
    two.extend(boundaries("Never", &[(STRANGER, today), (SHARED, today)], &[SWITCH]));
    let halves = Authority::Boundaries { boundaries: two, namespaces: [].into() };
    assert_eq!(breaks(&aligned(&policy, &world, &halves)).len(), 2);
}

#[test]
fn a_switch_is_not_made_any_more_when_its_waiver_is_gone_or_has_ended() {
    let policy = declaring();
    let world = with(&policy, &[entry(STRANGER, &[("keys", &["sign"])])]);
    let plan = aligned(&policy, &world, &waiving(&[(STRANGER, "2026-03-01")]));
    let refused = |authority: Authority, at: &str| {
        let at = at.parse().expect("a time");
        refuse_step(&policy, &authority.verdict(&policy), Mode::Enforce, &plan.steps[0], at)
    };
    let last_second = "2026-03-01T23:59:59Z";
    assert_eq!(refused(waiving(&[(STRANGER, "2027-01-01")]), last_second), None);
    let gone =
        Some(HoldReason::OutsideBoundary("no boundary waives all who would lose access to `kv-orders`".to_owned()));
    assert_eq!(refused(waiving(&[]), last_second), gone);
    // Or when its last day ended since.
    let to_the_day = || waiving(&[(STRANGER, "2026-03-01")]);
    assert_eq!(refused(to_the_day(), last_second), None);
    assert_eq!(refused(to_the_day(), "2026-03-02T00:00:00Z"), gone);
}

#[test]
fn what_another_policy_declares_holds_the_switch_whatever_is_waived() {
    let policy = declaring();
    let world = with(&policy, &[entry(FORMER, &[("secrets", &["get"])])]);
    let claim = |who: Option<&str>| Claim {
        policy: "billing/invoices".to_owned(),
        requirement: policy.vaults[0].needs().next().expect("a need"),
        principal: who.map(principal),
    };
    let told = |who: Option<&str>| {
        let claims = Claims { needs: vec![claim(who)], ..Claims::default() };
        claiming(&policy, &world, &waiving(&[(FORMER, "2026-03-01")]), &claims)
    };
    assert_eq!(breaks(&told(Some(FORMER))), [(FORMER.to_owned(), lacks(&[USER]))]);
    assert_eq!(breaks(&told(None)), [(String::new(), Gap::Undecided)]);
    assert_eq!(told(Some(SHARED)).steps.len(), 1, "it has that role");
}

#[test]
fn each_doubt_and_each_want_of_leave_holds_it() {
    let policy = declaring();
    let reason = |plan: &Plan| {
        assert!(plan.steps.is_empty(), "{:?}", plan.steps);
        plan.held[0].reason.clone()
    };
    let mut unwitnessed = with(&policy, &[]);
    unwitnessed.observed.unwitnessed.insert(kv(), failure(FailureClass::Denied, "Unwitnessed"));
    let mut hidden = with(&policy, &[]);
    hidden.vault().entries = None;
    let mut homeless = with(&policy, &[]);
    homeless.vault().tenant = None;
    for world in [unwitnessed, hidden, homeless] {
        assert_eq!(reason(&aligned(&policy, &world, &waiving(&[]))), HoldReason::EvidenceIncomplete);
    }
    let world = with(&policy, &[]);
    let held_for = |authority: Authority| reason(&planned(&policy, &world, &authority)).word();
    let only = |boundaries| Authority::Boundaries { boundaries, namespaces: [].into() };
    assert_eq!(held_for(Authority::Caller), "OutsideBoundary");
    assert_eq!(held_for(only(boundaries("Never", &[], &[SWITCH]))), "OutsideBoundary");
    assert_eq!(held_for(only(boundaries("WhenSafe", &[], &[ChangeKind::GrantRole]))), "OutsideBoundary");
    let unasked = enforcing(|spec| vault(spec, "RBAC", "shared", &["get"]));
    assert_eq!(reason(&planned(&unasked, &world, &waiving(&[]))), HoldReason::NotAllowed(SWITCH));
    let alone = Circumstances { policies_unknown: true, ..Circumstances::default() };
    let unasked = under(&policy, &world, &waiving(&[]), &Claims::default(), &alone);
    assert_eq!(reason(&unasked), HoldReason::PoliciesUnknown);
    let capped = Policy { max_changes: 0, ..declaring() };
    assert_eq!(reason(&aligned(&capped, &world, &waiving(&[]))).word(), "MaxChanges");
    // Towards access policies nothing is ever switched.
    let back = enforcing(|spec| {
        vault(spec, "AccessPolicy", "shared", &["get"]);
        spec.remediation.allow.push(SWITCH);
    });
    let mut roles = World::matching(&back);
    roles.vault().mode = VaultMode::Rbac;
    assert_eq!(holds(&aligned(&back, &roles, &waiving(&[])))[0], ("vaults/kv", "NoSafeChange"));
}

#[test]
fn nobody_acts_on_a_vault_whose_mode_is_disputed() {
    let add = ChangeKind::AddVaultPolicyEntry;
    let disputing = |mode: &'static str| {
        let policy = enforcing(|spec| {
            vault(spec, mode, "shared", &["get"]);
            spec.remediation.allow.extend([SWITCH, add]);
        });
        let world = with(&policy, &[]);
        let mut evaluation = world.evaluate(&policy);
        let origin = crate::policy::Origin::Vault("kv".to_owned());
        let (by, elsewhere) = (vec!["payments/other".to_owned()], false);
        evaluation.findings.push(Finding::VaultModeDisputed { origin, vault: kv(), by, elsewhere });
        let alignment = align(&policy, &kv(), &Claims::default(), &world.observed, now(), &mut BTreeSet::new());
        evaluation.alignments.insert(kv(), alignment);
        let authority =
            Authority::Boundaries { boundaries: boundaries("WhenSafe", &[], &[SWITCH, add]), namespaces: [].into() };
        let verdict = authority.verdict(&policy);
        plan(&policy, &verdict, &evaluation, &Circumstances::default(), lookup(&world.observed))
    };
    for mode in ["RBAC", "AccessPolicy"] {
        let plan = disputing(mode);
        assert!(plan.steps.is_empty(), "{:?}", plan.steps);
        assert_eq!(holds(&plan)[0], ("vaults/kv", "VaultModeDisputed"), "{mode}");
    }
}

#[test]
fn it_rests_on_the_roles_and_denials_that_were_seen() {
    let policy = declaring();
    let mut world = with(&policy, &[]);
    world.deny("elsewhere", &app(), STRANGER, control(&["*"], &[]));
    world.deny("over", &kv().resource_group().unwrap(), STRANGER, control(&["*/delete"], &[]));
    let judged = align(&policy, &kv(), &Claims::default(), &world.observed, now(), &mut BTreeSet::new());
    let Alignment { grounds, .. } = judged.expect("all was read");
    let roles: Vec<_> = grounds.roles.iter().map(|role| role.name.as_str()).collect();
    let denies: Vec<_> = grounds.denies.iter().map(|deny| deny.name.as_str()).collect();
    assert_eq!((roles, denies), (vec![USER], vec!["over"]));
}
