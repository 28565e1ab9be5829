//! Expectations and releases.

use std::time::Duration;

use quorate_verify::attestation::{
    Archived, AttestationError as E, Attested, DebugMode, Expectations, MAX_RELEASES, MAX_VALUES,
    PCR_COUNT, Pcr, Policy, Recorded, Release, Validity, Verifier,
};

use crate::common::nitro::{INSTANCE_ID, NONCE, NOW, Recipe};

const ROLE: &str = "arn:aws:iam::123456789012:role/enclave";

fn attested() -> Attested<Recorded> {
    let recipe = Recipe::new();
    let record = Archived { at_unix: None };
    Verifier::pure_rust()
        .verify(
            &recipe.build(),
            &recipe.anchors(),
            &record,
            DebugMode::Refused,
        )
        .expect("a right document")
}

/// The value that the recipe gives a register from 0 to 3.
fn right(index: u8) -> Pcr {
    Pcr::new([0x10 + index; 48])
}

fn wrong() -> Pcr {
    Pcr::new([0xee; 48])
}

fn expect(registers: &[(u8, Pcr)]) -> Expectations {
    let mut expectations = Expectations::none();
    for (index, value) in registers {
        expectations.accept(*index, *value).expect("acceptable");
    }
    expectations
}

fn release(name: &str, window: (Option<u64>, Option<u64>), registers: &[(u8, Pcr)]) -> Release {
    Release {
        name: name.to_owned(),
        validity: Validity {
            not_before: window.0,
            not_after: window.1,
        },
        expectations: expect(registers),
    }
}

#[test]
fn every_named_register_must_have_one_of_its_values() {
    let attested = attested();
    assert_eq!(expect(&[]).check(&attested), Ok(()));
    assert_eq!(
        expect(&[(0, right(0)), (2, right(2))]).check(&attested),
        Ok(())
    );
    assert_eq!(
        expect(&[(0, wrong()), (0, right(0))]).check(&attested),
        Ok(())
    );
    let mismatch = E::PcrMismatch {
        index: 2,
        expected: wrong(),
        found: right(2),
    };
    assert_eq!(
        expect(&[(0, right(0)), (2, wrong())]).check(&attested),
        Err(mismatch)
    );
    let none = E::PcrNotAccepted {
        index: 1,
        found: right(1),
        accepted: 2,
    };
    assert_eq!(
        expect(&[(1, wrong()), (1, right(0))]).check(&attested),
        Err(none)
    );
    let missing = E::PcrMissing { index: 16 };
    assert_eq!(expect(&[(16, wrong())]).check(&attested), Err(missing));
}

#[test]
fn the_parent_instance_is_known_by_role_and_id() {
    let mut instance = Expectations::none();
    instance.accept_instance(INSTANCE_ID).unwrap();
    assert_eq!(instance.check(&attested()), Ok(()));
    let mut other = Expectations::none();
    other.accept_instance("i-0123456789abcdef1").unwrap();
    assert!(matches!(
        other.check(&attested()),
        Err(E::PcrMismatch { index: 4, .. })
    ));

    let mut recipe = Recipe::new();
    recipe.edit_payload = |payload| {
        payload.set_pcr(3, Pcr::ZERO.extend(ROLE.as_bytes()).as_bytes());
    };
    let record = Archived { at_unix: None };
    let attested = Verifier::pure_rust()
        .verify(
            &recipe.build(),
            &recipe.anchors(),
            &record,
            DebugMode::Refused,
        )
        .unwrap();
    let mut role = Expectations::none();
    role.accept_role(ROLE).unwrap();
    assert_eq!(role.check(&attested), Ok(()));
    let mut other = Expectations::none();
    other
        .accept_role("arn:aws:iam::123456789012:role/enclave2")
        .unwrap();
    assert!(matches!(
        other.check(&attested),
        Err(E::PcrMismatch { index: 3, .. })
    ));
}

