//! From a condition's text to an expression. Conditions are other people's text: its length and depth are bounded, and
//! what is not understood to the letter is refused whole.

use super::{
    comparison::Comparison,
    expression::{Attribute, Expression, Side, Source},
};

/// Longer than any condition that Azure takes (8 KB).
const MAX_LENGTH: usize = 16 * 1024;

/// Deeper than anybody writes, and shallow enough for every stack.
const MAX_DEPTH: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// `(`, `)`, `{`, `}`, `,`.
    Mark(char),
    /// `!` and `NOT`.
    Not,
    /// `&&` and `AND`.
    And,
    /// `||` and `OR`.
    Or,
    /// A name, an operator, a number, a GUID.
    Word(String),
    /// What stands between quotes.
    Text(String),
    /// `@Source[name]`.
    Attribute(Attribute),
}

/// The expression, or what is not understood.
pub(super) fn expression(text: &str) -> Result<Expression, String> {
    if text.len() > MAX_LENGTH {
        return Err("it is too long".to_owned());
    }
    let mut parser = Parser { tokens: tokens(text)?, next: 0, depth: 0 };
    let expression = parser.any()?;
    match parser.tokens.get(parser.next) {
        None => Ok(expression),
        Some(left_over) => Err(format!("nothing is expected where `{}` stands", told(left_over))),
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let (token, length) = match character {
            _ if character.is_whitespace() => {
                rest = &rest[character.len_utf8()..];
                continue;
            }
            '(' | ')' | '{' | '}' | ',' => (Token::Mark(character), 1),
            '!' => (Token::Not, 1),
            '&' if rest.starts_with("&&") => (Token::And, 2),
            '|' if rest.starts_with("||") => (Token::Or, 2),
            '\'' => {
                let end = rest[1..].find('\'').ok_or("a quote is not closed")?;
                (Token::Text(rest[1..=end].to_owned()), end + 2)
            }
            '@' => attribute(rest)?,
            _ => word(rest)?,
        };
        tokens.push(token);
        rest = &rest[length..];
    }
    Ok(tokens)
}

fn attribute(rest: &str) -> Result<(Token, usize), String> {
    let close = rest.find(']').ok_or("a bracket is not closed")?;
    let (source, name) = rest[1..close].split_once('[').ok_or("an attribute has no name")?;
    let source = match source.trim().to_ascii_lowercase().as_str() {
        "resource" => Source::Resource,
        "request" => Source::Request,
        "principal" => Source::Principal,
        "environment" => Source::Environment,
        _ => return Err("an attribute has no source that is known".to_owned()),
    };
    Ok((Token::Attribute(Attribute { source, name: name.trim().to_owned() }), close + 1))
}

fn word(rest: &str) -> Result<(Token, usize), String> {
    let is_part =
        |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.' | ':' | '+');
    let length = rest.find(|character| !is_part(character)).unwrap_or(rest.len());
    if length == 0 {
        return Err("it has a character that no condition has".to_owned());
    }
    let word = &rest[..length];
    let token = match word.to_ascii_lowercase().as_str() {
        "and" => Token::And,
        "or" => Token::Or,
        "not" => Token::Not,
        _ => Token::Word(word.to_owned()),
    };
    Ok((token, length))
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
}

impl Parser {
    /// Parts joined by `OR`, or by `AND`. Azure wants parentheses where the two meet, and so do we: to guess which binds
    /// closer could turn a condition around.
    fn any(&mut self) -> Result<Expression, String> {
        let first = self.part()?;
        let joint = match self.tokens.get(self.next) {
            Some(joint @ (Token::And | Token::Or)) => joint.clone(),
            _ => return Ok(first),
        };
        let mut parts = vec![first];
        while self.take(&joint) {
            parts.push(self.part()?);
        }
        match self.tokens.get(self.next) {
            Some(Token::And | Token::Or) => Err("AND and OR meet without parentheses".to_owned()),
            _ if joint == Token::And => Ok(Expression::All(parts)),
            _ => Ok(Expression::Any(parts)),
        }
    }

