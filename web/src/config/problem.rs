//! What is wrong with a configuration, and where. Never quotes a line, which may hold a secret.

use std::{fmt, ops::Range, path::PathBuf};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// 1 is the first line; 0 when the place is not known.
    pub line: usize,
    /// Table and key, like `tenant.subject.queue`.
    pub key: String,
    pub message: String,
}

impl Problem {
    pub fn of_toml(text: &str, error: &toml::de::Error) -> Self {
        // The first line says what; further lines may quote the file.
        let message = error.message().lines().next().unwrap_or("not valid TOML").to_owned();
        match error.span() {
            Some(span) => Self::at(text, span, message),
            None => Self { line: 0, key: String::new(), message },
        }
    }

    /// A problem with the value at `span` of `text`.
    pub fn at(text: &str, span: Range<usize>, message: impl Into<String>) -> Self {
        let start = span.start.min(text.len());
        let before = text.get(..start).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        Self { line, key: key_at(text, line), message: message.into() }
    }
}

/// The key written on `line`, below the nearest table heading above it.
fn key_at(text: &str, line: usize) -> String {
    let mut table = "";
    let mut key = "";
    for (number, content) in text.lines().enumerate().take(line) {
        let content = content.trim();
        if content.starts_with('[') {
            table = content.trim_matches(|sign| sign == '[' || sign == ']').trim();
            key = "";
        } else if let Some((name, _)) = content.split_once('=').filter(|_| !content.starts_with('#')) {
            let name = name.trim();
            if number + 1 == line || name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.\"".contains(&byte)) {
                key = name;
            }
        }
    }
    match (table.is_empty(), key.is_empty()) {
        (true, _) => key.to_owned(),
        (false, true) => table.to_owned(),
        (false, false) => format!("{table}.{key}"),
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.key.is_empty()) {
            (0, true) => f.write_str(&self.message),
            (0, false) => write!(f, "{}: {}", self.key, self.message),
            (line, true) => write!(f, "line {line}: {}", self.message),
            (line, false) => write!(f, "line {line}, {}: {}", self.key, self.message),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{} cannot be read: {error}", path.display())]
    Unreadable { path: PathBuf, error: String },
    #[error("{}", .0.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n"))]
    Wrong(Vec<Problem>),
}
