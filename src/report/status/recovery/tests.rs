//! The life of `Recovered`: from the first finding to the figures of the recovery, and what it waits for.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::super::{super::fixtures::looked, event, status};
use crate::{
    api::FunctionIdentityPolicyStatus,
    evaluate::fixtures::{World, failure, now, silence},
    model::{
        FailureClass, Reading,
        evidence::{Evidence, Recovery as Figures, Summary},
        work::{Sources, Span, Work},
    },
    policy::{
        EvidenceSource, Policy,
        fixtures::{policy, queue},
    },
    report::{Aftermath, PassResult, Report, cadence::next_pass},
};

fn with_telemetry() -> Policy {
    let Evidence { workspace, role_name, window, .. } = silence();
    Policy { evidence: Some(EvidenceSource { workspace, role_name, window }), ..policy(|_| {}) }
}

fn after(minutes: i64) -> Timestamp {
    now() + SignedDuration::from_mins(minutes)
}

/// One pass after another, as the controller has them: each knows the status of the one before.
struct Life {
    policy: Policy,
    status: Option<FunctionIdentityPolicyStatus>,
}

impl Life {
    fn new() -> Self {
        Self { policy: with_telemetry(), status: None }
    }

    fn pass(&mut self, world: &World, told: Option<Figures>, minutes: i64) -> Report {
        let told = told.map(|figures| Reading::Present { value: figures, at: after(minutes) });
        self.pass_with(world, told, minutes)
    }

    /// A pass in which telemetry answers so, when it is asked.
    fn pass_with(&mut self, world: &World, told: Option<Reading<Figures>>, minutes: i64) -> Report {
        let told = told.map(|recovery| Evidence { recovery, ..silence() });
        self.pass_told(world, told, minutes)
    }

    /// A pass in which telemetry tells that, when it is asked.
    fn pass_told(&mut self, world: &World, told: Option<Evidence>, minutes: i64) -> Report {
        let mut report = looked(&self.policy, world);
        report.at = after(minutes);
        let PassResult::Evaluated(pass) = &mut report.finding else { panic!("it is evaluated") };
        pass.aftermath = Aftermath::of(self.status.as_ref());
        let is_asked = pass.evaluation.ask_evidence || pass.aftermath.recovery.is_due(after(minutes));
        pass.evaluation.evidence = told
            .filter(|_| is_asked)
            .map(|evidence| Reading::Present { value: Arc::new(evidence), at: after(minutes) });
        self.status = Some(status(self.status.as_ref(), &report, None, after(minutes)));
        report
    }

    fn shown(&self) -> String {
        let conditions = &self.status.as_ref().expect("a pass was made").conditions;
        let recovered = conditions.iter().find(|condition| condition.type_ == "Recovered");
        recovered.map_or("-".to_owned(), |it| format!("{} {}", it.status, it.reason))
    }

    fn message(&self) -> String {
        let conditions = &self.status.as_ref().expect("a pass was made").conditions;
        conditions.iter().find(|condition| condition.type_ == "Recovered").expect("it is there").message.clone()
    }
}

fn figures(calls: u64, auth_failures: u64, newest: i64) -> Figures {
    Figures { calls, auth_failures, network_failures: 0, newest: after(newest) }
}

#[test]
fn what_was_never_wrong_has_not_recovered() {
    let mut life = Life::new();
    let in_order = World::matching(&life.policy);
    for minutes in [0, 30, 60] {
        life.pass(&in_order, Some(figures(10, 0, minutes)), minutes);
        assert_eq!(life.shown(), "-");
    }
}

#[test]
fn without_telemetry_nothing_is_said_of_recovery() {
    let mut life = Life { policy: policy(|_| {}), status: None };
    life.pass(&World::without_grants(&life.policy), None, 0);
    assert_eq!(life.shown(), "-");
}

