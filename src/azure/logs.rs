//! The logs of a workspace: our queries and their answers, summed up.
//!
//! Knows the wire. What the figures mean is decided elsewhere; what could not be read is a [`Failure`], and never an empty
//! answer.

mod rows;
mod summary;

use std::{sync::Arc, time::Duration};

use azure_core::{
    credentials::TokenCredential,
    http::{Method, Transport},
};
use bytes::Bytes;
use serde_json::{Value, json};

use super::{Azure, Limits, arm::Service, reads::absent};
use crate::{
    catalog::{
        clouds::{Allowances, Cloud, QUERIES},
        queries::{Dialect, Parameters, query},
        services,
    },
    model::{
        Failure, FailureClass, Scope, Source,
        evidence::{FiveMinutes, Recovery, Refused, Summary},
    },
};
use rows::Rows;

/// The longest that a query may take. The service itself would go on for three minutes.
const LONGEST: Duration = Duration::from_secs(30);

/// Bytes of one answer. The longest of ours has fifty rows of two kilobytes.
const LARGEST: usize = 1024 * 1024;

/// The service that answers queries.
pub(super) fn service(
    cloud: &Cloud,
    endpoint: Option<String>,
    credential: Arc<dyn TokenCredential>,
    transport: Option<Transport>,
    limits: Limits,
) -> Service {
    // A query is a POST that changes nothing, and takes longer than a write may.
    let limits =
        Limits { write_timeout: limits.total_timeout.min(LONGEST), max_body: limits.max_body.min(LARGEST), ..limits };
    Service {
        name: "queries of logs",
        endpoint: endpoint.unwrap_or_else(|| cloud.logs_endpoint.to_owned()),
        scope: format!("{}/.default", cloud.logs_endpoint),
        credential,
        transport,
        limits,
        allowances: Allowances { reads: QUERIES, writes: QUERIES, deletes: QUERIES },
        is_told_to_stop: true,
    }
}

/// A workspace, by the id that its queries go to. It is none of Resource Manager's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkspaceId(uuid::Uuid);

impl Azure {
    /// The id of a workspace; none when it does not exist.
    pub async fn workspace(&self, workspace: &Scope) -> Result<Option<WorkspaceId>, Failure> {
        let Some(document) = self.document(workspace, "GET workspace").await? else { return Ok(None) };
        let id = document["properties"]["customerId"].as_str().and_then(|id| id.parse().ok());
        let id = id.ok_or_else(|| {
            let text = format!("the answer to GET {workspace} has no `customerId` that is a GUID");
            Failure::new(FailureClass::Bug, "UndecodableAnswer", text)
        })?;
        Ok(Some(WorkspaceId(id)))
    }

    /// The workspace that an Application Insights component keeps its telemetry in; none when the component does not exist.
    pub async fn workspace_of(&self, component: &Scope) -> Result<Option<Scope>, Failure> {
        let Some(document) = self.document(component, "GET component").await? else { return Ok(None) };
        // The member is written with a capital letter, in answers of that version and in Microsoft's examples.
        match document["properties"]["WorkspaceResourceId"].as_str() {
            Some(workspace) => Ok(Some(Scope::lenient(workspace))),
            None => {
                let text = format!("{component} is a classic component: it keeps its telemetry in no workspace");
                Err(Failure::new(FailureClass::Rejected, "ClassicComponent", text).with_hint(
                    "Azure retired classic components on 2024-02-29: give it a workspace (`az monitor app-insights component \
                     update --workspace`), or name the workspace that the app writes to",
                ))
            }
        }
    }

    /// A resource as its own api-version shows it; none when it does not exist.
    async fn document(&self, resource: &Scope, what: &str) -> Result<Option<Value>, Failure> {
        let Some((_, version)) = services::resource_of(resource).filter(|(it, _)| it == resource) else {
            let text = format!("how to look at {resource} is not known");
            return Err(Failure::new(FailureClass::Bug, "UnknownType", text));
        };
        absent(self.arm.get(resource.as_str(), version).await)?.map(|answer| answer.json(what)).transpose()
    }

    /// Failed calls, credential traces, invocations or host traces; none when there is no row.
    pub async fn summary(
        &self,
        workspace: WorkspaceId,
        source: Source,
        parameters: &Parameters<'_>,
    ) -> Result<Option<Summary>, Failure> {
        let rows = self.rows(workspace, source, parameters).await?;
        summary::summary(source, &rows)
    }

    /// Calls and failures per five minutes, oldest first; none when there is no row.
    pub async fn failure_series(
        &self,
        workspace: WorkspaceId,
        parameters: &Parameters<'_>,
    ) -> Result<Option<Vec<FiveMinutes>>, Failure> {
        summary::series(&self.rows(workspace, Source::FailureSeries, parameters).await?)
    }

    /// Whether calls are still refused; none when the app has sent nothing.
    pub async fn recovery(
        &self,
        workspace: WorkspaceId,
        parameters: &Parameters<'_>,
    ) -> Result<Option<Recovery>, Failure> {
        summary::recovery(&self.rows(workspace, Source::Recovery, parameters).await?)
    }

    /// Whom the called resources refused; none when there is no row.
    pub async fn refused_principals(
        &self,
        workspace: WorkspaceId,
        parameters: &Parameters<'_>,
    ) -> Result<Option<Vec<Refused>>, Failure> {
        summary::refused(&self.rows(workspace, Source::RefusedPrincipals, parameters).await?)
    }

    async fn rows(&self, workspace: WorkspaceId, source: Source, parameters: &Parameters<'_>) -> Result<Rows, Failure> {
        let query = query(source);
        let text = query.text(Dialect::Workspace, parameters).expect("a test asks a workspace everything");
        let mut url = self.logs.endpoint().clone();
        url.set_path(&format!("/v1/workspaces/{}/query", workspace.0));
        // The query says how far to look back; this bounds what the service reads, whatever became of the text.
        let timespan = format!("PT{}M", parameters.minutes());
        let body = json!({ "query": text, "timespan": timespan });
        let answer = self.logs.execute(Method::Post, url, Some(Bytes::from(body.to_string()))).await?;
        Rows::read(query, &answer.json(&format!("the query `{source}`"))?)
    }
}

/// What a query that was answered in part says. Half of the rows are no evidence.
fn partial(source: Source, error: &Value) -> Failure {
    let detail = error["message"].as_str().and_then(|text| text.lines().next()).unwrap_or("without a reason");
    let text = format!("the query `{source}` was answered in part only: {}", detail.trim_end_matches('.'));
    Failure::new(FailureClass::Transient, "PartialError", text)
}
