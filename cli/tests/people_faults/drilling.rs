//! A drill of six people, four of whom it takes: one has replaced their keys and proves only, one does
//! not come.
//!
//! Their real shares stay where they are whatever the host does, and what was given stays given.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use p256::ecdsa::SigningKey;
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::drill::{DrillRequest, drill_share_context};
use quorate_protocol::genesis::SealedShare;
use quorate_protocol::message::{Request, Response, Stage};
use quorate_quorum_ceremony::keyfile::{KeyFile, Passphrase};
use quorate_sealing::{Suite, seal};
use quorate_sharing::Secret;
use serde_json::json;
use zeroize::Zeroizing;

use super::opening::strangers_step;
use super::{AFTER, APPROVE, GIVE, PROVISION, altered, other_image, stale, without_room};
use crate::people::{Hall, LARGE, SCREEN, SHARED, passphrase};
use crate::relay::{Carried, Relay, ask};

const FINISH: &str = "ceremony drill finish";
const RECORD: &str = "drills/0001/drill.cbor";

/// `two` is the instance that runs.
pub(super) fn drilled(hall: &mut Hall, two: &str, genesis: &str) {
    let old = hall.start("d-old");
    started(hall, &old);
    rekeyed(hall, genesis);
    not_for_it(hall, two, &old);
    let first = hall.start("d-first");
    started(hall, &first);
    // Neither is taken for the other.
    hall.types("bob", &format!("{PROVISION} --socket {first}"))
        .refused("refused-drill-only");
    stale(hall, &first, "bob", GIVE, Stage::Drill);
    hall.hesitates("bob", GIVE);
    let (given, receipt) = listened(hall, &first);
    // It ends, and what bob gave with it.
    hall.stop("d-first");
    hall.types("carol", GIVE).refused("no-enclave");
    assert_eq!(hall.next("carol"), None, "nobody waits for her");

    let drill = hall.start("d-second");
    started(hall, &drill);
    through(
        hall,
        &drill,
        "bob",
        "refused-grant-for-another",
        move |_| Carried::On(Box::new(Request::DrillGive(given.clone()))),
    );
    hall.turn("bob", GIVE, SCREEN).says(&["1 of 4"]);
    // Given is given: once, and it is not asked for again.
    hall.decides("bob", GIVE, SCREEN)
        .refused("refused-share-repeated")
        .says(&["this member's share is already there"]);
    assert_eq!(hall.next("bob"), None);
    spoiled_tools(hall, &drill, receipt);
    hall.turn("carol", GIVE, LARGE).says(&["2 of 4"]);
    hall.unlocks("carol", "ceremony share check").good();
    hall.types("alice", FINISH)
        .refused("refused-drill-unfinished")
        .says(&["2 of 4"]);
    hall.turn("dave", GIVE, SCREEN).says(&[
        "SAFE:",
        "proof of your real share only",
        "your drill share is sealed to keys that you have replaced",
        "you proved your share",
        "2 of 4",
    ]);
    for who in ["frank", "alice"] {
        hall.turn(who, GIVE, SCREEN)
            .says(&["you proved your share, and your drill share was good"]);
    }
    ended(hall);
}

fn started(hall: &Hall, socket: &str) {
    hall.types("alice", &format!("ceremony drill start --socket {socket}"))
        .good();
}

/// Dave has lost his key file and makes new keys. A manifest names them, and only then do they count;
/// whoever found the old ones has nothing.
fn rekeyed(hall: &Hall, genesis: &str) {
    let stick = hall.place.path("stick");
    fs::create_dir(&stick).expect("a folder");
    let paper = stick.join("paper");
    let line = format!(
        "ceremony share backup --form sheet --out {}",
        paper.display()
    );
    hall.unlocks("dave", &line).good();
    let (private, old) = (hall.private("dave"), hall.place.path("daves-old"));
    fs::rename(&private, &old).expect("lost");

    let join = format!("ceremony join --name dave --genesis {genesis}");
    hall.joins("dave", &join)
        .refused("name-taken")
        .says(&["--new-keys"]);
    let anew = format!("{join} --new-keys");
    let joined = hall.joins("dave", &anew).good();
    // He reads it to alice, who types the first digits, and to the others.
    let (_, told) = joined.left.split_once("fingerprint: ").expect("told");
    let fingerprint = told.split_whitespace().next().expect("told");
    assert_eq!(fingerprint.len(), 64, "{told}");
    let short = &fingerprint[..16];
    let rotate = |named: &str| {
        let line = format!("ceremony rotate --new-keys {named}");
        hall.types("alice", &line)
    };
    rotate(&format!("dave={}", "0".repeat(16))).refused("new-keys-missing");
    let misheard = format!("dave={short}{}", "0".repeat(48));
    rotate(&misheard).refused("new-keys-differ");
    rotate(&format!("mallory={short}")).refused("new-keys-without-seat");
    rotate(&format!("dave={short}")).good().says(&[fingerprint]);
    for who in ["alice", "bob", "carol", "frank"] {
        hall.turn(who, APPROVE, LARGE).says(&["dave", fingerprint]);
    }
    for step in [GIVE, PROVISION] {
        let line = format!("{step} --private {}", old.display());
        hall.types("dave", &line).refused("keys-not-named");
    }
    let restore = format!("ceremony share restore --in {}", paper.display());
    hall.unlocks("dave", &restore).good();
    fs::remove_dir_all(stick).expect("locked away");
}