#[test]
fn it_has_recovered_when_calls_succeed_for_a_quarter_of_an_hour_in_order() {
    let mut life = Life::new();
    let in_order = World::matching(&life.policy);
    life.pass(&World::without_grants(&life.policy), Some(figures(10, 4, 0)), 0);
    assert_eq!(life.shown(), "False NotRepaired");
    life.pass(&in_order, Some(figures(10, 0, 5)), 5);
    assert_eq!(life.shown(), "False InOrder", "the failures before may not have arrived yet");
    life.pass(&in_order, Some(figures(10, 0, 15)), 24);
    assert_eq!(life.shown(), "False InOrder");
    life.pass(&in_order, Some(figures(30, 1, 24)), 25);
    assert_eq!(life.shown(), "False AuthFailures");
    let refused = life.status.clone();
    life.pass(&in_order, Some(figures(31, 0, 29)), 30);
    assert_eq!(life.shown(), "True NoAuthFailures");
    insta::assert_snapshot!(life.message(), @"in order since 2026-03-01T10:05:00Z; 31 calls succeeded in a quarter of an hour, 0 refused, at 2026-03-01T10:30:00Z, by workspace `log-orders`");
    let told = event(refused.as_ref(), life.status.as_ref().unwrap());
    assert_eq!(told, Some(("Normal", "Recovered".to_owned(), life.message())));

    // Its figures stay those of the recovery, whatever telemetry says later; nobody asks for it.
    let recovered = life.status.clone();
    life.pass(&in_order, Some(figures(999, 9, 40)), 40);
    assert_eq!(life.status, recovered);
    assert_eq!(event(recovered.as_ref(), life.status.as_ref().unwrap()), None);
    life.pass(&World::without_grants(&life.policy), None, 50);
    assert_eq!(life.shown(), "False NotRepaired", "the next incident");
}

#[test]
fn silence_is_no_recovery() {
    let mut life = Life::new();
    let in_order = World::matching(&life.policy);
    life.pass(&World::without_grants(&life.policy), None, 0);
    life.pass(&in_order, None, 5);
    life.pass(&in_order, Some(figures(0, 0, 29)), 30);
    assert_eq!(life.shown(), "Unknown NoTraffic");
    life.pass(&in_order, Some(figures(8, 0, 2)), 35);
    assert_eq!(life.shown(), "Unknown NoTraffic", "what was called before says nothing");
    let refused = failure(FailureClass::Denied, "InsufficientAccessError");
    life.pass_with(&in_order, Some(Reading::Unreadable(refused)), 40);
    assert_eq!(life.shown(), "Unknown TelemetryNotAvailable");
    life.pass(&in_order, Some(figures(8, 0, 44)), 45);
    assert_eq!(life.shown(), "True NoAuthFailures");
}

/// Telemetry of an app that calls and is not refused, and invoked nothing since an hour, as of `minutes`, while its queue had
/// that.
fn idle_with(had: Reading<Work>, minutes: i64) -> Evidence {
    let span = Span { from: after(minutes - 20), to: after(minutes - 5) };
    let recovery = Reading::Present { value: figures(8, 0, minutes - 1), at: after(minutes) };
    let summary = Summary {
        count: 9,
        first: after(minutes - 70),
        last: after(minutes - 60),
        top: Vec::new(),
        more: 0,
        signals: Vec::new(),
        samples: Vec::new(),
    };
    let invocations = Reading::Present { value: summary, at: after(minutes) };
    let sources = Some(Sources { span, had: [(queue(), had)].into(), others: false });
    Evidence { invocations, recovery, sources, ..silence() }
}

