use super::*;
use crate::deb::tests::package as deb;
use crate::progress::Silent;
use crate::tree;

enum Item<'a> {
    File(&'a str, u32, &'a [u8]),
    Folder(&'a str, u32),
    Link(&'a str, &'a str),
    Hard(&'a str, &'a str),
    Device(&'a str),
}

fn archive(items: &[Item<'_>]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for item in items {
        let mut header = tar::Header::new_gnu();
        let (path, kind, mode, content): (_, _, _, &[u8]) = match item {
            Item::File(path, mode, content) => (path, EntryType::Regular, *mode, content),
            Item::Folder(path, mode) => (path, EntryType::Directory, *mode, b""),
            Item::Link(path, _) => (path, EntryType::Symlink, 0o777, b""),
            Item::Hard(path, _) => (path, EntryType::Link, 0o644, b""),
            Item::Device(path) => (path, EntryType::Char, 0o600, b""),
        };
        // The crate's own setter refuses the paths a hostile package would have.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        if let Item::Link(_, to) | Item::Hard(_, to) = item {
            header.as_old_mut().linkname[..to.len()].copy_from_slice(to.as_bytes());
        }
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(content.len() as u64);
        header.set_cksum();
        builder.append(&header, content).unwrap();
    }
    builder.into_inner().unwrap()
}

/// Unpacks packages made of these items under a folder with spaces and letters of all kinds.
fn unpacked(packages: &[&[Item<'_>]]) -> (tempfile::TempDir, Result<PathBuf, Error>) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store")).unwrap();
    let mut locked = Vec::new();
    for (index, items) in packages.iter().enumerate() {
        let bytes = deb("data.tar", &archive(items));
        let sha256 = Sha256::of(&bytes);
        store
            .insert(&mut &bytes[..], &sha256, 1 << 20)
            .unwrap()
            .unwrap();
        locked.push(Package {
            name: format!("p{index}"),
            version: "1".into(),
            size: bytes.len() as u64,
            sha256,
            archive: "debian".into(),
            path: "pool/x.deb".into(),
        });
    }
    let root = folder.path().join("Wurzel ä 根");
    let outcome = unpack(&locked, &store, &root, &Silent).map(|()| root);
    (folder, outcome)
}

fn refusal(items: &[Item<'_>]) -> String {
    match unpacked(&[items]).1 {
        Err(Error::BadPackage { name, why }) if name == "p0" => why,
        other => panic!("{other:?}"),
    }
}

const GOOD: &[Item<'_>] = &[
    Item::Folder("./", 0o755),
    Item::Folder("./bin", 0o755),
    Item::File("./bin/sh", 0o755, b"#!"),
    Item::Folder("./usr/share/doc/x", 0o755),
    Item::File("./usr/share/doc/x/copyright", 0o644, b"text"),
    Item::Hard("./usr/bin/dash", "./bin/sh"),
    Item::Link("./usr/bin/bash", "sh"),
    Item::File("./usr/bin/mawk", 0o4755, b"awk"),
];

#[test]
fn a_package_becomes_files_in_the_places_of_debian_12() {
    let (_folder, root) = unpacked(&[GOOD]);
    let root = root.unwrap();
    assert_eq!(fs::read(root.join("usr/bin/sh")).unwrap(), b"#!");
    assert_eq!(fs::read(root.join("bin/bash")).unwrap(), b"#!");
    assert_eq!(fs::read(root.join("bin/dash")).unwrap(), b"#!");
    assert_eq!(
        fs::read_link(root.join("usr/bin/awk")).unwrap(),
        Path::new("mawk")
    );
    assert!(!root.join("usr/share/doc").exists());
    // No setuid bit survives.
    let mode = fs::metadata(root.join("usr/bin/mawk"))
        .unwrap()
        .permissions();
    assert_eq!(mode.mode() & 0o7777, 0o755);
}

#[test]
fn the_same_packages_give_the_same_root() {
    let other: &[Item<'_>] = &[Item::File("./lib/x.so", 0o644, b"so")];
    let (_one, first) = unpacked(&[GOOD, other]);
    let (_two, second) = unpacked(&[other, GOOD]);
    let first = tree::digest(&first.unwrap()).unwrap();
    assert_eq!(tree::digest(&second.unwrap()).unwrap(), first);
}

#[test]
fn a_package_that_writes_outside_the_root_fails_closed() {
    for path in ["../evil", "/etc/evil", "./usr/../../evil"] {
        let why = refusal(&[Item::File(path, 0o644, b"x")]);
        assert_eq!(why, format!("{path} leaves its folder"));
    }
    let why = refusal(&[Item::Hard("./usr/x", "../../etc/passwd")]);
    assert_eq!(why, "../../etc/passwd leaves its folder");
    let through = [
        Item::Link("./usr/out", "/tmp"),
        Item::File("./usr/out/evil", 0o644, b"x"),
    ];
    assert!(refusal(&through).starts_with("it writes through "));
    assert!(unpacked(&[GOOD]).1.is_ok());
}

#[test]
fn a_device_in_a_package_fails_closed() {
    assert_eq!(refusal(&[Item::Device("./dev/sda")]), "./dev/sda is a Char");
}

#[test]
fn two_packages_with_one_file_fail_closed() {
    let twice: &[Item<'_>] = &[Item::File("./usr/bin/sh", 0o755, b"other")];
    let outcome = unpacked(&[GOOD, twice]).1.unwrap_err();
    assert!(
        matches!(outcome, Error::File { action: "make", .. }),
        "{outcome}"
    );
}
