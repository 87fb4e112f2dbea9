//! What a host and the services that it calls write down, row by row. Columns are those of the tables' reference.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::path;
use super::super::state::{State, id_of};
use super::service::{Answer, Kind, Service};
use super::spec::Operation;
use super::token::Token;

const SETTINGS: &str = "microsoft.insights/diagnosticsettings";

/// A row on its way to a workspace.
pub(super) struct Row {
    /// The workspace's name.
    pub(super) workspace: String,
    pub(super) table: &'static str,
    pub(super) cells: Value,
}

/// An error that somebody gets to see.
#[derive(Clone, Debug)]
pub(super) struct Exception {
    pub(super) kind: &'static str,
    pub(super) message: String,
}

/// Who writes.
pub(super) struct Pen<'a> {
    pub(super) state: &'a State,
    /// The id of the app.
    pub(super) app: &'a str,
    pub(super) role: &'a str,
    pub(super) workspace: &'a str,
    pub(super) rows: &'a mut Vec<Row>,
}

impl Pen<'_> {
    /// A call of the app, as often as it was sent.
    pub(super) fn dependency(&mut self, at: Timestamp, service: &Service, operation: Operation, answer: Option<u16>) {
        let result = match (answer, service.is_amqp()) {
            // AMQP has no status.
            (Some(_), true) => String::new(),
            (None, _) => "0".to_owned(),
            (Some(status), false) => status.to_string(),
        };
        let (kind, name) = match (service.kind, operation) {
            (Kind::Blob, _) => ("Azure blob", "GET"),
            (Kind::Queue, _) => ("Azure queue", "GET"),
            (Kind::Table, _) => ("Azure table", "GET"),
            (Kind::ServiceBus, Operation::Read) => ("Azure Service Bus", "ServiceBusReceiver.Receive"),
            (Kind::ServiceBus, Operation::Write) => ("Azure Service Bus", "ServiceBusSender.Send"),
            (Kind::EventHubs, Operation::Read) => ("Azure Event Hubs", "EventHubConsumer.Receive"),
            (Kind::EventHubs, Operation::Write) => ("Azure Event Hubs", "EventHubProducer.Send"),
            (Kind::Vault, _) => ("HTTP", "GET"),
        };
        let name = if operation == Operation::Write && name == "GET" { "PUT" } else { name };
        let path =
            if service.kind == Kind::Vault { format!("secrets/{}", service.entity) } else { service.entity.clone() };
        let data = if service.is_amqp() { String::new() } else { format!("https://{}/{path}", service.host) };
        let succeeded = answer.is_some_and(|status| status < 400);
        self.of_app("AppDependencies", at, json!({
            "Target": service.host, "DependencyType": kind, "Name": name, "ResultCode": result, "Success": succeeded, "Data": data,
        }));
    }

    /// An invocation.
    pub(super) fn request(&mut self, at: Timestamp, function: &str, succeeded: bool) {
        let result = if succeeded { "0" } else { "500" };
        let cells = json!({ "Name": function, "OperationName": function, "Success": succeeded, "ResultCode": result });
        self.of_app("AppRequests", at, cells);
    }

    /// A line of the host's log, which goes to the traces and, where the app's own log is collected, there too.
    pub(super) fn says(&mut self, at: Timestamp, function: &str, message: &str, exception: Option<&Exception>) {
        let (level, severity) = if exception.is_some() { ("Error", 3) } else { ("Information", 1) };
        self.of_app("AppTraces", at, json!({ "Message": message, "SeverityLevel": severity }));
        if let Some(Exception { kind, message: innermost }) = exception {
            let cells = json!({
                "ExceptionType": kind, "OuterType": kind, "OuterMessage": message, "InnermostMessage": innermost, "SeverityLevel": 3,
            });
            self.of_app("AppExceptions", at, cells);
        }
        for workspace in self.destinations(self.app, &["FunctionAppLogs"]) {
            let exception = exception.map(|it| it.message.as_str()).unwrap_or_default();
            let cells = json!({
                "TimeGenerated": at.to_string(), "_ResourceId": path::key(self.app), "FunctionName": function, "Level": level,
                "Category": "Host.Startup", "Message": message, "ExceptionMessage": exception,
            });
            self.rows.push(Row { workspace, table: "FunctionAppLogs", cells });
        }
    }

    /// What the called service writes in its own log, where somebody collects it.
    pub(super) fn resource_log(
        &mut self,
        at: Timestamp,
        service: &Service,
        operation: Operation,
        token: &Token,
        answer: &Answer,
    ) {
        let (status, code, text) = match answer {
            Answer::Done => (200, "Success", ""),
            Answer::Refused { status: Some(status), code, message } => (*status, *code, message.as_str()),
            Answer::Refused { status: None, .. } | Answer::Silence | Answer::Timeout => return,
        };
        let (table, part) = match service.kind {
            Kind::Blob => ("StorageBlobLogs", "/blobServices/default"),
            Kind::Queue => ("StorageQueueLogs", "/queueServices/default"),
            Kind::Table => ("StorageTableLogs", "/tableServices/default"),
            Kind::Vault => return self.vault_log(at, service, operation, token, (status, text)),
            Kind::ServiceBus | Kind::EventHubs => return,
        };
        let source = format!("{}{part}", service.resource);
        let category = if operation == Operation::Read { "StorageRead" } else { "StorageWrite" };
        for workspace in self.destinations(&source, &[category]) {
            let cells = json!({
                "TimeGenerated": at.to_string(), "_ResourceId": path::key(&source), "AccountName": service.name(), "Category": category,
                "StatusCode": status.to_string(), "StatusText": code, "AuthenticationType": "OAuth",
                // Who is turned away at the firewall is not asked for a name.
                "RequesterObjectId": if code == "AuthorizationFailure" { "" } else { &token.principal },
            });
            self.rows.push(Row { workspace, table, cells });
        }
    }

    fn vault_log(
        &mut self,
        at: Timestamp,
        service: &Service,
        operation: Operation,
        token: &Token,
        (status, text): (u16, &str),
    ) {
        let name = if operation == Operation::Read { "SecretGet" } else { "SecretSet" };
        for workspace in self.destinations(&service.resource, &["AuditEvent"]) {
            let cells = json!({
                "TimeGenerated": at.to_string(), "_ResourceId": path::key(&service.resource),
                "ResourceProvider": "MICROSOFT.KEYVAULT", "Category": "AuditEvent", "OperationName": name, "ResultType": "Success",
                "httpStatusCode_d": status, "identity_claim_oid_g": token.principal, "identity_claim_appid_g": token.client,
                "ResultDescription": text,
            });
            self.rows.push(Row { workspace, table: "AzureDiagnostics", cells });
        }
    }

    fn of_app(&mut self, table: &'static str, at: Timestamp, mut cells: Value) {
        cells["TimeGenerated"] = at.to_string().into();
        cells["AppRoleName"] = self.role.into();
        cells["ItemCount"] = 1.into();
        self.rows.push(Row { workspace: self.workspace.to_owned(), table, cells });
    }

    /// The workspaces that diagnostic settings send these categories of a resource to.
    fn destinations(&self, source: &str, categories: &[&str]) -> Vec<String> {
        let of_source = |setting: &&Value| {
            let id = path::key(id_of(setting));
            id.strip_prefix(&path::key(source)).is_some_and(|rest| rest.starts_with("/providers/microsoft.insights/"))
        };
        let sends = |setting: &&Value| {
            setting["properties"]["logs"].as_array().into_iter().flatten().any(|log| {
                let group = log["categoryGroup"].as_str().is_some_and(|group| group.eq_ignore_ascii_case("allLogs"));
                let named = log["category"].as_str().is_some_and(|category| categories.contains(&category));
                log["enabled"] == true && (group || named)
            })
        };
        let settings = self.state.of_kind(SETTINGS).filter(of_source).filter(sends);
        let workspaces = settings.filter_map(|setting| setting["properties"]["workspaceId"].as_str());
        workspaces.map(|id| path::last_segment(id).to_owned()).collect()
    }
}
