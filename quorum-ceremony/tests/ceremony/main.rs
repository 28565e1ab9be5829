//! A whole ceremony against init itself, on the emulated security module.
//!
//! The enclaves run in threads of this test; between them and the members pass only files and the
//! operator socket, as between real ones. Bad requests come over the same socket, and the ceremony
//! completes after them.

mod carried;
mod drill;
mod place;
mod rekey;
mod reshare;
mod successor;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use quorate_emulator::server::system_clock_ms;
use quorate_protocol::atoms::{Name, UnixMillis};
use quorate_protocol::cbor::{Checked, Object as _};
use quorate_protocol::cose::Signed;
use quorate_protocol::definition::AgeLimit;
use quorate_protocol::digest::Digest;
use quorate_protocol::forward::{ApprovalRule, ExportRequest, ForwardConfirmation, ForwardRecord};
use quorate_protocol::genesis::{Genesis, SealedShare, genesis_share_context};
use quorate_protocol::manifest::Manifest;
use quorate_protocol::members::Role;
use quorate_protocol::message::{Phase, ProvisionRequest, Reason, Stage};
use quorate_protocol::provision::{ShareGrant, provision_share_context};
use quorate_protocol::transcript::{Act, EntryBytes, Fact};
use quorate_quorum_ceremony::client::{Client, ClientError};
use quorate_quorum_ceremony::inputs::ApplicationSpec;
use quorate_quorum_ceremony::keys::LockedKeys;
use quorate_quorum_ceremony::private::PrivateFolder;
use quorate_quorum_ceremony::steps::attest::InstanceStage;
use quorate_quorum_ceremony::steps::{
    attest, boot, evidence, exception, forward, forward_approve, genesis, join, log, manifest,
    provision, receipt, status,
};
use quorate_quorum_ceremony::storage::Published;
use quorate_quorum_ceremony::workspace::Workspace;
use quorate_quorum_ceremony::{CeremonyError, StepError, steps, transcript};
use quorate_sealing::{open, seal};
use quorate_transcript::report::Report;
use quorate_transcript::{Expected, Note, TranscriptError, VerifiedRecord};

use self::place::{
    MEMBERS, Place, acknowledge, approve_as, await_key, binaries, found, found_limited, found_with,
    name, next, plan, propose, propose_with, provision_as, receive_as, refused_for, rotation,
    running, sign_as, sleeper, wait, words,
};

