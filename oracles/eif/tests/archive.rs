//! Our cpio archives beside those of the crate `cpio`, by another author.

use std::io::{Cursor, Read as _};

use cpio::newc::{Builder, ModeFileType, Reader, trailer};
use quorate_eif::cpio::{Archive, Node, entries};

fn archive() -> Archive {
    let mut archive = Archive::new();
    archive.add("dev", 0o755, Node::Directory).expect("new");
    let node = Node::CharacterDevice { major: 5, minor: 1 };
    archive.add("dev/console", 0o600, node).expect("new");
    let node = Node::File(vec![7; 1001]);
    archive.add("init", 0o755, node).expect("new");
    let node = Node::File(Vec::new());
    archive.add("nothing", 0o644, node).expect("new");
    let node = Node::Symlink("../init".into());
    archive.add("dev/link", 0o777, node).expect("new");
    archive
}

#[test]
fn the_oracle_reads_what_we_wrote() {
    let bytes = archive().to_bytes();
    let ours = entries(&bytes).expect("an archive");
    let mut source = Cursor::new(bytes.clone());
    for entry in &ours {
        let mut reader = Reader::new(source).expect("an entry");
        let theirs = reader.entry();
        assert_eq!(theirs.name().as_bytes(), entry.name);
        assert_eq!(theirs.mode(), entry.mode);
        assert_eq!(theirs.ino(), entry.inode);
        assert_eq!((theirs.uid(), theirs.gid()), entry.owner);
        assert_eq!(theirs.nlink(), entry.links);
        assert_eq!(theirs.mtime(), entry.modified);
        assert_eq!((theirs.rdev_major(), theirs.rdev_minor()), entry.device);
        let mut content = Vec::new();
        reader.read_to_end(&mut content).expect("content");
        assert_eq!(content, entry.content);
        source = reader.finish().expect("padding");
    }
    let last = Reader::new(source).expect("an entry");
    assert!(last.entry().is_trailer());
}

#[test]
fn we_read_what_the_oracle_wrote() {
    let files: [(&str, u32, &[u8]); 3] = [
        ("etc", 0o755, b""),
        ("etc/x", 0o640, b"content"),
        ("etc/y", 0o777, b"x"),
    ];
    let kind = |name: &str| match name {
        "etc" => ModeFileType::Directory,
        "etc/x" => ModeFileType::Regular,
        _ => ModeFileType::Symlink,
    };
    let mut bytes = Vec::new();
    for (inode, (name, mode, content)) in (1..).zip(files) {
        let length = u32::try_from(content.len()).expect("small");
        let builder = Builder::new(name).ino(inode).uid(1).gid(2).mtime(3);
        let builder = builder.mode(mode).set_mode_file_type(kind(name));
        let mut writer = builder.write(&mut bytes, length);
        std::io::Write::write_all(&mut writer, content).expect("memory");
        writer.finish().expect("memory");
    }
    trailer(&mut bytes).expect("memory");
    let read = entries(&bytes).expect("an archive");
    assert_eq!(read.len(), files.len());
    let kinds: Vec<_> = read.iter().map(|entry| entry.kind()).collect();
    assert_eq!(kinds, ["folder", "file", "symbolic link"]);
    for (entry, (inode, (name, mode, content))) in read.iter().zip((1..).zip(files)) {
        assert_eq!(entry.name, name.as_bytes());
        assert_eq!(entry.mode & 0o7777, mode);
        let found = (entry.inode, entry.owner, entry.modified);
        assert_eq!(found, (inode, (1, 2), 3));
        assert_eq!(entry.content, content);
    }
}
