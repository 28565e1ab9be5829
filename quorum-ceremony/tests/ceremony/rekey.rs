//! Carol has lost key file and passphrase and has her share on paper: new keys, a manifest that names them,
//! and the share from the paper. No resharing, and the quorum key stays.

use quorate_protocol::genesis::Genesis;
use quorate_quorum_ceremony::rekey::NewKeys;
use quorate_quorum_ceremony::steps::{restore, rotate, share};

use super::*;

fn join_anew(
    place: &Place,
    member: &str,
    private: &str,
    genesis: Option<Digest<Genesis>>,
) -> Result<join::Joined, CeremonyError> {
    let private = place.private(private);
    join::prepare_new_keys(&place.folder(), &private, &name(member), genesis)?.join(words(member))
}

fn named(text: &str) -> rotate::Plan {
    rotate::Plan {
        new_keys: vec![NewKeys::parse(text).unwrap()],
        ..rotation(None, rotate::Reshared::Keep)
    }
}

#[test]
fn lost_keys_are_replaced_and_the_share_comes_back_from_paper() {
    let place = Place::new();
    let folder = place.folder();
    let (genesis, _) = running(&place);
    let paper = share::open(&folder, &place.private("carol")).unwrap();
    let paper = paper.prove(words("carol")).unwrap().backup();
    let (private, old) = (place.private("carol"), place.private("carol-old"));
    fs::rename(&private, &old).unwrap();

    // Without the word for it her name is taken, and the remedy has that word.
    let taken = join::prepare(&folder, &private, &name("carol"), Some(genesis)).unwrap();
    let taken = taken.join(words("carol")).unwrap_err();
    assert_eq!(taken.code(), "name-taken");
    assert!(taken.explain().remedy.contains("--new-keys"));
    let card = fs::read(folder.join("members/carol.cbor")).unwrap();
    let joined = join_anew(&place, "carol", "carol", Some(genesis)).unwrap();
    let fingerprint = joined.new_keys.unwrap();
    assert!(!joined.before);
    let file = format!("members/carol-{}.cbor", fingerprint.short());
    assert!(folder.join(&file).is_file());
    // The same command again makes nothing anew; the old card is as it was.
    let again = join_anew(&place, "carol", "carol", Some(genesis)).unwrap();
    assert_eq!((again.before, &again.keys), (true, &joined.keys));
    assert_eq!(fs::read(folder.join("members/carol.cbor")).unwrap(), card);

    let plan = named(&format!("carol={}", fingerprint.short()));
    let rotated = rotate::propose(&folder, &plan).unwrap();
    assert_eq!(rotated.manifest.epoch, rotated.before.epoch);
    for member in ["alice", "bob"] {
        approve_as(&place, member).unwrap();
    }
    // Neither pair of keys gives: whoever found the old ones is named no more, and there is no share yet.
    let not_named = CeremonyError::from(StepError::KeysNotNamed {
        name: name("carol"),
    });
    let two = place.start("two", b"the image");
    boot::boot(&folder, &two, &binaries(), None, &mut |_| {}).unwrap();
    assert_eq!(
        provision_as(&place, "carol-old", &two).err(),
        Some(not_named)
    );
    assert!(provision_as(&place, "carol", &two).is_err());
    let plan = restore::Plan {
        folder: &folder,
        private: &private,
        genesis: None,
        key_file: None,
    };
    let restoring = restore::prepare(&plan).unwrap();
    let restored = restoring.restore(&paper, words("carol")).unwrap();
    assert_eq!(
        restored.renewed.unwrap().admission,
        restore::Admission::Named
    );
    let given = provision::attest(&folder, &private, &two).unwrap();
    assert_eq!(given.give(words("carol")).unwrap().accepted, 1);
    assert_eq!(provision_as(&place, "alice", &two).unwrap().accepted, 2);

    let workspace = Workspace::open(&folder).unwrap();
    let expected = Expected {
        genesis: Some(genesis),
        ..Expected::default()
    };
    let verified = transcript::gather(&workspace).unwrap().verify(&expected);
    let verified = verified.unwrap();
    let by_new = |record: &&VerifiedRecord| record.key == joined.keys.signing;
    let acts: Vec<Act> = verified
        .records
        .iter()
        .filter(by_new)
        .map(|r| r.act)
        .collect();
    assert_eq!(
        (acts.first(), acts.contains(&Act::Provision)),
        (Some(&Act::Join), true)
    );
}

/// For a name that nobody has, and with the keys that are on the card already: nothing is made.
#[test]
fn new_keys_where_nothing_is_to_be_replaced_fails_closed() {
    let place = Place::new();
    found(&place);
    let nobody = StepError::NobodyToReplace { name: name("erin") };
    assert_eq!(
        join_anew(&place, "erin", "erin", None).err(),
        Some(nobody.into())
    );
    assert!(!place.private("erin").exists());
    let same = StepError::JoinedOtherwise {
        name: name("alice"),
        token: false,
    };
    assert_eq!(
        join_anew(&place, "alice", "alice", None).err(),
        Some(same.into())
    );
}
