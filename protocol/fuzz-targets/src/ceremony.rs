//! What a member's tool reads: its own files, which others may have changed, and words.

use quorate_quorum_ceremony::inputs::ApplicationSpec;
use quorate_quorum_ceremony::keyfile::KeyFile;
use quorate_quorum_ceremony::pins::Pins;
use quorate_quorum_ceremony::token::{TokenFile, TokenIntent};
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

pub(crate) fn application_spec(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    if let Err(error) = ApplicationSpec::parse(text) {
        assert!(!error.to_string().is_empty());
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
