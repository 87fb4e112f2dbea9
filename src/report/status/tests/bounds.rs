//! A status is valid by its schema, small, and says how much it leaves out.

use super::*;
use crate::{
    evaluate::{Answer, ConnectionProblem, Fact, Gap, Needed, Node, Question, Side, SignalSeen, Verdict},
    model::Source,
    plan::Break,
    policy::EvidenceSource,
};

/// 64 triggers and 64 grants with names as long as the schema lets them be, of which not one is met.
static WORST: LazyLock<Policy> = LazyLock::new(|| {
    let long = |length: usize, at: usize| format!("{}-{at:03}", "x".repeat(length - 4));
    let mut worst = policy(|spec| {
        spec.mode = Mode::Enforce;
        spec.remediation.allow = vec![crate::api::ChangeKind::GrantRole];
        spec.remediation.max_changes = 32;
        spec.bindings.clear();
        for at in 0..32 {
            let name = long(63, at);
            let kind = "Microsoft.ServiceBus/namespaces/";
            spec.resources.insert(name.clone(), format!("{kind}{}", long(600 - kind.len(), at)));
            for half in 0..2 {
                let entity = format!("queues/{}", long(393, 2 * at + half));
                trigger(spec, &long(63, 2 * at + half), "serviceBusTrigger", &name, &entity, "shared");
                let role = ["Reader", "Azure Service Bus Data Sender"][half];
                declare(spec, role, &name, "system");
            }
        }
    });
    let origin = |at| Origin::Binding(long(63, at));
    worst.unchecked = (0..64).map(|at| Unchecked { origin: origin(at), because: "\"é\" ".repeat(600) }).collect();
    worst
});

#[test]
fn the_worst_status_fits_the_schema_and_64_kibibytes() {
    let worst = World::without_grants(&WORST);
    let noisy = failure(FailureClass::Denied, "AuthorizationFailed");
    let noisy = Failure { text: "\"é\" ".repeat(600), ..noisy };
    for report in [looked(&WORST, &worst), failed(&WORST, &worst, &noisy), many_attached()] {
        let status = status(None, &report, Some(&"9".repeat(4000)), now());
        let text = serde_json::to_string(&status).unwrap();
        assert!(text.len() < 64 * 1024, "{} bytes", text.len());
        assert!(status.findings.len() <= 32 && !status.findings.is_empty());
        let plan = status.plan.as_ref().unwrap();
        assert!(plan.steps.len() <= 32 && plan.held.len() <= 32 && !plan.steps.is_empty());
        let fits = |text: &str, longest: usize| assert!(text.chars().count() <= longest, "{longest}: {text}");
        for finding in &status.findings {
            fits(&finding.subject, 256);
            fits(&finding.message, 2048);
        }
        for step in &plan.steps {
            fits(&step.change, 64);
            fits(&step.summary, 2048);
            fits(&step.request, 2048);
            fits(&step.body, 8192);
            fits(&step.az, 4096);
            fits(&step.outcome, 2048);
        }
        let decision = status.decision.as_ref().unwrap();
        assert!(decision.flow.len() == 7 && decision.hypotheses.len() == 6);
        assert!(serde_json::to_string(decision).unwrap().len() <= 12 * 1024);
        for node in &decision.flow {
            fits(&node.question, 64);
            fits(&node.answer, 16);
            fits(&node.because, 256);
        }
        for one in &decision.hypotheses {
            fits(&one.verdict, 16);
            for evidence in [&one.confirming, &one.disproving, &one.needed] {
                assert!(evidence.len() <= 4);
                for text in evidence {
                    fits(text, 256);
                }
            }
        }
        for held in &plan.held {
            fits(&held.subject, 256);
            fits(&held.reason, 64);
            fits(&held.message, 2048);
        }
        status.conditions.iter().for_each(|condition| fits(&condition.message, 32768));
        assert!(status.unchecked.len() <= 16);
        status.unchecked.iter().for_each(|entry| fits(entry, 256));
        fits(&status.last_handled_reconcile_at, 256);
        fits(&status.target, 1024);
    }
}

