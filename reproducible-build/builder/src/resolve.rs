//! From the names in `images/image.toml` to exact packages, with this machine's apt.
//!
//! Guarantees: apt works in a folder of its own: it neither reads nor changes what this machine has
//! installed. It checks the archive's signature under the keyring that is named; a lock is made
//! from signed indexes or not at all. Only locking needs apt; fetching and building do not.
//!
//! Trusts: apt, its keyring and this machine, once, in the moment of locking. The result is text in
//! git that people review.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::digest::Sha256;
use crate::error::{Error, during};
use crate::lock::Package;
use crate::mirror::Mirror;
use crate::progress::Progress;
use crate::recipe::Root;

/// Where Debian's keys are on a Debian machine.
pub const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Resolves `wanted` and everything it depends on, and the kernel's source without dependencies.
///
/// # Errors
/// If apt is missing or refuses, or says something this tool does not understand.
pub(crate) fn resolve(
    root: &Root,
    kernel: &str,
    mirror: &Mirror,
    keyring: &Path,
    scratch: &Path,
    progress: &dyn Progress,
) -> Result<(Vec<Package>, Package), Error> {
    let apt = Apt::prepare(root, mirror, keyring, scratch)?;
    progress.begin("asking Debian's archive", None);
    apt.run("apt-get", &["update"])?;
    let mut install = vec!["install", "--simulate", "--no-install-recommends"];
    install.extend(root.packages.iter().map(String::as_str));
    let simulated = apt.run("apt-get", &install)?;
    // Inst NAME (VERSION SUITE [ARCHITECTURE])
    let mut wanted = Vec::new();
    for line in simulated.lines() {
        let mut words = line.split(' ');
        if words.next() == Some("Inst") {
            let name = words.next().unwrap_or_default();
            let version = words.next().unwrap_or_default().trim_start_matches('(');
            wanted.push(format!("{name}={version}"));
        }
    }
    if wanted.is_empty() {
        return Err(apt.confused("it would install nothing"));
    }
    let policy = apt.run("apt-cache", &["show", "--no-all-versions", kernel])?;
    let version = stanzas(&policy)
        .first()
        .and_then(|stanza| stanza.get("Version").cloned());
    let version = version.ok_or_else(|| apt.confused("the kernel's source has no version"))?;
    wanted.push(format!("{kernel}={version}"));

    let mut show = vec!["show"];
    show.extend(wanted.iter().map(String::as_str));
    let shown = apt.run("apt-cache", &show)?;
    let mut found = BTreeMap::new();
    for stanza in stanzas(&shown) {
        let package = apt.package(&stanza, root)?;
        found.insert(format!("{}={}", package.name, package.version), package);
    }
    let mut packages = Vec::new();
    for name in &wanted {
        let package = found.remove(name);
        packages.push(package.ok_or_else(|| apt.confused("a package it names is unknown"))?);
    }
    progress.end();
    let kernel = packages.pop().ok_or_else(|| apt.confused("no package"))?;
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    Ok((packages, kernel))
}

/// The fields of each paragraph; continued lines are left out.
fn stanzas(text: &str) -> Vec<BTreeMap<&str, String>> {
    text.split("\n\n")
        .map(|stanza| {
            let lines = stanza.lines().filter(|line| !line.starts_with(' '));
            let fields = lines.filter_map(|line| line.split_once(": "));
            fields
                .map(|(name, value)| (name, value.to_owned()))
                .collect()
        })
        .filter(|stanza: &BTreeMap<_, _>| !stanza.is_empty())
        .collect()
}

/// apt with a world of its own.
struct Apt {
    options: Vec<String>,
}

