//! Taking the store to another machine: one tar archive with every file a lock names.
//!
//! Guarantees: export writes what the lock names and nothing else, each file hashed as it is read,
//! in an order and form that make two exports of one lock the same bytes. Import takes nothing on
//! trust: each entry is named by its digest and kept only if its content has it, so a hostile
//! archive can at most be refused.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Write as _};
use std::path::Path;

use tar::{EntryType, Header};

use crate::digest::Sha256;
use crate::error::{Error, during};
use crate::lock::{Lock, MAX_PACKAGE};
use crate::progress::Progress;
use crate::sources::Crate;
use crate::store::Store;

/// Most files an archive may have.
const MAX_FILES: usize = 5000;

/// Writes every file of `lock` and every crate of `crates` into the new archive `path`.
///
/// # Errors
/// If the store lacks one, or the archive cannot be written; then there is none.
pub fn export(
    lock: &Lock,
    crates: &[Crate],
    store: &Store,
    path: &Path,
    progress: &dyn Progress,
) -> Result<(usize, u64), Error> {
    let packages = lock
        .packages()
        .map(|package| (package.sha256, package.name.clone()));
    let crates = crates.iter().map(|part| (part.checksum, part.name.clone()));
    let files: BTreeMap<Sha256, String> = packages.chain(crates).collect();
    let partial = path.with_extension("partial");
    let outcome = write(&files, store, &partial, progress);
    let bytes = match outcome {
        Ok(bytes) => bytes,
        Err(error) => {
            let _ = fs::remove_file(&partial);
            return Err(error);
        }
    };
    fs::rename(&partial, path).map_err(during("name", path))?;
    Ok((files.len(), bytes))
}

fn write(
    files: &BTreeMap<Sha256, String>,
    store: &Store,
    path: &Path,
    progress: &dyn Progress,
) -> Result<u64, Error> {
    let file = File::create(path).map_err(during("make", path))?;
    let mut archive = tar::Builder::new(BufWriter::new(file));
    let mut bytes = 0;
    progress.begin("exporting the store", None);
    for (digest, name) in files {
        let stored = store.verified(digest, name)?;
        let mut content = File::open(&stored).map_err(during("open", &stored))?;
        let size = content.metadata().map_err(during("read", &stored))?.len();
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_size(size);
        header.set_mode(0o644);
        header.set_mtime(0);
        let inner = format!("sha256/{digest}");
        archive
            .append_data(&mut header, inner, &mut content)
            .map_err(during("write", path))?;
        bytes += size;
        progress.advance(size);
    }
    let mut file = archive.into_inner().map_err(during("write", path))?;
    file.flush().map_err(during("write", path))?;
    file.get_ref().sync_all().map_err(during("flush", path))?;
    progress.end();
    Ok(bytes)
}

/// Takes into the store what an archive made by [`export`] holds.
///
/// # Errors
/// [`Error::BadExport`] at the first entry that is not what its name says; what came before it was
/// good and is kept.
pub fn import(path: &Path, store: &Store, progress: &dyn Progress) -> Result<usize, Error> {
    let bad = |why: String| Error::BadExport {
        path: path.to_owned(),
        why,
    };
    let file = File::open(path).map_err(during("open", path))?;
    let mut archive = tar::Archive::new(BufReader::with_capacity(1 << 18, file));
    let broken = |_: std::io::Error| bad("it is no whole tar archive".into());
    progress.begin("importing into the store", None);
    let mut count = 0;
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let inner = entry.path().map_err(broken)?.into_owned();
        let digest = inner.to_str().and_then(|text| text.strip_prefix("sha256/"));
        let digest: Option<Sha256> = digest.and_then(|text| text.parse().ok());
        let is_file = entry.header().entry_type() == EntryType::Regular;
        let (Some(digest), true) = (digest, is_file) else {
            return Err(bad(format!("{:?} is no file named by its digest", inner)));
        };
        let size = entry.size();
        if size > MAX_PACKAGE {
            return Err(bad(format!(
                "{digest} has {size} bytes, at most {MAX_PACKAGE}"
            )));
        }
        count += 1;
        if count > MAX_FILES {
            return Err(bad(format!("more than {MAX_FILES} files")));
        }
        if !store.has(&digest, Some(size)) {
            let kept = store.insert(&mut entry, &digest, size)?;
            kept.map_err(|found| bad(format!("{digest} is {found} by its content")))?;
        }
        progress.advance(size);
    }
    progress.end();
    if count == 0 {
        return Err(bad("it holds no file".into()));
    }
    Ok(count)
}
