//! The frozen vectors of the contract, and what tests do to them.
//!
//! [`files`] makes every file of `protocol/testdata/` and the seeds of `protocol/corpus/`, always
//! the same bytes: fixed keys, deterministic signatures (RFC 6979), sealing with a fixed generator.
//! `cargo run -p quorate-vectors` writes them; a test compares them with what is committed.
//! [`kinds`] says what can be done with the bytes of each kind of object, [`tree`] and [`mutate`]
//! take canonical bytes apart and break them in every way the contract forbids.
//!
//! Trusts: itself. It uses the very code under test, so the vectors freeze behaviour and do not
//! prove it right; the oracles and the independent computations in the tests do that.
//!
//! Not for products: every key here is public. Panics where a sample cannot be made.

#![forbid(unsafe_code)]

pub mod committed;
mod derived;
pub mod keys;
pub mod kinds;
pub mod mutate;
mod objects;
mod programs;
mod refused;
mod samples;
mod sealing;
mod seeds;
pub mod tree;
mod values;
mod wallets;
mod world;

/// One file: its path from the `protocol` folder, and its bytes.
pub type File = (String, Vec<u8>);

/// Every generated file, in order of path.
pub fn files() -> Vec<File> {
    let samples = samples::all();
    let mut files = vec![keys::file()];
    files.extend(objects::files(&samples));
    files.extend(derived::files());
    files.push(refused::file(&samples));
    files.extend(seeds::files(&samples));
    files.sort();
    files
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use core::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes of lower-case hexadecimal.
///
/// # Panics
/// If `text` is anything else.
pub fn unhex(text: &str) -> Vec<u8> {
    assert!(
        text.len().is_multiple_of(2),
        "hexadecimal has an even length"
    );
    let digit = |c: u8| match c {
        b'0'..=b'9' => c - b'0',
        b'a'..=b'f' => c - b'a' + 10,
        _ => panic!("not a lower-case hexadecimal digit: {c:#04x}"),
    };
    let digits = text.as_bytes().chunks_exact(2);
    digits
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}

fn json(path: String, value: &serde_json::Value) -> File {
    (path, format!("{value:#}\n").into_bytes())
}
