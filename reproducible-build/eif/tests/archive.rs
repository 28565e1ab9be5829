//! Archives: written as the kernel's documentation says, read within bounds.

use proptest::prelude::*;
use quorate_eif::cpio::{
    Archive, Entry, MAX_ENTRIES, MAX_NAME, Node, ReadError, WriteError, entries, is_archive,
};

/// An entry as the documentation lays it out, by hand.
fn by_hand(fields: [u32; 13], name: &str, content: &[u8]) -> Vec<u8> {
    let mut bytes = b"070701".to_vec();
    for field in fields {
        bytes.extend(format!("{field:08X}").bytes());
    }
    bytes.extend(name.bytes());
    bytes.push(0);
    while !bytes.len().is_multiple_of(4) {
        bytes.push(0);
    }
    bytes.extend(content);
    while !bytes.len().is_multiple_of(4) {
        bytes.push(0);
    }
    bytes
}

fn trailer() -> Vec<u8> {
    by_hand([0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 11, 0], "TRAILER!!!", b"")
}

fn small() -> Archive {
    let mut archive = Archive::new();
    archive.add("dev", 0o755, Node::Directory).expect("new");
    let console = Node::CharacterDevice { major: 5, minor: 1 };
    archive.add("dev/console", 0o600, console).expect("new");
    let init = Node::File(b"\x7fELF!".to_vec());
    archive.add("init", 0o755, init).expect("new");
    let link = Node::Symlink("init".into());
    archive.add("sbin", 0o777, link).expect("new");
    archive
}

#[test]
fn an_archive_has_the_bytes_the_format_says() {
    let expected = [
        by_hand([1, 0o40_755, 0, 0, 2, 0, 0, 0, 0, 0, 0, 4, 0], "dev", b""),
        by_hand(
            [2, 0o20_600, 0, 0, 1, 0, 0, 0, 0, 5, 1, 12, 0],
            "dev/console",
            b"",
        ),
        by_hand(
            [3, 0o100_755, 0, 0, 1, 0, 5, 0, 0, 0, 0, 5, 0],
            "init",
            b"\x7fELF!",
        ),
        by_hand(
            [4, 0o120_777, 0, 0, 1, 0, 4, 0, 0, 0, 0, 5, 0],
            "sbin",
            b"init",
        ),
        trailer(),
    ];
    let written = small().to_bytes();
    assert_eq!(
        written.to_ascii_uppercase(),
        expected.concat().to_ascii_uppercase()
    );
    assert!(is_archive(&written) && !is_archive(b"\x1f\x8b"));
}

#[test]
fn the_order_of_adding_changes_nothing() {
    let mut other = Archive::new();
    other
        .add("sbin", 0o777, Node::Symlink("init".into()))
        .expect("new");
    other
        .add("init", 0o755, Node::File(b"\x7fELF!".to_vec()))
        .expect("new");
    other.add("dev", 0o755, Node::Directory).expect("new");
    let console = Node::CharacterDevice { major: 5, minor: 1 };
    other.add("dev/console", 0o600, console).expect("new");
    assert_eq!(other.to_bytes(), small().to_bytes());
}

#[test]
fn paths_that_are_none_fails_closed() {
    let long = "x".repeat(MAX_NAME);
    for path in [
        "",
        "/init",
        "a//b",
        "a/",
        ".",
        "./init",
        "../init",
        "a\0b",
        "TRAILER!!!",
        &long,
    ] {
        let path = path.to_owned();
        let added = small().add(&path, 0o644, Node::Directory);
        assert_eq!(added, Err(WriteError::Path { path }));
    }
    let path = "l".to_owned();
    for target in ["", "a\0"] {
        let node = Node::Symlink(target.to_owned());
        let path = path.clone();
        assert_eq!(
            small().add(&path, 0o777, node),
            Err(WriteError::Path { path })
        );
    }
    assert_eq!(small().add(&long[1..], 0o644, Node::Directory), Ok(()));
}

#[test]
fn a_path_twice_or_without_its_folder_fails_closed() {
    let path = "init".to_owned();
    assert_eq!(
        small().add(&path, 0o644, Node::Directory),
        Err(WriteError::Twice { path })
    );
    for path in ["etc/passwd", "init/x"] {
        let path = path.to_owned();
        assert_eq!(
            small().add(&path, 0o644, Node::Directory),
            Err(WriteError::NoParent { path })
        );
    }
    let path = "x".to_owned();
    let permissions = 0o10_000;
    assert_eq!(
        small().add(&path, permissions, Node::Directory),
        Err(WriteError::Permissions { path, permissions })
    );
}

fn names(bytes: &[u8]) -> Vec<&[u8]> {
    let found = entries(bytes).expect("an archive");
    found.iter().map(|entry| entry.name).collect()
}

#[test]
fn several_archives_with_zeros_between_are_read() {
    let one = small().to_bytes();
    let mut bytes = one.clone();
    bytes.extend([0; 512]);
    bytes.extend(&one);
    bytes.extend([0; 7]);
    let expected: [&[u8]; 4] = [b"dev", b"dev/console", b"init", b"sbin"];
    assert_eq!(names(&bytes), [expected, expected].concat());
    assert_eq!(entries(b""), Ok(Vec::new()));
    assert_eq!(entries(&[0; 512]), Ok(Vec::new()));
}

#[test]
fn an_entry_is_read_as_it_is() {
    let bytes = [
        by_hand(
            [7, 0o104_755, 1, 2, 3, 4, 5, 6, 7, 8, 9, 5, 10],
            "/a/b",
            b"12345",
        ),
        trailer(),
    ];
    let expected = Entry {
        name: b"/a/b",
        mode: 0o104_755,
        inode: 7,
        owner: (1, 2),
        links: 3,
        modified: 4,
        device: (8, 9),
        content: b"12345",
    };
    assert_eq!(entries(&bytes.concat()), Ok(vec![expected]));
    assert_eq!(expected.kind(), "file");
}

