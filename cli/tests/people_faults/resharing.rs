//! Erin leaves, frank and grace come: an order, new shares, a manifest that names them, and old ones
//! destroyed.

use std::fs;
use std::path::Path;
use std::process::Command;

use quorate_protocol::cbor::{from_bytes, to_bytes};
use quorate_protocol::reshare::{Reshare, ReshareOrder};
use serde_json::json;

use super::{
    AFTER, APPROVE, DESTROY, FOUNDERS, NEW_SHARE, PROVISION, SIGN, boots, interrupted, without_room,
};
use crate::people::{Hall, ROOT, SCREEN, SHARED};

/// Two orders at once, one that is too late, consents of others, and an enclave that ends between order
/// and record. The enclave that has the key afterwards.
pub(super) fn ordered(hall: &mut Hall, one: &str, genesis: &str) -> String {
    for who in ["frank", "grace"] {
        hall.invite(who);
        let line = format!("ceremony join --name {who} --genesis");
        hall.types(who, &format!("{line} {}", "07".repeat(32)))
            .refused("other-genesis");
        hall.joins(who, &format!("{line} {genesis}")).good();
    }
    order(hall, one);
    // Nobody carries out what nobody has signed.
    let run = format!("ceremony reshare run --socket {one}");
    hall.types("alice", &run)
        .refused("refused-reshare-consents-missing");
    hall.types("frank", SIGN).refused("no-consent");
    hall.types("bob", NEW_SHARE).refused("reshare-missing");
    hall.hesitates("bob", SIGN);
    // Written again, which makes the first useless: who signs that one learns it from the enclave.
    order(hall, one);
    for who in &FOUNDERS[..3] {
        hall.decides(who, &format!("{SIGN} --order 1"), SCREEN)
            .good();
    }
    hall.types("alice", &format!("{run} --order 1"))
        .refused("refused-reshare-nonce")
        .says(&["write another order"]);
    // An order whose time is over is signed by nobody.
    let file = "reshares/0002/order.cbor";
    let bytes = fs::read(hall.shared().join(file)).expect("an order");
    let mut late: ReshareOrder = from_bytes(&bytes).expect("an order");
    late.expires.0 = 1;
    hall.without(file, Some(&to_bytes(&late)), || {
        hall.types("bob", SIGN)
            .refused("order-expired")
            .says(&["have another order written"]);
        assert_eq!(hall.status(None)["resharing"]["state"], "expired");
    });
    // Alice's word in bob's name.
    hall.turn("alice", SIGN, SCREEN);
    let consents = hall.shared().join("reshares/0002/consents");
    let of = |who: &str| consents.join(format!("{who}-share-set.cbor"));
    fs::copy(of("alice"), of("bob")).expect("copied");
    assert_eq!(hall.next("bob").as_deref(), Some(SIGN));
    hall.decides("bob", SIGN, SCREEN).refused("signed-wrong");
    fs::remove_file(of("bob")).expect("removed");
    for who in ["bob", "erin"] {
        hall.turn(who, SIGN, SCREEN);
    }
    // The enclave ends before it has made anything. Another has other keys, and its own nonce.
    hall.stop("next");
    hall.types("alice", &run).refused("no-enclave");
    let again = hall.start("again");
    boots(hall, &again, "").good();
    for who in ["bob", "carol", "erin"] {
        hall.decides(who, PROVISION, SCREEN).good();
    }
    hall.until_running(&again);
    hall.types("alice", &format!("ceremony reshare run --socket {again}"))
        .refused("refused-reshare-for-another");
    order(hall, &again);
    for who in ["carol", "dave", "erin"] {
        hall.turn(who, SIGN, SCREEN);
    }
    again
}

fn order(hall: &Hall, socket: &str) {
    let line = format!(
        "ceremony reshare order --socket {socket} --members {} --threshold 4",
        AFTER.join(",")
    );
    hall.types("alice", &line).good();
}

/// The answer of an enclave with another byte in the middle of its record, which is a sealed share's.
fn bad_share(path: &Path) -> Vec<u8> {
    let mut bytes = fs::read(path).expect("an answer");
    let answer: Reshare = from_bytes(&bytes).expect("an answer");
    let record = to_bytes(&answer.record);
    let mut windows = bytes.windows(record.len());
    let at = windows.position(|window| window == record);
    bytes[at.expect("its record") + record.len() / 2] ^= 1;
    bytes
}

