//! What a handler answers, and how it becomes bytes: error envelopes, pages, headers.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::ArmBody;
use super::call::Call;
use super::fault::FaultAnswer;
use super::path::{self, Address};
use super::state::derived;

/// The host that a foreign `nextLink` names. RFC 2606 keeps it from existing.
const FOREIGN_HOST: &str = "https://management.example.net";

/// The answer of a handler, before paging.
#[derive(Debug)]
pub(super) struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Content,
}

#[derive(Debug)]
enum Content {
    Nothing,
    One(Value),
    Items(Items),
}

/// A list before it is cut into pages.
#[derive(Debug, Default)]
struct Items {
    all: Vec<Value>,
    /// Members beside `value`, on the last page.
    beside: Map<String, Value>,
    /// Whether a full page has a link also when nothing comes after it.
    eager: bool,
}

/// An answer, or the refusal that ends the handling.
pub(super) type Outcome = Result<Reply, Reply>;

/// Who refused.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cause {
    /// ARM itself.
    Gateway,
    /// The provider behind it.
    Service,
}

/// An answer, ready to be sent.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: ArmBody,
}

/// What a list needs to know to be cut into pages.
pub(super) struct Page<'a> {
    pub(super) call: &'a Call,
    pub(super) size: usize,
    pub(super) fault: Option<&'a FaultAnswer>,
}

impl Reply {
    pub(super) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Content::Nothing }
    }

    pub(super) fn document(status: u16, document: Value) -> Self {
        Self { status, headers: Vec::new(), body: Content::One(document) }
    }

    pub(super) fn items(items: Vec<Value>) -> Self {
        Self { status: 200, headers: Vec::new(), body: Content::Items(Items { all: items, ..Items::default() }) }
    }

    /// Members that a list has beside its items, null where Azure has null.
    #[must_use]
    pub(super) fn with_nulls(mut self, members: &[&str]) -> Self {
        if let Content::Items(items) = &mut self.body {
            items.beside.extend(members.iter().map(|member| ((*member).to_owned(), Value::Null)));
        }
        self
    }

    /// A list that links from every full page, also to an empty one (recorded for vaults).
    #[must_use]
    pub(super) fn linking_eagerly(mut self) -> Self {
        if let Content::Items(items) = &mut self.body {
            items.eager = true;
        }
        self
    }

    /// Changes each document that is answered.
    #[must_use]
    pub(super) fn map(mut self, change: impl Fn(&mut Value)) -> Self {
        if self.status < 400 {
            match &mut self.body {
                Content::Nothing => {}
                Content::One(document) => change(document),
                Content::Items(items) => items.all.iter_mut().for_each(change),
            }
        }
        self
    }

    /// An error in the usual envelope.
    pub(super) fn refusal(status: u16, cause: Cause, code: &str, message: impl Into<String>) -> Self {
        let message: String = message.into();
        Self::error(status, cause, json!({"error": {"code": code, "message": message}}))
    }

    /// An error whose body has a shape of its own.
    pub(super) fn error(status: u16, cause: Cause, body: Value) -> Self {
        // Recorded: a provider is named only where it failed; what it refuses names nobody.
        let named = matches!(cause, Cause::Gateway) || status >= 500 || status == 429;
        let headers = if named { vec![cause.header()] } else { Vec::new() };
        Self { status, headers, body: Content::One(body) }
    }

    /// What the simulator does not model: loud, so that no test passes by accident.
    pub(super) fn unsupported(call: &Call) -> Self {
        let message = format!("the sandbox does not model {} {}", call.method, call.address.path);
        Self::refusal(501, Cause::Gateway, "SandboxUnsupported", message)
    }

    pub(super) fn bad_request(code: &str, message: impl Into<String>) -> Self {
        Self::refusal(400, Cause::Service, code, message)
    }

    #[must_use]
    pub(super) fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Turns the reply into bytes, cutting a list at the page that was asked for.
    pub(super) fn render(self, page: &Page<'_>) -> Answer {
        let Self { status, headers, body } = self;
        let mut answer = match body {
            Content::Nothing => Answer { status, headers: Vec::new(), body: ArmBody::Full(Bytes::new()) },
            Content::One(document) => Answer::json(status, &document),
            Content::Items(items) => page.cut(items),
        };
        answer.headers.extend(headers);
        if let (Some(FaultAnswer::HalfJson), ArmBody::Full(bytes)) = (page.fault, &mut answer.body) {
            bytes.truncate(bytes.len() / 2);
        }
        if page.call.method == "HEAD" {
            answer.body = ArmBody::Full(Bytes::new());
        }
        answer
    }
}

