//! The built pages: looked up by Vite's manifest, served with a lasting cache when their name carries a hash.

use std::{borrow::Cow, collections::BTreeMap};

use rust_embed::RustEmbed;
use serde::Deserialize;

#[derive(RustEmbed)]
#[folder = "$RINGBACK_EMBEDDED_PAGES"]
struct Embedded;

/// What one page must load.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    pub script: Option<String>,
    /// In the order they must stand.
    pub styles: Vec<String>,
}

/// Entries by page name.
#[derive(Debug, Clone, Default)]
pub struct Assets {
    entries: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
struct Chunk {
    file: String,
    #[serde(default)]
    css: Vec<String>,
    #[serde(default)]
    imports: Vec<String>,
}

impl Assets {
    /// Reads the embedded manifest; without one there are no pages.
    pub fn load() -> Self {
        let manifest = Embedded::get(".vite/manifest.json").or_else(|| Embedded::get("manifest.json"));
        manifest.map_or_else(Self::default, |file| Self::of_manifest(&file.data))
    }

    fn of_manifest(text: &[u8]) -> Self {
        let Ok(chunks) = serde_json::from_slice::<BTreeMap<String, Chunk>>(text) else { return Self::default() };
        let mut entries = BTreeMap::new();
        for (key, chunk) in &chunks {
            let name = key
                .strip_prefix("src/pages/")
                .or_else(|| key.strip_prefix("src/entries/"))
                .and_then(|name| name.strip_suffix(".ts"));
            if let Some(name) = name {
                let mut styles = Vec::new();
                collect_styles(&chunks, key, &mut Vec::new(), &mut styles);
                entries.insert(name.to_owned(), Entry { script: Some(format!("/{}", chunk.file)), styles });
            }
        }
        Self { entries }
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn entry(&self, page: &str) -> Entry {
        self.entries.get(page).cloned().unwrap_or_default()
    }
}

/// Styles of everything imported come before the chunk's own.
fn collect_styles(chunks: &BTreeMap<String, Chunk>, key: &str, seen: &mut Vec<String>, styles: &mut Vec<String>) {
    let Some(chunk) = chunks.get(key).filter(|_| !seen.iter().any(|known| known == key)) else { return };
    seen.push(key.to_owned());
    for import in &chunk.imports {
        collect_styles(chunks, import, seen, styles);
    }
    for style in &chunk.css {
        let style = format!("/{style}");
        if !styles.contains(&style) {
            styles.push(style);
        }
    }
}

/// One embedded file and its media type. Names are looked up among the embedded ones only, so no path can leave them.
pub fn file(name: &str) -> Option<(Cow<'static, [u8]>, &'static str)> {
    if name.starts_with('.') || name.contains("/.") {
        return None;
    }
    let found = Embedded::get(name)?;
    Some((found.data, media_type(name)))
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or("") {
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "wav" => "audio/wav",
        "webmanifest" => "application/manifest+json",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_of_imported_chunks_come_first_and_once() {
        let manifest = br#"{
            "_shared.js": {"file": "assets/shared-1.js", "css": ["assets/shared-1.css"], "imports": ["_base.js"]},
            "_base.js": {"file": "assets/base-1.js", "css": ["assets/base-1.css"], "imports": ["_shared.js"]},
            "src/pages/agent.ts": {"file": "assets/agent-1.js", "isEntry": true, "css": ["assets/agent-1.css"], "imports": ["_shared.js", "_base.js"]},
            "src/pages/embed.ts": {"file": "embed.js", "isEntry": true}
        }"#;
        let assets = Assets::of_manifest(manifest);
        let agent = assets.entry("agent");
        assert_eq!(agent.script.as_deref(), Some("/assets/agent-1.js"));
        assert_eq!(agent.styles, ["/assets/base-1.css", "/assets/shared-1.css", "/assets/agent-1.css"]);
        assert_eq!(assets.entry("nothing"), Entry::default());
        assert!(Assets::of_manifest(b"not json").is_empty());
    }

    #[test]
    fn only_embedded_names_are_files() {
        for name in ["../Cargo.toml", "/etc/passwd", ".vite/manifest.json", "", "assets/../../x"] {
            assert!(file(name).is_none(), "{name}");
        }
    }
}
