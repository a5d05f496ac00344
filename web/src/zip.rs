//! A ZIP archive written while it is sent (APPNOTE 6.3): entries stored as they are, sizes and checksums behind each.

/// Largest archive: beyond it the format needs other headers.
pub const MOST_BYTES: u64 = u32::MAX as u64;

/// Name in UTF-8, sizes and checksum follow the data.
const FLAGS: u16 = 0x0808;
const VERSION: u16 = 20;
/// 1 January 1980, 0:00: the archive's own time says nothing.
const DATE: u32 = 0x0021_0000;

/// What has been written so far.
#[derive(Default)]
pub struct Archive {
    at: u32,
    entries: Vec<Entry>,
}

struct Entry {
    name: String,
    at: u32,
    size: u32,
    crc: Crc,
}

impl Archive {
    /// The bytes that begin an entry.
    pub fn begin(&mut self, name: &str) -> Vec<u8> {
        let mut out = Vec::new();
        put32(&mut out, 0x0403_4b50);
        put16(&mut out, VERSION);
        put16(&mut out, FLAGS);
        put16(&mut out, 0);
        put32(&mut out, DATE);
        [0; 3].iter().for_each(|zero| put32(&mut out, *zero));
        put16(&mut out, name.len() as u16);
        put16(&mut out, 0);
        out.extend_from_slice(name.as_bytes());
        self.entries.push(Entry { name: name.to_owned(), at: self.at, size: 0, crc: Crc::default() });
        self.at = self.at.wrapping_add(out.len() as u32);
        out
    }

    /// Takes note of bytes of the entry that was begun last; they are sent as they are.
    pub fn note(&mut self, bytes: &[u8]) {
        self.at = self.at.wrapping_add(bytes.len() as u32);
        if let Some(entry) = self.entries.last_mut() {
            entry.size = entry.size.wrapping_add(bytes.len() as u32);
            entry.crc.add(bytes);
        }
    }

    /// The bytes that end it.
    pub fn end(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        if let Some(entry) = self.entries.last() {
            put32(&mut out, 0x0807_4b50);
            put32(&mut out, entry.crc.value());
            put32(&mut out, entry.size);
            put32(&mut out, entry.size);
        }
        self.at = self.at.wrapping_add(out.len() as u32);
        out
    }

    /// The directory, with which the archive ends.
    pub fn finish(self) -> Vec<u8> {
        let mut out = Vec::new();
        for entry in &self.entries {
            put32(&mut out, 0x0201_4b50);
            put16(&mut out, VERSION);
            put16(&mut out, VERSION);
            put16(&mut out, FLAGS);
            put16(&mut out, 0);
            put32(&mut out, DATE);
            put32(&mut out, entry.crc.value());
            put32(&mut out, entry.size);
            put32(&mut out, entry.size);
            put16(&mut out, entry.name.len() as u16);
            [0; 4].iter().for_each(|zero| put16(&mut out, *zero));
            put32(&mut out, 0);
            put32(&mut out, entry.at);
            out.extend_from_slice(entry.name.as_bytes());
        }
        let length = out.len() as u32;
        put32(&mut out, 0x0605_4b50);
        put16(&mut out, 0);
        put16(&mut out, 0);
        put16(&mut out, self.entries.len() as u16);
        put16(&mut out, self.entries.len() as u16);
        put32(&mut out, length);
        put32(&mut out, self.at);
        put16(&mut out, 0);
        out
    }
}

fn put16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// CRC-32 of IEEE 802.3, bits in reverse.
struct Crc(u32);

impl Default for Crc {
    fn default() -> Self {
        Self(u32::MAX)
    }
}

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let (mut value, mut bit) = (index as u32, 0);
        while bit < 8 {
            value = if value & 1 == 1 { 0xedb8_8320 ^ (value >> 1) } else { value >> 1 };
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
};

impl Crc {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = TABLE[usize::from(self.0 as u8 ^ byte)] ^ (self.0 >> 8);
        }
    }

    fn value(&self) -> u32 {
        !self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_known_one() {
        let mut crc = Crc::default();
        crc.add(b"1234");
        crc.add(b"56789");
        assert_eq!(crc.value(), 0xcbf4_3926);
    }

    #[test]
    fn an_archive_says_where_its_entries_stand() {
        let mut archive = Archive::default();
        let mut whole = archive.begin("a.txt");
        archive.note(b"hello");
        whole.extend_from_slice(b"hello");
        whole.extend(archive.end());
        let second = whole.len();
        whole.extend(archive.begin("b.txt"));
        whole.extend(archive.end());
        let directory = whole.len();
        whole.extend(archive.finish());
        assert_eq!(whole[second..second + 4], [0x50, 0x4b, 3, 4]);
        let tail = &whole[whole.len() - 22..];
        assert_eq!(tail[..4], [0x50, 0x4b, 5, 6]);
        assert_eq!(u32::from_le_bytes([tail[16], tail[17], tail[18], tail[19]]) as usize, directory);
        assert_eq!(u16::from_le_bytes([tail[10], tail[11]]), 2);
    }
}
