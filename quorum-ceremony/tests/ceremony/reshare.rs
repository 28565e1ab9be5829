//! Resharing and rotation, by the steps that people run: two of three become three of four, two of
//! whom are new, one because she wants new keys; the same ring signs on, old shares count no more.

use quorate_protocol::genesis::Genesis;
use quorate_protocol::instance::RingEntry;
use quorate_quorum_ceremony::pins::PinError;
use quorate_quorum_ceremony::steps::next::{self, Who};
use quorate_quorum_ceremony::steps::reshare::{destroy, order, run};
use quorate_quorum_ceremony::steps::{restore, rotate, share};
use quorate_verify::chain::ChainError;
use quorate_verify::reshare::ReshareError;

use super::*;

const NEXT: [&str; 4] = ["alice", "bob", "carol-2", "dave"];

/// Joins a namespace that has its key already.
fn join_late(place: &Place, member: &str, genesis: Digest<Genesis>) -> Result<(), CeremonyError> {
    let (folder, private) = (place.folder(), place.private(member));
    let step = join::prepare(&folder, &private, &name(member), Some(genesis))?;
    step.join(words(member)).map(drop)
}

/// What is waited for first, and of how many of whom; none for the coordinator.
type Waited = (&'static str, Option<(usize, Vec<Name>)>);

fn waited(place: &Place) -> Waited {
    let turn = next::read(&place.folder(), None, None).unwrap();
    let due = turn.due.first().unwrap();
    let of = match &due.who {
        Who::Coordinator => None,
        Who::Member(name) => Some((1, vec![name.clone()])),
        Who::AnyOf { missing, names } => Some((*missing, names.clone())),
    };
    (due.step, of)
}

fn of(step: &'static str, missing: usize, names: &[&str]) -> Waited {
    (
        step,
        Some((missing, names.iter().copied().map(name).collect())),
    )
}

/// How far the newest order is, and who has something in the folder that is not theirs.
fn order_of(place: &Place) -> status::Resharing {
    status::read(&place.folder(), None)
        .unwrap()
        .resharing
        .unwrap()
}

fn names(all: &[&str]) -> Vec<Name> {
    all.iter().copied().map(name).collect()
}

fn turn_of(place: &Place, member: &str) -> Option<&'static str> {
    let turn = next::read(&place.folder(), Some(&place.private(member)), None);
    turn.unwrap().yours
}

fn ring(socket: &Path) -> Vec<RingEntry> {
    let nonce = quorate_protocol::atoms::Bytes::new(vec![7; 32]).unwrap();
    let evidence = Client::connect(socket).unwrap().evidence(nonce).unwrap();
    let given = evidence.provisioning.expect("it has the key");
    given.ring.unverified().keys.clone()
}

