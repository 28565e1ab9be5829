//! `quorate-sharing` against the Feldman sharing of vsss-rs, both over P-256.

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use p256::elliptic_curve::group::GroupEncoding;
use p256::elliptic_curve::{Group, PrimeField};
use p256::{AffinePoint, CompressedPoint, FieldBytes, ProjectivePoint, Scalar};
use proptest::prelude::*;
use quorate_sharing::{
    Collector, Commitments, Secret, Share, ShareIndex, ShareRefused, WrongShare, combine, reshare,
    split,
};
use vsss_rs::{FeldmanVerifierSet, IdentifierPrimeField, ReadableShareSet, ValueGroup, feldman};

type TheirScalar = IdentifierPrimeField<Scalar>;
type TheirShare = (TheirScalar, TheirScalar);
type TheirPoint = ValueGroup<ProjectivePoint>;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn they_verify_and_combine_what_we_split(case in sharing()) {
        let Case { seed, threshold, indices } = case;
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let secret = Secret::random(&mut rng);
        let (commitments, shares) = split(&secret, threshold, &indices, &mut rng).expect("valid");

        let verifiers = their_verifiers(&commitments);
        let theirs: Vec<TheirShare> = shares.iter().map(their_share).collect();
        for share in &theirs {
            prop_assert!(verifiers.verify_share(share).is_ok());
        }
        let any: Vec<TheirShare> =
            theirs.iter().rev().take(usize::from(threshold)).copied().collect();
        let rebuilt = any.combine().expect("enough shares");
        prop_assert_eq!(bytes(rebuilt.0), *secret.to_bytes());
    }

    #[test]
    fn we_verify_and_combine_what_they_split(case in sharing()) {
        let Case { seed, threshold, indices } = case;
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let secret = Secret::random(&mut rng);
        let (theirs, verifiers) = their_split(&secret, threshold, &indices, &mut rng);

        let commitments = our_commitments(&verifiers);
        prop_assert_eq!(commitments.public_key(), secret.public_key());
        prop_assert_eq!(commitments.threshold(), threshold);
        let shares: Vec<Share> = indices.iter().zip(&theirs).map(our_share).collect();
        let all = combine(&commitments, &shares).expect("all shares");
        prop_assert_eq!(*all.to_bytes(), *secret.to_bytes());

        let mut collector = Collector::new(commitments);
        for share in shares.into_iter().rev().take(usize::from(threshold)) {
            collector.accept(share).expect("valid share");
        }
        let rebuilt = collector.reconstruct().expect("threshold shares");
        prop_assert_eq!(*rebuilt.to_bytes(), *secret.to_bytes());
    }

    /// Each member's public key is the committed polynomial at its index, in both worlds.
    #[test]
    fn both_evaluate_the_commitments_alike(case in sharing()) {
        let Case { seed, threshold, indices } = case;
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let secret = Secret::random(&mut rng);
        let (commitments, _) = split(&secret, threshold, &indices, &mut rng).expect("valid");
        let verifiers = their_verifiers(&commitments);
        for index in indices {
            let identifier = IdentifierPrimeField(Scalar::from(u64::from(index.get())));
            let theirs =
                FeldmanVerifierSet::<TheirShare, TheirPoint>::evaluate_verifier_at(
                    &verifiers,
                    &identifier,
                )
                .expect("an index");
            let ours = commitments.member_key(index).expect("a key");
            prop_assert_eq!(theirs.0.to_affine(), *ours.as_affine());
        }
    }

    /// They take new shares for the very secret that they rebuild from old ones, and never a mixture.
    #[test]
    fn they_verify_and_combine_what_we_reshare(case in sharing(), next in sharing()) {
        let Case { seed, threshold, indices } = case;
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let secret = Secret::random(&mut rng);
        let (old, before) = split(&secret, threshold, &indices, &mut rng).expect("valid");
        let (new, after) =
            reshare(&secret, &old, next.threshold, &next.indices, &mut rng).expect("valid");
        let (old, verifiers) = (their_verifiers(&old), their_verifiers(&new));
        prop_assert_eq!(old[1].0, verifiers[1].0);
        let theirs: Vec<TheirShare> = after.iter().map(their_share).collect();
        for share in &theirs {
            prop_assert!(verifiers.verify_share(share).is_ok());
            prop_assert!(old.verify_share(share).is_err());
        }
        for share in &before {
            prop_assert!(verifiers.verify_share(&their_share(share)).is_err());
        }
        let need = usize::from(next.threshold);
        let rebuilt = theirs[theirs.len() - need..].to_vec().combine().expect("enough shares");
        prop_assert_eq!(bytes(rebuilt.0), *secret.to_bytes());
        let mut mixed = theirs[..need - 1].to_vec();
        let old = before.iter().find(|old| {
            next.indices[..need - 1].iter().all(|index| *index != old.index())
        });
        if let Some(old) = old {
            mixed.push(their_share(old));
            let rebuilt = mixed.combine().expect("enough shares");
            prop_assert_ne!(bytes(rebuilt.0), *secret.to_bytes());
        }
    }

    #[test]
    fn both_refuse_the_same_altered_share(case in sharing(), bit in 0..256_usize) {
        let Case { seed, threshold, indices } = case;
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let secret = Secret::random(&mut rng);
        let (commitments, shares) = split(&secret, threshold, &indices, &mut rng).expect("valid");
        let verifiers = their_verifiers(&commitments);
        for share in &shares {
            let index = share.index();
            let mut altered = *share.to_bytes();
            altered[bit / 8] ^= 1 << (bit % 8);
            let Ok(altered) = Share::from_bytes(index, &altered) else { continue };
            prop_assert_eq!(commitments.check(&altered), Err(WrongShare { index }));
            prop_assert!(verifiers.verify_share(&their_share(&altered)).is_err());
            let refused = Collector::new(commitments.clone()).accept(altered).err();
            prop_assert_eq!(refused, Some(ShareRefused::Wrong { index }));
        }
        // And the shares of one sharing under the commitments of another.
        let (others, _) = split(&secret, threshold, &indices, &mut rng).expect("valid");
        let other_verifiers = their_verifiers(&others);
        for share in &shares {
            prop_assert!(others.check(share).is_err());
            prop_assert!(other_verifiers.verify_share(&their_share(share)).is_err());
        }
    }
}

