//! The address in a setting, without whatever else its value holds: user names, queries and paths can be secrets.

use std::fmt;

/// An address, or a host or account name alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Such as `https`; none where a name stands alone.
    pub scheme: Option<&'static str>,
    /// In lower case, without a dot at its end.
    pub host: String,
    /// Where it is said.
    pub port: Option<u16>,
    /// What follows.
    pub path: Path,
}

/// What follows the host of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// Nothing, or one slash.
    None,
    /// `/api/events`, where topics of Event Grid take events.
    Events,
    /// Something else, a query too. Dropped.
    Other,
}

/// The schemes that are told. With another one it is no address of a service.
const SCHEMES: [&str; 5] = ["https", "http", "sb", "amqps", "amqp"];

impl Address {
    /// An address or a host name; none for what is neither.
    pub(super) fn read(value: &str) -> Option<Self> {
        let (scheme, rest) = match value.split_once("://") {
            None => (None, value),
            Some((scheme, rest)) => (Some(*SCHEMES.iter().find(|known| scheme.eq_ignore_ascii_case(known))?), rest),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (host, port) = match authority.split_once(':') {
            None => (authority, None),
            Some((host, port)) => (host, Some(port.parse().ok()?)),
        };
        let path = match path {
            "" | "/" => Path::None,
            path if path.trim_end_matches('/').eq_ignore_ascii_case("/api/events") => Path::Events,
            _ => Path::Other,
        };
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        // One label alone is no service's, and may be anything.
        (is_host(&host) && host.contains('.')).then_some(Self { scheme, host, port, path })
    }

    /// The name of a storage account.
    pub(super) fn account(value: &str) -> Option<Self> {
        let is_name =
            (3..=24).contains(&value.len()) && value.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        is_name.then(|| Self { scheme: None, host: value.to_owned(), port: None, path: Path::None })
    }
}

fn is_host(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len()) && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, host, port, path } = self;
        if let Some(scheme) = scheme {
            write!(f, "{scheme}://")?;
        }
        f.write_str(host)?;
        if let Some(port) = port {
            write!(f, ":{port}")?;
        }
        f.write_str(match path {
            Path::None => "",
            Path::Events => "/api/events",
            Path::Other => "/…",
        })
    }
}
