//! Each rule of the format, broken once: the whole error is compared, by both readers, and the
//! image that was broken is still read.

mod support;

use quorate_eif::{Eif, EifError, Field, MAX_IMAGE, Parts, Scan, SectionKind};
use support::{Raw, parts, raw, sealed};

/// Both readers refuse these bytes for this reason, and accept the good ones.
fn refused(bytes: &[u8], expected: &EifError) {
    assert_eq!(Eif::parse(bytes).as_ref(), Err(expected));
    assert_eq!(Scan::read(bytes, |_, _| ()).as_ref(), Err(expected));
    assert!(Eif::parse(&sealed(&raw())).is_ok());
    assert!(!expected.remedy().is_empty() && !expected.to_string().is_empty());
}

fn broken(change: impl FnOnce(&mut Raw)) -> Vec<u8> {
    let mut image = raw();
    change(&mut image);
    sealed(&image)
}

#[test]
fn another_kind_of_file_fails_closed() {
    let found = *b"\x7fELF";
    let mut bytes = sealed(&raw());
    bytes[..4].copy_from_slice(&found);
    refused(&bytes, &EifError::Magic { found });
    refused(&bytes[..100], &EifError::Magic { found });
}

#[test]
fn another_version_fails_closed() {
    for found in [0, 3, 5, u16::MAX] {
        let bytes = broken(|image| image.version = found);
        refused(&bytes, &EifError::Version { found });
    }
}

#[test]
fn unknown_header_flags_fails_closed() {
    for found in [2, 3, 0x8000] {
        let bytes = broken(|image| image.flags = found);
        refused(&bytes, &EifError::Flags { found });
    }
    assert!(Eif::parse(&broken(|image| image.flags = 1)).is_ok());
}

#[test]
fn reserved_fields_in_use_fails_closed() {
    let field = Field::Reserved;
    let bytes = broken(|image| image.reserved = 1);
    refused(&bytes, &EifError::Reserved { field });
    let field = Field::Unused;
    let bytes = broken(|image| image.unused = 1);
    refused(&bytes, &EifError::Reserved { field });
    let field = Field::TableEntry { index: 31 };
    let bytes = broken(|image| image.offsets[31] = 1);
    refused(&bytes, &EifError::Reserved { field });
    let field = Field::TableEntry { index: 6 };
    let bytes = broken(|image| image.sizes[6] = 1);
    refused(&bytes, &EifError::Reserved { field });
}

#[test]
fn thirty_three_sections_fails_closed() {
    let bytes = broken(|image| image.count = 33);
    refused(&bytes, &EifError::TooManySections { found: 33 });
    // Written, too: kernel, command line, metadata and 30 ramdisks are 33.
    let ramdisks = vec![&b"r"[..]; 30];
    let parts = Parts {
        ramdisks: &ramdisks,
        ..parts()
    };
    let found = 33;
    assert_eq!(
        Eif::assemble(&parts),
        Err(EifError::TooManySections { found })
    );
    let parts = Parts {
        ramdisks: &ramdisks[1..],
        ..parts
    };
    let full = Eif::assemble(&parts).expect("32 sections").to_bytes();
    assert_eq!(Eif::parse(&full).map(|eif| eif.sections().len()), Ok(32));
}

#[test]
fn overlapping_sections_fails_closed() {
    let good = raw();
    let (index, offset, end) = (2, good.offsets[2] - 1, good.offsets[2]);
    let bytes = broken(|image| image.offsets[2] -= 1);
    refused(&bytes, &EifError::Overlap { index, offset, end });
    let bytes = broken(|image| image.offsets[0] = 0);
    let (index, offset, end) = (0, 0, 548);
    refused(&bytes, &EifError::Overlap { index, offset, end });
    let bytes = broken(|image| image.offsets[1] = image.offsets[0]);
    let (index, offset, end) = (1, 548, good.offsets[1]);
    refused(&bytes, &EifError::Overlap { index, offset, end });
}

#[test]
fn a_gap_between_sections_fails_closed() {
    let offset = raw().offsets[3] + 7;
    let bytes = broken(|image| image.offsets[3] += 7);
    let (index, missing) = (3, 7);
    refused(
        &bytes,
        &EifError::Gap {
            index,
            offset,
            missing,
        },
    );
}

#[test]
fn huge_sizes_fails_closed() {
    for size in [u64::MAX, MAX_IMAGE, MAX_IMAGE - 548 - 11] {
        let bytes = broken(|image| image.sizes[0] = size);
        refused(&bytes, &EifError::ImageTooLarge);
    }
    // The largest image by its table, of which there are a few bytes.
    let mut image = raw();
    image.count = 1;
    image.offsets[1..].fill(0);
    image.sizes.fill(0);
    image.sizes[0] = MAX_IMAGE - 548 - 12;
    let bytes = sealed(&image);
    assert_eq!(
        Eif::parse(&bytes),
        Err(EifError::Truncated {
            length: bytes.len() as u64,
            promised: MAX_IMAGE
        })
    );
}

#[test]
fn table_and_section_that_disagree_fails_closed() {
    let section = raw().sizes[1];
    let bytes = broken(|image| image.sections[1].size += 1);
    refused(
        &bytes,
        &EifError::SectionSize {
            index: 1,
            table: section,
            section: section + 1,
        },
    );
}

#[test]
fn an_unknown_section_fails_closed() {
    for found in [0, 6, u16::MAX] {
        let bytes = broken(|image| image.sections[2].kind = found);
        refused(&bytes, &EifError::SectionKind { index: 2, found });
    }
}

#[test]
fn section_flags_fails_closed() {
    let bytes = broken(|image| image.sections[0].flags = 1);
    refused(&bytes, &EifError::SectionFlags { index: 0, found: 1 });
}

