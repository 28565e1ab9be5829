//! Every rule of the contract, broken alone: refused when made and when decoded, with its name.

mod applications;
mod egress;
mod surrogates;
mod transcripts;
mod wallets;

use quorate_protocol::application::LaunchRecord;
use quorate_protocol::atoms::{Bytes, Name, Pcr, ShareIndex, Text, UnixMillis};
use quorate_protocol::card::{MemberCard, MemberCardFields};
use quorate_protocol::carried::{CarriedAttestation, CarriedGrant, CarriedNonce};
use quorate_protocol::cbor::{Checked, DecodeError, Object, Rules, from_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::definition::{
    AgeLimit, Definition, DefinitionFields, MeasurementFields, Measurements,
};
use quorate_protocol::digest::Digest;
use quorate_protocol::evidence::Evidence;
use quorate_protocol::genesis::{
    CommitmentList, GenesisOutput, GenesisOutputFields, GenesisReceipt, SealedShare,
};
use quorate_protocol::instance::{KeyRing, KeyRingFields};
use quorate_protocol::invalid::Invalid;
use quorate_protocol::keys::{EncryptionKey, KeyPair, VerificationKey};
use quorate_protocol::manifest::{Approval, Manifest, ManifestFields};
use quorate_protocol::members::{Member, MemberSet, MemberSetFields, Role};
use quorate_protocol::provision::ShareGrant;
use quorate_vectors::committed::{cases, folder};
use quorate_vectors::keys::{encryption, verification};
use quorate_vectors::tree::Item;

/// Breaks a rule in a value that keeps all of them, and expects its name from both doors.
fn broken<F>(value: Checked<F>, change: impl FnOnce(&mut F), rule: &Invalid)
where
    F: Rules + Clone + PartialEq + std::fmt::Debug + minicbor::Encode<()>,
    Checked<F>: Object,
{
    let mut fields = value.into_inner();
    change(&mut fields);
    assert_eq!(Checked::new(fields.clone()).as_ref().err(), Some(rule));
    let bytes = minicbor::to_vec(&fields).expect("a Vec takes all");
    refused::<Checked<F>>(&bytes, rule);
}

fn refused<T: Object>(bytes: &[u8], rule: &Invalid) {
    let expected = DecodeError::Rule {
        label: T::LABEL,
        rule: rule.clone(),
    };
    match from_bytes::<T>(bytes) {
        Ok(_) => panic!("decoded although {rule}"),
        Err(found) => assert_eq!(found, expected),
    }
}

/// Replaces one item of an object's bytes and expects the rule. Of a manifest it is the one with
/// every field, so that the value of key k is item 2k + 1.
fn replaced<T: Object>(stem: &str, path: &[usize], item: Item, rule: &Invalid) {
    let case = if stem == "manifest" { 2 } else { 0 };
    let root = Item::read(&cases(stem)[case].bytes);
    refused::<T>(&root.with(path, item).write(), rule);
}

fn object<T: Object>(stem: &str, case: usize) -> T {
    from_bytes(&cases(stem)[case].bytes).expect("a vector")
}

/// The third manifest of the sample: two applications, every field present.
fn manifest() -> Manifest {
    object("manifest", 2)
}

fn definition() -> Definition {
    object("definition", 0)
}

fn set(change: impl FnOnce(&mut MemberSetFields)) -> Result<MemberSet, Invalid> {
    let mut fields = definition().share_set.clone().into_inner();
    change(&mut fields);
    Checked::new(fields)
}

fn of_set(rule: &Invalid, change: impl Fn(&mut MemberSetFields)) {
    assert_eq!(set(&change).err().as_ref(), Some(rule));
    // Inside a definition, and inside a manifest.
    let mut fields = definition().share_set.clone().into_inner();
    change(&mut fields);
    let bytes = minicbor::to_vec(&fields).expect("a Vec takes all");
    replaced::<Definition>("definition", &[7], Item::Raw(bytes.clone()), rule);
    replaced::<Manifest>("manifest", &[23], Item::Raw(bytes), rule);
}

fn text<const MAX: usize>(text: &str) -> Text<MAX> {
    Text::new(text).expect("a text")
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

/// Bytes that are no point: x is not the abscissa of one.
fn no_point() -> Item {
    let mut bytes = vec![2; 33];
    bytes[1..].fill(0xff);
    Item::Bytes(bytes)
}

#[test]
fn thresholds_0_and_1_fails_closed() {
    for threshold in [0, 1] {
        let rule = Invalid::Threshold {
            threshold,
            members: 3,
        };
        of_set(&rule, |set| set.threshold = threshold);
    }
}

#[test]
fn a_threshold_above_the_members_fails_closed() {
    for threshold in [4, 255] {
        let rule = Invalid::Threshold {
            threshold,
            members: 3,
        };
        of_set(&rule, |set| set.threshold = threshold);
    }
    let none = Invalid::Threshold {
        threshold: 2,
        members: 0,
    };
    of_set(&none, |set| set.members.clear());
}

#[test]
fn a_threshold_of_all_members_is_accepted() {
    assert!(set(|set| set.threshold = 3).is_ok());
}

#[test]
fn repeated_and_unordered_indices_fails_closed() {
    let rule = Invalid::IndicesNotAscending { index: 1 };
    of_set(&rule, |set| set.members[1].index = set.members[0].index);
    of_set(&rule, |set| set.members.swap(0, 1));
}

#[test]
fn repeated_names_fails_closed() {
    let rule = Invalid::MemberNameRepeated;
    of_set(&rule, |set| {
        set.members[2].name = set.members[0].name.clone()
    });
}

#[test]
fn repeated_keys_in_a_set_fails_closed() {
    let rule = Invalid::KeyReused;
    let copy = |from: &Member| (from.signing_key, from.encryption_key.clone());
    of_set(&rule, |set| {
        set.members[2].signing_key = copy(&set.members[0]).0
    });
    of_set(&rule, |set| {
        set.members[2].encryption_key = copy(&set.members[0]).1
    });
    // One member's signing key as another's encryption key, and as their own.
    for target in [0, 2] {
        of_set(&rule, |set| {
            let key = set.members[0].signing_key.to_compressed();
            set.members[target].encryption_key = EncryptionKey::from_sec1(&key).expect("a point");
        });
    }
}

#[test]
fn one_key_twice_on_a_member_card_fails_closed() {
    let card: MemberCard = object("member-card", 0);
    let change = |card: &mut MemberCardFields| {
        let key = card.signing_key.to_compressed();
        card.encryption_key = EncryptionKey::from_sec1(&key).expect("a point");
    };
    broken(card, change, &Invalid::KeyReused);
}

#[test]
fn a_person_with_other_keys_in_the_other_set_fails_closed() {
    let rule = Invalid::MemberDiffers;
    let change = |member: &mut Member| member.signing_key = verification("another");
    let in_definition = |fields: &mut DefinitionFields| {
        let mut set = fields.share_set.clone().into_inner();
        change(&mut set.members[0]);
        fields.share_set = Checked::new(set).expect("a set");
    };
    broken(definition(), in_definition, &rule);
    let in_manifest = |fields: &mut ManifestFields| {
        let mut set = fields.share_set.clone().into_inner();
        change(&mut set.members[0]);
        fields.share_set = Checked::new(set).expect("a set");
    };
    broken(manifest(), in_manifest, &rule);
}

#[test]
fn two_people_with_one_key_fails_closed() {
    let rule = Invalid::MemberDiffers;
    for all in [true, false] {
        let change = |fields: &mut DefinitionFields| {
            // dave is in the manifest set only, carol in the share set only.
            let dave = fields.manifest_set.members[2].clone();
            let mut set = fields.share_set.clone().into_inner();
            set.members[2].encryption_key = dave.encryption_key;
            if all {
                set.members[2].signing_key = dave.signing_key;
            }
            fields.share_set = Checked::new(set).expect("a set");
        };
        broken(definition(), change, &rule);
    }
}

#[test]
fn all_zero_measurements_fails_closed() {
    let measurements = || -> Measurements { manifest().measurements.clone() };
    type Change = fn(&mut MeasurementFields);
    let changes: [(u8, Change); 4] = [
        (0, |m| m.pcr0 = Pcr::ZERO),
        (1, |m| m.pcr1 = Pcr::ZERO),
        (2, |m| m.pcr2 = Pcr::ZERO),
        (8, |m| m.pcr8 = Some(Pcr::ZERO)),
    ];
    for (index, change) in changes {
        let mut fields = measurements().into_inner();
        change(&mut fields);
        let rule = Invalid::MeasurementZero { index };
        let bytes = minicbor::to_vec(&fields).expect("a Vec takes all");
        assert_eq!(Checked::new(fields).err(), Some(rule.clone()));
        replaced::<Manifest>("manifest", &[17], Item::Raw(bytes.clone()), &rule);
        replaced::<Definition>("definition", &[11], Item::Raw(bytes), &rule);
    }
    let mut empty = measurements().into_inner();
    empty.role_arn = Some(text(""));
    assert_eq!(Checked::new(empty).err(), Some(Invalid::Text));
}

#[test]
fn another_format_fails_closed() {
    let known = quorate_protocol::FORMAT;
    for format in [0, 1, known - 1, known + 1, 255] {
        let rule = Invalid::Format { found: format };
        broken(definition(), |fields| fields.format = format, &rule);
        broken(manifest(), |fields| fields.format = format, &rule);
        broken(
            object::<MemberCard>("member-card", 0),
            |card| card.format = format,
            &rule,
        );
        let item = || Item::Unsigned(format.into());
        replaced::<Evidence>("evidence", &[1], item(), &rule);
        replaced::<LaunchRecord>("launch-record", &[1], item(), &rule);
    }
}

/// From a minute to half an hour, both included.
#[test]
fn age_limit_outside_its_bounds_fails_closed() {
    for found in [0, 1, 59, 1801, u16::MAX] {
        let rule = Invalid::AgeLimit { found };
        assert_eq!(AgeLimit::new(found), Err(rule.clone()));
        replaced::<Definition>("definition", &[13], Item::Unsigned(found.into()), &rule);
    }
    for seconds in [60, 61, 1800] {
        let limit = AgeLimit::new(seconds).expect("a limit");
        assert_eq!(limit.duration().as_secs(), u64::from(seconds));
    }
}

#[test]
fn carried_files_of_another_format_fail_closed() {
    let known = quorate_protocol::FORMAT;
    for found in [0, known - 1, known + 1, 255] {
        let rule = Invalid::Format { found };
        let item = || Item::Unsigned(found.into());
        replaced::<CarriedNonce>("carried-nonce", &[1], item(), &rule);
        replaced::<CarriedAttestation>("carried-attestation", &[1], item(), &rule);
        replaced::<CarriedGrant>("carried-grant", &[1], item(), &rule);
    }
}

#[test]
fn sequence_0_fails_closed() {
    broken(
        manifest(),
        |fields| fields.sequence = 0,
        &Invalid::SequenceZero,
    );
}

#[test]
fn a_first_manifest_with_a_predecessor_fails_closed() {
    let rule = Invalid::Predecessor;
    let some = Some(Digest::from_bytes([7; 32]));
    let first = || -> Manifest { object("manifest", 0) };
    broken(first(), |fields| fields.previous = some, &rule);
    broken(first(), |fields| fields.last_set_change = some, &rule);
    broken(first(), |fields| fields.sequence = 2, &rule);
    broken(manifest(), |fields| fields.previous = None, &rule);
    broken(manifest(), |fields| fields.sequence = 1, &rule);
}

#[test]
fn a_quorum_key_that_is_not_the_first_commitment_fails_closed() {
    let change = |fields: &mut ManifestFields| fields.quorum_key = verification("another");
    broken(manifest(), change, &Invalid::QuorumKeyMismatch);
}

#[test]
fn an_epoch_of_other_commitments_fails_closed() {
    let change = |fields: &mut ManifestFields| fields.epoch = Digest::from_bytes([7; 32]);
    broken(manifest(), change, &Invalid::EpochMismatch);
}

#[test]
fn another_count_of_commitments_than_the_threshold_fails_closed() {
    let change = |fields: &mut ManifestFields| {
        let mut set = fields.share_set.clone().into_inner();
        set.threshold = 3;
        fields.share_set = Checked::new(set).expect("a set");
    };
    broken(manifest(), change, &Invalid::ThresholdMismatch);
}

#[test]
fn commitments_that_are_no_polynomial_fails_closed() {
    let rule = Invalid::Commitments;
    let list = Item::read(&cases("epoch")[0].bytes);
    let Item::Array(points) = &list else {
        panic!("commitments are an array");
    };
    let many = vec![points[0].clone(); 256];
    let mut odd = points.clone();
    odd[1] = no_point();
    let mut identity = points.clone();
    identity[1] = Item::Bytes(vec![0; 33]);
    for points in [vec![], vec![points[0].clone()], many, odd, identity] {
        let item = Item::Array(points);
        refused::<CommitmentList>(&item.write(), &rule);
        replaced::<Manifest>("manifest", &[15], item.clone(), &rule);
        replaced::<GenesisOutput>("genesis-output", &[3], item, &rule);
    }
}

#[test]
fn empty_validity_windows_fails_closed() {
    for (before, after) in [(5, 5), (6, 5), (u64::MAX, 0)] {
        let change = |fields: &mut ManifestFields| {
            fields.validity.not_before = UnixMillis(before);
            fields.validity.not_after = UnixMillis(after);
        };
        broken(manifest(), change, &Invalid::Window);
    }
}

#[test]
fn no_suite_or_unknown_suites_fails_closed() {
    let rule = |found| Invalid::ListLength {
        min: 1,
        max: 8,
        found,
    };
    broken(manifest(), |fields| fields.suites.clear(), &rule(0));
    broken(
        manifest(),
        |fields| fields.suites = (1..10).collect(),
        &rule(9),
    );
    for found in [0, 2, 65_535] {
        broken(
            manifest(),
            |fields| fields.suites = vec![found],
            &Invalid::Suite { found },
        );
        let item = Item::Unsigned(found.into());
        replaced::<SealedShare>("sealed-share", &[1], item, &Invalid::Suite { found });
    }
    let twice = |fields: &mut ManifestFields| fields.suites = vec![1, 1];
    broken(manifest(), twice, &Invalid::ApplicationsNotAscending);
}

#[test]
fn shares_out_of_order_in_a_genesis_output_fails_closed() {
    let output: GenesisOutput = object("genesis-output", 0);
    let rule = Invalid::IndicesNotAscending { index: 1 };
    let swap = |fields: &mut GenesisOutputFields| fields.shares.swap(0, 1);
    broken(output.clone(), swap, &rule);
    let twice = |fields: &mut GenesisOutputFields| fields.shares[1] = fields.shares[0].clone();
    broken(output, twice, &rule);
}

#[test]
fn key_rings_out_of_order_empty_or_too_long_fails_closed() {
    let ring = || -> KeyRing { object("key-ring", 1) };
    let rule = Invalid::ApplicationsNotAscending;
    broken(
        ring(),
        |fields: &mut KeyRingFields| fields.keys.swap(0, 1),
        &rule,
    );
    broken(
        ring(),
        |fields| fields.keys[1] = fields.keys[0].clone(),
        &rule,
    );
    let length = |found| Invalid::ListLength {
        min: 1,
        max: 33,
        found,
    };
    broken(ring(), |fields| fields.keys.clear(), &length(0));
    let many = |fields: &mut KeyRingFields| {
        let one = fields.keys[0].clone();
        fields.keys = vec![one; 34];
    };
    broken(ring(), many, &length(34));
}

#[test]
fn index_0_fails_closed() {
    let zero = || Item::Unsigned(0);
    let rule = Invalid::ShareIndexZero;
    replaced::<Approval>("approval", &[7], zero(), &rule);
    replaced::<ShareGrant>("share-grant", &[11], zero(), &rule);
    replaced::<GenesisReceipt>("genesis-receipt", &[5], zero(), &rule);
    replaced::<Definition>("definition", &[7, 3, 0, 3], zero(), &rule);
    assert_eq!(ShareIndex::new(0), None);
}

#[test]
fn a_share_grant_in_another_role_fails_closed() {
    let role = Item::Unsigned(1);
    replaced::<ShareGrant>("share-grant", &[1], role, &Invalid::Role);
    assert_ne!(
        Role::ManifestSet,
        object::<ShareGrant>("share-grant", 0).role
    );
}

#[test]
fn names_outside_the_alphabet_fails_closed() {
    let long = "a".repeat(64);
    let bad = [
        "",
        "-a",
        ".a",
        "_a",
        "A",
        "a b",
        "a/b",
        "ä",
        "a\n",
        "a\0",
        "\u{202e}a",
        &long,
    ];
    for wrong in bad {
        assert_eq!(Name::new(wrong), Err(Invalid::Name), "{wrong:?}");
        let item = Item::Text(wrong.into());
        replaced::<Definition>("definition", &[3], item, &Invalid::Name);
    }
    for right in ["a", "0", "a-b.c_d", &"z".repeat(63)] {
        assert_eq!(name(right).as_str(), right);
    }
}

#[test]
fn control_characters_and_long_texts_fails_closed() {
    let long = "ä".repeat(9);
    for wrong in ["a\n", "\u{1b}[31m", "\u{7f}", "\u{85}", "\0", &long] {
        assert_eq!(Text::<17>::new(wrong), Err(Invalid::Text), "{wrong:?}");
    }
    assert!(Text::<18>::new(&long).is_ok());
    let arguments = Item::Array(vec![Item::Text("a\u{1b}[2J".into())]);
    replaced::<Manifest>("manifest", &[19, 0, 7], arguments, &Invalid::Text);
}

#[test]
fn byte_strings_outside_their_bounds_fails_closed() {
    for found in [0, 1, 4, 6] {
        let rule = Invalid::Length {
            min: 2,
            max: 3,
            found,
        };
        let made = Bytes::<2, 3>::new(vec![0; found]);
        assert_eq!(made, Err(rule), "{found}");
    }
    let rule = |found| Invalid::Length {
        min: 48,
        max: 48,
        found,
    };
    for found in [47, 49] {
        let item = Item::Bytes(vec![0; found]);
        replaced::<SealedShare>("sealed-share", &[5], item, &rule(found));
    }
}

#[test]
fn verification_keys_that_are_no_points_fails_closed() {
    let rule = Invalid::VerificationKey;
    replaced::<Definition>("definition", &[7, 3, 0, 5], no_point(), &rule);
    replaced::<Manifest>("manifest", &[11], no_point(), &rule);
    let point = verification("a").to_uncompressed();
    let mut off = point;
    off[64] ^= 1;
    let hybrid = [&[6 + (point[64] & 1)], &point[1..]].concat();
    let compact = [&[5], &point[1..33]].concat();
    for bytes in [
        &[][..],
        &[0],
        &[0; 33],
        &[0; 65],
        &point[..64],
        &off,
        &hybrid,
        &compact,
    ] {
        assert_eq!(
            VerificationKey::from_sec1(bytes).err(),
            Some(rule.clone()),
            "{bytes:02x?}"
        );
    }
}

#[test]
fn encryption_keys_that_are_no_points_fails_closed() {
    let rule = Invalid::EncryptionKey;
    replaced::<Definition>("definition", &[7, 3, 0, 7], no_point(), &rule);
    let point = encryption("a").inner().to_uncompressed();
    let mut off = point;
    off[64] ^= 1;
    let hybrid = [&[6 + (point[64] & 1)], &point[1..]].concat();
    let compact = [&[5], &point[1..33]].concat();
    for bytes in [
        &[][..],
        &[0],
        &[0; 33],
        &[0; 65],
        &point[..64],
        &off,
        &hybrid,
        &compact,
    ] {
        assert_eq!(
            EncryptionKey::from_sec1(bytes).err(),
            Some(rule.clone()),
            "{bytes:02x?}"
        );
    }
}

#[test]
fn attested_pairs_in_another_form_fails_closed() {
    let grant: ShareGrant = object("share-grant", 0);
    let attested = grant.setup.to_attested();
    assert_eq!(KeyPair::from_attested(&attested), Ok(grant.setup));
    for found in [0, 129, 131] {
        let rule = Invalid::Length {
            min: 130,
            max: 130,
            found,
        };
        assert_eq!(KeyPair::from_attested(&vec![4; found]), Err(rule));
    }
    for (at, rule) in [
        (64, Invalid::EncryptionKey),
        (129, Invalid::VerificationKey),
    ] {
        let mut off = attested;
        off[at] ^= 1;
        assert_eq!(KeyPair::from_attested(&off), Err(rule.clone()));
        let item = Item::Bytes(off.to_vec());
        replaced::<ShareGrant>("share-grant", &[7], item, &rule);
    }
}

#[test]
fn negative_descriptors_fails_closed() {
    let minus_one = || Item::Raw(vec![0x20]);
    let rule = Invalid::Descriptor { found: -1 };
    for path in [&[5][..], &[7], &[9, 0, 3]] {
        replaced::<LaunchRecord>("launch-record", path, minus_one(), &rule);
    }
}

#[test]
fn signatures_out_of_range_or_with_high_s_fails_closed() {
    let case = &cases("approval")[0];
    let signed = case.signed.as_ref().expect("a signed case");
    let root = Item::read(&signed.cose_sign1);
    let order = hex32("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
    let (r, s) = signed.signature.split_at(32);
    let high = minus(&order, s);
    for (what, r, s) in [
        ("high s", r, high.as_slice()),
        ("r = 0", &[0; 32], s),
        ("s = 0", r, &[0; 32]),
        ("r = q", &order, s),
        ("s = q", r, &order),
        ("r too large", &[0xff; 32], s),
    ] {
        let item = Item::Bytes([r, s].concat());
        let bytes = root.with(&[3], item).write();
        let expected = DecodeError::Rule {
            label: Approval::LABEL,
            rule: Invalid::Signature,
        };
        assert_eq!(
            from_bytes::<Signed<Approval>>(&bytes).err(),
            Some(expected),
            "{what}"
        );
        let raw = [r, s].concat().try_into().expect("64 bytes");
        let parts = Signed::from_parts(object::<Approval>("approval", 0), &raw);
        // A token's high s is normalized; the rest is out of range.
        match parts {
            Ok(made) => assert_eq!(
                (what, made.signature()[32..].to_vec()),
                ("high s", signed.signature[32..].to_vec())
            ),
            Err(rule) => assert_eq!(rule, Invalid::Signature, "{what}"),
        }
    }
}

fn hex32(text: &str) -> [u8; 32] {
    quorate_vectors::unhex(text).try_into().expect("32 bytes")
}

/// a − b, big-endian.
fn minus(a: &[u8; 32], b: &[u8]) -> [u8; 32] {
    let mut difference = [0; 32];
    let mut borrow = 0;
    for at in (0..32).rev() {
        let value = 256 + i32::from(a[at]) - i32::from(b[at]) - borrow;
        difference[at] = (value % 256) as u8;
        borrow = i32::from(value < 256);
    }
    difference
}

/// No rule without a test: each variant is named in these files.
#[test]
fn every_rule_has_a_test_here() {
    let read = |path: &str| std::fs::read_to_string(folder().join(path)).expect("source");
    let rules = read("core/src/invalid.rs");
    let files = [
        "main",
        "applications",
        "egress",
        "surrogates",
        "transcripts",
        "wallets",
    ];
    let tests = files
        .map(|file| read(&format!("core/tests/rules/{file}.rs")))
        .concat();
    let (_, list) = rules.split_once("pub enum Invalid {").expect("the rules");
    let (list, _) = list.split_once("\n}\n").expect("their end");
    let mut count = 0;
    for line in list.lines() {
        let variant = line.trim_end_matches([',', '{', ' ']);
        let variant = variant
            .strip_prefix("    ")
            .filter(|v| v.starts_with(char::is_uppercase));
        if let Some(variant) = variant {
            assert!(
                tests.contains(&format!("Invalid::{variant}")),
                "{variant} is not tested"
            );
            count += 1;
        }
    }
    assert!(count >= 28, "{count} rules");
}

/// Every rule says something of its own.
#[test]
fn every_rule_has_a_text() {
    let texts = [
        Invalid::Name,
        Invalid::Text,
        Invalid::Role,
        Invalid::Window,
        Invalid::KeyReused,
        Invalid::Descriptor { found: -1 },
        Invalid::Threshold {
            threshold: 1,
            members: 3,
        },
        Invalid::ListLength {
            min: 1,
            max: 2,
            found: 3,
        },
    ]
    .map(|rule| rule.to_string());
    let different: std::collections::BTreeSet<_> = texts.iter().collect();
    assert_eq!(different.len(), texts.len());
    assert!(texts.iter().all(|text| text.len() > 10));
}
