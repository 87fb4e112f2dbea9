//! A condition, understood.

use super::comparison::Comparison;

/// A condition or a part of one. Its depth is bounded by the parser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    /// `AND`.
    All(Vec<Expression>),
    /// `OR`.
    Any(Vec<Expression>),
    /// `!`, `NOT`.
    Not(Box<Expression>),
    /// The action matches one of these patterns.
    ActionMatches(Vec<String>),
    /// The operation is one of these sub-operations of its action.
    SubOperationMatches(Vec<String>),
    /// The request has this attribute.
    Exists(Attribute),
    /// Two sides are compared.
    Compare {
        /// What is looked at.
        left: Side,
        /// How.
        comparison: Comparison,
        /// What it is held against.
        right: Side,
    },
}

/// One side of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// What is to be looked up.
    Attribute(Attribute),
    /// What is written there; in braces any number.
    Values(Vec<String>),
}

/// Where an attribute comes from, and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attribute {
    /// Where from.
    pub(super) source: Source,
    /// Its name as written; case does not count.
    pub(super) name: String,
}

/// The four sources of attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// What is asked for.
    Resource,
    /// What is sent.
    Request,
    /// Who asks.
    Principal,
    /// When and from where.
    Environment,
}

impl Attribute {
    /// Whether it is the old way to ask for the sub-operation.
    pub(super) fn is_sub_operation(&self) -> bool {
        self.source == Source::Request && self.name.eq_ignore_ascii_case("subOperation")
    }
}

impl std::fmt::Display for Attribute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without the provider and the types: what tells attributes apart is at the end, and lines are short.
        let tail = self.name.rsplit_once('/').map_or(self.name.as_str(), |(_, tail)| tail);
        write!(f, "@{:?}[{tail}]", self.source)
    }
}

impl Expression {
    /// The sub-operations that are told apart, each once.
    pub(super) fn sub_operations(&self) -> Vec<&str> {
        let mut named = Vec::new();
        self.visit(&mut |leaf| match leaf {
            Self::SubOperationMatches(words) => named.extend(words.iter().map(String::as_str)),
            Self::Compare { left: Side::Attribute(attribute), right: Side::Values(values), .. }
                if attribute.is_sub_operation() =>
            {
                named.extend(values.iter().map(String::as_str));
            }
            _ => {}
        });
        named.sort_unstable();
        named.dedup();
        named
    }

    /// The patterns of actions that are told apart: by name, or because an attribute is known to some of them only.
    pub(super) fn action_patterns(&self) -> Vec<&str> {
        let mut patterns = Vec::new();
        self.visit(&mut |leaf| match leaf {
            Self::ActionMatches(own) => patterns.extend(own.iter().map(String::as_str)),
            Self::Exists(_) | Self::Compare { .. } => patterns.extend(super::judge::ATTRIBUTED_ACTIONS),
            _ => {}
        });
        patterns
    }

    /// Everything that has no parts.
    fn visit<'a>(&'a self, leaf: &mut impl FnMut(&'a Self)) {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.visit(leaf)),
            Self::Not(part) => part.visit(leaf),
            other => leaf(other),
        }
    }
}
