//! Colours and addresses that stand on pages, checked where they are set.

use serde::{Deserialize, Serialize};

/// A colour that text can stand on: black or white reaches 4.5:1 (WCAG 2.2, 1.4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Accent {
    rgb: [u8; 3],
}

impl Accent {
    /// The one of tenants that chose none.
    pub(super) const USUAL: Self = Self { rgb: [0x1f, 0x5f, 0xbf] };

    /// Relative luminance (WCAG 2.2).
    fn luminance(self) -> f64 {
        let linear = |byte: u8| {
            let value = f64::from(byte) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        let [red, green, blue] = self.rgb.map(linear);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    fn contrast(self, other: f64) -> f64 {
        let (high, low) = (self.luminance().max(other), self.luminance().min(other));
        (high + 0.05) / (low + 0.05)
    }

    /// White or black, whichever reads better on the colour.
    pub fn text(self) -> &'static str {
        if self.contrast(1.0) >= 4.5 { "#ffffff" } else { "#000000" }
    }
}

impl TryFrom<String> for Accent {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a colour like #1f5fbf");
        let digits = text.strip_prefix('#').filter(|rest| rest.len() == 6 && rest.is_ascii()).ok_or_else(wrong)?;
        let value = u32::from_str_radix(digits, 16).map_err(|_| wrong())?;
        let accent = Self { rgb: [(value >> 16) as u8, (value >> 8) as u8, value as u8] };
        // Buttons and links stand on white pages: 3:1 for controls (WCAG 2.2, 1.4.11).
        if accent.contrast(1.0) < 3.0 {
            return Err(format!("the colour `{text}` is too light to be seen on a white page (contrast below 3:1)"));
        }
        Ok(accent)
    }
}

impl std::fmt::Display for Accent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.rgb[0], self.rgb[1], self.rgb[2])
    }
}

impl From<Accent> for String {
    fn from(accent: Accent) -> String {
        accent.to_string()
    }
}

/// `https://host[:port]`, nothing more: it stands in a Content-Security-Policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin(String);

impl Origin {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Origin {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-:[]".contains(&byte);
        match host {
            Some(host) if !host.is_empty() && host.bytes().all(plain) => Ok(Self(text)),
            _ => Err(format!("`{text}` is not an origin like https://portal.example.gov")),
        }
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> String {
        origin.0
    }
}
