//! What ends an exporter, and what does not; and what one that has ended refuses.

use quorate_protocol::atoms::Bytes;
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::forward::Confirmed;
use quorate_protocol::message::{
    AttestRequest, BootRequest, Reason, Request, Response, Stage, Upload,
};

use crate::common::{Instance, nonce, reason};
use crate::{
    Namespace, ask_export, ask_hand_over, ask_import, evidence, export, hand_over, import, replace,
    same,
};

/// An importer that has confirmed, and its exporter, which does not know.
struct Confirming {
    namespace: Namespace,
    exporter: Instance,
    importer: Instance,
    confirmed: Confirmed,
}

impl Confirming {
    fn new() -> Self {
        let mut namespace = Namespace::new(|_| {});
        let chain = [namespace.first.clone()];
        let (exporter, importer) = (namespace.run(&chain), namespace.boot(&chain));
        let request = same(&exporter.enclave, &importer.enclave);
        let forwarded = export(&exporter.enclave, &request);
        let confirmed = import(&importer.enclave, &forwarded);
        Self {
            namespace,
            exporter,
            importer,
            confirmed,
        }
    }

    /// Refuses the changed confirmation and serves on, then takes the honest one.
    fn refuses(&self, change: impl FnOnce(&mut Confirmed)) -> Reason {
        let mut confirmed = self.confirmed.clone();
        change(&mut confirmed);
        let refused = reason(ask_hand_over(&self.exporter.enclave, &confirmed));
        self.exporter.await_running();
        hand_over(&self.exporter.enclave, &self.confirmed);
        refused
    }
}

#[test]
fn a_confirmation_of_no_record_of_this_exporter_fails_closed() {
    let way = Confirming::new();
    let other = Confirming::new();
    let refused = way.refuses(|confirmed| *confirmed = other.confirmed.clone());
    assert_eq!(refused, Reason::ConfirmationForAnother);
}

/// Another importer's certificate, of the same exporter.
#[test]
fn a_confirmation_from_another_importer_fails_closed() {
    let mut way = Confirming::new();
    let chain = [way.namespace.first.clone()];
    let other = way.namespace.boot(&chain);
    let request = same(&way.exporter.enclave, &other.enclave);
    let second = import(&other.enclave, &export(&way.exporter.enclave, &request));
    let refused = way.refuses(|confirmed| confirmed.certificate = second.certificate);
    assert_eq!(refused, Reason::ConfirmationForAnother);
}

#[test]
fn a_confirmation_that_the_importer_did_not_sign_fails_closed() {
    let way = Confirming::new();
    let refused = way.refuses(|confirmed| {
        let word = confirmed.confirmation.unverified().clone();
        let stranger = &way.namespace.world.people[0].signing;
        confirmed.confirmation = Signed::sign(word, stranger);
    });
    assert_eq!(refused, Reason::ConfirmationSignature);
}

/// The live key is the attacker's, and so is the certificate's signature.
#[test]
fn a_certificate_that_the_quorum_key_does_not_stand_behind_fails_closed() {
    let way = Confirming::new();
    let refused = way.refuses(|confirmed| {
        let stranger = &way.namespace.world.people[0].signing;
        let certificate = confirmed.certificate.unverified().clone();
        confirmed.certificate = Signed::sign(certificate, stranger);
        let mut word = confirmed.confirmation.unverified().clone();
        word.certificate = confirmed.certificate.digest();
        confirmed.confirmation = Signed::sign(word, stranger);
    });
    assert_eq!(refused, Reason::ConfirmationSignature);
}

#[test]
fn a_confirmation_of_another_certificate_fails_closed() {
    let way = Confirming::new();
    let refused = way.refuses(|confirmed| {
        let mut word = confirmed.confirmation.unverified().clone();
        word.certificate = Digest::from_bytes([7; 32]);
        let again = Signed::from_parts(word, &confirmed.confirmation.signature());
        confirmed.confirmation = again.unwrap();
    });
    assert_eq!(refused, Reason::ConfirmationSignature);
}

/// A live certificate of the namespace, but of one that got the key from members.
#[test]
fn a_confirmation_by_an_instance_that_was_given_shares_fails_closed() {
    let mut way = Confirming::new();
    let chain = [way.namespace.first.clone()];
    let other = way.namespace.run(&chain);
    let theirs = evidence(&other.enclave).provisioning.unwrap().certificate;
    let refused = way.refuses(|confirmed| confirmed.certificate = theirs);
    assert_eq!(refused, Reason::ConfirmationForAnother);
}

#[test]
fn everything_after_a_hand_over_but_status_log_and_evidence_fails_closed() {
    let mut namespace = Namespace::new(|_| {});
    let chain = [namespace.first.clone()];
    let (exporter, importer) = (namespace.run(&chain), namespace.boot(&chain));
    let request = same(&exporter.enclave, &importer.enclave);
    let confirmed = replace(&exporter, &importer);
    let enclave = &exporter.enclave;
    let third = namespace.boot(&chain);
    let forwarded = export(&importer.enclave, &same(&importer.enclave, &third.enclave));
    let upload = Upload {
        sha256: quorate_protocol::atoms::Sha256([1; 32]),
        size: 1,
        offset: 0,
        data: Bytes::new(vec![1]).unwrap(),
    };
    let attest = |stage| {
        let nonce = nonce();
        Request::Attest(AttestRequest { stage, nonce })
    };
    let answers = [
        enclave.ask(&Request::Challenge),
        ask_export(enclave, &request),
        ask_import(enclave, &forwarded),
        ask_hand_over(enclave, &confirmed),
        enclave.ask(&Request::Provision(third.honest(&namespace.world, 0))),
        enclave.ask(&Request::Upload(upload)),
        enclave.ask(&Request::Boot(BootRequest {
            record: namespace.record.clone(),
            chain: chain.to_vec(),
        })),
        enclave.ask(&Request::Genesis(namespace.world.genesis_request())),
        enclave.ask(&attest(Stage::Live)),
        enclave.ask_public(&attest(Stage::Setup)),
    ];
    assert_eq!(answers.map(reason), [Reason::HandedOver; 10]);
    for request in [Request::Status, Request::Log] {
        let answer = enclave.ask(&request);
        assert!(!matches!(answer, Response::Refused(_)), "{answer:?}");
    }
    assert!(namespace.report(&evidence(enclave)).is_accepted());
}

#[test]
fn hundred_bad_confirmations_fails_closed() {
    let way = Confirming::new();
    let mut bad = way.confirmed.clone();
    let word = bad.confirmation.unverified().clone();
    bad.confirmation = Signed::sign(word, &way.namespace.world.people[0].signing);
    for _ in 0..100 {
        let refused = reason(ask_hand_over(&way.exporter.enclave, &bad));
        assert_eq!(refused, Reason::ConfirmationSignature);
    }
    way.exporter.await_running();
    hand_over(&way.exporter.enclave, &way.confirmed);
    way.importer.await_running();
}
