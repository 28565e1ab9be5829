//! Evidence: accepted when whole, and each defect fails exactly the check it concerns.

use quorate_protocol::atoms::{Bytes, Pcr, Sha256, Text, UnixMillis};
use quorate_protocol::attested::UserData;
use quorate_protocol::cbor::{Checked, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::evidence::{Evidence, Origin, Provisioning};
use quorate_protocol::instance::{Index, Provenance, Purpose, RingEntry};
use quorate_protocol::members::Role;
use quorate_protocol::provision::Provision;
use quorate_verify::attestation::{self, Expectations, Partition, TrustAnchor, TrustAnchors};
use quorate_verify::evidence::{
    CHECK_IDS, Decision, EvidenceError, MAX_SIGNATURES, MAX_STARTS, Policy, Report, Time, Verdict,
    verify,
};

use crate::common::nitro::{MODULE_ID, NOW};
use crate::world::{
    Instance, MANIFEST_SET, World, anchors, approved, check, index, key, name, pair, signing,
    verification_key, vote,
};

pub(crate) fn report(evidence: &Evidence) -> Report {
    let bytes = to_bytes(evidence);
    verify(&bytes, &Policy::unpinned(), &anchors(), Time::Archived)
}

/// The evidence of the world's instance after one change.
fn changed(change: impl FnOnce(&Instance<'_>, &mut Evidence)) -> Report {
    let world = World::new();
    let instance = Instance::new(&world);
    let mut evidence = instance.evidence();
    change(&instance, &mut evidence);
    report(&evidence)
}

/// Exactly these checks failed, the first for the reason of this code.
pub(crate) fn assert_fails(report: &Report, ids: &[&str], code: &str) {
    let failed: Vec<_> = report.failed().map(|check| check.id).collect();
    assert_eq!(failed, ids);
    let error = report.failed().next().unwrap().error.as_ref().unwrap();
    assert_eq!(error.code(), code, "{error}");
    assert!(!error.remedy().is_empty());
    assert_eq!(report.decision, Decision::Reject);
    assert!(!report.is_accepted());
    let ids: Vec<_> = report.checks.iter().map(|check| check.id).collect();
    assert_eq!(ids, CHECK_IDS);
}

/// One test a row: a defect, the check that fails, the code of the reason. A row reads as a test
/// for tools that look for names.
macro_rules! defects {
    ($(#[test] fn $test:ident: $change:expr => $id:literal $code:literal;)*) => {
        $(
            #[test]
            fn $test() {
                assert_fails(&changed($change), &[$id], $code);
            }
        )*
    };
}

fn provisioning(evidence: &mut Evidence) -> &mut Provisioning {
    evidence.provisioning.as_mut().unwrap()
}

fn provisions(evidence: &mut Evidence) -> &mut Vec<Provision> {
    match &mut provisioning(evidence).origin {
        Origin::Members(provisions) => provisions,
        Origin::Forwarded(_) => panic!("the key was forwarded"),
    }
}

#[test]
fn whole_evidence_is_accepted() {
    let world = World::new();
    let instance = Instance::new(&world);
    let evidence = instance.evidence();
    let report = report(&evidence);
    let open: Vec<_> = report
        .checks
        .iter()
        .filter(|check| check.verdict != Verdict::Passed)
        .map(|check| (check.id, check.verdict, check.required))
        .collect();
    let expected = [
        ("genesis-pin", Verdict::NotPerformed, false),
        ("expectations", Verdict::NotPerformed, false),
        ("challenge", Verdict::NotPerformed, false),
        ("forwarded", Verdict::NotPerformed, false),
        ("statements", Verdict::NotPerformed, false),
    ];
    assert_eq!(open, expected);
    assert!(report.is_accepted());
    assert!(report.development);
    assert!(report.archived);
    assert!(!report.pinned);

    let facts = &report.facts;
    assert_eq!(facts.namespace, Some(name("acme")));
    assert_eq!(facts.genesis, Some(world.genesis()));
    let quorum_key = facts.quorum_key.unwrap().to_compressed();
    assert_eq!(quorum_key, world.secret.public_key());
    assert_eq!(facts.manifest, Some(instance.digest()));
    assert_eq!(facts.sequence, Some(2));
    assert_eq!(facts.approved_by, ["alice", "bob"].map(name));
    assert_eq!(facts.module_id.as_deref(), Some(MODULE_ID));
    assert_eq!(facts.timestamp, Some(UnixMillis(NOW * 1000)));
    let document = Sha256::of(evidence.document.as_slice());
    assert_eq!(facts.document, Some(document));
    assert!(facts.pcrs.contains(&(1, Pcr([0x31; 48]))));
    assert_eq!(facts.live, Some(pair("live")));
    assert_eq!(facts.applications.len(), 2);
    assert_eq!(facts.applications[0].sha256, Sha256::of(b"echo"));
    let givers: Vec<_> = facts.shares_given_by.iter().map(|m| &m.name).collect();
    assert_eq!(
        givers,
        ["alice", "bob", "dave"]
            .map(name)
            .iter()
            .collect::<Vec<_>>()
    );
    assert_eq!(facts.ring.len(), 5);
    assert_eq!(facts.starts.len(), 3);
    assert_eq!(facts.starts[1].start, 2);
    assert_eq!(facts.proofs.len(), 3);
    assert_eq!(facts.proofs[2].payload, b"hello");
}

#[test]
fn evidence_of_the_pinned_genesis_is_accepted() {
    let world = World::new();
    let bytes = to_bytes(&Instance::new(&world).evidence());
    let policy = Policy::pinned(world.genesis());
    let report = verify(&bytes, &policy, &anchors(), Time::At(NOW));
    assert!(report.is_accepted());
    assert!(report.pinned);
    assert!(!report.archived);
}

#[test]
fn evidence_without_applications_is_accepted() {
    let report = changed(|_, evidence| evidence.applications.clear());
    assert!(report.is_accepted());
    assert!(report.facts.starts.is_empty());
}

#[test]
fn evidence_of_another_genesis_than_the_pinned_fails_closed() {
    let world = World::new();
    let bytes = to_bytes(&Instance::new(&world).evidence());
    let policy = Policy::pinned(World::other().genesis());
    let report = verify(&bytes, &policy, &anchors(), Time::Archived);
    assert_fails(&report, &["genesis-pin"], "genesis-pin");
    assert!(!report.pinned);
}

/// A policy that accepts one value in PCR1, where the world's image has 0x31.
fn policy_on_pcr1(byte: u8) -> Policy {
    let mut expectations = Expectations::none();
    let value = attestation::Pcr::new([byte; 48]);
    expectations.accept(1, value).unwrap();
    let mut policy = Policy::unpinned();
    policy.expectations = attestation::Policy::new(expectations);
    policy
}

#[test]
fn evidence_that_the_policy_accepts_is_accepted() {
    let bytes = to_bytes(&Instance::new(&World::new()).evidence());
    let report = verify(&bytes, &policy_on_pcr1(0x31), &anchors(), Time::Archived);
    assert!(report.is_accepted());
    let check = report.check("expectations").unwrap();
    assert_eq!(check.verdict, Verdict::Passed);
}

#[test]
fn evidence_of_another_image_than_the_policy_accepts_fails_closed() {
    let bytes = to_bytes(&Instance::new(&World::new()).evidence());
    let report = verify(&bytes, &policy_on_pcr1(0x32), &anchors(), Time::Archived);
    assert_fails(&report, &["expectations"], "pcr-mismatch");
}

#[test]
fn bytes_that_are_no_evidence_fails_closed() {
    let world = World::new();
    let whole = to_bytes(&Instance::new(&world).evidence());
    let truncated = &whole[..whole.len() - 1];
    let trailing = [&whole[..], &[0]].concat();
    let huge = vec![0; 8 * 1024 * 1024 + 1];
    for bytes in [&[][..], b"evidence", truncated, &trailing, &huge] {
        let report = verify(bytes, &Policy::unpinned(), &anchors(), Time::Archived);
        assert_fails(&report, &["format"], "evidence-format");
        assert_eq!(report.facts, Default::default());
        let others = &report.checks[1..];
        assert!(others.iter().all(|c| c.verdict == Verdict::NotPerformed));
    }
}

#[test]
fn too_many_starts_fails_closed() {
    let report = changed(|_, evidence| {
        let start = evidence.applications[0].clone();
        evidence.applications = vec![start; MAX_STARTS + 1];
    });
    assert_fails(&report, &["format"], "too-many-starts");
}

#[test]
fn too_many_signatures_fails_closed() {
    let report = changed(|_, evidence| {
        let start = &mut evidence.applications[0];
        start.proofs = vec![start.proofs[0].clone(); MAX_SIGNATURES];
    });
    assert_fails(&report, &["format"], "too-many-signatures");
}

#[test]
fn development_root_where_awss_is_required_fails_closed() {
    let world = World::new();
    let bytes = to_bytes(&Instance::new(&world).evidence());
    let policy = Policy::pinned(world.genesis());
    let report = verify(&bytes, &policy, &TrustAnchors::with_aws(), Time::Archived);
    assert_fails(&report, &["attestation-root"], "root-not-trusted");
    assert!(report.development);
    let attestation = report.check("attestation").unwrap();
    assert_eq!(attestation.verdict, Verdict::NotPerformed);
}

#[test]
fn development_root_that_calls_itself_awss_fails_closed() {
    let mut fields = World::new().record.definition.into_inner();
    fields.attestation_root.partition = name("aws");
    let world = World::of(fields);
    let report = report(&Instance::new(&world).evidence());
    assert_fails(&report, &["attestation-root"], "root-partition");
    assert!(report.development);
}

#[test]
fn other_partitions_root_fails_closed() {
    let anchor = anchors().iter().next().unwrap().clone();
    let mut trusted = TrustAnchors::empty();
    let anchor = TrustAnchor::from_der(Partition::AwsCn, anchor.der()).unwrap();
    trusted.insert(anchor).unwrap();
    let world = World::new();
    let bytes = to_bytes(&Instance::new(&world).evidence());
    let report = verify(&bytes, &Policy::unpinned(), &trusted, Time::Archived);
    assert_fails(&report, &["attestation-root"], "root-partition");
}

#[test]
fn certificates_that_have_ended_fails_closed() {
    let world = World::new();
    let bytes = to_bytes(&Instance::new(&world).evidence());
    let day = 24 * 3600;
    let report = verify(&bytes, &Policy::unpinned(), &anchors(), Time::At(NOW + day));
    assert_fails(&report, &["attestation"], "certificate-expired");
    let report = verify(&bytes, &Policy::unpinned(), &anchors(), Time::At(NOW - 1));
    assert_fails(&report, &["attestation"], "timestamp-in-future");
}

#[test]
fn debug_mode_fails_closed() {
    let report = changed(|instance, evidence| {
        let mut paper = instance.live_paper();
        (0..3).for_each(|register| paper.set(register, Pcr::ZERO));
        evidence.document = paper.document();
    });
    assert_fails(&report, &["not-debug", "measurements"], "debug-mode");
}

#[test]
fn strangers_manifest_set_that_approves_itself_fails_closed() {
    // Genuine genesis, measurements and quorum key; the set is a stranger's and so are the votes.
    let world = World::new();
    let mut fields = world.first();
    fields.manifest_set = crate::world::set(2, &["mallory", "mary", "max"]);
    let votes = [
        (Role::ManifestSet, "mallory", 1),
        (Role::ManifestSet, "mary", 2),
    ];
    let instance = Instance {
        world: &world,
        chain: vec![approved(check(fields), &votes)],
    };
    assert_fails(&report(&instance.evidence()), &["chain"], "chain-threshold");
}

#[test]
fn manifest_outside_its_window_fails_closed() {
    let world = World::new();
    let mut fields = world.first();
    fields.validity.not_after = UnixMillis(NOW * 1000 - 1);
    let instance = Instance {
        world: &world,
        chain: vec![approved(check(fields), &MANIFEST_SET)],
    };
    let report = report(&instance.evidence());
    assert_fails(&report, &["validity"], "instance-validity");
}

#[test]
fn evidence_of_an_enclave_that_was_never_provisioned_fails_closed() {
    let report = changed(|_, evidence| {
        evidence.provisioning = None;
        evidence.applications.clear();
    });
    assert_fails(&report, &["provisioned"], "not-provisioned");
    let error = report.check("provisioned").unwrap().error.as_ref().unwrap();
    let words = "the evidence proves what was booted, not that it was provisioned";
    assert!(error.to_string().contains(words));
    // What was booted is shown all the same.
    assert_eq!(
        report.check("measurements").unwrap().verdict,
        Verdict::Passed
    );
}

#[test]
fn evidence_of_another_instance_fails_closed() {
    // Everything of this instance with the genuine document of another one of the same manifest.
    let report = changed(|instance, evidence| {
        let (setup, live) = (pair("second setup"), pair("second live"));
        let (genesis, manifest) = (instance.world.genesis(), instance.digest());
        let mut paper = instance.live_paper();
        use quorate_protocol::attested::{extended_once, live_extension, setup_extension};
        paper.set(
            16,
            extended_once(&setup_extension(&genesis, &manifest, &setup)),
        );
        paper.set(
            17,
            extended_once(&live_extension(&genesis, &manifest, &live)),
        );
        paper.public_key = live.to_attested().to_vec();
        evidence.document = paper.document();
        evidence.setup = setup;
    });
    let failed = ["share-grants", "application-certificates"];
    assert_fails(&report, &failed, "grant-mismatch");
    let certificate = report.check("instance-certificate").unwrap();
    assert_eq!(certificate.verdict, Verdict::NotPerformed);
}

#[test]
fn error_names_the_member_and_the_field() {
    let report = changed(|instance, evidence| {
        let mut grant = instance.grant(2);
        grant.setup = pair("mallory");
        let grant = Signed::sign(grant, &signing("bob"));
        provisions(evidence)[1] = instance.answered(grant, 1);
    });
    let error = report
        .check("share-grants")
        .unwrap()
        .error
        .as_ref()
        .unwrap();
    assert_eq!(
        error.to_string(),
        "the share grant of bob disagrees about the setup keys"
    );
    assert!(matches!(error, EvidenceError::Mismatch { .. }));
}

defects! {
    #[test] fn consent_missing_fails_closed: |_, evidence| {
        evidence.record.consents.pop();
    } => "definition-consents" "genesis-consent-missing";
    #[test] fn output_without_a_members_share_fails_closed: |_, evidence| {
        let mut output = evidence.record.output.clone().into_inner();
        output.shares.pop();
        evidence.record.output = Checked::new(output).unwrap();
    } => "genesis-output" "genesis-share-missing";
    #[test] fn genesis_document_of_another_image_fails_closed: |instance, evidence| {
        let mut paper = instance.world.birth_paper();
        paper.set(1, Pcr([7; 48]));
        evidence.record.document = paper.document();
    } => "genesis-attestation" "instance-measurement";
    #[test] fn genesis_document_of_another_output_fails_closed: |instance, evidence| {
        let mut paper = instance.world.birth_paper();
        paper.set(16, Pcr([7; 48]));
        evidence.record.document = paper.document();
    } => "genesis-attestation" "instance-genesis-register";
    #[test] fn genesis_document_of_a_debug_enclave_fails_closed: |instance, evidence| {
        let mut paper = instance.world.birth_paper();
        (0..3).for_each(|register| paper.set(register, Pcr::ZERO));
        evidence.record.document = paper.document();
    } => "genesis-attestation" "debug-mode";
    #[test] fn genesis_receipt_missing_fails_closed: |_, evidence| {
        evidence.record.receipts.remove(0);
    } => "genesis-receipts" "genesis-receipt-missing";
    #[test] fn possession_with_another_share_fails_closed: |instance, evidence| {
        let world = instance.world;
        let possession = Signed::sign(world.possession(2), &world.share_key(1));
        let receipt = Signed::sign(world.receipt_of(possession), &signing("bob"));
        evidence.record.receipts[1] = receipt;
    } => "genesis-receipts" "genesis-possession-signature";
    #[test] fn approvals_below_threshold_fails_closed: |_, evidence| {
        evidence.chain[1].approvals.pop();
    } => "chain" "chain-threshold";
    #[test] fn approval_by_a_stranger_fails_closed: |_, evidence| {
        let link = &mut evidence.chain[0];
        link.approvals[1] = vote(&link.manifest, (Role::ManifestSet, "mallory", 2));
    } => "chain" "chain-approval-signature";
    #[test] fn chain_with_a_gap_fails_closed: |_, evidence| {
        evidence.chain.remove(0);
    } => "chain" "chain-sequence";
    #[test] fn chain_without_a_manifest_fails_closed: |_, evidence| evidence.chain.clear()
        => "chain" "chain-empty";
    #[test] fn document_signed_by_a_stranger_fails_closed: |instance, evidence| {
        let mut paper = instance.live_paper();
        paper.signer = 9;
        evidence.document = paper.document();
    } => "attestation" "document-signature";
    #[test] fn document_that_is_none_fails_closed: |_, evidence| {
        evidence.document = Bytes::new(vec![0x84]).unwrap();
    } => "attestation" "cbor";
    #[test] fn wrong_measurement_fails_closed: |instance, evidence| {
        let mut paper = instance.live_paper();
        paper.set(2, Pcr([7; 48]));
        evidence.document = paper.document();
    } => "measurements" "instance-measurement";
    #[test] fn other_setup_keys_fails_closed: |_, evidence| evidence.setup = pair("mallory")
        => "setup-keys" "instance-setup-register";
    #[test] fn setup_register_not_locked_fails_closed: |instance, evidence| {
        let mut paper = instance.live_paper();
        paper.remove(16);
        evidence.document = paper.document();
    } => "setup-keys" "instance-register-missing";
    #[test] fn other_live_register_fails_closed: |instance, evidence| {
        let mut paper = instance.live_paper();
        paper.set(17, Pcr([7; 48]));
        evidence.document = paper.document();
    } => "live-keys" "instance-live-register";
    #[test] fn public_key_that_is_no_pair_fails_closed: |instance, evidence| {
        let mut paper = instance.live_paper();
        paper.public_key = vec![4; 65];
        evidence.document = paper.document();
    } => "live-keys" "instance-public-key";
    #[test] fn other_applications_register_fails_closed: |instance, evidence| {
        let mut paper = instance.live_paper();
        paper.set(18, Pcr([7; 48]));
        evidence.document = paper.document();
    } => "applications" "instance-applications-register";
    #[test] fn setup_document_in_place_of_a_live_one_fails_closed: |instance, evidence| {
        let mut paper = instance.live_paper();
        paper.user_data = to_bytes(&UserData::Setup(instance.digest()));
        evidence.document = paper.document();
    } => "user-data" "instance-user-data";

    #[test] fn grant_missing_fails_closed: |_, evidence| {
        provisions(evidence).pop();
    } => "share-grants" "grant-count";
    #[test] fn grant_too_many_fails_closed: |instance, evidence| {
        provisions(evidence).push(instance.provision(5, 3));
    } => "share-grants" "grant-count";
    #[test] fn grant_twice_fails_closed: |_, evidence| {
        let provisions = provisions(evidence);
        provisions[1] = provisions[0].clone();
    } => "share-grants" "evidence-order";
    #[test] fn grants_out_of_order_fails_closed: |_, evidence| {
        provisions(evidence).swap(0, 1);
    } => "share-grants" "evidence-order";
    #[test] fn grant_of_a_stranger_fails_closed: |instance, evidence| {
        let grant = Signed::sign(instance.grant(6), &signing("mallory"));
        provisions(evidence)[2] = instance.answered(grant, 3);
    } => "share-grants" "grant-of-stranger";
    #[test] fn grant_signed_by_another_member_fails_closed: |instance, evidence| {
        let grant = Signed::sign(instance.grant(2), &signing("alice"));
        provisions(evidence)[1] = instance.answered(grant, 1);
    } => "share-grants" "grant-signature";
    #[test] fn approval_in_place_of_a_grant_fails_closed: |instance, evidence| {
        let approval = vote(instance.manifest(), (Role::ShareSet, "bob", 2));
        let grant = Signed::from_parts(instance.grant(2), &approval.signature()).unwrap();
        provisions(evidence)[1] = instance.answered(grant, 1);
    } => "share-grants" "grant-signature";
    #[test] fn grant_for_another_genesis_fails_closed: |instance, evidence| {
        let mut grant = instance.grant(2);
        grant.genesis = World::other().genesis();
        let grant = Signed::sign(grant, &signing("bob"));
        provisions(evidence)[1] = instance.answered(grant, 1);
    } => "share-grants" "grant-mismatch";
    #[test] fn grant_for_another_manifest_fails_closed: |instance, evidence| {
        let mut grant = instance.grant(2);
        grant.manifest = Digest::of(&instance.chain[0].manifest);
        let grant = Signed::sign(grant, &signing("bob"));
        provisions(evidence)[1] = instance.answered(grant, 1);
    } => "share-grants" "grant-mismatch";
    #[test] fn grant_for_another_instance_fails_closed: |instance, evidence| {
        let mut grant = instance.grant(2);
        grant.setup = pair("second setup");
        let grant = Signed::sign(grant, &signing("bob"));
        provisions(evidence)[1] = instance.answered(grant, 1);
    } => "share-grants" "grant-mismatch";
    #[test] fn grant_of_another_epoch_fails_closed: |instance, evidence| {
        let mut grant = instance.grant(2);
        grant.epoch = World::other().record.output.commitments.epoch();
        let grant = Signed::sign(grant, &signing("bob"));
        provisions(evidence)[1] = instance.answered(grant, 1);
    } => "share-grants" "grant-mismatch";

    #[test] fn receipt_signed_by_another_key_fails_closed: |instance, evidence| {
        let provision = &mut provisions(evidence)[0];
        let receipt = instance.receipt(&provision.grant, 2);
        provision.receipt = Signed::sign(receipt, &key("live signs"));
    } => "share-receipts" "receipt-signature";
    #[test] fn receipt_for_another_grant_fails_closed: |_, evidence| {
        let provisions = provisions(evidence);
        provisions[0].receipt = provisions[1].receipt.clone();
    } => "share-receipts" "receipt-mismatch";
    #[test] fn receipt_with_a_count_twice_fails_closed: |instance, evidence| {
        provisions(evidence)[0] = instance.provision(1, 1);
    } => "share-receipts" "receipt-mismatch";
    #[test] fn receipt_beyond_the_threshold_fails_closed: |instance, evidence| {
        provisions(evidence)[0] = instance.provision(1, 4);
    } => "share-receipts" "receipt-mismatch";
    #[test] fn receipt_of_another_epoch_fails_closed: |instance, evidence| {
        let provision = &mut provisions(evidence)[0];
        let mut receipt = instance.receipt(&provision.grant, 2);
        receipt.epoch = World::other().record.output.commitments.epoch();
        provision.receipt = Signed::sign(receipt, &key("setup signs"));
    } => "share-receipts" "receipt-mismatch";

    #[test] fn ring_of_another_quorum_key_fails_closed: |instance, evidence| {
        let key = World::other().secret.signing_key();
        let ring = Checked::new(instance.ring()).unwrap();
        provisioning(evidence).ring = Signed::sign(ring, &key);
    } => "key-ring" "key-ring-signature";
    #[test] fn ring_of_another_manifest_fails_closed: |instance, evidence| {
        let mut ring = instance.ring();
        ring.manifest = Digest::of(&instance.chain[0].manifest);
        provisioning(evidence).ring = instance.signed_ring(ring);
    } => "key-ring" "key-ring-mismatch";
    #[test] fn ring_of_another_sequence_fails_closed: |instance, evidence| {
        let mut ring = instance.ring();
        ring.sequence = 1;
        provisioning(evidence).ring = instance.signed_ring(ring);
    } => "key-ring" "key-ring-mismatch";
    #[test] fn ring_of_another_genesis_fails_closed: |instance, evidence| {
        let mut ring = instance.ring();
        ring.genesis = World::other().genesis();
        provisioning(evidence).ring = instance.signed_ring(ring);
    } => "key-ring" "key-ring-mismatch";
    #[test] fn ring_without_an_applications_key_fails_closed: |instance, evidence| {
        let mut ring = instance.ring();
        ring.keys.remove(1);
        provisioning(evidence).ring = instance.signed_ring(ring);
    } => "key-ring" "key-ring-missing";
    #[test] fn ring_without_the_instance_key_fails_closed: |instance, evidence| {
        let mut ring = instance.ring();
        ring.keys.remove(2);
        provisioning(evidence).ring = instance.signed_ring(ring);
    } => "key-ring" "key-ring-instance-missing";
    #[test] fn ring_with_a_key_for_a_stranger_fails_closed: |instance, evidence| {
        let mut ring = instance.ring();
        ring.keys.push(RingEntry {
            application: name("zebra"),
            purpose: Purpose::Signing,
            key: verification_key("zebra"),
        });
        provisioning(evidence).ring = instance.signed_ring(ring);
    } => "key-ring" "key-ring-extra";
    #[test] fn ring_with_an_instance_key_for_an_application_fails_closed: |instance, evidence| {
        let mut ring = instance.ring();
        ring.keys.insert(0, RingEntry {
            application: name("echo"),
            purpose: Purpose::Instance,
            key: verification_key("mallory"),
        });
        provisioning(evidence).ring = instance.signed_ring(ring);
    } => "key-ring" "key-ring-extra";

    #[test] fn certificate_by_another_key_fails_closed: |instance, evidence| {
        let key = instance.ring_key("echo", Purpose::Signing);
        provisioning(evidence).certificate = Signed::sign(instance.certificate(), &key);
    } => "instance-certificate" "instance-certificate-signature";
    #[test] fn certificate_of_other_live_keys_fails_closed: |instance, evidence| {
        let mut certificate = instance.certificate();
        certificate.live = pair("second live");
        provisioning(evidence).certificate = instance.signed_certificate(certificate);
    } => "instance-certificate" "instance-certificate-mismatch";
    #[test] fn certificate_of_another_module_fails_closed: |instance, evidence| {
        let mut certificate = instance.certificate();
        certificate.module_id = Text::new("i-0123456789abcdef0-enc0").unwrap();
        provisioning(evidence).certificate = instance.signed_certificate(certificate);
    } => "instance-certificate" "instance-certificate-mismatch";
    #[test] fn certificate_of_another_epoch_fails_closed: |instance, evidence| {
        let mut certificate = instance.certificate();
        certificate.epoch = World::other().record.output.commitments.epoch();
        provisioning(evidence).certificate = instance.signed_certificate(certificate);
    } => "instance-certificate" "instance-certificate-mismatch";
    #[test] fn certificate_of_another_manifest_fails_closed: |instance, evidence| {
        let mut certificate = instance.certificate();
        certificate.manifest = Digest::of(&instance.chain[0].manifest);
        provisioning(evidence).certificate = instance.signed_certificate(certificate);
    } => "instance-certificate" "instance-certificate-mismatch";
    #[test] fn certificate_that_names_other_members_fails_closed: |instance, evidence| {
        let mut certificate = instance.certificate();
        let members = [1, 2, 5].map(|place| Index(index(place)));
        certificate.provenance = Provenance::Members(members.to_vec());
        provisioning(evidence).certificate = instance.signed_certificate(certificate);
    } => "instance-certificate" "instance-certificate-mismatch";

    #[test] fn start_certified_by_another_key_fails_closed: |instance, evidence| {
        let certificate = instance.start("echo", 1);
        evidence.applications[0].certificate = Signed::sign(certificate, &key("setup signs"));
    } => "application-certificates" "application-certificate-signature";
    #[test] fn start_of_another_binary_fails_closed: |instance, evidence| {
        let mut certificate = instance.start("echo", 1);
        certificate.sha256 = Sha256::of(b"another binary");
        evidence.applications[0] = instance.started(certificate, instance.proof("echo", 1));
    } => "application-certificates" "application-certificate-mismatch";
    #[test] fn start_of_an_unknown_application_fails_closed: |instance, evidence| {
        let (certificate, proof) = (instance.start("aaa", 1), instance.proof("aaa", 1));
        evidence.applications[0] = instance.started(certificate, proof);
    } => "application-certificates" "application-unknown";
    #[test] fn start_beyond_the_restart_policy_fails_closed: |instance, evidence| {
        let (certificate, proof) = (instance.start("echo", 4), instance.proof("echo", 4));
        evidence.applications[1] = instance.started(certificate, proof);
    } => "application-certificates" "application-certificate-mismatch";
    #[test] fn start_zero_fails_closed: |instance, evidence| {
        let (certificate, proof) = (instance.start("echo", 0), instance.proof("echo", 0));
        evidence.applications[0] = instance.started(certificate, proof);
    } => "application-certificates" "application-certificate-mismatch";
    #[test] fn start_under_another_manifest_fails_closed: |instance, evidence| {
        let mut certificate = instance.start("echo", 1);
        certificate.manifest = Digest::of(&instance.chain[0].manifest);
        evidence.applications[0] = instance.started(certificate, instance.proof("echo", 1));
    } => "application-certificates" "application-certificate-mismatch";
    #[test] fn start_twice_fails_closed: |_, evidence| {
        evidence.applications[1] = evidence.applications[0].clone();
    } => "application-certificates" "evidence-order";
    #[test] fn starts_out_of_order_fails_closed: |_, evidence| evidence.applications.swap(0, 2)
        => "application-certificates" "evidence-order";
    #[test] fn proof_by_another_key_fails_closed: |instance, evidence| {
        let proof = instance.proof("echo", 1);
        evidence.applications[0].proofs[0] = Signed::sign(proof, &key("live signs"));
    } => "application-proofs" "application-proof-signature";
    #[test] fn proof_of_another_start_fails_closed: |instance, evidence| {
        let proof = instance.proof("echo", 2);
        evidence.applications[0].proofs[0] = Signed::sign(proof, &key("application"));
    } => "application-proofs" "application-proof-mismatch";
    #[test] fn proof_of_another_application_fails_closed: |instance, evidence| {
        let proof = instance.proof("other", 1);
        evidence.applications[0].proofs[0] = Signed::sign(proof, &key("application"));
    } => "application-proofs" "application-proof-mismatch";
    #[test] fn proof_of_another_genesis_fails_closed: |instance, evidence| {
        let mut proof = instance.proof("echo", 1);
        proof.genesis = World::other().genesis();
        evidence.applications[0].proofs[0] = Signed::sign(proof, &key("application"));
    } => "application-proofs" "application-proof-mismatch";
}

#[test]
fn every_check_that_can_fail_has_failed_in_a_test() {
    // The table above and the tests beside it name every id but the one that never fails.
    let source = concat!(
        include_str!("evidence.rs"),
        include_str!("forward.rs"),
        include_str!("statements.rs")
    );
    for id in CHECK_IDS.iter().filter(|id| **id != "challenge") {
        let row = format!("=> \"{id}\" ");
        let test = format!("&[\"{id}\"");
        assert!(source.contains(&row) || source.contains(&test), "{id}");
    }
}
