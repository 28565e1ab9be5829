//! Key forward: policy, relation, approvals, and the evidence of both sides, one defect at a time.

use quorate_protocol::atoms::{Sha256, ShareIndex, Text, UnixMillis};
use quorate_protocol::attested::UserData;
use quorate_protocol::cbor::Checked;
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::evidence::{Evidence, Origin};
use quorate_protocol::forward::{
    ApprovalRule, Confirmed, ForwardApproval, ForwardConfirmation, ForwardMade, ForwardPolicy,
    ForwardReceived, ForwardRecord, ForwardRecordFields, ForwardSource,
};
use quorate_protocol::instance::{Index, InstanceCertificate, Provenance, Purpose};
use quorate_protocol::keys::KeyPair;
use quorate_protocol::manifest::{Manifest, ManifestFields};
use quorate_protocol::members::Role;
use quorate_verify::chain::{ApprovingSet, ChainError, walk};
use quorate_verify::evidence::{Report, Verdict};
use quorate_verify::explain::text;
use quorate_verify::forward::{
    ForwardError, Relation, changes_only_applications, needs_approvals, policy, relate,
};

use crate::common::nitro::MODULE_ID;
use crate::evidence::{assert_fails, report};
use crate::world::{
    Instance, MANIFEST_SET, SIGNED_AT, Vote, World, application, approved, check, index, key,
    measurements, name, pair, set, signing,
};

/// Three of the share set, its threshold.
const HOLDERS: [Vote; 3] = [
    (Role::ShareSet, "alice", 1),
    (Role::ShareSet, "dave", 4),
    (Role::ShareSet, "erin", 5),
];
const HOUR: u64 = 3_600_000;
const EXPORTER: &str = "i-0123456789abcdef0-enc00000000000000e1";

fn until(hours: u64, approvals: ApprovalRule) -> ForwardPolicy {
    ForwardPolicy {
        not_after: UnixMillis(SIGNED_AT.0 + hours * HOUR),
        approvals,
    }
}

fn always() -> ForwardPolicy {
    until(1, ApprovalRule::Always)
}

/// The first manifest, with a forward policy.
fn forwarding(world: &World, policy: Option<ForwardPolicy>) -> Manifest {
    let mut fields = world.first();
    fields.forward = policy;
    check(fields)
}

fn both() -> Vec<Vote> {
    [&MANIFEST_SET[..], &HOLDERS].concat()
}

fn approval(from: &Manifest, to: &Manifest, place: u8) -> ForwardApproval {
    ForwardApproval {
        role: Role::ShareSet,
        genesis: from.genesis,
        from: Digest::of(from),
        to: Digest::of(to),
        index: index(place),
        time: SIGNED_AT,
    }
}

fn approvals(from: &Manifest, to: &Manifest) -> Vec<Signed<ForwardApproval>> {
    let given = [(1, "alice"), (4, "dave"), (5, "erin")];
    let given = given.map(|(place, who)| Signed::sign(approval(from, to, place), &signing(who)));
    given.to_vec()
}

// The chain.

#[test]
fn a_forward_policy_that_appears_changes_or_goes_needs_the_share_set() {
    let world = World::new();
    let genesis = world.verified();
    let first = forwarding(&world, Some(always()));
    for (after, changed) in [
        (Some(always()), false),
        (Some(until(2, ApprovalRule::Always)), true),
        (Some(until(1, ApprovalRule::ExceptApplications)), true),
        (None, true),
    ] {
        let mut next = World::after(&first);
        next.forward = after;
        let next = check(next);
        let chain = |votes: &[Vote]| {
            [
                approved(first.clone(), &both()),
                approved(next.clone(), votes),
            ]
        };
        let walked = walk(&genesis, &chain(&both())).unwrap();
        assert!(walked.links()[0].successor.changes_forward);
        assert_eq!(walked.links()[1].successor.changes_forward, changed);
        let without = walk(&genesis, &chain(&MANIFEST_SET));
        assert_eq!(without.is_ok(), !changed);
    }
}

