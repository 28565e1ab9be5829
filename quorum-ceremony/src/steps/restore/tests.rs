use std::fs;

use quorate_protocol::cbor::Checked;
use quorate_protocol::cose::Signed;
use quorate_protocol::manifest::{Approval, Manifest, ManifestFields};
use quorate_protocol::members::{MemberSet, MemberSetFields, Role};
use quorate_share_backup::Mismatch;

use super::*;
use crate::fixture::{Folders, SIGNED, WORDS, World, name, passphrase};
use crate::keyfile::MemberKeys;
use crate::pins::PinError;
use crate::steps::drill::give;
use crate::steps::provision;
use crate::steps::share;
use crate::steps::share::tests::received;
use crate::token::TokenKeysError;

fn backup(world: &World, member: usize) -> Backup {
    Backup::new(
        Origin::Rehearsal,
        &Digest::of(&world.genesis()),
        &world.output.commitments.epoch(),
        &world.shares[member],
    )
}

struct Lost {
    world: World,
    folders: Folders,
}

impl Lost {
    /// The first member has keys and pins, and no share.
    fn share() -> Self {
        let world = World::new();
        let folders = received(&world);
        fs::remove_file(folders.private(0).join("share.cbor")).unwrap();
        Self { world, folders }
    }

    /// A new laptop: nothing but a copy of the key file.
    fn laptop() -> Self {
        let lost = Self::share();
        fs::rename(lost.folders.private(0).join("key.cbor"), lost.copy()).unwrap();
        fs::remove_dir_all(lost.folders.private(0)).unwrap();
        lost
    }

    fn copy(&self) -> PathBuf {
        self.folders.shared().join("../key.copy")
    }

    fn genesis(&self) -> Digest<Genesis> {
        Digest::of(&self.world.genesis())
    }

    fn prepare(
        &self,
        genesis: Option<Digest<Genesis>>,
        key_file: Option<&Path>,
    ) -> Result<Restoring, CeremonyError> {
        prepare(&Plan {
            folder: &self.folders.shared(),
            private: &self.folders.private(0),
            genesis,
            key_file,
        })
    }

    fn restore(&self, backup: &Backup) -> Result<Restored, CeremonyError> {
        self.prepare(None, None)?.restore(backup, passphrase(WORDS))
    }

    fn files(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.folders.private(0)) else {
            return Vec::new();
        };
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    #[track_caller]
    fn check(&self) {
        let kept = share::open(&self.folders.shared(), &self.folders.private(0)).unwrap();
        assert!(kept.prove(passphrase(WORDS)).is_ok());
    }
}

#[test]
fn a_lost_share_comes_back() {
    let lost = Lost::share();
    let restored = lost.restore(&backup(&lost.world, 0)).unwrap();
    assert_eq!(restored.published, Published::Written);
    assert_eq!(restored.renewed, None);
    lost.check();
    // Again: it is there already, which is how a paper is tried out.
    let again = lost.restore(&backup(&lost.world, 0)).unwrap();
    assert_eq!(again.published, Published::AlreadyThere);
}

#[test]
fn a_lost_laptop_comes_back_from_key_file_paper_and_genesis() {
    let lost = Lost::laptop();
    let manifest = lost.world.manifest(None, b"app");
    lost.folders
        .publish(&lost.world, &[lost.world.link(&manifest, &[1, 2])]);
    let restoring = lost
        .prepare(Some(lost.genesis()), Some(&lost.copy()))
        .unwrap();
    assert_eq!(lost.files(), [""; 0], "nothing is written before the proof");
    let restored = restoring
        .restore(&backup(&lost.world, 0), passphrase(WORDS))
        .unwrap();
    assert_eq!(
        restored.renewed,
        Some(Renewed {
            newest: Some(HighestSeen {
                sequence: 1,
                digest: Digest::of(&manifest),
            }),
            admission: Admission::Named,
        })
    );
    assert_eq!(
        lost.files(),
        ["key.cbor", "lock", "pins.cbor", "share.cbor"]
    );
    let private = PrivateFolder::open(&lost.folders.private(0)).unwrap();
    let pins = private.pins(&private.keys().unwrap()).unwrap();
    drop(private);
    let mut expected = lost.world.pins(0);
    expected
        .pin_manifest(restored.renewed.unwrap().newest.unwrap())
        .unwrap();
    assert_eq!(pins, expected);
    lost.check();
}

