//! Rules 4 to 9 and 16: the payload.

use quorate_verify::attestation::{AttestationError as E, CborProblem, CborType, Document, Field};

use crate::case::{Case, cbor, unexpected};
use crate::common::cbor::{Cbor, UNDEFINED};
use crate::common::nitro::Payload;

refusals! {
    #[test]
    fn payload_as_array_fails_closed: |case| {
        case.recipe.encode_payload = |entries| {
            Cbor::Array(entries.into_iter().map(|(_, value)| value).collect()).encode()
        };
    } => unexpected(0, CborType::Map, CborType::Array);
    #[test]
    fn tagged_payload_fails_closed: |case| {
        case.recipe.encode_payload = |entries| {
            Cbor::Tag(24, Box::new(Cbor::Map(entries))).encode()
        };
    } => unexpected(0, CborType::Map, CborType::Tag);
    #[test]
    fn trailing_byte_in_payload_fails_closed: |case| {
        case.recipe.encode_payload = |entries| {
            [Cbor::Map(entries).encode(), vec![0xf6]].concat()
        };
    } => E::TrailingBytes { count: 1 };
    #[test]
    fn second_break_fails_closed: |case| {
        case.recipe.encode_payload = |entries| {
            [Cbor::IndefiniteMap(entries).encode(), vec![0xff]].concat()
        };
    } => E::TrailingBytes { count: 1 };
    #[test]
    fn map_shorter_than_its_head_fails_closed: |case| {
        case.recipe.encode_payload = |entries| {
            let length = entries.len() as u8;
            let mut bytes = Cbor::Map(entries).encode();
            bytes[0] = 0xa0 | (length - 1);
            bytes
        };
    } => E::TrailingBytes { count: "nonce".len() + 1 + 32 + 2 };
    #[test]
    fn empty_map_fails_closed: |case| case.payload(|payload| payload.0.clear())
        => E::MissingField { field: Field::ModuleId };

    #[test]
    fn missing_module_id_fails_closed: |case| case.payload(|payload| payload.remove("module_id"))
        => E::MissingField { field: Field::ModuleId };
    #[test]
    fn missing_digest_fails_closed: |case| case.payload(|payload| payload.remove("digest"))
        => E::MissingField { field: Field::Digest };
    #[test]
    fn missing_timestamp_fails_closed: |case| case.payload(|payload| payload.remove("timestamp"))
        => E::MissingField { field: Field::Timestamp };
    #[test]
    fn missing_pcrs_fail_closed: |case| case.payload(|payload| payload.remove("pcrs"))
        => E::MissingField { field: Field::Pcrs };
    #[test]
    fn missing_certificate_fails_closed: |case| case.payload(|payload| {
        payload.remove("certificate");
    }) => E::MissingField { field: Field::Certificate };
    #[test]
    fn missing_cabundle_fails_closed: |case| case.payload(|payload| payload.remove("cabundle"))
        => E::MissingField { field: Field::Cabundle };

    #[test]
    fn module_id_twice_fails_closed: |case| case.payload(|payload| payload.repeat("module_id"))
        => E::DuplicateKey { field: Field::ModuleId };
    #[test]
    fn digest_twice_fails_closed: |case| case.payload(|payload| payload.repeat("digest"))
        => E::DuplicateKey { field: Field::Digest };
    #[test]
    fn timestamp_twice_fails_closed: |case| case.payload(|payload| payload.repeat("timestamp"))
        => E::DuplicateKey { field: Field::Timestamp };
    #[test]
    fn pcrs_twice_fail_closed: |case| case.payload(|payload| payload.repeat("pcrs"))
        => E::DuplicateKey { field: Field::Pcrs };
    #[test]
    fn certificate_twice_fails_closed: |case| case.payload(|payload| payload.repeat("certificate"))
        => E::DuplicateKey { field: Field::Certificate };
    #[test]
    fn cabundle_twice_fails_closed: |case| case.payload(|payload| payload.repeat("cabundle"))
        => E::DuplicateKey { field: Field::Cabundle };
    #[test]
    fn public_key_twice_fails_closed: |case| case.payload(|payload| payload.repeat("public_key"))
        => E::DuplicateKey { field: Field::PublicKey };
    #[test]
    fn user_data_twice_fails_closed: |case| case.payload(|payload| payload.repeat("user_data"))
        => E::DuplicateKey { field: Field::UserData };
    #[test]
    fn nonce_twice_fails_closed: |case| case.payload(|payload| payload.repeat("nonce"))
        => E::DuplicateKey { field: Field::Nonce };
    #[test]
    fn null_and_then_a_public_key_fails_closed: |case| case.payload(|payload| {
        payload.set("public_key", Cbor::Null);
        payload.0.push((Cbor::text("public_key"), Cbor::bytes(b"another")));
    }) => E::DuplicateKey { field: Field::PublicKey };

    #[test]
    fn unknown_key_fails_closed: |case| case.payload(|payload| {
        payload.0.insert(0, (Cbor::text("region"), Cbor::text("test-1")));
    }) => E::UnknownKey { offset: 1 };
    #[test]
    fn key_in_another_case_fails_closed: |case| case.payload(|payload| {
        payload.0.insert(0, (Cbor::text("Nonce"), Cbor::Null));
    }) => E::UnknownKey { offset: 1 };
    #[test]
    fn empty_key_fails_closed: |case| case.payload(|payload| {
        payload.0.insert(0, (Cbor::text(""), Cbor::Null));
    }) => E::UnknownKey { offset: 1 };
    #[test]
    fn number_as_key_fails_closed: |case| case.payload(|payload| {
        payload.0.insert(0, (Cbor::Unsigned(1), Cbor::Null));
    }) => unexpected(1, CborType::Text, CborType::Unsigned);
    #[test]
    fn bytes_as_key_fail_closed: |case| case.payload(|payload| {
        payload.0.insert(0, (Cbor::bytes(b"nonce"), Cbor::Null));
    }) => unexpected(1, CborType::Text, CborType::Bytes);
    #[test]
    fn key_that_is_not_utf8_fails_closed: |case| case.payload(|payload| {
        payload.0.insert(0, (Cbor::Raw(vec![0x62, 0xc3, 0x28]), Cbor::Null));
    }) => cbor(2, CborProblem::InvalidUtf8);
    #[test]
    fn key_in_pieces_fails_closed: |case| case.payload(|payload| {
        payload.0.insert(0, (Cbor::Raw(vec![0x7f, 0x61, b'x', 0xff]), Cbor::Null));
    }) => cbor(1, CborProblem::IndefiniteString);
    #[test]
    fn key_in_a_longer_form_fails_closed: |case| case.payload(|payload| {
        payload.0.insert(0, (Cbor::Raw(b"\x78\x05nonce".to_vec()), Cbor::Null));
    }) => cbor(1, CborProblem::NotShortest);
    #[test]
    fn reserved_head_fails_closed: |case| case.payload(|payload| {
        payload.0.insert(0, (Cbor::Raw(vec![0x7c]), Cbor::Null));
    }) => cbor(1, CborProblem::Reserved);

    #[test]
    fn module_id_null_fails_closed: |case| case.payload(|payload| {
        payload.set("module_id", Cbor::Null);
    }) => unexpected(AFTER_MODULE_ID, CborType::Text, CborType::Null);
    #[test]
    fn module_id_as_bytes_fails_closed: |case| case.payload(|payload| {
        payload.set("module_id", Cbor::bytes(b"i-0"));
    }) => unexpected(AFTER_MODULE_ID, CborType::Text, CborType::Bytes);
    #[test]
    fn empty_module_id_fails_closed: |case| case.payload(|payload| {
        payload.set("module_id", Cbor::text(""));
    }) => E::ModuleIdMalformed;

    #[test]
    fn digest_sha256_fails_closed: |case| case.payload(|payload| {
        payload.set("digest", Cbor::text("SHA256"));
    }) => E::DigestUnsupported;
    #[test]
    fn digest_in_lower_case_fails_closed: |case| case.payload(|payload| {
        payload.set("digest", Cbor::text("sha384"));
    }) => E::DigestUnsupported;

    #[test]
    fn timestamp_zero_fails_closed: |case| case.payload(|payload| {
        payload.set("timestamp", Cbor::Unsigned(0));
    }) => E::TimestampZero;
    #[test]
    fn negative_timestamp_fails_closed: |case| case.payload(|payload| {
        only(payload, "timestamp", Cbor::Negative(5));
    }) => unexpected(11, CborType::Unsigned, CborType::Negative);
    #[test]
    fn timestamp_as_float_fails_closed: |case| case.payload(|payload| {
        only(payload, "timestamp", Cbor::Raw(vec![0xfb, 0x42, 0x7a, 0, 0, 0, 0, 0, 0]));
    }) => unexpected(11, CborType::Unsigned, CborType::Simple);
    #[test]
    fn timestamp_as_big_number_fails_closed: |case| case.payload(|payload| {
        only(payload, "timestamp", Cbor::Tag(2, Box::new(Cbor::bytes(&[1; 9]))));
    }) => unexpected(11, CborType::Unsigned, CborType::Tag);
    #[test]
    fn timestamp_in_a_longer_form_fails_closed: |case| case.payload(|payload| {
        only(payload, "timestamp", Cbor::Raw(vec![0x1b, 0, 0, 0, 0, 0, 0, 0, 1]));
    }) => cbor(11, CborProblem::NotShortest);

    #[test]
    fn no_register_fails_closed: |case| case.payload(|payload| payload.pcrs().clear())
        => E::PcrCount { found: 0 };
    #[test]
    fn no_register_in_indefinite_map_fails_closed: |case| case.payload(|payload| {
        payload.set("pcrs", Cbor::IndefiniteMap(Vec::new()));
    }) => E::PcrCount { found: 0 };
    #[test]
    fn thirty_three_registers_fail_closed: |case| case.payload(|payload| {
        for index in 16..33 {
            payload.pcrs().push((Cbor::Unsigned(index), Cbor::bytes(&[0; 48])));
        }
    }) => E::PcrCount { found: 33 };
    #[test]
    fn register_32_fails_closed: |case| case.payload(|payload| {
        payload.pcrs().push((Cbor::Unsigned(32), Cbor::bytes(&[0; 48])));
    }) => E::PcrIndex { found: 32 };
    #[test]
    fn register_260_fails_closed: |case| case.payload(|payload| {
        payload.pcrs()[15].0 = Cbor::Unsigned(260);
    }) => E::PcrIndex { found: 260 };
    #[test]
    fn register_twice_fails_closed: |case| case.payload(|payload| {
        payload.pcrs().push((Cbor::Unsigned(0), Cbor::bytes(&[9; 48])));
    }) => E::DuplicatePcr { index: 0 };
    #[test]
    fn register_of_32_bytes_fails_closed: |case| case.payload(|payload| {
        payload.set_pcr(7, &[0; 32]);
    }) => E::PcrLength { index: 7, found: 32 };
    #[test]
    fn register_of_47_bytes_fails_closed: |case| case.payload(|payload| {
        payload.set_pcr(0, &[1; 47]);
    }) => E::PcrLength { index: 0, found: 47 };
    #[test]
    fn register_of_49_bytes_fails_closed: |case| case.payload(|payload| {
        payload.set_pcr(0, &[1; 49]);
    }) => E::PcrLength { index: 0, found: 49 };
    #[test]
    fn negative_register_fails_closed: |case| case.payload(|payload| {
        only(payload, "pcrs", Cbor::Map(vec![(Cbor::Negative(0), Cbor::bytes(&[0; 48]))]));
    }) => unexpected(7, CborType::Unsigned, CborType::Negative);
    #[test]
    fn register_named_by_text_fails_closed: |case| case.payload(|payload| {
        only(payload, "pcrs", Cbor::Map(vec![(Cbor::text("0"), Cbor::bytes(&[0; 48]))]));
    }) => unexpected(7, CborType::Unsigned, CborType::Text);
    #[test]
    fn register_as_text_fails_closed: |case| case.payload(|payload| {
        only(payload, "pcrs", Cbor::Map(vec![(Cbor::Unsigned(0), Cbor::text("00"))]));
    }) => unexpected(8, CborType::Bytes, CborType::Text);
    #[test]
    fn registers_as_array_fail_closed: |case| case.payload(|payload| {
        only(payload, "pcrs", Cbor::Array(Vec::new()));
    }) => unexpected(6, CborType::Map, CborType::Array);
    #[test]
    fn registers_null_fail_closed: |case| case.payload(|payload| only(payload, "pcrs", Cbor::Null))
        => unexpected(6, CborType::Map, CborType::Null);

    #[test]
    fn empty_certificate_fails_closed: |case| case.payload(|payload| {
        payload.set("certificate", Cbor::bytes(&[]));
    }) => E::CertificateLength { found: 0 };
    #[test]
    fn too_long_certificate_fails_closed: |case| case.payload(|payload| {
        payload.set("certificate", Cbor::bytes(&[0; 1025]));
    }) => E::CertificateLength { found: 1025 };
    #[test]
    fn certificate_null_fails_closed: |case| case.payload(|payload| {
        only(payload, "certificate", Cbor::Null);
    }) => unexpected(13, CborType::Bytes, CborType::Null);
    #[test]
    fn empty_cabundle_fails_closed: |case| case.payload(|payload| payload.cabundle().clear())
        => E::CabundleLength { found: 0 };
    #[test]
    fn empty_indefinite_cabundle_fails_closed: |case| case.payload(|payload| {
        payload.set("cabundle", Cbor::IndefiniteArray(Vec::new()));
    }) => E::CabundleLength { found: 0 };
    #[test]
    fn cabundle_of_nine_fails_closed: |case| case.payload(|payload| {
        payload.set("cabundle", Cbor::Array(vec![Cbor::bytes(&[1]); 9]));
    }) => E::CabundleLength { found: 9 };
    #[test]
    fn indefinite_cabundle_of_nine_fails_closed: |case| case.payload(|payload| {
        payload.set("cabundle", Cbor::IndefiniteArray(vec![Cbor::bytes(&[1]); 12]));
    }) => E::CabundleLength { found: 9 };
    #[test]
    fn empty_entry_of_cabundle_fails_closed: |case| case.payload(|payload| {
        payload.cabundle()[2] = Cbor::bytes(&[]);
    }) => E::CabundleEntryLength { index: 2, found: 0 };
    #[test]
    fn too_long_entry_of_cabundle_fails_closed: |case| case.payload(|payload| {
        payload.cabundle()[1] = Cbor::bytes(&[0; 1025]);
    }) => E::CabundleEntryLength { index: 1, found: 1025 };
    #[test]
    fn cabundle_as_bytes_fails_closed: |case| case.payload(|payload| {
        only(payload, "cabundle", Cbor::bytes(b"certificates"));
    }) => unexpected(10, CborType::Array, CborType::Bytes);
    #[test]
    fn text_in_cabundle_fails_closed: |case| case.payload(|payload| {
        only(payload, "cabundle", Cbor::Array(vec![Cbor::text("-----BEGIN")]));
    }) => unexpected(11, CborType::Bytes, CborType::Text);

    #[test]
    fn empty_public_key_fails_closed: |case| case.payload(|payload| {
        payload.set("public_key", Cbor::bytes(&[]));
    }) => E::OptionalFieldLength { field: Field::PublicKey, found: 0 };
    #[test]
    fn too_long_public_key_fails_closed: |case| case.payload(|payload| {
        payload.set("public_key", Cbor::bytes(&[0; 1025]));
    }) => E::OptionalFieldLength { field: Field::PublicKey, found: 1025 };
    #[test]
    fn too_long_user_data_fails_closed: |case| case.payload(|payload| {
        payload.set("user_data", Cbor::bytes(&[0; 1025]));
    }) => E::OptionalFieldLength { field: Field::UserData, found: 1025 };
    #[test]
    fn too_long_nonce_fails_closed: |case| case.payload(|payload| {
        payload.set("nonce", Cbor::bytes(&[0; 1025]));
    }) => E::OptionalFieldLength { field: Field::Nonce, found: 1025 };
    #[test]
    fn undefined_user_data_fails_closed: |case| case.payload(|payload| {
        only(payload, "user_data", Cbor::Raw(vec![UNDEFINED]));
    }) => unexpected(11, CborType::Bytes, CborType::Simple);
    #[test]
    fn user_data_as_text_fails_closed: |case| case.payload(|payload| {
        only(payload, "user_data", Cbor::text("data"));
    }) => unexpected(11, CborType::Bytes, CborType::Text);

    #[test]
    fn nitro_tpm_document_fails_closed: |case| case.payload(|payload| {
        let pcrs = Cbor::Map(payload.pcrs().clone());
        payload.remove("pcrs");
        payload.0.insert(3, (Cbor::text("nitrotpm_pcrs"), pcrs));
    }) => E::NotAnEnclave;
    #[test]
    fn nitro_tpm_document_with_pcrs_beside_fails_closed: |case| case.payload(|payload| {
        payload.0.push((Cbor::text("nitrotpm_pcrs"), Cbor::Map(Vec::new())));
    }) => E::NotAnEnclave;
}

/// Where the value of the first field begins: after the map's head and `module_id`.
const AFTER_MODULE_ID: usize = 1 + 1 + "module_id".len();

/// Reduces the payload to one field, so that the place of its value is known.
fn only(payload: &mut Payload, key: &str, value: Cbor) {
    payload.0 = vec![(Cbor::text(key), value)];
}

/// Format alone: eight entries and 1024 bytes are as many as there may be, and not too many.
#[test]
fn certificates_at_their_limits() {
    let edits: [fn(&mut Payload); 2] = [
        |payload| payload.set("cabundle", Cbor::Array(vec![Cbor::bytes(&[7; 1024]); 8])),
        |payload| {
            payload.set(
                "cabundle",
                Cbor::IndefiniteArray(vec![Cbor::bytes(&[7; 1024]); 8]),
            )
        },
    ];
    for edit in edits {
        let mut case = Case::new();
        case.payload(edit);
        Document::parse(&case.recipe.build()).unwrap();
    }
    let mut case = Case::new();
    case.payload(|payload| payload.set("certificate", Cbor::bytes(&[7; 1024])));
    Document::parse(&case.recipe.build()).unwrap();
}