#[test]
fn a_forward_policy_without_the_share_set_fails_closed() {
    let world = World::new();
    let first = forwarding(&world, Some(always()));
    let votes = [&MANIFEST_SET[..], &HOLDERS[..2]].concat();
    let expected = ChainError::Threshold {
        sequence: 1,
        set: ApprovingSet::ShareSet,
        need: 3,
        have: 2,
        missing: ["bob", "carol", "erin"].map(name).to_vec(),
    };
    let chain = [approved(first.clone(), &votes)];
    assert_eq!(walk(&world.verified(), &chain), Err(expected));
    let chain = [approved(first, &both())];
    assert!(walk(&world.verified(), &chain).is_ok());
}

// What may be forwarded.

#[test]
fn a_policy_lets_the_key_go_to_its_last_moment() {
    let world = World::new();
    let manifest = forwarding(&world, Some(always()));
    let last = always().not_after;
    assert_eq!(policy(&manifest, last), Ok(&always()));
}

#[test]
fn a_forward_without_or_after_a_policy_fails_closed() {
    let world = World::new();
    let never = forwarding(&world, None);
    assert_eq!(policy(&never, SIGNED_AT), Err(ForwardError::NotAllowed));
    let manifest = forwarding(&world, Some(always()));
    let (not_after, at) = (
        always().not_after,
        UnixMillis(always().not_after.0.saturating_add(1)),
    );
    let expected = Err(ForwardError::Ended { not_after, at });
    assert_eq!(policy(&manifest, at), expected);
}

#[test]
fn only_the_same_manifest_and_a_direct_successor_relate() {
    let world = World::new();
    let first = forwarding(&world, Some(always()));
    let second = check(World::after(&first));
    assert_eq!(relate(&first, &first), Ok(Relation::Same));
    assert_eq!(relate(&first, &second), Ok(Relation::Successor));
}

#[test]
fn a_forward_to_an_older_manifest_fails_closed() {
    let world = World::new();
    let first = forwarding(&world, Some(always()));
    let second = check(World::after(&first));
    let expected = ForwardError::Older {
        running: 2,
        offered: 1,
    };
    assert_eq!(relate(&second, &first), Err(expected));
}

#[test]
fn a_forward_to_another_manifest_of_one_sequence_fails_closed() {
    let world = World::new();
    let first = forwarding(&world, Some(always()));
    let twin = forwarding(&world, Some(until(2, ApprovalRule::Always)));
    let expected = ForwardError::OtherManifest { sequence: 1 };
    assert_eq!(relate(&first, &twin), Err(expected));
}

#[test]
fn a_forward_to_a_manifest_that_does_not_follow_directly_fails_closed() {
    let world = World::new();
    let first = forwarding(&world, Some(always()));
    let second = check(World::after(&first));
    let third = check(World::after(&second));
    let expected = |offered| {
        Err(ForwardError::NotSuccessor {
            running: 1,
            offered,
        })
    };
    assert_eq!(relate(&first, &third), expected(3));
    let mut stray = World::after(&first);
    stray.previous = Some(Digest::of(&second));
    assert_eq!(relate(&first, &check(stray)), expected(2));
}

#[test]
fn a_forward_to_another_genesis_fails_closed() {
    let (world, other) = (World::new(), World::other());
    let first = forwarding(&world, Some(always()));
    let expected = ForwardError::OtherGenesis {
        expected: world.genesis(),
        found: other.genesis(),
    };
    let theirs = forwarding(&other, Some(always()));
    assert_eq!(relate(&first, &theirs), Err(expected));
}