/// The manifest after `before` under which `keys` are those of the first member.
fn with_new_keys(world: &World, before: &Manifest, keys: &MemberKeys) -> Link {
    let mut members = world.set().members.clone();
    members[0].signing_key = keys.public().signing;
    members[0].encryption_key = keys.public().encryption;
    let set = MemberSetFields {
        members,
        threshold: world.set().threshold,
    };
    let set: MemberSet = Checked::new(set).unwrap();
    let next = world.manifest(Some(before), b"app");
    let fields = ManifestFields {
        manifest_set: set.clone(),
        share_set: set,
        ..(*next).clone()
    };
    let manifest: Manifest = Checked::new(fields).unwrap();
    let approve = |member: usize, role: Role, keys: &MemberKeys| {
        let approval = Approval {
            role,
            genesis: manifest.genesis,
            manifest: Digest::of(&manifest),
            index: world.shares[member].index(),
            time: SIGNED,
        };
        Signed::sign(approval, &keys.signing_key())
    };
    let approvals = [Role::ManifestSet, Role::ShareSet]
        .into_iter()
        .flat_map(|role| [1, 2].map(|member| approve(member, role, &world.keys[member])))
        .collect();
    Link {
        manifest,
        approvals,
        reshare: None,
        surrogates: Vec::new(),
    }
}

fn publish(lost: &Lost, link: &Link) {
    let workspace = lost.folders.workspace();
    workspace.publish_manifest(&link.manifest).unwrap();
    for approval in &link.approvals {
        let index = approval.unverified().index;
        let member = link.manifest.share_set.member(index).unwrap();
        workspace
            .publish_approval(link.manifest.sequence, &member.name, approval)
            .unwrap();
    }
}

/// A first manifest that the others have approved, and a laptop lost with alice's keys: her new ones, and
/// their file.
fn rekeyed() -> (Lost, MemberKeys, PathBuf, Manifest) {
    let lost = Lost::laptop();
    let new = MemberKeys::generate(name("alice")).unwrap();
    let copy = lost.folders.shared().join("../new.key");
    let file = KeyFile::lock(&new, &passphrase(WORDS)).unwrap();
    fs::write(&copy, file.to_bytes()).unwrap();
    let first = lost.world.manifest(None, b"app");
    lost.folders
        .publish(&lost.world, &[lost.world.link(&first, &[1, 2])]);
    (lost, new, copy, first)
}

/// Keys and passphrase are gone for good. The share comes back at once; it can be given when the
/// others have approved a manifest that names the new keys, without a reshare.
#[test]
fn a_member_with_new_keys_gets_the_share_back_and_is_told_when_it_counts() {
    let (lost, new, copy, first) = rekeyed();
    let prepare = || lost.prepare(Some(lost.genesis()), Some(&copy)).unwrap();
    let renewed = prepare().renewed().cloned().unwrap();
    assert_eq!(renewed.admission, Admission::Nowhere);

    publish(&lost, &with_new_keys(&lost.world, &first, &new));
    let restored = prepare()
        .restore(&backup(&lost.world, 0), passphrase(WORDS))
        .unwrap();
    let renewed = restored.renewed.unwrap();
    assert_eq!(renewed.admission, Admission::Named);
    assert_eq!(renewed.newest.unwrap().sequence, 2);
    lost.check();
}

/// What others signed counts for nobody, so nothing is asked of an enclave, nor of the member.
#[test]
fn a_share_under_keys_that_no_manifest_names_is_not_given_fails_closed() {
    let (lost, _, copy, _) = rekeyed();
    let restoring = lost.prepare(Some(lost.genesis()), Some(&copy)).unwrap();
    restoring
        .restore(&backup(&lost.world, 0), passphrase(WORDS))
        .unwrap();
    let (shared, private) = (lost.folders.shared(), lost.folders.private(0));
    // Nobody listens there.
    let socket = lost.folders.socket();
    let name = name("alice");
    let refused = CeremonyError::from(StepError::KeysNotNamed { name });
    let given = provision::attest(&shared, &private, &socket);
    assert_eq!(given.err(), Some(refused.clone()));
    let given = give::attest(&shared, &private, &socket);
    assert_eq!(given.err(), Some(refused));
}

