use super::*;
use crate::fixture::{Folders, World, name};
use quorate_verify::chain::ChainError;

fn file(text: &str, bytes: &[u8]) -> (Name, Vec<u8>) {
    (name(text), bytes.to_vec())
}

#[test]
fn only_the_approved_binaries_are_sent() {
    let world = World::new();
    let manifest = world.manifest(None, b"app");
    let files = [file("app", b"app")];
    assert_eq!(
        matching(&manifest, &files),
        Ok(vec![(Sha256::of(b"app"), b"app".as_slice())])
    );
}

#[test]
fn wrong_binaries_fails_closed() {
    let world = World::new();
    let manifest = world.manifest(None, b"app");
    let refused = |files: &[(Name, Vec<u8>)]| matching(&manifest, files).err();
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
        let refused = boot(&folders.shared(), &folders.socket(), &[], sequence);
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
    let refused = boot(&folders.shared(), &folders.socket(), &[], Some(2));
    assert!(refused.is_err());
}
