//! Resharing and rotation, killed at every write, with init itself in the enclave: who asks for an order,
//! signs, has it carried out, receives, names the new shares, approves that and destroys the old ones may die
//! anywhere, and the same command goes on.

use super::*;
use crate::enclaves::{Place, approve_as, plan, receive_as, rotation, running, sign_as, words};
use crate::steps::reshare::{destroy, order, receipt, run, sign};
use crate::steps::{rotate, status};
use crate::workspace::Workspace;

/// Nobody who was killed while asking is asked about twice: whatever lies there, the newest order is the one
/// that the command answered with, and the enclave takes it.
fn order_survives(place: &Place, one: &Path) {
    let wanted = plan(&["alice", "bob"], 2);
    for point in 0..MANY {
        let trial = Trial::copied(&place.folder(), &place.private("alice"));
        let (done, died) = death::at(point, || order::order(&trial.shared, one, &wanted));
        let answered = match died {
            true => order::order(&trial.shared, one, &wanted),
            false => done,
        };
        let answered = answered.unwrap();
        let workspace = Workspace::open(&trial.shared).unwrap();
        let (number, newest) = workspace.order(None).unwrap();
        assert_eq!((number, &newest), (answered.number, &answered.order));
        assert!(
            trial
                .shared
                .join(format!("reshares/{number:04}/order.json"))
                .exists()
        );
        let turn = status::read(&trial.shared, None).unwrap();
        assert_eq!(turn.next, status::Next::ReshareSign, "{point}");
        if !died {
            assert!(point > 4, "{point}");
            return;
        }
    }
    panic!("it never ends");
}

#[test]
fn resharing_and_rotation_survive_every_death() {
    let place = Place::new();
    let folder = place.folder();
    let (_, one) = running(&place);
    let alice = place.private("alice");
    order_survives(&place, &one);

    order::order(&folder, &one, &plan(&["alice", "bob"], 2)).unwrap();
    let points = survives_as(&folder, &alice, &|shared, private| {
        sign::review(shared, private, None)?
            .consent(words("alice"))
            .map(drop)
    });
    assert!(points > 8, "{points}");
    for member in ["alice", "bob"] {
        sign_as(&place, member).unwrap();
    }
    let points = survives_as(&folder, &alice, &|shared, _| {
        run::run(shared, &one, None).map(drop)
    });
    assert!(points > 2, "{points}");
    run::run(&folder, &one, None).unwrap();
    let points = survives_as(&folder, &alice, &|shared, private| {
        receipt::review(shared, private, None)?
            .acknowledge(words("alice"))
            .map(drop)
    });
    assert!(points > 8, "{points}");
    for member in ["alice", "bob"] {
        receive_as(&place, member).unwrap();
    }

    let change = rotation(None, rotate::Reshared::Newest);
    let points = survives_as(&folder, &alice, &|shared, _| {
        rotate::propose(shared, &change).map(drop)
    });
    assert!(points > 8, "{points}");
    rotate::propose(&folder, &change).unwrap();
    // Another rotation than the one that waits is still refused.
    let other = rotation(Some(&["alice", "bob"]), rotate::Reshared::Newest);
    let refused = rotate::propose(&folder, &other).err();
    assert_eq!(
        refused,
        Some(StepError::ManifestPending { sequence: 2 }.into())
    );
    let points = survives_as(&folder, &alice, &|shared, private| {
        approve::review(shared, private, None)?
            .approve(words("alice"))
            .map(drop)
    });
    assert!(points > 8, "{points}");
    for member in ["alice", "bob"] {
        approve_as(&place, member).unwrap();
    }

    let points = survives_as(&folder, &alice, &|shared, private| {
        match destroy::review(shared, private, false) {
            // The death came after everything was gone.
            Err(CeremonyError::Step(StepError::NothingToDestroy)) => Ok(()),
            review => review?.destroy(words("alice")).map(drop),
        }
    });
    assert!(points > 8, "{points}");
}

/// Who leaves destroys the key as well: whatever is left of the file, nobody can open anything with it, and
/// the same command says that it is gone.
#[test]
fn destroying_the_key_survives_every_death() {
    let place = Place::new();
    let folder = place.folder();
    let (_, one) = running(&place);
    order::order(&folder, &one, &plan(&["alice", "bob"], 2)).unwrap();
    for member in ["alice", "bob"] {
        sign_as(&place, member).unwrap();
    }
    run::run(&folder, &one, None).unwrap();
    for member in ["alice", "bob"] {
        receive_as(&place, member).unwrap();
    }
    let change = rotation(Some(&["alice", "bob"]), rotate::Reshared::Newest);
    rotate::propose(&folder, &change).unwrap();
    for member in ["alice", "bob"] {
        approve_as(&place, member).unwrap();
    }
    let points = survives_as(&folder, &place.private("carol"), &|shared, private| {
        let review = match destroy::review(shared, private, true) {
            // The death came after everything was gone.
            Err(CeremonyError::Step(StepError::NotJoined)) => return Ok(()),
            review => review?,
        };
        review.destroy(words("carol")).map(drop)
    });
    assert!(points > 8, "{points}");
}

/// Receipts come while the command is dead: the resharing that it put beside the manifest's place stays.
#[test]
fn a_rotation_goes_on_with_the_receipts_it_began_with() {
    let place = Place::new();
    let folder = place.folder();
    let (_, one) = running(&place);
    order::order(&folder, &one, &plan(&["alice", "bob", "carol"], 2)).unwrap();
    for member in ["alice", "bob"] {
        sign_as(&place, member).unwrap();
    }
    run::run(&folder, &one, None).unwrap();
    for member in ["alice", "bob"] {
        receive_as(&place, member).unwrap();
    }
    let change = rotation(None, rotate::Reshared::Newest);
    let late = Trial::copied(&folder, &place.private("carol"));
    let review = receipt::review(&late.shared, &late.private, None).unwrap();
    review.acknowledge(words("carol")).unwrap();
    let receipt = "reshares/0001/receipts/carol.cbor";
    let mut between = 0;
    for point in 0..MANY {
        let trial = Trial::copied(&folder, &place.private("alice"));
        let (_, died) = death::at(point, || rotate::propose(&trial.shared, &change));
        if !died {
            break;
        }
        let kept = trial.shared.join("manifests/0002/reshare.cbor");
        let before = fs::read(&kept).ok();
        between += usize::from(before.is_some());
        fs::copy(late.shared.join(receipt), trial.shared.join(receipt)).unwrap();
        let again = rotate::propose(&trial.shared, &change);
        let rotated = again.unwrap_or_else(|error| panic!("after a death at {point}: {error}"));
        assert_eq!(rotated.manifest.sequence, 2);
        if let Some(before) = before {
            assert_eq!(fs::read(&kept).unwrap(), before, "after a death at {point}");
        }
        let turn = status::read(&trial.shared, None).unwrap();
        assert_eq!(turn.next, status::Next::Approve);
    }
    assert!(between > 3, "{between}");
}
