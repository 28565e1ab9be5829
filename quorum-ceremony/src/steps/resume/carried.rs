//! The steps of carried files, killed at every write.

use super::*;
use crate::clock::tests::Set;
use crate::steps::carry;
use crate::steps::provision::carried::{Found, find};

/// One run of the member's command.
fn go_on(trial: &Trial, clock: &Set) -> Result<&'static str, CeremonyError> {
    let clock = Arc::new(clock.again()).shared();
    Ok(match find(&trial.shared, &trial.private, &clock, false)? {
        Found::Ask(asking) => asking.ask().map(|_| "asked")?,
        Found::Attested(step) => step.seal(words()).map(|_| "granted")?,
        Found::Granted(granted) => granted.bring().map(|_| "granted")?,
        Found::Acknowledged(kept) => kept.keep().map(|_| "kept")?,
    })
}

/// One run of the coordinator's.
fn errands(trial: &Trial, socket: &Path) -> Result<(), CeremonyError> {
    let done = carry::look(&trial.shared)?.run(|_| Ok(socket.into()));
    match done.refused.into_iter().next() {
        Some((_, error)) => Err(error),
        None => Ok(()),
    }
}

/// Whatever process dies at whatever write, the same command goes on, and one nonce makes one grant
/// that the enclave ever gets.
#[test]
fn carried_files_survive_every_death() {
    let folders = Folders::new();
    let socket = folders.socket();
    folders.giving(World::new(), &[0, 1]);
    let clock = Set::at(1_000);
    let member = |trial: &Trial| go_on(trial, &clock);
    let mut points = 0;
    // In which of the five runs the death is.
    for killed in 0..5 {
        for point in 0..MANY {
            let trial = Trial::of(&folders);
            let mut died = false;
            for run in 0..5 {
                let once = || match run {
                    0 | 2 | 4 => member(&trial).map(drop),
                    _ => errands(&trial, &socket),
                };
                if run == killed {
                    (_, died) = death::at(point, once);
                }
                if died || run != killed {
                    once().unwrap_or_else(|error| panic!("{run} after {killed}/{point}: {error}"));
                }
            }
            let files = trial.files();
            for file in ["nonce", "attestation", "grant", "receipt"] {
                let file = format!("carried/alice/0001/{file}.cbor");
                assert!(files.contains(&file), "{killed}/{point}: {files:?}");
            }
            assert!(files.contains("grants/DIGEST"), "{killed}/{point}");
            if killed == 2 {
                // A grant that was made and never left is told as well.
                transcript::review(&trial.shared, &trial.private)
                    .and_then(|review| review.sign(words()))
                    .unwrap_or_else(|error| panic!("after a death at {point}: {error}"));
            }
            if !died {
                points += point;
                break;
            }
        }
    }
    assert!(points > 25, "{points}");
}
