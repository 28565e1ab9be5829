//! Attestation documents and root certificates, made by others in their own formats.

use std::time::Duration;

use quorate_verify::attestation::{
    AttestationError, DebugMode, Document, Freshness, Partition, TrustAnchor, verify,
};

use crate::development;

/// The format of a document, without its signatures.
pub(crate) fn document(data: &[u8]) {
    match Document::parse(data) {
        Ok(parsed) => {
            let _ = format!("{parsed:?}");
            let _ = parsed.unverified_module_id().len();
        }
        Err(error) => told(&error),
    }
}

/// A whole document, with its chain and signatures.
pub(crate) fn verification(data: &[u8]) {
    let records = Freshness::Archived { at_unix: None };
    let challenged = Freshness::Challenged {
        nonce: &[0x5a; 32],
        elapsed: Duration::from_secs(1),
        max_age: Duration::from_secs(60),
    };
    for freshness in [records, challenged] {
        match verify(data, development::anchors(), &freshness, DebugMode::Allowed) {
            Ok(attested) => {
                assert!(
                    Document::parse(data).is_ok(),
                    "verified, but not of the format"
                );
                let _ = format!("{attested:?}");
            }
            Err(error) => told(&error),
        }
    }
}

/// A root certificate that a person hands over.
pub(crate) fn anchor(data: &[u8]) {
    for partition in [Partition::Aws, Partition::AwsCn, Partition::Development] {
        match TrustAnchor::from_der(partition, data) {
            Ok(anchor) => assert!(anchor.der() == data && anchor.partition() == partition),
            Err(error) => told(&error),
        }
    }
}

/// Every refusal has a text.
fn told(error: &AttestationError) {
    assert!(!error.to_string().is_empty(), "a refusal without a text");
}