#[test]
fn only_applications_and_validity_are_waived() {
    let world = World::new();
    let first = forwarding(&world, Some(until(1, ApprovalRule::ExceptApplications)));
    let rule = first.forward.clone().unwrap();
    type Change = fn(&mut ManifestFields);
    let waived: [Change; 3] = [
        |f| f.applications = vec![application("another")],
        |f| f.validity.not_after.0 += 1,
        |_| {},
    ];
    let needed: [Change; 4] = [
        |f| f.measurements = measurements(0x40),
        |f| f.manifest_set = set(2, &["alice", "bob"]),
        |f| f.share_set = set(3, &["alice", "bob", "carol"]),
        |f| f.forward = None,
    ];
    let ask = |change: Change, rule: &ForwardPolicy| {
        let mut next = World::after(&first);
        change(&mut next);
        let next = check(next);
        let asked = needs_approvals(rule, Relation::Successor, &first, &next);
        assert!(!needs_approvals(rule, Relation::Same, &first, &first));
        (asked, changes_only_applications(&first, &next))
    };
    for change in waived {
        assert_eq!(ask(change, &rule), (false, true));
        assert_eq!(ask(change, &always()), (true, true));
    }
    for change in needed {
        assert_eq!(ask(change, &rule), (true, false));
    }
}

#[test]
fn approvals_count_by_index_and_extra_ones_do_no_harm() {
    let world = World::new();
    let first = forwarding(&world, Some(always()));
    let second = check(World::after(&first));
    let mut given = approvals(&first, &second);
    given.push(Signed::sign(approval(&first, &second, 2), &signing("bob")));
    let counted = world
        .count(&always(), Relation::Successor, &first, &second, &given)
        .unwrap();
    let names: Vec<&str> = counted.iter().map(|a| a.name.as_str()).collect();
    assert_eq!(names, ["alice", "bob", "dave", "erin"]);
    // Too few are enough where none are needed, and still none of them may be wrong.
    let few = &given[..1];
    assert!(
        world
            .count(&always(), Relation::Same, &first, &first, &[])
            .is_ok()
    );
    let rule = until(1, ApprovalRule::ExceptApplications);
    assert!(
        world
            .count(&rule, Relation::Successor, &first, &second, few)
            .is_ok()
    );
}

/// One defect in a list of approvals that would be enough.
fn refused(
    change: impl FnOnce(&Manifest, &Manifest, &mut Vec<Signed<ForwardApproval>>),
) -> ForwardError {
    let world = World::new();
    let first = forwarding(&world, Some(always()));
    let second = check(World::after(&first));
    let mut given = approvals(&first, &second);
    change(&first, &second, &mut given);
    world
        .count(&always(), Relation::Successor, &first, &second, &given)
        .unwrap_err()
}

#[test]
fn too_few_forward_approvals_fails_closed() {
    let error = refused(|_, _, given| given.truncate(2));
    let expected = ForwardError::ApprovalsMissing {
        need: 3,
        have: 2,
        missing: [2, 3, 5].map(index).to_vec(),
    };
    assert_eq!(error, expected);
}

#[test]
fn a_forward_approval_by_a_stranger_fails_closed() {
    let error = refused(|from, to, given| {
        given[2] = Signed::sign(approval(from, to, 9), &signing("frank"));
    });
    assert_eq!(error, ForwardError::ApprovalOfStranger { index: index(9) });
}

#[test]
fn a_repeated_forward_approval_fails_closed() {
    let error = refused(|_, _, given| given[2] = given[0].clone());
    assert_eq!(error, ForwardError::ApprovalRepeated { index: index(1) });
}

#[test]
fn a_forward_approval_by_another_key_fails_closed() {
    let error = refused(|from, to, given| {
        given[1] = Signed::sign(approval(from, to, 4), &signing("erin"));
    });
    assert_eq!(error, ForwardError::ApprovalSignature { index: index(4) });
}

