//! What a drill is made of.

use proptest::prelude::*;
use proptest::sample::select;
use quorate_protocol::atoms::Sha256;
use quorate_protocol::attested::UserData;
use quorate_protocol::cbor::{Checked, from_bytes, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::drill::{
    Drill, DrillFinishRequest, DrillGiven, DrillGrant, DrillPossession, DrillReceipt,
    DrillRecordFields, DrillRequest, DrillSharing,
};
use quorate_protocol::genesis::{MemberShare, Possession};
use quorate_protocol::invalid::Invalid;
use quorate_protocol::members::Role;
use quorate_protocol::message::{Request, Response};
use quorate_protocol::provision::ShareGrant;
use quorate_vectors::keys::{signing, verification};

use super::{
    PEOPLE, bytes, commitments, config, digest, index, keys, sealed, signed_survives, survives,
    time,
};

/// The sharing of any drill scalar.
pub(super) fn sharing() -> impl Strategy<Value = DrillSharing> {
    let indices = prop::collection::btree_set(index(), 0..5);
    (2..5_u8, indices, sealed()).prop_map(|(threshold, indices, sealed)| {
        let shares = indices.into_iter().map(|index| MemberShare {
            index,
            sealed: sealed.clone(),
        });
        DrillSharing {
            commitments: commitments(threshold),
            shares: shares.collect(),
        }
    })
}

fn possession() -> impl Strategy<Value = DrillPossession> {
    let parts = (
        digest(),
        digest(),
        digest(),
        index(),
        keys(),
        any::<[u8; 32]>(),
    );
    parts.prop_map(
        |(genesis, manifest, epoch, index, setup, document)| DrillPossession {
            genesis,
            manifest,
            epoch,
            index,
            setup,
            document: Sha256(document),
        },
    )
}

fn grant() -> impl Strategy<Value = DrillGrant> {
    let parts = (
        possession(),
        select(PEOPLE.to_vec()),
        digest(),
        prop::option::of(digest()),
        time(),
    );
    parts.prop_map(|(possession, who, drill, sealed, time)| DrillGrant {
        role: Role::ShareSet,
        possession: Signed::sign(possession, &signing(who)),
        drill,
        sealed,
        time,
    })
}

proptest! {
    #![proptest_config(config(24))]

    #[test]
    fn any_part_of_a_drill_decodes_to_itself(
        who in select(PEOPLE.to_vec()),
        (grant, sealed) in (grant(), prop::option::of(sealed())),
        (genesis, manifest, epoch, drill) in (digest(), digest(), digest(), digest()),
        (nonce, due, begun) in (bytes(), time(), time()),
        (proved, accepted, threshold) in any::<(u8, u8, u8)>(),
        (document, setup) in (bytes(), keys()),
    ) {
        let (key, public) = (signing(who), verification(who));
        let possession = grant.possession.clone();
        let index = possession.unverified().index;
        signed_survives(&possession, possession_key(&possession))?;
        let signed = Signed::sign(grant, &key);
        signed_survives(&signed, &public)?;
        let receipt = DrillReceipt {
            grant: signed.digest(),
            index,
            proved,
            accepted,
            threshold,
            time: due,
        };
        let receipt = Signed::sign(receipt, &key);
        signed_survives(&receipt, &public)?;
        let record = DrillRecordFields {
            genesis,
            manifest,
            epoch,
            drill,
            given: vec![DrillGiven {
                index,
                grant: signed.digest(),
                time: begun,
            }],
            begun,
            time: due,
            due,
        };
        let record = Signed::sign(Checked::new(record).expect("one"), &key);
        signed_survives(&record, &public)?;
        let whole = Drill {
            record,
            grants: vec![signed.clone()],
            document,
        };
        survives(&whole)?;
        survives(&UserData::Drill(manifest))?;
        let request = DrillRequest {
            grant: signed,
            sealed,
        };
        survives(&Request::DrillGive(Box::new(request)))?;
        survives(&Request::DrillFinish(DrillFinishRequest { nonce, due }))?;
        survives(&Response::DrillStarted(Box::new(setup)))?;
        survives(&Response::DrillTaken(receipt))?;
        survives(&Response::Drilled(Box::new(whole)))?;
    }

    /// Neither a drill grant nor a proof of a drill passes for what opens the key, whatever its bytes
    /// decode as.
    #[test]
    fn a_part_in_a_drill_is_never_a_grant_or_a_receipts_possession(
        who in select(PEOPLE.to_vec()),
        grant in grant(),
    ) {
        let public = verification(who);
        let bytes = to_bytes(&Signed::sign(grant.clone(), &signing(who)));
        if let Ok(passed) = from_bytes::<Signed<ShareGrant>>(&bytes) {
            prop_assert!(passed.verify(&public).is_err());
        }
        let bytes = to_bytes(&grant.possession);
        if let Ok(passed) = from_bytes::<Signed<Possession>>(&bytes) {
            prop_assert!(PEOPLE.iter().all(|who| passed.verify(&verification(who)).is_err()));
        }
    }
}

/// The key of whoever signed it; one of the people did.
fn possession_key(
    signed: &Signed<DrillPossession>,
) -> &'static quorate_protocol::keys::VerificationKey {
    static KEYS: std::sync::LazyLock<Vec<quorate_protocol::keys::VerificationKey>> =
        std::sync::LazyLock::new(|| PEOPLE.iter().map(|who| verification(who)).collect());
    let found = KEYS.iter().find(|key| signed.verify(key).is_ok());
    found.expect("one of them")
}

/// Drill shares and participants come in ascending order, each index once.
#[test]
fn drill_shares_and_participants_out_of_order_fail_closed() {
    let case = |label: &str| {
        let mut cases = quorate_vectors::committed::all_cases().into_iter();
        cases
            .find(|case| case.label == label)
            .expect("a vector")
            .bytes
    };
    let output = case("quorate/genesis-output/v2");
    let output: quorate_protocol::genesis::GenesisOutput = from_bytes(&output).expect("an output");
    let mut swapped = output.into_inner();
    swapped.drill.shares.swap(0, 1);
    let refused = Checked::new(swapped).err();
    assert_eq!(refused, Some(Invalid::IndicesNotAscending { index: 1 }));
    let record = case("quorate/drill-record/v1");
    let record: quorate_protocol::drill::DrillRecord = from_bytes(&record).expect("a record");
    let mut twice = record.into_inner();
    twice.given[1] = twice.given[0].clone();
    let refused = Checked::new(twice).err();
    assert_eq!(refused, Some(Invalid::IndicesNotAscending { index: 1 }));
}
