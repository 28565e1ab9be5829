//! What is committed is what the generator makes: the same bytes, no file more, none less.

use std::collections::BTreeMap;
use std::fs;

use quorate_vectors::committed::{folder, generated};

/// A difference means that a format or a digest changed, which outsiders notice. If that is meant,
/// it takes a new format number or label, and then `cargo run -p quorate-vectors`.
#[test]
fn committed_vectors_are_what_the_generator_makes() {
    let made: BTreeMap<_, _> = quorate_vectors::files()
        .into_iter()
        .map(|(path, bytes)| (folder().join(path), bytes))
        .collect();
    for (path, bytes) in &made {
        let committed = fs::read(path).unwrap_or_default();
        assert!(committed == *bytes, "{} differs", path.display());
    }
    for path in generated().expect("the folders can be read") {
        assert!(
            made.contains_key(&path),
            "{} is not made any more",
            path.display()
        );
    }
}

#[test]
fn the_generator_makes_the_same_bytes_each_time() {
    assert!(quorate_vectors::files() == quorate_vectors::files());
}

#[test]
fn a_tree_that_was_read_writes_the_same_bytes() {
    for case in quorate_vectors::committed::all_cases() {
        let tree = quorate_vectors::tree::Item::read(&case.bytes);
        assert_eq!(tree.write(), case.bytes, "{} {}", case.label, case.name);
    }
}