#[test]
fn a_forward_approval_of_another_forward_fails_closed() {
    let wrong: [fn(&mut ForwardApproval); 3] = [
        |a| a.genesis = World::other().genesis(),
        |a| a.from = Digest::from_bytes([1; 32]),
        |a| core::mem::swap(&mut a.from, &mut a.to),
    ];
    for change in wrong {
        let error = refused(|from, to, given| {
            let mut altered = approval(from, to, 1);
            change(&mut altered);
            given[0] = Signed::sign(altered, &signing("alice"));
        });
        assert_eq!(error, ForwardError::ApprovalOfAnother { index: index(1) });
    }
}

// Evidence of an importer.

struct Forward<'a> {
    importer: Instance<'a>,
}

impl<'a> Forward<'a> {
    /// The instance of the world's second manifest received the key from one of its first.
    fn new(world: &'a World, rule: Option<ForwardPolicy>) -> Self {
        let first = forwarding(world, rule.clone());
        let second = check(World::after(&first));
        let votes = if rule.is_some() {
            both()
        } else {
            MANIFEST_SET.to_vec()
        };
        Self {
            importer: Instance {
                world,
                chain: vec![approved(first, &votes), approved(second, &MANIFEST_SET)],
            },
        }
    }

    fn from(&self) -> &Manifest {
        &self.importer.chain[0].manifest
    }

    fn sign<T: quorate_protocol::cbor::Object>(&self, value: T) -> Signed<T> {
        Signed::sign(value, &self.importer.ring_key("init", Purpose::Instance))
    }

    fn record(&self) -> ForwardRecordFields {
        ForwardRecordFields {
            genesis: self.importer.world.genesis(),
            from: Digest::of(self.from()),
            to: self.importer.digest(),
            exporter: pair("exporter"),
            exporter_module: Text::new(EXPORTER).unwrap(),
            importer: pair("setup"),
            importer_module: Text::new(MODULE_ID).unwrap(),
            document: Sha256::of(b"the document that was verified"),
            count: 3,
            time: SIGNED_AT,
        }
    }

    fn exporter(&self) -> InstanceCertificate {
        InstanceCertificate {
            manifest: Digest::of(self.from()),
            live: pair("exporter"),
            module_id: Text::new(EXPORTER).unwrap(),
            ..self.importer.certificate()
        }
    }

    fn certificate(&self, record: Digest<ForwardRecord>) -> InstanceCertificate {
        InstanceCertificate {
            provenance: Provenance::Forwarded(Box::new(ForwardSource {
                record,
                live: pair("exporter"),
                module_id: Text::new(EXPORTER).unwrap(),
            })),
            ..self.importer.certificate()
        }
    }

    /// Evidence with this record, all else signed to fit.
    fn evidence_of(&self, fields: ForwardRecordFields) -> Evidence {
        let record = self.sign(Checked::new(fields).unwrap());
        let certificate = self.sign(self.certificate(record.digest()));
        let confirmation = ForwardConfirmation {
            genesis: self.importer.world.genesis(),
            record: record.digest(),
            certificate: certificate.digest(),
            time: SIGNED_AT,
        };
        let mut evidence = self.importer.evidence();
        let given = evidence.provisioning.as_mut().unwrap();
        given.certificate = certificate;
        given.origin = Origin::Forwarded(Box::new(ForwardReceived {
            record,
            approvals: approvals(self.from(), self.importer.manifest()),
            certificate: self.sign(self.exporter()),
            confirmation: Signed::sign(confirmation, &key("live signs")),
        }));
        evidence
    }

    fn evidence(&self) -> Evidence {
        self.evidence_of(self.record())
    }
}

fn received(evidence: &mut Evidence) -> &mut ForwardReceived {
    match &mut evidence.provisioning.as_mut().unwrap().origin {
        Origin::Forwarded(received) => received,
        Origin::Members(_) => panic!("shares were given"),
    }
}

