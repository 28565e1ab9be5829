//! Surrogates by the commands: bob lets grace approve and give his share, each command a process of its
//! own, against a real emulated enclave.
//!
//! Needs the static enclave binaries, which `./test` builds first; where `CI` is set their absence
//! is a failure.

#[path = "support/emulator.rs"]
mod emulator;
mod support;
#[path = "support/world.rs"]
mod world;

use serde_json::json;
use support::{Ran, binaries};
use world::{World, text};

fn surrogate(world: &World, step: &str, who: &str, more: &[&str]) -> Ran {
    let start = ["ceremony", "surrogate", step, "--folder", "shared"];
    let end = ["--private", who, "--passphrase-file", "-", "--json"];
    let words = world::words(who);
    world.place.run_with(&[&start, more, &end].concat(), &words)
}

#[track_caller]
fn refused(ran: &Ran, code: &str) {
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(ran.json()["error"]["code"], code, "{ran:?}");
}

#[test]
fn a_surrogate_takes_a_members_part_by_the_commands() {
    let Some(binaries) = binaries() else { return };
    let mut world = World::new(binaries);
    world.found_under_development_root();
    let genesis = world.genesis();
    world.propose("shared", "30");
    let named = ["--name", "grace", "--genesis", &genesis];
    world.person("join", "grace", "shared", &named).good();

    // Nobody has named her, and bob cannot name a member, or for longer than two weeks.
    refused(
        &world.person("approve", "grace", "shared", &[]),
        "no-approval-needed",
    );
    refused(
        &surrogate(&world, "name", "bob", &["alice"]),
        "surrogate-is-member",
    );
    refused(
        &surrogate(&world, "name", "bob", &["grace", "--days", "15"]),
        "delegation-days",
    );
    refused(
        &surrogate(&world, "accept", "grace", &[]),
        "chain-threshold",
    );

    let dry = surrogate(&world, "name", "bob", &["grace", "--dry-run"]);
    assert_eq!(dry.good().json()["dry_run"], true);
    let done = surrogate(&world, "name", "bob", &["grace", "--days", "3"]);
    let done = done.good().json();
    assert_eq!(done["surrogate"], "grace");
    assert_eq!(done["roles"], json!(["manifest-set", "share-set"]));
    // A surrogate names nobody.
    refused(&surrogate(&world, "name", "grace", &["grace"]), "no-seat");

    world.person("approve", "alice", "shared", &[]).good();
    let done = world.person("approve", "grace", "shared", &[]);
    assert_eq!(done.good().json()["for_member"], "bob");
    let status = world.step("status", "shared", &[]).good().json();
    assert_eq!(
        status["manifests"][0]["surrogates"],
        json!([{ "member": "bob", "surrogate": "grace", "role": "manifest-set" }])
    );
    assert_eq!(status["manifests"][0]["approved"], true);

    let socket = world.boot("one", "shared", &[]);
    let at = ["--socket", &socket];
    refused(
        &world.person("provision", "grace", "shared", &at),
        "nothing-entrusted",
    );
    let told = surrogate(&world, "share", "bob", &["grace", "--dry-run"]);
    let told = told.good().json()["notes"].to_string();
    assert!(told.contains("CANNOT BE TAKEN BACK"), "{told}");
    surrogate(&world, "share", "bob", &["grace"]).good();
    surrogate(&world, "accept", "grace", &[]).good();
    world.untouched(&socket);
    let done = world.person("provision", "grace", "shared", &at);
    assert_eq!(done.good().json()["for_member"], "bob");
    // Bob's share has been given.
    refused(
        &world.person("provision", "bob", "shared", &at),
        "refused-share-repeated",
    );
    world.person("provision", "alice", "shared", &at).good();
    support::until("the application runs", || {
        world.claims(&socket)["phase"] == "running"
    });

    let (code, report) = world.verified(&socket, &genesis);
    assert_eq!(code, Some(0), "{report}");
    let given = &report["facts"]["shares_given_by"];
    assert_eq!(given[1]["name"], "bob", "{given}");
    assert_eq!(given[1]["by_surrogate"], "grace", "{given}");
    assert_eq!(given[0]["by_surrogate"], json!(null), "{given}");
    let list = [
        "ceremony",
        "surrogate",
        "list",
        "--folder",
        "shared",
        "--json",
    ];
    let list = world.place.run(&list).good().json();
    let one = &list["delegations"][0];
    assert_eq!(
        (&one["counts"], &one["entrusted"], &one["approved"]),
        (&json!(true), &json!(true), &json!(true)),
        "{list}"
    );
    assert_eq!(text(one, "surrogate"), "grace");
    let told = world.place.run(&[
        "ceremony",
        "transcript",
        "verify",
        "--folder",
        "shared",
        "--json",
    ]);
    // Bob named her and gave her the share, Alice saw no record of hers: she is an author all the same.
    let by = told.good().json()["authors"].clone();
    let names = by.as_array().unwrap().iter().map(|one| text(one, "name"));
    assert!(names.clone().any(|name| name == "grace"), "{by}");
    let shown = world.place.run(&[
        "ceremony",
        "transcript",
        "show",
        "--folder",
        "shared",
        "--genesis",
        &genesis,
    ]);
    let shown = shown.good().out;
    assert!(
        shown.contains("grace acts for bob, manifest 1, until "),
        "{shown}"
    );
    let gift = shown
        .lines()
        .find(|line| line.contains("grace") && line.contains(": provision at "));
    assert!(gift.is_some(), "{shown}");
}
