//! Package URLs (purl), as both formats name packages.

use std::fmt::Write as _;

use quorate_builder::lock::Package;
use quorate_builder::sources::Crate;

/// A Debian package: `pkg:deb/debian/NAME@VERSION?arch=ARCH`.
pub(crate) fn deb(package: &Package) -> String {
    let stem = package.path.strip_suffix(".deb").unwrap_or(&package.path);
    let arch = stem.rsplit_once('_').map_or("all", |(_, arch)| arch);
    let (name, version) = (escaped(&package.name), escaped(&package.version));
    format!("pkg:deb/debian/{name}@{version}?arch={}", escaped(arch))
}

/// A crate: `pkg:cargo/NAME@VERSION`.
pub(crate) fn cargo(package: &Crate) -> String {
    let (name, version) = (escaped(&package.name), escaped(&package.version));
    format!("pkg:cargo/{name}@{version}")
}

/// Everything but letters, digits and `.-_~` as `%XX`.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_escaped() {
        assert_eq!(escaped("1:5.2.15-2+b13~rc_1"), "1%3A5.2.15-2%2Bb13~rc_1");
        assert_eq!(escaped("é/@?#"), "%C3%A9%2F%40%3F%23");
    }
}
