//! The little HTML the server writes itself. Whatever came from outside passes [`escape`] or [`script_json`].

use std::fmt::Write;

use crate::{assets::Entry, words::Lang};

/// Text as it may stand between tags and in quoted attributes.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            _ => safe.push(letter),
        }
    }
    safe
}

/// JSON as it may stand inside a script element: nothing in it can end the element or open a comment.
pub fn script_json(value: &serde_json::Value) -> String {
    let mut safe = String::new();
    for letter in value.to_string().chars() {
        match letter {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                // Writing to a String cannot fail.
                let _ = write!(safe, "\\u{:04x}", letter as u32);
            }
            _ => safe.push(letter),
        }
    }
    safe
}

/// One page: its entry's scripts and styles, what it starts from, and what it shows without JavaScript.
pub struct Page<'a> {
    pub lang: Lang,
    pub title: &'a str,
    pub entry: Entry,
    /// A stylesheet with the tenant's colours.
    pub theme: Option<String>,
    pub boot: serde_json::Value,
    /// HTML; built with [`escape`].
    pub body: String,
    /// HTML; a script element of ours on the demo portal.
    pub after: String,
}

impl Page<'_> {
    pub fn render(&self) -> String {
        let mut html = format!(
            "<!doctype html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" href=\"/icon.svg\" type=\"image/svg+xml\">\n<title>{}</title>\n",
            self.lang.tag(),
            escape(self.title)
        );
        for style in self.theme.iter().chain(&self.entry.styles) {
            let _ = writeln!(html, "<link rel=\"stylesheet\" href=\"{}\">", escape(style));
        }
        if let Some(script) = &self.entry.script {
            let _ = writeln!(html, "<script type=\"module\" src=\"{}\"></script>", escape(script));
        }
        let _ = write!(
            html,
            "</head>\n<body>\n<main id=\"app\" class=\"plain\">{}</main>\n\
             <script type=\"application/json\" id=\"boot\">{}</script>\n{}</body>\n</html>\n",
            self.body,
            script_json(&self.boot),
            self.after
        );
        html
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NASTY: &str = "</main><script>alert('1')</script>\"'><img src=x onerror=alert(1)>&amp;\u{2028}<!--";

    #[test]
    fn nothing_typed_becomes_markup() {
        let page = Page {
            lang: Lang::En,
            title: NASTY,
            entry: Entry { script: Some("/assets/a.js".into()), styles: vec!["/assets/a.css".into()] },
            theme: None,
            boot: serde_json::json!({ "name": NASTY }),
            body: format!("<p title=\"{0}\">{0}</p>", escape(NASTY)),
            after: String::new(),
        };
        let html = page.render();
        assert!(!html.contains("<script>") && !html.contains("<img") && !html.contains("<!--"));
        assert_eq!(html.matches("<script").count(), 2);
        assert_eq!(html.matches("</script>").count(), 2);
        let start = html.find("id=\"boot\">").unwrap() + "id=\"boot\">".len();
        let json = &html[start..start + html[start..].find("</script>").unwrap()];
        let back: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!(back["name"], NASTY);
    }
}
