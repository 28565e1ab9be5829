//! What a member's tool reads: its own files, which others may have changed, and words.

use quorate_quorum_ceremony::inputs::ApplicationSpec;
use quorate_quorum_ceremony::keyfile::KeyFile;
use quorate_quorum_ceremony::pins::Pins;
use quorate_quorum_ceremony::place::Binding;
use quorate_quorum_ceremony::plan::{CeremonyPlan, MAX_PLAN};
use quorate_quorum_ceremony::token::{TokenFile, TokenIntent};
use quorate_share_backup::Backup;
use quorate_share_backup::rows::{self, Repair, RowNumber, Rows};
use quorate_token::{KeyUri, TokenUri};

pub(crate) fn key_file(data: &[u8]) {
    match KeyFile::from_bytes(data) {
        Ok(file) => assert!(file.to_bytes() == data && data.len() <= KeyFile::MAX),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

pub(crate) fn pins(data: &[u8]) {
    match Pins::from_bytes(data) {
        Ok(pins) => assert!(pins.to_bytes() == data && data.len() <= Pins::MAX),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A plan that was read is written and read again as itself.
pub(crate) fn plan(data: &[u8]) {
    if data.len() > MAX_PLAN {
        return;
    }
    match CeremonyPlan::parse(data) {
        Ok(plan) => assert!(CeremonyPlan::parse(plan.to_toml().as_bytes()) == Ok(plan)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

pub(crate) fn binding(data: &[u8]) {
    if let Some(binding) = Binding::from_bytes(data) {
        assert!(binding.folder.is_absolute() && data.len() <= Binding::MAX);
        assert!(binding.to_bytes().as_deref() == Some(data));
    }
}

pub(crate) fn application_spec(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    if let Err(error) = ApplicationSpec::parse(text) {
        assert!(!error.to_string().is_empty());
    }
}

pub(crate) fn share_words(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    match Backup::from_words(text) {
        // Case and spaces are the typist's; the words are not.
        Ok(backup) => {
            let words = backup.words();
            let ours = words.split_ascii_whitespace();
            assert!(ours.eq(text.to_ascii_lowercase().split_ascii_whitespace()));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

pub(crate) fn share_rows(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    match Rows::parse(text) {
        Ok((rows, _)) => {
            // A backup that comes of rows has exactly those rows.
            if let Ok(backup) = rows.backup() {
                let again: String = backup
                    .rows()
                    .map(|row| row.text().to_string() + "\n")
                    .concat();
                let read = Rows::parse(&again).ok().and_then(|(rows, repairs)| {
                    assert!(repairs.is_empty());
                    rows.backup().ok()
                });
                assert!(read.is_some_and(|read| *read.words() == *backup.words()));
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// One row under each number: what is repaired is a row, and differs from what was read only where
/// that is told.
pub(crate) fn share_row(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    let mut fits = 0;
    for number in RowNumber::ALL {
        let Ok((row, repair)) = rows::read(number, text) else {
            continue;
        };
        let clean = row.text();
        assert!(matches!(rows::read(number, &clean), Ok((same, Repair::Nothing)) if same == row));
        fits += usize::from(repair == Repair::Nothing);
    }
    assert!(fits <= 1, "a row is right under one number only");
}

pub(crate) fn share_qr(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    match Backup::from_qr_text(text) {
        Ok(backup) => assert_eq!(*backup.qr_text(), text),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

pub(crate) fn token_file(data: &[u8]) {
    match TokenFile::from_bytes(data) {
        Ok(file) => assert!(file.to_bytes() == data && data.len() <= TokenFile::MAX),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

pub(crate) fn token_intent(data: &[u8]) {
    match TokenIntent::from_bytes(data) {
        Ok(intent) => assert!(intent.to_bytes() == data && data.len() <= TokenIntent::MAX),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

pub(crate) fn token_uri(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    match TokenUri::parse(text) {
        Ok(uri) => assert!(TokenUri::parse(&uri.to_string()) == Ok(uri)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    match KeyUri::parse(text) {
        Ok(uri) => assert!(KeyUri::parse(&uri.to_string()) == Ok(uri)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
