//! Which Rust sources a binary is made of, and nothing else.
//!
//! Guarantees: the same folder, `Cargo.toml`s and `Cargo.lock` give the same list on every machine,
//! without asking cargo. Only the packages a binary depends on are laid into the sandbox, without
//! their tests, examples, benches and development dependencies, so an unrelated change changes no
//! stage. Every other crate is one of the lockfile, from crates.io, with its checksum.
//!
//! Does not: build packages from git or another registry, or with `[patch]`; they are refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::{Table, Value};

use crate::digest::{Parts, Sha256};
use crate::error::{Error, during};
use crate::recipe::{is_word, malformed, read_text};

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Folders of a package that are in no binary.
const NOT_BUILT: [&str; 7] = [
    "benches", "corpus", "examples", "fuzz", "target", "testdata", "tests",
];

/// Parts of a manifest that are in no binary.
const NOT_READ: [&str; 5] = [
    "bench",
    "dev-dependencies",
    "dev_dependencies",
    "example",
    "test",
];

/// Largest source file.
const MAX_FILE: u64 = 16 << 20;

/// A crate of the lockfile.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Crate {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The digest of its `.crate` file.
    pub checksum: Sha256,
}

/// What a binary is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Files to lay down: path below the source folder, and content.
    pub(crate) files: BTreeMap<PathBuf, Vec<u8>>,
    /// The crates of other people, in order.
    pub crates: Vec<Crate>,
    /// The folder of the package itself, below the source folder.
    pub(crate) package: PathBuf,
    /// Its name.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: String,
}

impl Plan {
    /// Reads what the package in `folder` is made of.
    ///
    /// # Errors
    /// [`Error::Sources`] for what this tool does not build; [`Error::Malformed`] for a manifest or
    /// lockfile that cannot be read.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let folder = fs::canonicalize(folder).map_err(during("open", folder))?;
        let mut reader = Reader::default();
        reader.package(&folder)?;
        let home = reader.workspace_of(&folder)?;
        let lock_path = home.join("Cargo.lock");
        let lock = Lockfile::read(&lock_path)?;
        let crates = reader.closure(&lock, &lock_path)?;

        let mut dirs: Vec<&Path> = reader.packages.keys().map(PathBuf::as_path).collect();
        dirs.extend(reader.workspaces.keys().map(PathBuf::as_path));
        let base = common(&dirs).to_owned();
        let mut files = BTreeMap::new();
        let below = |path: &Path| {
            path.strip_prefix(&base)
                .map(Path::to_owned)
                .unwrap_or_default()
        };
        for dir in reader.packages.keys() {
            collect(dir, &below(dir), &mut files, 0)?;
        }
        for (dir, package) in &reader.packages {
            let mut manifest = package.manifest.clone();
            strip(&mut manifest);
            insert_manifest(&mut files, &below(dir), &manifest);
        }
        for (dir, manifest) in &reader.workspaces {
            let mut manifest = manifest.clone();
            strip(&mut manifest);
            let members = reader.members(dir);
            if let Some(Value::Table(workspace)) = manifest.get_mut("workspace") {
                workspace.remove("default-members");
                workspace.remove("exclude");
                workspace.insert("members".into(), Value::Array(members));
            }
            insert_manifest(&mut files, &below(dir), &manifest);
        }
        let text = read_text(&lock_path)?;
        files.insert(below(&home).join("Cargo.lock"), text.into_bytes());
        let top = reader.packages.get(&folder);
        let (name, version) = top
            .map(|top| (top.name.clone(), top.version.clone()))
            .unwrap_or_default();
        Ok(Self {
            files,
            crates,
            package: below(&folder),
            name,
            version,
        })
    }

    /// Digest over every file and its path.
    #[must_use]
    pub fn digest(&self) -> Sha256 {
        let mut parts = Parts::new("quorate/rust-sources/v1");
        for (path, content) in &self.files {
            // Other crates of the lockfile are in no binary; those in it have a digest of their own.
            if path.file_name().is_some_and(|name| name == "Cargo.lock") {
                continue;
            }
            parts.add(path.as_os_str().as_encoded_bytes());
            parts.add(content);
        }
        parts.finish()
    }

    /// Digest over the crates of other people.
    #[must_use]
    pub fn crates_digest(&self) -> Sha256 {
        let mut parts = Parts::new("quorate/crates/v1");
        for part in &self.crates {
            parts.add(part.name.as_bytes());
            parts.add(part.version.as_bytes());
            parts.add(part.checksum.as_bytes());
        }
        parts.finish()
    }
}

