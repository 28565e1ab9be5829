//! Two images with one thing changed: the report names that thing.

use std::io::Write as _;

use flate2::Compression as Level;
use flate2::write::GzEncoder;
use lzma_rust2::{XzOptions, XzWriter};
use quorate_eif::cpio::{Archive, Node};
use quorate_eif::{Architecture, Eif, Parts, SectionKind};
use quorate_image_compare::{
    Compression, Difference, Place, Side, UnpackError, What, compare, unpack,
};

fn archive(init: &[u8], mode: u32, extra: Option<&str>) -> Vec<u8> {
    let mut archive = Archive::new();
    archive.add("dev", 0o755, Node::Directory).expect("new");
    let init = Node::File(init.to_vec());
    archive.add("init", mode, init).expect("new");
    if let Some(extra) = extra {
        let node = Node::File(Vec::new());
        archive.add(extra, 0o644, node).expect("new");
    }
    archive.to_bytes()
}

fn gzip(bytes: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Level::new(level));
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let options = XzOptions::with_preset(1);
    let mut writer = XzWriter::new(Vec::new(), options).expect("memory");
    writer.write_all(bytes).expect("memory");
    writer.finish().expect("memory")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

/// An image of these ramdisks.
fn image(kernel: &[u8], ramdisks: &[&[u8]], metadata: &[u8]) -> Vec<u8> {
    let parts = Parts {
        architecture: Architecture::X86_64,
        kernel,
        command_line: "quiet",
        ramdisks,
        metadata,
    };
    Eif::assemble(&parts).expect("an image").to_bytes()
}

fn differences(first: &[u8], second: &[u8]) -> Vec<Difference> {
    let first = Eif::parse(first).expect("an image");
    let second = Eif::parse(second).expect("an image");
    assert_eq!(compare(&first, &first), []);
    compare(&first, &second)
}

fn words(first: &[u8], second: &[u8]) -> Vec<String> {
    let found = differences(first, second);
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn a_changed_file_is_named_with_its_first_byte() {
    let one = archive(b"#!/bin/init one", 0o755, None);
    let other = archive(b"#!/bin/init two!", 0o755, None);
    let expected = "ramdisk 1, init: differs from byte 12 on: 0x6f and 0x74 (15 and 16 bytes)";
    for pack in [
        |bytes: &[u8]| bytes.to_vec(),
        xz,
        |bytes: &[u8]| gzip(bytes, 6),
        zstd,
    ] {
        let one = image(b"k", &[b"0", &pack(&one)], b"{}");
        let other = image(b"k", &[b"0", &pack(&other)], b"{}");
        assert_eq!(words(&one, &other), [expected]);
    }
    // Also where only one of them is compressed.
    let one = image(b"k", &[b"0", &one], b"{}");
    let other = image(b"k", &[b"0", &xz(&other)], b"{}");
    assert_eq!(words(&one, &other), [expected]);
}

#[test]
fn a_file_that_only_one_has_is_named() {
    let one = image(b"k", &[&archive(b"i", 0o755, None)], b"{}");
    let other = image(b"k", &[&archive(b"i", 0o755, Some("key"))], b"{}");
    assert_eq!(words(&one, &other), ["ramdisk 0, key: only in the second"]);
    assert_eq!(words(&other, &one), ["ramdisk 0, key: only in the first"]);
}

#[test]
fn a_changed_mode_is_named() {
    let one = image(b"k", &[&archive(b"i", 0o755, None)], b"{}");
    let other = image(b"k", &[&archive(b"i", 0o4755, None)], b"{}");
    assert_eq!(
        words(&one, &other),
        ["ramdisk 0, init: mode 100755 and 104755"]
    );
}

#[test]
fn another_compression_of_the_same_is_said_so() {
    let content = archive(&[7; 5000], 0o755, None);
    let one = image(b"k", &[&gzip(&content, 1)], b"{}");
    let other = image(b"k", &[&xz(&content)], b"{}");
    let found = differences(&one, &other);
    let by = (Compression::Gzip, Compression::Xz);
    let what = What::Compressed { by, offset: 0 };
    let place = Place::Ramdisk { index: 0 };
    assert_eq!(found, [Difference { place, what }]);
}

#[test]
fn another_layout_of_the_same_files_is_said_so() {
    let one = archive(b"i", 0o755, None);
    let mut other = one.clone();
    other.extend([0; 4]);
    let (one, other) = (image(b"k", &[&one], b"{}"), image(b"k", &[&other], b"{}"));
    let found = differences(&one, &other);
    assert!(
        matches!(
            found.as_slice(),
            [Difference {
                what: What::Layout { .. },
                ..
            }]
        ),
        "{found:?}"
    );
}

#[test]
fn sections_and_claims_are_named() {
    let one = image(b"kernel", &[b"0"], b"{}");
    let other = image(b"kernfl", &[b"0", b"1"], b"[]");
    let found = differences(&one, &other);
    let kernel = SectionKind::Kernel;
    assert_eq!(found[0].place, Place::Section { kind: kernel });
    assert_eq!(
        found[0].to_string(),
        "kernel: differs from byte 4 on: 0x65 and 0x66 (6 bytes each)"
    );
    assert_eq!(
        found[1].to_string(),
        "metadata: differs from byte 0 on: 0x7b and 0x5b (2 bytes each)"
    );
    assert_eq!(found[2].to_string(), "ramdisk 1: only in the second");
    let measured: Vec<_> = found.iter().map(|each| each.place.is_measured()).collect();
    assert_eq!(measured, [true, false, true]);
    let cut = image(b"kern", &[b"0"], b"{}");
    assert_eq!(
        words(&one, &cut),
        ["kernel: differs from byte 4 on: 0x65 and the end (6 and 4 bytes)"]
    );
}

#[test]
fn a_damaged_ramdisk_is_said_to_be_one() {
    let good = xz(&archive(b"i", 0o755, None));
    let mut bad = good.clone();
    let middle = bad.len() / 2;
    bad[middle] ^= 0xff;
    let (one, other) = (image(b"k", &[&good], b"{}"), image(b"k", &[&bad], b"{}"));
    let found = differences(&one, &other);
    let what = What::Opaque {
        side: Side::Second,
        why: UnpackError::Damaged(Compression::Xz),
        offset: middle,
    };
    let place = Place::Ramdisk { index: 0 };
    assert_eq!(found, [Difference { place, what }]);
}

#[test]
fn damaged_or_unknown_compression_fails_closed() {
    let content = archive(b"i", 0o755, None);
    for (packed, compression) in [
        (gzip(&content, 6), Compression::Gzip),
        (xz(&content), Compression::Xz),
        (zstd(&content), Compression::Zstandard),
    ] {
        let unpacked = unpack(&packed).expect("good");
        assert_eq!(unpacked, (compression, content.as_slice().into()));
        let damaged = unpack(&packed[..packed.len() - 6]);
        assert_eq!(damaged, Err(UnpackError::Damaged(compression)));
    }
    assert_eq!(unpack(b"BZh9"), Err(UnpackError::Unknown));
    assert_eq!(unpack(b""), Err(UnpackError::Unknown));
}