#[test]
fn other_people_take_the_shares_and_the_key_stays() {
    let place = Place::new();
    let folder = place.folder();
    let (genesis, one) = running(&place);

    // Who is new takes the genesis from another member's mouth, and no other.
    let wrong = Digest::from_bytes([7; 32]);
    assert_eq!(
        join_late(&place, "dave", wrong),
        Err(StepError::OtherGenesis {
            given: wrong,
            found: genesis
        }
        .into())
    );
    for member in ["dave", "carol-2"] {
        join_late(&place, member, genesis).unwrap();
    }

    let missing = StepError::OrderMissing { number: 0 };
    assert_eq!(sign_as(&place, "alice").err(), Some(missing.into()));
    for (members, threshold) in [(&NEXT[..], 1), (&NEXT, 5), (&["alice", "alice"], 2)] {
        match order::order(&folder, &one, &plan(members, threshold)) {
            Err(CeremonyError::Step(StepError::DefinitionInvalid(_))) => {}
            other => panic!("{other:?}"),
        }
    }
    let ordered = order::order(&folder, &one, &plan(&NEXT, 3)).unwrap();
    assert_eq!(ordered.number, 1);
    let indices: Vec<u8> = ordered
        .order
        .share_set
        .indices()
        .iter()
        .map(|i| i.get())
        .collect();
    assert_eq!(indices, [1, 2, 4, 5]);

    assert_eq!(waited(&place), of("reshare sign", 2, &MEMBERS));
    let open = order_of(&place);
    assert_eq!(
        (open.number, open.under, open.state),
        (1, Some(1), status::State::Open)
    );
    assert_eq!((open.approvers.missing(), open.holders.missing()), (2, 2));
    assert_eq!(open.holders.absent, names(&MEMBERS));
    assert!(open.made.is_none() && open.digest == ordered.digest);
    // One of each set is not enough; a new member has no say; nothing is there to receive yet.
    assert_eq!(sign_as(&place, "alice").unwrap().seats.len(), 2);
    assert_eq!(
        sign_as(&place, "alice").unwrap().published,
        Published::AlreadyThere
    );
    assert_eq!(
        sign_as(&place, "dave").err(),
        Some(StepError::NoConsent { name: name("dave") }.into())
    );
    assert_eq!(
        refused_for(run::run(&folder, &one, None)),
        Reason::ReshareConsentsMissing
    );
    assert_eq!(
        receive_as(&place, "alice").err(),
        Some(StepError::ReshareMissing { number: 1 }.into())
    );
    // Somebody writes a consent in bob's name: it is left out, and bob is told.
    let consents = folder.join("reshares/0001/consents");
    let forged = consents.join("bob-share-set.cbor");
    fs::copy(consents.join("alice-share-set.cbor"), &forged).unwrap();
    assert_eq!(
        refused_for(run::run(&folder, &one, None)),
        Reason::ReshareConsentsMissing
    );
    let told = StepError::SignedWrong {
        name: name("bob"),
        role: Some(Role::ShareSet),
    };
    assert_eq!(sign_as(&place, "bob").err(), Some(told.into()));
    assert_eq!(order_of(&place).ignored, names(&["bob"]));
    assert_eq!(order_of(&place).holders.given, names(&["alice"]));
    fs::remove_file(forged).unwrap();
    assert_eq!(
        (turn_of(&place, "alice"), turn_of(&place, "bob")),
        (None, Some("reshare sign"))
    );
    sign_as(&place, "bob").unwrap();
    assert_eq!(waited(&place), ("reshare run", None));

    let done = run::run(&folder, &one, None).unwrap();
    assert!(done.ignored.is_empty());
    assert_eq!(done.published, Published::Written);
    let again = run::run(&folder, &one, None).unwrap();
    assert_eq!(
        (again.published, again.reshare),
        (Published::AlreadyThere, done.reshare.clone())
    );
    // An answer that was lost comes again, the same.
    let answer = folder.join("reshares/0001/reshare.cbor");
    // Somebody puts another answer in its place: nobody is sent to sign for it.
    let mut forged = done.reshare.clone();
    forged.order.expires.0 += 1;
    fs::write(&answer, quorate_protocol::cbor::to_bytes(&forged)).unwrap();
    assert_eq!(order_of(&place).state, status::State::AnswerWrong);
    assert_eq!(waited(&place), ("reshare run", None));
    fs::remove_file(answer).unwrap();
    assert_eq!(run::run(&folder, &one, None).unwrap().reshare, done.reshare);
    assert_eq!(
        refused_for(order::order(&folder, &one, &plan(&NEXT, 3))),
        Reason::ReshareOpen
    );

    assert_eq!(waited(&place), of("reshare receipt", 3, &NEXT));
    let made = order_of(&place);
    assert_eq!(made.state, status::State::Made);
    assert_eq!(made.made.unwrap().receipts.absent, names(&NEXT));
    assert_eq!(
        (turn_of(&place, "dave"), turn_of(&place, "bob")),
        (Some("reshare receipt"), Some("reshare receipt"))
    );
    // Carol has no share in it under her old name. Two receipts are one too few.
    assert_eq!(
        receive_as(&place, "carol").err(),
        Some(
            StepError::NoShare {
                name: name("carol")
            }
            .into()
        )
    );
    let nothing = rotation(None, rotate::Reshared::Keep);
    assert_eq!(
        rotate::propose(&folder, &nothing).err(),
        Some(StepError::NothingToRotate.into())
    );
    receive_as(&place, "alice").unwrap();
    assert_eq!(
        receive_as(&place, "alice").unwrap().published,
        Published::AlreadyThere
    );
    receive_as(&place, "dave").unwrap();
    let change = rotation(Some(&["alice", "bob", "dave"]), rotate::Reshared::Newest);
    match rotate::propose(&folder, &change) {
        Err(CeremonyError::Chain(ChainError::Reshare {
            sequence: 2,
            error:
                ReshareError::ReceiptsMissing {
                    need: 3, have: 2, ..
                },
        })) => {}
        other => panic!("{other:?}"),
    }
    receive_as(&place, "carol-2").unwrap();
    assert_eq!(waited(&place), ("rotate --reshare", None));
    let rotated = rotate::propose(&folder, &change).unwrap();
    assert!(rotated.successor.changes_manifest_set && rotated.successor.changes_share_set);

    assert_eq!(order_of(&place).state, status::State::Named(2));
    // It counts when the present holders and both manifest sets have approved. Until then old shares
    // do; and nobody destroys anything.
    assert_eq!(
        destroy::review(&folder, &place.private("alice"), false).err(),
        Some(StepError::NothingToDestroy.into())
    );
    approve_as(&place, "alice").unwrap();
    approve_as(&place, "dave").unwrap();
    assert_eq!(waited(&place), of("approve", 1, &["bob", "carol"]));
    assert_eq!(
        (turn_of(&place, "bob"), turn_of(&place, "dave")),
        (Some("approve"), None)
    );
    let two = place.start("two", b"the image");
    let early = boot::boot(&folder, &two, &binaries(), Some(2), &mut |_| {});
    assert!(
        matches!(
            early,
            Err(CeremonyError::Chain(ChainError::Threshold { .. }))
        ),
        "{early:?}"
    );
    approve_as(&place, "bob").unwrap();
    assert_eq!(waited(&place), ("boot", None));
    boot::boot(&folder, &two, &binaries(), None, &mut |_| {}).unwrap();
    assert_eq!(order_of(&place).state, status::State::Counts(2));
    let replaced = status::read(&folder, None).unwrap().replaced.unwrap();
    assert_eq!((replaced.by, replaced.kept), (2, names(&MEMBERS)));
    // Who approved is told by the sets in which they did: dave is new, and no holder before.
    let progress = status::read(&folder, None).unwrap();
    let by = &progress.manifests.last().unwrap().approvals;
    let by: Vec<(&str, Role)> = by.iter().map(|(n, role)| (n.as_str(), *role)).collect();
    let (manifest_set, share_set) = (Role::ManifestSet, Role::ShareSet);
    let expected = [
        ("alice", manifest_set),
        ("bob", manifest_set),
        ("dave", manifest_set),
        ("alice", share_set),
        ("bob", share_set),
    ];
    assert_eq!(by, expected);

    // Old shares are refused by name; one new share too few gives nothing.
    let named = rotated.manifest.epoch;
    assert_eq!(
        provision_as(&place, "carol", &two).err(),
        Some(StepError::EpochRevoked { named }.into())
    );
    for (member, accepted) in [("alice", 1), ("dave", 2)] {
        let given = provision_as(&place, member, &two).unwrap();
        assert_eq!(
            (given.accepted, given.threshold, given.epoch),
            (accepted, 3, named)
        );
        let phase = Client::connect(&two).unwrap().status().unwrap().phase;
        assert_eq!(phase, Phase::Collecting);
    }
    provision_as(&place, "carol-2", &two).unwrap();
    await_key(&two);
    assert_eq!(ring(&one), ring(&two));
    let out = place.path("evidence.cbor");
    let collected = evidence::collect(&folder, &two, &out).unwrap();
    assert!(collected.provisioned && collected.sequence == 2);

    // An instance of the old manifest gets nothing from anybody who has seen the new one.
    let old = place.start("old", b"the image");
    boot::boot(&folder, &old, &binaries(), Some(1), &mut |_| {}).unwrap();
    match provision_as(&place, "alice", &old) {
        Err(CeremonyError::Pin(PinError::Rollback(_))) => {}
        other => panic!("{other:?}"),
    }

    // Whoever holds an old share is told, and who leaves is told of the key.
    let told = |member| turn_of(&place, member);
    assert_eq!(told("alice"), Some("reshare destroy"));
    // Bob has not even taken his new share.
    assert_eq!(told("bob"), Some("reshare receipt"));
    receive_as(&place, "bob").unwrap();
    assert_eq!(told("bob"), Some("reshare destroy"));
    assert_eq!(told("carol"), Some("reshare destroy --with-key"));
    assert_eq!((told("dave"), told("carol-2")), (None, None));
    destroy_old_shares(&place, genesis);
    let replaced = status::read(&folder, None).unwrap().replaced.unwrap();
    assert_eq!(replaced.destroyed, names(&["alice", "carol"]));
    assert_eq!(replaced.kept, names(&["bob"]));
    assert_eq!(
        (told("alice"), told("bob")),
        (None, Some("reshare destroy"))
    );
    // The word alone does not end it: the file does.
    let words = folder.join("manifests/0002/destroyed");
    fs::copy(words.join("alice.cbor"), words.join("bob.cbor")).unwrap();
    assert_eq!(told("bob"), Some("reshare destroy"));
    fs::remove_file(words.join("bob.cbor")).unwrap();

    // The new set goes on: its threshold is enough for a manifest, and an outsider's is not.
    let next = rotation(Some(&["alice", "bob"]), rotate::Reshared::Keep);
    let rotated = rotate::propose(&folder, &next).unwrap();
    assert_eq!(
        rotated.manifest.last_set_change,
        Some(rotated.manifest.previous.unwrap())
    );
    assert_eq!(
        approve_as(&place, "carol-2").err(),
        Some(
            StepError::NoApproval {
                name: name("carol-2"),
                sequence: 3
            }
            .into()
        )
    );
    for member in ["alice", "bob"] {
        approve_as(&place, member).unwrap();
    }
    let report = status::read(&folder, None).unwrap();
    assert_eq!(report.next, status::Next::Boot);
}