/// The worst that can be told, with every section full: what settings are wrong, who would lose access, what the activity
/// log and telemetry say, and a request that failed for long reasons. `text` is what others wrote.
fn full(text: &str) -> Report {
    let refused = Failure { text: text.to_owned(), ..failure(FailureClass::Denied, "AuthorizationFailed") };
    let mut report = failed(&WORST, &World::without_grants(&WORST), &refused);
    let PassResult::Evaluated(pass) = &mut report.finding else { panic!("it was evaluated") };
    pass.policy.evidence = Some(EvidenceSource {
        workspace: host_account(),
        role_name: "f".to_owned(),
        window: SignedDuration::from_hours(2),
    });
    pass.evaluation.decision.path.push(Node { question: Question::Recovered, answer: Answer::No });
    let connection = |at| Finding::Connection {
        origins: vec![Origin::Binding(format!("{}-{at}", "b".repeat(60)))],
        connection: "c".repeat(60),
        problem: ConnectionProblem::WrongAddress {
            setting: "s".repeat(200),
            seen: Some(text.to_owned()),
            canonical: "https://".to_owned() + &"x".repeat(200),
            audience: "https://".to_owned() + &"y".repeat(200),
        },
    };
    pass.evaluation.findings.splice(0..0, (0..6).map(connection));
    let breaks = |at: u64| {
        let object = format!("05e70000-0002-4000-8000-{at:012}").parse().ok();
        Break { object, gap: Gap::Unmapped(text.chars().take(200).collect()) }
    };
    let held = |at: usize| Held {
        kind: Some(crate::api::ChangeKind::SwitchVaultMode),
        would: None,
        subject: format!("vaults/{}-{at}", "v".repeat(240)),
        reason: HoldReason::AccessWouldBreak((0..20).map(breaks).collect()),
    };
    pass.plan.held.splice(0..0, (0..6).map(held));
    for case in &mut pass.explanation.cases {
        let fact = Fact {
            resource: host_account(),
            field: "activity log".to_owned(),
            value: text.to_owned(),
            at: Some(now()),
        };
        let signal = |side, at| SignalSeen {
            hypothesis: case.hypothesis,
            side,
            signal: "any".to_owned(),
            says: format!("{at} {text}"),
            ambiguous: None,
            source: Source::CredentialTraces,
            count: u64::MAX,
            at: text.to_owned(),
            last: now(),
        };
        case.verdict = Verdict::Open;
        case.telemetry = [Side::For, Side::Against]
            .into_iter()
            .flat_map(|side| (0..4).map(move |at| (side, at)))
            .map(|(side, at)| signal(side, at))
            .collect();
        (case.confirming, case.disproving) = (vec![fact.clone()], vec![fact]);
        case.needed = vec![Needed::Undecided(text.to_owned()); 5];
    }
    report
}

/// As `kubectl get -o yaml` prints it, everything but `spec`, which its author makes as long as it is.
#[test]
fn the_fullest_object_is_below_64_kibibytes_as_yaml() {
    for text in ["\"é\" ", "it's: 'a' ", "word ", "x"] {
        let report = full(&text.repeat(3000 / text.len()));
        let lately = status(None, &report, Some(&"9".repeat(4000)), minutes_ago(60));
        let status = status(Some(&lately), &report, Some(&"9".repeat(4000)), now());
        let plan = status.plan.as_ref().unwrap();
        assert!(status.findings[0].code == "service-uri-mismatch" && status.truncated > 0 && plan.truncated > 0);
        assert!(plan.held[0].reason == "AccessWouldBreak" && !plan.steps.is_empty());
        let decision = status.decision.as_ref().unwrap();
        assert!(decision.flow.len() == 8 && decision.hypotheses.iter().all(|one| one.disproving.len() == 3));
        assert!(status.condition("Recovered").is_some());
        let object = serde_json::json!({
            "apiVersion": "rolecall.dev/v1alpha1",
            "kind": "FunctionIdentityPolicy",
            "metadata": { "name": "n".repeat(253), "namespace": "n".repeat(63), "generation": 7 },
            "status": status,
        });
        let (yaml, json) = (printed(&object, 0), object.to_string());
        // The server adds a few lines to the metadata.
        assert!(yaml < 63 * 1024 && json.len() < 63 * 1024, "{yaml} bytes of YAML, {} of JSON", json.len());
        assert!(yaml > 48 * 1024, "{yaml} bytes: it is not the fullest any more");
    }
}

/// How many bytes the members of an object are as `kubectl` prints them, with each line's indent: lists stand under
/// their name, and every text is taken for one that needs quotes.
fn printed(object: &serde_json::Value, indent: usize) -> usize {
    use serde_json::Value::{Array, Object};
    let scalar = |value: &serde_json::Value, column: usize| {
        value.as_str().map_or_else(|| value.to_string().len(), |text| folded(text, column, indent + 2))
    };
    let entry = |one: &serde_json::Value| match one {
        Object(_) => printed(one, indent + 2),
        other => indent + 2 + scalar(other, indent + 2) + 1,
    };
    let members = object.as_object().into_iter().flatten();
    let sizes = members.map(|(name, value)| {
        let column = indent + name.len() + 2;
        match value {
            Object(_) => column + printed(value, indent + 2),
            Array(entries) => column + entries.iter().map(entry).sum::<usize>(),
            other => column + scalar(other, column) + 1,
        }
    });
    sizes.sum()
}

