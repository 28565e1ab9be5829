//! A member whose machine has no network, against init itself: genesis and provisioning by files.

use std::sync::Mutex;

use quorate_quorum_ceremony::clock::{BootId, Clock, ClockError, SharedClock};
use quorate_quorum_ceremony::steps::carried::CarriedError;
use quorate_quorum_ceremony::steps::carry::{self, Kind};
use quorate_verify::instance::InstanceError;

use super::*;

/// Seconds that pass only when the test says so.
#[derive(Debug)]
struct Hand(Mutex<u64>);

impl Clock for Hand {
    fn uptime(&self) -> Option<Duration> {
        Some(Duration::from_secs(*self.0.lock().unwrap()))
    }

    fn boot(&self) -> Result<BootId, ClockError> {
        Ok(BootId([3; 16]))
    }
}

/// Alice's machine, without a network.
struct Apart<'a> {
    place: &'a Place,
    hand: Arc<Hand>,
}

impl<'a> Apart<'a> {
    fn new(place: &'a Place) -> Self {
        Self {
            place,
            hand: Arc::new(Hand(Mutex::new(500))),
        }
    }

    fn pass(&self, seconds: u64) {
        *self.hand.0.lock().unwrap() += seconds;
    }

    fn clock(&self) -> SharedClock {
        Arc::<Hand>::clone(&self.hand)
    }

    fn provision(&self, anew: bool) -> Result<provision::carried::Found, CeremonyError> {
        let (folder, private) = (self.place.folder(), self.place.private("alice"));
        provision::carried::find(&folder, &private, &self.clock(), anew)
    }

    fn receipt(&self, anew: bool) -> Result<receipt::carried::Found, CeremonyError> {
        let (folder, private) = (self.place.folder(), self.place.private("alice"));
        receipt::carried::find(&folder, &private, &self.clock(), anew)
    }

