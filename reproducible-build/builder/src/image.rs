//! The image, stage by stage.
//!
//! root → kernel, init → ramdisks → image. Each stage is keyed by the digests of everything that
//! goes into it, the step's own script included. The last one assembles the image with our own
//! writer and measures it.
//!
//! Guarantees: a [`Built`] was made from the locked inputs and from nothing else; what the lock
//! expects is compared stage by stage, so that a difference is named where it first appears.

mod app;
mod steps;

use std::fs;
use std::path::{Path, PathBuf};

use quorate_eif::cpio::{Archive, Node, WriteError};
use quorate_eif::{Architecture, Eif, Parts as EifParts};

use crate::crates;
use crate::digest::Sha256;
use crate::error::{Error, during};
use crate::fetch::{Fetched, fetch};
use crate::lock::{CratesLock, Expected, KernelLock, Lock, Package};
use crate::mirror::Mirror;
use crate::progress::Progress;
use crate::recipe::{Recipe, read_text};
use crate::resolve;
use crate::root::take_tarball;
use crate::sandbox::{Helper, World};
use crate::sources::Plan;
use crate::stage::{Stage, Work};
use crate::store::Store;

pub use app::App;

/// What a build needs besides the lock.
pub struct Builder<'a> {
    /// The repository.
    pub sources: &'a Path,
    /// Where inputs are kept.
    pub store: &'a Store,
    /// Where stages are built.
    pub work: &'a Work,
    /// How a step is started.
    pub helper: &'a Helper,
    /// What steps believe about the machine.
    pub world: &'a World,
    /// Who waits.
    pub progress: &'a dyn Progress,
}

/// An image.
#[derive(Clone, Debug)]
pub struct Built {
    /// The image file.
    pub eif: Vec<u8>,
    /// The digest of each stage, and the measurements.
    pub stages: Expected,
    /// Where each stage's output is.
    pub paths: Vec<(&'static str, PathBuf)>,
    /// The lock it was built from, with what came out.
    pub lock: Lock,
}

/// A stage that gave something else than the lock expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which.
    pub stage: &'static str,
    /// By the lock.
    pub expected: String,
    /// What came out.
    pub found: String,
}

impl Built {
    /// Every stage that differs from what is expected, in the order they are built; the first is
    /// where to look.
    #[must_use]
    pub fn differences(&self, expected: &Expected) -> Vec<Difference> {
        let found = self.stages.stages();
        let mut differences = Vec::new();
        for (stage, wanted) in expected.stages() {
            let value = found.iter().find(|(name, _)| *name == stage);
            let value = value.map(|(_, value)| value.clone()).unwrap_or_default();
            if value != wanted {
                differences.push(Difference {
                    stage,
                    expected: wanted,
                    found: value,
                });
            }
        }
        if expected.ramdisk1.is_none()
            && let Some(found) = self.stages.ramdisk1
        {
            differences.push(Difference {
                stage: "ramdisk1",
                expected: String::new(),
                found: found.to_string(),
            });
        }
        differences
    }

    /// The measurements as JSON, for a manifest.
    #[must_use]
    pub fn measurements_json(&self) -> String {
        let stages = &self.stages;
        let value = serde_json::json!({
            "pcr0": stages.pcr0,
            "pcr1": stages.pcr1,
            "pcr2": stages.pcr2,
            "pcr8": null,
        });
        format!("{value:#}\n")
    }
}

/// What to do when `images/` or the sources no longer are what the lock was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drift {
    /// Refuse.
    Refuse,
    /// Take them into the lock that is returned: the packages stay as they are.
    Adopt,
}

