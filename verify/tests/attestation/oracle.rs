//! Our reader of certificates beside x509-cert's: what ours accepts, theirs reads, and encodes to
//! the same bytes.

use quorate_verify::attestation::{Partition, TrustAnchor, TrustAnchors};
use x509_cert::Certificate;
use x509_cert::der::{Decode as _, Encode as _, ErrorKind};

use crate::common::nitro::{ROOT, Recipe};

/// Whether ours accepts it as a root. If so, theirs must read it as the one encoding of a value.
fn agreed(der: &[u8]) -> bool {
    let ours = TrustAnchor::from_der(Partition::Development, der).is_ok();
    if ours {
        match Certificate::from_der(der) {
            Ok(theirs) => assert_eq!(theirs.to_der().expect("it encodes"), der),
            // Theirs has no identifiers of which the first two arcs take more than a byte.
            Err(error) => assert_eq!(error.kind(), ErrorKind::OidMalformed),
        }
    }
    ours
}

#[test]
fn changed_certificates_that_are_accepted_are_certificates() {
    let aws = TrustAnchors::with_aws();
    let aws = aws.iter().next().expect("AWS's root").der().to_vec();
    let ours = Recipe::new().certificates[ROOT].build();
    assert!(agreed(&ours));
    for der in [aws, ours] {
        let (mut accepted, mut refused) = (0, 0);
        let mut count = |der: &[u8]| match agreed(der) {
            true => accepted += 1,
            false => refused += 1,
        };
        for at in 0..der.len() {
            for bit in 0..8 {
                let mut changed = der.clone();
                changed[at] ^= 1 << bit;
                count(&changed);
            }
            for replaced in [0x00, 0x01, 0x30, 0x80, 0x81, 0x82, 0xff] {
                let mut changed = der.clone();
                changed[at] = replaced;
                count(&changed);
            }
            let mut shorter = der.clone();
            shorter.remove(at);
            count(&shorter);
            let mut longer = der.clone();
            longer.insert(at, der[at]);
            count(&longer);
        }
        // Serial number, key and signature are free; structure is not.
        assert!(accepted > 500 && refused > 1000, "{accepted} {refused}");
    }
}

/// The names that a report shows are written as x509-cert writes them.
#[test]
fn names_are_written_as_theirs() {
    use quorate_verify::attestation::{Archived, DebugMode, Verifier};

    let recipe = Recipe::new();
    let record = Archived { at_unix: None };
    let attested = Verifier::pure_rust()
        .verify(
            &recipe.build(),
            &recipe.anchors(),
            &record,
            DebugMode::Refused,
        )
        .expect("a right document");
    let ours = attested.certificates();
    assert_eq!(ours.len(), recipe.certificates.len());
    for (ours, recipe) in ours.iter().zip(&recipe.certificates) {
        let theirs = Certificate::from_der(&recipe.build()).expect("a certificate");
        let theirs = theirs.tbs_certificate();
        assert_eq!(ours.subject(), theirs.subject().to_string());
        let seconds = |time: x509_cert::time::Time| time.to_unix_duration().as_secs();
        assert_eq!(ours.not_before(), seconds(theirs.validity().not_before));
        assert_eq!(ours.not_after(), seconds(theirs.validity().not_after));
    }
}
