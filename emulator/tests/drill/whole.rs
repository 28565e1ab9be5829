//! From a genesis, and from a resharing, to a drill that anybody can verify.

use quorate_protocol::cbor::Checked;
use quorate_protocol::drill::reshare_drill_share_context;
use quorate_protocol::genesis::Possession;
use quorate_protocol::message::Phase;
use quorate_protocol::reshare::{
    CompletedReshare, ReshareConsent, ReshareOrder, ReshareReceipt, ReshareRequest,
    reshare_share_context,
};
use quorate_verify::drill::{DrillField, SharingFault, check_sharing};
use quorate_verify::instance::{InstanceError, verify_drill_setup, verify_setup};

use super::*;
use crate::common::{copies, set};

/// Two of three give, the third comes after the threshold; the record is the same when asked for again;
/// whoever changes anything of it is found out.
#[test]
fn everybody_takes_part_and_anybody_can_verify_it() {
    let mut namespace = Namespace::new();
    let sharing = namespace.record.output.drill.clone();
    let real = &namespace.record.output.commitments;
    assert_ne!(sharing.commitments.quorum_key(), real.quorum_key());
    let share_set = &namespace.world.definition.share_set;
    check_sharing(real, share_set, &sharing).unwrap();
    // The real sharing in the place of a drill's.
    let same = DrillSharing {
        commitments: real.clone(),
        shares: sharing.shares,
    };
    let refused = check_sharing(real, share_set, &same);
    assert_eq!(refused, Err(SharingFault::Commitments));

    let rehearsal = namespace.start();
    for (position, proved) in [(2, 1), (0, 2), (1, 3)] {
        let receipt = rehearsal.take(&namespace.honest(&rehearsal, position));
        let counts = (receipt.proved, receipt.accepted, receipt.threshold);
        assert_eq!(counts, (proved, proved, 2));
        assert_eq!(rehearsal.enclave.status().phase, Phase::Drilling);
    }
    let drill = rehearsal.ended();
    let verified = namespace.verify(&drill).unwrap();
    let names: Vec<&str> = verified
        .participants
        .iter()
        .map(|p| p.holder.name.as_str())
        .collect();
    assert_eq!(names, ["member-1", "member-2", "member-3"]);
    assert!(verified.participants.iter().all(|p| p.gave_share));
    assert!(verified.absent(share_set_of(&rehearsal)).is_empty());
    assert!(verified.due > verified.time);
    let again = rehearsal.ended();
    assert_eq!(
        (&again.record, &again.grants),
        (&drill.record, &drill.grants)
    );
    namespace.verify(&again).unwrap();

    let mut missing = drill.clone();
    missing.grants.pop();
    let field = DrillField::Grants;
    assert_eq!(
        namespace.verify(&missing),
        Err(DrillError::Differs { field })
    );
    let mut claim = drill.record.unverified().clone().into_inner();
    claim.due.0 += 1;
    let claim = Checked::new(claim).unwrap();
    let mut altered = drill.clone();
    altered.record = Signed::from_parts(claim, &drill.record.signature()).unwrap();
    assert_eq!(namespace.verify(&altered), Err(DrillError::RecordSignature));
    // The attestation of another drill enclave.
    let other = namespace.start();
    let mut swapped = drill;
    swapped.document =
        quorate_protocol::atoms::Bytes::new(other.enclave.attest(Stage::Drill, &nonce())).unwrap();
    assert_eq!(namespace.verify(&swapped), Err(DrillError::RecordSignature));
}

fn share_set_of(rehearsal: &Rehearsal) -> &quorate_protocol::members::MemberSet {
    &rehearsal.manifest.share_set
}

/// No tool takes the one attestation for the other.
#[test]
fn an_attestation_for_a_drill_is_not_one_of_an_instance_fails_closed() {
    let mut namespace = Namespace::new();
    let rehearsal = namespace.start();
    let (record, chain) = (namespace.record.clone(), namespace.chain.clone());
    let shares = copies(&namespace.shares);
    let instance = namespace.world.boot(record, shares, chain);
    let mut anchors = TrustAnchors::empty();
    let root = common::root_der(&namespace.world.hypervisor);
    let anchor = TrustAnchor::from_der(Partition::Development, &root).unwrap();
    anchors.insert(anchor).unwrap();
    let genesis = VerifiedGenesis::from_record(namespace.record.clone()).unwrap();
    let chain = walk(&genesis, &namespace.chain).unwrap();
    let archived = Freshness::Archived { at_unix: None };
    let for_drill = rehearsal.enclave.attest(Stage::Drill, &nonce());
    let for_shares = instance.enclave.attest(Stage::Setup, &nonce());
    let setup = |bytes: &[u8]| verify_setup(bytes, &genesis, &chain, &anchors, &archived);
    let drill = |bytes: &[u8]| verify_drill_setup(bytes, &genesis, &chain, &anchors, &archived);
    assert_eq!(setup(&for_drill).err(), Some(InstanceError::ForDrill));
    assert_eq!(drill(&for_shares).err(), Some(InstanceError::NotForDrill));
    assert_eq!(drill(&for_drill).unwrap().setup, rehearsal.setup);
    assert_eq!(setup(&for_shares).unwrap().setup, instance.booted.setup);
}