/// Enclaves in which no drill of this manifest is held.
fn not_for_it(hall: &mut Hall, two: &str, old: &str) {
    let start = |hall: &Hall, socket: &str, code: &str| {
        hall.types("alice", &format!("ceremony drill start --socket {socket}"))
            .refused(code);
    };
    let give = |socket: &str| format!("{GIVE} --socket {socket}");
    // One that serves, and one that nobody has told anything.
    start(hall, two, "refused-wrong-phase");
    // Members are sent where they were before.
    let hint = fs::read_to_string(hall.shared().join("enclaves/drill"));
    assert_eq!(hint.expect("an address").trim_end(), old);
    let empty = hall.start("d-empty");
    for socket in [two, &empty] {
        hall.types("bob", &give(socket)).refused("no-drill");
    }
    hall.types("alice", &format!("{FINISH} --socket {empty}"))
        .refused("refused-drill-not-here");
    hall.stop("d-empty");
    // Of a manifest that has been replaced, of another image, in debug mode, of somebody else.
    hall.is_warned("bob", &give(old), "instance-drill-register");
    hall.stop("d-old");
    let (init, other) = (hall.init(), other_image(hall));
    let debug = hall.start_of(&json!({ "name": "d-debug", "init": init, "debug": true }));
    start(hall, &debug, "refused-measurement-mismatch");
    hall.stop("d-debug");
    let image = hall.start_of(&json!({ "name": "d-image", "init": other }));
    start(hall, &image, "refused-measurement-mismatch");
    strangers_step(hall, "drill start", "", &format!("--socket {image}"));
    hall.is_warned("bob", &give(&image), "instance-measurement");
    hall.stop("d-image");
}

/// Bob gives through a host that keeps what passes.
fn listened(hall: &Hall, enclave: &str) -> (Box<DrillRequest>, Response) {
    let kept = Arc::new(Mutex::new(None));
    let (keeps, behind) = (Arc::clone(&kept), PathBuf::from(enclave));
    let relay =
        Relay::start(
            hall.place.path("listening.sock"),
            enclave,
            move |request| match request {
                Request::DrillGive(given) => {
                    let request = Request::DrillGive(given.clone());
                    let answer = ask(&behind, &request);
                    *keeps.lock().expect("a place") = Some((given, answer.clone()));
                    Carried::Answered(Box::new(answer))
                }
                other => Carried::On(Box::new(other)),
            },
        );
    let line = format!("{GIVE} --socket {}", relay.socket());
    hall.decides("bob", &line, SCREEN).good();
    drop(relay);
    let kept = kept.lock().expect("a place").take();
    kept.expect("what bob gave")
}

/// Somebody gives through a host, or with a tool, that does this with it, and is refused.
fn through(
    hall: &Hall,
    enclave: &str,
    who: &str,
    code: &str,
    mut carry: impl FnMut(Box<DrillRequest>) -> Carried + Send + 'static,
) {
    let path = hall.place.path(&format!("{code}.sock"));
    let relay = Relay::start(path, enclave, move |request| match request {
        Request::DrillGive(given) => carry(given),
        other => Carried::On(Box::new(other)),
    });
    let line = format!("{GIVE} --socket {}", relay.socket());
    hall.decides(who, &line, SCREEN).refused(code);
}