impl Builder<'_> {
    /// Resolves `images/image.toml` into a new lock. What the old one expects stays until the next
    /// build is recorded.
    ///
    /// # Errors
    /// As [`resolve`](crate::Error), and if the kernel's source cannot be fetched.
    pub fn lock(&self, mirrors: &[Mirror], keyring: &Path) -> Result<Lock, Error> {
        let recipe = Recipe::read(self.sources)?;
        let mirror = mirrors
            .first()
            .cloned()
            .unwrap_or_else(|| Mirror::Http(crate::mirror::DEFAULT.to_owned()));
        let scratch = self.work.scratch("apt")?;
        let (packages, source) = resolve::resolve(
            &recipe.root,
            &recipe.kernel.package,
            &mirror,
            keyring,
            &scratch,
            self.progress,
        )?;
        fetch([&source].into_iter(), mirrors, self.store, self.progress)?;
        let tarball = self.tarball_digest(&recipe, &source)?;
        let kernel = KernelLock {
            source,
            tarball,
            patches: self
                .patches(&recipe)?
                .iter()
                .map(|patch| Sha256::of(patch))
                .collect(),
        };
        let plan = Plan::read(&self.sources.join(&recipe.init.folder))?;
        let mut lock = Lock::new(packages, kernel, crates_lock(&plan));
        lock.expected = Lock::read(self.sources).ok().and_then(|old| old.expected);
        Ok(lock)
    }

    /// Brings every input of the lock into the store.
    ///
    /// # Errors
    /// As [`fetch`], and what cargo says about crates.
    pub fn fetch(&self, lock: &Lock, mirrors: &[Mirror]) -> Result<Fetched, Error> {
        let recipe = Recipe::read(self.sources)?;
        let mut done = fetch(lock.packages(), mirrors, self.store, self.progress)?;
        let folder = self.sources.join(&recipe.init.folder);
        let plan = Plan::read(&folder)?;
        let fetched = crates::fetch(&plan.crates, &folder, self.store, self.progress)?;
        done.fetched += fetched;
        done.present += plan.crates.len() - fetched;
        Ok(done)
    }

    /// Builds the image.
    ///
    /// # Errors
    /// [`Error`]: a stale lock, an input that is not in the store, a step that failed, something
    /// that is too large.
    pub fn build(&self, drift: Drift) -> Result<Built, Error> {
        let recipe = Recipe::read(self.sources)?;
        let mut lock = Lock::read(self.sources)?;
        let patches = self.patches(&recipe)?;
        let plan = Plan::read(&self.sources.join(&recipe.init.folder))?;
        reconcile(&recipe, &mut lock, &patches, &plan, drift)?;

        let root = self.root_stage(&lock)?;
        let kernel = self.kernel_stage(&recipe, &lock, &root, &patches)?;
        let init = self.rust_stage("init", &recipe, &root, &plan, &recipe.init.binary)?;
        let first = init.read("binary")?;
        limit("the init binary", first.len(), recipe.init.max_bytes)?;
        let ramdisk0 = self.ramdisk_stage("ramdisk0", &recipe, &root, &system(first)?)?;
        let ramdisk1 = match self.extra(&recipe)? {
            None => None,
            Some(archive) => Some(self.ramdisk_stage("ramdisk1", &recipe, &root, &archive)?),
        };

        let bytes = kernel.read("kernel")?;
        let mut ramdisks = vec![ramdisk0.read("ramdisk")?];
        if let Some(stage) = &ramdisk1 {
            ramdisks.push(stage.read("ramdisk")?);
        }
        let ramdisks: Vec<_> = ramdisks.iter().map(Vec::as_slice).collect();
        let metadata = metadata(&recipe, &lock)?;
        let parts = EifParts {
            architecture: Architecture::X86_64,
            kernel: &bytes,
            command_line: &recipe.kernel.cmdline,
            ramdisks: &ramdisks,
            metadata: metadata.as_bytes(),
        };
        let image = Eif::assemble(&parts).map_err(|error| Error::Image {
            why: error.to_string(),
        })?;
        let eif = image.to_bytes();
        limit("the image", eif.len(), recipe.max_bytes)?;
        let measured = image.measure();
        let stages = Expected {
            root: root.digest("root")?,
            config: kernel.digest("config")?,
            kernel: kernel.digest("kernel")?,
            init: init.digest("binary")?,
            ramdisk0: ramdisk0.digest("ramdisk")?,
            ramdisk1: ramdisk1
                .as_ref()
                .map(|stage| stage.digest("ramdisk"))
                .transpose()?,
            eif: Sha256::of(&eif),
            eif_bytes: eif.len() as u64,
            pcr0: measured.pcr0.to_string(),
            pcr1: measured.pcr1.to_string(),
            pcr2: measured.pcr2.to_string(),
        };
        let mut paths = vec![
            ("root", root.path("root")),
            ("config", kernel.path("config")),
            ("kernel", kernel.path("kernel")),
            ("init", init.path("binary")),
            ("ramdisk0", ramdisk0.path("ramdisk")),
        ];
        paths.extend(ramdisk1.map(|stage| ("ramdisk1", stage.path("ramdisk"))));
        lock.expected.get_or_insert_with(|| stages.clone());
        if drift == Drift::Adopt {
            lock.expected = Some(stages.clone());
        }
        Ok(Built {
            eif,
            stages,
            paths,
            lock,
        })
    }

    fn patches(&self, recipe: &Recipe) -> Result<Vec<Vec<u8>>, Error> {
        let paths = recipe.kernel.patches.iter();
        let paths = paths.map(|path| self.sources.join("images").join(path));
        paths
            .map(|path| read_text(&path).map(String::into_bytes))
            .collect()
    }

    /// Takes the kernel's source out of its package into the store.
    fn tarball_digest(&self, recipe: &Recipe, source: &Package) -> Result<Sha256, Error> {
        let package = self.store.verified(&source.sha256, &source.name)?;
        let path = self.work.scratch("source")?.join("linux.tar.xz");
        let mut file = fs::File::create(&path).map_err(during("make", &path))?;
        let digest = take_tarball(&package, &source.name, &recipe.kernel.tarball, &mut file)?;
        drop(file);
        let mut file = fs::File::open(&path).map_err(during("open", &path))?;
        let kept = self.store.insert(&mut file, &digest, u64::MAX)?;
        let _ = fs::remove_file(&path);
        kept.map_err(|found| Error::DamagedStore {
            name: recipe.kernel.tarball.clone(),
            expected: digest,
            found,
        })?;
        Ok(digest)
    }

    fn tarball(&self, recipe: &Recipe, lock: &Lock) -> Result<PathBuf, Error> {
        let (kernel, name) = (&lock.kernel, &recipe.kernel.tarball);
        if !self.store.has(&kernel.tarball, None) {
            self.progress
                .begin("taking the kernel's source out of its package", None);
            let found = self.tarball_digest(recipe, &kernel.source)?;
            self.progress.end();
            if found != kernel.tarball {
                return Err(Error::StaleLock {
                    what: format!("{name} in {}", kernel.source.name),
                });
            }
        }
        self.store.verified(&kernel.tarball, name)
    }

    /// Ramdisk 1, when files are declared.
    fn extra(&self, recipe: &Recipe) -> Result<Option<Archive>, Error> {
        if recipe.files.is_empty() {
            return Ok(None);
        }
        let mut archive = Archive::new();
        for (target, source) in &recipe.files {
            let path = self.sources.join("images").join(source);
            let content = fs::read(&path).map_err(during("read", &path))?;
            let mut folder = String::new();
            for part in target
                .rsplit_once('/')
                .into_iter()
                .flat_map(|(above, _)| above.split('/'))
            {
                folder = if folder.is_empty() {
                    part.to_owned()
                } else {
                    format!("{folder}/{part}")
                };
                match archive.add(&folder, 0o755, Node::Directory) {
                    Ok(()) | Err(WriteError::Twice { .. }) => {}
                    Err(error) => return Err(unwritten(&error)),
                }
            }
            let added = archive.add(target, 0o755, Node::File(content));
            added.map_err(|error| unwritten(&error))?;
        }
        Ok(Some(archive))
    }
}