    fn part(&mut self) -> Result<Expression, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("it is nested too deeply".to_owned());
        }
        let part = self.part_within_depth();
        self.depth -= 1;
        part
    }

    fn part_within_depth(&mut self) -> Result<Expression, String> {
        match self.tokens.get(self.next).cloned() {
            Some(Token::Not) => {
                self.next += 1;
                Ok(Expression::Not(Box::new(self.part()?)))
            }
            Some(Token::Mark('(')) => {
                self.next += 1;
                let inner = self.any()?;
                self.expect(')')?;
                Ok(inner)
            }
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("ActionMatches") => {
                self.next += 1;
                Ok(Expression::ActionMatches(self.braced()?))
            }
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("SubOperationMatches") => {
                self.next += 1;
                Ok(Expression::SubOperationMatches(self.braced()?))
            }
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("Exists") => {
                self.next += 1;
                match self.side()? {
                    Side::Attribute(attribute) => Ok(Expression::Exists(attribute)),
                    Side::Values(_) => Err("`Exists` is not asked of an attribute".to_owned()),
                }
            }
            _ => self.comparison(),
        }
    }

    fn comparison(&mut self) -> Result<Expression, String> {
        let left = self.side()?;
        let comparison = match self.tokens.get(self.next) {
            Some(Token::Word(word)) => {
                Comparison::named(word).ok_or_else(|| format!("operator `{}` is not known", clipped(word)))?
            }
            Some(other) => return Err(format!("an operator is expected where `{}` stands", told(other))),
            None => return Err("it ends where an operator is expected".to_owned()),
        };
        self.next += 1;
        Ok(Expression::Compare { left, comparison, right: self.side()? })
    }

    fn side(&mut self) -> Result<Side, String> {
        let side = match self.tokens.get(self.next) {
            Some(Token::Mark('{')) => return Ok(Side::Values(self.braced()?)),
            Some(Token::Attribute(attribute)) => Side::Attribute(attribute.clone()),
            Some(Token::Text(value) | Token::Word(value)) => Side::Values(vec![value.clone()]),
            Some(other) => return Err(format!("a value is expected where `{}` stands", told(other))),
            None => return Err("it ends where a value is expected".to_owned()),
        };
        self.next += 1;
        Ok(side)
    }

    /// `{'one', 'two'}`, with at least one.
    fn braced(&mut self) -> Result<Vec<String>, String> {
        self.expect('{')?;
        let mut values = Vec::new();
        loop {
            match self.tokens.get(self.next) {
                Some(Token::Text(value) | Token::Word(value)) => values.push(value.clone()),
                _ => return Err("braces hold something else than values".to_owned()),
            }
            self.next += 1;
            if !self.take(&Token::Mark(',')) {
                break;
            }
        }
        self.expect('}')?;
        Ok(values)
    }

    fn take(&mut self, token: &Token) -> bool {
        let is_there = self.tokens.get(self.next) == Some(token);
        self.next += usize::from(is_there);
        is_there
    }

    fn expect(&mut self, mark: char) -> Result<(), String> {
        if self.take(&Token::Mark(mark)) { Ok(()) } else { Err(format!("`{mark}` is missing")) }
    }
}

/// A token for a message.
fn told(token: &Token) -> String {
    match token {
        Token::Mark(mark) => mark.to_string(),
        Token::Not => "!".to_owned(),
        Token::And => "AND".to_owned(),
        Token::Or => "OR".to_owned(),
        Token::Word(text) | Token::Text(text) => clipped(text),
        Token::Attribute(attribute) => clipped(&attribute.to_string()),
    }
}

/// Messages end up in status: a hostile text stays short.
fn clipped(text: &str) -> String {
    text.chars().take(40).collect()
}
