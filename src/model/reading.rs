//! Three facts that must not be confused: it is there, it is not there, we could not read it.

use jiff::Timestamp;

use super::Failure;

/// What one look at Azure told, and when.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading<T> {
    /// It is there.
    Present {
        /// What was read.
        value: T,
        /// When it was read.
        at: Timestamp,
    },
    /// It is not there, and we had the right to see it.
    Absent {
        /// When it was looked for.
        at: Timestamp,
    },
    /// We cannot say. Never a reason to change anything.
    Unreadable(Failure),
}

impl<T> Reading<T> {
    /// The value, if one was read.
    pub fn present(&self) -> Option<&T> {
        match self {
            Self::Present { value, .. } => Some(value),
            Self::Absent { .. } | Self::Unreadable(_) => None,
        }
    }

    /// Why it could not be read, if so.
    pub fn unreadable(&self) -> Option<&Failure> {
        match self {
            Self::Unreadable(failure) => Some(failure),
            Self::Present { .. } | Self::Absent { .. } => None,
        }
    }
}
