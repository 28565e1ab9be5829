//! What the security module sends, has sent or may send.

use quorate_verify::attestation::{Document, Partition};

use crate::case::Case;
use crate::common::cbor::Cbor;
use crate::common::der;
use crate::common::nitro::{
    INSTANCE, LEAF, LEAF_NAME, MODULE_ID, REGIONAL, ROOT, TIMESTAMP_MS, name_of, oids, other_s,
};

acceptances! {
    #[test]
    fn unchanged: |_| {};
    #[test]
    fn tagged: |case| case.recipe.edit_bytes = |bytes| [vec![0xd2], bytes].concat();
    #[test]
    fn indefinite_payload: |case| {
        case.recipe.encode_payload = |entries| Cbor::IndefiniteMap(entries).encode();
    };
    #[test]
    fn indefinite_registers_and_bundle: |case| case.payload(|payload| {
        let pcrs = payload.pcrs().clone();
        payload.set("pcrs", Cbor::IndefiniteMap(pcrs));
        let cabundle = payload.cabundle().clone();
        payload.set("cabundle", Cbor::IndefiniteArray(cabundle));
    });
    #[test]
    fn fields_in_another_order: |case| case.payload(|payload| payload.0.reverse());
    #[test]
    fn registers_in_another_order: |case| case.payload(|payload| payload.pcrs().reverse());
    #[test]
    fn all_thirty_two_registers: |case| case.payload(|payload| {
        for index in 16..32 {
            payload.pcrs().push((Cbor::Unsigned(index), Cbor::bytes(&[0; 48])));
        }
    });
    #[test]
    fn registers_0_to_4_only: |case| case.payload(|payload| payload.pcrs().truncate(5));
    #[test]
    fn optional_fields_null: |case| case.payload(|payload| {
        payload.set("public_key", Cbor::Null);
        payload.set("user_data", Cbor::Null);
    });
    #[test]
    fn optional_fields_absent: |case| case.payload(|payload| {
        payload.remove("public_key");
        payload.remove("user_data");
    });
    #[test]
    fn optional_fields_at_their_limit: |case| case.payload(|payload| {
        payload.set("public_key", Cbor::bytes(&[1; 1024]));
        payload.set("user_data", Cbor::bytes(&[2; 1024]));
    });
    #[test]
    fn empty_user_data: |case| case.payload(|payload| payload.set("user_data", Cbor::bytes(&[])));
    #[test]
    fn document_signature_with_low_s: |case| {
        case.recipe.edit_signature = |signature| signature.normalize_s().to_bytes().to_vec();
    };
    #[test]
    fn document_signature_with_high_s: |case| {
        case.recipe.edit_signature = |signature| {
            other_s(&signature.normalize_s()).to_bytes().to_vec()
        };
    };
    #[test]
    fn non_critical_unknown_extension: |case| {
        case.certificate(INSTANCE).set_extension(oids::UNKNOWN, false, vec![1, 2, 3]);
    };
    #[test]
    fn subject_key_identifier: |case| {
        let id = der::tlv(der::OCTET_STRING, &[7; 20]);
        case.certificate(INSTANCE).set_extension(oids::SUBJECT_KEY_ID, false, id);
    };
    #[test]
    fn critical_key_usage_of_leaf: |case| case.certificate(LEAF).set_key_usage(&[6, 0xc0]);
    #[test]
    fn authority_without_path_length: |case| {
        case.certificate(REGIONAL).set_basic_constraints(true, None);
    };
    #[test]
    fn common_name_as_printable_string: |case| {
        case.certificate(LEAF).subject =
            name_of(&[(oids::COMMON_NAME, der::PRINTABLE_STRING, LEAF_NAME)]);
    };
    #[test]
    fn root_beyond_2050: |case| {
        case.certificate(ROOT).not_after = der::generalized_time(2_600_000_000);
    };
    #[test]
    fn signed_in_the_first_second_of_the_leaf: |case| {
        case.certificate(LEAF).not_before = der::utc_time(TIMESTAMP_MS / 1000);
    };
    #[test]
    fn signed_in_the_last_second_of_the_leaf: |case| {
        case.certificate(LEAF).not_after = der::utc_time(TIMESTAMP_MS / 1000);
    };
}

#[test]
fn every_fact_is_reported() {
    let case = Case::new();
    let attested = case.verify().unwrap();
    let document = attested.document();
    assert_eq!(document.module_id(), MODULE_ID);
    assert_eq!(document.timestamp_ms(), TIMESTAMP_MS);
    assert_eq!(document.public_key(), Some(&b"a public key"[..]));
    assert_eq!(document.user_data(), Some(&b"user data"[..]));
    assert_eq!(document.nonce(), Some(&crate::common::nitro::NONCE[..]));
    assert_eq!(document.pcrs().len(), 16);
    for (place, (index, pcr)) in document.pcrs().iter().enumerate() {
        assert_eq!(usize::from(index), place);
        assert_eq!(pcr.as_bytes()[..], crate::common::nitro::pcr(index.into()));
    }
    assert_eq!(document.cabundle().len(), 4);
    assert_eq!(attested.partition(), Partition::Development);
    assert!(!attested.is_debug());
    assert_eq!(attested.certificates().len(), 5);
    assert_eq!(
        attested.certificates()[0].sha256(),
        attested.root_fingerprint()
    );
    assert_eq!(
        attested.certificates()[4].subject(),
        format!("CN={LEAF_NAME},OU=Nitro,O=Tests,C=US")
    );
}

/// The ninth use, decipherOnly, stands in a second byte.
#[test]
fn an_authority_with_nine_uses() {
    let mut case = Case::new();
    case.certificate(INSTANCE).set_key_usage(&[7, 0xff, 0x80]);
    case.verify().unwrap();
}

#[test]
fn what_is_claimed_can_be_read_before_it_is_verified() {
    let parsed = Document::parse(&Case::new().recipe.build()).unwrap();
    assert_eq!(parsed.unverified_timestamp_ms(), TIMESTAMP_MS);
    assert_eq!(parsed.unverified_module_id(), MODULE_ID);
}
