use quorate_protocol::invalid::Invalid;

use quorate_verify::chain::walk;

use super::*;
use crate::fixture::{Folders, World, application, measurements, name};
use crate::storage::StorageError;
use quorate_verify::genesis::GenesisError;

fn window() -> Validity {
    validity(wall_clock(), 1).unwrap()
}

fn make(
    world: &World,
    links: &[Link],
    applications: Vec<Application>,
) -> Result<Manifest, CeremonyError> {
    next(
        &world.verified(),
        links,
        Parts {
            measurements: measurements(1),
            applications,
            validity: window(),
            forward: None,
        },
    )
}

#[test]
fn manifests_follow_one_another() {
    let world = World::new();
    let first = make(&world, &[], vec![application("a", b"1")]).unwrap();
    assert_eq!((first.sequence, first.previous), (1, None));
    let links = [world.link(&first, &[0, 2])];
    let mut b = application("b", b"2");
    b.ports = vec![5200];
    let second = make(&world, &links, vec![b, application("a", b"1")]).unwrap();
    assert_eq!(
        (second.sequence, second.previous),
        (2, Some(Digest::of(&first)))
    );
    assert_eq!(second.last_set_change, None);
    let names: Vec<&str> = second
        .applications
        .iter()
        .map(|a| a.name.as_str())
        .collect();
    assert_eq!(names, ["a", "b"]);
    let chain = walk(
        &world.verified(),
        &[links[0].clone(), world.link(&second, &[0, 1])],
    );
    assert_eq!(chain.unwrap().sequence(), 2);
}

#[test]
fn successor_of_an_unapproved_manifest_fails_closed() {
    let world = World::new();
    let first = make(&world, &[], vec![application("a", b"1")]).unwrap();
    for members in [&[][..], &[1]] {
        let links = [world.link(&first, members)];
        assert_eq!(
            make(&world, &links, vec![application("a", b"2")]),
            Err(StepError::ManifestPending { sequence: 1 }.into())
        );
    }
}

#[test]
fn impossible_applications_fails_closed() {
    let world = World::new();
    let invalid = |invalid| Err(StepError::ManifestInvalid(invalid).into());
    assert_eq!(
        make(&world, &[], Vec::new()),
        invalid(Invalid::ListLength {
            min: 1,
            max: 16,
            found: 0
        })
    );
    assert_eq!(
        make(&world, &[], vec![application("init", b"1")]),
        invalid(Invalid::ApplicationNameReserved)
    );
    assert_eq!(
        make(
            &world,
            &[],
            vec![application("a", b"1"), application("a", b"2")]
        ),
        Err(InputError::NameRepeated { name: name("a") }.into())
    );
    let both = vec![application("a", b"1"), application("b", b"2")];
    assert_eq!(
        make(&world, &[], both),
        invalid(Invalid::Port { found: 5100 })
    );
}

#[test]
fn empty_or_endless_validity_fails_closed() {
    assert!(validity(wall_clock(), 0).is_err());
    assert!(validity(UnixMillis(u64::MAX - 5), 1).is_err());
    assert!(validity(wall_clock(), u32::MAX).is_ok());
}

fn plan(binary: &Path) -> Plan {
    let text = format!("app={}", binary.display());
    Plan {
        measurements: measurements(1),
        applications: vec![ApplicationSpec::parse(&text).unwrap()],
        valid_days: 1,
        forward: ForwardPlan::Keep,
    }
}

#[test]
fn missing_receipt_fails_closed() {
    let (world, folders) = (World::new(), Folders::new());
    folders.publish(&world, &[]);
    std::fs::remove_file(folders.shared().join("record.cbor")).unwrap();
    let plan = plan(&folders.shared().join("definition.cbor"));
    std::fs::remove_file(folders.shared().join("receipts/bob.cbor")).unwrap();
    assert_eq!(
        propose(&folders.shared(), &plan).err(),
        Some(
            GenesisError::ReceiptMissing {
                names: vec![name("bob")]
            }
            .into()
        )
    );
    let receipt = world.receipts().remove(1);
    folders
        .workspace()
        .publish_receipt(&name("bob"), &receipt)
        .unwrap();
    let proposed = propose(&folders.shared(), &plan).unwrap();
    assert_eq!(
        (proposed.record, proposed.manifest.sequence),
        (Published::Written, 1)
    );
    assert_eq!(
        folders.workspace().find_manifest(1),
        Ok(Some(proposed.manifest.clone()))
    );
    // The same again is the one that waits; another has to wait for it.
    let again = propose(&folders.shared(), &plan).unwrap();
    assert_eq!(again.manifest, proposed.manifest);
    let other = Plan {
        valid_days: plan.valid_days + 1,
        ..plan
    };
    assert_eq!(
        propose(&folders.shared(), &other).err(),
        Some(StepError::ManifestPending { sequence: 1 }.into())
    );
}

#[test]
fn missing_binary_fails_closed() {
    let (world, folders) = (World::new(), Folders::new());
    folders.publish(&world, &[]);
    let refused = propose(&folders.shared(), &plan(&folders.shared().join("none")));
    assert!(matches!(
        refused,
        Err(CeremonyError::Storage(StorageError::Missing { .. }))
    ));
    assert_eq!(folders.workspace().find_manifest(1), Ok(None));
}