/// A bad new share, a member who does not take hers, and too few.
pub(super) fn made(hall: &mut Hall, socket: &str) {
    let run = format!("ceremony reshare run --socket {socket}");
    without_room(hall, &run);
    hall.types("alice", &run).good();
    let file = "reshares/0003/reshare.cbor";
    let bad = bad_share(&hall.shared().join(file));
    hall.without(file, Some(&bad), || {
        hall.is_warned("frank", NEW_SHARE, "reshare-record-signature");
        assert_eq!(hall.status(None)["resharing"]["state"], "answer-wrong");
        // What is in the folder is looked at first.
        hall.types("alice", &run)
            .refused("reshare-record-signature");
    });
    hall.hesitates("frank", NEW_SHARE);
    for who in ["alice", "bob", "frank"] {
        hall.turn(who, NEW_SHARE, SCREEN);
    }
    hall.types("alice", ROTATE)
        .refused("reshare-receipts-missing");
    // Erin has none; grace does not come; carol does.
    hall.types("erin", NEW_SHARE).refused("no-share");
    hall.turn("carol", NEW_SHARE, SCREEN);
}

const ROTATE: &str = "ceremony rotate --reshare --manifest-members alice,bob,carol,dave,frank,grace \
                      --manifest-threshold 4";

/// Old shares, an enclave of the old manifest, a folder that was set back, a member who comes late.
pub(super) fn rotated(hall: &mut Hall) -> String {
    without_room(hall, ROTATE);
    hall.types("alice", ROTATE).good();
    hall.types("bob", DESTROY).refused("nothing-to-destroy");
    for who in ["alice", "bob", "carol", "frank"] {
        hall.turn(who, APPROVE, SCREEN);
    }
    let old = hall.start("old");
    boots(hall, &old, "--manifest 1").good();
    hall.is_warned(
        "bob",
        &format!("{PROVISION} --socket {old}"),
        "rollback-lower",
    );
    hall.stop("old");
    // Somebody takes the new manifest out of the folder: who has approved it is not led back.
    let (folder, aside) = (
        hall.shared().join("manifests/0002"),
        hall.place.path("aside"),
    );
    fs::rename(&folder, &aside).expect("taken away");
    let back = hall.types("bob", "ceremony next");
    back.refused("rollback-lower");
    fs::rename(&aside, &folder).expect("put back");

    let two = hall.start("two");
    boots(hall, &two, "").good();
    hall.types("erin", PROVISION).refused("epoch-revoked");
    for who in ["alice", "bob", "carol"] {
        hall.turn(who, PROVISION, SCREEN);
    }
    // Grace is late, and takes her share before she gives it. So does dave, who gives none.
    hall.turn("grace", NEW_SHARE, SCREEN);
    hall.turn("grace", PROVISION, SCREEN);
    hall.until_running(&two);
    hall.turn("dave", NEW_SHARE, SCREEN);
    two
}

/// Manifests in another order, and one of them twice.
fn reordered(hall: &Hall) {
    let manifests = hall.shared().join("manifests");
    let at = |place: &str| manifests.join(place);
    let refused = || {
        for (who, line) in [
            ("bob", "ceremony next"),
            ("bob", APPROVE),
            ("alice", "ceremony drill start --socket nowhere"),
        ] {
            hall.types(who, line)
                .refused("chain-sequence")
                .says(&["manifest 2 is where manifest"]);
        }
    };
    let swap = || {
        for (from, to) in [("0001", "aside"), ("0002", "0001"), ("aside", "0002")] {
            fs::rename(at(from), at(to)).expect("moved");
        }
    };
    swap();
    refused();
    swap();
    let mut copied = Command::new("cp");
    let copied = copied.arg("-a").args([at("0002"), at("0003")]);
    assert!(copied.status().expect("cp").success());
    refused();
    fs::remove_dir_all(at("0003")).expect("removed");
}

/// Who stays keeps the key; who leaves does not. Then everything is closed.
pub(super) fn destroyed(hall: &Hall, two: &str) {
    hall.types("bob", &format!("{DESTROY} --with-key"))
        .refused("still-seated");
    hall.hesitates("bob", DESTROY);
    for who in &FOUNDERS[..4] {
        hall.turn(who, DESTROY, SCREEN);
    }
    hall.turn("erin", &format!("{DESTROY} --with-key"), SCREEN);
    reordered(hall);
    for who in AFTER {
        assert_eq!(hall.next(who), None, "{who}");
    }
    let status = hall.status(Some(two));
    assert_eq!(status["replaced"]["kept"], json!([]));
    interrupted(hall, "grace", "ceremony transcript sign");
    hall.unlocks("grace", "ceremony transcript sign").good();
    let line = ["ceremony", "transcript", "verify", "--folder", SHARED];
    let told = hall.run(&[&line[..], &["--json"]].concat()).good().json();
    assert_eq!(told["ok"], true);
    let genesis = hall.status(None)["genesis"].clone();
    let out = hall.place.path("evidence.cbor");
    let line = format!("ceremony evidence --socket {two} --out {}", out.display());
    hall.types("alice", &line).good();
    let line = ["verify", "evidence", "evidence.cbor", "--root", ROOT];
    let genesis = genesis.as_str().expect("a digest");
    let report = hall.run(&[&line[..], &["--genesis", genesis, "--json"]].concat());
    let report = report.good().json();
    assert_eq!(
        (&report["verdict"], &report["facts"]["sequence"]),
        (&json!("accept"), &json!(2))
    );
}
