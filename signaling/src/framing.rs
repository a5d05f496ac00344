//! SIP messages out of a byte stream (RFC 3261 §18.3), however it is cut.
//!
//! A stream whose framing is lost cannot be read on: every error here means that the connection is to be closed.

use bytes::{Buf, Bytes, BytesMut};

use crate::{
    config::SignalingLimits,
    guard::{MAX_METHOD, is_plausible},
    message::{Message, ParseError, Parsed, content_length, parse_head},
};

/// Longest method name with its space; a stream that has not shown a space by then is no SIP.
const START_PROBE: usize = MAX_METHOD + 1;

#[derive(Debug)]
pub struct Framer {
    buffer: BytesMut,
    state: State,
    max_message: usize,
    max_headers: usize,
}

#[derive(Debug)]
enum State {
    /// Looking for the end of the head; so many bytes hold no end.
    Head {
        scanned: usize,
    },
    Body {
        message: Message,
        length: usize,
    },
}

/// One thing read from the stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// Two line ends between messages: the peer asks whether we are there (RFC 5626 §3.5.1) and wants one back.
    Ping,
    Message(Parsed),
}

/// Why the connection is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    #[error("not SIP")]
    NotSip,
    #[error("message too large")]
    TooLarge,
    #[error("bad head: {0}")]
    Head(ParseError),
}

impl Framer {
    pub fn new(limits: &SignalingLimits) -> Self {
        Self {
            buffer: BytesMut::new(),
            state: State::Head { scanned: 0 },
            max_message: limits.max_message_bytes,
            max_headers: limits.max_headers,
        }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether a message has begun and is not complete.
    pub fn is_inside(&self) -> bool {
        !self.buffer.is_empty() || matches!(self.state, State::Body { .. })
    }

    /// The next frame, or `None` until more bytes come.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FramingError> {
        if matches!(self.state, State::Head { .. }) {
            if self.skip_line_ends() {
                return Ok(Some(Frame::Ping));
            }
            if !self.read_head()? {
                return Ok(None);
            }
        }
        let State::Body { length, .. } = &self.state else { return Ok(None) };
        if self.buffer.len() < *length {
            return Ok(None);
        }
        let body = self.buffer.split_to(*length).freeze();
        Ok(self.finish(body))
    }

    fn finish(&mut self, body: Bytes) -> Option<Frame> {
        match std::mem::replace(&mut self.state, State::Head { scanned: 0 }) {
            State::Body { mut message, .. } => {
                message.set_body(body);
                Some(Frame::Message(Parsed { message, flaw: None }))
            }
            State::Head { .. } => None,
        }
    }

    /// Drops line ends between messages; true for each complete ping of two.
    fn skip_line_ends(&mut self) -> bool {
        if self.buffer.starts_with(b"\r\n\r\n") {
            self.buffer.advance(4);
            return true;
        }
        // A single line end may be the first half of a ping: it is dropped once something else follows.
        while self.buffer.len() > 2 && self.buffer.starts_with(b"\r\n") && !b"\r\n\r\n".starts_with(&self.buffer) {
            self.buffer.advance(2);
        }
        false
    }

    /// True when the head is complete.
    fn read_head(&mut self) -> Result<bool, FramingError> {
        let State::Head { scanned } = &mut self.state else { return Ok(true) };
        if b"\r\n\r\n".starts_with(&self.buffer) {
            return Ok(false);
        }
        if self.buffer.len() >= START_PROBE && *scanned < START_PROBE && !is_plausible(&self.buffer) {
            return Err(FramingError::NotSip);
        }
        let Some(end) = head_end(&self.buffer, *scanned) else {
            // Three bytes back, for an end that is cut in two.
            *scanned = self.buffer.len().saturating_sub(3);
            return if self.buffer.len() > self.max_message { Err(FramingError::TooLarge) } else { Ok(false) };
        };
        // The same whether the head came at once or in pieces.
        if end > self.max_message {
            return Err(FramingError::TooLarge);
        }
        let head = self.buffer.split_to(end);
        let message = parse_head(&head, self.max_headers).map_err(FramingError::Head)?;
        // Without Content-Length nothing says where a body would end: there is none.
        let length = content_length(message.headers()).map_err(FramingError::Head)?.unwrap_or(0);
        if length > self.max_message.saturating_sub(end) {
            return Err(FramingError::TooLarge);
        }
        self.state = State::Body { message, length };
        Ok(true)
    }
}

