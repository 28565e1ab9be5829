//! Naming a surrogate, giving them the share, taking it, and giving it to an enclave, killed at every write.

use quorate_protocol::transcript::{Act, Fact};

use super::*;
use crate::steps::surrogate::tests::{Case, serve};
use crate::steps::surrogate::{accept, name as naming, share};
use crate::transcript::object;

#[test]
fn surrogates_survive_every_death() {
    let case = Case::new(&[0, 2]);
    let shared = case.folders.shared();
    let (bob, grace) = (case.private("bob"), case.private("grace"));
    let plan = naming::Plan {
        surrogate: name("grace"),
        sequence: None,
        days: 7,
    };
    let points = survives_as(&shared, &bob, &|shared, private| {
        naming::review(shared, private, &plan)?
            .sign(words())
            .map(drop)
    });
    assert!(points > 10, "{points}");
    case.name_as("bob", "grace").unwrap();
    let points = survives_as(&shared, &bob, &|shared, private| {
        share::review(shared, private, &name("grace"), None)?
            .entrust(words())
            .map(drop)
    });
    assert!(points > 10, "{points}");
    case.share().unwrap();
    let points = survives_as(&shared, &grace, &|shared, private| {
        accept::review(shared, private, None)?
            .accept(words())
            .map(drop)
    });
    assert!(points > 10, "{points}");
    let points = survives_as(&shared, &grace, &|shared, private| {
        approve::review(shared, private, None)?
            .approve(words())
            .map(drop)
    });
    assert!(points > 10, "{points}");
}

/// Every grant that reached the enclave is told by the surrogate, for everybody to read.
#[test]
fn a_surrogates_gift_survives_every_death() {
    let case = Case::new(&[0, 2]);
    let received = serve(&case);
    case.name_as("bob", "grace").unwrap();
    case.share().unwrap();
    case.accept().unwrap();
    let (shared, grace, socket) = (
        case.folders.shared(),
        case.private("grace"),
        case.folders.socket(),
    );
    for point in 0..MANY {
        let trial = Trial::copied(&shared, &grace);
        received.lock().unwrap().clear();
        let give = || {
            provision::attest(&trial.shared, &trial.private, socket.as_path())?
                .give(words())
                .map(drop)
        };
        let (done, died) = death::at(point, give);
        if died {
            give().unwrap_or_else(|error| panic!("after a death at {point}: {error}"));
        } else {
            done.unwrap();
        }
        let review = transcript::review(&trial.shared, &trial.private).unwrap();
        let told = review.sign(words()).unwrap().verified;
        let gifts = told.records.iter().filter(|one| one.act == Act::Provision);
        let told: Vec<Fact> = gifts.flat_map(|one| one.facts().cloned()).collect();
        for request in received.lock().unwrap().iter() {
            let grant = object(request.grant.digest());
            assert!(told.contains(&grant), "after a death at {point}");
        }
        if !died {
            assert!(point > 10, "{point}");
            return;
        }
    }
    panic!("it never ends");
}
