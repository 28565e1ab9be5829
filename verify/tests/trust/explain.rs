//! The text of a report.

use quorate_protocol::cbor::to_bytes;
use quorate_verify::evidence::{CHECK_IDS, Policy, Time, verify};
use quorate_verify::explain::{Tone, lines, text};

use crate::evidence::report;
use crate::world::{Instance, World, anchors};

#[test]
fn accepted_report_begins_with_the_result_and_the_warning() {
    let world = World::new();
    let report = report(&Instance::new(&world).evidence());
    let page = lines(&report);
    assert_eq!(page[0].tone, Tone::Headline);
    assert_eq!(
        page[0].text,
        "ACCEPTED: the evidence is consistent, not pinned."
    );
    assert_eq!(page[1].tone, Tone::Warning);
    assert!(page[1].text.starts_with("DEVELOPMENT ROOT"));
    let text = text(&report);
    for id in CHECK_IDS {
        assert!(text.contains(id), "{id}");
    }
    for fact in [
        "called         acme",
        "approved by    alice and bob",
        "attested       2027-01-15 08:00:00 UTC",
        "shares of      alice, bob and dave",
        "statement      greeting of other, 5 bytes",
        "Whose namespace it is: pin the genesis digest",
    ] {
        assert!(text.contains(fact), "{fact}\n{text}");
    }
    assert!(text.contains(&world.genesis().to_string()));
    // An emulator vouches for nothing, so no line says that an enclave did.
    assert!(text.contains("Whoever has the development root's key says"));
    assert!(!text.contains("An enclave ran exactly"));
    assert!(!text.contains("its host could not read its memory"));
    assert!(!page.iter().any(|line| line.tone == Tone::Bad));
}

#[test]
fn pinned_report_does_not_ask_for_a_pin() {
    let world = World::new();
    let bytes = to_bytes(&Instance::new(&world).evidence());
    let policy = Policy::pinned(world.genesis());
    let text = text(&verify(&bytes, &policy, &anchors(), Time::Archived));
    assert!(text.starts_with("ACCEPTED: a provisioned instance of the namespace you pinned"));
    assert!(!text.contains("Whose namespace it is"));
}

#[test]
fn rejected_report_says_why_and_what_to_do() {
    let world = World::new();
    let mut evidence = Instance::new(&world).evidence();
    evidence.provisioning = None;
    evidence.applications.clear();
    let report = report(&evidence);
    let page = lines(&report);
    assert_eq!(page[0].text, "REJECTED: do not rely on this evidence.");
    let reason = page.iter().find(|line| line.tone == Tone::Bad).unwrap();
    assert_eq!(
        reason.text,
        "  provisioned: there is no provisioning: the evidence proves what was booted, not that \
         it was provisioned"
    );
    let text = text(&report);
    assert!(text.contains("What to do: Ask for evidence again"));
    assert!(!text.contains("What this shows"));
}
