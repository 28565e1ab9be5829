//! The store on its way to another machine, good and hostile.

use std::fs;
use std::path::Path;

use quorate_builder::Error;
use quorate_builder::digest::Sha256;
use quorate_builder::lock::{CratesLock, KernelLock, Lock, Package};
use quorate_builder::progress::Silent;
use quorate_builder::sources::Crate;
use quorate_builder::store::Store;
use quorate_builder::travel::{export, import};

fn package(name: &str) -> Package {
    Package {
        name: name.into(),
        version: "1".into(),
        size: name.len() as u64,
        sha256: Sha256::of(name.as_bytes()),
        archive: "debian".into(),
        path: format!("pool/{name}.deb"),
    }
}

/// A lock of two packages, a kernel and a crate, each with its name as content.
fn lock() -> (Lock, Vec<Crate>) {
    let kernel = KernelLock {
        source: package("linux"),
        tarball: Sha256::of(b"tarball"),
        patches: vec![],
    };
    let crates = CratesLock {
        count: 1,
        digest: Sha256::of(b""),
    };
    let lock = Lock::new(vec![package("one"), package("two")], kernel, crates);
    let part = Crate {
        name: "part".into(),
        version: "1.0.0".into(),
        checksum: Sha256::of(b"part"),
    };
    (lock, vec![part])
}

fn filled(folder: &Path) -> Store {
    let store = Store::open(folder).unwrap();
    for name in ["one", "two", "linux", "part", "unrelated"] {
        let digest = Sha256::of(name.as_bytes());
        store
            .insert(&mut name.as_bytes(), &digest, 100)
            .unwrap()
            .unwrap();
    }
    store
}

#[test]
fn a_store_travels_and_two_exports_are_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let store = filled(&path("store"));
    let (lock, crates) = lock();
    let (files, bytes) = export(&lock, &crates, &store, &path("a.tar"), &Silent).unwrap();
    assert_eq!((files, bytes), (4, 3 + 3 + 5 + 4));
    export(&lock, &crates, &store, &path("b.tar"), &Silent).unwrap();
    assert_eq!(
        fs::read(path("a.tar")).unwrap(),
        fs::read(path("b.tar")).unwrap()
    );

    let other = Store::open(&path("elsewhere")).unwrap();
    assert_eq!(import(&path("a.tar"), &other, &Silent), Ok(4));
    assert_eq!(import(&path("a.tar"), &other, &Silent), Ok(4));
    for name in ["one", "two", "linux", "part"] {
        let digest = Sha256::of(name.as_bytes());
        assert_eq!(
            fs::read(other.verified(&digest, name).unwrap()).unwrap(),
            name.as_bytes()
        );
    }
    assert!(!other.has(&Sha256::of(b"unrelated"), None));
}

#[test]
fn an_incomplete_store_is_not_exported_fails_closed() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(&folder.path().join("store"));
    fs::remove_file(store.path(&Sha256::of(b"two"))).unwrap();
    let (lock, crates) = lock();
    let target = folder.path().join("a.tar");
    let failed = export(&lock, &crates, &store, &target, &Silent).unwrap_err();
    assert_eq!(failed.code(), "not-in-store");
    assert!(failed.to_string().contains("two"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// An archive with one entry.
fn archive(folder: &Path, name: &str, kind: tar::EntryType, content: &[u8]) -> std::path::PathBuf {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_size(content.len() as u64);
    header.set_cksum();
    builder.append(&header, content).unwrap();
    let path = folder.join("evil.tar");
    fs::write(&path, builder.into_inner().unwrap()).unwrap();
    path
}

#[test]
fn a_hostile_archive_fails_closed() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store")).unwrap();
    let digest = Sha256::of(b"good");
    let named = format!("sha256/{digest}");
    let file = tar::EntryType::Regular;
    for (name, kind, content, why) in [
        (named.as_str(), file, &b"evil"[..], "by its content"),
        (
            "../../etc/passwd",
            file,
            b"x",
            "is no file named by its digest",
        ),
        ("/etc/passwd", file, b"x", "is no file named by its digest"),
        (
            named.as_str(),
            tar::EntryType::Symlink,
            b"",
            "is no file named by its digest",
        ),
    ] {
        let path = archive(folder.path(), name, kind, content);
        match import(&path, &store, &Silent) {
            Err(Error::BadExport { why: found, .. }) => assert!(found.contains(why), "{found}"),
            other => panic!("{name}: {other:?}"),
        }
        assert!(!store.has(&digest, None));
    }
    let path = archive(folder.path(), &named, file, b"good");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..514]).unwrap();
    assert!(import(&path, &store, &Silent).is_err());
    assert!(!store.has(&digest, None));
    fs::write(&path, b"").unwrap();
    assert_eq!(
        import(&path, &store, &Silent).unwrap_err().code(),
        "export-bad"
    );
    fs::write(&path, whole).unwrap();
    assert_eq!(import(&path, &store, &Silent), Ok(1));
}
