//! A browser's offer reduced to what is answered: the codecs spoken here and telephone-event at 8 kHz, no header
//! extensions, no candidates.
//!
//! The library matches telephone-event by name and would take the one at 48 kHz that belongs to Opus; header
//! extensions would only cost bytes and time in every packet; candidates are not needed because we send to no
//! address that no genuine check came from.

use std::collections::HashSet;

use crate::frame::Codec;

/// Attributes that belong to one payload type.
const PER_FORMAT: [&str; 3] = ["rtpmap", "fmtp", "rtcp-fb"];
/// Attributes that are left out.
const UNWANTED: [&str; 4] = ["candidate", "end-of-candidates", "extmap", "extmap-allow-mixed"];

/// The offer as the library is to see it.
pub(crate) fn reduce(offer: &str) -> String {
    let sections = offer.split("\nm=").enumerate();
    let mut out = String::with_capacity(offer.len());
    for (index, section) in sections {
        let mut lines = section.lines().map(str::trim_ascii_end);
        if index > 0 {
            let media = lines.next().unwrap_or("");
            let wanted = wanted_formats(media, section);
            push(&mut out, &format!("m={}", reduce_media(media, &wanted)));
            for line in lines.filter(|line| is_wanted(line, media.starts_with("audio").then_some(&wanted))) {
                push(&mut out, line);
            }
        } else {
            lines.filter(|line| is_wanted(line, None)).for_each(|line| push(&mut out, line));
        }
    }
    out
}

/// The library lists each candidate for RTCP too, although RTCP shares the port; and it has an order of codecs of its own,
/// whereas the first one of the answer is what the browser speaks: that shall be the offer's.
pub(crate) fn tidy_answer(answer: &str, offer: &str) -> String {
    let audio = |text: &str| text.lines().find_map(|line| line.strip_prefix("m=audio ")).map(str::to_owned);
    let wanted = audio(offer).unwrap_or_default();
    let wanted: Vec<&str> = wanted.split_ascii_whitespace().skip(2).collect();
    let mut out = String::with_capacity(answer.len());
    for line in answer.lines().map(str::trim_ascii_end) {
        let component = line.strip_prefix("a=candidate:").and_then(|rest| rest.split(' ').nth(1));
        match line.strip_prefix("m=audio ") {
            Some(media) => push(&mut out, &in_order(media, &wanted)),
            None if component != Some("2") => push(&mut out, line),
            None => {}
        }
    }
    out
}

/// An audio section's line with its formats as `wanted` has them; what is not wanted stays behind.
fn in_order(media: &str, wanted: &[&str]) -> String {
    let mut words: Vec<&str> = media.split_ascii_whitespace().collect();
    if let Some(formats) = words.get_mut(2..) {
        formats.sort_by_key(|format| wanted.iter().position(|wanted| wanted == format).unwrap_or(usize::MAX));
    }
    format!("m=audio {}", words.join(" "))
}

fn push(out: &mut String, line: &str) {
    if !line.is_empty() {
        out.push_str(line);
        out.push_str("\r\n");
    }
}

/// Formats to keep of an audio section.
fn wanted_formats<'a>(media: &'a str, section: &'a str) -> HashSet<&'a str> {
    let mapped = |format: &str| {
        section.lines().find_map(|line| {
            let (mapped, encoding) = line.strip_prefix("a=rtpmap:")?.split_once(' ')?;
            (mapped == format).then(|| encoding.trim().to_ascii_lowercase())
        })
    };
    media
        .split_ascii_whitespace()
        .skip(3)
        .filter(|format| match mapped(format) {
            Some(encoding) => encoding == "telephone-event/8000" || Codec::encoded(&encoding).is_some(),
            None => matches!(*format, "0" | "8" | "9"),
        })
        .collect()
}

fn reduce_media(media: &str, wanted: &HashSet<&str>) -> String {
    if !media.starts_with("audio") || wanted.is_empty() {
        return media.to_owned();
    }
    let words = media.split_ascii_whitespace().enumerate();
    let kept: Vec<&str> = words.filter(|(at, word)| *at < 3 || wanted.contains(word)).map(|(_, word)| word).collect();
    kept.join(" ")
}

fn is_wanted(line: &str, formats: Option<&HashSet<&str>>) -> bool {
    let Some(attribute) = line.strip_prefix("a=") else { return true };
    let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
    if UNWANTED.contains(&name) {
        return false;
    }
    let Some(formats) = formats.filter(|_| PER_FORMAT.contains(&name)) else { return true };
    formats.is_empty() || value.split(' ').next().is_some_and(|format| formats.contains(format))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_chromium_offer_is_reduced() {
        let offer = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\na=extmap-allow-mixed\r\n\
            m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\r\nc=IN IP4 0.0.0.0\r\na=candidate:1 1 udp 1 10.0.0.1 5 typ host\r\n\
            a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\na=mid:0\r\na=rtpmap:111 opus/48000/2\r\n\
            a=rtcp-fb:111 transport-cc\r\na=fmtp:111 minptime=10\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
            a=rtpmap:110 telephone-event/48000\r\na=rtpmap:126 telephone-event/8000\r\na=rtpmap:9 G722/8000\r\n\
            m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 VP8/90000\r\n";
        let expected = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111 9 0 8 126\r\nc=IN IP4 0.0.0.0\r\n\
            a=mid:0\r\na=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\na=fmtp:111 minptime=10\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:126 telephone-event/8000\r\na=rtpmap:9 G722/8000\r\n\
            m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 VP8/90000\r\n";
        assert_eq!(reduce(offer), expected);
        assert_eq!(reduce(expected), expected);
    }

    #[test]
    fn an_answer_has_its_offers_order() {
        let offer = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 9 8 0 126\r\n";
        let answer =
            "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0 8 9 126\r\na=candidate:1 2 udp 1 10.0.0.1 5 typ host\r\na=mid:0\r\n";
        assert_eq!(tidy_answer(answer, offer), format!("{offer}a=mid:0\r\n"));
    }

    #[test]
    fn a_tidy_answer_stays_as_it_is() {
        // A vertical tab is no space between words, and so must be none at a line's end.
        let (offer, answer) = ("m=audio 9 RTP/AVP 9 8\r\n", "m=audio 9 RTP/AVP 8\u{b} 9 8\r\n");
        let tidy = tidy_answer(answer, offer);
        assert_eq!(tidy, "m=audio 9 RTP/AVP 9 8 8\u{b}\r\n");
        assert_eq!(tidy_answer(&tidy, offer), tidy);
    }

    proptest! {
        #[test]
        fn garbage_never_panics(text in "(m=audio [ -~]{0,30}\r?\n|a=[a-z:0-9 /-]{0,30}\n|\\PC{0,20}\n){0,10}") {
            let _ = reduce(&text);
            let _ = tidy_answer(&text, &text);
        }
    }
}
