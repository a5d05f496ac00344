//! A text as a QR code, drawn as SVG.

use qrcodegen::{QrCode, QrCodeEcc};

/// Modules of white around the code (ISO/IEC 18004, 9.1).
const QUIET: i32 = 4;

/// The drawing, black on white whatever the page's colours; None when the text is too long for a code.
pub fn svg(text: &str) -> Option<String> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    let size = code.size() + 2 * QUIET;
    let mut path = String::new();
    for y in 0..code.size() {
        for x in (0..code.size()).filter(|x| code.get_module(*x, y)) {
            path += &format!("M{},{}h1v1h-1z", x + QUIET, y + QUIET);
        }
    }
    Some(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {size} {size}\" shape-rendering=\"crispEdges\">\
         <path fill=\"#fff\" d=\"M0,0h{size}v{size}h-{size}z\"/><path fill=\"#000\" d=\"{path}\"/></svg>"
    ))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_code_has_its_three_corners() {
        let svg = super::svg("otpauth://totp/x").unwrap();
        // The dark frame of the finder pattern begins right after the quiet zone.
        assert!(svg.contains("M4,4h1v1h-1z") && !svg.contains("M3,"));
        assert!(super::svg(&"x".repeat(5000)).is_none());
    }
}
