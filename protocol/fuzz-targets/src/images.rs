//! Images of strangers: the file, its signature section, and what is in its ramdisks.

use quorate_eif::cpio::{self, Archive};
use quorate_eif::signature::{SignatureSection, to_be_signed};
use quorate_eif::{Eif, EifError, Scan};
use quorate_image_compare::{compare, unpack_within};

/// Most bytes a ramdisk is unpacked to here: 1 MiB.
const UNPACKED: usize = 1 << 20;

/// Both readers accept the same images, find the same in them, and what was read encodes to what
/// was received. Bytes refused for their checksum alone are tried again with the right one.
pub(crate) fn eif(data: &[u8]) {
    match (Eif::parse(data), Scan::read(data, |_, _| ())) {
        (Ok(image), Ok(scan)) => {
            assert_eq!(image.to_bytes(), data);
            assert_eq!(image.measure(), scan.measurements);
            assert_eq!(image.command_line(), scan.command_line);
            assert_eq!(image.metadata(), scan.metadata);
            assert_eq!(image.signature(), scan.signature.as_ref());
            assert_eq!(image.sections().len(), scan.sections.len());
            assert_eq!(compare(&image, &image), []);
        }
        (Err(EifError::Checksum { computed, .. }), Err(error)) => {
            let mut sealed = data.to_vec();
            sealed[544..548].copy_from_slice(&computed.to_be_bytes());
            match Eif::parse(&sealed) {
                Err(EifError::Checksum { .. }) => panic!("sealed, and still not right"),
                // Where several rules are broken, which one is named is each reader's choice.
                Err(_) => {}
                Ok(_) => assert!(matches!(error, EifError::Checksum { .. }), "{error}"),
            }
            eif(&sealed);
        }
        (Err(_), Err(_)) => {}
        (one, other) => panic!("{one:?}, {other:?}"),
    }
}

/// What is a section has one encoding.
pub(crate) fn signature(data: &[u8]) {
    if let Ok(section) = SignatureSection::parse(data) {
        assert_eq!(section.to_bytes(), data);
        let algorithm = section.algorithm();
        assert_eq!(section.signature().len(), algorithm.signature_len());
        assert!(!to_be_signed(algorithm, section.pcr0()).is_empty());
    }
}

/// Entries lie inside the archive, and names are what a kernel would see.
pub(crate) fn archive(data: &[u8]) {
    let Ok(entries) = cpio::entries(data) else {
        return;
    };
    let mut total = 0;
    for entry in &entries {
        assert!(!entry.name.is_empty() && !entry.name.contains(&0));
        assert!(entry.name.len() < cpio::MAX_NAME);
        total += entry.content.len() + 110;
    }
    assert!(total <= data.len());
    assert_eq!(cpio::entries(&Archive::new().to_bytes()), Ok(Vec::new()));
}

/// Nothing that is unpacked exceeds its bound.
pub(crate) fn ramdisk(data: &[u8]) {
    if let Ok((_, content)) = unpack_within(data, UNPACKED) {
        assert!(content.len() <= UNPACKED.max(data.len()));
        archive(&content);
    }
}