impl Page<'_> {
    fn cut(&self, items: Items) -> Answer {
        let Items { all: items, beside, eager } = items;
        let Some(start) = self.call.offset() else {
            let refusal = Reply::bad_request("InvalidSkipToken", "The skip token is not one of this list.");
            return refusal.render(self);
        };
        let breaks = matches!(self.fault, Some(FaultAnswer::FailSecondPage));
        let size = if breaks { self.size.min(items.len().div_ceil(2)) } else { self.size };
        let total = items.len();
        let value: Vec<Value> = items.into_iter().skip(start).take(size).collect();
        let end = start + value.len();
        let full = eager && value.len() == size;
        let mut list = json!({ "value": value });
        if matches!(self.fault, Some(FaultAnswer::ForeignNextLink)) {
            list["nextLink"] = format!("{FOREIGN_HOST}{}?$skiptoken=after-{end}", self.call.address.path).into();
        } else if end < total || breaks || full {
            list["nextLink"] = self.call.next_link(end).into();
        } else if let Some(members) = list.as_object_mut() {
            members.extend(beside);
        }
        Answer::json(200, &list)
    }
}

impl Answer {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        let content_type = ("content-type".to_owned(), "application/json; charset=utf-8".to_owned());
        Self { status, headers: vec![content_type], body: ArmBody::Full(body.to_string().into()) }
    }
}

impl Cause {
    pub(super) fn header(self) -> (String, String) {
        let word = match self {
            Self::Gateway => "gateway",
            Self::Service => "service",
        };
        ("x-ms-failure-cause".to_owned(), word.to_owned())
    }
}

/// 404 for what an address names, in the form of whoever notices: ARM for a resource of its own register, the provider
/// for what lies below one. Microsoft.Web and Microsoft.DocumentDB have envelopes of their own (recorded).
pub(super) fn not_found(address: &Address) -> Reply {
    let Address { path, names, .. } = address;
    let group = path::resource_group(path).unwrap_or("");
    let namespace = address.namespace.to_lowercase();
    // An account of Cosmos DB is looked for by its provider (recorded), any other resource by ARM.
    if names.len() < 2 && !address.is_collection() && namespace != "microsoft.documentdb" {
        let resource = format!("{}/{}", address.full_type(), address.name());
        let message = format!(
            "The Resource '{resource}' under resource group '{group}' was not found. For more details please go to \
             https://aka.ms/ARMResourceNotFoundFix"
        );
        return Reply::refusal(404, Cause::Gateway, "ResourceNotFound", message);
    }
    let message = format!("Resource {path} not found.");
    let body = match namespace.as_str() {
        "microsoft.web" => json!({
            "Code": "NotFound", "Message": message, "Target": null, "Innererror": null,
            "Details": [{"Message": message}, {"Code": "NotFound"}, {"ErrorEntity": {
                "ExtendedCode": "51004", "MessageTemplate": "Cannot find {0} with name {1}.",
                "Parameters": [address.types.last(), address.name()], "Code": "NotFound", "Message": message,
            }}],
        }),
        "microsoft.documentdb" => json!({
            "code": "NotFound",
            "message": format!("Entity with the specified id does not exist in the system.\r\nActivityId: {}", derived(path)),
        }),
        "microsoft.servicebus" | "microsoft.eventhub" => json!({"error": {
            "message": format!(
                "The requested resource {} does not exist. CorrelationId: {}", address.name(), derived(path)
            ),
            "code": "NotFound",
        }}),
        _ => json!({"error": {"code": "NotFound", "message": message, "details": []}}),
    };
    Reply::error(404, Cause::Service, body)
}
