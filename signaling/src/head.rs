//! The header lines of a message, kept as one text: written and copied as a whole, found by name.

use std::fmt;

/// Lines there is room for at once.
const USUAL_LINES: usize = 16;

/// Header lines in their order. Names are kept in full form, values unfolded and trimmed.
///
/// They lie behind each other as they are sent, so that a message is written in one go and copied in two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    text: String,
    lines: Vec<Line>,
}

/// Where a line stands in the text, and where its value begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Line {
    start: usize,
    value: usize,
    end: usize,
}

const COLON: &str = ": ";
const LINE_END: &str = "\r\n";

impl Headers {
    /// With room for a head of so many bytes.
    pub fn with_room(bytes: usize) -> Self {
        Self { text: String::with_capacity(bytes), lines: Vec::with_capacity(USUAL_LINES) }
    }

    /// The first value of a header; `name` in full form, any case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.lines.iter().find(|line| self.is_of(line, name)).map(|line| self.value(line))
    }

    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.lines.iter().filter(move |line| self.is_of(line, name)).map(|line| self.value(line))
    }

    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Appends a header. Control characters in the value become spaces, so that no value can start a new line.
    pub fn push(&mut self, name: &str, value: impl AsRef<str>) {
        let value = value.as_ref();
        self.open(name);
        push_clean(&mut self.text, value);
        self.close();
    }

    /// Appends a header whose value is written in place.
    pub fn write(&mut self, name: &str, value: fmt::Arguments<'_>) {
        self.open(name);
        let from = self.text.len();
        // Writing into memory cannot fail.
        let _ = fmt::Write::write_fmt(&mut self.text, value);
        if !is_clean(&self.text[from..]) {
            let value = self.text.split_off(from);
            push_clean(&mut self.text, &value);
        }
        self.close();
    }

    /// Puts a header before all others.
    pub fn push_front(&mut self, name: &str, value: impl AsRef<str>) {
        let rest = std::mem::take(self);
        self.text.reserve(rest.text.len() + name.len() + value.as_ref().len() + COLON.len() + LINE_END.len());
        self.push(name, value);
        for line in &rest.lines {
            self.take_over(&rest, line);
        }
    }

    /// Replaces every occurrence by one value.
    pub fn set(&mut self, name: &str, value: impl AsRef<str>) {
        self.remove(name);
        self.push(name, value);
    }

    /// Replaces the first occurrence in its place.
    pub fn replace_first(&mut self, name: &str, value: impl AsRef<str>) {
        let Some(at) = self.lines.iter().position(|line| self.is_of(line, name)) else { return };
        let before = std::mem::take(self);
        self.text.reserve(before.text.len() + value.as_ref().len());
        self.lines.reserve(before.lines.len());
        for (number, line) in before.lines.iter().enumerate() {
            if number == at {
                self.push(before.name(line), value.as_ref());
            } else {
                self.take_over(&before, line);
            }
        }
    }

    pub fn remove(&mut self, name: &str) {
        if !self.contains(name) {
            return;
        }
        let before = std::mem::take(self);
        for line in before.lines.iter().filter(|line| !before.is_of(line, name)) {
            self.take_over(&before, line);
        }
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.lines.iter().map(|line| (self.name(line), self.value(line)))
    }

    /// How many bytes they take when they are written.
    pub(crate) fn size(&self) -> usize {
        self.text.len()
    }

    /// Writes the lines that are not of this name, each with its end.
    pub(crate) fn write_without(&self, name: &str, bytes: &mut Vec<u8>) {
        if !self.contains(name) {
            return bytes.extend_from_slice(self.text.as_bytes());
        }
        for line in self.lines.iter().filter(|line| !self.is_of(line, name)) {
            bytes.extend_from_slice(&self.text.as_bytes()[line.start..line.end]);
            bytes.extend_from_slice(LINE_END.as_bytes());
        }
    }

    fn name(&self, line: &Line) -> &str {
        &self.text[line.start..line.value - COLON.len()]
    }

    fn value(&self, line: &Line) -> &str {
        &self.text[line.value..line.end]
    }

    fn is_of(&self, line: &Line, name: &str) -> bool {
        self.name(line).eq_ignore_ascii_case(name)
    }

    fn open(&mut self, name: &str) {
        let start = self.text.len();
        self.text.push_str(name);
        self.text.push_str(COLON);
        let value = self.text.len();
        self.lines.push(Line { start, value, end: value });
    }

    fn close(&mut self) {
        if let Some(line) = self.lines.last_mut() {
            line.end = self.text.len();
        }
        self.text.push_str(LINE_END);
    }

    fn take_over(&mut self, from: &Self, line: &Line) {
        self.open(from.name(line));
        self.text.push_str(from.value(line));
        self.close();
    }
}

fn is_clean(value: &str) -> bool {
    value.is_ascii() && !value.bytes().any(|b| b.is_ascii_control() && b != b'\t')
}

fn push_clean(text: &mut String, value: &str) {
    if is_clean(value) || !value.chars().any(|c| c.is_control() && c != '\t') {
        text.push_str(value);
    } else {
        text.extend(value.chars().map(|c| if c.is_control() { ' ' } else { c }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(headers: &Headers) -> Vec<(&str, &str)> {
        headers.iter().collect()
    }

    #[test]
    fn lines_keep_their_order_and_are_found_in_any_case() {
        let mut headers = Headers::with_room(100);
        headers.push("Via", "one");
        headers.push("To", "");
        headers.push("via", "two");
        headers.write("CSeq", format_args!("{} BYE", 7));
        assert_eq!(headers.get("VIA"), Some("one"));
        assert_eq!(headers.all("Via").collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!((headers.get("to"), headers.get("Tom"), headers.get("T")), (Some(""), None, None));
        headers.replace_first("Via", "a longer one");
        headers.push_front("Route", "first");
        assert_eq!(
            told(&headers),
            [("Route", "first"), ("Via", "a longer one"), ("To", ""), ("via", "two"), ("CSeq", "7 BYE")]
        );
        headers.set("Via", "three");
        headers.remove("Nothing");
        headers.remove("to");
        headers.replace_first("Nothing", "at all");
        assert_eq!(told(&headers), [("Route", "first"), ("CSeq", "7 BYE"), ("Via", "three")]);
        let mut bytes = Vec::new();
        headers.write_without("cseq", &mut bytes);
        assert_eq!(bytes, b"Route: first\r\nVia: three\r\n");
        assert_eq!(headers.size(), bytes.len() + "CSeq: 7 BYE\r\n".len());
    }

    #[test]
    fn no_value_begins_a_line() {
        let mut headers = Headers::default();
        headers.push("A", "é\tü");
        headers.push("B", "x\ty\r\nEvil: z\u{85}\0");
        headers.write("C", format_args!("{}", "x\r\nEvil: z"));
        headers.push_front("D", "\n");
        headers.replace_first("A", "é\tü\u{7f}");
        assert_eq!(told(&headers), [("D", " "), ("A", "é ü "), ("B", "x y  Evil: z  "), ("C", "x  Evil: z")]);
    }
}
