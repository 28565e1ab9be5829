use std::fs;
use std::sync::{Arc, Mutex};

use quorate_protocol::carried::{CarriedAttestation, CarriedNonce};
use quorate_protocol::cbor::{Checked, from_bytes, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::definition::AgeLimit;
use quorate_protocol::message::ProvisionRequest;
use quorate_protocol::provision::ProvisionReceipt;
use quorate_verify::attestation::AttestationError;
use quorate_verify::instance::InstanceError;

use super::*;
use crate::address::Address;
use crate::clock::tests::Set;
use crate::clock::{BootId, ClockError};
use crate::error::StepError;
use crate::fixture::{Folders, Instance, WORDS, World, passphrase};
use crate::private::PrivateFolder;
use crate::steps::carried::CarriedError;
use crate::steps::carry::{self, Kind};
use crate::steps::{next, transcript};
use crate::storage::StorageError;

/// A member without a network, an enclave, and a coordinator between them.
struct Apart {
    folders: Folders,
    clock: Arc<Set>,
    /// What the enclave was given.
    posted: Arc<Mutex<Vec<ProvisionRequest>>>,
}

fn apart(limit: AgeLimit) -> Apart {
    let folders = Folders::new();
    let posted = folders.giving(World::limited(limit), &[1, 2]);
    Apart {
        folders,
        clock: Set::at(1_000),
        posted,
    }
}

fn half_an_hour() -> Apart {
    apart(AgeLimit::LONGEST)
}

impl Apart {
    fn find(&self) -> Result<Found, CeremonyError> {
        self.find_with(false)
    }

    fn find_with(&self, anew: bool) -> Result<Found, CeremonyError> {
        let (shared, private) = (self.folders.shared(), self.folders.private(0));
        find(&shared, &private, &self.clock.shared(), anew)
    }

    #[track_caller]
    fn ask(&self) -> u16 {
        match self.find().unwrap() {
            Found::Ask(asking) => asking.ask().unwrap().number,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn ask_anew(&self) -> u16 {
        match self.find_with(true).unwrap() {
            Found::Ask(asking) => asking.ask().unwrap().number,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn carry(&self, what: Kind) {
        let done = self.errands();
        assert!(done.refused.is_empty(), "{:?}", done.refused);
        let found: Vec<Kind> = done.done.iter().map(|errand| errand.what).collect();
        assert_eq!(found, [what]);
    }

    fn errands(&self) -> carry::Carrying {
        let errands = carry::look(&self.folders.shared()).unwrap();
        errands.run(|_| Ok(Address::from(&self.folders.socket())))
    }

    fn refused_errand(&self) -> CeremonyError {
        let done = self.errands();
        assert!(done.done.is_empty(), "{:?}", done.done);
        done.refused.into_iter().next().unwrap().1
    }

    #[track_caller]
    fn seal(&self) -> OnItsWay {
        match self.find().unwrap() {
            Found::Attested(step) => step.seal(passphrase(WORDS)).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn keep(&self) -> Given {
        match self.find().unwrap() {
            Found::Acknowledged(kept) => kept.keep().unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn path(&self, number: u16, file: &str) -> PathBuf {
        let round = format!("carried/alice/{number:04}");
        self.folders.shared().join(round).join(file)
    }

    /// Demands that nothing of the share is in the shared folder, and that the enclave has nothing.
    #[track_caller]
    fn nothing_given(&self, number: u16) {
        assert!(!self.path(number, "grant.cbor").exists());
        assert!(self.posted.lock().unwrap().is_empty());
    }
}

#[test]
fn a_share_is_given_by_files() {
    let apart = half_an_hour();
    assert_eq!(apart.ask(), 1);
    // Nothing is asked or made twice.
    assert_eq!(apart.ask(), 1);
    apart.carry(Kind::Attestation);
    apart.clock.pass(1_800);
    apart.seal();
    assert!(matches!(apart.find().unwrap(), Found::Granted(_)));
    // What was decided is not undone by time, nor by another start of the machine.
    apart.clock.pass(9_000);
    apart.clock.set_boot(Some(BootId([9; 16])));
    apart.carry(Kind::Receipt);
    let given = apart.keep();
    assert_eq!((given.accepted, given.threshold), (1, 2));
    assert_eq!(apart.posted.lock().unwrap().len(), 1);
    assert!(apart.errands().done.is_empty());
    // Another share, of another instance, is another round.
    assert_eq!(apart.ask(), 2);
    // The grant and its receipt are in one record.
    transcript::review(&apart.folders.shared(), &apart.folders.private(0))
        .and_then(|review| review.sign(passphrase(WORDS)))
        .unwrap();
}

#[test]
fn a_receipt_that_comes_after_the_record_is_told_in_another() {
    let apart = half_an_hour();
    apart.ask();
    apart.carry(Kind::Attestation);
    apart.seal();
    let sign = || {
        transcript::review(&apart.folders.shared(), &apart.folders.private(0))
            .and_then(|review| review.sign(passphrase(WORDS)))
            .unwrap();
    };
    sign();
    apart.carry(Kind::Receipt);
    let given = apart.keep();
    let private = PrivateFolder::open(&apart.folders.private(0)).unwrap();
    let notes = waiting(&private).unwrap().0;
    let last = notes.last().unwrap();
    let receipt = object(given.provision.receipt.digest());
    assert!(last.lines.iter().any(|leaf| leaf.fact == receipt));
}

#[test]
fn an_answer_at_the_last_second_is_taken_and_a_later_one_fails_closed() {
    for limit in [AgeLimit::SHORTEST, AgeLimit::LONGEST] {
        let apart = apart(limit);
        apart.ask();
        apart.carry(Kind::Attestation);
        apart.clock.pass(limit.seconds().into());
        assert!(matches!(apart.find().unwrap(), Found::Attested(_)));
        apart.clock.pass(1);
        let age = limit.duration() + std::time::Duration::from_secs(1);
        let stale = CarriedError::Stale { age, limit };
        let refused = apart.find().unwrap_err();
        assert_eq!(refused, stale.clone().into());
        apart.nothing_given(1);
        let remedy = stale.explain().remedy;
        let shortest = limit == AgeLimit::SHORTEST;
        assert_eq!(remedy.contains("every member signs"), shortest, "{remedy}");
        // The remedy helps.
        assert_eq!(apart.ask_anew(), 2);
        apart.carry(Kind::Attestation);
        apart.seal();
    }
}

#[test]
fn a_nonce_that_nobody_answered_in_time_is_replaced() {
    let apart = half_an_hour();
    apart.ask();
    apart.clock.pass(1_801);
    assert_eq!(apart.ask(), 2);
    apart.clock.set_boot(Some(BootId([2; 16])));
    assert_eq!(apart.ask(), 3);
    apart.clock.set_ms(Some(5));
    assert_eq!(apart.ask(), 4);
}

#[test]
fn an_answer_of_another_boot_or_a_clock_that_went_back_fails_closed() {
    let apart = half_an_hour();
    apart.ask();
    apart.carry(Kind::Attestation);
    apart.clock.set_ms(Some(999_999));
    let back = CarriedError::Clock(ClockError::WentBack);
    assert_eq!(apart.find().unwrap_err(), back.into());
    apart.clock.set_ms(None);
    let unreadable = CarriedError::Clock(ClockError::Unreadable);
    assert_eq!(apart.find().unwrap_err(), unreadable.into());
    apart.clock.set_ms(Some(1_000_001));
    apart.clock.set_boot(Some(BootId([2; 16])));
    let other = CarriedError::Clock(ClockError::OtherBoot);
    assert_eq!(apart.find().unwrap_err(), other.into());
    apart.nothing_given(1);
    assert_eq!(apart.ask_anew(), 2);
}

#[test]
fn a_decision_that_took_too_long_fails_closed() {
    let apart = apart(AgeLimit::SHORTEST);
    apart.ask();
    apart.carry(Kind::Attestation);
    let Found::Attested(step) = apart.find().unwrap() else {
        panic!("it was brought");
    };
    apart.clock.pass(60 + 240 + 1);
    let refused = step.seal(passphrase(WORDS)).unwrap_err();
    let too_old = matches!(refused, CeremonyError::Step(StepError::ReviewTooOld { .. }));
    assert!(too_old, "{refused:?}");
    apart.nothing_given(1);
}

#[test]
fn an_answer_of_an_earlier_round_fails_closed() {
    let apart = half_an_hour();
    apart.ask();
    apart.carry(Kind::Attestation);
    assert_eq!(apart.ask_anew(), 2);
    // Repeated, as it is.
    fs::copy(
        apart.path(1, "attestation.cbor"),
        apart.path(2, "attestation.cbor"),
    )
    .unwrap();
    let other = || CarriedError::OtherNonce {
        path: apart.path(2, "attestation.cbor"),
    };
    assert_eq!(apart.find().unwrap_err(), other().into());
    assert_eq!(apart.refused_errand(), other().into());
    // And made to look as if it were the answer.
    let bytes = fs::read(apart.path(1, "attestation.cbor")).unwrap();
    let mut forged: CarriedAttestation = from_bytes(&bytes).unwrap();
    let nonce = fs::read(apart.path(2, "nonce.cbor")).unwrap();
    forged.nonce = Digest::of(&from_bytes::<CarriedNonce>(&nonce).unwrap());
    fs::write(apart.path(2, "attestation.cbor"), to_bytes(&forged)).unwrap();
    let mismatch = InstanceError::Attestation(AttestationError::NonceMismatch);
    assert_eq!(apart.find().unwrap_err(), mismatch.into());
    apart.nothing_given(2);
}

#[test]
fn an_altered_answer_fails_closed() {
    let apart = half_an_hour();
    apart.ask();
    apart.carry(Kind::Attestation);
    let path = apart.path(1, "attestation.cbor");
    let bytes = fs::read(&path).unwrap();
    for at in (0..bytes.len()).step_by(97) {
        let mut altered = bytes.clone();
        altered[at] ^= 1;
        fs::write(&path, altered).unwrap();
        assert!(apart.find().is_err(), "byte {at}");
    }
    fs::write(&path, vec![0; 24 * 1024 + 1]).unwrap();
    assert!(matches!(
        apart.find().unwrap_err(),
        CeremonyError::Storage(StorageError::TooLong { .. })
    ));
    apart.nothing_given(1);
    // What was meant is taken as before.
    fs::write(&path, bytes).unwrap();
    apart.seal();
}

#[test]
fn an_altered_or_foreign_receipt_fails_closed() {
    let apart = half_an_hour();
    apart.ask();
    apart.carry(Kind::Attestation);
    apart.seal();
    apart.carry(Kind::Receipt);
    let path = apart.path(1, "receipt.cbor");
    let bytes = fs::read(&path).unwrap();
    let genuine: Signed<ProvisionReceipt> = from_bytes(&bytes).unwrap();
    let stranger = Instance::new().setup_signing.signing_key();
    let forged = Signed::sign(genuine.unverified().clone(), &stranger);
    fs::write(&path, to_bytes(&forged)).unwrap();
    assert_eq!(apart.find().unwrap_err(), StepError::ReceiptWrong.into());
    let mut cut = bytes.clone();
    cut.pop();
    fs::write(&path, cut).unwrap();
    let refused = apart.find().unwrap_err();
    assert!(
        matches!(refused, CeremonyError::Decode { .. }),
        "{refused:?}"
    );
    assert!(!apart.folders.private(0).join("grants").exists());
    fs::write(&path, bytes).unwrap();
    apart.keep();
}

/// The nonce that was verified has been used; it makes no second grant.
#[test]
fn a_nonce_serves_once_and_a_second_grant_fails_closed() {
    let apart = half_an_hour();
    apart.ask();
    apart.carry(Kind::Attestation);
    let first = apart.seal();
    assert!(matches!(apart.find().unwrap(), Found::Granted(_)));
    // A grant that is gone from the shared folder is the same one again.
    fs::remove_file(apart.path(1, "grant.cbor")).unwrap();
    let Found::Granted(granted) = apart.find().unwrap() else {
        panic!("it was granted");
    };
    assert_eq!(granted.bring().unwrap(), first);
    // Another file in its place is not replaced.
    fs::write(apart.path(1, "grant.cbor"), b"another").unwrap();
    let refused = granted.bring().unwrap_err();
    drop(granted);
    assert!(matches!(
        refused,
        CeremonyError::Storage(StorageError::Differs { .. })
    ));
    // After the round is over, its attestation is of no use.
    fs::remove_file(apart.path(1, "grant.cbor")).unwrap();
    let Found::Granted(granted) = apart.find().unwrap() else {
        panic!("it was granted");
    };
    granted.bring().unwrap();
    drop(granted);
    apart.carry(Kind::Receipt);
    apart.keep();
    assert_eq!(apart.ask(), 2);
}

#[test]
fn files_of_others_are_not_carried_fails_closed() {
    let apart = half_an_hour();
    apart.ask();
    let path = apart.path(1, "nonce.cbor");
    let nonce: CarriedNonce = from_bytes(&fs::read(&path).unwrap()).unwrap();
    // Of another ceremony.
    let mut foreign = nonce.clone();
    foreign.genesis = Digest::from_bytes([7; 32]);
    fs::write(&path, to_bytes(&foreign)).unwrap();
    let refused = apart.refused_errand();
    assert!(
        matches!(
            refused,
            CeremonyError::Carried(CarriedError::OtherGenesis { .. })
        ),
        "{refused:?}"
    );
    // Of another member.
    let mut theirs = nonce;
    theirs.member = crate::fixture::name("bob");
    fs::write(&path, to_bytes(&theirs)).unwrap();
    let refused = apart.refused_errand();
    assert!(
        matches!(
            refused,
            CeremonyError::Carried(CarriedError::OtherMember { .. })
        ),
        "{refused:?}"
    );
    fs::write(&path, b"noise").unwrap();
    let refused = apart.refused_errand();
    assert!(
        matches!(refused, CeremonyError::Decode { .. }),
        "{refused:?}"
    );
    // What stands in the place of the member's nonce is not theirs, and is not replaced.
    let Found::Ask(asking) = apart.find().unwrap() else {
        panic!("nothing was brought");
    };
    let refused = asking.ask().unwrap_err();
    assert!(matches!(
        refused,
        CeremonyError::Storage(StorageError::Differs { .. })
    ));
    assert_eq!(apart.ask_anew(), 2);
}

#[test]
fn a_round_of_another_folder_fails_closed() {
    let apart = half_an_hour();
    apart.ask();
    apart.carry(Kind::Attestation);
    apart.seal();
    let other = half_an_hour();
    let clock = apart.clock.shared();
    let refused = find(
        &other.folders.shared(),
        &apart.folders.private(0),
        &clock,
        false,
    );
    assert!(matches!(refused, Err(CeremonyError::Pin(_))), "{refused:?}");
}

#[test]
fn next_says_whose_turn_it_is() {
    let apart = half_an_hour();
    let turn = || {
        let (shared, private) = (apart.folders.shared(), apart.folders.private(0));
        let turn = next::read(&shared, Some(&private), None).unwrap();
        let carry = turn.due.iter().any(|due| due.step == "carry");
        (turn.yours, carry)
    };
    assert_eq!(turn(), (None, false));
    apart.ask();
    assert_eq!(turn(), (None, true));
    apart.carry(Kind::Attestation);
    assert_eq!(turn(), (Some("provision --carried"), false));
    apart.seal();
    assert_eq!(turn(), (None, true));
    apart.carry(Kind::Receipt);
    assert_eq!(turn(), (Some("provision --carried"), false));
    apart.keep();
    assert_eq!(turn(), (None, false));
}

/// A limit outside the contract cannot even be written down.
#[test]
fn a_definition_of_another_limit_fails_closed() {
    for seconds in [0, 59, 1_801] {
        assert!(AgeLimit::new(seconds).is_err());
    }
    let world = World::limited(AgeLimit::new(61).unwrap());
    let again = Checked::new(world.definition.into_inner()).unwrap();
    assert_eq!(again.age_limit.seconds(), 61);
}
