//! The frozen vectors hold: bytes, digests, signatures, frames, contexts, registers.

use p256::ecdsa::SigningKey;
use quorate_protocol::attested::{
    applications_extension, drill_extension, extended_once, genesis_extension, live_extension,
    setup_extension,
};
use quorate_protocol::cbor::from_bytes;
use quorate_protocol::digest::Digest;
use quorate_protocol::drill::{
    drill_share_context, genesis_drill_share_context, reshare_drill_share_context,
};
use quorate_protocol::forward::forward_key_context;
use quorate_protocol::frame::{Assembler, frame};
use quorate_protocol::genesis::{Genesis, genesis_share_context};
use quorate_protocol::keys::{KeyPair, VerificationKey};
use quorate_protocol::manifest::Manifest;
use quorate_protocol::message::{Request, Response};
use quorate_protocol::provision::provision_share_context;
use quorate_protocol::reshare::reshare_share_context;
use quorate_sharing::ShareIndex;
use quorate_vectors::committed::{self, all_cases, bytes, text};
use quorate_vectors::kinds::{KINDS, Kind};
use serde_json::Value;
use sha2::{Digest as _, Sha256, Sha384};

fn list(value: &Value, field: &str) -> Vec<Value> {
    value[field].as_array().expect("a list").clone()
}

fn digest<T>(value: &Value, field: &str) -> Digest<T> {
    Digest::from_hex(&text(value, field)).expect("a digest")
}

#[test]
fn every_case_decodes_and_encodes_to_itself() {
    for case in all_cases() {
        let kind = Kind::of(&case.label);
        assert_eq!(
            (kind.again)(&case.bytes),
            Ok(case.bytes.clone()),
            "{}",
            case.name
        );
        if let (Some(signed), Some(case)) = (kind.signed, &case.signed) {
            assert_eq!(
                (signed.again)(&case.cose_sign1),
                Ok(case.cose_sign1.clone())
            );
        }
    }
}

#[test]
fn every_digest_is_sha_256_of_label_zero_and_bytes() {
    for case in all_cases() {
        let by_hand = Sha256::digest([case.label.as_bytes(), &[0], &case.bytes].concat());
        assert_eq!(by_hand.as_slice(), case.digest);
        let ours = (Kind::of(&case.label).digest)(&case.bytes);
        assert_eq!(ours.map(Vec::from), Ok(case.digest));
    }
}

/// The COSE_Sign1 and the Sig_structure are put together here by hand.
#[test]
fn every_signature_verifies_over_the_sig_structure_of_rfc_9052() {
    use p256::ecdsa::signature::Verifier as _;
    let mut count = 0;
    for case in all_cases() {
        let Some(signed) = &case.signed else { continue };
        let string = |bytes: &[u8]| {
            let head = match u16::try_from(bytes.len()).expect("a short payload") {
                length @ 0..24 => vec![0x40 + length as u8],
                length @ 24..256 => vec![0x58, length as u8],
                length => [&[0x59][..], &length.to_be_bytes()].concat(),
            };
            [head, bytes.to_vec()].concat()
        };
        let protected = [0x43, 0xa1, 0x01, 0x26];
        let structure = [
            b"\x84\x6aSignature1".as_slice(),
            &protected,
            &string(case.label.as_bytes()),
            &string(&case.bytes),
        ];
        assert_eq!(structure.concat(), signed.to_be_signed);
        let cose = [
            &[0x84],
            &protected[..],
            &[0xa0],
            &string(&case.bytes),
            &[0x58, 0x40],
        ];
        assert_eq!(
            [cose.concat(), signed.signature.clone()].concat(),
            signed.cose_sign1
        );

        let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&signed.public_key).expect("a key");
        let signature = p256::ecdsa::Signature::from_slice(&signed.signature).expect("a pair");
        assert!(
            key.verify(&signed.to_be_signed, &signature).is_ok(),
            "{}",
            case.name
        );
        let ours = Kind::of(&case.label).signed.expect("a signed kind");
        let key = VerificationKey::from_sec1(&signed.public_key).expect("a key");
        assert_eq!((ours.verify)(&signed.cose_sign1, &key), Ok(()));
        count += 1;
    }
    assert!(count >= 10, "only {count} signed cases");
}

#[test]
fn a_signature_is_refused_under_every_other_label_fails_closed() {
    for case in all_cases() {
        let Some(signed) = &case.signed else { continue };
        let key = VerificationKey::from_sec1(&signed.public_key).expect("a key");
        for kind in KINDS.iter().filter(|kind| kind.label != case.label) {
            if let Some(other) = kind.signed {
                let verdict = (other.verify)(&signed.cose_sign1, &key);
                assert!(verdict.is_err(), "{} passes for {}", case.label, kind.label);
            }
        }
    }
}

#[test]
fn test_keys_are_what_the_file_says() {
    for key in list(&committed::json("keys.json"), "keys") {
        let secret = Sha256::digest(format!("quorate test vectors: {}", text(&key, "name")));
        assert_eq!(secret.as_slice(), bytes(&key, "secret"));
        let public = SigningKey::from_slice(&secret).expect("a scalar");
        let public = VerificationKey::of(&public).to_compressed();
        assert_eq!(public.as_slice(), bytes(&key, "public"));
    }
}