    #[track_caller]
    fn ask_for_the_genesis(&self, anew: bool) {
        match self.receipt(anew).unwrap() {
            receipt::carried::Found::Ask(asking) => drop(asking.ask().unwrap()),
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn ask(&self, anew: bool) {
        match self.provision(anew).unwrap() {
            provision::carried::Found::Ask(asking) => drop(asking.ask().unwrap()),
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn seal(&self) {
        match self.provision(false).unwrap() {
            provision::carried::Found::Attested(step) => drop(step.seal(words("alice")).unwrap()),
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn keep(&self) -> provision::Given {
        match self.provision(false).unwrap() {
            provision::carried::Found::Acknowledged(kept) => kept.keep().unwrap(),
            other => panic!("{other:?}"),
        }
    }
}

/// One run of the coordinator's command.
fn errands(place: &Place, socket: &Path) -> carry::Carrying {
    let errands = carry::look(&place.folder()).unwrap();
    errands.run(|_| Ok(socket.into()))
}

#[track_caller]
fn carried(place: &Place, socket: &Path, what: Kind) {
    let done = errands(place, socket);
    assert!(done.refused.is_empty(), "{:?}", done.refused);
    let found: Vec<Kind> = done.done.iter().map(|errand| errand.what).collect();
    assert_eq!(found, [what]);
}

/// From a genesis that alice acknowledges by files to an instance that waits for shares.
fn until_boot(place: &Place, apart: &Apart<'_>, late: u64) -> PathBuf {
    let folder = place.folder();
    let birth = place.start("genesis", b"genesis image");
    genesis::hold(&folder, &birth).unwrap();
    acknowledge(place, "bob", &birth).unwrap();
    acknowledge(place, "carol", &birth).unwrap();
    apart.ask_for_the_genesis(false);
    carried(place, &birth, Kind::Genesis);
    apart.pass(late + 1);
    let refused = apart.receipt(false).unwrap_err();
    let stale = matches!(refused, CeremonyError::Carried(CarriedError::Stale { .. }));
    assert!(stale, "{refused:?}");
    apart.ask_for_the_genesis(true);
    carried(place, &birth, Kind::Genesis);
    apart.pass(late);
    match apart.receipt(false).unwrap() {
        receipt::carried::Found::Attested(review) => {
            review.acknowledge(words("alice")).unwrap();
        }
        other => panic!("{other:?}"),
    }
    propose(place, b"the image");
    approve_as(place, "alice").unwrap();
    approve_as(place, "carol").unwrap();
    let socket = place.start("one", b"the image");
    boot::boot(&folder, &socket, &binaries(), None, &mut |_| {}).unwrap();
    socket
}

#[test]
fn a_member_without_a_network_takes_part_for_half_an_hour() {
    let place = Place::new();
    found_limited(&place, &MEMBERS, AgeLimit::LONGEST);
    let apart = Apart::new(&place);
    let socket = until_boot(&place, &apart, 1_800);
    apart.ask(false);
    carried(&place, &socket, Kind::Attestation);
    apart.pass(1_799);
    apart.seal();
    carried(&place, &socket, Kind::Receipt);
    let given = apart.keep();
    assert_eq!((given.accepted, given.threshold), (1, 2));
    provision_as(&place, "bob", &socket).unwrap();
    wait(|| {
        let status = Client::connect(&socket).unwrap().status().unwrap();
        (status.phase != Phase::Collecting).then_some(())
    });
    // Everything is in the transcript, signed.
    for member in MEMBERS {
        transcript_of(&place, member);
    }
}

fn transcript_of(place: &Place, member: &str) {
    steps::transcript::review(&place.folder(), &place.private(member))
        .and_then(|review| review.sign(words(member)))
        .unwrap();
}

/// The same files, within a minute and not after it.
#[test]
fn under_a_limit_of_a_minute_files_serve_for_a_minute_and_later_fail_closed() {
    let place = Place::new();
    found_limited(&place, &MEMBERS, AgeLimit::SHORTEST);
    let apart = Apart::new(&place);
    let socket = until_boot(&place, &apart, 60);
    apart.ask(false);
    carried(&place, &socket, Kind::Attestation);
    apart.pass(61);
    let refused = apart.provision(false).unwrap_err();
    assert_eq!(refused.code(), "carried-stale");
    let remedy = refused.explain().remedy;
    assert!(remedy.contains("every member signs"), "{remedy}");
    apart.ask(true);
    carried(&place, &socket, Kind::Attestation);
    apart.pass(60);
    apart.seal();
    let told = Client::connect(&socket).unwrap().status().unwrap();
    assert!(told.accepted.is_empty(), "nothing was brought yet");
    carried(&place, &socket, Kind::Receipt);
    apart.keep();
}

/// The coordinator died between the enclave's answer and the file: the receipt is in the evidence,
/// once the key is there.
#[test]
fn a_receipt_that_was_lost_is_found_in_the_evidence() {
    let place = Place::new();
    found_limited(&place, &MEMBERS, AgeLimit::LONGEST);
    let apart = Apart::new(&place);
    let socket = until_boot(&place, &apart, 1_800);
    apart.ask(false);
    carried(&place, &socket, Kind::Attestation);
    apart.seal();
    carried(&place, &socket, Kind::Receipt);
    let lost = place.folder().join("carried/alice/0003/receipt.cbor");
    fs::remove_file(&lost).unwrap();
    let done = errands(&place, &socket);
    let refused = done.refused.into_iter().next().unwrap().1;
    assert_eq!(refused.code(), "refused-share-repeated");
    provision_as(&place, "bob", &socket).unwrap();
    wait(|| {
        let status = Client::connect(&socket).unwrap().status().unwrap();
        (status.phase != Phase::Collecting).then_some(())
    });
    carried(&place, &socket, Kind::Receipt);
    apart.keep();
}

/// An enclave of another image answers the nonce: the member gives it nothing.
#[test]
fn an_attestation_of_another_image_that_was_carried_fails_closed() {
    let place = Place::new();
    found_limited(&place, &MEMBERS, AgeLimit::LONGEST);
    let apart = Apart::new(&place);
    let socket = until_boot(&place, &apart, 1_800);
    apart.ask(false);
    let genesis = place.path("genesis").join("operator.sock");
    // The genesis enclave has no setup keys to attest.
    let done = errands(&place, &genesis);
    assert!(done.done.is_empty());
    assert_eq!(done.refused.len(), 1);
    let other = place.start("other", b"another image");
    assert_eq!(errands(&place, &other).refused.len(), 1);
    // An honest enclave's answer to somebody else's nonce.
    let mut client = Client::connect(&socket).unwrap();
    let nonce = quorate_protocol::atoms::Bytes::new(vec![7; 32]).unwrap();
    let document = client.attest(Stage::Setup, nonce).unwrap();
    carried(&place, &socket, Kind::Attestation);
    let path = place.folder().join("carried/alice/0003/attestation.cbor");
    let bytes = fs::read(&path).unwrap();
    let mut brought: quorate_protocol::carried::CarriedAttestation =
        quorate_protocol::cbor::from_bytes(&bytes).unwrap();
    brought.document = document;
    fs::write(&path, quorate_protocol::cbor::to_bytes(&brought)).unwrap();
    let refused = apart.provision(false).unwrap_err();
    assert!(
        matches!(
            refused,
            CeremonyError::Instance(InstanceError::Attestation(_))
        ),
        "{refused:?}"
    );
    assert!(
        !place
            .folder()
            .join("carried/alice/0003/grant.cbor")
            .exists()
    );
}
