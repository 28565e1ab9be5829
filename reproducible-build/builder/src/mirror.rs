//! Where Debian's archive is reached.
//!
//! A mirror is the address in front of an archive's name: `http://deb.debian.org`, below which
//! `debian/pool/…` and `debian-security/pool/…` are found; or a folder of the same shape. Order:
//! what the caller names, and nothing else then; else what this machine's apt uses; then Debian's
//! own address.
//!
//! Trusts: no mirror. A package counts when its digest is the lock's, so plain HTTP is enough, and
//! whoever watches the line learns that Debian's public packages are fetched.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// Debian's own address.
pub const DEFAULT: &str = "http://deb.debian.org";

/// A place that may have packages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mirror {
    /// An address, without a slash at its end.
    Http(String),
    /// A folder of the same shape.
    Folder(PathBuf),
}

impl Mirror {
    /// Reads one as a person types it.
    ///
    /// # Errors
    /// If it is neither an http address nor an absolute path.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        match text.trim_end_matches('/') {
            http if http.starts_with("http://") && http.len() > 7 && plain(http) => {
                Ok(Self::Http(http.to_owned()))
            }
            path if path.starts_with('/') => Ok(Self::Folder(path.into())),
            path if path.starts_with("file:///") => Ok(Self::Folder(path[7..].into())),
            _ => Err(Error::Address {
                text: text.to_owned(),
            }),
        }
    }

    /// Where in it a file of an archive is.
    #[must_use]
    pub fn locate(&self, archive: &str, path: &str) -> String {
        match self {
            Self::Http(base) => format!("{base}/{archive}/{path}"),
            Self::Folder(base) => base.join(archive).join(path).display().to_string(),
        }
    }
}

impl core::fmt::Display for Mirror {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Http(base) => f.write_str(base),
            Self::Folder(base) => write!(f, "{}", base.display()),
        }
    }
}

/// The mirrors to try: those named, or else those of apt under `root` (`/`) and Debian's own.
///
/// # Errors
/// If a named one is no address.
pub fn mirrors(named: &[String], root: &Path) -> Result<Vec<Mirror>, Error> {
    if !named.is_empty() {
        return named.iter().map(|text| Mirror::parse(text)).collect();
    }
    let mut found = of_apt(root);
    found.push(Mirror::Http(DEFAULT.to_owned()));
    let mut unique = Vec::new();
    for mirror in found {
        if !unique.contains(&mirror) {
            unique.push(mirror);
        }
    }
    Ok(unique)
}

/// The mirrors apt is configured with, as far as their addresses end in an archive's name.
fn of_apt(root: &Path) -> Vec<Mirror> {
    let etc = root.join("etc/apt");
    let parts = fs::read_dir(etc.join("sources.list.d"))
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    let mut files: Vec<PathBuf> = parts;
    files.push(etc.join("sources.list"));
    files.sort();
    let mut mirrors = Vec::new();
    for file in files {
        let kind = file.extension().unwrap_or_default();
        if kind != "list" && kind != "sources" {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap_or_default();
        let lines = text
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'));
        for word in lines.flat_map(str::split_whitespace) {
            let base = word.trim_end_matches('/');
            let base = base
                .strip_suffix("/debian-security")
                .or_else(|| base.strip_suffix("/debian"));
            if let Some(Ok(mirror)) = base.map(Mirror::parse) {
                mirrors.push(mirror);
            }
        }
    }
    mirrors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_address_fails_closed() {
        for bad in [
            "",
            "ftp://x",
            "https://x",
            "http://",
            "relative/path",
            "http://a b",
        ] {
            let text = bad.to_owned();
            assert_eq!(Mirror::parse(bad), Err(Error::Address { text }), "{bad}");
        }
    }

    #[test]
    fn named_mirrors_are_the_only_ones() {
        let named = ["http://one/".to_owned(), "/media/Süd Seite".to_owned()];
        assert_eq!(
            mirrors(&named, Path::new("/nowhere")).unwrap(),
            [
                Mirror::Http("http://one".into()),
                Mirror::Folder("/media/Süd Seite".into())
            ]
        );
        assert_eq!(
            mirrors(&[], Path::new("/nowhere")).unwrap(),
            [Mirror::Http(DEFAULT.into())]
        );
    }

    #[test]
    fn apt_is_asked_where_its_mirrors_are() {
        let root = tempfile::tempdir().unwrap();
        let parts = root.path().join("etc/apt/sources.list.d");
        fs::create_dir_all(&parts).unwrap();
        fs::write(
            parts.join("debian.sources"),
            "Types: deb\n# http://old/debian\nURIs: http://near.example/mirror/debian\n",
        )
        .unwrap();
        fs::write(
            parts.join("off.list.save"),
            "deb http://off/debian x main\n",
        )
        .unwrap();
        fs::write(
            root.path().join("etc/apt/sources.list"),
            "deb http://near.example/mirror/debian-security/ bookworm-security main\n\
             deb https://deb.nodesource.com/node_20.x nodistro main\n",
        )
        .unwrap();
        assert_eq!(
            mirrors(&[], root.path()).unwrap(),
            [
                Mirror::Http("http://near.example/mirror".into()),
                Mirror::Http(DEFAULT.into())
            ]
        );
    }
}