#[test]
fn calls_are_no_recovery_while_messages_wait_and_nothing_is_invoked() {
    let mut life = Life::new();
    let in_order = World::matching(&life.policy);
    life.pass(&World::without_grants(&life.policy), None, 0);
    life.pass(&in_order, None, 5);
    let waiting = |least, last| Reading::Present { value: Work::Waiting { least, last }, at: after(30) };
    life.pass_told(&in_order, Some(idle_with(waiting(3, 43), 30)), 30);
    assert_eq!(life.shown(), "False NothingInvoked");
    insta::assert_snapshot!(life.message(), @"in order since 2026-03-01T10:05:00Z, and nothing is invoked while `sb-orders/queues/incoming` has work");
    let told = life.message();
    life.pass_told(&in_order, Some(idle_with(waiting(43, 77), 35)), 35);
    assert_eq!(life.message(), told, "how many wait moves with every look");
    let unrecorded = Evidence { invocations: silence().invocations, ..idle_with(waiting(3, 43), 35) };
    life.pass_told(&in_order, Some(unrecorded), 35);
    assert_eq!(life.shown(), "Unknown NothingInvoked", "{}", life.message());
    // What nobody counted keeps nothing from having recovered.
    let denied = failure(FailureClass::Denied, "AuthorizationFailed");
    let mut others = Life { policy: with_telemetry(), status: life.status.clone() };
    others.pass_told(&in_order, Some(idle_with(Reading::Unreadable(denied), 40)), 40);
    assert_eq!(others.shown(), "True NoAuthFailures");
    life.pass_told(&in_order, Some(idle_with(waiting(0, 0), 40)), 40);
    assert_eq!(life.shown(), "True NoAuthFailures");
}

#[test]
fn what_cannot_be_read_leaves_it_as_it_was() {
    let mut life = Life::new();
    life.pass(&World::without_grants(&life.policy), None, 0);
    let mut unread = World::matching(&life.policy);
    unread.observed.target = Reading::Unreadable(failure(FailureClass::Transient, "Timeout"));
    life.pass(&unread, Some(figures(10, 0, 5)), 5);
    assert_eq!(life.shown(), "False NotRepaired");
    // And what was unknown in between was not in order.
    let in_order = World::matching(&life.policy);
    life.pass(&in_order, Some(figures(10, 0, 24)), 25);
    assert_eq!(life.shown(), "False InOrder");
}

#[test]
fn it_is_looked_for_when_it_can_be_told() {
    let mut life = Life::new();
    let in_order = World::matching(&life.policy);
    life.pass(&World::without_grants(&life.policy), None, 0);
    life.pass(&in_order, None, 5);
    let minutes = |report: &Report, at: i64| next_pass(report, None, after(at)).expect("it is due").as_secs() / 60;
    let waiting = life.pass(&in_order, None, 20);
    assert_eq!(minutes(&waiting, 20), 5, "when twenty minutes in order have passed");
    let refused = life.pass(&in_order, Some(figures(8, 2, 29)), 30);
    assert_eq!(minutes(&refused, 30), 5, "as often as telemetry is asked");
    life.pass(&in_order, Some(figures(8, 0, 34)), 35);
    let recovered = life.pass(&in_order, None, 40);
    assert_eq!(minutes(&recovered, 40), 10, "as always");
}

#[test]
fn a_reference_that_is_not_resolved_is_no_recovery() {
    let declared = policy(|spec| crate::policy::fixtures::vault(spec, "RBAC", "shared", &["get"]));
    let mut life = Life { policy: Policy { vaults: declared.vaults, ..with_telemetry() }, status: None };
    let vault = life.policy.vaults[0].vault.clone();
    let mut in_order = World::matching(&life.policy);
    in_order.grant(crate::evaluate::fixtures::SHARED, "Key Vault Secrets User", &vault);
    life.pass(&World::without_grants(&life.policy), None, 0);
    life.pass(&in_order, None, 5);
    let mut refused = in_order.clone();
    refused.observed.references = Some(Reading::Present {
        value: vec![crate::model::VaultReference {
            setting: "ApiKey".to_owned(),
            vault: vault.name().to_owned(),
            status: "AccessToKeyVaultDenied".to_owned(),
        }],
        at: after(30),
    });
    life.pass(&refused, Some(figures(31, 0, 29)), 30);
    assert_eq!(life.shown(), "False ReferencesNotResolved");
    assert!(life.message().contains("`ApiKey`"));
    life.pass(&in_order, Some(figures(31, 0, 34)), 35);
    assert_eq!(life.shown(), "True NoAuthFailures");
}
