//! Pages as the commands make them, and a model as text.

#![allow(dead_code, reason = "each test uses its part")]

mod drill;
mod surrogate;

use std::time::Duration;

use quorate_screens::{
    Age, Body, Cell, Change, ChangeKind, Confirm, Margin, Mark, Model, Page, PinTries, Record, Row,
    Seat, Text, Verdict, view,
};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

/// The model as a terminal shows it.
pub(crate) fn drawn(model: &Model) -> String {
    let (width, height) = model.size();
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| view(model, frame)).unwrap();
    let buffer = terminal.backend().buffer();
    let mut text = String::new();
    for y in 0..height {
        let line: String = (0..width).map(|x| buffer[(x, y)].symbol()).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

pub(crate) fn attested() -> Page {
    let pcr = "3b6a7d0e".repeat(12);
    Page {
        title: "this enclave waits for your share".into(),
        verdict: Verdict::Safe("it runs what the manifest set approved".into()),
        development: false,
        age: Some(Age {
            so_far: Duration::from_secs(3),
            limit: Duration::from_secs(60),
        }),
        body: Body::Facts {
            rows: vec![
                Row::new("genesis digest", "8a".repeat(32)).how("your pin, written at the genesis"),
                Row::new("manifest", format!("4, {}", "c1".repeat(32)))
                    .how("2 of 3 approvals along the chain from your genesis"),
                Row::new("PCR0", pcr).how("signed by the security module, as in the manifest"),
                Row::new("root", "AWS Nitro Enclaves, aws")
                    .how("named by the definition you signed"),
                Row::new("your nonce", "echoed").how("byte for byte, in the signed document"),
            ],
            raw: vec![
                Row::new("module id", "i-0abc-enc0123"),
                Row::new("time", "2026-11-26T06:00:00Z"),
                Row::new("document", "e0".repeat(32)),
                Row::new("nonce", "77".repeat(32)),
            ],
        },
        notes: vec!["newest manifest not confirmed: no witness was asked".into()],
        confirm: Some(Confirm {
            action: "give your share to this enclave".into(),
            words: ["drumbeat".into(), "antenna".into()],
        }),
    }
}

pub(crate) fn refused() -> Page {
    Page {
        title: "this enclave is not what was approved".into(),
        verdict: Verdict::DoNot {
            reason: "PCR0 is not that of manifest 4".into(),
            remedy: "give nothing; ask the coordinator which image was started".into(),
        },
        confirm: attested().confirm,
        ..attested()
    }
}

pub(crate) fn rehearsed() -> Page {
    Page {
        development: true,
        ..attested()
    }
}

pub(crate) fn diff() -> Page {
    let change = |kind, words: &str| Change {
        kind,
        words: words.into(),
    };
    Page {
        title: "you are about to approve manifest 5".into(),
        verdict: Verdict::ForInformation,
        development: false,
        age: None,
        body: Body::Diff {
            changes: vec![
                change(ChangeKind::Changed, "PCR0 is another: the image is another"),
                change(
                    ChangeKind::Added,
                    "application fetch, 4,194,304 bytes, may connect to api.example:443",
                ),
                change(ChangeKind::Removed, "application echo"),
                change(
                    ChangeKind::Grave,
                    "the share set's threshold falls from 3 to 2: the present share set must approve too",
                ),
            ],
            rows: vec![
                Row::new("sequence", "5"),
                Row::of(
                    "applications",
                    vec!["policy".into(), "signing".into(), "fetch".into()],
                ),
            ],
        },
        notes: vec!["newest manifest not confirmed: no witness was asked".into()],
        confirm: Some(Confirm {
            action: "approve manifest 5".into(),
            words: ["crackdown".into(), "belowground".into()],
        }),
    }
}

pub(crate) fn board() -> Page {
    let cell = |mark, word: &str| Cell {
        mark,
        word: word.into(),
    };
    let seat = |name: &str, cells: [Cell; 3]| Seat {
        name: name.into(),
        cells: cells.to_vec(),
    };
    let done = || cell(Mark::Done, "done");
    Page {
        title: "treasury: members approve manifest 1".into(),
        verdict: Verdict::ForInformation,
        development: false,
        age: None,
        body: Body::Board {
            phases: ["consent", "receipt", "approval"].map(Text::new).to_vec(),
            seats: vec![
                seat("alice", [done(), done(), done()]),
                seat("bob", [done(), done(), cell(Mark::Awaited, "awaited")]),
                seat(
                    "carol",
                    [done(), cell(Mark::Bad, "not theirs"), cell(Mark::Idle, "-")],
                ),
            ],
            margins: vec![
                Margin {
                    what: "consents".into(),
                    have: 3,
                    need: 3,
                },
                Margin {
                    what: "approvals".into(),
                    have: 1,
                    need: 2,
                },
                Margin {
                    what: "shares".into(),
                    have: 3,
                    need: 2,
                },
            ],
        },
        notes: vec![],
        confirm: None,
    }
}

/// An order of a resharing, before a member consents to it.
pub(crate) fn order() -> Page {
    let grave = |words: String| Change {
        kind: ChangeKind::Grave,
        words: words.into(),
    };
    let epoch = "a4".repeat(32);
    Page {
        title: "you are about to consent that the key is shared anew".into(),
        verdict: Verdict::Safe(
            "it is for what runs now, and no other enclave can carry it out".into(),
        ),
        body: Body::Diff {
            changes: vec![
                grave("CHANGES THE SHARE HOLDERS from 3 of 5 to 4 of 6".into()),
                grave(format!(
                    "ADDS frank TO THE SHARE HOLDERS, at index 6, with the key {}",
                    "03".repeat(33)
                )),
                grave(format!(
                    "MAKES NEW SHARES OF THE SAME KEY: those of {epoch} count no more once a \
                     manifest names the new ones"
                )),
                Change {
                    kind: ChangeKind::Added,
                    words: "can be carried out until 2026-12-03T09:30:00.000Z, and never after it"
                        .into(),
                },
            ],
            rows: vec![
                Row::new("order", "1"),
                Row::new("fingerprint", "d1".repeat(32)),
                Row::new("genesis digest", "8a".repeat(32)).how("your pin, written at the receipt"),
                Row::new("replaces the shares", epoch).how("the shares that this manifest names"),
            ],
        },
        notes: vec!["compare the fingerprint by voice with the other members".into()],
        confirm: Some(Confirm {
            action: "consent that the key is shared anew".into(),
            words: ["spheroid".into(), "megaton".into()],
        }),
        ..diff()
    }
}

/// A new share, before its holder signs for it.
pub(crate) fn new_share() -> Page {
    let (was, is) = ("a4".repeat(32), "b7".repeat(32));
    Page {
        title: "an enclave of this namespace made this share for you".into(),
        verdict: Verdict::Safe(
            "an enclave that has your key made it, on an order of enough people".into(),
        ),
        body: Body::Diff {
            changes: vec![
                Change {
                    kind: ChangeKind::Grave,
                    words: "CHANGES THE SHARE HOLDERS from 3 of 5 to 4 of 6".into(),
                },
                Change {
                    kind: ChangeKind::Grave,
                    words: format!(
                        "BRINGS NEW SHARES OF THE SAME KEY, of {is}: those of {was} count no more \
                         once a manifest names these"
                    )
                    .into(),
                },
            ],
            rows: vec![
                Row::new("your index", "6"),
                Row::new("new shares", is)
                    .how("digest of the new commitments, which begin with your quorum key"),
                Row::new("share set", "alice, bob, carol")
                    .how("each signature, and enough of them"),
            ],
        },
        notes: Vec::new(),
        confirm: Some(Confirm {
            action: "keep this share and sign that you hold it".into(),
            words: ["prowler".into(), "resistor".into()],
        }),
        ..diff()
    }
}

/// The board of a resharing, with consents still missing.
pub(crate) fn resharing_board() -> Page {
    let cell = |mark, word: &str| Cell {
        mark,
        word: word.into(),
    };
    let seat = |name: &str, cells: [Cell; 3]| Seat {
        name: name.into(),
        cells: cells.to_vec(),
    };
    let given = || cell(Mark::Done, "given");
    let later = || cell(Mark::Idle, "not yet");
    let none = || cell(Mark::Idle, "not asked");
    let margin = |what: &str, have, need| Margin {
        what: what.into(),
        have,
        need,
    };
    let awaited = || cell(Mark::Awaited, "awaited");
    Page {
        title: "treasury: next is reshare sign".into(),
        body: Body::Board {
            phases: ["approver's consent", "holder's consent", "new share"]
                .map(Text::new)
                .to_vec(),
            seats: vec![
                seat("alice", [given(), given(), later()]),
                seat("bob", [awaited(), awaited(), later()]),
                seat("carol", [none(), given(), cell(Mark::Idle, "none")]),
                seat("dave", [none(), none(), later()]),
            ],
            margins: vec![
                margin("consents of the approvers", 1, 2),
                margin("consents of the holders", 2, 2),
            ],
        },
        notes: vec!["order 1 can be carried out until 2026-12-03T09:30:00.000Z".into()],
        ..board()
    }
}

/// The board once a manifest has named the new shares.
pub(crate) fn rotation_board() -> Page {
    let cell = |mark, word: &str| Cell {
        mark,
        word: word.into(),
    };
    let seat = |name: &str, cells: [Cell; 4]| Seat {
        name: name.into(),
        cells: cells.to_vec(),
    };
    let held = || cell(Mark::Done, "held");
    let none = || cell(Mark::Idle, "none");
    Page {
        title: "treasury: next is boot".into(),
        body: Body::Board {
            phases: ["new share", "approval", "share", "old share"]
                .map(Text::new)
                .to_vec(),
            seats: vec![
                seat(
                    "alice",
                    [
                        held(),
                        cell(Mark::Done, "given"),
                        cell(Mark::Done, "given, it says"),
                        cell(Mark::Done, "destroyed"),
                    ],
                ),
                seat(
                    "bob",
                    [
                        cell(Mark::Awaited, "awaited"),
                        cell(Mark::Done, "given"),
                        cell(Mark::Awaited, "awaited"),
                        cell(Mark::Awaited, "to destroy"),
                    ],
                ),
                seat(
                    "dave",
                    [
                        held(),
                        cell(Mark::Idle, "not asked"),
                        cell(Mark::Awaited, "awaited"),
                        none(),
                    ],
                ),
            ],
            margins: vec![
                Margin {
                    what: "new shares proved".into(),
                    have: 2,
                    need: 2,
                },
                Margin {
                    what: "old shares destroyed, as they signed".into(),
                    have: 1,
                    need: 2,
                },
            ],
        },
        notes: vec!["the new shares count, by manifest 2".into()],
        ..board()
    }
}

pub(crate) fn token(tries: PinTries) -> Page {
    Page {
        title: "your token".into(),
        verdict: Verdict::ForInformation,
        development: false,
        age: None,
        body: Body::Token {
            rows: vec![
                Row::new("model", "SoftHSM v2"),
                Row::new("serial", "b9f4a1c2d3e4f506"),
                Row::new("firmware", "2.6"),
            ],
            tries,
        },
        notes: vec![],
        confirm: None,
    }
}

pub(crate) fn transcript() -> Page {
    let record = |author: &str, act: &str, fact: &str, refusal| Record {
        time: "2026-11-26T06:00:00Z".into(),
        author: author.into(),
        act: act.into(),
        facts: vec![fact.into()],
        refusal,
    };
    Page {
        title: "the transcript of treasury".into(),
        verdict: Verdict::Safe("every record is its author's, in one chain".into()),
        development: false,
        age: None,
        body: Body::Transcript {
            words: ["drumbeat", "antenna", "crackdown", "belowground"]
                .map(Text::new)
                .to_vec(),
            records: vec![
                record("alice", "join", "key in a file", false),
                record("bob", "provision", "PCR0 is not that of manifest 4", true),
            ],
        },
        notes: vec![],
        confirm: None,
    }
}

pub(crate) fn pages() -> Vec<(&'static str, Page)> {
    vec![
        ("attested-safe", attested()),
        ("attested-do-not", refused()),
        ("attested-rehearsal", rehearsed()),
        ("manifest-diff", diff()),
        ("board", board()),
        ("reshare-order", order()),
        ("reshare-receipt", new_share()),
        ("reshare-board", resharing_board()),
        ("rotate-board", rotation_board()),
        ("token", token(PinTries::NotReduced)),
        ("token-one-try", token(PinTries::Last)),
        ("transcript", transcript()),
        ("drill-give", drill::give()),
        ("drill-prove-only", drill::prove_only()),
        ("drill-do-not", drill::real()),
        ("surrogate-share", surrogate::share()),
    ]
}