/// PCR8 of an image is the zero register extended with SHA-384 of the certificate, by one more hash
/// than PCR3 and PCR4.
#[test]
fn a_signed_image_is_known_by_its_certificate() {
    let mut signer = Expectations::none();
    signer.accept_signer(b"a certificate").unwrap();
    let registers: Vec<_> = signer.iter().collect();
    let value = Pcr::measure(b"a certificate");
    assert_eq!(registers, [(8, &[value][..])]);
    assert_ne!(value, Pcr::ZERO.extend(b"a certificate"));
    // AWS's image builder: PCR2 when nothing was measured into it.
    assert!(
        Pcr::measure(b"")
            .to_string()
            .starts_with("21b9efbc184807662e966d34f3908213")
    );
}

#[test]
fn expectations_that_say_nothing_fail_closed() {
    let mut expectations = Expectations::none();
    for index in 0..PCR_COUNT {
        let zero = expectations.accept(index, Pcr::ZERO);
        assert_eq!(zero, Err(E::ExpectedPcrZero { index }));
    }
    let beyond = expectations.accept(PCR_COUNT, wrong());
    assert_eq!(beyond, Err(E::PcrIndex { found: 32 }));
    for arn in [
        "",
        "enclave",
        "arn:aws:iam::123456789012:role/",
        "arn:aws:iam::123456789012:user/enclave",
        "arn:aws:iam::12345678901:role/enclave",
        "arn:aws:iam::12345678901x:role/enclave",
        "arn:aws:iam:us-east-1:123456789012:role/enclave",
        "arn:aws:sts::123456789012:role/enclave",
        "arn:other:iam::123456789012:role/enclave",
        "urn:aws:iam::123456789012:role/enclave",
        "arn:aws:iam::123456789012:role/enclave ",
        "arn:aws:iam::123456789012:role/enclave\n",
    ] {
        assert_eq!(
            expectations.accept_role(arn),
            Err(E::RoleArnMalformed),
            "{arn}"
        );
    }
    for id in [
        "",
        "i-",
        "0123456789abcdef0",
        "i-0123",
        "i-0123456789ABCDEF0",
        "i-0123456789abcdef0 ",
    ] {
        assert_eq!(
            expectations.accept_instance(id),
            Err(E::InstanceIdMalformed),
            "{id}"
        );
    }
    let long = format!("i-{}", "a".repeat(33));
    assert_eq!(
        expectations.accept_instance(&long),
        Err(E::InstanceIdMalformed)
    );
    assert!(expectations.is_empty());
    for arn in [
        ROLE,
        "arn:aws-cn:iam::123456789012:role/a/b",
        "arn:aws-us-gov:iam::123456789012:role/x",
    ] {
        assert_eq!(expectations.accept_role(arn), Ok(()), "{arn}");
    }
}

#[test]
fn releases_that_say_nothing_fail_closed() {
    let mut policy = Policy::default();
    let nothing = release("nothing", (None, None), &[]);
    assert_eq!(policy.add_release(nothing), Err(E::ReleaseExpectsNothing));
    let backwards = release("backwards", (Some(2), Some(1)), &[(0, right(0))]);
    assert_eq!(policy.add_release(backwards), Err(E::ReleaseWindowEmpty));
    assert!(policy.is_empty());
    let moment = release("a moment", (Some(2), Some(2)), &[(0, right(0))]);
    assert_eq!(policy.add_release(moment), Ok(()));
    assert!(!policy.is_empty());
}

