//! Every page at two sizes and as lines, against committed text.
//!
//! `QUORATE_TEST_UPDATE=1 cargo test -p quorate-screens --test pages` writes the text anew, for a
//! person to read in the diff.

mod support;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use quorate_screens::{Confirm, Key, Message, Model, Verdict, plain, terminal, update};
use support::{drawn, pages};

/// What the last line of a screen says about keys.
const KEYS: &str = "Enter answer Esc leave, nothing is signed or given ^R attest again Tab other pane \
                    arrows scroll q leave";

/// How a screen says that some notes are further up.
const FURTHER: &str = "further notes: ";

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
        // Where notes did not fit, a line says where they are.
        let drawn = drawn.lines().filter(|line| !line.starts_with(FURTHER));
        let drawn = drawn.collect::<Vec<_>>().join("\n");
        for word in drawn.split(|c: char| c.is_whitespace() || "┌─┐│└┘".contains(c)) {
            assert!(
                lines.contains(word) || word == ">" || word == "_" || KEYS.contains(word),
                "{name}: {word}"
            );
        }
    }
}

/// And the other way round: whoever scrolls through both panes has seen every word of the lines, on a
/// small screen too. At this width a pane breaks long words where the lines do.
#[test]
fn nothing_is_in_the_lines_that_is_not_on_a_screen() {
    for (name, page) in pages() {
        for height in [terminal::LEAST.1, 24] {
            let mut model = Model::new(page.clone(), 200, height);
            let mut seen = String::new();
            for _ in 0..2 {
                let mut before = String::new();
                while drawn(&model) != before {
                    before = drawn(&model);
                    seen.extend(before.split_whitespace());
                    update(&mut model, Message::Key(Key::Down));
                }
                update(&mut model, Message::Key(Key::Tab));
            }
            let mut lines = plain::text(&page);
            lines.extend(plain::question(&page));
            // The title of a pane ends its line there.
            let lines = lines.replace(":\n", "\n");
            for word in lines.split_whitespace() {
                assert!(seen.contains(word), "{name}, {height} lines: {word}");
            }
        }
    }
}

/// On the smallest screen that gets a page at all: the verdict, the question, and room to read.
#[test]
fn verdict_and_question_are_on_the_smallest_screen() {
    let (width, height) = terminal::LEAST;
    for (name, page) in pages() {
        let shown = drawn(&Model::new(page.clone(), width, height));
        let verdict = match &page.verdict {
            Verdict::Safe(_) => Some("SAFE: "),
            Verdict::DoNot { .. } => Some("DO NOT: "),
            Verdict::ForInformation => None,
        };
        if let Some(verdict) = verdict {
            assert!(shown.contains(verdict), "{name}:\n{shown}");
        }
        if let Some(Confirm { words, .. }) = page.confirm
            && !matches!(page.verdict, Verdict::DoNot { .. })
        {
            for word in [words[0].as_str(), words[1].as_str(), "> _"] {
                assert!(shown.contains(word), "{name}: no {word}\n{shown}");
            }
        }
        assert!(shown.contains("scroll"), "{name}:\n{shown}");
        assert!(shown.contains('└'), "{name}: no pane\n{shown}");
    }
}
