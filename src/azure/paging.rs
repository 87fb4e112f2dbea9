//! Lists: every page or nothing.

use azure_core::http::{Method, Url};
use serde_json::Value;

use super::arm::Arm;
use crate::model::{Failure, FailureClass};

impl Arm {
    /// All entries of a list. A page that fails fails the list: half a list would look like things that are gone.
    pub(super) async fn list(&self, path: &str, api_version: &str) -> Result<Vec<Value>, Failure> {
        self.list_from(self.url(path, api_version)).await
    }

    /// The same with parameters of the list's own, such as `$filter`.
    pub(super) async fn list_with(
        &self,
        path: &str,
        version: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Vec<Value>, Failure> {
        let mut url = self.url(path, version);
        url.query_pairs_mut().extend_pairs(parameters);
        self.list_from(url).await
    }

    async fn list_from(&self, first: Url) -> Result<Vec<Value>, Failure> {
        let path = &first.path().to_owned();
        let mut entries = Vec::new();
        let mut next = Some(first);
        for _ in 0..self.limits().max_pages {
            let Some(url) = next else { return Ok(entries) };
            let answer = self.execute(Method::Get, url, None).await?;
            let page = Page::read(&answer.json(&format!("GET {path}"))?, path)?;
            entries.extend(page.entries);
            // A page may be empty and still have a successor (recorded for vaults), so only the link counts.
            next = page.next.map(|link| self.link(&link)).transpose()?;
        }
        Err(endless(path))
    }

    fn link(&self, link: &str) -> Result<Url, Failure> {
        self.endpoint().join(link).map_err(|error| {
            Failure::new(FailureClass::Bug, "ForeignLink", format!("`nextLink` is not a URL: {error}"))
        })
    }
}

/// One page of a list.
pub(super) struct Page {
    pub(super) entries: Vec<Value>,
    pub(super) next: Option<String>,
}

impl Page {
    pub(super) fn read(page: &Value, path: &str) -> Result<Self, Failure> {
        let Some(entries) = page.get("value").and_then(Value::as_array) else {
            let text = format!("the answer to GET {path} is not a list: it has no `value`");
            return Err(Failure::new(FailureClass::Bug, "UndecodableAnswer", text));
        };
        let next = page.get("nextLink").and_then(Value::as_str).filter(|link| !link.is_empty());
        Ok(Self { entries: entries.clone(), next: next.map(str::to_owned) })
    }
}

pub(super) fn endless(path: &str) -> Failure {
    Failure::new(FailureClass::Bug, "EndlessList", format!("GET {path} has more pages than any list can have"))
}