/// Somebody's signing key, by their key file.
fn key_of(hall: &Hall, who: &str) -> SigningKey {
    let file = fs::read(hall.private(who).join("key.cbor")).expect("a key");
    let words = Zeroizing::new(passphrase(who).into_bytes());
    let words = Passphrase::new(words).expect("a passphrase");
    let keys = KeyFile::from_bytes(&file).expect("a key file");
    keys.unlock(&words).expect("theirs").signing_key()
}

/// Carol's tool sends another number, or signs with another key; and it is answered with what bob was.
fn spoiled_tools(hall: &Hall, drill: &str, receipt: Response) {
    let (own, other) = (key_of(hall, "carol"), SigningKey::from_slice(&[7; 32]));
    let other = other.expect("a key");
    through(hall, drill, "carol", "refused-share-wrong", move |honest| {
        let spoiled = Box::new(another_number(&honest, &own));
        Carried::On(Box::new(Request::DrillGive(spoiled)))
    });
    through(
        hall,
        drill,
        "carol",
        "refused-grant-signature",
        move |mut given| {
            given.grant = Signed::sign(given.grant.unverified().clone(), &other);
            Carried::On(Box::new(Request::DrillGive(given)))
        },
    );
    through(hall, drill, "carol", "receipt-wrong", move |_| {
        Carried::Answered(Box::new(receipt.clone()))
    });
}

fn another_number(honest: &DrillRequest, key: &SigningKey) -> DrillRequest {
    let mut grant = honest.grant.unverified().clone();
    let about = grant.possession.unverified();
    let context = drill_share_context(&about.genesis, &about.manifest, about.index, &grant.drill);
    let suite = Suite::P256Sha256Aes256Gcm;
    let mut rng = UnwrapErr(SysRng);
    let number = Secret::random(&mut rng).signing_key().to_bytes();
    let sealed = seal(
        suite,
        about.setup.encryption.inner(),
        context.info.as_bytes(),
        &context.aad,
        &number,
        &mut rng,
    );
    let sealed = SealedShare::new(suite, sealed.expect("sealed")).expect("a share");
    grant.sealed = Some(Digest::of(&sealed));
    DrillRequest {
        grant: Signed::sign(grant, key),
        sealed: Some(sealed),
    }
}

/// A date that is none; grace, who does not come; and a record that is altered, lost and repeated.
fn ended(hall: &mut Hall) {
    hall.types("alice", &format!("{FINISH} --due 2020-02-29"))
        .refused("refused-drill-due");
    let told = [
        "grace: DID NOT TAKE PART",
        "dave: proved only",
        "margin: 5 proved, 4 are needed, 1 to spare",
        "next drill due",
    ];
    without_room(hall, FINISH);
    hall.types("alice", FINISH).good().says(&told);
    hall.decides("grace", GIVE, SCREEN)
        .refused("refused-drill-over");
    let held = |number: u64| {
        let drill = hall.status(None)["drill"].clone();
        assert_eq!(
            (&drill["number"], &drill["absent"], &drill["to_spare"]),
            (&json!(number), &json!(["grace"]), &json!(1)),
            "{drill}"
        );
    };
    held(1);
    let bad = altered(&hall.shared().join(RECORD));
    for bytes in [Some(&bad[..]), None] {
        hall.without(RECORD, bytes, || {
            assert_eq!(hall.status(None)["drill"], json!(null));
            // The enclave has it still, and gives the same.
            hall.types("alice", FINISH).good().says(&told);
            held(if bytes.is_some() { 2 } else { 1 });
            let again = if bytes.is_some() { "0002" } else { "0001" };
            let folder = hall.shared().join("drills").join(again);
            fs::remove_dir_all(folder).expect("removed");
            fs::create_dir_all(hall.shared().join("drills/0001")).expect("a folder");
        });
        held(1);
    }
    // Somebody puts it there twice.
    let twice = hall.shared().join("drills/0002");
    fs::create_dir(&twice).expect("a folder");
    fs::copy(hall.shared().join(RECORD), twice.join("drill.cbor")).expect("copied");
    held(2);
    fs::remove_dir_all(twice).expect("removed");
    hall.stop("d-second");
    for who in AFTER {
        assert_eq!(hall.next(who), None, "{who}");
    }
    let line = ["ceremony", "transcript", "verify", "--folder", SHARED];
    let told = hall.run(&[&line[..], &["--json"]].concat()).good().json();
    assert_eq!(told["ok"], true);
    assert!(Path::new(&hall.shared().join(RECORD)).is_file());
}
