use super::*;
use crate::{
    api::{ChangeKind, FunctionIdentityPolicySpec, Mode},
    evaluate::fixtures::{SHARED, World, minutes_ago, now, present},
    model::{
        Reading, SystemAssigned, VaultMode,
        network::{Firewall, Outbound, PublicAccess, Rules, Subnet},
    },
    policy::{
        Policy,
        fixtures::{declare, host_account, kv, own, policy, vault},
    },
    report::fixtures::looked,
};

/// Programs get every step of what to do, with the commands and in the order that a person reads.
#[test]
fn json_says_what_to_do_next_and_how_to_see_that_it_helped() {
    let policy = to_enforce(allow(&[]));
    let report = looked(&policy, &World::without_grants(&policy));
    let json = explanation_json(&report, &["-f", "orders (1).yaml"]);
    let next = json["next"].as_array().expect("a list");
    assert_eq!(next.len(), 2, "{next:?}");
    for (todo, label) in next.iter().zip(["1. ", "2. "]) {
        assert_eq!(todo["hypothesis"], "H2");
        let says = todo["says"].as_str().expect("a text");
        let command = todo["commands"][0].as_str().expect("a command");
        assert!(command.starts_with("az role assignment create --name "), "{command}");
        let text = next_of(&report);
        assert!(text.contains(&format!("{label}{says}")) && text.contains(&format!("$ {command}")), "{says} in {text}");
    }
    assert_eq!(json["verify"]["command"], "rolecall check -f 'orders (1).yaml'");
    assert!(
        json["verify"]["waits"].as_str().is_some_and(|waits| waits.contains("after a grant")),
        "{}",
        json["verify"]
    );
}

/// As `explain` looks at a policy: what would help is planned whatever its mode is.
fn to_enforce(edit: impl Fn(&mut FunctionIdentityPolicySpec)) -> Policy {
    policy(|spec| {
        spec.mode = Mode::Enforce;
        edit(spec);
    })
}

fn allow(kinds: &[ChangeKind]) -> impl Fn(&mut FunctionIdentityPolicySpec) {
    move |spec| spec.remediation.allow = kinds.to_vec()
}

/// One section, each line without its indent.
fn section(policy: &Policy, world: &World, heading: &str) -> Vec<String> {
    section_of(&looked(policy, world), heading)
}

fn section_of(report: &Report, heading: &str) -> Vec<String> {
    let text = explanation(report, &["-f", "orders (1).yaml"]);
    let from = text.find(&format!("\n  {heading}\n")).unwrap_or_else(|| panic!("no `{heading}` in {text}"));
    let lines = text[from + 1..].lines().skip(1).take_while(|line| line.starts_with("    "));
    lines.map(|line| line.trim_start().to_owned()).collect()
}

fn next(policy: &Policy, world: &World) -> String {
    section(policy, world, "Next").join(" ")
}

fn next_of(report: &Report) -> String {
    section_of(report, "Next").join(" ")
}

fn without_system(policy: &Policy) -> World {
    let mut world = World::matching(policy);
    world.site().system = SystemAssigned::Off;
    world
}

#[test]
fn a_change_that_is_not_allowed_comes_with_its_command() {
    let (host, bus) = ("/providers/Microsoft.Storage/storageAccounts/sthost", "/namespaces/sb-orders/queues/incoming");
    let policy = to_enforce(allow(&[]));
    let told = next(&policy, &World::without_grants(&policy));
    for part in ["1. grant `", "2. grant `", "held: `remediation.allow` does not list `GrantRole`", host, bus] {
        assert!(told.contains(part), "no `{part}` in {told}");
    }
    assert_eq!(told.matches("$ az role assignment create --name ").count(), 2, "{told}");
    let suspended = Policy { suspended: true, ..to_enforce(allow(&[ChangeKind::EnableSystemIdentity])) };
    let told = next(&suspended, &without_system(&suspended));
    assert!(
        told.contains("$ az functionapp identity assign ") && told.contains("held: the policy is suspended"),
        "{told}"
    );
}

#[test]
fn every_step_is_told_and_the_chain_is_followed() {
    // Of the two only the later one is allowed: the earlier comes first all the same.
    let policy = to_enforce(allow(&[ChangeKind::GrantRole]));
    let mut world = World::without_grants(&policy);
    world.site().attached.clear();
    let told = next(&policy, &world);
    assert!(told.starts_with("1. attach identity `mi-shared` to `func-orders`"), "{told}");
    assert!(told.contains("held: `remediation.allow` does not list `AttachUserIdentity`"), "{told}");
    assert!(told.contains(" 2. grant `") && told.contains(" 3. grant `") && !told.contains(" 4. "), "{told}");
    assert_eq!(told.matches("held: ").count(), 1, "what is allowed is not held: {told}");
}

#[test]
fn what_is_not_to_be_done_by_hand_either_has_no_command() {
    let powerful = |spec: &mut FunctionIdentityPolicySpec| {
        declare(spec, "Owner", "host", "shared");
        spec.remediation.allow = vec![ChangeKind::GrantRole];
    };
    let policy = to_enforce(powerful);
    let told = next(&policy, &World::matching(&to_enforce(allow(&[ChangeKind::GrantRole]))));
    assert!(told.contains("leads to more rights and is never granted") && !told.contains("$ az"), "{told}");
}

