//! ABAC conditions on grants, roles and deny assignments: read, and judged against what is known of a request. Three
//! answers, as everywhere: it holds, it does not, it cannot be told (and which attribute would have to be known).
//!
//! Source: Azure documentation, "Azure role assignment condition format and syntax", "Actions and attributes for Azure
//! role assignment conditions" (Blob Storage, Queue Storage, authorization); recorded answers for the casing.

mod comparison;
mod expression;
mod judge;
mod parse;

use expression::Expression;
pub use judge::{Assignment, Request};

/// What a condition says of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// Cannot be told, with what would have to be known.
    Undecided(String),
}

impl Truth {
    /// Whether one of the entries holds, and with it what `under` says of the whole. Asked only as far as it matters.
    #[must_use]
    pub fn of_entries(entries: impl IntoIterator<Item = Self>, under: impl FnOnce() -> Self) -> Self {
        let mut whole = Self::False;
        for entry in entries {
            match entry {
                Self::False => {}
                Self::True => {
                    whole = Self::True;
                    break;
                }
                undecided @ Self::Undecided(_) => whole = undecided,
            }
        }
        if whole == Self::False {
            return whole;
        }
        match under() {
            Self::True => whole,
            other => other,
        }
    }
}

/// A condition as Azure holds it. One that cannot be understood is kept: it is undecided, and never nothing.
#[derive(Clone, Debug)]
pub struct Condition {
    text: String,
    version: Option<String>,
    expression: Result<Expression, String>,
}

/// The only version there is. Azure takes an absent one for it.
const VERSION: &str = "2.0";

/// How many sub-operations of an action one condition may tell apart. Azure documents eight in all.
const MAX_SUB_OPERATIONS: usize = 16;

impl Condition {
    /// The condition in these members of a document; none when the text says nothing.
    #[must_use]
    pub fn read(text: &str, version: Option<&str>) -> Option<Self> {
        if text.trim().is_empty() {
            return None;
        }
        let expression = match version {
            Some(other) if other != VERSION => Err(format!("version `{other}` of conditions is not known")),
            Some(_) | None => parse::expression(text),
        };
        Some(Self { text: text.to_owned(), version: version.map(str::to_owned), expression })
    }

    /// The text as Azure holds it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The patterns of actions that the condition tells apart.
    #[must_use]
    pub fn action_patterns(&self) -> Vec<&str> {
        self.expression.as_ref().map(Expression::action_patterns).unwrap_or_default()
    }

    /// Whether a grant under this condition serves the request, in every way in which the action may be carried out.
    ///
    /// One action may stand for several operations of a service (reading a blob, listing blobs). The plain one is always
    /// part of what is asked for; whether the others are is not known.
    #[must_use]
    pub fn allows(&self, request: &Request<'_>) -> Truth {
        let ways = match self.ways(request) {
            Ok(ways) => ways,
            Err(why) => return Truth::Undecided(why),
        };
        if ways[0] == Truth::False {
            return Truth::False;
        }
        ways.iter().find(|way| **way != Truth::True).map_or(Truth::True, |way| undecided(way, request))
    }

    /// Whether a deny assignment under this condition denies the request, in any way in which the action may be carried
    /// out that is certainly asked for.
    #[must_use]
    pub fn denies(&self, request: &Request<'_>) -> Truth {
        let ways = match self.ways(request) {
            Ok(ways) => ways,
            Err(why) => return Truth::Undecided(why),
        };
        if ways[0] == Truth::True {
            return Truth::True;
        }
        ways.iter().find(|way| **way != Truth::False).map_or(Truth::False, |way| undecided(way, request))
    }

    /// The answer for the plain action first, then for each of its sub-operations that the condition names.
    fn ways(&self, request: &Request<'_>) -> Result<Vec<Truth>, String> {
        let expression = self.expression.as_ref().map_err(|why| format!("its condition is not understood: {why}"))?;
        let named = expression.sub_operations();
        if named.len() > MAX_SUB_OPERATIONS {
            return Err("its condition names too many sub-operations".to_owned());
        }
        let ways = std::iter::once(None).chain(named.into_iter().map(Some));
        Ok(ways.map(|sub_operation| judge::judge(expression, request, sub_operation)).collect())
    }
}

fn undecided(way: &Truth, request: &Request<'_>) -> Truth {
    match way {
        Truth::Undecided(why) => Truth::Undecided(why.clone()),
        Truth::True | Truth::False => {
            let action = request.action.rsplit_once('/').map_or(request.action, |(_, verb)| verb);
            Truth::Undecided(format!("its condition tells sub-operations of `{action}` apart"))
        }
    }
}

/// Two are the same when Azure holds the same: what was understood follows from it.
impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.version == other.version
    }
}

impl Eq for Condition {}

#[cfg(test)]
mod tests;
