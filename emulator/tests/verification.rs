//! Documents of the emulated device go through the verifier that real ones go through.

mod support;

use std::sync::Arc;
use std::time::Duration;

use getrandom::SysRng;
use quorate_emulator::device::{Mode, NsmDevice};
use quorate_emulator::pki::DevelopmentRoot;
use quorate_init::nsm::wire::Request;
use quorate_verify::attestation::{
    AttestationError, Attested, DebugMode, Freshness, Partition, Pcr, TrustAnchor, TrustAnchors,
    verify,
};
use support::{NOW_MS, attest, config, device, root};

const ARCHIVED: Freshness<'_> = Freshness::Archived { at_unix: None };
const HOUR_MS: u64 = 60 * 60 * 1000;

fn anchors(root: &DevelopmentRoot) -> TrustAnchors {
    let mut anchors = TrustAnchors::empty();
    let anchor = TrustAnchor::from_der(Partition::Development, root.root_der()).unwrap();
    anchors.insert(anchor).unwrap();
    anchors
}

fn archived(document: &[u8], root: &DevelopmentRoot) -> Result<Attested, AttestationError> {
    verify(document, &anchors(root), &ARCHIVED, DebugMode::default())
}

#[test]
fn documents_verify_under_the_development_root() {
    let root = root();
    let mut device = device(&root);
    let nonce = [7; 32];
    let document = attest(
        &mut device,
        Some(b"data"),
        Some(&nonce),
        Some(b"key"),
        NOW_MS,
    );
    let freshness = Freshness::Live {
        nonce: &nonce,
        max_age: Duration::from_secs(60),
        now_unix: NOW_MS / 1000 + 1,
    };
    let attested = verify(&document, &anchors(&root), &freshness, DebugMode::default()).unwrap();
    assert_eq!(attested.partition(), Partition::Development);
    assert_eq!(attested.document().module_id(), device.module_id());
    assert_eq!(attested.document().timestamp_ms(), NOW_MS);
    attested.expect_user_data(b"data").unwrap();
    attested.expect_public_key(b"key").unwrap();
    assert_eq!(attested.certificates().len(), 5);
}

#[test]
fn extended_pcrs_verify() {
    let root = root();
    let mut device = device(&root);
    device.process(
        &Request::ExtendPcr {
            index: 16,
            data: b"x",
        }
        .encode()
        .unwrap(),
        NOW_MS,
    );
    device.process(&Request::LockPcrs { range: 32 }.encode().unwrap(), NOW_MS);
    let attested = archived(&attest(&mut device, None, None, None, NOW_MS), &root).unwrap();
    attested.expect_pcr(16, &Pcr::ZERO.extend(b"x")).unwrap();
    assert_eq!(attested.document().pcrs().len(), 32);
}

#[test]
fn documents_under_aws_root_fail_closed() {
    let mut device = device(&root());
    let document = attest(&mut device, None, None, None, NOW_MS);
    let outcome = verify(
        &document,
        &TrustAnchors::with_aws(),
        &ARCHIVED,
        DebugMode::default(),
    );
    assert!(
        matches!(outcome, Err(AttestationError::RootNotTrusted { .. })),
        "{outcome:?}"
    );
}

#[test]
fn documents_under_another_development_root_fail_closed() {
    let mut device = device(&root());
    let document = attest(&mut device, None, None, None, NOW_MS);
    let outcome = archived(&document, &root());
    assert!(
        matches!(outcome, Err(AttestationError::RootNotTrusted { .. })),
        "{outcome:?}"
    );
}

#[test]
fn a_development_root_as_aws_fails_closed() {
    let outcome = TrustAnchor::from_der(Partition::Aws, root().root_der());
    assert!(
        matches!(outcome, Err(AttestationError::AnchorPartition { .. })),
        "{outcome:?}"
    );
}

#[test]
fn debug_documents_fail_closed() {
    let root = root();
    let mut device =
        NsmDevice::new(config(Mode::Debug), Arc::clone(&root), SysRng, NOW_MS).unwrap();
    let document = attest(&mut device, None, None, None, NOW_MS);
    assert_eq!(archived(&document, &root), Err(AttestationError::DebugMode));
    let allowed = verify(&document, &anchors(&root), &ARCHIVED, DebugMode::Allowed).unwrap();
    assert!(allowed.is_debug());
}

/// A device that runs for forty days always signs under certificates valid at that time.
#[test]
fn documents_verify_however_long_the_device_runs() {
    let root = root();
    let mut device = device(&root);
    let minute_ms = HOUR_MS / 60;
    // Just inside and just outside the life of a leaf, then every level's.
    let hours = [0, 173, 176, 290, 1200, 1201, 1440, 1441].map(|minutes| minutes * minute_ms);
    let days = (2..40).step_by(3).map(|day| day * 24 * HOUR_MS);
    let mut leaves = Vec::new();
    for elapsed in hours.into_iter().chain(days) {
        let document = attest(&mut device, None, None, None, NOW_MS + elapsed);
        let attested = archived(&document, &root).unwrap();
        leaves.push(*attested.certificates().last().unwrap().sha256());
    }
    assert_eq!(leaves[0], leaves[1], "a leaf was replaced before its time");
    assert_ne!(leaves[1], leaves[2], "a leaf was used in its last minutes");
    assert_eq!(leaves[2], leaves[3], "a leaf was replaced before its time");
    // At 1200 minutes the instance's certificate has less than four hours left.
    assert_eq!(leaves[4], leaves[5]);
}

/// The root is valid from an hour before its making on, so the clock may be set back a little.
#[test]
fn documents_verify_after_the_clock_went_back() {
    let root = root();
    let mut device = device(&root);
    for now_ms in [NOW_MS, NOW_MS - HOUR_MS / 2, NOW_MS - HOUR_MS, NOW_MS] {
        let document = attest(&mut device, None, None, None, now_ms);
        let attested = archived(&document, &root).unwrap();
        assert_eq!(attested.document().timestamp_ms(), now_ms);
    }
}

#[test]
fn many_enclaves_share_one_root() {
    let root = root();
    let (mut one, mut two) = (device(&root), device(&root));
    assert_ne!(one.module_id(), two.module_id());
    archived(&attest(&mut one, None, None, None, NOW_MS), &root).unwrap();
    archived(&attest(&mut two, None, None, None, NOW_MS), &root).unwrap();
}