/// Reading these is refused for this reason, and the good archive is still read.
fn refused(bytes: &[u8], expected: ReadError) {
    assert_eq!(entries(bytes), Err(expected));
    assert!(entries(&small().to_bytes()).is_ok());
}

#[test]
fn bytes_that_are_no_archive_fails_closed() {
    refused(b"junkjunk", ReadError::Magic { position: 0 });
    // Entries that the kernel would skip.
    let shifted = [b"\0\0".to_vec(), small().to_bytes()].concat();
    refused(&shifted, ReadError::Magic { position: 2 });
    let mut behind = small().to_bytes();
    let position = behind.len();
    behind.extend(b"more");
    refused(&behind, ReadError::Magic { position });
    let mut checked = small().to_bytes();
    checked[5] = b'2';
    refused(&checked, ReadError::Magic { position: 0 });
}

#[test]
fn fields_that_are_no_numbers_fails_closed() {
    for (at, byte) in [(6, b'g'), (13, b' '), (54, b'+'), (109, b'-')] {
        let mut bytes = small().to_bytes();
        bytes[at] = byte;
        let position = at - (at - 6) % 8;
        refused(&bytes, ReadError::Number { position });
    }
}

#[test]
fn names_that_are_none_fails_closed() {
    let position = 110;
    for fields in
        [0, 1, 3, 5, 4097, u32::MAX].map(|size| [1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, size, 0])
    {
        let mut bytes = by_hand(fields, "dev", b"");
        bytes.extend(vec![b'x'; 5000]);
        refused(&bytes, ReadError::Name { position });
    }
    let longest = "n".repeat(MAX_NAME - 1);
    let fields = [1, 0o100_644, 0, 0, 1, 0, 0, 0, 0, 0, 0, 4096, 0];
    let bytes = [by_hand(fields, &longest, b""), trailer()].concat();
    assert_eq!(names(&bytes), [longest.as_bytes()]);
}

#[test]
fn padding_in_use_fails_closed() {
    let mut bytes = small().to_bytes();
    // "dev\0" ends at 114, padded to 116.
    bytes[115] = 1;
    refused(&bytes, ReadError::Padding { position: 114 });
}

#[test]
fn an_end_mark_with_content_fails_closed() {
    let fields = [0, 0, 0, 0, 1, 0, 4, 0, 0, 0, 0, 11, 0];
    let bytes = by_hand(fields, "TRAILER!!!", b"more");
    refused(&bytes, ReadError::Trailer { position: 0 });
}

#[test]
fn a_truncated_archive_fails_closed() {
    let bytes = small().to_bytes();
    for length in 1..bytes.len() {
        refused(&bytes[..length], ReadError::Truncated { length });
    }
    let fields = [1, 0o100_644, 0, 0, 1, 0, u32::MAX, 0, 0, 0, 0, 2, 0];
    let huge = by_hand(fields, "f", b"12345678");
    let length = huge.len();
    refused(&huge, ReadError::Truncated { length });
}

#[test]
fn too_many_entries_fails_closed() {
    let one = by_hand([1, 0o100_644, 0, 0, 1, 0, 0, 0, 0, 0, 0, 2, 0], "f", b"");
    let mut bytes = one.repeat(MAX_ENTRIES);
    bytes.extend(trailer());
    assert_eq!(names(&bytes).len(), MAX_ENTRIES);
    bytes.extend(one);
    refused(&bytes, ReadError::TooMany);
}

fn node() -> impl Strategy<Value = Node> {
    prop_oneof![
        Just(Node::Directory),
        proptest::collection::vec(any::<u8>(), 0..200).prop_map(Node::File),
        "[a-z/]{1,20}".prop_map(Node::Symlink),
        (any::<u32>(), any::<u32>())
            .prop_map(|(major, minor)| Node::CharacterDevice { major, minor }),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        nodes in proptest::collection::btree_map("[a-zA-Z0-9._-]{3,12}", (0_u32..0o10_000, node()), 0..20),
    ) {
        let mut archive = Archive::new();
        for (path, (permissions, node)) in nodes.iter().rev() {
            archive.add(path, *permissions, node.clone()).expect("new");
        }
        let bytes = archive.to_bytes();
        prop_assert_eq!(bytes.len() % 4, 0);
        let read = entries(&bytes).expect("an archive");
        prop_assert_eq!(read.len(), nodes.len());
        for (entry, (path, (permissions, node))) in read.iter().zip(&nodes) {
            prop_assert_eq!(entry.name, path.as_bytes());
            prop_assert_eq!(entry.mode & 0o7777, *permissions);
            prop_assert_eq!((entry.owner, entry.modified), ((0, 0), 0));
            let (kind, content, device): (_, &[u8], _) = match node {
                Node::Directory => ("folder", b"", (0, 0)),
                Node::File(content) => ("file", content, (0, 0)),
                Node::Symlink(target) => ("symbolic link", target.as_bytes(), (0, 0)),
                Node::CharacterDevice { major, minor } => ("character device", b"", (*major, *minor)),
            };
            prop_assert_eq!((entry.kind(), entry.content, entry.device), (kind, content, device));
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400), at in 0_usize..600) {
        let _ = entries(&bytes);
        let mut changed = small().to_bytes();
        let at = at % changed.len();
        changed[at] = changed[at].wrapping_add(*bytes.first().unwrap_or(&1));
        let _ = entries(&changed);
    }
}
