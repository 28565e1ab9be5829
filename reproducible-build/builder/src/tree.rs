//! The digest of a folder: what is in it, whoever unpacked it, wherever, in whatever order.
//!
//! Covers path, kind, permission bits, length, content and link target of every entry, sorted by
//! path. Does not cover owner, times or the folder's own name: no build step sees a difference.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::digest::{Parts, Sha256};
use crate::error::{Error, during};

/// Deepest folder.
const MAX_DEPTH: usize = 64;

/// The digest of everything in `folder`.
///
/// # Errors
/// If something cannot be read, or is neither file, folder nor symbolic link.
pub(crate) fn digest(folder: &Path) -> Result<Sha256, Error> {
    let mut paths = Vec::new();
    list(folder, Path::new(""), 0, &mut paths)?;
    paths.sort();
    let lines = per_core(&paths, |path| line(folder, path))?;
    let mut parts = Parts::new("quorate/tree/v1");
    lines.iter().for_each(|line| parts.add(line.as_bytes()));
    Ok(parts.finish())
}

/// Does `work` for every item, on every core, and returns the results in the items' order.
pub(crate) fn per_core<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(&T) -> Result<R, Error> + Sync,
) -> Result<Vec<R>, Error> {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(items.len()));
    let failure = Mutex::new(None);
    let cores = std::thread::available_parallelism().map_or(1, Into::into);
    std::thread::scope(|scope| {
        for _ in 0..cores.min(8) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else { break };
                    match work(item) {
                        Ok(result) => lock(&results).push((index, result)),
                        Err(error) => {
                            lock(&failure).get_or_insert(error);
                            next.store(items.len(), Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    if let Some(error) = lock(&failure).take() {
        return Err(error);
    }
    let mut results = core::mem::take(&mut *lock(&results));
    results.sort_by_key(|(index, _)| *index);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}

fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // A panic elsewhere ends the scope and is passed on there.
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn list(root: &Path, inner: &Path, depth: usize, paths: &mut Vec<PathBuf>) -> Result<(), Error> {
    let folder = root.join(inner);
    if depth > MAX_DEPTH {
        return Err(Error::TooLarge {
            what: format!("the depth of {}", folder.display()),
            found: depth as u64,
            limit: MAX_DEPTH as u64,
        });
    }
    for entry in fs::read_dir(&folder).map_err(during("list", &folder))? {
        let entry = entry.map_err(during("list", &folder))?;
        let path = inner.join(entry.file_name());
        let kind = entry.file_type().map_err(during("read", entry.path()))?;
        if kind.is_dir() {
            list(root, &path, depth + 1, paths)?;
        }
        paths.push(path);
    }
    Ok(())
}

fn line(root: &Path, inner: &Path) -> Result<Sha256, Error> {
    let path = root.join(inner);
    let found = fs::symlink_metadata(&path).map_err(during("read", &path))?;
    let mode = (found.permissions().mode() & 0o7777).to_be_bytes();
    let parts = Parts::new("entry").with(inner.as_os_str().as_bytes());
    let kind = found.file_type();
    Ok(if kind.is_symlink() {
        let target = fs::read_link(&path).map_err(during("read", &path))?;
        parts.with(b"link").with(target.as_os_str().as_bytes())
    } else if kind.is_dir() {
        parts.with(b"folder").with(&mode)
    } else if kind.is_file() {
        let (digest, length) = Sha256::of_file(&path)?;
        let parts = parts.with(b"file").with(&mode).with(&length.to_be_bytes());
        parts.with(digest.as_bytes())
    } else {
        return Err(Error::BadPackage {
            name: inner.display().to_string(),
            why: "it is neither file, folder nor symbolic link".into(),
        });
    }
    .finish())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn make(order: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in order {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, name).unwrap();
        }
        symlink("a", folder.path().join("link")).unwrap();
        folder
    }

    #[test]
    fn order_and_place_do_not_matter_and_everything_else_does() {
        let one = make(&["a", "b/c", "b/d"]);
        let two = make(&["b/d", "a", "b/c"]);
        let first = digest(one.path()).unwrap();
        assert_eq!(digest(two.path()).unwrap(), first);

        fs::write(two.path().join("a"), "A").unwrap();
        assert_ne!(digest(two.path()).unwrap(), first);
        fs::write(two.path().join("a"), "a").unwrap();
        assert_eq!(digest(two.path()).unwrap(), first);

        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(two.path().join("a"), executable).unwrap();
        assert_ne!(digest(two.path()).unwrap(), first);

        fs::remove_file(one.path().join("link")).unwrap();
        symlink("b", one.path().join("link")).unwrap();
        assert_ne!(digest(one.path()).unwrap(), first);
    }
}
