//! The pages of a drill, as `drill give` makes them. `start` and `finish` ask nothing and have none.

use std::time::Duration;

use quorate_screens::{Age, Body, Confirm, Page, Row, Text, Verdict};

const STAYS: &str = "THIS IS A DRILL: your real share does not leave this machine. It signs, for this \
                     enclave only, that you hold it";
const NEWEST: &str =
    "newest manifest not confirmed: no witness was asked whether a newer one exists";

fn lines(text: &[&str]) -> Vec<Text> {
    text.iter().copied().map(Text::new).collect()
}

/// What a verified drill enclave is, beside what it signed.
fn found(gives: &str) -> Body {
    let register = "3b6a7d0e".repeat(12);
    let image = [
        format!("PCR0 {register}"),
        format!("PCR1 {register}"),
        format!("PCR2 {}", "21b9efbc".repeat(12)),
    ];
    let application = format!("echo {}", "5e".repeat(32));
    let rows =
        vec![
        Row::new("you give", gives),
        Row::new("genesis digest", "8a".repeat(32)).how("your pin, written at the receipt"),
        Row::new("manifest", "c1".repeat(32)).how(
            "approved link by link from your genesis, and committed to by the enclave as a drill's",
        ),
        Row::new("sequence", "4"),
        Row::of(
            "applications",
            lines(&[&application, "  calls no other application", "  connects nowhere"]),
        )
        .how("in the approved manifest; none is started in a drill"),
        Row::new(
            "may boot",
            "2026-11-26T06:00:00.000Z to 2027-11-26T06:00:00.000Z",
        ),
        Row::of("image measures as", image.map(Text::from).into())
            .how("signed by the security module, equal to the manifest's"),
        Row::new("attestation", "e0".repeat(32))
            .how("chain of certificates up to the root of your definition"),
        Row::new("enclave", "i-0abc-enc0123"),
        Row::new(
            "signed at",
            "2026-11-26T06:00:00.000Z (0 s from this machine's clock)",
        )
        .how("signed for your own nonce"),
    ];
    let raw = vec![
        Row::new("own nonce", "77".repeat(32)).how("it came back byte for byte"),
        Row::new("document", "e0".repeat(32)).how("SHA-256 of what was received"),
        Row::new("module id", "i-0abc-enc0123"),
        Row::new("time", "2026-11-26T06:00:00.000Z"),
        Row::new("PCR0", register),
    ];
    Body::Facts { rows, raw }
}

/// An enclave that was started for a drill, before a member takes part.
pub(crate) fn give() -> Page {
    Page {
        title: "A DRILL: this enclave is verified, and takes drill shares only".into(),
        verdict: Verdict::Safe(
            "it runs what was approved, was started for a drill, and can do nothing else".into(),
        ),
        development: false,
        age: Some(Age {
            so_far: Duration::from_secs(3),
            limit: Duration::from_secs(60),
        }),
        body: found("proof of your real share, and your drill share"),
        notes: lines(&[STAYS, NEWEST]),
        confirm: Some(Confirm {
            action: "take part in this drill".into(),
            words: ["drumbeat".into(), "antenna".into()],
        }),
    }
}

/// The same for somebody whose drill share is sealed to keys that they have replaced, on a machine whose
/// clock is wrong, with files in the shared folder that are not their authors', one of which has a name
/// that would steer a terminal. More notes than there is room for.
pub(crate) fn prove_only() -> Page {
    let left_out = "the approval of manifest 4 in the name of bob for the manifest-set is not theirs \
                    and was left out";
    Page {
        development: true,
        body: found("proof of your real share only"),
        notes: lines(&[
            STAYS,
            "your drill share is sealed to keys that you have replaced; the next resharing makes \
             another one",
            NEWEST,
            "this machine's clock and the enclave's are 61 minutes apart. What you sign carries this \
             machine's time, and manifests begin and end by the enclave's: set the clock that is \
             wrong. The attestation is fresh all the same: it answers your own nonce",
            left_out,
            "the approval of manifest 4 in the name of \u{1b}[2J\u{202e}lorac\u{7} is not theirs",
        ]),
        ..give()
    }
}

/// An enclave that takes real shares, where a drill was expected.
pub(crate) fn real() -> Page {
    Page {
        title: "this enclave gets nothing from you".into(),
        verdict: Verdict::DoNot {
            reason:
                "the enclave was not started for a drill: it is an instance that takes real shares"
                    .into(),
            remedy:
                "Give no drill share to this enclave. Ask for one that was started with quorate \
                     ceremony drill start."
                    .into(),
        },
        development: false,
        age: None,
        body: Body::Facts {
            rows: vec![
                Row::new("at fault", "the enclave"),
                Row::new("code", "instance-not-for-drill"),
            ],
            raw: Vec::new(),
        },
        notes: Vec::new(),
        confirm: None,
    }
}
