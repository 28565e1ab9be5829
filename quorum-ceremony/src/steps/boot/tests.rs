use quorate_protocol::atoms::Sha256;

use super::*;
use crate::fixture::{Folders, World, name};
use quorate_verify::chain::ChainError;

/// A folder, to which binaries are written.
struct Place(tempfile::TempDir);

impl Place {
    fn file(&self, text: &str, bytes: &[u8]) -> Binary {
        let path = self.0.path().join(Sha256::of(bytes).to_string());
        std::fs::write(&path, bytes).unwrap();
        let name = name(text);
        Binary { name, path }
    }
}

#[test]
fn only_the_approved_binaries_are_sent() {
    let world = World::new();
    let manifest = world.manifest(None, b"app");
    let place = Place(tempfile::tempdir().unwrap());
    let matched = matching(&manifest, &[place.file("app", b"app")]).unwrap();
    let [(matched, binary)] = &matched[..] else {
        panic!("another number of binaries")
    };
    assert_eq!(
        (matched, binary.sha256()),
        (&name("app"), Sha256::of(b"app"))
    );
}

#[test]
fn wrong_binaries_fails_closed() {
    let world = World::new();
    let manifest = world.manifest(None, b"app");
    let place = Place(tempfile::tempdir().unwrap());
    let file = |text: &str, bytes: &[u8]| place.file(text, bytes);
    let refused = |files: &[Binary]| matching(&manifest, files).err();
    assert_eq!(
        refused(&[file("app", b"other")]),
        Some(
            StepError::BinaryDiffers {
                name: name("app"),
                expected: Sha256::of(b"app"),
                found: Sha256::of(b"other"),
            }
            .into()
        )
    );
    assert_eq!(
        refused(&[]),
        Some(StepError::ApplicationWithoutFile { name: name("app") }.into())
    );
    assert_eq!(
        refused(&[file("app", b"app"), file("extra", b"x")]),
        Some(
            StepError::ApplicationUnknown {
                name: name("extra")
            }
            .into()
        )
    );
    assert_eq!(
        refused(&[file("app", b"app"), file("app", b"app")]),
        Some(InputError::NameRepeated { name: name("app") }.into())
    );
}

/// Nothing is sent, so no enclave has to be there.
#[test]
fn unapproved_chain_fails_closed() {
    let (world, folders) = (World::new(), Folders::new());
    let manifest = world.manifest(None, b"app");
    folders.publish(&world, &[world.link(&manifest, &[1])]);
    for sequence in [None, Some(1)] {
        let refused = boot(
            &folders.shared(),
            &folders.socket(),
            &[],
            sequence,
            &mut |_| {},
        );
        assert!(
            matches!(
                refused,
                Err(CeremonyError::Chain(ChainError::Threshold {
                    have: 1,
                    need: 2,
                    ..
                }))
            ),
            "{refused:?}"
        );
    }
    let refused = boot(
        &folders.shared(),
        &folders.socket(),
        &[],
        Some(2),
        &mut |_| {},
    );
    assert!(refused.is_err());
}
