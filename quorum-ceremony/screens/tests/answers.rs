//! What keys and time do.

mod support;

use std::time::Duration;

use proptest::prelude::*;
use quorate_screens::{Body, Key, Message, Model, Outcome, Pane, Row, Text, update};
use support::{attested, board, drawn, pages, refused};

fn typed(model: &mut Model, text: &str) -> Option<Outcome> {
    for char in text.chars() {
        if let Some(outcome) = update(model, Message::Key(Key::Char(char))) {
            return Some(outcome);
        }
    }
    update(model, Message::Key(Key::Enter))
}

#[test]
fn the_two_words_are_a_yes() {
    for answer in [
        "drumbeat antenna",
        "  Drumbeat-ANTENNA ",
        "drumbeat  antenna",
    ] {
        let mut model = Model::new(attested(), 80, 24);
        assert_eq!(typed(&mut model, answer), Some(Outcome::Confirmed));
    }
}

#[test]
fn another_answer_fails_closed() {
    for answer in [
        "",
        "y",
        "yes",
        "drumbeat",
        "antenna drumbeat",
        "drumbeatantenna",
        "drumbeat antenna x",
    ] {
        let mut model = Model::new(attested(), 80, 24);
        assert_eq!(typed(&mut model, answer), None, "{answer}");
        assert_eq!(model.typed(), "");
        assert_eq!(model.is_wrong(), !answer.is_empty());
        // And the right one is still possible.
        assert_eq!(
            typed(&mut model, "drumbeat antenna"),
            Some(Outcome::Confirmed)
        );
    }
}

#[test]
fn a_yes_to_what_does_not_hold_fails_closed() {
    let mut model = Model::new(refused(), 80, 24);
    assert!(!model.can_confirm() && !model.agrees("drumbeat antenna"));
    assert_eq!(typed(&mut model, "drumbeat antenna"), None);
    assert!(!drawn(&model).contains("drumbeat"));
    assert_eq!(
        update(&mut model, Message::Key(Key::Char('q'))),
        Some(Outcome::Left)
    );
}

#[test]
fn a_yes_to_an_old_attestation_fails_closed() {
    let mut model = Model::new(attested(), 80, 24);
    // Three seconds had gone by when the page was made.
    update(&mut model, Message::Elapsed(Duration::from_secs(57)));
    assert!(model.can_confirm() && model.agrees("drumbeat antenna"));
    update(&mut model, Message::Elapsed(Duration::from_millis(57_001)));
    assert!(!model.can_confirm() && !model.agrees("drumbeat antenna"));
    assert_eq!(typed(&mut model, "drumbeat antenna"), None);
    assert!(drawn(&model).contains("DO NOT: the attestation has become too old"));
    // No clock makes it young again.
    update(&mut model, Message::Elapsed(Duration::from_secs(1)));
    assert!(!model.can_confirm());
    assert_eq!(
        update(&mut model, Message::Key(Key::Renew)),
        Some(Outcome::Renew)
    );
}

#[test]
fn a_page_without_a_question_is_only_read() {
    let mut model = Model::new(board(), 80, 24);
    assert_eq!(update(&mut model, Message::Key(Key::Renew)), None);
    assert_eq!(update(&mut model, Message::Key(Key::Tab)), None);
    assert_eq!(model.pane(), Pane::Found);
    assert_eq!(
        update(&mut model, Message::Key(Key::Enter)),
        Some(Outcome::Left)
    );
}

#[test]
fn what_does_not_fit_is_scrolled_to() {
    let mut page = attested();
    page.body = Body::Facts {
        rows: (0..100)
            .map(|n| Row::new(format!("row {n}"), "x"))
            .collect(),
        raw: vec![],
    };
    let mut model = Model::new(page, 80, 24);
    assert!(drawn(&model).contains("row 0 "));
    assert!(!drawn(&model).contains("row 99 "));
    for _ in 0..30 {
        update(&mut model, Message::Key(Key::PageDown));
    }
    assert!(drawn(&model).contains("row 99 "));
    assert!(drawn(&model).contains("of 100"));
    for _ in 0..30 {
        update(&mut model, Message::Key(Key::PageUp));
    }
    assert!(drawn(&model).contains("row 0 "));
}

#[test]
fn what_steers_a_terminal_is_never_drawn() {
    let mut page = attested();
    page.title = Text::new("\u{1b}]0;owned\u{7}");
    page.notes = vec![Text::new("\u{202e}reversed")];
    let drawn = drawn(&Model::new(page, 80, 24));
    assert!(!drawn.contains(['\u{1b}', '\u{7}', '\u{202e}']));
}

fn keys() -> impl Strategy<Value = Message> {
    let key = prop_oneof![
        any::<char>().prop_map(Key::Char),
        prop_oneof![
            Just(Key::Backspace),
            Just(Key::Enter),
            Just(Key::Tab),
            Just(Key::Up),
            Just(Key::Down),
            Just(Key::PageUp),
            Just(Key::PageDown),
            Just(Key::Renew)
        ],
    ];
    prop_oneof![
        8 => key.prop_map(Message::Key),
        1 => (0_u64..200).prop_map(|s| Message::Elapsed(Duration::from_secs(s))),
        2 => (0_u16..200, 0_u16..60).prop_map(|(width, height)| Message::Size { width, height }),
    ]
}

proptest! {
    /// Whatever is pressed and however small the screen: nothing panics, and no keys but the words
    /// are a yes.
    #[test]
    fn no_keys_but_the_words_are_a_yes(messages in prop::collection::vec(keys(), 0..60), page in 0_usize..8) {
        let (_, page) = pages().swap_remove(page);
        let mut model = Model::new(page, 80, 24);
        for message in messages {
            let outcome = update(&mut model, message);
            prop_assert_ne!(outcome, Some(Outcome::Confirmed));
            if outcome.is_some() {
                break;
            }
            let (width, height) = model.size();
            if width > 0 && height > 0 {
                drawn(&model);
            }
        }
    }
}
