//! The build root: the locked packages, unpacked.
//!
//! Guarantees: the same packages give the same tree for any user, umask and machine, and its digest
//! is compared with the lock's. No maintainer script runs; what the few of them that matter would
//! have done is in [`finish`], in the open. Nothing is written outside the root, whatever a package
//! says.
//!
//! Does not: keep documentation, translations or device nodes; nothing builds from them.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Component, Path, PathBuf};

use tar::EntryType;

use crate::deb::{self, bad};
use crate::digest::{Hashing, Sha256};
use crate::error::{Error, during};
use crate::lock::Package;
use crate::progress::Progress;
use crate::store::Store;
use crate::tree::per_core;

/// Debian 12 has these as links into `usr`; packages still name the old paths.
const MERGED: [&str; 5] = ["bin", "lib", "lib32", "lib64", "sbin"];

/// Nothing builds from these.
const LEFT_OUT: [&str; 6] = [
    "usr/share/doc",
    "usr/share/info",
    "usr/share/lintian",
    "usr/share/locale",
    "usr/share/man",
    "usr/share/bash-completion",
];

/// What packages' scripts would have set up: link and target.
const LINKS: [(&str, &str); 4] = [
    ("usr/bin/awk", "mawk"),
    ("usr/bin/cc", "gcc"),
    ("usr/bin/yacc", "bison.yacc"),
    ("usr/bin/which", "which.debianutils"),
];

/// Largest single file of a package.
const MAX_FILE: u64 = 1 << 30;

/// Unpacks `packages` into the new folder `root`.
///
/// # Errors
/// If the store lacks one, one is malformed, or the disk is full.
pub(crate) fn unpack(
    packages: &[Package],
    store: &Store,
    root: &Path,
    progress: &dyn Progress,
) -> Result<(), Error> {
    make_folder(root)?;
    make_folder(&root.join("usr"))?;
    for name in MERGED {
        make_folder(&root.join("usr").join(name))?;
        symlink(Path::new("usr").join(name), root.join(name)).map_err(during("link", root))?;
    }
    let total = packages.iter().map(|package| package.size).sum();
    progress.begin(
        &format!("unpacking {} packages", packages.len()),
        Some(total),
    );
    // The largest first, so that no core waits at the end. Packages do not share files.
    let mut order: Vec<_> = packages.iter().collect();
    order.sort_by_key(|package| core::cmp::Reverse(package.size));
    let folders = per_core(&order, |package| {
        let path = store.verified(&package.sha256, &package.name)?;
        let folders = unpack_one(&path, &package.name, root)?;
        progress.advance(package.size);
        Ok(folders)
    })?;
    // Modes last: a folder that may not be written to could not be filled.
    for (path, mode) in folders.into_iter().flatten() {
        set_mode(&path, mode)?;
    }
    finish(root)?;
    progress.end();
    Ok(())
}

/// Takes the kernel's source out of its package.
///
/// # Errors
/// If it is not there, or has another digest than the lock's.
pub(crate) fn take_tarball(
    package: &Path,
    name: &str,
    inner: &str,
    target: &mut impl io::Write,
) -> Result<Sha256, Error> {
    let mut archive = deb::data(package, name)?;
    for entry in archive.entries().map_err(unreadable(name))? {
        let mut entry = entry.map_err(unreadable(name))?;
        let path = entry.path().map_err(unreadable(name))?.into_owned();
        if normal(&path).as_deref() == Some(inner.as_ref()) {
            let mut hash = Hashing::new(entry.by_ref().take(MAX_FILE));
            io::copy(&mut hash, target).map_err(during("write", inner))?;
            return Ok(hash.finish().0);
        }
    }
    Err(bad(name, format!("it has no {inner}")))
}

fn unreadable(name: &str) -> impl FnOnce(io::Error) -> Error {
    move |error| bad(name, format!("its archive is malformed ({})", error.kind()))
}

