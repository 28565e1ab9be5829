//! Every page at two sizes and as lines, against committed text.
//!
//! `QUORATE_TEST_UPDATE=1 cargo test -p quorate-screens --test pages` writes the text anew, for a
//! person to read in the diff.

mod support;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use quorate_screens::{Key, Message, Model, plain, update};
use support::{drawn, pages};

/// What the last line of a screen says about keys.
const KEYS: &str = "Enter answer Esc leave, nothing is signed or given ^R attest again Tab other pane \
                    arrows scroll q leave";

const SIZES: [(u16, u16); 2] = [(80, 24), (120, 40)];

#[test]
fn pages_look_as_committed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pages");
    let write = std::env::var_os("QUORATE_TEST_UPDATE").is_some();
    let mut differ = Vec::new();
    for (name, page) in pages() {
        let mut found = String::new();
        for (width, height) in SIZES {
            let mut model = Model::new(page.clone(), width, height);
            let _ = writeln!(found, "== {width} x {height}");
            found.push_str(&drawn(&model));
            if model.has_beside() && width < 110 {
                update(&mut model, Message::Key(Key::Tab));
                let _ = writeln!(found, "== {width} x {height}, the other pane");
                found.push_str(&drawn(&model));
            }
        }
        let _ = writeln!(found, "== plain");
        found.push_str(&plain::text(&page));
        if let Some(question) = plain::question(&page) {
            let _ = writeln!(found, "{question}");
        }
        let path = folder.join(format!("{name}.txt"));
        if write {
            fs::write(&path, &found).unwrap();
        } else if fs::read_to_string(&path).unwrap_or_default() != found {
            println!("{name}:\n{found}");
            differ.push(name);
        }
    }
    assert!(differ.is_empty(), "these pages differ: {differ:?}");
    let kept = fs::read_dir(&folder).unwrap().count();
    assert_eq!(kept, pages().len(), "a committed page that no test draws");
}

/// The rule for people who cannot tell colours: what is drawn is all there is.
#[test]
fn nothing_is_on_a_screen_that_is_not_in_the_lines() {
    for (name, page) in pages() {
        let mut lines = plain::text(&page);
        lines.extend(plain::question(&page));
        // Both are wrapped, each at its own width.
        let lines: String = lines.split_whitespace().collect();
        let drawn = drawn(&Model::new(page, 200, 200));
        for word in drawn.split(|c: char| c.is_whitespace() || "┌─┐│└┘".contains(c)) {
            assert!(
                lines.contains(word) || word == ">" || word == "_" || KEYS.contains(word),
                "{name}: {word}"
            );
        }
    }
}