fn insert_manifest(files: &mut BTreeMap<PathBuf, Vec<u8>>, folder: &Path, manifest: &Table) {
    files.insert(folder.join("Cargo.toml"), manifest.to_string().into_bytes());
}

struct Package {
    manifest: Table,
    name: String,
    version: String,
    /// Names of what it depends on, as the lockfile has them.
    needs: BTreeSet<String>,
}

#[derive(Default)]
struct Reader {
    packages: BTreeMap<PathBuf, Package>,
    workspaces: BTreeMap<PathBuf, Table>,
}

impl Reader {
    fn package(&mut self, folder: &Path) -> Result<(), Error> {
        let path = folder.join("Cargo.toml");
        let fault = |why: String| Error::Sources {
            path: path.clone(),
            why,
        };
        if self.packages.contains_key(folder) {
            return Ok(());
        }
        let manifest = read_manifest(&path)?;
        let home = self.workspace_of(folder)?;
        let root = self.workspaces.get(&home).cloned().unwrap_or_default();
        let workspace = root.get("workspace").and_then(Value::as_table);
        let package = manifest.get("package").and_then(Value::as_table);
        let package = package.ok_or_else(|| fault("it has no [package]".into()))?;
        let field = |key: &str| {
            let inherited = || workspace?.get("package")?.as_table()?.get(key)?.as_str();
            let own = package.get(key).and_then(Value::as_str);
            own.or_else(inherited).unwrap_or_default().to_owned()
        };
        let (name, version) = (field("name"), field("version"));
        let mut needs = BTreeSet::new();
        let mut others = Vec::new();
        for (key, wanted) in dependencies(&manifest) {
            let inherits = wanted.get("workspace").and_then(Value::as_bool) == Some(true);
            let (wanted, base) = if inherits {
                let all = workspace.and_then(|workspace| workspace.get("dependencies"));
                let wanted = all.and_then(|all| all.get(&key));
                let wanted = wanted.ok_or_else(|| fault(format!("the workspace has no {key}")))?;
                (wanted.clone(), home.as_path())
            } else {
                (wanted, folder)
            };
            let text = |key: &str| wanted.get(key).and_then(Value::as_str);
            if text("git").is_some() || text("registry").is_some() {
                return Err(fault(format!(
                    "{key} does not come from crates.io or a folder"
                )));
            }
            needs.insert(text("package").unwrap_or(&key).to_owned());
            if let Some(path) = text("path") {
                let path = base.join(path);
                others.push(fs::canonicalize(&path).map_err(during("open", &path))?);
            }
        }
        let package = Package {
            manifest,
            name,
            version,
            needs,
        };
        self.packages.insert(folder.to_owned(), package);
        others.iter().try_for_each(|folder| self.package(folder))
    }

    /// The folder of the workspace a package belongs to: itself, when it belongs to none.
    fn workspace_of(&mut self, folder: &Path) -> Result<PathBuf, Error> {
        for above in folder.ancestors() {
            let path = above.join("Cargo.toml");
            if !path.is_file() {
                continue;
            }
            let manifest = read_manifest(&path)?;
            if manifest.contains_key("workspace") {
                for key in ["patch", "replace"] {
                    if manifest.contains_key(key) {
                        let why = format!("it has [{key}], so the lockfile does not name all");
                        return Err(Error::Sources { path, why });
                    }
                }
                self.workspaces.insert(above.to_owned(), manifest);
                return Ok(above.to_owned());
            }
        }
        Ok(folder.to_owned())
    }

    /// Our packages of a workspace, as its manifest would list them.
    fn members(&self, home: &Path) -> Vec<Value> {
        let nearest = |folder: &Path| {
            let mut above = folder.ancestors();
            above.find(|above| self.workspaces.contains_key(*above)) == Some(home)
        };
        let folders = self.packages.keys().filter(|folder| nearest(folder));
        let inner = folders.filter_map(|folder| folder.strip_prefix(home).ok());
        let names = inner.map(|inner| inner.to_string_lossy().into_owned());
        names
            .filter(|name| !name.is_empty())
            .map(Value::String)
            .collect()
    }