#[test]
fn from_strangers_to_evidence() {
    let place = Place::new();
    let folder = place.folder();
    found(&place);
    assert_eq!(next(&place), status::Next::Genesis);

    // An enclave of another image refuses the genesis; so does anybody who looks at it.
    let wrong = place.start("wrong-genesis", b"another image");
    assert_eq!(
        refused_for(genesis::hold(&folder, &wrong)),
        Reason::MeasurementMismatch
    );
    assert_eq!(next(&place), status::Next::Genesis);

    let birth = place.start("genesis", b"genesis image");
    let born = genesis::hold(&folder, &birth).unwrap();
    assert!(born.facts.development);
    assert_eq!(
        genesis::hold(&folder, &birth),
        Err(StepError::GenesisExists.into())
    );
    // The document was lost: it can be asked for again, the key is the same.
    fs::remove_file(folder.join("genesis/document.bin")).unwrap();
    assert_eq!(
        genesis::hold(&folder, &birth).unwrap().genesis,
        born.genesis
    );

    // A second genesis for the same definition, in another folder: everybody who has a receipt
    // refuses it.
    for member in ["alice", "bob"] {
        acknowledge(&place, member, &birth).unwrap();
    }
    second_genesis_is_refused(&place);
    acknowledge(&place, "carol", &birth).unwrap();

    propose(&place, b"the image");
    assert_eq!(next(&place), status::Next::Approve);
    approve_as(&place, "alice").unwrap();
    assert!(boot::boot(&folder, &birth, &binaries(), None, &mut |_| {}).is_err());
    approve_as(&place, "carol").unwrap();
    assert_eq!(next(&place), status::Next::Boot);

    // The genesis enclave never boots; an enclave of another image refuses too.
    assert_eq!(
        refused_for(boot::boot(&folder, &birth, &binaries(), None, &mut |_| {})),
        Reason::WrongPhase
    );
    let wrong = place.start("wrong", b"another image");
    assert_eq!(
        refused_for(boot::boot(&folder, &wrong, &binaries(), None, &mut |_| {})),
        Reason::MeasurementMismatch
    );

    let one = place.start("one", b"the image");
    let started = boot::boot(&folder, &one, &binaries(), None, &mut |_| {}).unwrap();
    assert!(started.uploaded > 0);
    let look = |stage| attest::attest(&folder, &place.private("bob"), &one, stage);
    assert_eq!(
        look(InstanceStage::Setup).unwrap().keys,
        started.claimed.setup
    );
    let first = provision_as(&place, "bob", &one).unwrap();
    assert_eq!((first.accepted, first.threshold), (1, 2));
    assert_eq!(
        refused_for(provision_as(&place, "bob", &one)),
        Reason::ShareRepeated
    );
    let second = provision_as(&place, "alice", &one).unwrap();
    assert_eq!(second.accepted, 2);
    // The setup keys are gone: there is nothing to give a share to.
    assert_eq!(
        refused_for(provision_as(&place, "carol", &one)),
        Reason::NothingToAttest
    );

    wait(|| {
        let phase = Client::connect(&one).unwrap().status().unwrap().phase;
        matches!(phase, Phase::Launching | Phase::Running).then_some(())
    });
    assert_eq!(
        look(InstanceStage::Live).unwrap().keys,
        started.claimed.live
    );
    let reported = log::read(&one).unwrap();
    let names: Vec<_> = reported
        .applications
        .iter()
        .map(|app| app.name.as_str())
        .collect();
    let manifest = &status::read(&folder, None).unwrap().manifests[0].manifest;
    let expected: Vec<_> = manifest
        .applications
        .iter()
        .map(|app| app.name.as_str())
        .collect();
    assert_eq!(names, expected);
    let out = place.path("evidence.cbor");
    let collected = evidence::collect(&folder, &one, &out).unwrap();
    transcript::note(&place.private("carol"), &collected).unwrap();
    assert!(collected.provisioned && collected.facts.development);
    assert_eq!(collected.genesis, born.genesis);
    assert_eq!(fs::metadata(&out).unwrap().len(), collected.bytes as u64);

    rollback_is_refused(&place);
    transcript_tells_it_all(&place, born.genesis);
}

/// Everybody signs; what everybody did is there, once, and one head names it all.
fn transcript_tells_it_all(place: &Place, genesis: Digest<Genesis>) {
    let sign = |member: &str| {
        let review = steps::transcript::review(&place.folder(), &place.private(member)).unwrap();
        review.sign(words(member)).unwrap()
    };
    // carol has her note of the evidence, and a refusal if no step of hers has signed it before.
    assert!(sign("carol").written >= 1);
    assert!(sign("bob").written >= 1);
    let told = sign("alice");
    assert_eq!(sign("alice").written, 0, "nothing is told twice");
    let workspace = Workspace::open(&place.folder()).unwrap();
    let expected = Expected {
        genesis: Some(genesis),
        fingerprint: Some(told.verified.fingerprint),
        ..Expected::default()
    };
    let verified = transcript::gather(&workspace)
        .unwrap()
        .verify(&expected)
        .unwrap();
    assert_eq!(verified.notes, [Note::Development]);
    let count = |author: &str, act: Act| {
        let records = verified.records.iter();
        let own = records.filter(|record| record.author.as_str() == author && record.act == act);
        own.count()
    };
    for member in MEMBERS {
        for act in [Act::Join, Act::Consent, Act::Receipt] {
            assert_eq!(count(member, act), 1, "{member} {act:?}");
        }
    }
    assert_eq!(
        ["alice", "bob", "carol"].map(|m| count(m, Act::Approve)),
        [2, 1, 2]
    );
    assert_eq!(count("bob", Act::Attest), 2);
    // bob gave his share, and gave it again, which the enclave refused.
    assert_eq!(
        (count("bob", Act::Provision), count("bob", Act::Refusal)),
        (2, 1)
    );
    // alice gave hers to two enclaves, and saw a second genesis and old manifests refused: the same
    // refusal twice in a row is noted once.
    assert_eq!(
        (count("alice", Act::Provision), count("alice", Act::Refusal)),
        (2, 2)
    );
    assert_eq!(
        (count("carol", Act::Evidence), count("carol", Act::Refusal)),
        (1, 1)
    );
    let provision = verified
        .records
        .iter()
        .find(|record| record.act == Act::Provision);
    let kinds: Vec<_> = provision.unwrap().facts().map(Fact::kind).collect();
    for kind in [
        "tool", "object", "share", "document", "register", "nonce", "age", "safe", "count",
    ] {
        assert!(kinds.contains(&kind), "{kind} in {kinds:?}");
    }
    // A record that was seen is removed: whoever verifies and whoever acts is told.
    let folder = fs::read_dir(place.folder().join("transcript")).unwrap();
    let mut folders = folders_of(folder, "bob-");
    let record = folders.remove(0).join("0002.cbor");
    let bytes = fs::read(&record).unwrap();
    fs::remove_file(&record).unwrap();
    let broken = transcript::gather(&workspace).unwrap().verify(&expected);
    assert_eq!(
        broken.map(drop),
        Err(TranscriptError::Missing {
            author: name("bob"),
            sequence: 2,
            by: name("bob"),
            by_sequence: 3,
        })
    );
    fs::write(&record, bytes).unwrap();
    let whole = transcript::gather(&workspace).unwrap().verify(&expected);
    assert!(whole.is_ok());
}