#[test]
fn a_new_principal_has_its_roles_still_to_come() {
    let allowed = to_enforce(allow(&[ChangeKind::EnableSystemIdentity, ChangeKind::GrantRole]));
    for policy in [allowed, to_enforce(allow(&[]))] {
        let told = next(&policy, &without_system(&policy));
        assert!(told.starts_with("enable the system-assigned identity"), "{told}");
        assert!(told.contains("its principal is new: 1 role has to be granted to it afterwards, so explain"), "{told}");
    }
    let detached = to_enforce(allow(&[ChangeKind::AttachUserIdentity]));
    let mut world = World::matching(&detached);
    world.site().attached.clear();
    assert!(!next(&detached, &world).contains("is new"), "an identity of its own keeps its principal");
}

/// The host's account with its firewall, and the app calling from a subnet without a service endpoint.
fn behind(policy: &Policy, rules: Rules, out_of_service: Option<&str>) -> World {
    let mut world = World::matching(policy);
    let subnet = own("Microsoft.Network/virtualNetworks/vnet-apps/subnets/snet-func");
    let firewall = Firewall {
        public: PublicAccess::ByRules,
        rules,
        private_endpoints: [].into(),
        keys_off: false,
        out_of_service: out_of_service.map(str::to_owned),
        is_whole: true,
    };
    world.observed.network.firewalls.insert(host_account(), present(firewall));
    world.observed.network.subnets.insert(subnet.clone(), present(Subnet { endpoints: [].into() }));
    let outbound = Outbound::Subnet(subnet);
    world.site().outbound = outbound.clone();
    world.observed.network.outbound = Some(present(outbound));
    world
}

#[test]
fn a_closed_firewall_is_for_a_person_who_is_shown_where() {
    let policy = to_enforce(allow(&[]));
    let subnet = own("Microsoft.Network/virtualNetworks/vnet-apps/subnets/snet-func");
    let closed = |subnets: &[_]| Rules::Closed { subnets: subnets.iter().cloned().collect(), others: false };
    let told = next(&policy, &behind(&policy, closed(&[]), None));
    assert!(
        told.starts_with("list the app's subnet `vnet-apps/subnets/snet-func` in the firewall of `sthost`"),
        "{told}"
    );
    assert!(told.contains("$ az storage account show ") && told.contains("networkRuleSet"), "{told}");
    assert!(told.contains("held: network rules and integrations are never written"), "{told}");
    let told = next(&policy, &behind(&policy, closed(&[subnet]), None));
    assert!(told.contains("the service endpoint `Microsoft.Storage` for `sthost`"), "{told}");
    let told = next(&policy, &behind(&policy, Rules::Open, Some("Failed")));
    assert!(
        told.starts_with("ask the owner of `sthost`") && told.contains("$ az resource show --ids /subscr"),
        "{told}"
    );
}

#[test]
fn a_vault_in_the_other_mode_is_switched_by_hand_with_a_warning() {
    for (declared, seen, switch, warns) in [
        ("RBAC", VaultMode::AccessPolicy, "true", "who has no role there loses access"),
        ("AccessPolicy", VaultMode::Rbac, "false", "who is in no access policy of `kv-orders` loses access"),
    ] {
        let policy = to_enforce(|spec| vault(spec, declared, "shared", &["get"]));
        let mut world = World::matching(&policy);
        world.vault().mode = seen;
        let told = next(&policy, &world);
        let command = format!("--name kv-orders --enable-rbac-authorization {switch}");
        assert!(told.contains(&command) && told.contains("warning: everybody"), "{told}");
        assert!(told.contains(warns) && told.contains("held: "), "{told}");
    }
}

#[test]
fn how_to_look_again_is_told_with_the_same_arguments_and_until_when_it_waits() {
    let policy = to_enforce(allow(&[ChangeKind::GrantRole]));
    let helped = |world: &World| section(&policy, world, "See that it helped").join(" ");
    assert_eq!(helped(&World::matching(&policy)), "$ rolecall check -f 'orders (1).yaml'");
    let granted = helped(&World::without_grants(&policy));
    assert!(granted.contains("for 30 minutes after a grant it exits 2 (WAITING)"), "{granted}");
    assert!(granted.contains("`--allow-propagating` forgives that"), "{granted}");
    let mut world = World::matching(&policy);
    world.each_list(|list| list.grants.iter_mut().for_each(|grant| grant.changed = Some(minutes_ago(1))));
    let waiting = helped(&world);
    assert!(waiting.contains(" until 2026-03-01T10:29:00Z it exits 2"), "{waiting}");
}

