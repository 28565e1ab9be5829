//! What a key forward is made of.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use quorate_protocol::cbor::{Checked, DecodeError, Object as _, from_bytes, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::forward::{
    ApprovalRule, Confirmed, ExportRequest, ForwardApproval, ForwardChallenge, ForwardConfirmation,
    ForwardPolicy, ForwardRecord, ForwardRecordFields, ForwardSource, ForwardedKey,
};
use quorate_protocol::invalid::Invalid;
use quorate_protocol::manifest::Approval;
use quorate_protocol::members::Role;
use quorate_protocol::message::{Request, Response};
use quorate_protocol::provision::ShareGrant;
use quorate_vectors::keys::{signing, verification};

use super::{
    PEOPLE, bytes, config, digest, index, instance_certificate, keys, ring, sealed, sha256, signed,
    signed_survives, survives, text, time,
};

pub(crate) fn policy() -> impl Strategy<Value = Option<ForwardPolicy>> {
    let rule = select(vec![ApprovalRule::Always, ApprovalRule::ExceptApplications]);
    let policy = (time(), rule).prop_map(|(not_after, approvals)| ForwardPolicy {
        not_after,
        approvals,
    });
    prop::option::of(policy)
}

pub(crate) fn source() -> impl Strategy<Value = ForwardSource> {
    (digest(), keys(), text()).prop_map(|(record, live, module_id)| ForwardSource {
        record,
        live,
        module_id,
    })
}

fn approval() -> impl Strategy<Value = ForwardApproval> {
    (digest(), digest(), digest(), index(), time()).prop_map(|(genesis, from, to, index, time)| {
        ForwardApproval {
            role: Role::ShareSet,
            genesis,
            from,
            to,
            index,
            time,
        }
    })
}

fn record() -> impl Strategy<Value = ForwardRecord> {
    let parts = (
        (digest(), digest(), digest()),
        (keys(), text(), keys(), text()),
        (sha256(), 1..=u64::MAX, time()),
    );
    parts.prop_map(|((genesis, from, to), sides, (document, count, time))| {
        let (exporter, exporter_module, importer, importer_module) = sides;
        let fields = ForwardRecordFields {
            genesis,
            from,
            to,
            exporter,
            exporter_module,
            importer,
            importer_module,
            document,
            count,
            time,
        };
        Checked::new(fields).expect("counted from one")
    })
}

fn confirmation() -> impl Strategy<Value = ForwardConfirmation> {
    (digest(), digest(), digest(), time()).prop_map(|(genesis, record, certificate, time)| {
        ForwardConfirmation {
            genesis,
            record,
            certificate,
            time,
        }
    })
}

fn forwarded() -> impl Strategy<Value = ForwardedKey> {
    let parts = (
        signed(record()),
        vec(signed(approval()), 0..3),
        signed(ring()),
        signed(instance_certificate()),
        sealed(),
    );
    parts.prop_map(
        |(record, approvals, ring, certificate, sealed)| ForwardedKey {
            record,
            approvals,
            ring,
            certificate,
            sealed,
        },
    )
}

fn confirmed() -> impl Strategy<Value = Confirmed> {
    let parts = (signed(instance_certificate()), signed(confirmation()));
    parts.prop_map(|(certificate, confirmation)| Confirmed {
        certificate,
        confirmation,
    })
}

proptest! {
    #![proptest_config(config(24))]

    #[test]
    fn any_part_of_a_forward_decodes_to_itself(
        who in select(PEOPLE.to_vec()),
        (approval, record, confirmation) in (approval(), record(), confirmation()),
        (forwarded, confirmed) in (forwarded(), confirmed()),
        (nonce, expires, document) in (bytes(), time(), bytes()),
    ) {
        let (key, public) = (signing(who), verification(who));
        signed_survives(&Signed::sign(approval.clone(), &key), &public)?;
        signed_survives(&Signed::sign(record, &key), &public)?;
        signed_survives(&Signed::sign(confirmation, &key), &public)?;
        let export = ExportRequest {
            document,
            link: None,
            approvals: vec![Signed::sign(approval, &key)],
        };
        survives(&Request::Challenge)?;
        survives(&Request::Export(Box::new(export)))?;
        survives(&Request::Import(Box::new(forwarded.clone())))?;
        survives(&Request::HandOver(Box::new(confirmed.clone())))?;
        survives(&Response::Challenge(ForwardChallenge { nonce, expires }))?;
        survives(&Response::Exported(Box::new(forwarded)))?;
        survives(&Response::Imported(Box::new(confirmed)))?;
        survives(&Response::HandedOver)?;
    }

    /// One signature never passes for another kind of approval, whatever the contents.
    #[test]
    fn a_forward_approval_is_never_another_object(
        who in select(PEOPLE.to_vec()),
        approval in approval(),
    ) {
        let signed = to_bytes(&Signed::sign(approval, &signing(who)));
        prop_assert!(from_bytes::<Signed<Approval>>(&signed).is_err());
        prop_assert!(from_bytes::<Signed<ShareGrant>>(&signed).is_err());
        prop_assert!(from_bytes::<Signed<ForwardRecord>>(&signed).is_err());
        prop_assert!(from_bytes::<Signed<ForwardConfirmation>>(&signed).is_err());
    }
}

/// The role stands in the signed bytes, and no other is decoded.
#[test]
fn a_forward_approval_in_the_role_of_the_manifest_set_fails_closed() {
    let approval = ForwardApproval {
        role: Role::ShareSet,
        genesis: Digest::from_bytes([1; 32]),
        from: Digest::from_bytes([2; 32]),
        to: Digest::from_bytes([3; 32]),
        index: quorate_protocol::atoms::ShareIndex::new(1).expect("an index"),
        time: quorate_protocol::atoms::UnixMillis(1),
    };
    let mut bytes = to_bytes(&approval);
    assert!(from_bytes::<ForwardApproval>(&bytes).is_ok());
    // A map of six, key 0, role.
    assert_eq!(bytes.get(..3), Some([0xa6, 0x00, 0x02].as_slice()));
    bytes[2] = 0x01;
    let refused = from_bytes::<ForwardApproval>(&bytes);
    let expected = DecodeError::Rule {
        label: ForwardApproval::LABEL,
        rule: Invalid::Role,
    };
    assert_eq!(refused, Err(expected));
}

/// A record counts from one.
#[test]
fn a_forward_record_that_counts_from_zero_fails_closed() {
    let case = quorate_vectors::committed::all_cases()
        .into_iter()
        .find(|case| case.label == ForwardRecord::LABEL)
        .expect("a vector");
    let record: ForwardRecord = from_bytes(&case.bytes).expect("a record");
    let mut fields = record.into_inner();
    fields.count = 0;
    assert_eq!(Checked::new(fields), Err(Invalid::SequenceZero));
}