/// After a resharing the new holders prove the new shares and give those of another drill scalar; old
/// proofs and old drill shares count no more.
#[test]
fn a_drill_after_a_resharing_is_of_the_new_epoch() {
    let mut namespace = Namespace::new();
    let (record, chain) = (namespace.record.clone(), namespace.chain.clone());
    let shares = copies(&namespace.shares);
    let running = namespace.world.boot(record, shares, chain);
    running.provision(&namespace.world, &[0, 1]);
    let nonce = match running.enclave.ask(&Request::ReshareChallenge) {
        Response::ReshareChallenge(challenge) => challenge,
        other => panic!("{other:?}"),
    };
    let next: Vec<Person> = (1..=4)
        .map(|n| Person::new(&format!("next-{n}"), n))
        .collect();
    let order = ReshareOrder {
        genesis: namespace.record.digest(),
        manifest: Digest::of(running.manifest()),
        live: running.booted.live.clone(),
        epoch: running.manifest().epoch,
        share_set: set(&next, 3),
        nonce: nonce.nonce,
        expires: nonce.expires,
    };
    let signers = &namespace.world.people[..2];
    let consents = [Role::ManifestSet, Role::ShareSet]
        .into_iter()
        .flat_map(|role| {
            let order = &order;
            signers.iter().map(move |person| {
                let consent = ReshareConsent {
                    role,
                    genesis: order.genesis,
                    order: Digest::of(order),
                    index: person.index,
                    time: UnixMillis(1),
                };
                Signed::sign(consent, &person.signing)
            })
        });
    let request = ReshareRequest {
        consents: consents.collect(),
        order: order.clone(),
    };
    let reshare = match running.enclave.ask(&Request::Reshare(Box::new(request))) {
        Response::Reshared(reshare) => *reshare,
        other => panic!("{other:?}"),
    };
    let made = reshare.record.unverified().clone();
    let (named, epoch) = (Digest::of(&order), made.commitments.epoch());
    let as_real = DrillSharing {
        commitments: made.commitments.clone(),
        shares: made.shares.clone(),
    };
    let real = opened(&as_real, &next, |index| {
        reshare_share_context(&named, index, &epoch)
    });
    let drill_epoch = made.drill.commitments.epoch();
    let drill_shares = opened(&made.drill, &next, |index| {
        reshare_drill_share_context(&named, index, &drill_epoch)
    });
    assert_ne!(
        drill_epoch,
        namespace.record.output.drill.commitments.epoch()
    );
    let receipts = next.iter().zip(&real).map(|(person, share)| {
        let possession = Possession {
            genesis: made.genesis,
            epoch,
            index: person.index,
        };
        let receipt = ReshareReceipt {
            genesis: made.genesis,
            record: reshare.record.digest(),
            epoch,
            index: person.index,
            time: UnixMillis(1),
            possession: Signed::sign(possession, &share.signing_key()),
        };
        Signed::sign(receipt, &person.signing)
    });
    let completed = CompletedReshare {
        receipts: receipts.collect(),
        reshare,
    };
    let mut fields = running.manifest().clone().into_inner();
    fields.sequence += 1;
    fields.previous = Some(Digest::of(running.manifest()));
    fields.commitments = made.commitments.clone();
    fields.epoch = epoch;
    fields.share_set = order.share_set.clone();
    let manifest: Manifest = Checked::new(fields).unwrap();
    let mut approvals = common::approvals(&manifest, signers, Role::ManifestSet);
    approvals.extend(common::approvals(&manifest, signers, Role::ShareSet));
    namespace.chain.push(Link {
        manifest,
        approvals,
        reshare: Some(Box::new(completed)),
        surrogates: Vec::new(),
    });

    let rehearsal = Rehearsal {
        drill: made.drill.clone(),
        ..namespace.start()
    };
    // Somebody of before: their proof and share are of the old epoch, and their place is another's.
    let old = namespace.honest(&rehearsal, 0);
    let refused = common::reason(rehearsal.ask(&old));
    assert_eq!(refused, quorate_protocol::message::Reason::GrantSignature);
    let old_proof = Signed::sign(
        DrillPossession {
            epoch: running.manifest().epoch,
            ..rehearsal.possession(&namespace.shares[0])
        },
        &namespace.shares[0].signing_key(),
    );
    let request = DrillRequest {
        grant: Signed::sign(rehearsal.grant(old_proof, None), &next[0].signing),
        sealed: None,
    };
    let refused = common::reason(rehearsal.ask(&request));
    assert_eq!(refused, quorate_protocol::message::Reason::GrantForAnother);
    // A new member with the old real share.
    let request = rehearsal.request(&next[0], &namespace.shares[0], Some(&drill_shares[0]));
    let refused = common::reason(rehearsal.ask(&request));
    assert_eq!(refused, quorate_protocol::message::Reason::DrillProof);

    for ((person, real), drill) in next.iter().zip(&real).zip(&drill_shares) {
        rehearsal.take(&rehearsal.request(person, real, Some(drill)));
    }
    let verified = namespace.verify(&rehearsal.ended()).unwrap();
    assert_eq!((verified.epoch, verified.participants.len()), (epoch, 4));
}
