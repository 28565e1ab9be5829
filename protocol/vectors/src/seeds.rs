//! Seeds of the fuzz corpora: every sample, and a few broken ones. `protocol/corpus/TARGET/`.

use sha2::{Digest as _, Sha256};

use crate::mutate::{forms, structures};
use crate::samples::Sample;
use crate::{File, hex};

/// Broken copies for each kind, at most.
const BROKEN: usize = 8;
/// Samples longer than this give no seeds but themselves.
const LARGE: usize = 4096;

pub(crate) fn files(samples: &[Sample]) -> Vec<File> {
    let mut files = Vec::new();
    for sample in samples {
        let stem = sample.kind.stem();
        let mut add = |target: &str, bytes: &[u8]| {
            let name = hex(&Sha256::digest(bytes)[..8]);
            files.push((format!("corpus/{target}/seed-{name}"), bytes.to_vec()));
        };
        add(stem, &sample.bytes);
        if let Some(signature) = &sample.signature {
            add(&format!("signed-{stem}"), &signature.cose);
        }
        if sample.bytes.len() > LARGE {
            continue;
        }
        let broken = [forms(&sample.bytes), structures(&sample.bytes)].concat();
        let step = broken.len().div_ceil(BROKEN).max(1);
        for mutation in broken.iter().step_by(step) {
            add(stem, &mutation.bytes);
        }
    }
    files.extend(streams(samples));
    files.sort();
    files.dedup();
    files
}

/// Streams for the assemblers: a split pattern in the first byte, then frames.
fn streams(samples: &[Sample]) -> Vec<File> {
    let mut files = Vec::new();
    for stem in [
        "request",
        "response",
        "policy-request",
        "policy-response",
        "egress-request",
        "egress-response",
    ] {
        let mut both = Vec::new();
        for sample in samples
            .iter()
            .filter(|s| s.kind.stem() == stem && s.bytes.len() < LARGE)
        {
            let frame = quorate_protocol::frame::frame(&sample.bytes).expect("a short payload");
            both.extend_from_slice(&frame);
            for split in [1_u8, 7, 255] {
                let bytes = [&[split], frame.as_slice()].concat();
                let name = hex(&Sha256::digest(&bytes)[..8]);
                files.push((format!("corpus/{stem}-frames/seed-{name}"), bytes));
            }
        }
        let bytes = [&[64], both.as_slice()].concat();
        files.push((format!("corpus/{stem}-frames/seed-pipelined"), bytes));
    }
    files
}
