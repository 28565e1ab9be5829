//! Genesis records: everybody agreed, everybody holds a share.

use quorate_protocol::cbor::Checked;
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::GenesisReceipt;
use quorate_protocol::invalid::Invalid;
use quorate_protocol::members::MemberSetFields;
use quorate_verify::genesis::{GenesisError, VerifiedGenesis, check_consents, check_output};

use crate::world::{
    PEOPLE, World, consent, consents, index, key, member, name, sealed_share, signing,
};

/// The record of a world after one change to it.
fn refusal(change: impl FnOnce(&mut World)) -> GenesisError {
    let mut world = World::new();
    change(&mut world);
    VerifiedGenesis::from_record(world.record).expect_err("a refusal")
}

/// The same with a change to one receipt, which its member then signs.
fn receipt_refusal(change: impl FnOnce(&World, &mut GenesisReceipt)) -> GenesisError {
    refusal(|world| {
        let mut receipt = world.record.receipts[1].unverified().clone();
        change(world, &mut receipt);
        world.record.receipts[1] = Signed::sign(receipt, &signing("bob"));
    })
}

#[test]
fn a_complete_record_is_accepted() {
    let world = World::new();
    let verified = world.verified();
    assert_eq!(verified.digest(), world.genesis());
    assert_eq!(verified.record(), &world.record);
    assert_eq!(verified.definition(), &world.record.definition);
    assert_eq!(
        verified.quorum_key().to_compressed(),
        world.secret.public_key()
    );
    assert_eq!(verified.epoch(), verified.commitments().epoch());
    let genesis = check_output(&world.record.definition, &world.record.output).unwrap();
    assert_eq!(&genesis, verified.genesis());
    assert_eq!(verified.into_record(), world.record);
}

#[test]
fn two_namespaces_of_one_name_differ_in_their_genesis() {
    let first = World::new();
    let mut fields = first.record.definition.clone().into_inner();
    fields.measurements = crate::world::measurements(0x60);
    let second = World::of(fields);
    assert_eq!(
        first.record.definition.namespace,
        second.record.definition.namespace
    );
    assert_ne!(first.verified().digest(), second.verified().digest());
}

#[test]
fn consent_missing_fails_closed() {
    let error = refusal(|world| {
        world.record.consents.remove(3);
        world.record.consents.remove(1);
    });
    let names = vec![name("bob"), name("dave")];
    assert_eq!(error, GenesisError::ConsentMissing { names });
    assert_eq!(error.to_string(), "the consent of bob and dave is missing");
}

#[test]
fn no_consent_at_all_fails_closed() {
    let world = World::new();
    let names = PEOPLE.map(name).to_vec();
    assert_eq!(
        check_consents(&world.record.definition, &[]),
        Err(GenesisError::ConsentMissing { names })
    );
}

#[test]
fn consent_of_a_stranger_fails_closed() {
    let error = refusal(|world| {
        let extra = consent(&world.record.definition, "mallory", "mallory");
        world.record.consents.push(extra);
    });
    let name = name("mallory");
    assert_eq!(error, GenesisError::ConsentOfStranger { name });
}

#[test]
fn consent_signed_by_a_stranger_fails_closed() {
    let error = refusal(|world| {
        world.record.consents[2] = consent(&world.record.definition, "carol", "mallory");
    });
    let name = name("carol");
    assert_eq!(error, GenesisError::ConsentSignature { name });
}

#[test]
fn consent_signed_by_another_member_fails_closed() {
    let error = refusal(|world| {
        world.record.consents[2] = consent(&world.record.definition, "carol", "alice");
    });
    let name = name("carol");
    assert_eq!(error, GenesisError::ConsentSignature { name });
}

#[test]
fn consent_twice_fails_closed() {
    let error = refusal(|world| {
        let again = world.record.consents[2].clone();
        world.record.consents.insert(2, again);
    });
    let name = name("carol");
    assert_eq!(error, GenesisError::ConsentRepeated { name });
}

#[test]
fn consents_out_of_order_fails_closed() {
    let error = refusal(|world| world.record.consents.swap(2, 3));
    let name = name("carol");
    assert_eq!(error, GenesisError::ConsentOutOfOrder { name });
}

#[test]
fn consent_to_another_definition_fails_closed() {
    let other = World::other().record.definition;
    let error = refusal(|world| world.record.consents = consents(&other));
    let expected = GenesisError::ConsentToAnother {
        name: name("alice"),
        expected: Digest::of(&World::new().record.definition),
        found: Digest::of(&other),
    };
    assert_eq!(error, expected);
}

#[test]
fn output_of_another_definition_fails_closed() {
    let other = Digest::of(&World::other().record.definition);
    let error = refusal(|world| world.set_output(|output| output.definition = other));
    let expected = GenesisError::OutputOfAnother {
        expected: Digest::of(&World::new().record.definition),
        found: other,
    };
    assert_eq!(error, expected);
}

#[test]
fn output_with_another_threshold_fails_closed() {
    let mut fields = World::new().record.definition.into_inner();
    let mut set = fields.share_set.into_inner();
    set.threshold = 2;
    fields.share_set = Checked::new(set).unwrap();
    let weaker = World::of(fields).record.output.commitments.clone();
    let error = refusal(|world| world.set_output(|output| output.commitments = weaker));
    let expected = GenesisError::CommitmentCount {
        threshold: 3,
        commitments: 2,
    };
    assert_eq!(error, expected);
}

