//! What telemetry tells of an app. Asked about while something is wrong with it, and shared for minutes: queries cost more
//! than reads, and what they tell is minutes old.

use std::{collections::BTreeSet, sync::Arc};

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};

use super::{Surveys, reading};
use crate::{
    azure::{Azure, WorkspaceId},
    catalog::{counted::counted, queries::Parameters},
    clock::Clock,
    model::{
        Failure, FailureClass, Observed, Reading, Scope, Source,
        evidence::{Evidence, MOST_SOURCES, shows_no_invocation},
        work::{Sources, Span},
    },
    policy::{COMPONENT, EvidenceSource, Policy, TriggerSources},
};

/// How long an answer is used, and how long nobody asks again who was refused.
pub(super) const EVIDENCE_KEEP: SignedDuration = SignedDuration::from_mins(5);

/// Adds what telemetry tells, where the policy says where it is.
pub async fn ask_evidence(
    azure: &Azure,
    surveys: &Surveys,
    policy: &Policy,
    observed: &mut Observed,
    may_tell: impl Fn(&Scope) -> bool,
) {
    if let Some(source) = &policy.evidence {
        // A boundary may end inside of a resource, whose log tells of all of it.
        let logged: BTreeSet<_> = policy.logged().into_iter().filter(|resource| may_tell(resource)).collect();
        // They are asked about at their namespace.
        let may_ask = |source: &Scope| counted(source).is_some_and(|it| may_tell(&it.namespace)) && may_tell(source);
        let triggers = policy.trigger_sources().within(MOST_SOURCES, may_ask);
        let about = About { logged, triggers };
        observed.evidence = Some(surveys.evidence(azure, policy, source, about, may_tell).await);
    }
}

/// What is asked about besides the app itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct About {
    /// Resources whose own logs are read.
    logged: BTreeSet<Scope>,
    /// What starts its functions.
    triggers: TriggerSources,
}

/// The workspace that is asked: the one that is named, or the one that a named component keeps its telemetry in.
async fn workspace(
    azure: &Azure,
    named: &Scope,
    may_tell: impl Fn(&Scope) -> bool,
) -> Result<Option<WorkspaceId>, Failure> {
    if !named.is_type(COMPONENT) {
        return azure.workspace(named).await;
    }
    match azure.workspace_of(named).await? {
        Some(workspace) if may_tell(&workspace) => azure.workspace(&workspace).await,
        Some(_) => {
            let text = format!("{named} keeps its telemetry in a workspace outside of the boundary");
            Err(Failure::new(FailureClass::Denied, "OutsideBoundary", text)
                .with_hint("let a boundary reach that workspace, or name one that it reaches"))
        }
        None => Ok(None),
    }
}

impl Surveys {
    async fn evidence(
        &self,
        azure: &Azure,
        policy: &Policy,
        source: &EvidenceSource,
        about: About,
        may_tell: impl Fn(&Scope) -> bool,
    ) -> Reading<Arc<Evidence>> {
        let read = async || match workspace(azure, &source.workspace, may_tell).await {
            Ok(Some(workspace)) => {
                let value = Arc::new(Box::pin(gather(azure, self.clock, policy, source, workspace, &about)).await);
                Reading::Present { value, at: self.clock.now() }
            }
            Ok(None) => Reading::Absent { at: self.clock.now() },
            Err(failure) => Reading::Unreadable(failure),
        };
        let key = (policy.target.clone(), source.clone(), about.clone());
        self.evidence.get(&key, Timestamp::MIN, |_| None, read).await
    }
}

async fn gather(
    azure: &Azure,
    clock: Clock,
    policy: &Policy,
    source: &EvidenceSource,
    workspace: WorkspaceId,
    about: &About,
) -> Evidence {
    let EvidenceSource { workspace: id, role_name, window } = source;
    let resources: Vec<&Scope> = about.logged.iter().collect();
    let asked = &Parameters { role_name, app: &policy.target, resources: &resources, window: *window };
    let summary = async |source| reading(clock, azure.summary(workspace, source, asked).await);

    let recovery = reading(clock, azure.recovery(workspace, asked).await);
    // Who was refused, or not answered in time, is not to ask six times more.
    let (host, refused) = match &recovery {
        Reading::Unreadable(failure) => (Reading::Unreadable(failure.clone()), Reading::Unreadable(failure.clone())),
        Reading::Present { .. } | Reading::Absent { .. } => {
            let refused = async {
                if resources.is_empty() { Ok(None) } else { azure.refused_principals(workspace, asked).await }
            };
            let (host, refused) = tokio::join!(summary(Source::HostTraces), refused);
            (host, reading(clock, refused))
        }
    };
    // An app that has sent nothing has sent no failure either.
    let (dependencies, credentials, invocations, series) = match &recovery {
        Reading::Present { .. } => {
            let series = azure.failure_series(workspace, asked);
            let (dependencies, credentials, invocations, series) = tokio::join!(
                summary(Source::DependencyFailures),
                summary(Source::CredentialTraces),
                summary(Source::Invocations),
                series
            );
            (dependencies, credentials, invocations, reading(clock, series))
        }
        Reading::Absent { at } => {
            let nothing = || Reading::Absent { at: *at };
            (nothing(), nothing(), nothing(), Reading::Absent { at: *at })
        }
        Reading::Unreadable(failure) => {
            let unread = || Reading::Unreadable(failure.clone());
            (unread(), unread(), unread(), Reading::Unreadable(failure.clone()))
        }
    };
    let span = Span::before(clock.now());
    let sources = if shows_no_invocation(&recovery, &invocations, span) {
        Some(sources(azure, clock, &about.triggers, span).await)
    } else {
        None
    };
    Evidence {
        workspace: id.clone(),
        role_name: role_name.clone(),
        window: *window,
        dependencies,
        credentials,
        invocations,
        host,
        series,
        recovery,
        refused,
        sources,
    }
}

/// What the sources of triggers had in that time.
async fn sources(azure: &Azure, clock: Clock, triggers: &TriggerSources, span: Span) -> Sources {
    let ask = triggers.counted.iter().filter_map(counted).map(async |source| {
        let work = reading(clock, azure.work(&source, span).await);
        (source.entity, work)
    });
    Sources { span, had: join_all(ask).await.into_iter().collect(), others: triggers.others }
}
