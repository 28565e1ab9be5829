//! How much memory a document can make its verifier take: a small multiple of its length.
//!
//! One test alone in this binary, since the allocator counts for all threads.

#[path = "../common/mod.rs"]
mod common;
mod sys;

use common::cbor::{Cbor, head};
use common::der;
use common::nitro::{LEAF, Recipe};
use quorate_verify::attestation::{
    DebugMode, Document, Freshness, MAX_DOCUMENT_BYTES, Partition, TrustAnchor, verify,
};
use sys::Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting::new();

/// Bytes held per byte of input, at most, for whole documents.
const PER_BYTE: usize = 4;

/// Bytes held per byte of a certificate, at most: it is read where it lies, and kept once.
const PER_CERTIFICATE_BYTE: usize = 4;

#[test]
fn memory_is_a_small_multiple_of_the_input() {
    let recipe = Recipe::new();
    let (right, anchors) = (recipe.build(), recipe.anchors());
    let archived = Freshness::Archived { at_unix: None };

    let mut documents = vec![right];
    for byte in [0x81, 0x84, 0x9f, 0xa1, 0xbf, 0xd2, 0x5f, 0xff, 0x00, 0xf6] {
        documents.push(vec![byte; MAX_DOCUMENT_BYTES]);
        documents.push(envelope(vec![byte; 16_384]));
    }
    for length in [u64::MAX, 1 << 62, 1 << 31, 16_384] {
        documents.push(head(4, length));
        documents.push([vec![0x84], head(2, length)].concat());
        documents.push(envelope(head(5, length)));
        for (key, major) in [("pcrs", 5), ("cabundle", 4), ("module_id", 3), ("nonce", 2)] {
            let value = head(major, length);
            documents.push(envelope(
                [head(5, 1), Cbor::text(key).encode(), value].concat(),
            ));
        }
    }
    let one_byte_certificates = vec![Cbor::bytes(&[0x30]); 8000];
    for bundle in [
        Cbor::Array(one_byte_certificates.clone()),
        Cbor::IndefiniteArray(one_byte_certificates),
    ] {
        let entry = vec![(Cbor::text("cabundle"), bundle)];
        documents.push(envelope(Cbor::Map(entry).encode()));
    }
    let registers = (0..300).map(|index| (Cbor::Unsigned(index % 31), Cbor::bytes(&[1; 48])));
    let entry = vec![(Cbor::text("pcrs"), Cbor::IndefiniteMap(registers.collect()))];
    documents.push(envelope(Cbor::Map(entry).encode()));

    for document in documents {
        let peak = ALLOCATOR.peak_of(|| drop(Document::parse(&document)));
        assert_bound("parse", peak, document.len(), PER_BYTE);
        let peak = ALLOCATOR.peak_of(|| {
            drop(verify(&document, &anchors, &archived, DebugMode::Refused));
        });
        assert_bound("verify", peak, document.len(), PER_BYTE);
    }

    for certificate in hostile_certificates() {
        let peak = ALLOCATOR.peak_of(|| {
            drop(TrustAnchor::from_der(Partition::Development, &certificate));
        });
        assert_bound("certificate", peak, certificate.len(), PER_CERTIFICATE_BYTE);
    }
}

fn assert_bound(what: &str, peak: usize, length: usize, per_byte: usize) {
    // Room for what does not depend on the input.
    let bound = 4096 + per_byte * length;
    assert!(peak <= bound, "{what} of {length} bytes held {peak}");
}

/// Certificates of which as much as possible is a list of the shortest elements.
fn hostile_certificates() -> Vec<Vec<u8>> {
    let shortest_attribute = || {
        let pair = der::sequence(&[der::oid(&[0x55]), vec![der::NULL, 0]]);
        der::tlv(der::SET, &pair)
    };
    let shortest_extension = || der::sequence(&[der::oid(&[0x55]), vec![der::OCTET_STRING, 0]]);
    let mut recipe = Recipe::new();
    let template = recipe.certificates[LEAF].clone();
    let mut certificates = Vec::new();
    for names in [[der::SET, 0].repeat(240), shortest_attribute().repeat(50)] {
        let certificate = &mut recipe.certificates[LEAF];
        *certificate = template.clone();
        certificate.subject = der::tlv(der::SEQUENCE, &names);
        certificates.push(certificate.build());
    }
    let certificate = &mut recipe.certificates[LEAF];
    *certificate = template;
    certificate.extensions.clear();
    let extensions = der::tlv(der::SEQUENCE, &shortest_extension().repeat(60));
    certificate.unique_ids = der::explicit(3, &extensions);
    certificates.push(certificate.build());
    certificates.push(vec![0x30; 1024]);
    certificates.push([0x31, 0].repeat(512));
    assert!(certificates.iter().all(|der| der.len() <= 1024));
    certificates
}

fn envelope(payload: Vec<u8>) -> Vec<u8> {
    Cbor::Array(vec![
        Cbor::bytes(&[0xa1, 0x01, 0x38, 0x22]),
        Cbor::Map(Vec::new()),
        Cbor::Bytes(payload),
        Cbor::bytes(&[1; 96]),
    ])
    .encode()
}