#[test]
fn output_without_a_members_share_fails_closed() {
    let error = refusal(|world| {
        world.set_output(|output| {
            output.shares.remove(3);
        });
    });
    let expected = GenesisError::ShareMissing {
        name: name("dave"),
        index: index(4),
    };
    assert_eq!(error, expected);
}

#[test]
fn output_with_a_share_for_nobody_fails_closed() {
    let error = refusal(|world| {
        world.set_output(|output| {
            let mut share = output.shares[4].clone();
            share.index = index(6);
            share.sealed = sealed_share(index(6));
            output.shares.push(share);
        });
    });
    assert_eq!(error, GenesisError::ShareOfStranger { index: index(6) });
}

#[test]
fn receipt_missing_fails_closed() {
    let error = refusal(|world| {
        world.record.receipts.remove(0);
    });
    let names = vec![name("alice")];
    assert_eq!(error, GenesisError::ReceiptMissing { names });
}

#[test]
fn receipt_of_a_stranger_fails_closed() {
    let error = refusal(|world| {
        let mut receipt = world.record.receipts[4].unverified().clone();
        receipt.index = index(6);
        let receipt = Signed::sign(receipt, &signing("mallory"));
        world.record.receipts.push(receipt);
    });
    assert_eq!(error, GenesisError::ReceiptOfStranger { index: index(6) });
}

#[test]
fn receipt_twice_fails_closed() {
    let error = refusal(|world| {
        let again = world.record.receipts[1].clone();
        world.record.receipts.insert(1, again);
    });
    let (name, index) = (name("bob"), index(2));
    assert_eq!(error, GenesisError::ReceiptRepeated { name, index });
}

#[test]
fn receipts_out_of_order_fails_closed() {
    let error = refusal(|world| world.record.receipts.swap(0, 1));
    let (name, index) = (name("alice"), index(1));
    assert_eq!(error, GenesisError::ReceiptOutOfOrder { name, index });
}

#[test]
fn receipt_signed_by_another_member_fails_closed() {
    let error = refusal(|world| {
        let receipt = world.record.receipts[1].unverified().clone();
        world.record.receipts[1] = Signed::sign(receipt, &signing("alice"));
    });
    let (name, index) = (name("bob"), index(2));
    assert_eq!(error, GenesisError::ReceiptSignature { name, index });
}

#[test]
fn receipt_for_another_genesis_fails_closed() {
    let other = World::other().genesis();
    let error = receipt_refusal(|_, receipt| receipt.genesis = other);
    let expected = GenesisError::ReceiptForAnother {
        name: name("bob"),
        expected: World::new().genesis(),
        found: other,
    };
    assert_eq!(error, expected);
}

#[test]
fn receipt_for_another_epoch_fails_closed() {
    let epoch = World::other().record.output.commitments.epoch();
    let error = receipt_refusal(|_, receipt| receipt.epoch = epoch);
    assert_eq!(error, GenesisError::ReceiptEpoch { name: name("bob") });
}

#[test]
fn possession_of_another_share_fails_closed() {
    // Alice's genuine proof in Bob's receipt.
    let error = receipt_refusal(|world, receipt| {
        receipt.possession = Signed::sign(world.possession(1), &world.share_key(1));
    });
    let (name, index) = (name("bob"), index(2));
    assert_eq!(error, GenesisError::PossessionOfAnother { name, index });
}

#[test]
fn possession_signed_with_another_share_fails_closed() {
    let error = receipt_refusal(|world, receipt| {
        receipt.possession = Signed::sign(world.possession(2), &world.share_key(1));
    });
    let (name, index) = (name("bob"), index(2));
    assert_eq!(error, GenesisError::PossessionSignature { name, index });
}

#[test]
fn possession_signed_with_the_members_own_key_fails_closed() {
    let error = receipt_refusal(|world, receipt| {
        receipt.possession = Signed::sign(world.possession(2), &signing("bob"));
    });
    let (name, index) = (name("bob"), index(2));
    assert_eq!(error, GenesisError::PossessionSignature { name, index });
}

#[test]
fn possession_signed_with_a_strangers_key_fails_closed() {
    let error = receipt_refusal(|world, receipt| {
        receipt.possession = Signed::sign(world.possession(2), &key("mallory"));
    });
    let (name, index) = (name("bob"), index(2));
    assert_eq!(error, GenesisError::PossessionSignature { name, index });
}

#[test]
fn thresholds_0_1_and_above_n_fails_closed() {
    for threshold in [0, 1, 6] {
        let members = (1..).zip(PEOPLE).map(|(i, person)| member(person, i));
        let set = Checked::new(MemberSetFields {
            threshold,
            members: members.collect(),
        });
        let expected = Invalid::Threshold {
            threshold,
            members: 5,
        };
        assert_eq!(set.map(drop), Err(expected));
    }
}

#[test]
fn duplicate_members_fails_closed() {
    let set = |members: Vec<_>| {
        let threshold = 2;
        Checked::new(MemberSetFields { threshold, members }).map(drop)
    };
    let twice = set(vec![member("alice", 1), member("alice", 2)]);
    assert_eq!(twice, Err(Invalid::MemberNameRepeated));
    let twice = set(vec![member("alice", 1), member("bob", 1)]);
    assert_eq!(twice, Err(Invalid::IndicesNotAscending { index: 1 }));
    let mut alias = member("bob", 2);
    alias.signing_key = member("alice", 1).signing_key;
    let twice = set(vec![member("alice", 1), alias]);
    assert_eq!(twice, Err(Invalid::KeyReused));
}
