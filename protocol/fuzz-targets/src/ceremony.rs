//! What a member's tool reads: its own files, which others may have changed, and words.

use quorate_quorum_ceremony::inputs::ApplicationSpec;
use quorate_quorum_ceremony::keyfile::KeyFile;
use quorate_quorum_ceremony::pins::Pins;

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
