use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::*;

fn shared() -> (tempfile::TempDir, Folder) {
    let outer = tempfile::tempdir().unwrap();
    let folder = Folder::create_shared(&outer.path().join("shared")).unwrap();
    (outer, folder)
}

fn entries(path: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn what_is_published_is_read_and_nothing_else_is_left() {
    let (_outer, folder) = shared();
    assert_eq!(folder.read(&["a", "b"], 10), Ok(None));
    assert_eq!(folder.publish(&["a", "b"], b"text"), Ok(Published::Written));
    assert_eq!(
        folder.publish(&["a", "b"], b"text"),
        Ok(Published::AlreadyThere)
    );
    assert_eq!(folder.read(&["a", "b"], 4), Ok(Some(b"text".to_vec())));
    assert_eq!(entries(&folder.path().join("a")), ["b"]);
}

#[test]
fn replacing_a_differing_file_fails_closed() {
    let (_outer, folder) = shared();
    folder.publish(&["file"], b"first").unwrap();
    let path = folder.path_of(&["file"]);
    for other in [&b"other"[..], b"first and more", b"fir", b""] {
        let refused = folder.publish(&["file"], other);
        assert_eq!(refused, Err(StorageError::Differs { path: path.clone() }));
    }
    assert_eq!(folder.read(&["file"], 10), Ok(Some(b"first".to_vec())));
    assert_eq!(entries(folder.path()), ["file"]);
}

#[test]
fn long_file_fails_closed() {
    let (_outer, folder) = shared();
    fs::write(folder.path_of(&["file"]), [0; 11]).unwrap();
    let path = folder.path_of(&["file"]);
    assert_eq!(
        folder.read(&["file"], 10),
        Err(StorageError::TooLong { path, max: 10 })
    );
    assert!(folder.read(&["file"], 11).is_ok());
}

#[test]
fn symbolic_links_fails_closed() {
    let (outer, folder) = shared();
    let secret = outer.path().join("secret");
    fs::create_dir(&secret).unwrap();
    fs::write(secret.join("file"), b"secret").unwrap();
    symlink(secret.join("file"), folder.path_of(&["link"])).unwrap();
    symlink(&secret, folder.path_of(&["folder"])).unwrap();
    symlink(outer.path().join("nowhere"), folder.path_of(&["broken"])).unwrap();

    let not_plain = |file: &[&str]| {
        Err(StorageError::NotPlain {
            path: folder.path_of(file),
        })
    };
    assert_eq!(folder.read(&["link"], 10), not_plain(&["link"]));
    assert_eq!(folder.read(&["folder", "file"], 10), not_plain(&["folder"]));
    assert_eq!(folder.read(&["broken"], 10), not_plain(&["broken"]));
    assert!(folder.publish(&["link"], b"x").is_err());
    assert!(folder.publish(&["folder", "new"], b"x").is_err());
    assert!(folder.publish(&["broken"], b"x").is_err());
    assert_eq!(entries(&secret), ["file"]);
    assert!(!outer.path().join("nowhere").exists());
}

/// A kernel or sandbox without openat2 gets the same files, and the same refusals, component by component.
#[test]
fn one_call_and_the_walk_open_the_same() {
    let (outer, folder) = shared();
    folder.publish(&["a", "b", "c"], b"text").unwrap();
    symlink(outer.path(), folder.path_of(&["out"])).unwrap();
    fs::write(outer.path().join("file"), b"secret").unwrap();
    let inode = |file: &File| file.metadata().unwrap().ino();
    let inside = ["a", "b", "c"];
    let walked = folder.walk_to_file(&inside).unwrap().unwrap();
    let called = folder.open_below(&inside, FILE_TO_READ).unwrap();
    assert_eq!(inode(&walked), inode(&called));
    for (outside, errno) in [
        (["out", "file"], Errno::ELOOP),
        (["..", "file"], Errno::EXDEV),
        (["a", "none"], Errno::ENOENT),
    ] {
        let refused = folder.open_below(&outside, FILE_TO_READ).map(drop);
        assert_eq!(refused, Err(errno), "{outside:?}");
    }
    assert!(folder.walk_to_file(&["out", "file"]).is_err());
    assert!(matches!(folder.walk_to_file(&["a", "none"]), Ok(None)));
}

/// Opening a pipe that nobody writes to must not wait for ever.
#[test]
fn pipes_and_folders_in_place_of_files_fails_closed() {
    let (_outer, folder) = shared();
    mkfifo(&folder.path_of(&["pipe"]), Mode::S_IRWXU).unwrap();
    fs::create_dir(folder.path_of(&["folder"])).unwrap();
    for name in ["pipe", "folder"] {
        let refused = folder.read(&[name], 10);
        assert_eq!(
            refused,
            Err(StorageError::NotPlain {
                path: folder.path_of(&[name])
            })
        );
    }
    fs::write(folder.path_of(&["file"]), b"").unwrap();
    let refused = folder.read(&["file", "inside"], 10);
    assert_eq!(
        refused,
        Err(StorageError::NotPlain {
            path: folder.path_of(&["file"])
        })
    );
}

#[test]
fn private_folders_and_files_are_nobody_elses() {
    let outer = tempfile::tempdir().unwrap();
    let folder = Folder::create_private(&outer.path().join("private")).unwrap();
    folder.publish(&["grants", "a"], b"x").unwrap();
    folder.replace(&["pins"], b"x").unwrap();
    let mode = |file: &[&str]| {
        fs::metadata(folder.path_of(file))
            .unwrap()
            .permissions()
            .mode()
            & 0o7777
    };
    assert_eq!(mode(&[]), 0o700);
    assert_eq!(mode(&["grants"]), 0o700);
    assert_eq!(mode(&["grants", "a"]), 0o600);
    assert_eq!(mode(&["pins"]), 0o600);
}

#[test]
fn private_folder_open_to_others_fails_closed() {
    let outer = tempfile::tempdir().unwrap();
    let path = outer.path().join("private");
    Folder::create_private(&path).unwrap();
    for mode in [0o750, 0o705, 0o710, 0o770, 0o777] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let refused = Folder::open_private(&path).map(drop);
        assert_eq!(
            refused,
            Err(StorageError::NotPrivate {
                path: path.clone(),
                mode
            })
        );
    }
}

