//! ARM scopes and resource ids: one type, because a role assignment may sit at any of them.

use std::{cmp::Ordering, fmt, hash};

/// Where a grant sits or a resource lives: `/`, a management group, a subscription, a resource group, a resource, or
/// a child of one. Comparison ignores case, as ARM does; the text keeps the casing it came with.
///
/// Source: Azure Resource Manager answers one id in several casings (`resourcegroups`, `resourceGroups`).
#[derive(Clone)]
pub struct Scope {
    text: String,
    key: String,
}

/// Why a text is not a scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// The text does not begin with `/`.
    #[error("`{0}` is not an absolute ARM id: it must begin with `/`")]
    NotAbsolute(String),
    /// Two slashes in a row, or one at the end.
    #[error("`{0}` has an empty segment: look for a double or a trailing slash")]
    EmptySegment(String),
    /// A segment that a URL takes as a step to another place.
    #[error("`{0}` has the segment `{1}`, which would name another resource than it seems to")]
    DotSegment(String, String),
    /// The text has characters that no ARM id has.
    #[error("`{0}` has a character that an ARM id cannot have: `{1}`")]
    Character(String, char),
}

impl Scope {
    /// Parses an id that a person wrote. Double and trailing slashes are refused, because they are mistakes there.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        if !text.starts_with('/') {
            return Err(ScopeError::NotAbsolute(text.to_owned()));
        }
        if text != "/" && text.split('/').skip(1).any(str::is_empty) {
            return Err(ScopeError::EmptySegment(text.to_owned()));
        }
        // A URL folds these away: the id would lie inside a boundary and its request would go outside.
        if let Some(step) = text.split('/').find(|segment| matches!(*segment, "." | "..")) {
            return Err(ScopeError::DotSegment(text.to_owned(), step.to_owned()));
        }
        // These would change the request that the id becomes part of.
        if let Some(odd) = text.chars().find(|c| matches!(c, '?' | '#' | '%' | '\\') || c.is_control() || *c == ' ') {
            return Err(ScopeError::Character(text.to_owned(), odd));
        }
        Ok(Self::of(text.to_owned()))
    }

    /// Reads an id that Azure answered. Double slashes are folded, because recorded answers have them.
    #[must_use]
    pub fn lenient(text: &str) -> Self {
        let segments: Vec<_> = text.split('/').filter(|segment| !segment.is_empty()).collect();
        Self::of(format!("/{}", segments.join("/")))
    }

    fn of(text: String) -> Self {
        let key = text.to_ascii_lowercase();
        Self { text, key }
    }

    /// The scope of a whole subscription.
    #[must_use]
    pub fn of_subscription(id: &str) -> Self {
        Self::of(format!("/subscriptions/{id}"))
    }

    /// The id in the casing it came with.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The id in lower case: equal for equal scopes.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// A scope below this one, for example `queues/orders` of a namespace.
    #[must_use]
    pub fn child(&self, path: &str) -> Self {
        Self::of(format!("{}/{path}", self.text))
    }

    /// The subscription id in lower case; none for `/` and management groups.
    #[must_use]
    pub fn subscription(&self) -> Option<&str> {
        self.key.strip_prefix("/subscriptions/")?.split('/').next()
    }

    /// The resource group that holds this scope, itself included.
    #[must_use]
    pub fn resource_group(&self) -> Option<Self> {
        let segments: Vec<_> = self.text.split('/').take(5).collect();
        let is_group = segments.len() == 5 && segments[3].eq_ignore_ascii_case("resourceGroups");
        is_group.then(|| Self::of(segments.join("/")))
    }

    /// The resource type, for example `Microsoft.Web/sites` or `Microsoft.Web/sites/slots`; none when the scope is
    /// not a resource.
    #[must_use]
    pub fn resource_type(&self) -> Option<String> {
        let at = self.key.rfind("/providers/")?;
        let mut segments = self.text[at + "/providers/".len()..].split('/');
        let provider = segments.next()?;
        let types: Vec<_> = segments.step_by(2).collect();
        (!types.is_empty()).then(|| format!("{provider}/{}", types.join("/")))
    }

    /// The name, in lower case, that this id gives for a type: the account's or the container's of a container. None
    /// when the id does not go so far down, or elsewhere.
    #[must_use]
    pub fn name_of(&self, resource_type: &str) -> Option<&str> {
        let at = self.key.rfind("/providers/")?;
        let mut segments = self.key[at + "/providers/".len()..].split('/');
        let mut path = segments.next()?.to_owned();
        loop {
            path = format!("{path}/{}", segments.next()?);
            let name = segments.next()?;
            if path.eq_ignore_ascii_case(resource_type) {
                return Some(name);
            }
        }
    }

    /// The resource of the given type that this is or lies in.
    #[must_use]
    pub fn cut_at(&self, resource_type: &str) -> Option<Self> {
        let at = self.key.rfind("/providers/")? + "/providers/".len();
        let mut expected = resource_type.split('/');
        let mut end = at;
        for (position, segment) in self.text[at..].split('/').enumerate() {
            // The provider, then types and names by turns.
            let is_name = position > 0 && position % 2 == 0;
            if !is_name {
                match expected.next() {
                    Some(own) if own.eq_ignore_ascii_case(segment) => {}
                    Some(_) => return None,
                    None => break,
                }
            }
            end += segment.len() + 1;
            if is_name && expected.clone().next().is_none() {
                return Some(Self::of(self.text[..end - 1].to_owned()));
            }
        }
        None
    }

    /// Whether this is a resource of the given type, ignoring case.
    #[must_use]
    pub fn is_type(&self, resource_type: &str) -> bool {
        let names_a_resource =
            self.key.rsplit("/providers/").next().is_some_and(|tail| tail.split('/').count() % 2 == 1);
        names_a_resource && self.resource_type().is_some_and(|own| own.eq_ignore_ascii_case(resource_type))
    }

    /// The last segment: the resource's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text.rsplit('/').next().unwrap_or_default()
    }

    /// An app's name as Azure gives it: a slot's has its app's before it, `func-orders/staging`.
    #[must_use]
    pub fn app_name(&self) -> String {
        let mut last = self.text.rsplit('/');
        match (last.next(), last.next(), last.next()) {
            (Some(slot), Some(kind), Some(app)) if kind.eq_ignore_ascii_case("slots") => format!("{app}/{slot}"),
            (name, ..) => name.unwrap_or_default().to_owned(),
        }
    }

    /// Whether a grant at this scope reaches `other`: the same scope or one below it.
    ///
    /// A management group's place in the tree cannot be read from its id. One is taken to reach `other` because
    /// grants are only ever read from the list of `other`'s subscription, which holds just the groups above it.
    #[must_use]
    pub fn reaches(&self, other: &Self) -> bool {
        self.is_above_subscriptions()
            || other.key.strip_prefix(&self.key).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Whether this is `/` or a management group.
    #[must_use]
    pub fn is_above_subscriptions(&self) -> bool {
        self.key == "/" || self.key.starts_with("/providers/microsoft.management/managementgroups/")
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

impl PartialEq for Scope {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Scope {}

impl PartialOrd for Scope {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scope {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }
}

impl hash::Hash for Scope {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

impl serde::Serialize for Scope {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VAULT: &str = "/subscriptions/1111/resourceGroups/rg-one/providers/Microsoft.KeyVault/vaults/kv-one";

    #[test]
    fn casing_does_not_make_another_scope() {
        let upper = Scope::parse(&VAULT.to_uppercase().replace("/SUBSCRIPTIONS", "/Subscriptions")).unwrap();
        assert_eq!(upper, Scope::parse(VAULT).unwrap());
        assert!(upper.is_type("microsoft.keyvault/Vaults"));
    }

    #[test]
    fn mistakes_of_a_person_are_refused_and_those_of_azure_folded() {
        assert!(matches!(Scope::parse("subscriptions/1111"), Err(ScopeError::NotAbsolute(_))));
        assert!(matches!(Scope::parse("/subscriptions//1111"), Err(ScopeError::EmptySegment(_))));
        assert!(matches!(Scope::parse("/subscriptions/1111/"), Err(ScopeError::EmptySegment(_))));
        assert!(matches!(Scope::parse("/subscriptions/1111?x=y"), Err(ScopeError::Character(_, '?'))));
        let steps = format!("{VAULT}/../../../../../rg-two/providers/Microsoft.KeyVault/vaults/kv-two");
        assert!(matches!(Scope::parse(&steps), Err(ScopeError::DotSegment(_, _))));
        assert!(matches!(Scope::parse("/subscriptions/1111/resourceGroups/."), Err(ScopeError::DotSegment(_, _))));
        assert!(Scope::parse("/subscriptions/1111/resourceGroups/rg..one").is_ok(), "dots within a name are a name");
        assert_eq!(Scope::lenient("//subscriptions//1111/"), Scope::of_subscription("1111"));
    }

    #[test]
    fn a_scope_reaches_itself_and_what_is_below_it_only() {
        let vault = Scope::parse(VAULT).unwrap();
        let group = vault.resource_group().unwrap();
        assert_eq!(group.as_str(), "/subscriptions/1111/resourceGroups/rg-one");
        assert!(group.reaches(&vault) && vault.reaches(&vault) && !vault.reaches(&group));
        assert!(
            !Scope::parse("/subscriptions/1111/resourceGroups/rg").unwrap().reaches(&vault),
            "a prefix is no parent"
        );
        assert!(Scope::parse("/").unwrap().reaches(&vault));
    }

    #[test]
    fn the_type_follows_the_last_provider() {
        let slot = Scope::parse("/subscriptions/1/resourceGroups/r/providers/Microsoft.Web/sites/a/slots/b").unwrap();
        assert_eq!(slot.resource_type().as_deref(), Some("Microsoft.Web/sites/slots"));
        assert!(slot.is_type("Microsoft.Web/sites/slots") && !slot.is_type("Microsoft.Web/sites"));
        assert_eq!(slot.name_of("microsoft.web/Sites"), Some("a"));
        assert_eq!(slot.name_of("Microsoft.Web/sites/slots"), Some("b"));
        assert_eq!(slot.app_name(), "a/b");
        assert_eq!(
            Scope::parse("/subscriptions/1/resourceGroups/r/providers/Microsoft.Web/sites/a").unwrap().app_name(),
            "a"
        );
        assert_eq!(slot.name_of("Microsoft.Web/sites/slots/parts"), None);
        let half = Scope::parse("/subscriptions/1/resourceGroups/r/providers/Microsoft.Web/sites").unwrap();
        assert!(!half.is_type("Microsoft.Web/sites"), "an id without a name is not a resource");
    }
}
