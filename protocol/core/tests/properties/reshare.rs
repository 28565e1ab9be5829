//! What a resharing is made of.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use quorate_protocol::cbor::{Checked, from_bytes, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::{MemberShare, Possession};
use quorate_protocol::invalid::Invalid;
use quorate_protocol::manifest::{Approval, Link};
use quorate_protocol::members::Role;
use quorate_protocol::message::{Request, Response};
use quorate_protocol::reshare::{
    CompletedReshare, Reshare, ReshareChallenge, ReshareConsent, ReshareOrder, ReshareReceipt,
    ReshareRecord, ReshareRecordFields, ReshareRequest, ShareDestroyed,
};
use quorate_vectors::keys::{signing, verification};

use super::drill::sharing;
use super::{
    PEOPLE, bytes, commitments, config, digest, index, instance_certificate, keys, manifest,
    member_set, ring, sealed, signed, signed_survives, survives, time,
};

fn order() -> impl Strategy<Value = ReshareOrder> {
    let parts = (
        (digest(), digest(), digest()),
        (keys(), member_set(), bytes(), time()),
    );
    parts.prop_map(
        |((genesis, manifest, epoch), (live, share_set, nonce, expires))| ReshareOrder {
            genesis,
            manifest,
            live,
            epoch,
            share_set,
            nonce,
            expires,
        },
    )
}

fn role() -> impl Strategy<Value = Role> {
    select(vec![Role::ManifestSet, Role::ShareSet])
}

fn consent() -> impl Strategy<Value = ReshareConsent> {
    let parts = (role(), digest(), digest(), index(), time());
    parts.prop_map(|(role, genesis, order, index, time)| ReshareConsent {
        role,
        genesis,
        order,
        index,
        time,
    })
}

fn record() -> impl Strategy<Value = ReshareRecord> {
    let indices = prop::collection::btree_set(index(), 0..5);
    let parts = (
        digest(),
        digest(),
        2..5_u8,
        indices,
        sealed(),
        time(),
        sharing(),
    );
    parts.prop_map(
        |(genesis, order, threshold, indices, sealed, time, drill)| {
            let shares = indices.into_iter().map(|index| MemberShare {
                index,
                sealed: sealed.clone(),
            });
            let fields = ReshareRecordFields {
                genesis,
                order,
                commitments: commitments(threshold),
                shares: shares.collect(),
                time,
                drill,
            };
            Checked::new(fields).expect("ascending")
        },
    )
}

fn receipt() -> impl Strategy<Value = ReshareReceipt> {
    let parts = (
        digest(),
        digest(),
        digest(),
        index(),
        time(),
        select(PEOPLE.to_vec()),
    );
    parts.prop_map(|(genesis, record, epoch, index, time, who)| {
        let possession = Possession {
            genesis,
            epoch,
            index,
        };
        ReshareReceipt {
            genesis,
            record,
            epoch,
            index,
            time,
            possession: Signed::sign(possession, &signing(who)),
        }
    })
}

fn reshare() -> impl Strategy<Value = Reshare> {
    let parts = (
        order(),
        vec(signed(consent()), 0..3),
        signed(record()),
        signed(ring()),
        signed(instance_certificate()),
    );
    parts.prop_map(|(order, consents, record, ring, certificate)| Reshare {
        order,
        consents,
        record,
        ring,
        certificate,
    })
}

proptest! {
    #![proptest_config(config(24))]

    #[test]
    fn any_part_of_a_resharing_decodes_to_itself(
        who in select(PEOPLE.to_vec()),
        (order, consent, record, receipt) in (order(), consent(), record(), receipt()),
        (reshare, receipts, manifest) in (reshare(), vec(signed(receipt()), 0..3), manifest()),
        (nonce, expires, epoch, genesis) in (bytes(), time(), digest(), digest()),
    ) {
        let (key, public) = (signing(who), verification(who));
        let destroyed = ShareDestroyed {
            genesis,
            epoch,
            index: receipt.index,
            manifest: Digest::of(&manifest),
            time: expires,
        };
        survives(&order)?;
        signed_survives(&Signed::sign(consent.clone(), &key), &public)?;
        signed_survives(&Signed::sign(record, &key), &public)?;
        signed_survives(&Signed::sign(receipt, &key), &public)?;
        signed_survives(&Signed::sign(destroyed, &key), &public)?;
        survives(&reshare)?;
        let completed = CompletedReshare { reshare: reshare.clone(), receipts };
        survives(&completed)?;
        let link = Link {
            manifest,
            approvals: Vec::new(),
            reshare: Some(Box::new(completed)),
            surrogates: Vec::new(),
        };
        survives(&link)?;
        let request = ReshareRequest {
            order,
            consents: vec![Signed::sign(consent, &key)],
        };
        survives(&Request::ReshareChallenge)?;
        survives(&Request::Reshare(Box::new(request)))?;
        survives(&Response::ReshareChallenge(ReshareChallenge { nonce, expires }))?;
        survives(&Response::Reshared(Box::new(reshare)))?;
    }

    /// A consent has the shape of an approval, and its signature is none; nor does a consent in one
    /// role pass for one in the other.
    #[test]
    fn a_consent_is_never_an_approval_or_of_another_role(
        who in select(PEOPLE.to_vec()),
        consent in consent(),
    ) {
        let given = Signed::sign(consent.clone(), &signing(who));
        let public = verification(who);
        let bytes = to_bytes(&given);
        let passed = from_bytes::<Signed<Approval>>(&bytes);
        prop_assert!(passed.is_ok_and(|passed| passed.verify(&public).is_err()));
        let role = match consent.role {
            Role::ManifestSet => Role::ShareSet,
            Role::ShareSet => Role::ManifestSet,
        };
        let turned = ReshareConsent { role, ..consent };
        let turned = Signed::from_parts(turned, &given.signature()).expect("in range");
        prop_assert!(turned.verify(&public).is_err());
    }
}

/// Shares of a record come in ascending order, each index once.
#[test]
fn shares_of_a_record_out_of_order_fail_closed() {
    let case = quorate_vectors::committed::all_cases()
        .into_iter()
        .find(|case| case.label == <ReshareRecord as quorate_protocol::cbor::Object>::LABEL)
        .expect("a vector");
    let record: ReshareRecord = from_bytes(&case.bytes).expect("a record");
    let mut twice = record.clone().into_inner();
    twice.shares[1].index = twice.shares[0].index;
    let mut swapped = record.into_inner();
    swapped.shares.swap(0, 1);
    for fields in [twice, swapped] {
        let refused = Checked::new(fields).err();
        assert_eq!(refused, Some(Invalid::IndicesNotAscending { index: 1 }));
    }
}
