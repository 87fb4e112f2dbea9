//! What is wrong with a policy, mistake by mistake.

use std::fmt;

/// Everything that is wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    /// The mistakes, in the order of the fields. Never empty.
    pub violations: Vec<Violation>,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The field, such as `spec.bindings[0].resource`.
    pub field: String,
    /// The name of the entry of a list that the field is in; empty elsewhere, and where the problem names it.
    pub entry: String,
    /// What is wrong with it.
    pub problem: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, entry, problem } = self;
        let entry = if entry.is_empty() { String::new() } else { format!(" ({entry})") };
        write!(f, "{field}{entry}: {problem}")
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, violation) in self.violations.iter().enumerate() {
            let separator = if position == 0 { "" } else { "; " };
            write!(f, "{separator}{violation}")?;
        }
        Ok(())
    }
}

impl std::error::Error for PolicyError {}
