//! Which sets of shares give the secret: exhaustively for up to 8 members, at random beyond.

mod common;

use common::{copies, indices, rng};
use proptest::prelude::*;
use quorate_sharing::{
    Collector, CombineError, Commitments, Progress, Secret, Share, ShareIndex, ShareRefused,
    SplitError, WrongShare, combine, split,
};

/// Every subset of at least `threshold` shares gives the secret and every smaller one is refused,
/// for every number of members up to 8 and every threshold. Indices are not 1..n, so nothing
/// depends on that, and the order of shares is reversed half of the time.
#[test]
fn every_subset_gives_the_secret_or_fails_closed() {
    let mut rng = rng(1);
    let pool = [200, 3, 255, 1, 17, 128, 64, 2];
    for members in 2..=8_usize {
        let members = indices(&pool[..members]);
        for threshold in 2..=u8::try_from(members.len()).expect("small") {
            let secret = Secret::random(&mut rng);
            let (commitments, shares) =
                split(&secret, threshold, &members, &mut rng).expect("valid parameters");
            assert_eq!(commitments.threshold(), threshold);
            assert_eq!(commitments.public_key(), secret.public_key());
            for subset in 0_u32..1 << shares.len() {
                let have = subset.count_ones() as usize;
                let mut chosen: Vec<Share> = shares
                    .iter()
                    .enumerate()
                    .filter(|(bit, _)| subset & (1 << bit) != 0)
                    .map(|(_, share)| common::copy(share))
                    .collect();
                if subset % 2 == 1 {
                    chosen.reverse();
                }
                let rebuilt = combine(&commitments, &chosen);
                let need = usize::from(threshold);
                if have >= need {
                    let rebuilt = rebuilt.expect("enough valid shares");
                    assert_eq!(*rebuilt.to_bytes(), *secret.to_bytes());
                } else {
                    assert_eq!(rebuilt.err(), Some(CombineError::TooFew { have, need }));
                }
            }
        }
    }
}

/// One share too few with the commitments of a lower threshold: the points that would be needed are
/// cut off, so no share fits any more.
#[test]
fn shares_under_truncated_commitments_fail_closed() {
    let mut rng = rng(2);
    let members = indices(&[1, 2, 3, 4, 5]);
    let (commitments, shares) =
        split(&Secret::random(&mut rng), 4, &members, &mut rng).expect("4 of 5");
    let shorter = Commitments::from_compressed(&commitments.to_compressed()[..3]).expect("points");
    assert_eq!(shorter.public_key(), commitments.public_key());
    for share in &shares {
        assert_eq!(
            shorter.check(share),
            Err(WrongShare {
                index: share.index()
            })
        );
    }
    let index = shares[0].index();
    assert_eq!(
        combine(&shorter, &shares[..3]).err(),
        Some(CombineError::Wrong { index })
    );
}

#[test]
fn thresholds_and_repeated_indices_fail_closed() {
    let mut rng = rng(3);
    let secret = Secret::random(&mut rng);
    let mut attempt = |threshold: u8, members: &[u8]| {
        split(&secret, threshold, &indices(members), &mut rng)
            .map(|_| ())
            .unwrap_err()
    };
    assert_eq!(
        attempt(0, &[1, 2, 3]),
        SplitError::ThresholdTooLow { threshold: 0 }
    );
    assert_eq!(
        attempt(1, &[1, 2, 3]),
        SplitError::ThresholdTooLow { threshold: 1 }
    );
    assert_eq!(
        attempt(4, &[1, 2, 3]),
        SplitError::ThresholdAboveMembers {
            threshold: 4,
            members: 3
        }
    );
    assert_eq!(
        attempt(2, &[]),
        SplitError::ThresholdAboveMembers {
            threshold: 2,
            members: 0
        }
    );
    let index = ShareIndex::new(9).expect("not zero");
    assert_eq!(attempt(2, &[9, 1, 9]), SplitError::RepeatedIndex { index });
}

#[test]
fn largest_sharing_works() {
    let mut rng = rng(4);
    let secret = Secret::random(&mut rng);
    let members: Vec<ShareIndex> = (1..=255).filter_map(ShareIndex::new).collect();
    let (commitments, shares) = split(&secret, 255, &members, &mut rng).expect("255 of 255");
    let rebuilt = combine(&commitments, &shares).expect("all shares");
    assert_eq!(*rebuilt.to_bytes(), *secret.to_bytes());
}

