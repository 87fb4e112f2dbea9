//! How grave an incident is, by the playbook's table: what rests on the app, and what of it is cut off.

use super::{ConnectionProblem, Effect, Evaluated, Finding};
use crate::{
    api::Criticality,
    model::evidence::Evidence,
    policy::{Identity, Origin, Policy},
};

/// A row of the playbook's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// In production, what starts functions is cut off.
    Sev1,
    /// In production something else is, or a part that has a fallback.
    Sev2,
    /// Nothing critical is.
    Sev3,
}

impl Severity {
    /// What people call it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Sev1 => "SEV-1",
            Self::Sev2 => "SEV-2",
            Self::Sev3 => "SEV-3",
        }
    }

    /// None while nothing is certainly cut off. What is merely not known is no incident, and nothing fails for a right
    /// too many.
    ///
    /// Of something that is not critical the table supposes that trying again succeeds. Telemetry in which nothing does
    /// makes it graver; it never makes anything less grave, because what is cut off may not have been tried yet.
    pub(super) fn of(
        policy: &Policy,
        findings: &[Finding],
        requirements: &[Evaluated],
        evidence: Option<&Evidence>,
    ) -> Option<Self> {
        let mut cut = findings.iter().filter(|finding| cuts_off(finding)).peekable();
        cut.peek()?;
        Some(match policy.criticality {
            Criticality::Production if cut.any(|finding| stops_functions(policy, finding, requirements)) => Self::Sev1,
            _ => Self::of_something(policy, evidence),
        })
    }

    /// Where something is cut off, and not what starts functions, or nobody knows what.
    pub(super) fn of_something(policy: &Policy, evidence: Option<&Evidence>) -> Self {
        match policy.criticality {
            Criticality::Production | Criticality::Partial => Self::Sev2,
            Criticality::NonCritical if evidence.is_some_and(nothing_succeeds) => Self::Sev2,
            Criticality::NonCritical => Self::Sev3,
        }
    }
}

/// Whether something is cut off by it for certain. By another model than declared a vault may let everybody in: whom it does
/// not has a finding. A connection string may be a good one.
fn cuts_off(finding: &Finding) -> bool {
    let may_serve = matches!(
        finding,
        Finding::SystemIdentityForbidden { .. }
            | Finding::UnneededGrant { .. }
            | Finding::VaultModeMismatch { .. }
            | Finding::Connection { problem: ConnectionProblem::UsesSecret { .. }, .. }
    );
    matches!(finding.effect(), Effect::Drift | Effect::Propagating) && !may_serve
}

/// Whether every invocation failed, each attempt counted.
fn nothing_succeeds(evidence: &Evidence) -> bool {
    let Some(invocations) = evidence.invocations.present() else { return false };
    let failed: u64 = invocations.top.iter().map(|group| group.failed).fold(0, u64::saturating_add);
    failed > 0 && failed == invocations.count
}

/// Whether what starts functions is cut off by it: a trigger, or the host itself.
fn stops_functions(policy: &Policy, finding: &Finding, requirements: &[Evaluated]) -> bool {
    let starts = |origin: &Origin| match origin {
        Origin::Binding(name) => policy.triggers.contains(name),
        Origin::Platform(_) => true,
        Origin::Identities(_) | Origin::Grant(_) | Origin::Vault(_) => false,
    };
    let uses = |identity: &Identity| {
        requirements.iter().any(|one| one.identity == *identity && one.origins.iter().any(starts))
    };
    match finding {
        Finding::TargetNotFound { .. } | Finding::HostNotRecycled { .. } => true,
        Finding::SystemIdentityDisabled => uses(&Identity::System),
        Finding::PrincipalMissing { identity } => uses(identity),
        Finding::UserIdentityNotAttached { identity, .. }
        | Finding::UserIdentityNotFound { identity }
        | Finding::StaleAttachment { identity, .. } => uses(&Identity::User(identity.clone())),
        other => other.origins().iter().any(starts),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        api::FunctionIdentityPolicySpec,
        evaluate::fixtures::{SHARED, World, failure, now, present, principal, silence},
        model::{
            FailureClass, Reading,
            evidence::{Group, Summary},
        },
        policy::fixtures::{app, policy, shared},
    };

    /// The severity of a policy over a world, both as they are made, for each criticality.
    fn severities(edit: impl Fn(&mut FunctionIdentityPolicySpec), spoil: impl Fn(&mut World)) -> [&'static str; 3] {
        [Criticality::Production, Criticality::Partial, Criticality::NonCritical].map(|criticality| {
            let policy = policy(|spec| {
                spec.criticality = criticality;
                edit(spec);
            });
            let mut world = World::matching(&policy);
            spoil(&mut world);
            world.evaluate(&policy).severity.map_or("none", Severity::word)
        })
    }

    fn without_grants_of(world: &mut World, who: &str) {
        let gone = principal(who);
        world.each_list(|list| list.grants.retain(|grant| grant.principal != gone));
    }

    #[test]
    fn it_follows_from_what_rests_on_the_app_and_what_is_cut_off() {
        assert_eq!(severities(|_| {}, |_| {}), ["none"; 3]);
        let trigger_cut = severities(|_| {}, |world| without_grants_of(world, SHARED));
        assert_eq!(trigger_cut, ["SEV-1", "SEV-2", "SEV-3"], "the trigger's role");
        let detached = severities(|_| {}, |world| world.site().attached.clear());
        assert_eq!(detached, ["SEV-1", "SEV-2", "SEV-3"], "the trigger's identity, whose role is there");
        let output = |spec: &mut FunctionIdentityPolicySpec| spec.bindings[0].type_ = "serviceBus".to_owned();
        let output_cut = severities(output, |world| without_grants_of(world, SHARED));
        assert_eq!(output_cut, ["SEV-2", "SEV-2", "SEV-3"], "nothing is started by an output");
    }

    #[test]
    fn what_is_not_known_or_too_much_is_no_incident() {
        let unread = |world: &mut World| {
            let failure = failure(FailureClass::Denied, "AuthorizationFailed");
            for reading in world.observed.access.values_mut() {
                *reading = Reading::Unreadable(failure.clone());
            }
        };
        assert_eq!(severities(|_| {}, unread), ["none"; 3]);
        let too_much = |world: &mut World| {
            world.grant(SHARED, "Owner", &shared());
            world.grant(SHARED, "Owner", &app());
        };
        assert_eq!(severities(|_| {}, too_much), ["none"; 3]);
    }

    #[test]
    fn telemetry_in_which_nothing_succeeds_makes_it_graver_and_none_makes_it_less_grave() {
        let severities = |succeeded: u64, failed: u64| {
            severities(
                |_| {},
                |world| {
                    without_grants_of(world, SHARED);
                    let group = Group { name: "ship".into(), result: String::new(), count: succeeded + failed, failed };
                    let invocations = Summary {
                        count: succeeded + failed,
                        first: now(),
                        last: now(),
                        top: vec![group],
                        more: 0,
                        signals: Vec::new(),
                        samples: Vec::new(),
                    };
                    let evidence = Evidence { invocations: present(invocations), ..silence() };
                    world.observed.evidence = Some(present(Arc::new(evidence)));
                },
            )
        };
        assert_eq!(severities(0, 9), ["SEV-1", "SEV-2", "SEV-2"]);
        assert_eq!(severities(1, 9), ["SEV-1", "SEV-2", "SEV-3"], "a try succeeds in the end");
        assert_eq!(severities(9, 0), ["SEV-1", "SEV-2", "SEV-3"]);
    }
}
