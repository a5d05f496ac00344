//! The corpus: inputs that once showed a kind of outcome no other had, a line each in `tests/corpus`, escaped as Rust writes
//! bytes. Every run begins with them; `RINGBACK_FUZZ_KEEP=1` adds what it found.

use std::{fs, io, path::PathBuf};

/// Most inputs kept for a target, the shortest first: a run of a second must get past them.
const MOST: usize = 200;
/// Longest input kept, in bytes.
const LONGEST: usize = 1024;

fn file(target: &str) -> PathBuf {
    let name = format!("{}.txt", target.to_lowercase().replace(' ', "-"));
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name)
}

/// What was kept; nothing where there is no file yet. Panics at a line nobody wrote with [`keep`].
pub(super) fn kept(target: &str) -> Vec<Vec<u8>> {
    let text = fs::read_to_string(file(target)).unwrap_or_default();
    text.lines()
        .map(|line| unescaped(line).unwrap_or_else(|| panic!("{target}: not an escaped input: {line}")))
        .collect()
}

/// Keeps the shortest of these.
pub(super) fn keep(target: &str, inputs: &[Vec<u8>]) -> io::Result<()> {
    let mut lines: Vec<String> = inputs
        .iter()
        .filter(|input| !input.is_empty() && input.len() <= LONGEST)
        .map(|input| input.escape_ascii().to_string())
        .collect();
    lines.sort_by_key(|line| (line.len(), line.clone()));
    lines.dedup();
    lines.truncate(MOST);
    let path = file(target);
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(path, lines.join("\n") + "\n")
}

/// The way back from `escape_ascii`.
fn unescaped(line: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(line.len());
    let mut rest = line.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next()? {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'x' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            other @ (b'\\' | b'\'' | b'"') => other,
            _ => return None,
        });
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let every: Vec<u8> = (0..=255).collect();
        assert_eq!(unescaped(&every.escape_ascii().to_string()), Some(every));
        for broken in ["\\", "\\x1", "\\xzz", "\\q"] {
            assert_eq!(unescaped(broken), None, "{broken}");
        }
    }
}
