//! Resource ids and request paths: what they name and what covers what. Knows nothing about documents or rights.

/// A request path or resource id, taken apart at its last `/providers/`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Address {
    /// The whole path in its own casing, without doubled or trailing slashes.
    pub(super) path: String,
    /// What precedes the last `/providers/`; the whole path when there is none. `/` for the tenant.
    pub(super) scope: String,
    /// The provider, or nothing for subscriptions and resource groups.
    pub(super) namespace: String,
    /// The type segments below the provider.
    pub(super) types: Vec<String>,
    /// The name segments below the provider: one less than the types when the path names a collection.
    pub(super) names: Vec<String>,
}

impl Address {
    /// Takes a path apart. Every text is a path; what it names is found out later.
    pub(super) fn parse(path: &str) -> Self {
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let provider = segments.iter().rposition(|segment| segment.eq_ignore_ascii_case("providers"));
        let (scope, below) = match provider {
            Some(at) => (&segments[..at], &segments[at + 1..]),
            None => (&segments[..], &[][..]),
        };
        let (namespace, rest) = below.split_first().map_or(("", below), |(first, rest)| (*first, rest));
        Self {
            path: join(&segments),
            scope: join(scope),
            namespace: namespace.to_owned(),
            types: rest.iter().step_by(2).map(ToString::to_string).collect(),
            names: rest.iter().skip(1).step_by(2).map(ToString::to_string).collect(),
        }
    }

    /// The full type, `Microsoft.Web/sites/slots`, in the casing of the path.
    pub(super) fn full_type(&self) -> String {
        format!("{}/{}", self.namespace, self.types.join("/"))
    }

    /// The full type in lower case, to choose by.
    pub(super) fn kind(&self) -> String {
        self.full_type().to_lowercase()
    }

    /// Whether the path ends with a type and not with a name.
    pub(super) fn is_collection(&self) -> bool {
        self.types.len() > self.names.len()
    }

    /// The last name, or nothing.
    pub(super) fn name(&self) -> &str {
        self.names.last().map_or("", String::as_str)
    }
}

/// The form in which ids are compared: lower case, no doubled or trailing slashes.
pub(super) fn key(id: &str) -> String {
    join(&id.split('/').filter(|segment| !segment.is_empty()).collect::<Vec<_>>()).to_lowercase()
}

/// Whether something at `scope` holds for `id` too; both in any casing. A world has no tree of management groups: each
/// one is above every subscription.
pub(super) fn covers(scope: &str, id: &str) -> bool {
    let (scope, id) = (key(scope), key(id));
    scope == "/"
        || scope == id
        || id.strip_prefix(&scope).is_some_and(|rest| rest.starts_with('/'))
        || (is_management_group(&scope) && id.starts_with("/subscriptions/"))
}

/// The subscription that an id lies in, in its own casing.
pub(super) fn subscription(id: &str) -> Option<&str> {
    segment_after(id, 0, "subscriptions")
}

/// The resource group that an id lies in, in its own casing.
pub(super) fn resource_group(id: &str) -> Option<&str> {
    segment_after(id, 2, "resourcegroups")
}

/// The last segment of an id.
pub(super) fn last_segment(id: &str) -> &str {
    id.trim_end_matches('/').rsplit('/').next().unwrap_or("")
}

/// What precedes a part of a path, in its own casing; the whole path without that part.
pub(super) fn before<'a>(path: &'a str, part: &str) -> &'a str {
    path.to_ascii_lowercase().find(part).map_or(path, |at| &path[..at])
}

fn segment_after<'a>(id: &'a str, position: usize, word: &str) -> Option<&'a str> {
    let mut segments = id.split('/').filter(|segment| !segment.is_empty()).skip(position);
    segments.next().filter(|segment| segment.eq_ignore_ascii_case(word))?;
    segments.next()
}

fn is_management_group(key: &str) -> bool {
    key.starts_with("/providers/microsoft.management/managementgroups/")
}

fn join(segments: &[&str]) -> String {
    format!("/{}", segments.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_doubled_slashes_names_what_it_would_without() {
        let address = Address::parse("//subscriptions/s1/resourceGroups/g1/providers//Microsoft.Web/sites/a/slots/b/");
        assert_eq!(address.path, "/subscriptions/s1/resourceGroups/g1/providers/Microsoft.Web/sites/a/slots/b");
        assert_eq!((address.kind().as_str(), address.name()), ("microsoft.web/sites/slots", "b"));
        assert!(!address.is_collection());
    }

    #[test]
    fn a_scope_covers_itself_and_what_lies_below_but_not_a_longer_name() {
        assert!(covers("/subscriptions/S1/resourceGroups/g", "/subscriptions/s1/resourcegroups/G/providers/x"));
        assert!(!covers("/subscriptions/s1/resourceGroups/g", "/subscriptions/s1/resourceGroups/g2"));
        assert!(covers("/providers/Microsoft.Management/managementGroups/m", "/subscriptions/s1"));
        assert!(covers("/", "/subscriptions/s1") && !covers("/subscriptions/s1", "/"));
    }
}