fn folders_of(entries: fs::ReadDir, prefix: &str) -> Vec<PathBuf> {
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with(prefix)
        })
        .collect()
}

/// The same members, the same definition, another key.
fn second_genesis_is_refused(place: &Place) {
    let socket = place.start("second-genesis", b"genesis image");
    let folder = place.path("second");
    copy(&place.folder(), &folder);
    fs::remove_dir_all(folder.join("genesis")).unwrap();
    genesis::hold(&folder, &socket).unwrap();
    let refused = receipt::review(&folder, &place.private("alice"), &socket);
    assert_eq!(
        refused.err().map(|error| error.code()),
        Some("second-genesis")
    );
}

/// Manifest 2 is approved; then somebody boots manifest 1 again and asks for shares.
fn rollback_is_refused(place: &Place) {
    let folder = place.folder();
    let old = place.path("old");
    copy(&folder, &old);
    propose(place, b"the newer image");
    for member in MEMBERS {
        approve_as(place, member).unwrap();
    }
    let socket = place.start("old-enclave", b"the image");
    boot::boot(&old, &socket, &binaries(), None, &mut |_| {}).unwrap();
    let refused = provision::attest(&old, &place.private("alice"), &socket);
    assert_eq!(
        refused.err().map(|error| error.code()),
        Some("rollback-lower")
    );
    // With the newest folder it is the enclave that runs the older one, and is told so.
    let refused = provision::attest(&folder, &place.private("alice"), &socket);
    assert_eq!(
        refused.err().map(|error| error.code()),
        Some("rollback-lower")
    );
    // The newer one is given shares.
    let newer = place.start("newer-enclave", b"the newer image");
    boot::boot(&folder, &newer, &binaries(), None, &mut |_| {}).unwrap();
    assert_eq!(provision_as(place, "alice", &newer).unwrap().accepted, 1);
}