/// Where the head ends, behind its empty line, looking from `from` on.
fn head_end(buffer: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(offset) = buffer.get(at..)?.iter().position(|byte| *byte == b'\n') {
        let newline = at + offset;
        match buffer.get(newline + 1..newline + 3) {
            _ if buffer.get(newline + 1) == Some(&b'\n') => return Some(newline + 2),
            Some(b"\r\n") => return Some(newline + 3),
            _ => at = newline + 1,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Request;

    const OPTIONS: &str = "OPTIONS sip:a@h SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nl: 4\r\n\r\nbody";

    fn framer() -> Framer {
        Framer::new(&SignalingLimits { max_message_bytes: 1_000, ..SignalingLimits::default() })
    }

    fn drain(framer: &mut Framer) -> Result<Vec<Frame>, FramingError> {
        let mut frames = Vec::new();
        while let Some(frame) = framer.next_frame()? {
            frames.push(frame);
        }
        Ok(frames)
    }

    fn bodies(frames: &[Frame]) -> Vec<String> {
        let body = |frame: &Frame| match frame {
            Frame::Message(Parsed { message: Message::Request(Request { body, .. }), .. }) => {
                String::from_utf8_lossy(body).into_owned()
            }
            other => format!("{other:?}"),
        };
        frames.iter().map(body).collect()
    }

    #[test]
    fn byte_by_byte_and_all_at_once() {
        let stream = format!("\r\n{OPTIONS}\r\n\r\n{OPTIONS}{OPTIONS}");
        let mut whole = framer();
        whole.push(stream.as_bytes());
        assert_eq!(bodies(&drain(&mut whole).unwrap()), ["body", "Ping", "body", "body"]);
        let mut split = framer();
        let mut frames = Vec::new();
        for byte in stream.as_bytes() {
            split.push(&[*byte]);
            frames.extend(drain(&mut split).unwrap());
        }
        assert_eq!(bodies(&frames), ["body", "Ping", "body", "body"]);
        assert!(!split.is_inside());
    }

    #[test]
    fn bad_lengths_end_the_connection() {
        for (length, error) in [
            ("-1", FramingError::Head(ParseError::ContentLength)),
            ("4, 4", FramingError::Head(ParseError::ContentLength)),
            ("4\r\nContent-Length: 5", FramingError::Head(ParseError::ContentLength)),
            ("99999999999999999999999", FramingError::Head(ParseError::ContentLength)),
            ("100000", FramingError::TooLarge),
            ("18446744073709551615", FramingError::TooLarge),
        ] {
            let mut framer = framer();
            framer.push(OPTIONS.replace("l: 4", &format!("l: {length}")).as_bytes());
            assert_eq!(framer.next_frame(), Err(error), "{length}");
        }
    }

    #[test]
    fn a_head_that_comes_at_once_has_the_bound_of_one_in_pieces() {
        let large = OPTIONS.replace("l: 4", &format!("X: {}\r\nl: 4", "x".repeat(1_000)));
        let mut whole = framer();
        whole.push(large.as_bytes());
        assert_eq!(whole.next_frame(), Err(FramingError::TooLarge));
        let mut pieces = framer();
        let end = large.bytes().find_map(|byte| {
            pieces.push(&[byte]);
            pieces.next_frame().err()
        });
        assert_eq!(end, Some(FramingError::TooLarge));
    }

    #[test]
    fn a_missing_length_means_no_body() {
        let mut framer = framer();
        framer.push(OPTIONS.replace("l: 4\r\n", "").as_bytes());
        assert_eq!(bodies(&drain(&mut framer).unwrap()), [""]);
        framer.push(&[b'x'; 60]);
        assert_eq!(framer.next_frame(), Err(FramingError::NotSip), "what follows is taken for the next message");
    }

    #[test]
    fn garbage_and_endless_heads() {
        let mut garbage = framer();
        garbage.push(&[0x16; 64]);
        assert_eq!(garbage.next_frame(), Err(FramingError::NotSip));
        let mut endless = framer();
        endless.push(b"OPTIONS sip:a@h SIP/2.0\r\n");
        let error = (0..1_000).find_map(|_| {
            endless.push(b"X: y\r\n");
            endless.next_frame().err()
        });
        assert_eq!(error, Some(FramingError::TooLarge));
    }
}