/// In quotes, with each apostrophe twice, and at the first space behind column 80 on to a new line.
fn folded(text: &str, mut column: usize, indent: usize) -> usize {
    let mut size = 2;
    column += 1;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let is_fold = character == ' ' && column > 80 && characters.peek().is_some_and(|next| *next != ' ');
        column = if is_fold { indent } else { column + 1 };
        size += if is_fold { 1 + indent } else { character.len_utf8() + usize::from(character == '\'') };
    }
    size
}

#[test]
fn what_kubectl_prints_is_measured() {
    let text = "it's: a text of more than a line, with 'quotes' and a colon, that has to be folded somewhere";
    let value = serde_json::json!({ "a": { "b": ["in: it", { "c": 7, "d": text }] } });
    let shown = "a:\n  b:\n  - 'in: it'\n  - c: 7\n    d: 'it''s: a text of more than a line, with ''quotes'' and a colon, \
                 that has to\n      be folded somewhere'\n";
    assert_eq!(printed(&value, 0), shown.len());
}

#[test]
fn the_worst_list_of_what_is_unchecked_is_full_and_at_most_4_kibibytes() {
    let status = status(None, &looked(&WORST, &World::without_grants(&WORST)), None, now());
    let text: usize = status.unchecked.iter().map(String::len).sum();
    assert_eq!(status.unchecked.len(), 16);
    assert!((3 * 1024..=4 * 1024).contains(&text), "{text} bytes");
}

/// An app with so many identities that the body which keeps them all does not fit.
fn many_attached() -> Report {
    let policy = policy(|spec| {
        spec.mode = Mode::Enforce;
        spec.remediation.allow = vec![crate::api::ChangeKind::AttachUserIdentity];
    });
    let mut world = World::without_grants(&policy);
    let kept = world.site().attached.remove(&shared()).unwrap();
    for at in 0..200 {
        let id = Scope::lenient(&format!("{}-{at:03}", shared()));
        world.site().attached.insert(id, kept.clone());
    }
    looked(&policy, &world)
}

#[test]
fn what_is_left_out_is_counted() {
    let status = status(None, &looked(&WORST, &World::without_grants(&WORST)), None, now());
    let plan = status.plan.as_ref().unwrap();
    // 64 triggers and 64 grants are missing, and the host's storage; 32 changes are allowed in one pass.
    assert_eq!(status.findings.len() + status.truncated as usize, 129);
    assert_eq!(plan.steps.len() + plan.held.len() + plan.truncated as usize, 129);
    assert!(status.truncated > 0 && plan.truncated > 0);
    let confirming = &status.decision.as_ref().unwrap().hypotheses[1].confirming;
    assert!(confirming.len() == 3 && confirming[2] == "and 127 more", "{confirming:?}");
}

#[test]
fn a_cut_keeps_characters_whole() {
    assert_eq!(cut("short", 8), "short");
    assert_eq!(cut("ééééé", 8), "éé…");
    assert!(cut(&"é".repeat(600), 256).len() <= 256);
}

proptest! {
    #[test]
    fn from_any_status_the_next_is_a_fixpoint_and_never_both(
        before in 0_usize..64,
        after in 0_usize..64,
        minutes in 0_i64..40,
        again in 0_i64..20,
    ) {
        let (before, after) = (&TABLE[before % TABLE.len()], &TABLE[after % TABLE.len()]);
        let first = status(None, &before.report, None, now());
        let second = status(Some(&first), &after.report, None, later(minutes));
        prop_assert!(of(&second, "Reconciling").is_none() || of(&second, "Stalled").is_none());
        let third = status(Some(&second), &after.report, None, later(minutes));
        prop_assert_eq!(&third, &second, "{} then {}", before.row, after.row);
        let fourth = status(Some(&second), &after.report, None, later(minutes + again));
        prop_assert!(fourth == second || of(&fourth, "Stalled").is_some());
        if let Some(wait) = next_pass(&after.report, None, later(minutes)) {
            prop_assert!(wait >= Duration::from_secs(1) && wait <= Duration::from_hours(1));
        }
    }
}

#[test]
fn what_is_left_open_reads_the_same_when_it_was_stored() {
    let mut report = matching(&in_mode(Mode::Enforce));
    let finely = now() + SignedDuration::from_millis(123);
    if let PassResult::Evaluated(pass) = &mut report.finding {
        pass.aftermath.pending_restart = Some((finely, false));
        pass.aftermath.references_refreshed = Some(finely);
    }
    let first = status(None, &report, None, now());
    let stored: FunctionIdentityPolicyStatus =
        serde_json::from_value(serde_json::to_value(&first).unwrap()).expect("a status is read as it is written");
    assert_eq!(status(Some(&stored), &report, None, now()), stored, "or it is written at every pass");
}