#[test]
fn more_than_a_policy_may_hold_fails_closed() {
    let mut policy = Policy::default();
    for number in 0..MAX_RELEASES {
        let release = release(&number.to_string(), (None, None), &[(0, wrong())]);
        assert_eq!(policy.add_release(release), Ok(()));
    }
    let one_more = release("one more", (None, None), &[(0, wrong())]);
    assert_eq!(policy.add_release(one_more), Err(E::PolicyTooLarge));
    let mut expectations = Expectations::none();
    let value = |number: usize| Pcr::ZERO.extend(&number.to_be_bytes());
    for number in 0..MAX_VALUES {
        assert_eq!(expectations.accept(0, value(number)), Ok(()));
    }
    assert_eq!(
        expectations.accept(0, value(MAX_VALUES)),
        Err(E::PolicyTooLarge)
    );
    assert_eq!(expectations.accept(0, value(0)), Ok(()));
    assert_eq!(expectations.accept(1, value(0)), Ok(()));
}

#[test]
fn a_document_is_one_of_the_releases_in_force_when_it_was_signed() {
    let attested = attested();
    let name = |policy: &Policy| {
        let satisfied = policy.check(&attested)?;
        Ok(satisfied.release.map(|release| release.name.clone()))
    };
    let policy = |releases: &[Release]| {
        let mut policy = Policy::new(expect(&[(1, right(1))]));
        assert_eq!(policy.required(), &expect(&[(1, right(1))]));
        for release in releases {
            policy.add_release(release.clone()).expect("a release");
        }
        assert_eq!(policy.releases(), releases);
        policy
    };
    let image = [(0, right(0))];
    let other = [(0, wrong())];
    assert_eq!(name(&policy(&[])), Ok(None));
    for window in [
        (None, None),
        (Some(NOW), None),
        (None, Some(NOW)),
        (Some(NOW), Some(NOW)),
    ] {
        let found = name(&policy(&[
            release("other", window, &other),
            release("it", window, &image),
        ]));
        assert_eq!(found, Ok(Some("it".to_owned())));
    }
    for window in [
        (Some(NOW + 1), None),
        (None, Some(NOW - 1)),
        (Some(1), Some(NOW - 1)),
    ] {
        let found = name(&policy(&[release("it", window, &image)]));
        assert_eq!(
            found,
            Err(E::NoReleaseInForce { timestamp: NOW }),
            "{window:?}"
        );
    }
    let one = name(&policy(&[
        release("other", (None, None), &other),
        release("past", (None, Some(1)), &image),
    ]));
    assert!(matches!(one, Err(E::PcrMismatch { index: 0, .. })));
    let two = name(&policy(&[
        release("other", (None, None), &other),
        release("another", (None, None), &other),
    ]));
    assert_eq!(two, Err(E::NoReleaseMatches { tried: 2 }));
    // What every document must meet comes first, whatever the releases say.
    let mut required = Policy::new(expect(&[(1, wrong())]));
    required
        .add_release(release("it", (None, None), &image))
        .unwrap();
    assert!(matches!(
        required.check(&attested),
        Err(E::PcrMismatch { index: 1, .. })
    ));
}

#[test]
fn challenge_and_age_can_be_asked_for_afterwards() {
    let attested = attested();
    assert_eq!(attested.expect_nonce(&NONCE), Ok(()));
    assert_eq!(attested.expect_nonce(&NONCE[..31]), Err(E::NonceMismatch));
    let mut without = Recipe::new();
    without.edit_payload = |payload| payload.remove("nonce");
    let record = Archived { at_unix: None };
    let without = Verifier::pure_rust()
        .verify(
            &without.build(),
            &without.anchors(),
            &record,
            DebugMode::Refused,
        )
        .unwrap();
    assert_eq!(without.expect_nonce(&NONCE), Err(E::NonceMissing));

    let minute = Duration::from_secs(60);
    assert_eq!(attested.expect_age(minute, NOW), Ok(()));
    assert_eq!(attested.expect_age(minute, NOW + 60), Ok(()));
    let stale = E::Stale {
        age: Duration::from_millis(61_000 - 123),
        max_age: minute,
    };
    assert_eq!(attested.expect_age(minute, NOW + 61), Err(stale));
    assert_eq!(attested.expect_age(Duration::ZERO, 0), Ok(()));
}
