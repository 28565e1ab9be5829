//! A set of Debian packages for use as they are: a program and the libraries it needs.
//!
//! Guarantees: what [`Packages::unpacked`] returns was unpacked from packages with the digests of
//! the list, and has not changed since; a folder that was damaged or tampered with is unpacked
//! again. Nothing is installed and no maintainer script runs.
//!
//! Trusts: whoever reviewed the list.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::digest::Parts;
use crate::error::Error;
use crate::fetch::fetch;
use crate::lock::{MAX_PACKAGES, Package};
use crate::mirror::Mirror;
use crate::progress::Progress;
use crate::recipe::malformed;
use crate::root;
use crate::stage::Work;
use crate::store::Store;

/// How long another process may take to unpack the same.
const PATIENCE: Duration = Duration::from_secs(120);

/// Changes when this tool would unpack otherwise.
const RECIPE: &[u8] = b"1";

/// Packages by digest.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Packages {
    format: u32,
    /// The packages, by name.
    package: Vec<Package>,
}

impl Packages {
    /// A list of these packages.
    #[must_use]
    pub fn new(mut package: Vec<Package>) -> Self {
        package.sort_by(|a, b| a.name.cmp(&b.name));
        Self { format: 1, package }
    }

    /// Parses a list; `path` is for the error.
    ///
    /// # Errors
    /// If it is malformed or not one this tool could have written.
    pub fn parse(text: &str, path: &Path) -> Result<Self, Error> {
        let list: Self = toml::from_str(text).map_err(malformed(path))?;
        let fault = |why: String| Error::Malformed {
            path: path.to_owned(),
            why,
        };
        if list.format != 1 {
            let format = list.format;
            return Err(fault(format!("format {format} is unknown, 1 is known")));
        }
        if list.package.is_empty() || list.package.len() > MAX_PACKAGES {
            let found = list.package.len();
            return Err(fault(format!("{found} packages, 1 to {MAX_PACKAGES}")));
        }
        for package in &list.package {
            package.check().map_err(fault)?;
        }
        let names: BTreeSet<_> = list.package.iter().map(|package| &package.name).collect();
        let sorted = list.package.is_sorted_by(|a, b| a.name < b.name);
        if names.len() != list.package.len() || !sorted {
            return Err(fault(
                "packages are not in order, or one stands twice".into(),
            ));
        }
        Ok(list)
    }

    /// The file, as it is committed, below these lines of comment.
    #[must_use]
    pub fn to_text(&self, comment: &str) -> String {
        let mut text = String::new();
        for line in comment.lines() {
            let _ = writeln!(text, "# {line}");
        }
        let _ = writeln!(text, "\nformat = {}\n\npackage = [", self.format);
        for package in &self.package {
            let _ = writeln!(text, "  {},", package.to_line());
        }
        text.push_str("]\n");
        text
    }

    /// The packages.
    #[must_use]
    pub fn list(&self) -> &[Package] {
        &self.package
    }

    /// The folder they are unpacked in, below `work`; what is missing in the store is fetched.
    ///
    /// # Errors
    /// If a package cannot be had, or the disk is full.
    pub fn unpacked(
        &self,
        name: &str,
        store: &Store,
        work: &Path,
        mirrors: &[Mirror],
        progress: &dyn Progress,
    ) -> Result<PathBuf, Error> {
        let mut key = Parts::new("packages").with(RECIPE);
        for package in &self.package {
            key.add(package.sha256.as_bytes());
        }
        let since = Instant::now();
        let work = loop {
            match Work::open(work) {
                Err(Error::Busy { .. }) if since.elapsed() < PATIENCE => {
                    thread::sleep(Duration::from_millis(50));
                }
                opened => break opened?,
            }
        };
        let stage = work.stage(name, &key.finish(), progress, |out| {
            fetch(self.package.iter(), mirrors, store, progress)?;
            root::unpack(&self.package, store, &out.join("root"), progress)
        })?;
        Ok(stage.path("root"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "{ name = \"a\", version = \"1\", size = 1, sha256 = \
        \"0000000000000000000000000000000000000000000000000000000000000000\", archive = \"debian\", \
        path = \"pool/a.deb\" }";

    fn parse(text: &str) -> Result<Packages, Error> {
        Packages::parse(text, Path::new("x.toml"))
    }

    #[test]
    fn what_was_written_is_read() {
        let list = parse(&format!("format = 1\npackage = [{LINE}]")).unwrap();
        let text = list.to_text("Two\nlines");
        assert!(text.starts_with("# Two\n# lines\n\nformat = 1\n"));
        assert_eq!(parse(&text), Ok(list));
    }

    #[test]
    fn what_is_no_list_fails_closed() {
        for text in [
            String::new(),
            "format = 2\npackage = []".into(),
            "format = 1\npackage = []".into(),
            format!("format = 1\npackage = [{LINE}, {LINE}]"),
            format!("format = 1\nmore = 1\npackage = [{LINE}]"),
            format!(
                "format = 1\npackage = [{}]",
                LINE.replace("pool/", "pool/../")
            ),
            format!("format = 1\npackage = [{}]", LINE.replace("pool/", "/")),
        ] {
            assert!(parse(&text).is_err(), "{text}");
        }
    }
}