#[derive(Clone, Debug)]
struct Case {
    seed: u64,
    threshold: u8,
    indices: Vec<ShareIndex>,
}

/// 2 to 9 members with any distinct indices, any threshold.
fn sharing() -> impl Strategy<Value = Case> {
    let members = prop::collection::btree_set(1..=255_u8, 2..=9);
    (any::<u64>(), members).prop_flat_map(|(seed, members)| {
        let indices: Vec<ShareIndex> = members.into_iter().filter_map(ShareIndex::new).collect();
        let most = u8::try_from(indices.len()).expect("at most 9");
        (2..=most, Just(indices).prop_shuffle()).prop_map(move |(threshold, indices)| Case {
            seed,
            threshold,
            indices,
        })
    })
}

fn their_share(share: &Share) -> TheirShare {
    let index = Scalar::from(u64::from(share.index().get()));
    (
        IdentifierPrimeField(index),
        IdentifierPrimeField(scalar(&share.to_bytes())),
    )
}

fn our_share((index, share): (&ShareIndex, &TheirShare)) -> Share {
    assert_eq!(share.0.0, Scalar::from(u64::from(index.get())));
    Share::from_bytes(*index, &bytes(share.1.0)).expect("a nonzero scalar")
}

fn their_verifiers(commitments: &Commitments) -> Vec<TheirPoint> {
    let points: Vec<TheirPoint> = commitments
        .to_compressed()
        .iter()
        .map(|point| AffinePoint::from_bytes(&CompressedPoint::from(*point)).expect("a point"))
        .map(|point| ValueGroup(ProjectivePoint::from(point)))
        .collect();
    let generator = ValueGroup(ProjectivePoint::generator());
    // Theirs keep the generator in front.
    let mut set = vec![generator];
    set.extend(points);
    set
}

fn our_commitments(verifiers: &[TheirPoint]) -> Commitments {
    assert_eq!(verifiers[0].0, ProjectivePoint::generator());
    let encoded: Vec<[u8; 33]> = verifiers[1..]
        .iter()
        .map(|point| point.0.to_affine().to_bytes().into())
        .collect();
    Commitments::from_compressed(&encoded).expect("valid commitments")
}

fn their_split(
    secret: &Secret,
    threshold: u8,
    indices: &[ShareIndex],
    rng: &mut ChaCha20Rng,
) -> (Vec<TheirShare>, Vec<TheirPoint>) {
    feldman::split_secret_with_participant_ids_iter::<TheirShare, TheirPoint>(
        usize::from(threshold),
        indices.len(),
        &IdentifierPrimeField(scalar(&secret.to_bytes())),
        None,
        rng,
        indices
            .iter()
            .map(|index| IdentifierPrimeField(Scalar::from(u64::from(index.get())))),
    )
    .expect("valid parameters")
}

fn scalar(bytes: &[u8; 32]) -> Scalar {
    Scalar::from_repr(FieldBytes::from(*bytes)).expect("below q")
}

fn bytes(scalar: Scalar) -> [u8; 32] {
    scalar.to_repr().into()
}
