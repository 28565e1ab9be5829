//! Our COSE_Sign1 against coset's: each reads what the other writes, and ours refuses every form
//! that RFC 9052 allows and the contract does not.

use coset::{
    CborSerializable as _, CoseSign1, CoseSign1Builder, Header, HeaderBuilder,
    TaggedCborSerializable as _, iana,
};
use p256::ecdsa::signature::{Signer as _, Verifier as _};
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};
use quorate_protocol::cbor::{DecodeError, Object as _, from_bytes, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::invalid::Invalid;
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::manifest::Approval;
use quorate_vectors::committed::{all_cases, cases};
use quorate_vectors::keys::signing;
use quorate_vectors::kinds::Kind;

#[test]
fn coset_reads_and_verifies_every_signed_vector() {
    let mut count = 0;
    for case in all_cases() {
        let Some(signed) = &case.signed else { continue };
        let cose = CoseSign1::from_slice(&signed.cose_sign1).expect("a COSE_Sign1");
        assert_eq!(cose.protected.header, es256());
        assert!(cose.unprotected.is_empty());
        assert_eq!(cose.payload.as_deref(), Some(case.bytes.as_slice()));
        assert_eq!(cose.tbs_data(case.label.as_bytes()), signed.to_be_signed);
        let key = VerifyingKey::from_sec1_bytes(&signed.public_key).expect("a key");
        assert!(
            verifies(&cose, case.label.as_bytes(), &key),
            "{}",
            case.label
        );
        assert!(!verifies(&cose, b"", &key) && !verifies(&cose, b"quorate/other/v1", &key));
        assert_eq!(cose.to_vec().ok().as_ref(), Some(&signed.cose_sign1));
        count += 1;
    }
    assert!(count >= 10);
}

#[test]
fn ours_accepts_what_coset_signs_after_normalization() {
    let key = signing("alice signing");
    let ours = VerificationKey::of(&key);
    let mut count = 0;
    for case in all_cases() {
        let Some(kind) = Kind::of(&case.label).signed else {
            continue;
        };
        let aad = case.label.as_bytes();
        let signed = |choose: fn(Signature) -> Signature| {
            let sign = |data: &[u8]| choose(key.sign(data)).to_vec();
            let cose = CoseSign1Builder::new()
                .protected(es256())
                .payload(case.bytes.clone());
            cose.create_signature(aad, sign).build()
        };
        let low = signed(|signature| signature.normalize_s());
        assert!(verifies(&low, aad, key.verifying_key()));
        assert_eq!(
            (kind.verify)(&low.to_vec().expect("bytes"), &ours),
            Ok(()),
            "{}",
            case.label
        );
        // The other s of the same signature: coset and p256 take it, the contract does not.
        let high = signed(|signature| negated(&signature.normalize_s()));
        assert!(verifies(&high, aad, key.verifying_key()));
        assert!(
            (kind.verify)(&high.to_vec().expect("bytes"), &ours).is_err(),
            "{}",
            case.label
        );
        count += 1;
    }
    assert!(count >= 10);
}

#[test]
fn high_s_fails_closed() {
    let (payload, key) = sample();
    let cose = Coset::new(&payload).signed(&key, true);
    let expected = DecodeError::Rule {
        label: Approval::LABEL,
        rule: Invalid::Signature,
    };
    assert_eq!(
        from_bytes::<Signed<Approval>>(&cose.clone().to_vec().expect("bytes")),
        Err(expected)
    );
    // Tools that take signatures from tokens give them to `from_parts`, which normalizes.
    let raw = cose.signature.as_slice().try_into().expect("64 bytes");
    let ours = Signed::from_parts(payload.clone(), raw).expect("a pair in range");
    assert_eq!(ours, Signed::sign(payload, &key));
}

/// Deterministic signatures (RFC 6979) and one encoding: the same bytes on both sides.
#[test]
fn both_sign_the_same_bytes() {
    let (payload, key) = sample();
    let theirs = Coset::new(&payload).signed(&key, false);
    assert_eq!(
        theirs.to_vec().expect("bytes"),
        to_bytes(&Signed::sign(payload, &key))
    );
}

#[test]
fn forms_of_cose_outside_the_contract_fail_closed() {
    let (payload, key) = sample();
    let refused = |what: &str, cose: CoseSign1, aad: &[u8]| {
        // It is good COSE for whoever takes this form.
        assert!(verifies(&cose, aad, key.verifying_key()), "{what}");
        let bytes = cose.to_vec().expect("bytes");
        let ours = VerificationKey::of(&key);
        let verdict = from_bytes::<Signed<Approval>>(&bytes);
        assert!(
            !verdict.is_ok_and(|signed| signed.verify(&ours).is_ok()),
            "{what}"
        );
    };
    let with = |change: fn(&mut Coset)| {
        let mut cose = Coset::new(&payload);
        change(&mut cose);
        cose.signed(&key, false)
    };
    let label = Approval::LABEL.as_bytes();
    refused(
        "a key identifier",
        with(|c| c.unprotected.key_id = b"alice".to_vec()),
        label,
    );
    refused(
        "a protected key identifier",
        with(|c| c.protected.key_id = b"a".to_vec()),
        label,
    );
    refused(
        "ES384 in the header",
        with(|c| c.protected = algorithm(iana::Algorithm::ES384)),
        label,
    );
    refused(
        "EdDSA in the header",
        with(|c| c.protected = algorithm(iana::Algorithm::EdDSA)),
        label,
    );
    refused(
        "no algorithm",
        with(|c| c.protected = Header::default()),
        label,
    );
    refused(
        "the algorithm unprotected",
        with(|c| {
            c.protected = Header::default();
            c.unprotected = algorithm(iana::Algorithm::ES256);
        }),
        label,
    );
    refused(
        "a content type",
        with(|c| {
            c.protected.content_type =
                Some(coset::RegisteredLabel::Text("application/cbor".into()));
        }),
        label,
    );
    refused("an empty external AAD", with(|c| c.aad = b""), b"");
    refused(
        "the label of another object",
        with(|c| c.aad = b"quorate/share-grant/v1"),
        b"quorate/share-grant/v1",
    );

    let tagged = Coset::new(&payload)
        .signed(&key, false)
        .to_tagged_vec()
        .expect("bytes");
    assert!(CoseSign1::from_tagged_slice(&tagged).is_ok());
    assert!(from_bytes::<Signed<Approval>>(&tagged).is_err(), "a tag");
    let mut detached = Coset::new(&payload).signed(&key, false);
    detached.payload = None;
    let detached = detached.to_vec().expect("bytes");
    assert!(CoseSign1::from_slice(&detached).is_ok());
    assert!(
        from_bytes::<Signed<Approval>>(&detached).is_err(),
        "a detached payload"
    );
}

/// What coset shall sign.
struct Coset {
    protected: Header,
    unprotected: Header,
    payload: Vec<u8>,
    aad: &'static [u8],
}

impl Coset {
    fn new(payload: &Approval) -> Self {
        Self {
            protected: es256(),
            unprotected: Header::default(),
            payload: to_bytes(payload),
            aad: Approval::LABEL.as_bytes(),
        }
    }

    fn signed(self, key: &SigningKey, high: bool) -> CoseSign1 {
        let sign = |data: &[u8]| {
            let signature: Signature = key.sign(data);
            let low = signature.normalize_s();
            if high { negated(&low) } else { low }.to_vec()
        };
        CoseSign1Builder::new()
            .protected(self.protected)
            .unprotected(self.unprotected)
            .payload(self.payload)
            .create_signature(self.aad, sign)
            .build()
    }
}

fn sample() -> (Approval, SigningKey) {
    let case = &cases("approval")[0];
    let payload = from_bytes::<Approval>(&case.bytes).expect("an approval");
    (payload, signing("alice signing"))
}

fn es256() -> Header {
    algorithm(iana::Algorithm::ES256)
}

fn algorithm(algorithm: iana::Algorithm) -> Header {
    HeaderBuilder::new().algorithm(algorithm).build()
}

fn verifies(cose: &CoseSign1, aad: &[u8], key: &VerifyingKey) -> bool {
    cose.verify_signature(aad, |signature, data| {
        key.verify(data, &Signature::from_slice(signature)?)
    })
    .is_ok()
}

/// The same signature with the other s.
fn negated(signature: &Signature) -> Signature {
    let (r, s) = signature.split_scalars();
    Signature::from_scalars(*r, -*s).expect("a pair in range")
}
