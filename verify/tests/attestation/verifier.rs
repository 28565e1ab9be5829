//! The verifier: providers that answer wrongly, the cache, demands as types.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::time::Duration;

use quorate_verify::attestation::{
    Answered, AnsweredLive, Archived, AttestationError as E, Attested, CacheLimits, Challenged,
    Current, DebugMode, Freshness, FreshnessUsed, Link, Live, NotSigned, ProviderFault, PublicKey,
    PureRust, Recorded, Signature, SignatureVerifier, Step, StepOutcome, TrustAnchors,
    Unchallenged, Verifier,
};

use crate::case::Case;
use crate::common::nitro::{LEAF, NONCE, NOW, REGIONAL, Recipe, TIMESTAMP_MS, signing_key};

/// Counts how often it was asked.
#[derive(Default)]
struct Counting(Cell<usize>);

impl SignatureVerifier for &Counting {
    fn verify(&self, key: &PublicKey, message: &[u8], by: &Signature) -> Result<(), NotSigned> {
        self.0.set(self.0.get() + 1);
        PureRust.verify(key, message, by)
    }
}

impl Counting {
    fn since(&self, before: usize) -> usize {
        self.0.get() - before
    }
}

/// Gives the same answer to everything.
struct Always(Result<(), NotSigned>);

impl SignatureVerifier for Always {
    fn verify(&self, _: &PublicKey, _: &[u8], _: &Signature) -> Result<(), NotSigned> {
        self.0
    }
}

const RECORD: Archived = Archived { at_unix: None };

#[test]
fn a_provider_that_accepts_everything_fails_closed() {
    assert_eq!(
        Verifier::new(Always(Ok(()))).err(),
        Some(ProviderFault::AcceptsWrong)
    );
}

#[test]
fn a_provider_that_refuses_everything_fails_closed() {
    let fault = Verifier::new(Always(Err(NotSigned))).err();
    assert_eq!(fault, Some(ProviderFault::RefusesRight));
    assert!(Verifier::new(PureRust).is_ok());
}

#[test]
fn a_known_chain_costs_one_signature_and_everything_else_is_checked_again() {
    let counting = Counting::default();
    let verifier = Verifier::new(&counting)
        .unwrap()
        .with_cache(CacheLimits::default());
    let recipe = Recipe::new();
    let (document, anchors) = (recipe.build(), recipe.anchors());
    let run = |document: &[u8], anchors: &TrustAnchors, demand: &Archived, debug| {
        let before = counting.0.get();
        let result = verifier.verify(document, anchors, demand, debug);
        (result.map(drop), counting.since(before))
    };
    let refused = DebugMode::Refused;
    assert_eq!(run(&document, &anchors, &RECORD, refused), (Ok(()), 5));
    assert_eq!(run(&document, &anchors, &RECORD, refused), (Ok(()), 1));
    assert_eq!(verifier.cached().map(|held| held.entries), Some(1));

    // The leaf has ended meanwhile.
    let later = Archived {
        at_unix: Some(NOW + 4 * 3600),
    };
    let expired = run(&document, &anchors, &later, refused);
    assert!(matches!(
        expired,
        (
            Err(E::CertificateExpired {
                link: Link::Leaf,
                ..
            }),
            0
        )
    ));
    // And at last the root: every link is looked at.
    let much_later = Archived {
        at_unix: Some(NOW + 40 * 365 * 86_400),
    };
    let expired = run(&document, &anchors, &much_later, refused);
    assert!(matches!(
        expired,
        (
            Err(E::CertificateExpired {
                link: Link::Bundle { index: 0 },
                ..
            }),
            0
        )
    ));
    // The root is no longer trusted.
    let untrusted = run(&document, &TrustAnchors::with_aws(), &RECORD, refused);
    assert!(matches!(untrusted, (Err(E::RootNotTrusted { .. }), 0)));
    // Another document under the same leaf, signed by somebody else.
    let forged = Recipe {
        signer: signing_key(9),
        ..Recipe::new()
    };
    let forged = run(&forged.build(), &anchors, &RECORD, refused);
    assert_eq!(forged, (Err(E::DocumentSignature), 1));
    // Another document under the same leaf, in debug mode.
    let mut debug = Recipe::new();
    debug.edit_payload = |payload| payload.set_pcr(0, &[0; 48]);
    let debug = debug.build();
    assert_eq!(
        run(&debug, &anchors, &RECORD, refused),
        (Err(E::DebugMode), 0)
    );
    assert_eq!(
        run(&debug, &anchors, &RECORD, DebugMode::Allowed),
        (Ok(()), 1)
    );
    assert_eq!(run(&document, &anchors, &RECORD, refused), (Ok(()), 1));
}