#[test]
fn a_second_kernel_fails_closed() {
    let bytes = broken(|image| image.sections[2].kind = 1);
    let kind = SectionKind::Kernel;
    refused(&bytes, &EifError::Duplicate { index: 2, kind });
}

#[test]
fn sections_out_of_order_fails_closed() {
    let kinds = |kinds: [u16; 5]| {
        broken(|image| {
            for (section, kind) in image.sections.iter_mut().zip(kinds) {
                section.kind = kind;
            }
        })
    };
    let order = |index, kind, after| EifError::Order { index, kind, after };
    let (kernel, line, ramdisk) = (
        SectionKind::Kernel,
        SectionKind::CommandLine,
        SectionKind::Ramdisk,
    );
    refused(&kinds([2, 1, 5, 3, 3]), &order(1, kernel, line));
    refused(&kinds([1, 3, 5, 2, 3]), &order(3, line, ramdisk));
    refused(&kinds([3, 1, 5, 2, 3]), &order(1, kernel, ramdisk));
    // Where the metadata stands changes no measurement.
    assert!(Eif::parse(&kinds([5, 1, 2, 3, 3])).is_ok());
}

#[test]
fn a_missing_section_fails_closed() {
    for (kind, number) in [
        (SectionKind::Kernel, 1),
        (SectionKind::CommandLine, 2),
        (SectionKind::Metadata, 5),
    ] {
        let bytes = broken(|image| {
            let at = image.sections.iter().position(|s| s.kind == number);
            image.remove(at.expect("the section"));
        });
        refused(&bytes, &EifError::Missing { kind });
    }
    let bytes = broken(|image| {
        image.remove(4);
        image.remove(3);
    });
    let kind = SectionKind::Ramdisk;
    refused(&bytes, &EifError::Missing { kind });
}

#[test]
fn an_empty_section_fails_closed() {
    for (index, kind) in [
        (0, SectionKind::Kernel),
        (2, SectionKind::Metadata),
        (3, SectionKind::Ramdisk),
    ] {
        let bytes = broken(|image| image.fill(index, Vec::new()));
        refused(&bytes, &EifError::Empty { index, kind });
    }
    // An empty command line is one.
    assert!(Eif::parse(&broken(|image| image.fill(1, Vec::new()))).is_ok());
}

#[test]
fn a_section_beyond_its_limit_fails_closed() {
    for (index, kind) in [(1, SectionKind::CommandLine), (2, SectionKind::Metadata)] {
        let max = kind.max();
        let full = usize::try_from(max).expect("small");
        assert!(Eif::parse(&broken(|image| image.fill(index, vec![b'x'; full]))).is_ok());
        let bytes = broken(|image| image.fill(index, vec![b'x'; full + 1]));
        let size = max + 1;
        refused(
            &bytes,
            &EifError::SectionTooLarge {
                index,
                kind,
                size,
                max,
            },
        );
    }
}

#[test]
fn a_signature_too_large_fails_closed() {
    let max = 32 * 1024;
    let bytes = broken(|image| image.push(4, vec![0; max + 1]));
    refused(
        &bytes,
        &EifError::SectionTooLarge {
            index: 5,
            kind: SectionKind::Signature,
            size: max as u64 + 1,
            max: max as u64,
        },
    );
    let eif = sealed(&raw());
    let eif = Eif::parse(&eif).expect("good");
    assert!(matches!(
        eif.with_signature(&vec![0; max + 1]),
        Err(EifError::SectionTooLarge { .. })
    ));
}

#[test]
fn a_zero_byte_in_the_command_line_fails_closed() {
    let bytes = broken(|image| image.fill(1, b"quiet\0panic=0".to_vec()));
    refused(&bytes, &EifError::CommandLineZero { position: 5 });
    let parts = Parts {
        command_line: "quiet\0",
        ..parts()
    };
    let position = 5;
    assert_eq!(
        Eif::assemble(&parts),
        Err(EifError::CommandLineZero { position })
    );
}

#[test]
fn a_wrong_checksum_fails_closed() {
    let mut bytes = sealed(&raw());
    let good = bytes.clone();
    let stored = u32::from_be_bytes(bytes[544..548].try_into().expect("4 bytes"));
    bytes[547] ^= 1;
    refused(
        &bytes,
        &EifError::Checksum {
            stored: stored ^ 1,
            computed: stored,
        },
    );
    // No changed bit of content goes unseen.
    for at in (548..good.len()).step_by(3) {
        let mut bytes = good.clone();
        bytes[at] ^= 4;
        assert!(Eif::parse(&bytes).is_err() && Scan::read(&bytes[..], |_, _| ()).is_err());
    }
}

#[test]
fn a_truncated_image_fails_closed() {
    let bytes = sealed(&raw());
    let whole = bytes.len() as u64;
    for length in 0..bytes.len() {
        let promised = if length < 548 { 548 } else { whole };
        let length = length as u64;
        let expected = EifError::Truncated { length, promised };
        refused(&bytes[..usize::try_from(length).expect("small")], &expected);
    }
}

#[test]
fn trailing_bytes_fails_closed() {
    let mut bytes = sealed(&raw());
    let end = bytes.len() as u64;
    bytes.push(0);
    refused(&bytes, &EifError::Trailing { end });
}

#[test]
fn a_medium_that_fails_fails_closed() {
    struct Broken;
    impl std::io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::TimedOut.into())
        }
    }
    use std::io::Read as _;
    let bytes = sealed(&raw());
    for length in [0, 100, 548, 555, 600, bytes.len()] {
        let reader = bytes[..length].chain(Broken);
        let expected = Err(EifError::Io(std::io::ErrorKind::TimedOut));
        assert_eq!(Scan::read(reader, |_, _| ()), expected);
    }
}