#[test]
fn evidence_of_a_forwarded_instance_is_accepted() {
    let world = World::new();
    let forward = Forward::new(&world, Some(always()));
    let report = report(&forward.evidence());
    assert!(report.is_accepted(), "{report:#?}");
    for id in ["share-grants", "share-receipts"] {
        let check = report.check(id).unwrap();
        assert_eq!(
            (check.verdict, check.required),
            (Verdict::NotPerformed, false)
        );
    }
    let forwarded = report.check("forwarded").unwrap();
    assert_eq!(
        (forwarded.verdict, forwarded.required),
        (Verdict::Passed, true)
    );
    let from = report.facts.forwarded_from.as_ref().unwrap();
    assert_eq!(
        (from.exporter.as_str(), from.count, from.from),
        (EXPORTER, 3, 1)
    );
    assert_eq!(from.approved_by, ["alice", "dave", "erin"].map(name));
    let members = [1, 2, 4].map(|place| Index(index(place))).to_vec();
    assert_eq!(from.exporter_provenance, Provenance::Members(members));
    assert_eq!(from.live, pair("exporter"));
    assert!(report.facts.shares_given_by.is_empty());
    assert!(!report.facts.handed_over);
    let text = text(&report);
    for words in [
        EXPORTER,
        "forwarded by",
        "as alice, dave and erin approved for its share set",
        "it was its forward number 3",
        "It had the key from the members 1, 2 and 4, as its certificate says.",
    ] {
        assert!(text.contains(words), "{words}\n{text}");
    }
}

#[test]
fn a_replacement_of_the_same_manifest_needs_no_approvals() {
    let world = World::new();
    let mut forward = Forward::new(&world, Some(always()));
    forward.importer.chain.pop();
    let mut fields = forward.record();
    fields.to = forward.importer.digest();
    let mut evidence = forward.evidence_of(fields);
    received(&mut evidence).approvals.clear();
    let report = report(&evidence);
    assert!(report.is_accepted(), "{report:#?}");
    assert!(text(&report).contains("which ran the same manifest"));
}

#[test]
fn a_waived_successor_is_said_to_be_waived() {
    let world = World::new();
    let forward = Forward::new(&world, Some(until(1, ApprovalRule::ExceptApplications)));
    let mut evidence = forward.evidence();
    received(&mut evidence).approvals.clear();
    let report = report(&evidence);
    assert!(report.is_accepted(), "{report:#?}");
    assert!(text(&report).contains("without approvals"));
}

