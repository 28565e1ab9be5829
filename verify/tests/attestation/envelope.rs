//! Rules 1 to 4: the envelope.

use quorate_verify::attestation::{
    AttestationError as E, CborProblem, CborType, MAX_DOCUMENT_BYTES,
};

use crate::case::{Case, cbor, unexpected};
use crate::common::cbor::Cbor;
use crate::common::nitro::{other_s, signature_der, signing_key};

refusals! {
    #[test]
    fn empty_input_fails_closed: |case| case.recipe.edit_bytes = |_| Vec::new()
        => cbor(0, CborProblem::Truncated);
    #[test]
    fn too_long_document_fails_closed: |case| {
        case.recipe.edit_bytes = |_| vec![0; MAX_DOCUMENT_BYTES + 1];
    } => E::DocumentLength { found: MAX_DOCUMENT_BYTES + 1 };
    #[test]
    fn text_in_base64_fails_closed: |case| case.recipe.edit_bytes = |_| b"hEShATgioFkR".to_vec()
        => unexpected(0, CborType::Array, CborType::Text);

    #[test]
    fn tag_of_another_cose_object_fails_closed: |case| {
        case.recipe.edit_bytes = |bytes| [vec![0xd1], bytes].concat();
    } => E::UnexpectedTag { found: 17 };
    #[test]
    fn self_described_cbor_fails_closed: |case| {
        case.recipe.edit_bytes = |bytes| [vec![0xd9, 0xd9, 0xf7], bytes].concat();
    } => E::UnexpectedTag { found: 55799 };
    #[test]
    fn tag_in_a_longer_form_fails_closed: |case| {
        case.recipe.edit_bytes = |bytes| [vec![0xd9, 0, 18], bytes].concat();
    } => cbor(0, CborProblem::NotShortest);
    #[test]
    fn two_tags_fail_closed: |case| {
        case.recipe.edit_bytes = |bytes| [vec![0xd2, 0xd2], bytes].concat();
    } => unexpected(1, CborType::Array, CborType::Tag);

    #[test]
    fn envelope_of_three_fails_closed: |case| {
        case.recipe.edit_envelope = |parts| { parts.pop(); };
    } => E::EnvelopeLength { found: Some(3) };
    #[test]
    fn envelope_of_five_fails_closed: |case| {
        case.recipe.edit_envelope = |parts| parts.push(Cbor::Null);
    } => E::EnvelopeLength { found: Some(5) };
    #[test]
    fn indefinite_envelope_fails_closed: |case| {
        case.recipe.edit_bytes = |bytes| [&[0x9f], &bytes[1..], &[0xff]].concat();
    } => E::EnvelopeLength { found: None };
    #[test]
    fn envelope_as_map_fails_closed: |case| {
        case.recipe.edit_bytes = |bytes| [&[0xa4], &bytes[1..]].concat();
    } => unexpected(0, CborType::Array, CborType::Map);
    #[test]
    fn envelope_head_in_a_longer_form_fails_closed: |case| {
        case.recipe.edit_bytes = |bytes| [&[0x98, 4], &bytes[1..]].concat();
    } => cbor(0, CborProblem::NotShortest);

    #[test]
    fn algorithm_es256_fails_closed: |case| case.recipe.protected = vec![0xa1, 0x01, 0x26]
        => E::ProtectedHeader;
    #[test]
    fn algorithm_es512_fails_closed: |case| case.recipe.protected = vec![0xa1, 0x01, 0x38, 0x23]
        => E::ProtectedHeader;
    #[test]
    fn empty_protected_header_fails_closed: |case| case.recipe.protected = Vec::new()
        => E::ProtectedHeader;
    #[test]
    fn critical_parameter_fails_closed: |case| {
        // {1: -35, 2: ["x"], "x": 0}
        case.recipe.protected =
            vec![0xa3, 0x01, 0x38, 0x22, 0x02, 0x81, 0x61, b'x', 0x61, b'x', 0x00];
    } => E::ProtectedHeader;
    #[test]
    fn further_protected_parameter_fails_closed: |case| {
        // {1: -35, 4: h''}
        case.recipe.protected = vec![0xa2, 0x01, 0x38, 0x22, 0x04, 0x40];
    } => E::ProtectedHeader;
    #[test]
    fn algorithm_twice_fails_closed: |case| {
        case.recipe.protected = vec![0xa2, 0x01, 0x38, 0x22, 0x01, 0x38, 0x22];
    } => E::ProtectedHeader;
    #[test]
    fn algorithm_in_a_longer_form_fails_closed: |case| {
        case.recipe.protected = vec![0xa1, 0x01, 0x39, 0x00, 0x22];
    } => E::ProtectedHeader;
    #[test]
    fn algorithm_in_unprotected_header_fails_closed: |case| {
        case.recipe.protected = Vec::new();
        case.recipe.edit_envelope = |parts| {
            parts[1] = Cbor::Map(vec![(Cbor::Unsigned(1), Cbor::Negative(34))]);
        };
    } => E::ProtectedHeader;
    #[test]
    fn protected_header_as_map_fails_closed: |case| {
        case.recipe.edit_envelope = |parts| {
            parts[0] = Cbor::Map(vec![(Cbor::Unsigned(1), Cbor::Negative(34))]);
        };
    } => unexpected(1, CborType::Bytes, CborType::Map);

    #[test]
    fn unprotected_parameter_fails_closed: |case| {
        case.recipe.edit_envelope = |parts| {
            parts[1] = Cbor::Map(vec![(Cbor::Unsigned(4), Cbor::bytes(b"key"))]);
        };
    } => E::UnprotectedHeader;
    #[test]
    fn certificates_in_unprotected_header_fail_closed: |case| {
        case.recipe.edit_envelope = |parts| {
            parts[1] = Cbor::Map(vec![(Cbor::Unsigned(33), Cbor::bytes(b"x5chain"))]);
        };
    } => E::UnprotectedHeader;
    #[test]
    fn indefinite_unprotected_header_fails_closed: |case| {
        case.recipe.edit_envelope = |parts| parts[1] = Cbor::IndefiniteMap(Vec::new());
    } => E::UnprotectedHeader;
    #[test]
    fn unprotected_header_null_fails_closed: |case| {
        case.recipe.edit_envelope = |parts| parts[1] = Cbor::Null;
    } => unexpected(6, CborType::Map, CborType::Null);

    #[test]
    fn detached_payload_fails_closed: |case| {
        case.recipe.edit_envelope = |parts| parts[2] = Cbor::Null;
    } => unexpected(7, CborType::Bytes, CborType::Null);
    #[test]
    fn empty_payload_fails_closed: |case| {
        case.recipe.edit_envelope = |parts| parts[2] = Cbor::bytes(&[]);
    } => E::PayloadLength { found: 0 };
    #[test]
    fn too_long_payload_fails_closed: |case| {
        case.recipe.edit_envelope = |parts| {
            parts[2] = Cbor::bytes(&[0; 16_385]);
            parts[3] = Cbor::bytes(&[]);
        };
    } => E::PayloadLength { found: 16_385 };
    #[test]
    fn payload_in_pieces_fails_closed: |case| {
        case.recipe.edit_envelope = |parts| {
            let piece = parts[2].encode();
            parts[2] = Cbor::Raw([vec![0x5f], piece, vec![0xff]].concat());
        };
    } => cbor(7, CborProblem::IndefiniteString);
    #[test]
    fn payload_not_wrapped_in_bytes_fails_closed: |case| {
        case.recipe.edit_envelope = |parts| {
            let Cbor::Bytes(payload) = parts[2].clone() else { panic!("no payload") };
            parts[2] = Cbor::Raw(payload);
        };
    } => unexpected(7, CborType::Bytes, CborType::Map);

    #[test]
    fn trailing_byte_fails_closed: |case| {
        case.recipe.edit_bytes = |bytes| [bytes, vec![0]].concat();
    } => E::TrailingBytes { count: 1 };
    #[test]
    fn two_documents_fail_closed: |case| {
        case.recipe.edit_bytes = |bytes| [bytes.clone(), bytes[..100].to_vec()].concat();
    } => E::TrailingBytes { count: 100 };

    #[test]
    fn short_signature_fails_closed: |case| {
        case.recipe.edit_signature = |signature| signature.to_bytes()[1..].to_vec();
    } => E::SignatureLength { found: 95 };
    #[test]
    fn long_signature_fails_closed: |case| {
        case.recipe.edit_signature = |signature| [&signature.to_bytes()[..], &[0]].concat();
    } => E::SignatureLength { found: 97 };
    #[test]
    fn empty_signature_fails_closed: |case| case.recipe.edit_signature = |_| Vec::new()
        => E::SignatureLength { found: 0 };
    #[test]
    fn zero_signature_fails_closed: |case| case.recipe.edit_signature = |_| vec![0; 96]
        => E::DocumentSignature;
    #[test]
    fn signature_with_s_zero_fails_closed: |case| {
        case.recipe.edit_signature = |signature| {
            [&signature.to_bytes()[..48], &[0; 48]].concat()
        };
    } => E::DocumentSignature;
    #[test]
    fn signature_beyond_the_order_fails_closed: |case| {
        case.recipe.edit_signature = |_| vec![0xff; 96];
    } => E::DocumentSignature;
    #[test]
    fn signature_with_r_and_s_swapped_fails_closed: |case| {
        case.recipe.edit_signature = |signature| {
            let raw = signature.to_bytes();
            [&raw[48..], &raw[..48]].concat()
        };
    } => E::DocumentSignature;
    #[test]
    fn signature_of_a_stranger_fails_closed: |case| case.recipe.signer = signing_key(9)
        => E::DocumentSignature;
    #[test]
    fn signature_of_the_instance_key_fails_closed: |case| case.recipe.signer = signing_key(4)
        => E::DocumentSignature;
    #[test]
    fn payload_changed_after_signing_fails_closed: |case| {
        case.recipe.edit_envelope = |parts| {
            let Cbor::Bytes(payload) = &mut parts[2] else { panic!("no payload") };
            let at = payload.windows(9).position(|part| part == b"user data").unwrap();
            payload[at] = b'U';
        };
    } => E::DocumentSignature;
}

