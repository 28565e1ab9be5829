//! Resharing: the secret and its public key stay, old and new shares do not mix.

mod common;

use common::{copies, copy, indices, rng};
use p256::elliptic_curve::PrimeField;
use p256::{FieldBytes, Scalar};
use proptest::prelude::*;
use quorate_sharing::{
    Collector, CombineError, Commitments, Secret, Share, ShareIndex, ShareRefused, SplitError,
    WrongShare, combine, reshare, split,
};

/// Two sharings of one secret, with any thresholds and members.
struct Two {
    secret: Secret,
    old: (Commitments, Vec<Share>),
    new: (Commitments, Vec<Share>),
}

impl Two {
    fn of(case: &Case) -> Self {
        let mut rng = rng(case.seed);
        let secret = Secret::random(&mut rng);
        let (threshold, members) = &case.old;
        let old = split(&secret, *threshold, members, &mut rng).expect("valid");
        let (threshold, members) = &case.new;
        let new = reshare(&secret, &old.0, *threshold, members, &mut rng).expect("valid");
        Self { secret, old, new }
    }
}

#[derive(Clone, Debug)]
struct Case {
    seed: u64,
    old: (u8, Vec<ShareIndex>),
    new: (u8, Vec<ShareIndex>),
}

fn sharing() -> impl Strategy<Value = (u8, Vec<ShareIndex>)> {
    let members = prop::collection::btree_set(1..=255_u8, 2..=7);
    members.prop_flat_map(|members| {
        let members: Vec<ShareIndex> = members.into_iter().filter_map(ShareIndex::new).collect();
        let most = u8::try_from(members.len()).expect("at most 7");
        (2..=most, Just(members))
    })
}

fn case() -> impl Strategy<Value = Case> {
    (any::<u64>(), sharing(), sharing()).prop_map(|(seed, old, new)| Case { seed, old, new })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_public_key_stays_and_the_new_threshold_gives_the_secret(case in case()) {
        let two = Two::of(&case);
        let (commitments, shares) = &two.new;
        prop_assert_eq!(commitments.public_key(), two.old.0.public_key());
        prop_assert_eq!(commitments.to_compressed()[0], two.old.0.to_compressed()[0]);
        prop_assert_eq!(commitments.threshold(), case.new.0);
        // Every other coefficient is new.
        let (old, new) = (two.old.0.to_compressed(), commitments.to_compressed());
        for point in &new[1..] {
            prop_assert!(!old.contains(point));
        }
        for share in shares {
            prop_assert_eq!(commitments.check(share), Ok(()));
        }
        let need = usize::from(case.new.0);
        let rebuilt = combine(commitments, &copies(&shares[shares.len() - need..]));
        prop_assert_eq!(*rebuilt.expect("enough").to_bytes(), *two.secret.to_bytes());
        let few = combine(commitments, &copies(&shares[..need - 1])).err();
        prop_assert_eq!(few, Some(CombineError::TooFew { have: need - 1, need }));
    }

    /// Each is refused by name under the commitments of the other, and so is any mixture.
    #[test]
    fn old_and_new_shares_do_not_mix_fails_closed(case in case()) {
        let two = Two::of(&case);
        for (theirs, ours) in [(&two.old, &two.new), (&two.new, &two.old)] {
            for share in &theirs.1 {
                let index = share.index();
                prop_assert_eq!(ours.0.check(share), Err(WrongShare { index }));
                let mut collector = Collector::new(ours.0.clone());
                let refused = collector.accept(copy(share)).err();
                prop_assert_eq!(refused, Some(ShareRefused::Wrong { index }));
            }
        }
        // All new shares but the last, and an old one in its place.
        let need = usize::from(case.new.0);
        let mut mixed = copies(&two.new.1[..need - 1]);
        let free = two.old.1.iter().find(|old| mixed.iter().all(|m| m.index() != old.index()));
        if let Some(old) = free {
            mixed.push(copy(old));
            let index = old.index();
            prop_assert_eq!(
                combine(&two.new.0, &mixed).err(),
                Some(CombineError::Wrong { index })
            );
            // And not by arithmetic alone either.
            prop_assert_ne!(at_zero(&mixed), scalar(&two.secret.to_bytes()));
        }
    }
}

/// `t − 1` new shares and any number of old ones below the old threshold: no subset interpolates to
/// the secret, whatever a thief tries without looking at commitments.
#[test]
fn thieves_below_both_thresholds_get_nothing_fails_closed() {
    let mut rng = rng(7);
    let secret = Secret::random(&mut rng);
    let (old, before) = split(&secret, 3, &indices(&[1, 2, 3, 4]), &mut rng).expect("valid");
    let after = reshare(&secret, &old, 3, &indices(&[5, 6, 7, 8, 9]), &mut rng);
    let (_, after) = after.expect("valid");
    let stolen: Vec<&Share> = before.iter().take(2).chain(after.iter().take(2)).collect();
    for subset in 1_u32..1 << stolen.len() {
        let chosen: Vec<Share> = stolen
            .iter()
            .enumerate()
            .filter(|(bit, _)| subset & (1 << bit) != 0)
            .map(|(_, share)| copy(share))
            .collect();
        assert_ne!(at_zero(&chosen), scalar(&secret.to_bytes()));
    }
}

#[test]
fn another_secret_fails_closed() {
    let mut rng = rng(8);
    let (secret, other) = (Secret::random(&mut rng), Secret::random(&mut rng));
    let members = indices(&[1, 2, 3]);
    let (old, _) = split(&secret, 2, &members, &mut rng).expect("valid");
    let mut fresh = common::rng(9);
    let mut untouched = common::rng(9);
    let refused = reshare(&other, &old, 2, &members, &mut fresh).err();
    assert_eq!(refused, Some(SplitError::OtherSecret));
    // Nothing was drawn.
    let (a, b) = (Secret::random(&mut fresh), Secret::random(&mut untouched));
    assert_eq!(*a.to_bytes(), *b.to_bytes());
}

#[test]
fn thresholds_and_repeated_indices_fail_closed() {
    let mut rng = rng(10);
    let secret = Secret::random(&mut rng);
    let (old, _) = split(&secret, 2, &indices(&[1, 2]), &mut rng).expect("valid");
    let mut attempt = |threshold, members: &[u8]| {
        reshare(&secret, &old, threshold, &indices(members), &mut rng).err()
    };
    let threshold = 1;
    assert_eq!(
        attempt(threshold, &[1, 2]),
        Some(SplitError::ThresholdTooLow { threshold })
    );
    let (threshold, members) = (3, 2);
    assert_eq!(
        attempt(threshold, &[1, 2]),
        Some(SplitError::ThresholdAboveMembers { threshold, members })
    );
    let index = ShareIndex::new(2).expect("not zero");
    assert_eq!(
        attempt(2, &[2, 1, 2]),
        Some(SplitError::RepeatedIndex { index })
    );
}

/// Lagrange's formula at zero, without looking at any commitment.
fn at_zero(shares: &[Share]) -> Scalar {
    let x = |share: &Share| Scalar::from(u64::from(share.index().get()));
    let mut sum = Scalar::ZERO;
    for share in shares {
        let mut term = scalar(&share.to_bytes());
        for other in shares.iter().filter(|o| o.index() != share.index()) {
            let inverse = (x(other) - x(share)).invert_vartime();
            term *= x(other) * inverse.expect("distinct");
        }
        sum += term;
    }
    sum
}

fn scalar(bytes: &[u8; 32]) -> Scalar {
    Scalar::from_repr(FieldBytes::from(*bytes)).expect("below q")
}