/// The report on an importer's evidence after one change.
fn changed(change: impl FnOnce(&Forward<'_>, &mut Evidence)) -> Report {
    let world = World::new();
    let forward = Forward::new(&world, Some(always()));
    let mut evidence = forward.evidence();
    change(&forward, &mut evidence);
    report(&evidence)
}

/// The report on evidence with a record that one change was made to, all else signed to fit.
fn with_record(change: impl FnOnce(&mut ForwardRecordFields)) -> Report {
    let world = World::new();
    let forward = Forward::new(&world, Some(always()));
    let mut fields = forward.record();
    change(&mut fields);
    report(&forward.evidence_of(fields))
}

/// One test a row: a report, the check that fails in it, the code of the reason.
macro_rules! defects {
    ($(#[test] fn $test:ident: $report:expr => $id:literal $code:literal;)*) => {
        $(
            #[test]
            fn $test() {
                assert_fails(&$report, &[$id], $code);
            }
        )*
    };
}

defects! {
    #[test] fn a_record_by_another_key_fails_closed: changed(|forward, evidence| {
        let record = Checked::new(forward.record()).unwrap();
        received(evidence).record = Signed::sign(record, &key("exporter signs"));
    }) => "forwarded" "forward-record-signature";
    #[test] fn a_record_for_other_setup_keys_fails_closed:
        with_record(|record| record.importer = pair("another"))
        => "forwarded" "forward-record-mismatch";
    #[test] fn a_record_for_another_module_fails_closed:
        with_record(|record| record.importer_module = Text::new(EXPORTER).unwrap())
        => "forwarded" "forward-record-mismatch";
    #[test] fn a_record_for_another_manifest_fails_closed:
        with_record(|record| record.to = record.from)
        => "forwarded" "forward-record-mismatch";
    #[test] fn a_record_of_another_genesis_fails_closed:
        with_record(|record| record.genesis = World::other().genesis())
        => "forwarded" "forward-record-mismatch";
    #[test] fn a_record_of_a_manifest_that_is_not_before_fails_closed:
        with_record(|record| record.from = Digest::from_bytes([9; 32]))
        => "forwarded" "forward-record-mismatch";
    #[test] fn a_record_after_the_end_of_the_policy_fails_closed:
        with_record(|record| record.time = UnixMillis(always().not_after.0 + 1))
        => "forwarded" "forward-ended";
    #[test] fn an_exporter_that_is_not_certified_fails_closed: changed(|forward, evidence| {
        let certificate = forward.exporter();
        received(evidence).certificate = Signed::sign(certificate, &key("exporter signs"));
    }) => "forwarded" "forward-exporter-signature";
    #[test] fn a_certificate_of_another_exporter_fails_closed: changed(|forward, evidence| {
        let mut certificate = forward.exporter();
        certificate.live = pair("another");
        received(evidence).certificate = forward.sign(certificate);
    }) => "forwarded" "forward-exporter-mismatch";
    #[test] fn an_exporter_of_another_manifest_fails_closed: changed(|forward, evidence| {
        let mut certificate = forward.exporter();
        certificate.manifest = forward.importer.digest();
        received(evidence).certificate = forward.sign(certificate);
    }) => "forwarded" "forward-exporter-mismatch";
    #[test] fn evidence_with_too_few_forward_approvals_fails_closed: changed(|_, evidence| {
        received(evidence).approvals.pop();
    }) => "forwarded" "forward-approvals-missing";
    #[test] fn evidence_with_a_repeated_forward_approval_fails_closed: changed(|_, evidence| {
        let approvals = &mut received(evidence).approvals;
        approvals[1] = approvals[0].clone();
    }) => "forwarded" "forward-approval-repeated";
    #[test] fn a_confirmation_by_another_key_fails_closed: changed(|_, evidence| {
        let received = received(evidence);
        let word = received.confirmation.unverified().clone();
        received.confirmation = Signed::sign(word, &key("setup signs"));
    }) => "forwarded" "forward-confirmation-signature";
    #[test] fn a_confirmation_of_another_record_fails_closed: changed(|_, evidence| {
        let received = received(evidence);
        let mut word = received.confirmation.unverified().clone();
        word.record = Digest::from_bytes([9; 32]);
        received.confirmation = Signed::sign(word, &key("live signs"));
    }) => "forwarded" "forward-confirmation-mismatch";
    #[test] fn a_certificate_that_names_members_for_a_forward_fails_closed:
        changed(|forward, evidence| {
            let certificate = forward.importer.certificate();
            evidence.provisioning.as_mut().unwrap().certificate = forward.sign(certificate);
        }) => "forwarded" "forward-importer-mismatch";
}

#[test]
fn a_forward_under_a_manifest_without_policy_fails_closed() {
    let world = World::new();
    let forward = Forward::new(&world, None);
    assert_fails(
        &report(&forward.evidence()),
        &["forwarded"],
        "forward-not-allowed",
    );
}

/// A certificate that names a forward does not make grants of shares a forward, nor the other way
/// round.
#[test]
fn a_forward_certificate_with_share_grants_fails_closed() {
    let world = World::new();
    let instance = Instance::new(&world);
    let mut evidence = instance.evidence();
    let source = ForwardSource {
        record: Digest::from_bytes([1; 32]),
        live: pair("exporter"),
        module_id: Text::new(EXPORTER).unwrap(),
    };
    let mut certificate = instance.certificate();
    certificate.provenance = Provenance::Forwarded(Box::new(source));
    evidence.provisioning.as_mut().unwrap().certificate = instance.signed_certificate(certificate);
    let report = report(&evidence);
    assert_fails(
        &report,
        &["instance-certificate"],
        "instance-certificate-mismatch",
    );
}