#[test]
fn of_an_app_that_is_not_there_only_that_is_told() {
    let policy = to_enforce(allow(&[]));
    let mut world = World::matching(&policy);
    world.observed.target = Reading::Absent { at: now() };
    let text = explanation(&looked(&policy, &world), &["orders"]);
    let told = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let id = format!("`func-orders` does not exist: {}", policy.target);
    assert!(told.starts_with("payments/orders SEV-1 the ") && told.contains(&id), "{text}");
    assert!(!told.contains("cannot tell") && !told.contains("Hypotheses"), "{text}");
    let command = "$ az resource list --subscription 1a1a1a1a-aaaa-4aaa-8aaa-000000000001 --resource-group rg-apps \
                   --resource-type Microsoft.Web/sites --query '[].name'";
    assert!(told.contains(command) && told.contains("$ rolecall check orders"), "{text}");
    assert!(text.lines().count() < 20, "{text}");
}

#[test]
fn a_token_is_asked_for_the_resource_that_refuses_or_is_declared() {
    let policy = to_enforce(|spec| vault(spec, "RBAC", "shared", &["get"]));
    let resources = |world: &World| {
        let json = explanation_json(&looked(&policy, world), &["orders"]);
        let commands = json["probes"].as_array().expect("a list").clone();
        let of = |command: &Value| {
            let command = command.as_str().expect("text");
            assert!(command.starts_with("curl "), "no prefix that a shell would take for something else: {command}");
            let from = command.find("resource=https%3A%2F%2F").expect("an audience") + "resource=https%3A%2F%2F".len();
            command[from..].split(['&', '"']).next().map(str::to_owned)
        };
        commands.iter().filter_map(of).collect::<Vec<_>>()
    };
    assert_eq!(resources(&World::matching(&policy)), ["storage.azure.com", "servicebus.azure.net"]);
    let mut world = World::matching(&policy);
    world.each_list(|list| list.grants.retain(|grant| grant.scope != kv()));
    assert_eq!(resources(&world), ["storage.azure.com", "vault.azure.net"], "the vault refuses");
    let text = explanation(&looked(&policy, &world), &["orders"]);
    assert!(text.contains("\n    $ curl ") && !text.contains("    > "), "{text}");
    assert!(text.contains("(the commands are") && !text.contains("`rolecall explain` has"), "{text}");
}

#[test]
fn a_role_that_is_declared_elsewhere_is_no_near_miss() {
    let of = |declared: bool| {
        let policy = to_enforce(|spec| {
            declare(spec, "Storage Blob Data Reader", "files", "shared");
            if declared {
                declare(spec, "Storage Blob Data Reader", "host", "shared");
            }
        });
        let mut world = World::matching(&policy);
        world.each_list(|list| list.grants.retain(|grant| grant.scope.name() != "stfiles"));
        if !declared {
            world.grant(SHARED, "Storage Blob Data Reader", &host_account());
        }
        let report = looked(&policy, &world);
        crate::report::text(&report, report.exit_code(), false).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert!(of(false).contains("; it holds that role at `sthost`"), "{}", of(false));
    assert!(of(true).contains("lacks `Storage Blob Data Reader`") && !of(true).contains("it holds"), "{}", of(true));
}

#[test]
fn a_stopped_app_is_started_by_a_person() {
    let policy = to_enforce(allow(&[]));
    let mut world = World::matching(&policy);
    world.site().stopped = Some("Stopped".to_owned());
    let told = next(&policy, &world);
    assert!(told.starts_with("start `func-orders` again") && told.contains("$ az functionapp start "), "{told}");
    world.site().stopped = Some("disabled".to_owned());
    let told = next(&policy, &world);
    assert!(told.contains("$ az functionapp update ") && told.contains(" --set enabled=true"), "{told}");
}

#[test]
fn of_many_things_to_do_the_rest_is_told_by_plan_with_the_same_arguments() {
    let policy = to_enforce(|spec| {
        for role in ["Storage Blob Data Reader", "Storage Queue Data Reader", "Storage Table Data Reader", "Reader"] {
            declare(spec, role, "files", "shared");
            declare(spec, role, "files", "system");
        }
        spec.remediation.allow = Vec::new();
    });
    let told = section(&policy, &World::without_grants(&policy), "Next");
    let numbered = |line: &&String| line.split_once(". ").is_some_and(|(number, _)| number.parse::<usize>().is_ok());
    assert_eq!(told.iter().filter(numbered).count(), 8, "{told:#?}");
    let rest = ["and 2 more:", "$ rolecall plan -f 'orders (1).yaml' --mode Enforce"];
    assert_eq!(told[told.len() - 2..], rest, "{told:#?}");
}

#[test]
fn a_confirmed_hypothesis_that_no_change_answers_is_told_as_that() {
    let policy = to_enforce(allow(&[ChangeKind::GrantRole]));
    let mut report = looked(&policy, &World::without_grants(&policy));
    let PassResult::Evaluated(pass) = &mut report.finding else { panic!("it is evaluated") };
    // As telemetry does by itself.
    let case = pass.explanation.cases.iter_mut().find(|case| case.hypothesis == Hypothesis::H6).expect("all six");
    case.verdict = Verdict::Confirmed;
    let text = explanation(&report, &["orders"]).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        text.contains("H6 (not a matter of identities and roles) is confirmed, and no change here answers it"),
        "{text}"
    );
    assert!(!text.contains("H2 (a role is missing"), "a hypothesis with a step has its step: {text}");
}