fn destroy_old_shares(place: &Place, genesis: Digest<Genesis>) {
    let folder = place.folder();
    // Who stays keeps key and new share; who leaves can destroy the key too.
    let look = |member: &str, key| destroy::review(&folder, &place.private(member), key);
    let seated = look("alice", true);
    let expected = StepError::StillSeated {
        name: name("alice"),
    };
    assert_eq!(seated.err(), Some(expected.into()));
    let kept = place.private("alice").join("share.cbor");
    assert!(kept.exists());
    look("alice", false)
        .unwrap()
        .destroy(words("alice"))
        .unwrap();
    assert!(!kept.exists());
    let proved = share::open(&folder, &place.private("alice")).unwrap();
    let proved = proved.prove(words("alice")).unwrap();
    assert_eq!(proved.facts().threshold, 3);
    assert_eq!(proved.facts().members, 4);
    // The new share comes back from paper, lost with or without its pins.
    let backup = proved.backup();
    let epoch = proved.epoch();
    // While a proof is there, nobody else works in the private folder.
    drop(proved);
    let file = place.private("alice").join(format!("shares/{epoch}.cbor"));
    let plan = restore::Plan {
        folder: &folder,
        private: &place.private("alice"),
        genesis: None,
        key_file: None,
    };
    let bring = |plan: &restore::Plan<'_>| {
        restore::prepare(plan)
            .unwrap()
            .restore(&backup, words("alice"))
            .unwrap()
    };
    assert_eq!(bring(&plan).published, Published::AlreadyThere);
    fs::remove_file(&file).unwrap();
    let restored = bring(&plan);
    assert_eq!(
        (restored.published, restored.epoch),
        (Published::Written, epoch)
    );
    fs::remove_file(&file).unwrap();
    fs::remove_file(place.private("alice").join("pins.cbor")).unwrap();
    let restored = bring(&restore::Plan {
        genesis: Some(genesis),
        ..plan
    });
    assert_eq!(
        (restored.published, restored.epoch),
        (Published::Written, epoch)
    );
    assert!(file.exists() && restored.renewed.is_some());
    let gone = look("carol", true).unwrap();
    assert!(!gone.is_seated());
    let done = gone.destroy(words("carol")).unwrap();
    assert_eq!((done.shares.len(), done.with_key), (1, true));
    let private = place.private("carol");
    assert!(!private.join("share.cbor").exists() && !private.join("key.cbor").exists());
    let workspace = Workspace::open(&folder).unwrap();
    let word = workspace
        .find_destroyed(2, &name("carol"))
        .unwrap()
        .unwrap();
    assert_eq!(word.unverified().genesis, genesis);
    // What was never a share cannot be destroyed.
    assert_eq!(
        look("dave", false).err(),
        Some(StepError::NothingToDestroy.into())
    );
}
