//! Samples of what applications are given, say, keep and prove.
//!
//! The application is `echo` of the small namespace; `notary` calls it and shares its secrets with
//! it. All keys come from the world's quorum secret or from fixed names, so another implementation
//! can make them.

use quorate_protocol::application::{
    ApplicationProof, Edge, EdgeEnd, EdgeRole, LAUNCH_RECORD_DESCRIPTOR, LaunchKeys, LaunchRecord,
    LaunchSealingKey, Listener, TimeAnchor,
};
use quorate_protocol::control::{
    Dial, DialReason, Entropy, EntropyLength, FromInit, NotDialed, Renew, Report, ReportKind,
    ToInit,
};
use quorate_protocol::cose::Signed;
use quorate_protocol::egress::{Destination, EgressReason, EgressRequest, EgressResponse};
use quorate_protocol::instance::{Purpose, derive_sealing};
use quorate_protocol::manifest::Link;
use quorate_protocol::stored::{SealedSecret, StorageKey};
use zeroize::Zeroizing;

use super::{Sample, plain, signed};
use crate::keys::{generator, scalar, signing, verification};
use crate::programs::destination;
use crate::world::{World, bytes, name, time};

pub(super) fn samples(small: &World, chain: &[Link]) -> Vec<Sample> {
    let evidence = small.application(&chain[0].manifest);
    let empty = ApplicationProof {
        payload: bytes(&[]),
        ..evidence.proofs[0].unverified().clone()
    };
    let empty = Signed::sign(empty, &signing("echo live"));
    let record = LaunchRecord {
        format: quorate_protocol::FORMAT,
        certificate: evidence.certificate.clone(),
        keys: LAUNCH_RECORD_DESCRIPTOR + 1,
        control: LAUNCH_RECORD_DESCRIPTOR + 2,
        listeners: vec![Listener {
            port: 5100,
            descriptor: LAUNCH_RECORD_DESCRIPTOR + 3,
        }],
        edges: vec![Edge {
            end: edge_end(),
            descriptor: LAUNCH_RECORD_DESCRIPTOR + 4,
        }],
        instance: verification("live es256"),
        time: anchor(),
    };
    let sealing = |owner, reader| LaunchSealingKey {
        owner: name(owner),
        reader: name(reader),
        key: *derive_sealing(&small.secret, &small.genesis, &name(owner), &name(reader))
            .expect("a key"),
    };
    let keys = LaunchKeys {
        live: scalar("echo live"),
        signing: *small.derived("echo", Purpose::Signing).to_bytes(),
        encryption: *small.derived("echo", Purpose::Encryption).to_bytes(),
        sealing: vec![sealing("echo", "echo"), sealing("notary", "echo")],
    };
    let report = Report {
        kind: ReportKind::Warning,
        code: 7,
        value: u64::MAX,
    };
    let renew = Renew {
        peer: name("notary"),
        role: EdgeRole::Callee,
        pair: 3,
    };
    let dial = Dial {
        number: 7,
        destination: destination("api.example.com", 443),
    };
    let longest = Dial {
        number: u64::MAX,
        destination: longest_destination(),
    };
    let not_dialed = NotDialed {
        number: 7,
        reason: DialReason::NotAllowed,
    };
    let length = EntropyLength::new(256).expect("a length");
    let entropy = Entropy::new(Zeroizing::new(scalar("entropy").to_vec())).expect("a length");
    vec![
        signed(
            "echo",
            &evidence.certificate,
            "live es256",
            verification("live es256"),
        ),
        signed(
            "hello",
            &evidence.proofs[0],
            "echo live",
            verification("echo live"),
        ),
        signed(
            "empty statement",
            &empty,
            "echo live",
            verification("echo live"),
        ),
        plain("echo", &record),
        plain("echo", &keys),
        plain("ready", &ToInit::Ready),
        plain("report", &ToInit::Report(report)),
        plain("entropy", &ToInit::Entropy(length)),
        plain("time", &ToInit::Time),
        plain("renew", &ToInit::Renew(renew)),
        plain("dial", &ToInit::Dial(dial)),
        plain("longest dial", &ToInit::Dial(longest)),
        plain("stop", &FromInit::Stop),
        plain("edge", &FromInit::Edge(edge_end())),
        plain("entropy", &FromInit::Entropy(entropy)),
        plain("time", &FromInit::Time(anchor())),
        plain("dialed", &FromInit::Dialed(7)),
        plain("not dialed", &FromInit::NotDialed(not_dialed)),
        plain(
            "connect",
            &EgressRequest::Connect(destination("api.example.com", 443)),
        ),
        plain("longest", &EgressRequest::Connect(longest_destination())),
        plain("connected", &EgressResponse::Connected),
        plain(
            "refused",
            &EgressResponse::Refused(EgressReason::AddressForbidden),
        ),
        plain("thirty-two bytes", &stored(&[7; 32])),
        plain("nothing", &stored(&[])),
        plain("longest", &stored(&[7; 1024])),
    ]
}

/// A name of 253 bytes, the longest there is.
fn longest_destination() -> Destination {
    let label = "a".repeat(63);
    let host = [label.as_str(), &label, &label, &label[..61]].join(".");
    destination(&host, u16::MAX)
}

fn edge_end() -> EdgeEnd {
    EdgeEnd {
        peer: name("notary"),
        role: EdgeRole::Callee,
        start: 2,
        pair: 3,
    }
}

fn anchor() -> TimeAnchor {
    TimeAnchor {
        time: time(90),
        monotonic_ns: 12_345_678_901,
    }
}

/// A secret of `echo`, for the context "sample".
fn stored(plaintext: &[u8]) -> SealedSecret {
    let key = StorageKey::from_bytes(&scalar("storage"));
    let sealed = key.seal(b"sample", plaintext, &mut generator("storage salt"));
    SealedSecret::try_from(sealed.expect("a short secret")).expect("a short secret")
}