fn unwritten(error: &WriteError) -> Error {
    Error::Image {
        why: error.to_string(),
    }
}

/// Ramdisk 0: the first process and the folders it mounts over.
fn system(init: Vec<u8>) -> Result<Archive, Error> {
    let mut archive = Archive::new();
    let folders = ["dev", "proc", "sys", "tmp"];
    let folders = folders
        .into_iter()
        .map(|name| (name, 0o755, Node::Directory));
    for (path, mode, node) in folders.chain([("init", 0o755, Node::File(init))]) {
        archive
            .add(path, mode, node)
            .map_err(|error| unwritten(&error))?;
    }
    Ok(archive)
}

fn crates_lock(plan: &Plan) -> CratesLock {
    CratesLock {
        count: plan.crates.len(),
        digest: plan.crates_digest(),
    }
}

/// Compares the lock with what it was made from.
fn reconcile(
    recipe: &Recipe,
    lock: &mut Lock,
    patches: &[Vec<u8>],
    plan: &Plan,
    drift: Drift,
) -> Result<(), Error> {
    let stale = |what: &str| Err(Error::StaleLock { what: what.into() });
    // A package that was asked for and is not locked needs apt: nothing here can adopt it.
    let locked = |name: &String| lock.package.iter().any(|package| package.name == *name);
    if !recipe.root.packages.iter().all(locked) {
        return stale("the list of packages in images/image.toml");
    }
    if lock.kernel.source.name != recipe.kernel.package {
        return stale("the kernel's package in images/image.toml");
    }
    let patches: Vec<_> = patches.iter().map(|patch| Sha256::of(patch)).collect();
    let crates = crates_lock(plan);
    match drift {
        Drift::Adopt => {
            lock.kernel.patches = patches;
            lock.crates = crates;
        }
        Drift::Refuse if lock.kernel.patches != patches => {
            return stale("a patch in images/kernel/patches");
        }
        Drift::Refuse if lock.crates != crates => return stale("Cargo.lock"),
        Drift::Refuse => {}
    }
    Ok(())
}