/// A rehearsal's enclave never gets a share of the real key, and the other way round.
#[test]
fn share_under_another_development_root_fails_closed() {
    let (place, other) = (Place::new(), Place::new());
    found(&place);
    let birth = place.start("genesis", b"genesis image");
    genesis::hold(&place.folder(), &birth).unwrap();
    for member in MEMBERS {
        acknowledge(&place, member, &birth).unwrap();
    }
    propose(&place, b"the image");
    approve_as(&place, "alice").unwrap();
    approve_as(&place, "bob").unwrap();
    // The image measures the same; only its security module is another's.
    let stranger = other.start("stranger", b"the image");
    boot::boot(&place.folder(), &stranger, &binaries(), None, &mut |_| {}).unwrap();
    let refused = provision_as(&place, "alice", &stranger);
    assert_eq!(
        refused.err().map(|error| error.code()),
        Some("root-not-trusted")
    );
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    fs::set_permissions(to, Permissions::from_mode(0o755)).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// One of four never gives a receipt. The others finish the genesis; an enclave takes their shares and
/// not the one that was left out, and what it is asked for by hand it refuses as well.
#[test]
fn a_genesis_that_was_finished_without_somebody_takes_no_share_of_theirs_fails_closed() {
    let place = Place::new();
    let folder = place.folder();
    let people = ["alice", "bob", "carol", "dave"];
    found_with(&place, &people);
    let birth = place.start("genesis", b"genesis image");
    genesis::hold(&folder, &birth).unwrap();
    let sign =
        |member: &str| exception::review(&folder, &place.private(member))?.sign(words(member));
    for member in ["alice", "bob"] {
        acknowledge(&place, member, &birth).unwrap();
    }
    let (need, have) = (3, 2);
    assert_eq!(
        sign("alice"),
        Err(StepError::ExceptionTooFew { need, have }.into())
    );
    acknowledge(&place, "carol", &birth).unwrap();
    assert_eq!(sign("dave"), Err(StepError::NotReceived.into()));
    assert_eq!(sign("alice").unwrap().unsigned, ["bob", "carol"].map(name));
    // A record that not everybody agreed to is none.
    let plan = manifest::Plan {
        measurements: place.measurements(b"the image"),
        applications: vec![
            ApplicationSpec::parse(&format!("sleep={},arg=600", sleeper().display())).unwrap(),
        ],
        valid_days: 1,
        forward: manifest::ForwardPlan::Keep,
    };
    let refused = manifest::propose(&folder, &plan).unwrap_err();
    assert_eq!(refused.code(), "genesis-exception-missing");
    sign("carol").unwrap();
    let last = sign("bob").unwrap();
    assert_eq!((last.missing, last.unsigned), (vec![name("dave")], vec![]));
    assert_eq!(next(&place), status::Next::Receipt);
    propose(&place, b"the image");
    assert_eq!(sign("bob"), Err(StepError::ExceptionTooLate.into()));
    // Too late for dave.
    let refused = acknowledge(&place, "dave", &birth).unwrap_err();
    assert_eq!(refused.code(), "share-inactive");
    for member in ["alice", "carol"] {
        approve_as(&place, member).unwrap();
    }
    let one = place.start("one", b"the image");
    boot::boot(&folder, &one, &binaries(), None, &mut |_| {}).unwrap();
    provision_as(&place, "alice", &one).unwrap();

    // By hand, with everything a member has.
    let request = grant_by_hand(&place, "dave", &one);
    let answer = Client::connect(&one).unwrap().provision(request);
    let refused = refused_for(answer.map_err(CeremonyError::from));
    assert_eq!(refused, Reason::NotAMember);
    assert_eq!(provision_as(&place, "bob", &one).unwrap().accepted, 2);
    wait(|| {
        let phase = Client::connect(&one).unwrap().status().unwrap().phase;
        matches!(phase, Phase::Launching | Phase::Running).then_some(())
    });
}

/// A grant of this member's share for an instance, made without the tool.
fn grant_by_hand(place: &Place, member: &str, socket: &Path) -> ProvisionRequest {
    let workspace = Workspace::open(&place.folder()).unwrap();
    let record = workspace.record().unwrap();
    let private = PrivateFolder::open(&place.private(member)).unwrap();
    let LockedKeys::File(file) = private.keys().unwrap() else {
        panic!("{member} has a token");
    };
    let keys = file.unlock(&words(member)).unwrap();
    let person = record.definition.share_set.named(keys.name()).unwrap();
    let index = person.index;
    let mut sent = record.output.shares.iter();
    let sent = sent.find(|share| share.index == index).unwrap();
    let context = genesis_share_context(&Digest::of(&record.definition), index);
    let (info, aad) = (context.info.as_bytes(), &context.aad);
    let suite = sent.sealed.suite;
    let scalar = open(
        suite,
        keys.decryption_key(),
        info,
        aad,
        &sent.sealed.sealed(),
        32,
    )
    .unwrap();

    let attested = attest::attest(
        &place.folder(),
        &place.private("carol"),
        socket,
        InstanceStage::Setup,
    );
    let attested = attested.unwrap();
    let epoch = record.output.commitments.epoch();
    let context = provision_share_context(&record.digest(), &attested.digest, index, &epoch);
    let mut rng = rand_core::UnwrapErr(getrandom::SysRng);
    let (to, info) = (attested.keys.encryption.inner(), context.info.as_bytes());
    let sealed = seal(suite, to, info, &context.aad, &scalar, &mut rng).unwrap();
    let sealed = SealedShare::new(suite, sealed).unwrap();
    let grant = ShareGrant {
        role: Role::ShareSet,
        genesis: record.digest(),
        manifest: attested.digest,
        setup: attested.keys,
        document: attested.facts.document,
        index,
        epoch,
        sealed: Digest::of(&sealed),
        time: UnixMillis(system_clock_ms()),
    };
    ProvisionRequest {
        grant: Signed::sign(grant, &keys.signing_key()),
        sealed,
        delegation: None,
    }
}
