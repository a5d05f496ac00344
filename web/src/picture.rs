//! What a picture is by its own first bytes: PNG (ISO 15948), JPEG (ITU-T T.81) or WebP (RFC 9649), and how large it is. Nothing
//! that could carry a script is a picture here.

/// Longest side, in dots: a logo on a screen of three dots to the pixel needs less, and a larger one unpacks into much memory.
pub const MOST_DOTS: u32 = 2_000;
/// Smaller ones cannot be made out.
pub const LEAST_DOTS: u32 = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Picture {
    /// Media type.
    pub kind: &'static str,
    pub width: u32,
    pub height: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    #[error("neither PNG, JPEG nor WebP")]
    Kind,
    #[error("its sides are not 16 to 2000 dots")]
    Size,
}

pub fn look(bytes: &[u8]) -> Result<Picture, PictureError> {
    let known = png(bytes).or_else(|| jpeg(bytes)).or_else(|| webp(bytes));
    let picture = known.ok_or(PictureError::Kind)?;
    let fits = |side: u32| (LEAST_DOTS..=MOST_DOTS).contains(&side);
    if fits(picture.width) && fits(picture.height) { Ok(picture) } else { Err(PictureError::Size) }
}

fn be16(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?)))
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn le24(bytes: &[u8], at: usize) -> Option<u32> {
    let part = bytes.get(at..at + 3)?;
    Some(part.iter().rev().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
}

/// The signature, then the header chunk with both sides.
fn png(bytes: &[u8]) -> Option<Picture> {
    let begins = bytes.starts_with(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR");
    begins.then_some(())?;
    Some(Picture { kind: "image/png", width: be32(bytes, 16)?, height: be32(bytes, 20)? })
}

/// Segments up to the first frame header (SOF), which has both sides.
fn jpeg(bytes: &[u8]) -> Option<Picture> {
    bytes.starts_with(&[0xff, 0xd8, 0xff]).then_some(())?;
    let mut at = 2;
    while at + 4 <= bytes.len() {
        let (mark, kind) = (bytes[at], bytes[at + 1]);
        if mark != 0xff {
            return None;
        }
        if kind == 0xff {
            // Filled up.
            at += 1;
            continue;
        }
        // 0xc4, 0xc8 and 0xcc are tables, the other 0xc0 to 0xcf frame headers.
        if (0xc0..=0xcf).contains(&kind) && ![0xc4, 0xc8, 0xcc].contains(&kind) {
            return Some(Picture { kind: "image/jpeg", width: be16(bytes, at + 7)?, height: be16(bytes, at + 5)? });
        }
        at += 2 + (be16(bytes, at + 2)? as usize).max(2);
    }
    None
}

/// The first chunk says how it is packed and has both sides.
fn webp(bytes: &[u8]) -> Option<Picture> {
    (bytes.starts_with(b"RIFF") && bytes.get(8..12)? == b"WEBP").then_some(())?;
    let (width, height) = match bytes.get(12..16)? {
        b"VP8X" => (le24(bytes, 24)? + 1, le24(bytes, 27)? + 1),
        b"VP8L" if bytes.get(20) == Some(&0x2f) => {
            let packed = u32::from_le_bytes(bytes.get(21..25)?.try_into().ok()?);
            ((packed & 0x3fff) + 1, (packed >> 14 & 0x3fff) + 1)
        }
        b"VP8 " if bytes.get(23..26)? == [0x9d, 0x01, 0x2a] => {
            let side =
                |at: usize| Some(u32::from(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?)) & 0x3fff);
            (side(26)?, side(28)?)
        }
        _ => return None,
    };
    Some(Picture { kind: "image/webp", width, height })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The head of a PNG of that size; browsers would show nothing of it.
    pub(crate) fn png_of(width: u32, height: u32) -> Vec<u8> {
        let mut file = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        file.extend(width.to_be_bytes());
        file.extend(height.to_be_bytes());
        file.extend([8, 6, 0, 0, 0]);
        file
    }

    #[test]
    fn a_picture_is_known_by_its_first_bytes() {
        let size = |file: &[u8]| look(file).map(|picture| (picture.kind, picture.width, picture.height));
        assert_eq!(size(&png_of(320, 80)), Ok(("image/png", 320, 80)));
        // A comment, a filled mark, then a progressive frame.
        let jpeg = [
            &[0xff, 0xd8, 0xff, 0xfe, 0, 4, b'h', b'i', 0xff, 0xff, 0xc2, 0, 17, 8][..],
            &[0, 90, 1, 44, 3, 1, 0x22, 0],
        ];
        assert_eq!(size(&jpeg.concat()), Ok(("image/jpeg", 300, 90)));
        let extended = [&b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0"[..], &[0x2b, 1, 0, 0x63, 0, 0]].concat();
        assert_eq!(size(&extended), Ok(("image/webp", 300, 100)));
        let lossless = [&b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f"[..], &(299u32 | 99 << 14).to_le_bytes()].concat();
        assert_eq!(size(&lossless), Ok(("image/webp", 300, 100)));
        let lossy = [&b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a"[..], &[44, 1, 100, 0]].concat();
        assert_eq!(size(&lossy), Ok(("image/webp", 300, 100)));
    }

    #[test]
    fn what_may_carry_a_script_or_fill_the_memory_is_refused() {
        for file in [
            &b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>"[..],
            b"<?xml version=\"1.0\"?><svg/>",
            b"GIF89a\x01\0\x01\0",
            b"<html>",
            b"",
            b"\x89PNG\r\n\x1a\n",
            &[0xff, 0xd8, 0xff],
            b"RIFF\0\0\0\0WEBP",
            b"RIFF\0\0\0\0WAVEfmt ",
        ] {
            assert_eq!(look(file), Err(PictureError::Kind), "{file:?}");
        }
        for (width, height) in [(15, 80), (320, 2_001), (u32::MAX, u32::MAX), (0, 0)] {
            assert_eq!(look(&png_of(width, height)), Err(PictureError::Size), "{width} × {height}");
        }
    }

    #[test]
    fn no_start_of_a_file_is_a_fall() {
        let whole = png_of(320, 80);
        for end in 0..whole.len() {
            let _ = look(&whole[..end]);
        }
        for noise in 0..=255u8 {
            let _ = look(&[0xff, 0xd8, 0xff, noise, noise, noise, 0xff, 0xc0]);
        }
    }
}
