//! Drills, by the steps that people run: after a genesis with everybody, after a resharing with the new
//! holders, and with an enclave that is not what it is said to be.

use quorate_protocol::atoms::UnixMillis;
use quorate_quorum_ceremony::steps::drill::{LastDrill, finish, give, start};
use quorate_quorum_ceremony::steps::next::{self, Who};
use quorate_quorum_ceremony::steps::reshare::{order, run};
use quorate_quorum_ceremony::steps::rotate;
use quorate_quorum_ceremony::workspace::EnclaveRole;
use quorate_verify::instance::InstanceError;

use super::*;

fn begin(place: &Place, enclave: &str) -> PathBuf {
    let socket = place.start(enclave, b"the image");
    let ready = start::prepare(&place.folder()).unwrap();
    ready.start(&socket).unwrap();
    socket
}

fn give_as(place: &Place, member: &str, socket: &Path) -> Result<give::Given, CeremonyError> {
    give::attest(&place.folder(), &place.private(member), socket)?.give(words(member))
}

fn end(place: &Place, socket: &Path, days: u64) -> Result<finish::Finished, CeremonyError> {
    let due = UnixMillis(system_clock_ms() + days * finish::DAY_MS);
    finish::finish(&place.folder(), socket, due)
}

fn known(place: &Place) -> Option<LastDrill> {
    status::read(&place.folder(), None).unwrap().drill
}

fn waited(place: &Place) -> Vec<(&'static str, Who)> {
    let turn = next::read(&place.folder(), None, None).unwrap();
    let mine = turn.due.into_iter();
    mine.filter(|due| due.step.starts_with("drill"))
        .map(|due| (due.step, due.who))
        .collect()
}

fn names(all: impl IntoIterator<Item = Name>) -> Vec<String> {
    all.into_iter().map(|name| name.to_string()).collect()
}

#[test]
fn members_rehearse_and_the_next_date_is_on_record() {
    let place = Place::new();
    let (_, one) = running(&place);
    assert_eq!((known(&place), waited(&place)), (None, Vec::new()));
    let socket = begin(&place, "rehearsal");
    let each = |names: &[&str]| -> Vec<(&'static str, Who)> {
        let who = names.iter().map(|text| Who::Member(name(text)));
        who.map(|who| ("drill give", who)).collect()
    };
    assert_eq!(waited(&place), each(&MEMBERS));
    let early = end(&place, &socket, 30);
    assert_eq!(refused_for(early), Reason::DrillUnfinished);

    let given = give_as(&place, "carol", &socket).unwrap();
    assert!(given.gave_share && given.receipt.accepted == 1);
    assert_eq!(
        refused_for(give_as(&place, "carol", &socket)),
        Reason::ShareRepeated
    );
    assert_eq!(waited(&place), each(&["alice", "bob"]));
    let given = give_as(&place, "alice", &socket).unwrap();
    assert_eq!((given.receipt.proved, given.receipt.threshold), (2, 2));
    let coordinator = ("drill finish", Who::Coordinator);
    let mut expected = each(&["bob"]);
    expected.push(coordinator);
    assert_eq!(waited(&place), expected);

    for days in [0, 367] {
        assert_eq!(refused_for(end(&place, &socket, days)), Reason::DrillDue);
    }
    let done = end(&place, &socket, 30).unwrap();
    assert_eq!((done.drill.number, done.published), (1, Published::Written));
    assert_eq!(names(done.drill.absent.clone()), ["bob"]);
    // Asked again, with another date: the record is the same, and is there once.
    let again = end(&place, &socket, 90).unwrap();
    assert_eq!(
        (again.record, again.published),
        (done.record, Published::AlreadyThere)
    );
    assert_eq!(
        refused_for(give_as(&place, "bob", &socket)),
        Reason::DrillOver
    );
    assert_eq!(waited(&place), Vec::new());
    let last = known(&place).unwrap();
    assert_eq!(last.verified.due, done.drill.verified.due);
    assert_eq!(last.sequence, 1);
    assert!(!last.is_overdue(UnixMillis(last.verified.due.0)));
    assert!(last.is_overdue(UnixMillis(last.verified.due.0 + 1)));
    // Everybody's part is on the transcript, as an act of its own.
    let told = transcript::gather(&Workspace::open(&place.folder()).unwrap()).unwrap();
    let told = told.verify(&Expected::default()).unwrap();
    let drills = told
        .records
        .iter()
        .filter(|record| record.act == Act::Drill);
    let authors: Vec<String> = drills.map(|record| record.author.to_string()).collect();
    assert_eq!(authors.len(), 2, "{authors:?}");

    // What somebody puts beside it in its place does not count, and does not hide it.
    let drills = place.folder().join("drills");
    fs::create_dir(drills.join("0002")).unwrap();
    fs::write(drills.join("0002/drill.cbor"), b"no drill").unwrap();
    assert_eq!(known(&place).map(|drill| drill.number), Some(1));
    let mut bytes = fs::read(drills.join("0001/drill.cbor")).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(drills.join("0001/drill.cbor"), &bytes).unwrap();
    assert_eq!(known(&place), None);
    // As long as the enclave runs it has the record, which goes beside what was altered.
    let back = end(&place, &socket, 90).unwrap();
    assert_eq!(
        (back.record, back.drill.number, back.published),
        (done.record, 3, Published::Written)
    );
    assert_eq!(known(&place).map(|drill| drill.number), Some(3));
    // One that was lost comes back where it was, beside the text for eyes.
    fs::remove_file(drills.join("0003/drill.cbor")).unwrap();
    assert_eq!(end(&place, &socket, 90).unwrap().drill.number, 3);

    // The instance that runs has noticed nothing.
    let phase = Client::connect(&one).unwrap().status().unwrap().phase;
    assert!(matches!(phase, Phase::Launching | Phase::Running));
}