#[test]
fn second_command_in_a_private_folder_fails_closed() {
    let outer = tempfile::tempdir().unwrap();
    let path = outer.path().join("private");
    let folder = Folder::create_private(&path).unwrap();
    let lock = folder.lock().unwrap();
    let second = Folder::open_private(&path).unwrap();
    assert_eq!(second.lock().map(drop), Err(StorageError::Busy { path }));
    drop(lock);
    assert!(second.lock().is_ok());
}

#[test]
fn replacing_keeps_the_newest() {
    let outer = tempfile::tempdir().unwrap();
    let folder = Folder::create_private(&outer.path().join("private")).unwrap();
    folder.replace(&["pins"], b"one").unwrap();
    folder.replace(&["pins"], b"two").unwrap();
    assert_eq!(folder.read(&["pins"], 10), Ok(Some(b"two".to_vec())));
    assert_eq!(entries(folder.path()), ["pins"]);
}

#[test]
fn missing_folder_or_file_fails_closed() {
    let outer = tempfile::tempdir().unwrap();
    let path = outer.path().join("none");
    assert_eq!(
        Folder::open_shared(&path).map(drop),
        Err(StorageError::Missing { path: path.clone() })
    );
    assert_eq!(read_named(&path, 1), Err(StorageError::Missing { path }));
    let (_outer, folder) = shared();
    let path = folder.path_of(&["a", "b"]);
    assert_eq!(
        folder.require(&["a", "b"], 1),
        Err(StorageError::Missing { path })
    );
}

#[test]
fn named_files_are_bounded_and_not_replaced() {
    let outer = tempfile::tempdir().unwrap();
    let path = outer.path().join("evidence.cbor");
    assert_eq!(publish_named(&path, b"one"), Ok(Published::Written));
    assert!(matches!(
        publish_named(&path, b"two"),
        Err(StorageError::Differs { .. })
    ));
    assert_eq!(read_named(&path, 3), Ok(b"one".to_vec()));
    assert_eq!(
        read_named(&path, 2),
        Err(StorageError::TooLong { path, max: 2 })
    );
}
