//! The committed corpora, replayed; and nothing is missing: no target without corpus, binary or
//! kind, no corpus without target.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use quorate_fuzz_targets::{TARGETS, development, run};
use quorate_quorum_ceremony::keyfile::KeyFile;
use quorate_quorum_ceremony::pins::Pins;
use quorate_share_backup::Backup;
use quorate_share_backup::rows::{self, RowNumber, Rows};
use quorate_vectors::committed::folder;
use quorate_vectors::kinds::KINDS;

/// All corpora together, in bytes.
const LARGEST: u64 = 1536 * 1024;

fn files(target: &str) -> Vec<PathBuf> {
    let folder = folder().join("corpus").join(target);
    let entries = fs::read_dir(&folder);
    let entries = entries.unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    entries
        .map(|entry| entry.expect("an entry").path())
        .collect()
}

#[test]
fn every_corpus_is_replayed() {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some((name, target)) = TARGETS.get(next.fetch_add(1, Ordering::Relaxed)) {
            let files = files(name);
            assert!(!files.is_empty(), "{name} has no corpus");
            for path in files {
                println!("{}", path.display());
                target(&fs::read(&path).expect("a file"));
            }
        }
    };
    thread::scope(|scope| {
        let workers = thread::available_parallelism().map_or(1, |n| n.get());
        (0..workers).for_each(|_| drop(scope.spawn(work)));
    });
}

#[test]
fn targets_and_corpora_are_the_same() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).into()).collect();
    assert_eq!(targets.len(), TARGETS.len(), "a name twice");
    let corpora = fs::read_dir(folder().join("corpus")).expect("the corpora");
    let corpora = corpora.map(|entry| entry.expect("an entry").file_name());
    let corpora: BTreeSet<_> = corpora
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    assert_eq!(targets, corpora);
}

#[test]
fn every_kind_of_object_has_its_targets() {
    let has = |name: &str| TARGETS.iter().any(|(other, _)| *other == name);
    for kind in KINDS {
        let signed = kind.signed.is_none() || has(&format!("signed-{}", kind.stem()));
        assert!(has(kind.stem()) && signed, "{}", kind.label);
    }
}

#[test]
fn every_target_has_a_libfuzzer_binary() {
    let fuzz = folder().join("../oracles/fuzz");
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).expect("the fuzz package");
    for (name, _) in TARGETS {
        let entry = format!("name = \"{name}\"\npath = \"targets/{name}.rs\"");
        assert!(
            manifest.contains(&entry),
            "{name} is not in oracles/fuzz/Cargo.toml"
        );
        let source = fs::read_to_string(fuzz.join(format!("targets/{name}.rs")));
        assert!(
            source.is_ok_and(|text| text.contains(&format!("target!(\"{name}\")"))),
            "{name}"
        );
    }
    assert_eq!(manifest.matches("[[bin]]").count(), TARGETS.len());
}

/// Seeds that are refused at the first byte would teach a fuzzer nothing.
#[test]
fn some_seeds_of_each_format_are_good() {
    use quorate_verify::attestation::{DebugMode, Freshness, verify};
    let good = |target: &str, takes: &dyn Fn(&[u8]) -> bool| {
        let mut files = files(target).into_iter();
        let found = files.any(|path| takes(&fs::read(path).expect("a file")));
        assert!(found, "{target} has only bad seeds");
    };
    for kind in KINDS {
        good(kind.stem(), &|bytes| (kind.again)(bytes).is_ok());
        if let Some(signed) = kind.signed {
            good(&format!("signed-{}", kind.stem()), &|bytes| {
                (signed.again)(bytes).is_ok()
            });
        }
    }
    good("attestation-verification", &|bytes| {
        let archived = Freshness::Archived { at_unix: None };
        verify(bytes, development::anchors(), &archived, DebugMode::Refused).is_ok()
    });
    good("trust-anchor", &|bytes| bytes == development::root());
    good("transcript-verification", &|bytes| {
        let transcript = quorate_protocol::cbor::from_bytes(bytes);
        let expected = quorate_transcript::Expected::default();
        transcript
            .is_ok_and(|transcript| quorate_transcript::verify(&transcript, &expected).is_ok())
    });
    good("transcript-words", &|bytes| {
        quorate_transcript::words::parse(&String::from_utf8_lossy(bytes)).is_ok()
    });
    good("key-file", &|bytes| KeyFile::from_bytes(bytes).is_ok());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    good("share-words", &|bytes| {
        Backup::from_words(&text(bytes)).is_ok()
    });
    good("share-rows", &|bytes| Rows::parse(&text(bytes)).is_ok());
    good("share-row", &|bytes| {
        let row = RowNumber::new(1).expect("the first");
        rows::read(row, &text(bytes)).is_ok()
    });
    good("share-qr", &|bytes| {
        Backup::from_qr_text(&text(bytes)).is_ok()
    });
    good("activity-request", &|bytes| {
        quorate_request::Request::parse(bytes).is_ok()
    });
    good("stamp", &|bytes| {
        quorate_request::Stamp::decode(&text(bytes)).is_ok()
    });
    good("es256", &|bytes| {
        quorate_es256::Signature::from_der(bytes).is_ok()
    });
    good("unsigned-transaction", &|bytes| {
        quorate_chain::ethereum::Unsigned::parse(bytes).is_ok()
    });
    good("signed-transaction", &|bytes| {
        quorate_chain::ethereum::Signed::parse(bytes).is_ok()
    });
    good("mnemonic", &|bytes| {
        quorate_wallet::Mnemonic::from_phrase(&text(bytes)).is_ok()
    });
    good("pins", &|bytes| Pins::from_bytes(bytes).is_ok());
    good("nsm-request", &|bytes| {
        quorate_init::nsm::wire::Request::decode(bytes).is_ok()
    });
    good("nsm-response", &|bytes| {
        quorate_init::nsm::wire::Response::decode(bytes).is_ok()
    });
}

#[test]
fn corpora_are_small() {
    let all = TARGETS.iter().flat_map(|(name, _)| files(name));
    let sum: u64 = all
        .map(|path| fs::metadata(path).expect("a file").len())
        .sum();
    assert!(sum < LARGEST, "the corpora have {sum} bytes");
}

#[test]
fn nothing_at_all_and_a_single_byte_are_taken_by_every_target() {
    for (name, _) in TARGETS {
        run(name, &[]);
        (0..=255).for_each(|byte| run(name, &[byte]));
    }
}
