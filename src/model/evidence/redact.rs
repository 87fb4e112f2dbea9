//! Takes secrets out of what apps log, before anybody sees it.
//!
//! Apps log what they like: when in doubt it is taken out. What is left names hosts, paths, codes and object ids, which is
//! what a reader needs.

/// What stands for what was taken out.
const GONE: &str = "…";

/// What the names of secret values end in, in lower case and without `-` and `_`.
const SECRET_NAMES: [&str; 12] = [
    "accountkey",
    "accesskey",
    "apikey",
    "assertion",
    "authorization",
    "functionskey",
    "password",
    "pwd",
    "secret",
    "signature",
    "subscriptionkey",
    "token",
];

/// Secret values with names too short to be an ending.
const SHORT_NAMES: [&str; 3] = ["sig", "secretvalue", "identityheader"];

/// What stands before a secret with a space between.
const SCHEMES: [&str; 5] = ["bearer", "basic", "pop", "sharedkey", "sharedkeylite"];

/// The least length of what is a secret by its looks alone: keys and client secrets have 40 characters and more, and keys
/// of subscriptions 32.
const RANDOM: usize = 32;

/// The text on one line, without secrets and without the queries of URLs, in at most so many bytes.
#[must_use]
pub fn redacted(text: &str, most: usize) -> String {
    let words: Vec<_> = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|it| !it.is_empty()).collect();
    let text = without_queries(&words.join(" "));
    let text = without_users(&text);
    let text = without_values(&text);
    cut(without_random(&text), most)
}

/// `https://host/path?…`
fn without_queries(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('?') {
        let (before, query) = rest.split_at(at);
        let end = query.find(|c: char| c.is_whitespace() || "\"'<>)}]".contains(c)).unwrap_or(query.len());
        kept.push_str(before);
        kept.push('?');
        if end > 1 {
            kept.push_str(GONE);
        }
        rest = &query[end..];
    }
    kept + rest
}

/// `https://…@host`
fn without_users(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        let authority =
            &after[..after.find(|c: char| c.is_whitespace() || "/\"'<>".contains(c)).unwrap_or(after.len())];
        kept.push_str(before);
        rest = match authority.rfind('@') {
            Some(at) => {
                kept.push_str(GONE);
                &after[at..]
            }
            None => after,
        };
    }
    kept + rest
}

/// `AccountKey=…`, `"client_secret": "…"`, `Authorization: …`, `Bearer …`
fn without_values(text: &str) -> String {
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    let mut kept = String::new();
    let mut rest = text;
    while let Some(begin) = rest.find(is_name) {
        let end = rest[begin..].find(|c| !is_name(c)).map_or(rest.len(), |length| begin + length);
        let name = plain(&rest[begin..end]);
        kept.push_str(&rest[..end]);
        rest = &rest[end..];
        let value = if is_secret(&name) {
            value_after_sign(rest)
        } else if SCHEMES.contains(&&*name) && rest.starts_with(' ') {
            Some(1)
        } else {
            None
        };
        if let Some(value) = value {
            kept.push_str(&rest[..value]);
            kept.push_str(GONE);
            let quote = rest[..value].chars().next_back().filter(|c| matches!(c, '"' | '\''));
            rest = &rest[value..];
            rest = &rest[end_of_value(rest, quote)..];
        }
    }
    kept + rest
}

fn plain(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}

fn is_secret(name: &str) -> bool {
    SECRET_NAMES.iter().any(|ending| name.ends_with(ending)) || SHORT_NAMES.contains(&name)
}

/// Where the value begins, if a sign follows that says that there is one. Quotes may be around it, and around the name.
fn value_after_sign(rest: &str) -> Option<usize> {
    let is_around = |c: char| c == ' ' || matches!(c, '"' | '\'' | '\\');
    let sign = rest.find(|c| !is_around(c))?;
    if !rest[sign..].starts_with(['=', ':']) {
        return None;
    }
    let begin = sign + rest[sign..].find(|c| !(is_around(c) || matches!(c, '=' | ':' | '>')))?;
    Some(begin)
}

fn end_of_value(rest: &str, quote: Option<char>) -> usize {
    let end = match quote {
        Some(quote) => rest.find(quote),
        None => rest.find(|c: char| c.is_whitespace() || ";,&\"'<>)}]\\".contains(c)),
    };
    let end = end.unwrap_or(rest.len());
    // `Authorization: Bearer …` has two words.
    let is_scheme = SCHEMES.contains(&&*plain(&rest[..end])) || plain(&rest[..end]) == "sharedaccesssignature";
    if is_scheme && rest[end..].starts_with(' ') { end + 1 + end_of_value(&rest[end + 1..], None) } else { end }
}

/// Keys and tokens that stand by themselves.
fn without_random(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "+/=_~-".contains(c);
    let mut kept = String::new();
    let mut rest = text;
    while let Some(begin) = rest.find(is_part) {
        // A JSON Web Token begins like this, and has dots between its parts.
        let is_token = rest[begin..].starts_with("eyJ");
        let length = rest[begin..].find(|c| !(is_part(c) || is_token && c == '.'));
        let end = length.map_or(rest.len(), |length| begin + length);
        kept.push_str(&rest[..begin]);
        kept.push_str(if is_token || looks_random(&rest[begin..end]) { GONE } else { &rest[begin..end] });
        rest = &rest[end..];
    }
    kept + rest
}

fn looks_random(run: &str) -> bool {
    // Keys have slashes, too. What begins with one is a path, whose segments are names unless they are as long as keys.
    let least = if run.starts_with('/') { RANDOM } else { RANDOM / 2 };
    let mut segments = run.split('/');
    let is_key = run.len() >= RANDOM && segments.clone().any(|segment| segment.len() >= least && is_mixed(segment));
    is_key || segments.any(|segment| segment.split(['-', '_', '=']).any(|part| part.len() >= RANDOM && has_both(part)))
}

/// Letters of both cases and digits. A GUID is in one case.
fn is_mixed(text: &str) -> bool {
    let is_guid = text.len() == 36 && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    let has = |of: fn(&u8) -> bool| text.bytes().any(|b| of(&b));
    !is_guid && has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_digit)
}

fn has_both(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_alphabetic()) && text.bytes().any(|b| b.is_ascii_digit())
}

fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        let room = most.saturating_sub(GONE.len());
        let end = (0..=room).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
        text.truncate(end);
        text.push_str(GONE);
    }
    text
}

#[cfg(test)]
mod tests;