#[test]
fn every_register_is_extended_as_the_vectors_say() {
    let file = committed::json("derived/pcr-extensions.json");
    let mut seen = Vec::new();
    for case in list(&file, "cases") {
        let (name, inputs) = (text(&case, "name"), &case["inputs"]);
        let pair = || KeyPair::from_attested(&bytes(inputs, "keys")).expect("two points");
        let ours = match name.as_str() {
            "genesis" => genesis_extension(&Genesis {
                definition: digest(inputs, "definition"),
                output: digest(inputs, "output"),
            }),
            "setup" => setup_extension(
                &digest(inputs, "genesis"),
                &digest(inputs, "manifest"),
                &pair(),
            ),
            "drill" => drill_extension(
                &digest(inputs, "genesis"),
                &digest(inputs, "manifest"),
                &pair(),
            ),
            "live" => live_extension(
                &digest(inputs, "genesis"),
                &digest(inputs, "manifest"),
                &pair(),
            ),
            "applications" => {
                let applications = bytes(inputs, "applications");
                let applications = minicbor::decode(&applications).expect("applications");
                applications_extension(&digest(inputs, "genesis"), &applications)
            }
            other => panic!("no extension is called {other}"),
        };
        assert_eq!(
            Sha384::digest(bytes(&case, "cbor")).as_slice(),
            ours,
            "{name}"
        );
        assert_eq!(bytes(&case, "extension"), ours);
        let register = Sha384::digest([[0; 48], ours].concat());
        assert_eq!(bytes(&case, "pcr"), register.as_slice());
        assert_eq!(extended_once(&ours).0, register.as_slice());
        seen.push((name, case["register"].as_u64()));
    }
    let expected = [
        ("genesis", 16),
        ("setup", 16),
        ("live", 17),
        ("applications", 18),
        ("drill", 16),
    ];
    assert_eq!(
        seen,
        expected.map(|(name, register)| (name.to_string(), Some(register)))
    );
}

#[test]
fn every_sealed_share_opens_under_its_context_only() {
    use quorate_sealing::{DecryptionKey, Sealed, Suite, open};
    let file = committed::json("derived/seal-contexts.json");
    for case in list(&file, "cases") {
        let inputs = &case["inputs"];
        let index = || {
            let at = inputs["index"].as_u64();
            let at = at.and_then(|at| u8::try_from(at).ok());
            at.and_then(ShareIndex::new).expect("an index")
        };
        let context = match text(&case, "name").as_str() {
            "genesis" => genesis_share_context(&digest(inputs, "definition"), index()),
            "forward" => {
                let record = from_bytes(&bytes(inputs, "record")).expect("a record");
                forward_key_context(&record)
            }
            "genesis drill" => genesis_drill_share_context(
                &digest(inputs, "definition"),
                index(),
                &digest(inputs, "epoch"),
            ),
            "reshare drill" => reshare_drill_share_context(
                &digest(inputs, "order"),
                index(),
                &digest(inputs, "epoch"),
            ),
            "drill" => drill_share_context(
                &digest(inputs, "genesis"),
                &digest::<Manifest>(inputs, "manifest"),
                index(),
                &digest(inputs, "epoch"),
            ),
            "reshare" => {
                reshare_share_context(&digest(inputs, "order"), index(), &digest(inputs, "epoch"))
            }
            _ => provision_share_context(
                &digest(inputs, "genesis"),
                &digest::<Manifest>(inputs, "manifest"),
                index(),
                &digest(inputs, "epoch"),
            ),
        };
        assert_eq!(
            (context.info, &context.aad),
            (&*text(&case, "info"), &bytes(&case, "aad"))
        );
        let secret = bytes(&case, "recipient_secret")
            .try_into()
            .expect("32 bytes");
        let key = DecryptionKey::from_bytes(&secret).expect("a scalar");
        let sealed = Sealed {
            enc: bytes(&case, "enc").try_into().expect("65 bytes"),
            ciphertext: bytes(&case, "ciphertext"),
        };
        let suite = Suite::P256Sha256Aes256Gcm;
        let opened = |info: &str, aad: &[u8]| open(suite, &key, info.as_bytes(), aad, &sealed, 32);
        let share = opened(context.info, &context.aad).expect("its own context");
        assert_eq!(*share, bytes(&case, "plaintext"));
        assert!(opened("quorate/other-share/v1", &context.aad).is_err());
        for at in 0..context.aad.len() {
            let mut aad = context.aad.clone();
            aad[at] ^= 1;
            assert!(
                opened(context.info, &aad).is_err(),
                "byte {at} of the context"
            );
        }
    }
}

#[test]
fn every_frame_is_taken_apart_as_the_vectors_say() {
    let file = committed::json("derived/frames.json");
    let push = |direction: &str, received: &[u8]| {
        let mut assembler = Assembler::new();
        match direction {
            "request" => assembler.push::<Request>(received),
            _ => assembler.push::<Response>(received),
        }
    };
    for case in list(&file, "frames") {
        let payload = bytes(&case, "payload");
        assert_eq!(frame(&payload), Ok(bytes(&case, "frame")));
        let got = push(&text(&case, "direction"), &bytes(&case, "frame"));
        assert_eq!(got, Ok(Some(payload)));
    }
    for case in list(&file, "refused") {
        let got = push(&text(&case, "direction"), &bytes(&case, "received"));
        assert!(got.is_err(), "{}: {got:?}", text(&case, "name"));
    }
}

#[test]
fn everything_in_the_refused_file_fails_closed() {
    let cases = list(&committed::json("refused.json"), "cases");
    assert!(cases.len() > 100);
    for case in cases {
        let verdict = (Kind::of(&text(&case, "label")).again)(&bytes(&case, "bytes"));
        assert!(verdict.is_err(), "{}: {case}", text(&case, "what"));
    }
}
