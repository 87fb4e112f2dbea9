//! The `$filter` forms of Microsoft.Authorization lists. What Azure refuses is refused here.

use super::reply::Reply;

/// A filter, parsed. Terms that are not given are empty.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Filter {
    /// `atScope()`: nothing from below.
    pub(super) at_scope: bool,
    /// `principalId eq '…'`.
    pub(super) principal: Option<String>,
    /// `assignedTo('…')`.
    pub(super) assigned_to: Option<String>,
    /// `roleName eq '…'`.
    pub(super) role_name: Option<String>,
    /// `type eq '…'` of role definitions.
    pub(super) role_type: Option<String>,
    /// `denyAssignmentName eq '…'`.
    pub(super) deny_name: Option<String>,
}

impl Filter {
    /// Parses the text of a `$filter`; an absent one keeps everything.
    pub(super) fn parse(text: Option<&str>) -> Result<Self, Reply> {
        let mut filter = Self::default();
        for term in text.map(terms).unwrap_or_default() {
            filter.add(term.trim())?;
        }
        if filter.at_scope && filter.principal.is_some() {
            return Err(unsupported(
                "The filter is not supported. Supported filters are either 'atScope()' or 'principalId eq '{value}'' \
                 or 'assignedTo('{value}')'.",
            ));
        }
        Ok(filter)
    }

    fn add(&mut self, term: &str) -> Result<(), Reply> {
        let lower = term.to_lowercase();
        let argument = quoted(term);
        match lower.split([' ', '(']).next() {
            Some("atscope") if lower == "atscope()" => self.at_scope = true,
            Some("atscopeandbelow") if lower == "atscopeandbelow()" => {}
            Some("assignedto") if argument.is_some() => self.assigned_to = argument,
            Some("principalid") if lower.contains(" eq ") && argument.is_some() => self.principal = argument,
            Some("rolename") if lower.contains(" eq ") && argument.is_some() => self.role_name = argument,
            Some("type") if lower.contains(" eq ") && argument.is_some() => self.role_type = argument,
            Some("denyassignmentname") if lower.contains(" eq ") && argument.is_some() => self.deny_name = argument,
            _ => return Err(unsupported(&format!("The filter '{term}' is not supported."))),
        }
        Ok(())
    }
}

/// The code is an assumption: no recording shows this refusal.
fn unsupported(message: &str) -> Reply {
    Reply::bad_request("UnsupportedQuery", message)
}

/// Splits at `and`, but not inside of quotes: there is a role named `Reader and Data Access`.
fn terms(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut start, mut inside) = (0, false);
    for (at, character) in text.char_indices() {
        inside ^= character == '\'';
        let word = text.get(at..at + 5).is_some_and(|word| word.eq_ignore_ascii_case(" and "));
        if word && !inside {
            found.push(&text[start..at]);
            start = at + 5;
        }
    }
    found.push(&text[start..]);
    found.into_iter().filter(|term| !term.trim().is_empty()).collect()
}

fn quoted(term: &str) -> Option<String> {
    let (_, rest) = term.split_once('\'')?;
    let (argument, _) = rest.rsplit_once('\'')?;
    Some(argument.replace("''", "'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_and_does_not_split_a_term() {
        let filter = Filter::parse(Some("roleName eq 'Reader and Data Access' and type eq 'BuiltInRole'")).unwrap();
        assert_eq!(filter.role_name.as_deref(), Some("Reader and Data Access"));
        assert_eq!(filter.role_type.as_deref(), Some("BuiltInRole"));
    }

    #[test]
    fn at_scope_goes_with_assigned_to_and_not_with_principal_id() {
        assert!(Filter::parse(Some("atScope() and assignedTo('p')")).is_ok());
        assert!(Filter::parse(Some("atScope() and principalId eq 'p'")).is_err());
        assert!(Filter::parse(Some("startswith(principalId, 'p')")).is_err());
    }
}
