//! User-to-User (RFC 7433): a few bytes that travel with a call, so that its context survives another system.

use crate::{
    header::{quoted, split_list},
    message::{Headers, is_token},
    uri::params_of,
};

/// Most data carried, in bytes; gateways to ISDN keep 128 (RFC 7433 §3.1).
const MAX_DATA: usize = 128;

/// What one User-to-User header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserToUser {
    pub data: Vec<u8>,
    /// Which application the data is for, a token.
    pub purpose: Option<String>,
    /// What the data is, a token.
    pub content: Option<String>,
}

/// More data than a header carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than 128 bytes of user-to-user data")]
pub struct TooMuch;

impl UserToUser {
    pub const HEADER: &str = "User-to-User";

    pub fn new(data: impl Into<Vec<u8>>) -> Result<Self, TooMuch> {
        let data = data.into();
        if data.len() > MAX_DATA { Err(TooMuch) } else { Ok(Self { data, purpose: None, content: None }) }
    }

    /// The header's value, in hexadecimal, which every system reads.
    pub fn value(&self) -> String {
        let mut text: String = self.data.iter().map(|byte| format!("{byte:02x}")).collect();
        text.push_str(";encoding=hex");
        for (name, word) in [("purpose", &self.purpose), ("content", &self.content)] {
            match word {
                Some(word) if is_token(word) => text.push_str(&format!(";{name}={word}")),
                Some(word) => text.push_str(&format!(";{name}={}", quoted(word))),
                None => {}
            }
        }
        text
    }

    /// Reads a value. `None` when it is longer than allowed or its hexadecimal digits are none.
    pub fn parse(value: &str) -> Option<Self> {
        let value = value.trim();
        let (data, params) = match value.strip_prefix('"') {
            Some(rest) => {
                let (data, tail) = rest.split_once('"')?;
                (data, tail.trim_start().strip_prefix(';').unwrap_or_default())
            }
            None => value.split_once(';').unwrap_or((value, "")),
        };
        let params = params_of(params);
        let get = |name: &str| {
            let found = params.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            found.and_then(|(_, value)| value.as_deref()).map(|value| value.trim_matches('"').to_owned())
        };
        let data = match get("encoding") {
            Some(encoding) if encoding.eq_ignore_ascii_case("hex") => from_hex(data.trim())?,
            Some(_) => return None,
            // RFC 7433 §4.1: without a word about it the text itself is meant.
            None => data.as_bytes().to_vec(),
        };
        (data.len() <= MAX_DATA).then(|| Self { data, purpose: get("purpose"), content: get("content") })
    }

    /// All that a message carries, over all lines.
    pub fn of(headers: &Headers) -> Vec<Self> {
        headers.all(Self::HEADER).flat_map(split_list).filter_map(Self::parse).collect()
    }
}

fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let bytes = digits.as_bytes();
    if !bytes.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    bytes.chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut sent = UserToUser::new("case 4711, §7").unwrap();
        assert_eq!(UserToUser::parse(&sent.value()), Some(sent.clone()));
        (sent.purpose, sent.content) = (Some("contact-center".into()), Some("ringback v1".into()));
        assert!(
            sent.value().ends_with(";encoding=hex;purpose=contact-center;content=\"ringback v1\""),
            "{}",
            sent.value()
        );
        assert_eq!(UserToUser::parse(&sent.value()), Some(sent));
        assert_eq!(UserToUser::new(vec![0; 129]), Err(TooMuch));
    }

    #[test]
    fn several_lines_other_forms_and_nonsense() {
        let mut headers = Headers::default();
        headers.push("User-to-User", "56A3;encoding=hex;purpose=isdn-uui, \"plain; text\";content=x");
        headers.push("User-to-User", "abc;encoding=hex");
        headers.push("User-to-User", "zz;encoding=hex");
        headers.push("User-to-User", "00;encoding=base64");
        headers.write("User-to-User", format_args!("{};encoding=hex", "00".repeat(200)));
        headers.push("User-to-User", "é;encoding=hex");
        let found = UserToUser::of(&headers);
        let expected = [
            UserToUser { data: vec![0x56, 0xa3], purpose: Some("isdn-uui".into()), content: None },
            UserToUser { data: b"plain; text".to_vec(), purpose: None, content: Some("x".into()) },
        ];
        assert_eq!(found, expected);
    }
}