#[test]
fn combine_names_the_bad_share_and_fails_closed() {
    let mut rng = rng(5);
    let members = indices(&[4, 8, 15, 16, 23]);
    let secret = Secret::random(&mut rng);
    let (commitments, shares) = split(&secret, 3, &members, &mut rng).expect("3 of 5");
    for bad in 0..shares.len() {
        let index = shares[bad].index();
        // A share with the right index from another sharing of the same secret, last or first, even
        // where three good ones would have been enough.
        let (_, foreign) = split(&secret, 3, &members, &mut rng).expect("3 of 5");
        let mut set = copies(&shares);
        set[bad] = common::copy(&foreign[bad]);
        assert_eq!(
            combine(&commitments, &set).err(),
            Some(CombineError::Wrong { index })
        );
        // Right value, somebody else's index.
        let mut set = copies(&shares[..3]);
        let stranger = ShareIndex::new(99).expect("not zero");
        set[0] = Share::from_bytes(stranger, &shares[bad].to_bytes()).expect("a scalar");
        assert_eq!(
            combine(&commitments, &set).err(),
            Some(CombineError::Wrong { index: stranger })
        );
    }
    let mut twice = copies(&shares[..2]);
    twice.push(common::copy(&shares[1]));
    let index = shares[1].index();
    assert_eq!(
        combine(&commitments, &twice).err(),
        Some(CombineError::Repeated { index })
    );
    assert_eq!(
        combine(&commitments, &[]).err(),
        Some(CombineError::TooFew { have: 0, need: 3 })
    );
}

#[test]
fn collector_keeps_good_shares_when_a_bad_one_fails_closed() {
    let mut rng = rng(6);
    let members = indices(&[5, 1, 3, 4, 2]);
    let secret = Secret::random(&mut rng);
    let (commitments, shares) = split(&secret, 3, &members, &mut rng).expect("3 of 5");
    let (_, foreign) = split(&secret, 3, &members, &mut rng).expect("3 of 5");
    let mut collector = Collector::new(commitments);
    assert_eq!(
        collector.accept(common::copy(&shares[0])),
        Ok(Progress { have: 1, need: 3 })
    );

    let index = shares[1].index();
    let refused = collector.accept(common::copy(&foreign[1]));
    assert_eq!(refused, Err(ShareRefused::Wrong { index }));
    assert_eq!(collector.accepted(), indices(&[5]));
    // The same member's genuine share is still welcome.
    assert_eq!(
        collector.accept(common::copy(&shares[1])),
        Ok(Progress { have: 2, need: 3 })
    );

    let refused = collector.accept(common::copy(&shares[1]));
    assert_eq!(refused, Err(ShareRefused::Repeated { index }));
    let refused = collector.accept(common::copy(&foreign[1]));
    assert_eq!(refused, Err(ShareRefused::Repeated { index }));

    let failed = collector.reconstruct().err().expect("two of three");
    assert_eq!(failed.reason, CombineError::TooFew { have: 2, need: 3 });
    let mut collector = failed.collector;
    assert_eq!(collector.accepted(), indices(&[1, 5]));

    assert!(
        collector
            .accept(common::copy(&shares[2]))
            .expect("third")
            .is_complete()
    );
    // One more than needed does no harm.
    assert_eq!(
        collector.accept(common::copy(&shares[3])),
        Ok(Progress { have: 4, need: 3 })
    );
    assert_eq!(collector.accepted(), indices(&[1, 3, 4, 5]));
    let shown = format!("{collector:?}");
    let value = common::hex(&*shares[0].to_bytes());
    assert!(!shown.contains(&value) && shown.contains("accepted"));
    assert_eq!(
        *collector.reconstruct().expect("four").to_bytes(),
        *secret.to_bytes()
    );
}

#[test]
fn resharing_keeps_the_public_key_and_old_shares_fail_closed() {
    let mut rng = rng(7);
    let secret = Secret::random(&mut rng);
    let members = indices(&[1, 2, 3]);
    let (old, old_shares) = split(&secret, 2, &members, &mut rng).expect("2 of 3");
    let (new, new_shares) = split(&secret, 2, &members, &mut rng).expect("2 of 3");
    assert_eq!(old.public_key(), new.public_key());
    assert_ne!(old, new);
    for (old_share, new_share) in old_shares.iter().zip(&new_shares) {
        let index = old_share.index();
        assert_eq!(new.check(old_share), Err(WrongShare { index }));
        assert_eq!(old.check(new_share), Err(WrongShare { index }));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Any choice of threshold shares in any order gives the secret, before and after a round trip
    /// of everything through bytes.
    #[test]
    fn split_then_combine_gives_the_secret(
        seed: u64,
        (members, threshold) in prop::collection::hash_set(1..=255_u8, 2..=16)
            .prop_flat_map(|set| {
                let members: Vec<u8> = set.into_iter().collect();
                let most = u8::try_from(members.len()).expect("at most 16");
                (Just(members).prop_shuffle(), 2..=most)
            }),
    ) {
        let mut rng = rng(seed);
        let secret = Secret::random(&mut rng);
        let (commitments, shares) =
            split(&secret, threshold, &indices(&members), &mut rng).expect("valid parameters");
        let read = Commitments::from_compressed(commitments.to_compressed()).expect("valid");
        prop_assert_eq!(&read, &commitments);
        prop_assert_eq!(read.threshold(), threshold);
        let mut collector = Collector::new(read);
        for share in shares.iter().rev().take(usize::from(threshold)) {
            prop_assert!(!collector.progress().is_complete());
            collector.accept(common::copy(share)).expect("valid share");
        }
        let rebuilt = collector.reconstruct().expect("threshold shares");
        prop_assert_eq!(*rebuilt.to_bytes(), *secret.to_bytes());
    }
}