// Evidence of an exporter.

/// An instance that forwarded as often as there are places in `made`.
struct Exporter<'a>(Instance<'a>);

const IMPORTER: &str = "i-0123456789abcdef0-enc00000000000000a1";

impl Exporter<'_> {
    fn record(&self, count: u64) -> ForwardRecordFields {
        ForwardRecordFields {
            genesis: self.0.world.genesis(),
            from: self.0.digest(),
            to: self.0.digest(),
            exporter: pair("live"),
            exporter_module: Text::new(MODULE_ID).unwrap(),
            importer: pair("importer setup"),
            importer_module: Text::new(IMPORTER).unwrap(),
            document: Sha256::of(b"the document that was verified"),
            count,
            time: SIGNED_AT,
        }
    }

    fn signed(&self, fields: ForwardRecordFields) -> Signed<ForwardRecord> {
        let key = self.0.ring_key("init", Purpose::Instance);
        Signed::sign(Checked::new(fields).unwrap(), &key)
    }

    fn confirmed(&self, record: &Signed<ForwardRecord>, live: &KeyPair, by: &str) -> Confirmed {
        let certificate = InstanceCertificate {
            live: live.clone(),
            module_id: Text::new(IMPORTER).unwrap(),
            provenance: Provenance::Forwarded(Box::new(ForwardSource {
                record: record.digest(),
                live: pair("live"),
                module_id: Text::new(MODULE_ID).unwrap(),
            })),
            ..self.0.certificate()
        };
        let certificate = self.0.signed_certificate(certificate);
        let word = ForwardConfirmation {
            genesis: self.0.world.genesis(),
            record: record.digest(),
            certificate: certificate.digest(),
            time: SIGNED_AT,
        };
        Confirmed {
            certificate,
            confirmation: Signed::sign(word, &key(by)),
        }
    }

    fn made(&self, count: u64, confirmed: bool) -> ForwardMade {
        let record = self.signed(self.record(count));
        let word = self.confirmed(&record, &pair("importer"), "importer signs");
        ForwardMade {
            confirmed: confirmed.then(|| Box::new(word)),
            record,
        }
    }

    /// Evidence of these forwards, with a document that says so.
    fn evidence(&self, forwards: Vec<ForwardMade>) -> Evidence {
        let digest = |made: &ForwardMade| made.record.digest();
        let newest = forwards.last().map(digest);
        let confirmed = forwards.iter().find(|made| made.confirmed.is_some());
        let manifest = self.0.digest();
        let data = match (newest, confirmed.map(digest)) {
            (Some(newest), Some(confirmed)) => UserData::HandedOver(manifest, confirmed, newest),
            (Some(newest), None) => UserData::Forwarded(manifest, newest),
            _ => UserData::Live(manifest),
        };
        let mut paper = self.0.live_paper();
        paper.user_data = quorate_protocol::cbor::to_bytes(&data);
        Evidence {
            document: paper.document(),
            forwards,
            ..self.0.evidence()
        }
    }
}