/// Unpacks one package and returns the modes its folders are to have.
fn unpack_one(path: &Path, name: &str, root: &Path) -> Result<Vec<(PathBuf, u32)>, Error> {
    let mut folders = Vec::new();
    let mut archive = deb::data(path, name)?;
    for entry in archive.entries().map_err(unreadable(name))? {
        let mut entry = entry.map_err(unreadable(name))?;
        let given = entry.path().map_err(unreadable(name))?.into_owned();
        let Some(inner) = normal(&given) else {
            return Err(bad(name, format!("{} leaves its folder", given.display())));
        };
        if inner.as_os_str().is_empty() || LEFT_OUT.iter().any(|out| inner.starts_with(out)) {
            continue;
        }
        let target = root.join(&inner);
        let mode = entry.header().mode().map_err(unreadable(name))? & 0o777;
        let kind = entry.header().entry_type();
        prepare(root, &inner, name)?;
        match kind {
            EntryType::Directory => {
                make_folder(&target)?;
                folders.push((target, mode | 0o700));
            }
            EntryType::Regular | EntryType::Continuous => {
                if entry.size() > MAX_FILE {
                    return Err(bad(name, format!("{} is too long", given.display())));
                }
                write_file(&mut entry, &target, mode)?;
            }
            EntryType::Symlink => {
                let link = link_name(&entry, name)?;
                replace(&target, |target| symlink(&link, target))?;
            }
            EntryType::Link => {
                let link = link_name(&entry, name)?;
                let Some(original) = normal(&link) else {
                    return Err(bad(name, format!("{} leaves its folder", link.display())));
                };
                prepare(root, &original, name)?;
                let original = root.join(original);
                replace(&target, |target| fs::hard_link(&original, target))?;
            }
            other => {
                return Err(bad(name, format!("{} is a {other:?}", given.display())));
            }
        }
    }
    Ok(folders)
}

fn link_name(entry: &tar::Entry<'_, impl Read>, name: &str) -> Result<PathBuf, Error> {
    let link = entry.link_name().map_err(unreadable(name))?;
    link.map(std::borrow::Cow::into_owned)
        .ok_or_else(|| bad(name, "a link has no target"))
}

/// A path of a package as a path in the root, or none when it leaves it.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut inner = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::Normal(name) => {
                if inner.as_os_str().is_empty() && MERGED.iter().any(|merged| name == *merged) {
                    inner.push("usr");
                }
                inner.push(name);
            }
            Component::ParentDir | Component::Prefix(_) | Component::RootDir => return None,
        }
    }
    Some(inner)
}

/// Makes the folders above `inner`; none of them may be a link.
fn prepare(root: &Path, inner: &Path, name: &str) -> Result<(), Error> {
    let mut folder = root.to_owned();
    for part in inner.parent().into_iter().flat_map(Path::components) {
        folder.push(part);
        match fs::symlink_metadata(&folder) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => {
                let why = format!("it writes through {}, which is no folder", folder.display());
                return Err(bad(name, why));
            }
            Err(_) => make_folder(&folder)?,
        }
    }
    Ok(())
}

fn make_folder(path: &Path) -> Result<(), Error> {
    match DirBuilder::new().mode(0o755).create(path) {
        Ok(()) => set_mode(path, 0o755),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(during("make the folder", path)(error)),
    }
}

fn set_mode(path: &Path, mode: u32) -> Result<(), Error> {
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(during("set the mode of", path))
}

/// Makes a new entry in place of one that is there. Two packages may bring the same link.
fn replace(path: &Path, make: impl Fn(&Path) -> io::Result<()>) -> Result<(), Error> {
    match make(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(path).map_err(during("replace", path))?;
            make(path)
        }
        other => other,
    }
    .map_err(during("make", path))
}

fn write_file(content: &mut impl Read, path: &Path, mode: u32) -> Result<(), Error> {
    let mut file: File = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(during("make", path))?;
    io::copy(content, &mut file).map_err(during("write", path))?;
    let permissions = Permissions::from_mode(mode | 0o400);
    file.set_permissions(permissions)
        .map_err(during("set the mode of", path))
}

/// What the packages' scripts would have done, and what the sandbox mounts over.
fn finish(root: &Path) -> Result<(), Error> {
    for (link, target) in LINKS {
        let path = root.join(link);
        let there = path.with_file_name(target).exists();
        if there && fs::symlink_metadata(&path).is_err() {
            symlink(target, &path).map_err(during("link", &path))?;
        }
    }
    for folder in ["build", "build2", "dev", "etc", "proc", "tmp"] {
        make_folder(&root.join(folder))?;
    }
    for (name, text) in [
        (
            "passwd",
            "root:x:0:0::/:/bin/sh\nbuild:x:1000:1000::/build:/bin/sh\nother:x:4242:4242::/build2:/bin/sh\n",
        ),
        ("group", "root:x:0:\nbuild:x:1000:\nother:x:4242:\n"),
    ] {
        let path = root.join("etc").join(name);
        let mut file = File::create(&path).map_err(during("make", &path))?;
        file.write_all(text.as_bytes())
            .map_err(during("write", &path))?;
        set_mode(&path, 0o644)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
