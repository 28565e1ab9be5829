//! A document with everything that its verification needs.

use std::time::Duration;

use quorate_verify::attestation::{
    AttestationError, Attested, CborProblem, CborType, DebugMode, Freshness, TrustAnchors, verify,
};

use crate::common::nitro::{Certificate, MODULE_ID, NONCE, NOW, Payload, Recipe};

/// A defect and the one error that it must lead to.
pub(crate) struct Refusal {
    pub(crate) name: &'static str,
    pub(crate) defect: fn(&mut Case),
    pub(crate) expected: fn() -> AttestationError,
}

/// A change after which a document is still right.
pub(crate) struct Acceptance {
    pub(crate) name: &'static str,
    pub(crate) change: fn(&mut Case),
}

/// Runs the row of this name.
pub(crate) fn refuses(rows: &[Refusal], name: &str) {
    let row = rows.iter().find(|row| row.name == name).expect("a row");
    let mut case = Case::new();
    (row.defect)(&mut case);
    assert_eq!(case.verify().map(|_| ()), Err((row.expected)()));
}

/// Runs the row of this name.
pub(crate) fn accepts(rows: &[Acceptance], name: &str) {
    let row = rows.iter().find(|row| row.name == name).expect("a row");
    let mut case = Case::new();
    (row.change)(&mut case);
    let attested = case.verify().unwrap();
    assert_eq!(attested.document().module_id(), MODULE_ID);
}

/// [`Freshness`] that owns its challenge.
pub(crate) enum Demand {
    Archived(Option<u64>),
    Challenged(Vec<u8>, Duration, Duration),
    Live(Vec<u8>, Duration, u64),
}

pub(crate) struct Case {
    pub(crate) recipe: Recipe,
    pub(crate) demand: Demand,
    pub(crate) debug: DebugMode,
    /// `None` stands for the recipe's own root.
    pub(crate) anchors: Option<TrustAnchors>,
}

impl Case {
    /// A right document, challenged live.
    pub(crate) fn new() -> Self {
        Self {
            recipe: Recipe::new(),
            demand: Demand::Live(NONCE.to_vec(), Duration::from_secs(60), NOW + 2),
            debug: DebugMode::Refused,
            anchors: None,
        }
    }

    pub(crate) fn payload(&mut self, edit: fn(&mut Payload)) {
        self.recipe.edit_payload = edit;
    }

    pub(crate) fn certificate(&mut self, place: usize) -> &mut Certificate {
        &mut self.recipe.certificates[place]
    }

    pub(crate) fn verify(&self) -> Result<Attested, AttestationError> {
        let bytes = self.recipe.build();
        match &self.anchors {
            Some(anchors) => self.verify_bytes(&bytes, anchors),
            None => self.verify_bytes(&bytes, &self.recipe.anchors()),
        }
    }

    pub(crate) fn verify_bytes(
        &self,
        bytes: &[u8],
        anchors: &TrustAnchors,
    ) -> Result<Attested, AttestationError> {
        let freshness = match &self.demand {
            Demand::Archived(at_unix) => Freshness::Archived { at_unix: *at_unix },
            Demand::Challenged(nonce, elapsed, max_age) => Freshness::Challenged {
                nonce,
                elapsed: *elapsed,
                max_age: *max_age,
            },
            Demand::Live(nonce, max_age, now_unix) => Freshness::Live {
                nonce,
                max_age: *max_age,
                now_unix: *now_unix,
            },
        };
        verify(bytes, anchors, &freshness, self.debug)
    }
}

pub(crate) fn cbor(offset: usize, problem: CborProblem) -> AttestationError {
    AttestationError::Cbor { offset, problem }
}

pub(crate) fn unexpected(offset: usize, expected: CborType, found: CborType) -> AttestationError {
    cbor(offset, CborProblem::UnexpectedType { expected, found })
}