/// An instance passed for a drill enclave gets no drill share, and no proof; a drill enclave passed for an
/// instance gets no real share; one of another image neither.
#[test]
fn an_enclave_that_is_not_for_a_drill_gets_nothing_fails_closed() {
    let place = Place::new();
    running(&place);
    let folder = place.folder();
    let two = place.start("two", b"the image");
    boot::boot(&folder, &two, &binaries(), None, &mut |_| {}).unwrap();
    assert_eq!(
        give_as(&place, "alice", &two),
        Err(StepError::NoDrill.into())
    );
    assert_eq!(refused_for(end(&place, &two, 30)), Reason::DrillNotHere);
    let asked = finish::progress(&two);
    assert_eq!(asked, Err(StepError::NoDrill.into()));

    let socket = begin(&place, "rehearsal");
    match provision_as(&place, "alice", &socket) {
        Err(CeremonyError::Client(ClientError::Refused(refusal))) => {
            assert_eq!(refusal.reason, Reason::DrillOnly);
        }
        other => panic!("{other:?}"),
    }
    let again = start::prepare(&folder).unwrap().start(&socket);
    assert_eq!(refused_for(again), Reason::DrillOnly);
    // Another image does not start a drill of this manifest.
    let other = place.start("other", b"another image");
    let refused = start::prepare(&folder).unwrap().start(&other);
    assert_eq!(refused_for(refused), Reason::MeasurementMismatch);
    give_as(&place, "alice", &socket).unwrap();
    // Somebody without a share has no part in it.
    let stranger = give::attest(&folder, &place.private("nobody"), &socket);
    assert!(stranger.is_err());
}

/// After a resharing the new holders prove new shares; who holds an old one only is told so, and a drill
/// of the old manifest gets nothing from anybody who has seen the new one.
#[test]
fn after_a_resharing_the_new_holders_rehearse() {
    let place = Place::new();
    let folder = place.folder();
    let (_, one) = running(&place);
    let old = begin(&place, "old");
    order::order(&folder, &one, &plan(&["alice", "bob"], 2)).unwrap();
    for member in ["alice", "bob"] {
        sign_as(&place, member).unwrap();
    }
    run::run(&folder, &one, None).unwrap();
    for member in ["alice", "bob"] {
        receive_as(&place, member).unwrap();
    }
    let rotated = rotate::propose(&folder, &rotation(None, rotate::Reshared::Newest)).unwrap();
    for member in ["alice", "bob"] {
        approve_as(&place, member).unwrap();
    }
    let refused = give_as(&place, "alice", &old).err().unwrap();
    assert!(
        matches!(
            refused,
            CeremonyError::Instance(InstanceError::Commitment { .. })
        ),
        "{refused:?}"
    );
    let socket = begin(&place, "rehearsal");
    let named = rotated.manifest.epoch;
    assert_eq!(
        give_as(&place, "carol", &socket).err(),
        Some(StepError::EpochRevoked { named }.into())
    );
    for member in ["alice", "bob"] {
        let given = give_as(&place, member, &socket).unwrap();
        assert_eq!((given.epoch, given.gave_share), (named, true));
    }
    let done = end(&place, &socket, 90).unwrap();
    assert_eq!(done.drill.verified.epoch, named);
    assert_eq!((done.drill.sequence, done.drill.absent.len()), (2, 0));
    let hint = Workspace::open(&folder).unwrap();
    assert!(hint.find_enclave(EnclaveRole::Drill).unwrap().is_some());
}
