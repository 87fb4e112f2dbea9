//! Faults on demand: which requests fail, how, and how often.

/// How a request fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KubeFailure {
    /// Nothing is done; the answer is this HTTP status with a fitting `Status` body.
    Status(u16),
    /// Nothing is done; the connection is refused.
    Unavailable,
    /// The request is carried out, and the connection breaks before the answer arrives.
    AnswerLost,
}

/// Makes matching requests fail until it is used up.
#[derive(Clone, Debug)]
pub struct KubeFault {
    /// Only this HTTP method (`PATCH`); any without.
    pub method: Option<&'static str>,
    /// Only requests whose path and query contain this text; empty matches every request.
    pub path_contains: String,
    /// How many requests fail before the fault is gone.
    pub times: u32,
    /// What happens to them.
    pub failure: KubeFailure,
}

/// The faults that are armed, in the order in which they are tried.
#[derive(Debug, Default)]
pub(super) struct Faults {
    armed: Vec<KubeFault>,
}

impl Faults {
    pub(super) fn arm(&mut self, fault: KubeFault) {
        self.armed.push(fault);
    }

    /// Uses up one shot of the first fault that matches.
    pub(super) fn strike(&mut self, method: &str, target: &str) -> Option<KubeFailure> {
        self.armed.retain(|fault| fault.times > 0);
        let fault = self.armed.iter_mut().find(|fault| {
            fault.method.is_none_or(|wanted| wanted == method) && target.contains(&fault.path_contains)
        })?;
        fault.times -= 1;
        Some(fault.failure)
    }
}