#[test]
fn signature_in_der_fails_closed() {
    // Its length depends on the signature, and must be neither 96 here nor accepted at 96.
    let mut case = Case::new();
    case.recipe.edit_signature = |signature| signature_der(&signature);
    let result = case.verify();
    assert!(
        matches!(result, Err(E::SignatureLength { found: 100..=104 })),
        "{result:?}"
    );
}

#[test]
fn every_truncation_fails_closed() {
    let case = Case::new();
    let (bytes, anchors) = (case.recipe.build(), case.recipe.anchors());
    for length in 0..bytes.len() {
        let result = case.verify_bytes(&bytes[..length], &anchors);
        let truncated = matches!(
            result,
            Err(E::Cbor {
                problem: CborProblem::Truncated,
                ..
            })
        );
        assert!(truncated, "{length} bytes: {result:?}");
    }
}

#[test]
fn both_values_of_s_are_one_document_with_two_digests() {
    let case = Case::new();
    let mut other = Case::new();
    other.recipe.edit_signature = |signature| other_s(&signature).to_bytes().to_vec();
    let (one, two) = (case.verify().unwrap(), other.verify().unwrap());
    assert_eq!(one.document(), two.document());
    assert_ne!(one.sha256(), two.sha256());
}

#[test]
fn the_largest_document_is_as_long_as_its_parts() {
    assert_eq!(MAX_DOCUMENT_BYTES, 16_384 + 1 + 1 + 5 + 1 + 3 + 2 + 96);
}

#[test]
fn heads_longer_than_they_must_be_fail_closed() {
    for head in [
        &[0x98, 4][..],
        &[0x99, 0, 4],
        &[0x9a, 0, 0, 0, 4],
        &[0x9b, 0, 0, 0, 0, 0, 0, 0, 4],
    ] {
        let case = Case::new();
        let whole = case.recipe.build();
        let bytes = [head, &whole[1..]].concat();
        let found = case.verify_bytes(&bytes, &case.recipe.anchors());
        let expected = cbor(0, CborProblem::NotShortest);
        assert_eq!(found.err(), Some(expected), "{head:02x?}");
    }
}

/// `0xff` ends something of indefinite length; where nothing was begun it is no item.
#[test]
fn a_break_where_nothing_was_begun_fails_closed() {
    let case = Case::new();
    let bytes = [
        &[0x84, 0x44, 0xa1, 0x01, 0x38, 0x22, 0xa0, 0xff][..],
        &[0; 98],
    ]
    .concat();
    assert_eq!(
        case.verify_bytes(&bytes, &case.recipe.anchors()).err(),
        Some(unexpected(7, CborType::Bytes, CborType::Break))
    );
}
