//! Transcripts, as an auditor verifies them, and the words people type.

use quorate_protocol::atoms::UnixMillis;
use quorate_protocol::cbor::{from_bytes, to_bytes};
use quorate_protocol::transcript::Transcript;
use quorate_transcript::disclose::{Selection, disclose};
use quorate_transcript::report::Report;
use quorate_transcript::{Expected, verify, words};

use crate::development;

/// What verifies has words, a page without markup of others, and the same fingerprint with every
/// line withheld.
pub(crate) fn verification(data: &[u8]) {
    let Ok(transcript) = from_bytes::<Transcript>(data) else {
        return;
    };
    let expected = Expected {
        now: Some(UnixMillis(development::NOW_MS)),
        ..Expected::default()
    };
    let verified = match verify(&transcript, &expected) {
        Ok(verified) => verified,
        Err(error) => {
            assert!(!error.to_string().is_empty() && !error.code().is_empty());
            return;
        }
    };
    let told = words::words(&verified.fingerprint).join(" ");
    assert_eq!(words::parse(&told), Ok(verified.fingerprint));
    let entries = transcript.entries.len();
    assert_eq!(verified.records.len(), entries, "a record for each entry");
    let withheld = disclose(&transcript, &verified, &[Selection::All], &[]);
    let (copy, _) = withheld.expect("what verified can be withheld");
    assert!(
        to_bytes(&copy).len() <= data.len(),
        "a withheld line takes room"
    );
    let again = verify(&copy, &expected).expect("withholding breaks nothing");
    assert!(again.fingerprint == verified.fingerprint, "the fingerprint");
    let now = UnixMillis(development::NOW_MS);
    let report = Report::new(&transcript, &verified, None, now, "fuzz");
    let page = report.html();
    assert!(!page.contains("<script"), "a script");
    assert!(report.json().is_object());
}

/// What is typed is refused, or is the fingerprint whose words it is.
pub(crate) fn words(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    match words::parse(text) {
        Ok(fingerprint) => {
            let again = words::words(&fingerprint).join(" ");
            assert_eq!(words::parse(&again), Ok(fingerprint));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
