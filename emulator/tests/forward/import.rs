//! What an importer refuses.

use quorate_protocol::atoms::Bytes;
use quorate_protocol::forward::ForwardedKey;
use quorate_protocol::message::{Reason, Request, Stage};

use crate::common::{Instance, nonce, reason};
use crate::{Namespace, ask_import, export, import, same};

/// An exporter and an importer of one manifest, and the key between them.
struct Way {
    namespace: Namespace,
    exporter: Instance,
    importer: Instance,
    forwarded: ForwardedKey,
}

impl Way {
    fn new() -> Self {
        let mut namespace = Namespace::new(|_| {});
        let chain = [namespace.first.clone()];
        let (exporter, importer) = (namespace.run(&chain), namespace.boot(&chain));
        let request = same(&exporter.enclave, &importer.enclave);
        let forwarded = export(&exporter.enclave, &request);
        Self {
            namespace,
            exporter,
            importer,
            forwarded,
        }
    }

    /// Refuses the changed key, keeps what it had, then takes the honest one.
    fn refuses(&self, change: impl FnOnce(&mut ForwardedKey)) -> Reason {
        let mut forwarded = self.forwarded.clone();
        change(&mut forwarded);
        let refused = reason(ask_import(&self.importer.enclave, &forwarded));
        self.importer.enclave.attest(Stage::Setup, &nonce());
        import(&self.importer.enclave, &self.forwarded);
        self.importer.await_running();
        refused
    }
}

#[test]
fn a_sealed_key_that_was_altered_fails_closed() {
    let way = Way::new();
    let refused = way.refuses(|forwarded| {
        let mut bytes = forwarded.sealed.ciphertext.as_slice().to_vec();
        bytes[0] ^= 1;
        forwarded.sealed.ciphertext = Bytes::new(bytes).unwrap();
    });
    assert_eq!(refused, Reason::KeyUnreadable);
}

/// The record beside it is the one that was sealed with: its digest is in the AAD.
#[test]
fn a_sealed_key_of_another_record_fails_closed() {
    let way = Way::new();
    let request = same(&way.exporter.enclave, &way.importer.enclave);
    let second = export(&way.exporter.enclave, &request);
    let refused = way.refuses(|forwarded| forwarded.sealed = second.sealed.clone());
    assert_eq!(refused, Reason::KeyUnreadable);
}

#[test]
fn a_key_for_another_importer_fails_closed() {
    let mut way = Way::new();
    let chain = [way.namespace.first.clone()];
    let other = way.namespace.boot(&chain);
    let refused = reason(ask_import(&other.enclave, &way.forwarded));
    assert_eq!(refused, Reason::RecordForAnother);
    // It can have the key all the same, from one who meant it.
    let request = same(&way.exporter.enclave, &other.enclave);
    import(&other.enclave, &export(&way.exporter.enclave, &request));
}

/// An exporter of another namespace, with the same people and software.
#[test]
fn a_key_of_another_namespace_fails_closed() {
    let way = Way::new();
    let other = Way::new();
    let refused = way.refuses(|forwarded| forwarded.clone_from(&other.forwarded));
    assert_eq!(refused, Reason::RecordUnproven);
}

#[test]
fn a_ring_of_another_quorum_key_fails_closed() {
    let way = Way::new();
    let other = Way::new();
    let refused = way.refuses(|forwarded| forwarded.ring = other.forwarded.ring.clone());
    assert_eq!(refused, Reason::RecordUnproven);
}

#[test]
fn a_certificate_of_another_exporter_fails_closed() {
    let way = Way::new();
    let other = Way::new();
    let refused =
        way.refuses(|forwarded| forwarded.certificate = other.forwarded.certificate.clone());
    assert_eq!(refused, Reason::RecordUnproven);
}

#[test]
fn a_record_that_the_exporter_did_not_sign_fails_closed() {
    let way = Way::new();
    let refused = way.refuses(|forwarded| {
        // All but the signature fits.
        let record = quorate_protocol::forward::ForwardRecordFields {
            count: 7,
            ..forwarded.record.unverified().clone().into_inner()
        };
        let record = quorate_protocol::cbor::Checked::new(record).unwrap();
        forwarded.record =
            quorate_protocol::cose::Signed::from_parts(record, &forwarded.record.signature())
                .unwrap();
    });
    assert_eq!(refused, Reason::RecordUnproven);
}

#[test]
fn shares_and_keys_after_an_import_fails_closed() {
    let way = Way::new();
    import(&way.importer.enclave, &way.forwarded);
    let share = way.importer.honest(&way.namespace.world, 0);
    let asked = Request::Provision(share);
    assert_eq!(reason(way.importer.enclave.ask(&asked)), Reason::WrongPhase);
    let again = reason(ask_import(&way.importer.enclave, &way.forwarded));
    assert_eq!(again, Reason::WrongPhase);
    way.importer.await_running();
}

#[test]
fn hundred_bad_imports_fails_closed() {
    let way = Way::new();
    let mut bad = way.forwarded.clone();
    let mut bytes = bad.sealed.ciphertext.as_slice().to_vec();
    bytes[40] ^= 1;
    bad.sealed.ciphertext = Bytes::new(bytes).unwrap();
    for _ in 0..100 {
        let refused = reason(ask_import(&way.importer.enclave, &bad));
        assert_eq!(refused, Reason::KeyUnreadable);
    }
    import(&way.importer.enclave, &way.forwarded);
    way.importer.await_running();
}
