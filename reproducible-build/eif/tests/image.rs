//! Images written and read, and their measurements against the formula written out.

mod support;

use proptest::prelude::*;
use quorate_eif::{Architecture, Eif, Parts, PcrValue, Scan, SectionKind};
use sha2::{Digest as _, Sha384};
use support::{COMMAND_LINE, KERNEL, RAMDISKS, parts, raw, sealed};

/// A register from the parts of its content, as the documents write it.
fn register(content: &[&[u8]]) -> PcrValue {
    let mut extended = vec![0_u8; 48];
    extended.extend(Sha384::digest(content.concat()));
    PcrValue::from_bytes(Sha384::digest(extended).into())
}

#[test]
fn an_image_has_the_bytes_the_format_says() {
    let image = Eif::assemble(&parts()).expect("an image").to_bytes();
    assert_eq!(image, sealed(&raw()));
    let arm = Parts {
        architecture: Architecture::Aarch64,
        ..parts()
    };
    let mut expected = raw();
    expected.flags = 1;
    let arm = Eif::assemble(&arm).expect("an image").to_bytes();
    assert_eq!(arm, sealed(&expected));
}

#[test]
fn parts_come_back_as_they_went_in() {
    let bytes = sealed(&raw());
    let image = Eif::parse(&bytes).expect("an image");
    assert_eq!(image.kernel(), KERNEL);
    assert_eq!(image.command_line(), COMMAND_LINE.as_bytes());
    assert!(image.ramdisks().eq(RAMDISKS));
    assert_eq!(image.metadata(), support::METADATA);
    assert_eq!(image.architecture(), Architecture::X86_64);
    assert_eq!(image.signature(), None);
}

#[test]
fn measurements_follow_the_formula() {
    let bytes = sealed(&raw());
    let found = Eif::parse(&bytes).expect("an image").measure();
    let line = COMMAND_LINE.as_bytes();
    let [system, application] = RAMDISKS;
    assert_eq!(found.pcr0, register(&[KERNEL, line, system, application]));
    assert_eq!(found.pcr1, register(&[KERNEL, line, system]));
    assert_eq!(found.pcr2, register(&[application]));
    assert_eq!(found.pcr8, None);
    // Metadata and flags are in none.
    let mut other = raw();
    other.fill(2, b"{\"ImageName\":\"trust me\"}".to_vec());
    (other.flags, other.memory, other.cpus) = (1, 0, 99);
    let other = sealed(&other);
    assert_eq!(Eif::parse(&other).expect("an image").measure(), found);
}

/// What peers publish for images with one ramdisk.
#[test]
fn an_image_with_one_ramdisk_has_the_known_pcr2() {
    let one = Parts {
        ramdisks: &RAMDISKS[..1],
        ..parts()
    };
    let found = Eif::assemble(&one).expect("an image").measure();
    assert_eq!(found.pcr0, found.pcr1);
    assert_eq!(
        found.pcr2.to_string(),
        "21b9efbc184807662e966d34f390821309eeac6802309798826296bf3e8bec7c\
         10edb30948c90ba67310f7b964fc500a"
    );
}

/// Sections that are not measured do not separate what is.
#[test]
fn boundaries_are_not_measured() {
    let moved = Parts {
        kernel: &[KERNEL, COMMAND_LINE.as_bytes()].concat(),
        command_line: "",
        ..parts()
    };
    let moved = Eif::assemble(&moved).expect("an image").measure();
    assert_eq!(moved, Eif::assemble(&parts()).expect("an image").measure());
}

#[test]
fn values_that_are_none_fails_closed() {
    assert_eq!(
        PcrValue::from_hex(&"0f".repeat(48)),
        Some(PcrValue::from_bytes([15; 48]))
    );
    for text in ["", &"0f".repeat(47), &"0f".repeat(49), &"0g".repeat(48)] {
        assert_eq!(PcrValue::from_hex(text), None);
    }
}

/// Reads a few bytes at a time.
struct Slow<'a>(&'a [u8], usize);

impl std::io::Read for Slow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.1.min(buffer.len()).min(self.0.len());
        let (now, later) = self.0.split_at(length);
        buffer[..length].copy_from_slice(now);
        self.0 = later;
        Ok(length)
    }
}

fn content(max: usize) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 1..max)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read_and_measured_alike(
        arm in any::<bool>(),
        kernel in content(3000),
        command_line in "[ -~]{0,80}",
        metadata in content(300),
        ramdisks in proptest::collection::vec(content(2000), 1..6),
        // Now and then large enough for the second thread and several chunks.
        large in proptest::option::weighted(0.1, 262_100_usize..2_300_000),
        pace in 1_usize..5000,
    ) {
        let mut ramdisks = ramdisks;
        if let Some(large) = large {
            ramdisks.push(vec![7; large]);
        }
        let borrowed: Vec<_> = ramdisks.iter().map(Vec::as_slice).collect();
        let architecture = if arm { Architecture::Aarch64 } else { Architecture::X86_64 };
        let parts = Parts {
            architecture,
            kernel: &kernel,
            command_line: &command_line,
            ramdisks: &borrowed,
            metadata: &metadata,
        };
        let written = Eif::assemble(&parts).expect("an image");
        let bytes = written.to_bytes();
        let read = Eif::parse(&bytes).expect("an image");
        prop_assert_eq!(&read, &written);
        prop_assert_eq!(read.to_bytes(), bytes.clone());
        let line = command_line.as_bytes();
        let all: Vec<_> = [&kernel[..], line].into_iter().chain(borrowed.iter().copied()).collect();
        let found = read.measure();
        prop_assert_eq!(found.pcr0, register(&all));
        prop_assert_eq!(found.pcr1, register(&all[..3]));
        prop_assert_eq!(found.pcr2, register(&all[3..]));
        let scan = Scan::read(Slow(&bytes, pace), |_, _| ()).expect("an image");
        prop_assert_eq!(scan.measurements, found);
        prop_assert_eq!(scan.size, bytes.len() as u64);
        prop_assert_eq!(&scan.command_line, line);
        prop_assert_eq!(&scan.metadata, &metadata);
        for (facts, section) in scan.sections.iter().zip(read.sections()) {
            prop_assert_eq!(facts.kind, section.kind);
            let at = usize::try_from(facts.offset).expect("small") + 12;
            prop_assert_eq!(&bytes[at..][..section.content.len()], section.content);
        }
        prop_assert_eq!(scan.sections.last().map(|facts| facts.kind), Some(SectionKind::Ramdisk));
    }

    #[test]
    fn both_readers_agree_about_changed_images(at in 0_usize..700, value in any::<u8>(), reseal in any::<bool>()) {
        let mut bytes = sealed(&raw());
        let at = at % bytes.len();
        bytes[at] = value;
        if reseal {
            let sum = support::crc32(bytes[..544].iter().chain(&bytes[548..]));
            bytes[544..548].copy_from_slice(&sum.to_be_bytes());
        }
        match (Eif::parse(&bytes), Scan::read(&bytes[..], |_, _| ())) {
            (Ok(eif), Ok(scan)) => {
                prop_assert_eq!(eif.measure(), scan.measurements);
                prop_assert_eq!(eif.to_bytes(), bytes);
            }
            // Which rule is met first may differ: one knows the length of the file beforehand.
            (Err(_), Err(_)) => {}
            (one, other) => prop_assert!(false, "{one:?} {other:?}"),
        }
    }
}