#[test]
fn a_backup_of_another_share_is_not_restored_fails_closed() {
    let (lost, other) = (Lost::share(), World::new());
    let before = lost.files();
    let refused = |backup: &Backup| match lost.restore(backup).unwrap_err() {
        CeremonyError::Restore(RestoreError::Mismatch(mismatch)) => mismatch,
        error => panic!("{error}"),
    };
    let genesis = Digest::of(&lost.world.genesis());
    let epoch = lost.world.output.commitments.epoch();
    let share = &lost.world.shares[0];
    // Another genesis; another epoch; another member; a real key; the right labels on a wrong share.
    assert!(matches!(
        refused(&backup(&other, 0)),
        Mismatch::Genesis { .. }
    ));
    let other_epoch = other.output.commitments.epoch();
    let of_epoch = Backup::new(Origin::Rehearsal, &genesis, &other_epoch, share);
    assert!(matches!(refused(&of_epoch), Mismatch::Epoch { .. }));
    assert!(matches!(
        refused(&backup(&lost.world, 1)),
        Mismatch::Index { .. }
    ));
    let real = Backup::new(Origin::Hardware, &genesis, &epoch, share);
    assert!(matches!(refused(&real), Mismatch::Origin { .. }));
    let wrong = Backup::new(Origin::Rehearsal, &genesis, &epoch, &other.shares[0]);
    assert!(matches!(refused(&wrong), Mismatch::Commitments { .. }));
    assert_eq!(lost.files(), before);
    assert!(lost.restore(&backup(&lost.world, 0)).is_ok());
}

/// In a ceremony under the root of real hardware, whatever the rest says.
#[test]
fn a_rehearsed_share_is_not_restored_into_a_real_ceremony_fails_closed() {
    let lost = Lost::share();
    let mut restoring = lost.prepare(None, None).unwrap();
    let mut fields = (*restoring.subject.definition).clone();
    fields.attestation_root.partition = name("aws");
    restoring.subject.definition = Checked::new(fields).unwrap();
    let found = Origin::Rehearsal;
    assert_eq!(
        restoring.prove(&backup(&lost.world, 0)).err(),
        Some(RestoreError::Mismatch(Mismatch::Origin { found }))
    );
}

#[test]
fn restoring_under_a_wrong_passphrase_writes_nothing_fails_closed() {
    let lost = Lost::laptop();
    let restoring = lost
        .prepare(Some(lost.genesis()), Some(&lost.copy()))
        .unwrap();
    let wrong = passphrase("incorrect horse battery");
    let error = restoring
        .restore(&backup(&lost.world, 0), wrong)
        .unwrap_err();
    assert_eq!(error.code(), "wrong-passphrase");
    assert!(!lost.folders.private(0).exists());
}

#[test]
fn a_different_share_that_is_kept_is_not_replaced_fails_closed() {
    let lost = Lost::share();
    let private = PrivateFolder::open(&lost.folders.private(0)).unwrap();
    private.store_share(&lost.world.output.shares[1]).unwrap();
    drop(private);
    let path = lost.folders.private(0).join("share.cbor");
    let kept = |bytes: &[u8]| {
        let error = lost.restore(&backup(&lost.world, 0)).unwrap_err();
        assert_eq!(error, RestoreError::OtherKept { path: path.clone() }.into());
        assert_eq!(fs::read(&path).unwrap(), bytes);
    };
    kept(&fs::read(&path).unwrap());
    // The right index and a damaged seal; no share at all.
    let mut damaged = lost.world.output.shares[0].clone();
    damaged.sealed = lost.world.output.shares[1].sealed.clone();
    fs::remove_file(&path).unwrap();
    let private = PrivateFolder::open(&lost.folders.private(0)).unwrap();
    private.store_share(&damaged).unwrap();
    drop(private);
    kept(&fs::read(&path).unwrap());
    fs::write(&path, b"no share").unwrap();
    kept(b"no share");
    fs::remove_file(&path).unwrap();
    assert!(lost.restore(&backup(&lost.world, 0)).is_ok());
}

