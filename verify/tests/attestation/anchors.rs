//! The trusted roots.

use quorate_verify::attestation::{
    AttestationError as E, Link, Partition, TrustAnchor, TrustAnchors,
};
use sha2::{Digest, Sha256};

use crate::case::Case;
use crate::common::nitro::{INSTANCE, LEAF, REGIONAL, ROOT, name, oids};

const G1: [u8; 32] = [
    0x64, 0x1a, 0x03, 0x21, 0xa3, 0xe2, 0x44, 0xef, 0xe4, 0x56, 0x46, 0x31, 0x95, 0xd6, 0x06, 0x31,
    0x7e, 0xd7, 0xcd, 0xcc, 0x3c, 0x17, 0x56, 0xe0, 0x98, 0x93, 0xf3, 0xc6, 0x8f, 0x79, 0xbb, 0x5b,
];

#[test]
fn built_in_root_is_the_published_one() {
    let anchor = TrustAnchor::aws_commercial();
    assert_eq!(anchor.partition(), Partition::Aws);
    assert_eq!(anchor.fingerprint(), &G1);
    assert_eq!(Sha256::digest(anchor.der())[..], G1);
    assert_eq!(
        TrustAnchor::from_der(Partition::Aws, anchor.der()),
        Ok(anchor)
    );
}

#[test]
fn sets_hold_what_was_put_in() {
    let development = root(Partition::Development);
    let mut anchors = TrustAnchors::with_aws();
    assert_eq!(anchors.insert(development.clone()), Ok(()));
    assert_eq!(anchors.insert(development.clone()), Ok(()));
    assert_eq!(anchors.iter().count(), 2);
    assert_eq!(anchors.get(development.fingerprint()), Some(&development));
    assert_eq!(anchors.get(&G1), Some(&TrustAnchor::aws_commercial()));
    assert_eq!(anchors.get(&[0; 32]), None);
    assert_eq!(TrustAnchors::empty().iter().count(), 0);
    let alone = TrustAnchors::from(development.clone());
    assert_eq!(alone.iter().collect::<Vec<_>>(), [&development]);
    assert_eq!(TrustAnchors::default(), TrustAnchors::empty());
}

#[test]
fn partitions_have_names() {
    for (partition, name) in [
        (Partition::Aws, "aws"),
        (Partition::AwsCn, "aws-cn"),
        (Partition::AwsUsGov, "aws-us-gov"),
        (Partition::Development, "development"),
    ] {
        assert_eq!(partition.name(), name);
        assert_eq!(partition.to_string(), name);
        assert_eq!(Partition::from_name(name), Some(partition));
    }
    assert_eq!(Partition::from_name("AWS"), None);
    assert_eq!(Partition::from_name(""), None);
}

#[test]
fn no_root_at_all_fails_closed() {
    let mut case = Case::new();
    let fingerprint = *root(Partition::Development).fingerprint();
    case.anchors = Some(TrustAnchors::empty());
    assert_eq!(case.verify(), Err(E::RootNotTrusted { fingerprint }));
}

#[test]
fn aws_root_given_to_development_fails_closed() {
    let der = TrustAnchor::aws_commercial().der().to_vec();
    for partition in [
        Partition::AwsCn,
        Partition::AwsUsGov,
        Partition::Development,
    ] {
        assert_eq!(
            TrustAnchor::from_der(partition, &der),
            Err(E::AnchorPartition {
                fingerprint: G1,
                partition
            })
        );
    }
}

#[test]
fn development_root_given_to_aws_fails_closed() {
    let development = root(Partition::Development);
    assert_eq!(
        TrustAnchor::from_der(Partition::Aws, development.der()),
        Err(E::AnchorPartition {
            fingerprint: *development.fingerprint(),
            partition: Partition::Aws,
        })
    );
}

#[test]
fn one_root_for_two_partitions_fails_closed() {
    let mut anchors = TrustAnchors::empty();
    anchors.insert(root(Partition::AwsCn)).unwrap();
    let second = root(Partition::Development);
    let fingerprint = *second.fingerprint();
    assert_eq!(
        anchors.insert(second),
        Err(E::AnchorConflict { fingerprint })
    );
}

#[test]
fn roots_outside_the_profile_fail_closed() {
    let refused = |edit: fn(&mut Case), place: usize| {
        let mut case = Case::new();
        edit(&mut case);
        let der = case.recipe.certificates[place].build();
        TrustAnchor::from_der(Partition::Development, &der).unwrap_err()
    };
    let link = Link::Anchor;
    type Row = (fn(&mut Case), usize, E);
    let rows: [Row; 7] = [
        (|_| {}, LEAF, E::CertificateNotAuthority { link }),
        (|_| {}, REGIONAL, E::IssuerMismatch { link }),
        (|_| {}, INSTANCE, E::IssuerMismatch { link }),
        (
            |case| case.certificate(ROOT).issuer = name("another"),
            ROOT,
            E::IssuerMismatch { link },
        ),
        (
            |case| case.certificate(ROOT).set_key_usage(&[7, 0x80]),
            ROOT,
            E::KeyUsage { link },
        ),
        (
            |case| {
                let root = case.certificate(ROOT);
                root.set_extension(oids::UNKNOWN, true, vec![5, 0]);
            },
            ROOT,
            E::CriticalExtension { link },
        ),
        (
            |case| case.certificate(ROOT).edit_der = |der| [der, vec![0]].concat(),
            ROOT,
            E::CertificateMalformed { link },
        ),
    ];
    for (edit, place, expected) in rows {
        assert_eq!(refused(edit, place), expected);
    }
    for found in [0, 1025] {
        assert_eq!(
            TrustAnchor::from_der(Partition::Development, &vec![0x30; found]),
            Err(E::CertificateLength { found })
        );
    }
}

fn root(partition: Partition) -> TrustAnchor {
    let der = Case::new().recipe.certificates[ROOT].build();
    TrustAnchor::from_der(partition, &der).unwrap()
}
