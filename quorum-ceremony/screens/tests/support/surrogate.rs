//! The page of a member who gives a surrogate their share, as `surrogate share` makes it.

use quorate_screens::{Body, Change, ChangeKind, Confirm, Page, Row, Verdict};

const FOR_GOOD: &str = "THIS CANNOT BE TAKEN BACK before the next resharing: whoever has a share once \
     has it for good, whatever becomes of the delegation";

/// A share that is ready to be sealed to a surrogate.
pub(crate) fn share() -> Page {
    let grave = |words: &str| Change {
        kind: ChangeKind::Grave,
        words: words.into(),
    };
    Page {
        title: "you are about to give your share out of your hands".into(),
        verdict: Verdict::ForInformation,
        development: false,
        age: None,
        body: Body::Diff {
            changes: vec![
                grave("grace GETS YOUR SHARE"),
                grave(FOR_GOOD),
                Change {
                    kind: ChangeKind::Added,
                    words: "grace may give it to enclaves that run manifest 4, until \
                            2026-11-29T06:00:00.000Z by the enclave's time"
                        .into(),
                },
            ],
            rows: vec![
                Row::new("fingerprint", "d1".repeat(32)),
                Row::new("your index", "2"),
                Row::new("epoch", "a4".repeat(32)),
                Row::new("for", "bob"),
                Row::new("surrogate", "grace"),
                Row::of("in the", vec!["manifest-set".into(), "share-set".into()]),
                Row::new("for manifest", "4"),
                Row::new("until, by the enclave's time", "2026-11-29T06:00:00.000Z"),
                Row::new("genesis digest", "8a".repeat(32)),
                Row::new("surrogate's signing key", "02".repeat(33)),
                Row::new("sealed to the key", "03".repeat(33)),
            ],
        },
        notes: vec![FOR_GOOD.into()],
        confirm: Some(Confirm {
            action: "give grace your share; this cannot be taken back".into(),
            words: ["spheroid".into(), "megaton".into()],
        }),
    }
}
