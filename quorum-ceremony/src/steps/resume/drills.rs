//! Drills, killed at every write, with init itself in the enclave.

use quorate_protocol::transcript::{Act, Fact};
use quorate_transcript::VerifiedRecord;

use super::*;
use crate::client::ClientError;
use crate::enclaves::{Place, running, words};
use crate::steps::drill::{finish, give, start};
use quorate_protocol::message::Reason;

/// A drill enclave of its own, in which the drill was started.
fn started(place: &Place, enclave: &str) -> PathBuf {
    let socket = place.start(enclave, b"the image");
    start::prepare(&place.folder())
        .unwrap()
        .start(&socket)
        .unwrap();
    socket
}

fn give_as(trial: &Trial, member: &str, socket: &Path) -> Result<(), CeremonyError> {
    let verified = give::attest(&trial.shared, &trial.private, socket)?;
    verified.give(words(member)).map(drop)
}

fn is_repeated(error: &CeremonyError) -> bool {
    matches!(
        error,
        CeremonyError::Client(ClientError::Refused(refusal))
            if refusal.reason == Reason::ShareRepeated
    )
}

#[test]
fn starting_a_drill_survives_every_death() {
    let place = Place::new();
    running(&place);
    let enclaves = std::cell::Cell::new(0);
    let points = survives_as(&place.folder(), &place.private("alice"), &|shared, _| {
        // One that was started takes no second start; no death comes after that.
        enclaves.set(enclaves.get() + 1);
        let socket = place.start(&format!("drill-{}", enclaves.get()), b"the image");
        start::prepare(shared)?.start(&socket).map(drop)
    });
    assert!(points > 2, "{points}");
}

/// The enclave takes a member's part once. Whatever the member's process died of, what it took is told in
/// the member's records, by the grant that it signed.
#[test]
fn giving_in_a_drill_survives_every_death() {
    let place = Place::new();
    running(&place);
    let (mut taken_before_death, mut whole) = (0, false);
    for point in 0..MANY {
        let socket = started(&place, &format!("drill-{point}"));
        let trial = Trial::copied(&place.folder(), &place.private("alice"));
        let (done, died) = death::at(point, || give_as(&trial, "alice", &socket));
        if died {
            match give_as(&trial, "alice", &socket) {
                Ok(()) => {}
                // It had arrived.
                Err(error) if is_repeated(&error) => taken_before_death += 1,
                Err(error) => panic!("after a death at {point}: {error}"),
            }
        } else {
            done.unwrap();
        }
        let (taken, _) = finish::progress(&socket).unwrap();
        assert_eq!(taken, 1, "after a death at {point}");
        let review = transcript::review(&trial.shared, &trial.private).unwrap();
        let told = review.sign(words("alice")).unwrap().verified;
        let drills = told.records.iter().filter(|one| one.act == Act::Drill);
        let drills: Vec<&VerifiedRecord> = drills.collect();
        assert!((1..=2).contains(&drills.len()), "after a death at {point}");
        let last = |one: &&&VerifiedRecord| one.facts().any(|fact| *fact == Fact::Count(1, 2));
        let acknowledged = drills.iter().filter(last).count();
        // A receipt that was lost with the process is told as that.
        assert!(acknowledged <= 1, "after a death at {point}");
        if !died {
            assert_eq!((drills.len(), acknowledged), (1, 1));
            assert!(point > 12, "{point}");
            whole = true;
            break;
        }
    }
    assert!(whole && taken_before_death > 2, "{taken_before_death}");
}

#[test]
fn finishing_a_drill_survives_every_death() {
    let place = Place::new();
    running(&place);
    let socket = started(&place, "drill");
    for member in ["alice", "bob"] {
        let trial = Trial {
            _outer: tempfile::tempdir().unwrap(),
            shared: place.folder(),
            private: place.private(member),
        };
        give_as(&trial, member, &socket).unwrap();
    }
    let due = finish::default_due();
    let points = survives_as(&place.folder(), &place.private("alice"), &|shared, _| {
        finish::finish(shared, &socket, due).map(drop)
    });
    assert!(points > 2, "{points}");
}