#[test]
fn a_chain_that_was_refused_is_not_remembered() {
    let verifier = Verifier::pure_rust().with_cache(CacheLimits::default());
    let mut recipe = Recipe::new();
    // Everything is right but the signature of one certificate.
    recipe.certificates[REGIONAL].signer = signing_key(9);
    let (document, anchors) = (recipe.build(), recipe.anchors());
    for _ in 0..2 {
        let result = verifier.verify(&document, &anchors, &RECORD, DebugMode::Refused);
        let link = Link::Bundle { index: 1 };
        assert_eq!(result.err(), Some(E::CertificateSignature { link }));
        assert_eq!(verifier.cached().map(|held| held.entries), Some(0));
    }
}

/// A signature has two right forms, so a certificate can be changed and still be right. The changed
/// chain is another one, and verified for itself.
#[test]
fn a_chain_with_another_form_of_a_signature_is_another_chain() {
    let counting = Counting::default();
    let verifier = Verifier::new(&counting)
        .unwrap()
        .with_cache(CacheLimits::default());
    let mut recipe = Recipe::new();
    let anchors = recipe.anchors();
    let verify = |recipe: &Recipe| {
        let before = counting.0.get();
        let result = verifier.verify(&recipe.build(), &anchors, &RECORD, DebugMode::Refused);
        assert!(result.is_ok(), "{result:?}");
        counting.since(before)
    };
    assert_eq!(verify(&recipe), 5);
    recipe.certificates[LEAF].edit_signature = |signature| {
        let other = crate::common::nitro::other_s(&signature);
        let der = crate::common::nitro::signature_der(&other);
        crate::common::der::bit_string(0, &der)
    };
    assert_eq!(verify(&recipe), 5);
    assert_eq!(verify(&recipe), 1);
    assert_eq!(verifier.cached().map(|held| held.entries), Some(2));
}

#[test]
fn what_was_demanded_is_in_the_type_of_the_result() {
    fn give_away(attested: &Attested<AnsweredLive>) -> Duration {
        attested.freshness().age
    }
    let recipe = Recipe::new();
    let (document, anchors) = (recipe.build(), recipe.anchors());
    let verifier = Verifier::pure_rust();
    let max_age = Duration::from_secs(60);
    let now_unix = NOW + 2;

    let live = Live {
        nonce: &NONCE,
        max_age,
        now_unix,
    };
    let attested = verifier
        .verify(&document, &anchors, &live, DebugMode::Refused)
        .unwrap();
    assert_eq!(
        give_away(&attested),
        Duration::from_millis(NOW * 1000 + 2000 - TIMESTAMP_MS)
    );

    let challenged = Challenged {
        nonce: &NONCE,
        elapsed: Duration::from_secs(1),
        max_age,
    };
    let attested = verifier
        .verify(&document, &anchors, &challenged, DebugMode::Refused)
        .unwrap();
    let Answered { at_unix, elapsed } = *attested.freshness();
    assert_eq!((at_unix, elapsed), (NOW, Duration::from_secs(1)));

    let current = Current {
        max_age: Some(max_age),
        now_unix,
    };
    let attested = verifier
        .verify(&document, &anchors, &current, DebugMode::Refused)
        .unwrap();
    let Unchallenged { at_unix, .. } = *attested.freshness();
    assert_eq!(at_unix, now_unix);

    let attested = verifier
        .verify(&document, &anchors, &RECORD, DebugMode::Refused)
        .unwrap();
    let recorded = Recorded {
        at_unix: NOW,
        own_timestamp: true,
    };
    assert_eq!(*attested.freshness(), recorded);
    let untyped = attested.untyped();
    let freshness = Freshness::Archived { at_unix: None };
    let same = verifier
        .verify(&document, &anchors, &freshness, DebugMode::Refused)
        .unwrap();
    assert_eq!(untyped, same);
    assert_eq!(
        *same.freshness(),
        FreshnessUsed::ArchivedAtTimestamp { at_unix: NOW }
    );
}

#[test]
fn a_current_document_may_be_early_by_the_tolerance_and_no_more() {
    let case = Case::new();
    let (document, anchors) = (case.recipe.build(), case.recipe.anchors());
    let at = |now_unix: u64, max_age: Option<u64>| {
        let max_age = max_age.map(Duration::from_secs);
        let current = Current { max_age, now_unix };
        let verifier = Verifier::pure_rust();
        verifier
            .verify(&document, &anchors, &current, DebugMode::Refused)
            .map(drop)
    };
    assert_eq!(at(NOW, None), Ok(()));
    assert_eq!(at(NOW - 60, None), Ok(()));
    assert!(matches!(
        at(NOW - 61, None),
        Err(E::TimestampInFuture { .. })
    ));
    assert_eq!(at(NOW + 3600, None), Ok(()));
    assert_eq!(at(NOW + 60, Some(60)), Ok(()));
    assert!(matches!(at(NOW + 61, Some(60)), Err(E::Stale { .. })));
    // The leaf ends at NOW + 3 h − 57 s.
    let end = NOW + 3 * 3600 - 57;
    assert_eq!(at(end + 60, None), Ok(()));
    assert!(matches!(
        at(end + 61, None),
        Err(E::CertificateExpired {
            link: Link::Leaf,
            ..
        })
    ));
}

