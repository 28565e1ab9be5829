use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use nix::unistd::mkfifo;

use super::*;
use crate::storage::{Folder, Published, death};

/// A name as a process that died could have left it.
const LEFT: &str = ".new-00000000deadbeef";

fn folder() -> (tempfile::TempDir, Folder) {
    let outer = tempfile::tempdir().unwrap();
    let folder = Folder::create_shared(&outer.path().join("shared")).unwrap();
    (outer, folder)
}

fn again(folder: &Folder) -> Folder {
    Folder::open_shared(folder.path()).unwrap()
}

fn entries(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Wherever a process dies, the next one that writes there leaves only what it wrote.
#[test]
fn what_a_dead_process_left_is_removed_by_the_next_command() {
    let mut left = 0;
    for point in 0.. {
        let (_outer, first) = folder();
        let (done, died) = death::at(point, || first.publish(&["a", "file"], b"text"));
        if !died {
            assert_eq!(done, Ok(Published::Written));
            break;
        }
        drop(first);
        let shared = _outer.path().join("shared");
        let names = fs::read_dir(shared.join("a"));
        left += names.map_or(0, |all| {
            let ours = |e: &Result<fs::DirEntry, _>| {
                e.as_ref()
                    .unwrap()
                    .file_name()
                    .to_str()
                    .unwrap()
                    .starts_with(PREFIX)
            };
            all.filter(ours).count()
        });
        let next = Folder::open_shared(&shared).unwrap();
        next.publish(&["a", "other"], b"more").unwrap();
        let names = entries(&shared.join("a"));
        assert!(
            names.iter().all(|n| n == "file" || n == "other"),
            "{names:?}"
        );
        if names.contains(&"file".into()) {
            assert_eq!(next.read(&["a", "file"], 9), Ok(Some(b"text".to_vec())));
        }
    }
    assert!(left >= 3, "{left}");
}

#[test]
fn what_a_living_process_writes_is_left() {
    let (_outer, first) = folder();
    let parent = File::open(first.path()).unwrap();
    let living = Temporary::write(&parent, b"text", 0o666, first.path()).unwrap();
    let second = again(&first);
    second.publish(&["file"], b"other").unwrap();
    assert_eq!(entries(first.path()), [living.name(), "file"]);
    let name = living.name().to_owned();
    drop(living);
    // Only by a command that begins after it ended.
    second.publish(&["more"], b"other").unwrap();
    assert_eq!(entries(first.path()), [name.as_str(), "file", "more"]);
    again(&first).publish(&["last"], b"other").unwrap();
    assert_eq!(entries(first.path()), ["file", "last", "more"]);
}

/// The file whose lock is held by a process that tidies up is not written on: a new one is made.
#[test]
fn a_file_that_is_taken_for_left_is_begun_again() {
    let (_outer, folder) = folder();
    let parent = File::open(folder.path()).unwrap();
    let (name, file) = create(&parent, 0o666, folder.path()).unwrap();
    let other = File::open(folder.path_of(&[&name])).unwrap();
    other.try_lock().unwrap();
    assert!(!is_held(&parent, &name, &file));
    fs::remove_file(folder.path_of(&[&name])).unwrap();
    drop(other);
    // The lock is free, but the name is gone, or means another file.
    assert!(!is_held(&parent, &name, &file));
    fs::write(folder.path_of(&[&name]), b"another").unwrap();
    assert!(!is_held(&parent, &name, &file));
    let (name, file) = create(&parent, 0o666, folder.path()).unwrap();
    assert!(is_held(&parent, &name, &file));
}

/// Somebody on another machine, where no lock is seen, removes it: it is written again, and not for ever.
#[test]
fn a_file_that_is_gone_is_written_again() {
    let (_outer, folder) = folder();
    let parent = File::open(folder.path()).unwrap();
    let given = std::cell::Cell::new(0);
    let give = |least: usize| {
        given.set(0);
        folder.place(&parent, b"text", folder.path(), |name| {
            given.set(given.get() + 1);
            if given.get() < least {
                fs::remove_file(folder.path_of(&[name])).unwrap();
            }
            Ok(nix::fcntl::renameat(&parent, name, &parent, "file"))
        })
    };
    assert_eq!(give(3), Ok(Ok(())));
    assert_eq!(folder.read(&["file"], 9), Ok(Some(b"text".to_vec())));
    assert_eq!(give(usize::MAX), Ok(Err(Errno::ENOENT)));
    assert_eq!(given.get(), ATTEMPTS);
    assert_eq!(entries(folder.path()), ["file"]);
}

/// Whatever somebody puts into the folder under a name of ours, or one like it, stays, and what it leads
/// to as well.
#[test]
fn what_is_no_file_of_ours_is_left_alone() {
    let (outer, folder) = folder();
    let at = |name: &str| folder.path_of(&[name]);
    let secret: PathBuf = outer.path().join("secret");
    fs::create_dir(&secret).unwrap();
    fs::write(secret.join(LEFT), b"secret").unwrap();
    let link = ".new-0000000000000001";
    let broken = ".new-0000000000000002";
    let inside = ".new-0000000000000003";
    let pipe = ".new-0000000000000004";
    let far = ".new-0000000000000005";
    symlink(secret.join(LEFT), at(link)).unwrap();
    symlink(outer.path().join("nowhere"), at(broken)).unwrap();
    fs::create_dir(at(inside)).unwrap();
    fs::write(at(inside).join(LEFT), b"not looked for").unwrap();
    mkfifo(&at(pipe), Mode::S_IRWXU).unwrap();
    symlink(&secret, at(far)).unwrap();
    let like = [
        ".new-",
        ".new-00000000DEADBEEF",
        ".new-00000000deadbee",
        ".new-00000000deadbeef0",
        ".new-00000000deadbeef.cbor",
        "new-00000000deadbeef",
        "x.new-00000000deadbeef",
        ".new-00000000 eadbeef",
    ];
    for name in like {
        fs::write(at(name), b"theirs").unwrap();
    }
    fs::write(at(LEFT), b"left").unwrap();
    let before = entries(folder.path());
    folder.publish(&["file"], b"text").unwrap();
    let mut expected: Vec<String> = before.into_iter().filter(|name| name != LEFT).collect();
    expected.push("file".into());
    expected.sort();
    assert_eq!(entries(folder.path()), expected);
    assert_eq!(fs::read(secret.join(LEFT)).unwrap(), b"secret");
    assert!(at(inside).join(LEFT).exists());
}

/// A second name of a file that counts, under a name of ours, is only a name.
#[test]
fn a_file_with_two_names_keeps_its_own() {
    let (_outer, first) = folder();
    first.publish(&["file"], b"text").unwrap();
    fs::hard_link(first.path_of(&["file"]), first.path_of(&[LEFT])).unwrap();
    again(&first).publish(&["other"], b"text").unwrap();
    assert_eq!(entries(first.path()), ["file", "other"]);
    assert_eq!(first.read(&["file"], 9), Ok(Some(b"text".to_vec())));
}

#[test]
fn a_folder_full_of_names_is_looked_at_so_far_and_no_further() {
    let (_outer, folder) = folder();
    for number in 0..MAX_LISTED + 10 {
        let name = format!("{PREFIX}{number:016x}");
        fs::write(folder.path_of(&[&name]), b"").unwrap();
    }
    let left = || entries(folder.path()).len();
    folder.publish(&["file"], b"text").unwrap();
    assert!((11..=13).contains(&left()), "{}", left());
    again(&folder).publish(&["other"], b"text").unwrap();
    assert_eq!(entries(folder.path()), ["file", "other"]);
}