    /// Every crate of the lockfile below what our packages need.
    fn closure(&self, lock: &Lockfile, path: &Path) -> Result<Vec<Crate>, Error> {
        let fault = |why: String| Error::Sources {
            path: path.to_owned(),
            why,
        };
        let mut queue = Vec::new();
        for package in self.packages.values() {
            let own = lock.package.iter().find(|entry| {
                entry.source.is_none()
                    && entry.name == package.name
                    && entry.version == package.version
            });
            let own = own.ok_or_else(|| fault(format!("it does not know {}", package.name)))?;
            let wanted = own.dependencies.iter().filter(|wanted| {
                package
                    .needs
                    .contains(wanted.split(' ').next().unwrap_or_default())
            });
            queue.extend(wanted);
        }
        let mut crates = BTreeSet::new();
        let mut seen = BTreeSet::new();
        while let Some(wanted) = queue.pop() {
            if !seen.insert(wanted) {
                continue;
            }
            let mut words = wanted.split(' ');
            let (name, version) = (words.next().unwrap_or_default(), words.next());
            let entries = lock.package.iter().filter(|entry| {
                entry.name == name && version.is_none_or(|version| entry.version == version)
            });
            for entry in entries {
                let Some(source) = &entry.source else {
                    continue;
                };
                if source != CRATES_IO {
                    return Err(fault(format!("{name} does not come from crates.io")));
                }
                let checksum = entry.checksum.as_deref().map(str::parse);
                let Some(Ok(checksum)) = checksum else {
                    return Err(fault(format!("{name} has no checksum")));
                };
                if !is_word(name) || !is_word(&entry.version) {
                    return Err(fault(format!("{name:?} is no name")));
                }
                crates.insert(Crate {
                    name: entry.name.clone(),
                    version: entry.version.clone(),
                    checksum,
                });
                queue.extend(&entry.dependencies);
            }
        }
        Ok(crates.into_iter().collect())
    }
}

fn read_manifest(path: &Path) -> Result<Table, Error> {
    toml::from_str(&read_text(path)?).map_err(malformed(path))
}

/// What a package needs to be built and run, on any target.
fn dependencies(manifest: &Table) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    let mut take = |table: &Table| {
        for kind in ["dependencies", "build-dependencies", "build_dependencies"] {
            let entries = table.get(kind).and_then(Value::as_table);
            for (name, wanted) in entries.into_iter().flatten() {
                found.push((name.clone(), wanted.clone()));
            }
        }
    };
    take(manifest);
    let targets = manifest.get("target").and_then(Value::as_table);
    let targets = targets.into_iter().flat_map(Table::values);
    targets.filter_map(Value::as_table).for_each(&mut take);
    found
}

/// Takes out what is in no binary.
fn strip(manifest: &mut Table) {
    NOT_READ.iter().for_each(|key| {
        manifest.remove(*key);
    });
    if let Some(Value::Table(targets)) = manifest.get_mut("target") {
        for (_, target) in targets.iter_mut() {
            if let Value::Table(target) = target {
                target.remove("dev-dependencies");
            }
        }
    }
}

/// The deepest folder above all of these.
fn common<'a>(folders: &[&'a Path]) -> &'a Path {
    let Some((first, rest)) = folders.split_first() else {
        return Path::new("/");
    };
    let above = |candidate: &&Path| rest.iter().all(|folder| folder.starts_with(candidate));
    first.ancestors().find(above).unwrap_or(Path::new("/"))
}

/// Every file of a package that can be in a binary. Folders that are packages of their own are
/// taken when something depends on them.
fn collect(
    folder: &Path,
    below: &Path,
    files: &mut BTreeMap<PathBuf, Vec<u8>>,
    depth: usize,
) -> Result<(), Error> {
    for entry in fs::read_dir(folder).map_err(during("list", folder))? {
        let path = entry.map_err(during("list", folder))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        let found = fs::symlink_metadata(&path).map_err(during("read", &path))?;
        if name.starts_with('.') || (depth == 0 && NOT_BUILT.contains(&name)) {
            continue;
        }
        if found.is_dir() {
            if depth < 32 && !path.join("Cargo.toml").exists() {
                collect(&path, &below.join(name), files, depth + 1)?;
            }
        } else if found.is_file() {
            if found.len() > MAX_FILE {
                return Err(Error::TooLarge {
                    what: path.display().to_string(),
                    found: found.len(),
                    limit: MAX_FILE,
                });
            }
            let content = fs::read(&path).map_err(during("read", &path))?;
            files.insert(below.join(name), content);
        } else {
            return Err(Error::Sources {
                path,
                why: "it is neither file nor folder".into(),
            });
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct Lockfile {
    #[serde(default)]
    package: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    version: String,
    source: Option<String>,
    checksum: Option<String>,
    #[serde(default)]
    dependencies: Vec<String>,
}

impl Lockfile {
    fn read(path: &Path) -> Result<Self, Error> {
        if !path.is_file() {
            return Err(Error::Sources {
                path: path.to_owned(),
                why: "there is no lockfile; cargo generate-lockfile makes one".into(),
            });
        }
        toml::from_str(&read_text(path)?).map_err(malformed(path))
    }
}

#[cfg(test)]
mod tests;