fn limit(what: &str, found: usize, limit: u64) -> Result<(), Error> {
    let found = found as u64;
    if found > limit {
        return Err(Error::TooLarge {
            what: what.into(),
            found,
            limit,
        });
    }
    Ok(())
}

/// The unmeasured metadata AWS's tools show, from locked inputs only.
fn metadata(recipe: &Recipe, lock: &Lock) -> Result<String, Error> {
    let version = &lock.kernel.source.version;
    let upstream = version.split('-').next().unwrap_or(version);
    let value = serde_json::json!({
        "ImageName": recipe.name,
        "ImageVersion": env!("CARGO_PKG_VERSION"),
        "BuildMetadata": {
            "BuildTime": timestamp(recipe.epoch),
            "BuildTool": "quorate",
            "BuildToolVersion": env!("CARGO_PKG_VERSION"),
            "OperatingSystem": "Quorate",
            "KernelVersion": upstream,
        },
        "DockerInfo": {},
        "CustomMetadata": { "LockDigest": lock.digest().to_string() },
    });
    serde_json::to_string(&value).map_err(|error| Error::Image {
        why: error.to_string(),
    })
}

/// Seconds since 1970 as RFC 3339 in UTC.
fn timestamp(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Years of 365.2425 days that begin in March: leap days come last.
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let march = (5 * day + 2) / 153;
    let date = day - (153 * march + 2) / 5 + 1;
    let month = if march < 10 { march + 3 } else { march - 9 };
    let year = era * 400 + year + u64::from(month < 3);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{date:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The build root of a lock; shared with applications.
impl Builder<'_> {
    fn root_stage(&self, lock: &Lock) -> Result<Stage, Error> {
        steps::root(self, lock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_date_does() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_783_764_997, "2026-07-11T10:16:37Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(timestamp(seconds), text);
        }
    }

    #[test]
    fn an_image_over_its_limit_fails_closed() {
        assert_eq!(limit("x", 5, 5), Ok(()));
        let error = Error::TooLarge {
            what: "x".into(),
            found: 6,
            limit: 5,
        };
        assert_eq!(limit("x", 6, 5), Err(error));
    }
}