#[test]
fn an_examination_says_which_step_failed() {
    let verifier = Verifier::pure_rust();
    let examine = |edit: fn(&mut Recipe)| {
        let mut recipe = Recipe::new();
        let anchors = recipe.anchors();
        edit(&mut recipe);
        verifier.examine(&recipe.build(), &anchors, &RECORD, DebugMode::Refused)
    };
    type Edit = fn(&mut Recipe);
    let cases: [(Edit, Option<Step>); 10] = [
        (|_| {}, None),
        (
            |recipe| recipe.edit_bytes = |bytes| [bytes, vec![0]].concat(),
            Some(Step::Envelope),
        ),
        (
            |recipe| recipe.edit_payload = |payload| payload.remove("pcrs"),
            Some(Step::Payload),
        ),
        (|recipe| recipe.certificates.swap(1, 2), Some(Step::Profile)),
        (|recipe| recipe.certificates.swap(0, 1), Some(Step::Root)),
        (
            |recipe| {
                recipe.edit_payload = |payload| {
                    let late = (NOW + 365 * 86_400) * 1000;
                    payload.set("timestamp", crate::common::cbor::Cbor::Unsigned(late));
                };
            },
            Some(Step::Validity),
        ),
        (
            |recipe| recipe.edit_payload = |payload| payload.set_pcr(1, &[0; 48]),
            Some(Step::Debug),
        ),
        (
            |recipe| recipe.edit_payload = |payload| payload.set_pcr(4, &[1; 48]),
            Some(Step::Instance),
        ),
        (
            |recipe| recipe.certificates[LEAF].signer = signing_key(9),
            Some(Step::Chain),
        ),
        (
            |recipe| recipe.signer = signing_key(9),
            Some(Step::Signature),
        ),
    ];
    for (edit, failed) in cases {
        let examined = examine(edit);
        for step in Step::ALL {
            let expected = match failed {
                _ if step == Step::Expectations => StepOutcome::NotPerformed,
                Some(failed) if step == failed => StepOutcome::Failed,
                Some(failed) if step > failed => StepOutcome::NotPerformed,
                _ => StepOutcome::Passed,
            };
            assert_eq!(examined.outcome(step), expected, "{step:?} of {failed:?}");
        }
        assert_eq!(examined.result.is_ok(), failed.is_none());
    }
    let early = Live {
        nonce: &[0; 16],
        max_age: Duration::ZERO,
        now_unix: NOW,
    };
    let recipe = Recipe::new();
    let examined = verifier.examine(
        &recipe.build(),
        &recipe.anchors(),
        &early,
        DebugMode::Refused,
    );
    assert_eq!(examined.outcome(Step::Freshness), StepOutcome::Failed);
    assert_eq!(examined.outcome(Step::Payload), StepOutcome::Passed);
    assert_eq!(examined.outcome(Step::Root), StepOutcome::NotPerformed);
    let mut ids: Vec<_> = Step::ALL.iter().map(|step| step.id()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), Step::ALL.len());
}

#[test]
fn threads_share_one_verifier_and_its_cache() {
    let limits = CacheLimits {
        entries: 1,
        bytes: 16 * 1024,
    };
    let verifier = Verifier::pure_rust().with_cache(limits);
    let right = Recipe::new();
    let mut wrong = Recipe::new();
    wrong.certificates[LEAF].signer = signing_key(9);
    let anchors = right.anchors();
    let (right, wrong) = (right.build(), wrong.build());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..3 {
                    let refused = DebugMode::Refused;
                    let good = verifier.verify(&right, &anchors, &RECORD, refused);
                    assert!(good.is_ok(), "{good:?}");
                    let bad = verifier.verify(&wrong, &anchors, &RECORD, refused);
                    let link = Link::Leaf;
                    assert_eq!(bad.err(), Some(E::CertificateSignature { link }));
                }
            });
        }
    });
    assert_eq!(verifier.cached().map(|held| held.entries), Some(1));
}

#[test]
fn each_step_has_a_name_and_a_claim_of_its_own() {
    let steps = Step::ALL;
    let names: BTreeSet<_> = steps.iter().map(|step| step.id()).collect();
    let claims: BTreeSet<_> = steps.iter().map(|step| step.claim()).collect();
    assert_eq!((names.len(), claims.len()), (steps.len(), steps.len()));
    assert!(claims.iter().all(|claim| claim.ends_with('.')));
}