impl Apt {
    fn prepare(
        root: &Root,
        mirror: &Mirror,
        keyring: &Path,
        scratch: &Path,
    ) -> Result<Self, Error> {
        for folder in [
            "etc",
            "state/lists/partial",
            "cache/archives/partial",
            "parts",
        ] {
            let path = scratch.join(folder);
            fs::create_dir_all(&path).map_err(during("make the folder", &path))?;
        }
        let mut sources = String::new();
        for suite in &root.suites {
            let archive = archive(suite);
            let address = match mirror {
                Mirror::Http(base) => format!("{base}/{archive}"),
                Mirror::Folder(base) => format!("file:{}/{archive}", base.display()),
            };
            sources += &format!(
                "Types: deb\nURIs: {address}\nSuites: {suite}\nComponents: main\n\
                 Architectures: amd64\nSigned-By: {}\n\n",
                keyring.display()
            );
        }
        for (name, text) in [
            ("etc/quorate.sources", sources.as_str()),
            ("state/status", ""),
        ] {
            let path = scratch.join(name);
            fs::write(&path, text).map_err(during("write", &path))?;
        }
        let path = |name: &str| scratch.join(name).display().to_string();
        let options = [
            ("Dir::State", path("state")),
            ("Dir::State::status", path("state/status")),
            ("Dir::Cache", path("cache")),
            ("Dir::Etc::sourcelist", path("etc/quorate.sources")),
            ("Dir::Etc::sourceparts", path("parts")),
            ("Dir::Etc::preferences", "/dev/null".into()),
            ("Dir::Etc::preferencesparts", path("parts")),
            ("APT::Architecture", "amd64".into()),
            ("APT::Architectures", "amd64".into()),
            ("APT::Sandbox::User", "root".into()),
            ("Acquire::Languages", "none".into()),
            ("pkgCacheGen::Essential", "none".into()),
        ];
        Ok(Self {
            options: options
                .into_iter()
                .flat_map(|(name, value)| ["-o".to_owned(), format!("{name}={value}")])
                .collect(),
        })
    }

    fn run(&self, program: &'static str, arguments: &[&str]) -> Result<String, Error> {
        let output = Command::new(program)
            .args(&self.options)
            .args(arguments)
            .env("LC_ALL", "C")
            .output()
            .map_err(|error| match error.kind() {
                std::io::ErrorKind::NotFound => Error::NoProgram {
                    program: "apt-get",
                    purpose: "resolves packages",
                },
                _ => during("run", program)(error),
            })?;
        // apt-get update is content with old indexes; a lock is not.
        let said = String::from_utf8_lossy(&output.stderr)
            .trim_end()
            .to_owned();
        let lost = said
            .lines()
            .any(|line| line.starts_with("E:") || line.contains("Failed to fetch"));
        if !output.status.success() || lost {
            return Err(Error::Program {
                program: program.into(),
                status: output.status.to_string(),
                said,
            });
        }
        String::from_utf8(output.stdout).map_err(|_| self.confused("it does not write UTF-8"))
    }

    fn confused(&self, why: &str) -> Error {
        Error::Program {
            program: "apt-get".into(),
            status: "understood otherwise".into(),
            said: why.to_owned(),
        }
    }

    fn package(&self, stanza: &BTreeMap<&str, String>, root: &Root) -> Result<Package, Error> {
        let field = |name: &str| {
            let value = stanza.get(name).cloned();
            value.ok_or_else(|| self.confused(&format!("a package has no {name}")))
        };
        let sha256: Result<Sha256, _> = field("SHA256")?.parse();
        let size = field("Size")?.parse();
        let path = field("Filename")?;
        // Debian's security archive has a pool of its own, under updates/.
        let suites = || root.suites.iter().map(|suite| archive(suite));
        let security = path.starts_with("pool/updates/");
        let archive = suites().find(|archive| (*archive == "debian-security") == security);
        let (Ok(sha256), Ok(size), Some(archive)) = (sha256, size, archive) else {
            return Err(self.confused("a package's size, digest or place cannot be read"));
        };
        let package = Package {
            name: field("Package")?,
            version: field("Version")?,
            size,
            sha256,
            archive: archive.to_owned(),
            path,
        };
        package.check().map_err(|why| self.confused(&why))?;
        Ok(package)
    }
}

/// Debian's security updates have an archive of their own.
fn archive(suite: &str) -> &'static str {
    if suite.ends_with("-security") {
        "debian-security"
    } else {
        "debian"
    }
}