#[test]
fn without_pins_the_shared_folder_is_not_asked_fails_closed() {
    let lost = Lost::laptop();
    let copy = lost.copy();
    assert_eq!(
        lost.prepare(None, Some(&copy)).unwrap_err(),
        RestoreError::GenesisUnknown.into()
    );
    let given = Digest::from_bytes([7; 32]);
    let found = lost.genesis();
    assert_eq!(
        lost.prepare(Some(given), Some(&copy)).unwrap_err(),
        RestoreError::GenesisDiffers { given, found }.into()
    );
    assert!(lost.prepare(Some(found), Some(&copy)).is_ok());
}

#[test]
fn a_genesis_that_contradicts_the_pins_fails_closed() {
    let lost = Lost::share();
    let found = Digest::from_bytes([7; 32]);
    let pinned = lost.genesis();
    assert_eq!(
        lost.prepare(Some(found), None).unwrap_err(),
        PinError::SecondGenesis { pinned, found }.into()
    );
}

#[test]
fn restoring_without_or_with_another_key_file_fails_closed() {
    let lost = Lost::laptop();
    assert_eq!(
        lost.prepare(Some(lost.genesis()), None).unwrap_err(),
        StepError::NotJoined.into()
    );
    let stranger = MemberKeys::generate(name("mallory")).unwrap();
    let file = KeyFile::lock(&stranger, &passphrase(WORDS)).unwrap();
    let path = lost.folders.shared().join("../other.key");
    fs::write(&path, file.to_bytes()).unwrap();
    assert_eq!(
        lost.prepare(Some(lost.genesis()), Some(&path)).unwrap_err(),
        StepError::NoShare {
            name: name("mallory")
        }
        .into()
    );
    // A folder that has keys keeps them.
    let lost = Lost::share();
    assert_eq!(
        lost.prepare(None, Some(&path)).unwrap_err(),
        StorageError::Differs {
            path: lost.folders.private(0).join("key.cbor")
        }
        .into()
    );
}

/// A copy of a token file is taken where a copy of a key file is, and is unlocked by its token alone.
#[test]
fn a_copy_of_a_token_file_without_its_token_fails_closed() {
    let lost = Lost::laptop();
    let file = crate::token::tests::file();
    let copy = lost.folders.shared().join("../token.copy");
    fs::write(&copy, file.to_bytes()).unwrap();
    let restoring = lost.prepare(Some(lost.genesis()), Some(&copy)).unwrap();
    let module = None;
    let expected = LockedKeys::Token(LockedToken { file, module });
    assert_eq!(restoring.keys(), &expected);
    let refused = restoring.restore(&backup(&lost.world, 0), passphrase(WORDS));
    assert_eq!(refused, Err(TokenKeysError::NeedsPin.into()));
    assert!(!lost.folders.private(0).exists());
    // A folder that has keys of the other kind keeps them.
    let lost = Lost::share();
    let path = lost.folders.private(0).join("key.cbor");
    assert_eq!(
        lost.prepare(None, Some(&copy)).unwrap_err(),
        StorageError::Differs { path }.into()
    );
    assert!(lost.restore(&backup(&lost.world, 0)).is_ok());
}

#[test]
fn a_restore_that_was_interrupted_goes_on() {
    let lost = Lost::laptop();
    let again = || {
        lost.prepare(Some(lost.genesis()), Some(&lost.copy()))
            .unwrap()
            .restore(&backup(&lost.world, 0), passphrase(WORDS))
            .unwrap()
    };
    again();
    for ends_before in ["pins.cbor", "share.cbor"] {
        fs::remove_file(lost.folders.private(0).join(ends_before)).unwrap();
        let restored = again();
        assert_eq!(restored.renewed.is_some(), ends_before == "pins.cbor");
        lost.check();
    }
}

#[test]
fn every_refusal_says_whose_fault_it_is_and_what_to_do() {
    let lost = Lost::share();
    let errors: Vec<RestoreError> = vec![
        Backup::from_words("zoo").err().unwrap().into(),
        quorate_share_backup::rows::Rows::parse("")
            .err()
            .unwrap()
            .into(),
        Backup::from_png(b"").err().unwrap().into(),
        RestoreError::GenesisUnknown,
        lost.prepare(None, None)
            .unwrap()
            .prove(&backup(&lost.world, 1))
            .err()
            .unwrap(),
    ];
    for error in errors {
        let explained = error.explain();
        assert!(!error.to_string().is_empty());
        assert!(explained.remedy.len() > 10 && !explained.code.is_empty());
    }
}