#[test]
fn an_exporter_shows_what_it_forwarded_and_that_it_handed_over() {
    let world = World::new();
    let exporter = Exporter(Instance::new(&world));
    let serving = report(&exporter.evidence(vec![exporter.made(1, false)]));
    assert!(serving.is_accepted(), "{serving:#?}");
    assert!(!serving.facts.handed_over);
    assert_eq!(serving.facts.forwards.len(), 1);
    assert!(text(&serving).contains("None of them has confirmed to it, and it serves."));

    // The first of two confirmed late.
    let over = report(&exporter.evidence(vec![exporter.made(1, true), exporter.made(2, false)]));
    assert!(over.is_accepted(), "{over:#?}");
    assert!(over.facts.handed_over);
    let confirmed: Vec<bool> = over.facts.forwards.iter().map(|f| f.confirmed).collect();
    assert_eq!(confirmed, [true, false]);
    let text = text(&over);
    for words in [
        "HANDED OVER: this instance holds no key any more.",
        "number 1, to i-0123456789abcdef0-enc00000000000000a1",
        "has handed the key over and holds it no more",
        "It holds no key any more.",
    ] {
        assert!(text.contains(words), "{words}\n{text}");
    }
}

/// The report on an exporter's evidence of two forwards, the second confirmed, after one change.
fn exported(change: impl FnOnce(&Exporter<'_>, &mut Evidence)) -> Report {
    let world = World::new();
    let exporter = Exporter(Instance::new(&world));
    let mut evidence = exporter.evidence(vec![exporter.made(1, false), exporter.made(2, true)]);
    change(&exporter, &mut evidence);
    report(&evidence)
}

defects! {
    #[test] fn a_forward_that_is_left_out_fails_closed:
        exported(|_, evidence| drop(evidence.forwards.pop()))
        => "forwards" "forwards-differ";
    #[test] fn all_forwards_left_out_fails_closed:
        exported(|_, evidence| evidence.forwards.clear())
        => "forwards" "forwards-differ";
    #[test] fn a_hand_over_that_is_left_out_fails_closed:
        exported(|_, evidence| evidence.forwards[1].confirmed = None)
        => "forwards" "forwards-differ";
    #[test] fn a_gap_in_the_count_fails_closed:
        exported(|_, evidence| drop(evidence.forwards.remove(0)))
        => "forwards" "own-forward-mismatch";
    #[test] fn forwards_of_an_instance_that_says_it_made_none_fails_closed:
        exported(|exporter, evidence| evidence.document = exporter.0.live_paper().document())
        => "forwards" "forwards-differ";
    #[test] fn a_record_of_another_exporter_fails_closed: exported(|exporter, evidence| {
        let mut record = exporter.record(1);
        record.exporter = pair("another");
        evidence.forwards[0].record = exporter.signed(record);
    }) => "forwards" "own-forward-mismatch";
    #[test] fn an_own_record_by_another_key_fails_closed: exported(|exporter, evidence| {
        let record = Checked::new(exporter.record(1)).unwrap();
        evidence.forwards[0].record = Signed::sign(record, &key("live signs"));
    }) => "forwards" "own-forward-signature";
    #[test] fn two_hand_overs_fails_closed: exported(|exporter, evidence| {
        evidence.forwards[0] = exporter.made(1, true);
    }) => "forwards" "handed-over-twice";
    #[test] fn a_hand_over_to_somebody_else_fails_closed: exported(|exporter, evidence| {
        let record = exporter.made(1, false).record;
        let word = exporter.confirmed(&record, &pair("importer"), "importer signs");
        evidence.forwards[1].confirmed = Some(Box::new(word));
    }) => "forwards" "forward-importer-mismatch";
    #[test] fn a_hand_over_that_the_importer_did_not_sign_fails_closed:
        exported(|exporter, evidence| {
            let record = &evidence.forwards[1].record;
            let word = exporter.confirmed(record, &pair("importer"), "another signs");
            evidence.forwards[1].confirmed = Some(Box::new(word));
        }) => "forwards" "forward-confirmation-signature";
}

#[test]
fn every_error_has_a_code_and_a_remedy() {
    let index: ShareIndex = index(1);
    for error in [
        ForwardError::NotAllowed,
        ForwardError::ApprovalRepeated { index },
        ForwardError::OtherManifest { sequence: 1 },
    ] {
        assert!(error.code().starts_with("forward-"));
        assert!(error.remedy().ends_with('.'), "{}", error.remedy());
    }
}
