//! What `join` shows.

use quorate_quorum_ceremony::rekey::KeyFingerprint;
use quorate_quorum_ceremony::steps::join::Joined;
use quorate_transcript::{Fingerprint, words};
use serde_json::json;

use crate::ceremony::report::Report;
use crate::ceremony::token;
use crate::output::hex;

pub(in crate::ceremony) fn joined(done: &Joined) -> Report {
    let title = match (done.before, done.new_keys) {
        (true, _) => "you had joined before",
        (false, None) => "you have joined",
        (false, Some(_)) => "you have new keys, which count nowhere yet",
    };
    let lost = match done.token {
        None => "back the private folder up: without key file and passphrase your share is lost",
        Some(_) => "back the private folder up; a lost or broken token takes your share with it",
    };
    let mut report = Report::new("join", title);
    if let Some(genesis) = done.genesis {
        report = report.fact("genesis", "pinned genesis", genesis);
    }
    report = report
        .fact("name", "name", &done.name)
        .fact("signing_key", "signing key", done.keys.signing)
        .fact(
            "encryption_key",
            "encryption key",
            hex(&done.keys.encryption.to_compressed()),
        );
    if let Some(new) = &done.new_keys {
        report = fingerprint(report, new);
    }
    let report = token::joined(report, done.token.as_ref()).note(lost);
    match &done.new_keys {
        None => report.next("wait for the definition, then quorate ceremony consent"),
        Some(new) => report
            .note(
                "read the fingerprint, by voice, to the coordinator and to those who approve: they \
                 compare it with the one on their page",
            )
            .note(
                "when they have approved: quorate ceremony share restore brings your share back from \
                 paper",
            )
            .next(format!(
                "the coordinator: quorate ceremony rotate --new-keys {}={}",
                done.name,
                new.short()
            )),
    }
}

/// What is read aloud of new keys.
fn fingerprint(report: Report, new: &KeyFingerprint) -> Report {
    let told = Fingerprint::from_bytes(*new.as_bytes());
    report.fact("fingerprint", "fingerprint", new).row(
        "words",
        "in words",
        words::rows(&told),
        json!(words::words(&told)),
    )
}
