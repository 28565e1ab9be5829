//! What a share and a commitment must be: every altered share is refused and named, every
//! malformed commitment is refused, and possession of a share can be proved.

mod common;

use common::{indices, rng, unhex};
use p256::ecdsa::Signature;
use p256::ecdsa::signature::{Signer, Verifier};
use quorate_sharing::{CommitmentError, Commitments, Secret, Share, ShareIndex, WrongShare, split};

/// P-256's field prime: the smallest x coordinate that is out of range.
const PRIME: &str = "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";
/// The field prime plus 5; 5 is the x coordinate of a point.
const PRIME_PLUS_5: &str = "ffffffff00000001000000000000000000000001000000000000000000000004";

#[test]
fn every_flipped_bit_of_a_share_fails_closed_with_its_index() {
    let mut rng = rng(11);
    let members = indices(&[1, 2, 90, 255]);
    let (commitments, shares) =
        split(&Secret::random(&mut rng), 3, &members, &mut rng).expect("3 of 4");
    let mut compared = 0;
    for share in &shares {
        let index = share.index();
        for bit in 0..256_usize {
            let mut bytes = *share.to_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            // A flip can leave the range of scalars; then the bytes are refused on reading.
            let Ok(altered) = Share::from_bytes(index, &bytes) else {
                continue;
            };
            assert_eq!(commitments.check(&altered), Err(WrongShare { index }));
            compared += 1;
        }
        assert_eq!(commitments.check(share), Ok(()));
    }
    // Only flips that set all of the first 32 bits could leave the range.
    assert!(
        compared >= 4 * 255,
        "only {compared} flips reached the check"
    );
}

#[test]
fn every_share_under_every_other_index_fails_closed() {
    let mut rng = rng(12);
    let members = indices(&[1, 2, 3]);
    let (commitments, shares) =
        split(&Secret::random(&mut rng), 2, &members, &mut rng).expect("2 of 3");
    for share in &shares {
        for index in (1..=255)
            .filter_map(ShareIndex::new)
            .filter(|other| *other != share.index())
        {
            let moved = Share::from_bytes(index, &share.to_bytes()).expect("a scalar");
            assert_eq!(commitments.check(&moved), Err(WrongShare { index }));
        }
    }
}

#[test]
fn every_flipped_bit_of_a_commitment_fails_closed() {
    let mut rng = rng(13);
    let members = indices(&[1, 2, 3]);
    let (commitments, shares) =
        split(&Secret::random(&mut rng), 2, &members, &mut rng).expect("2 of 3");
    let mut readable = 0;
    for position in 0..2 {
        for bit in 0..33 * 8_usize {
            let mut points = commitments.to_compressed().to_vec();
            points[position][bit / 8] ^= 1 << (bit % 8);
            match Commitments::from_compressed(&points) {
                Ok(altered) => {
                    readable += 1;
                    assert_ne!(altered, commitments);
                    for share in &shares {
                        let index = share.index();
                        assert_eq!(altered.check(share), Err(WrongShare { index }));
                    }
                }
                Err(CommitmentError::BadPrefix { position: at, .. }) if bit < 8 => {
                    assert_eq!(at, position);
                }
                Err(refused) => assert_eq!(refused, CommitmentError::NotOnCurve { position }),
            }
        }
    }
    // About half of all x coordinates have a point.
    assert!((100..430).contains(&readable), "{readable}");
}

#[test]
fn wrong_number_of_commitments_fails_closed() {
    let point = generator();
    assert_eq!(
        Commitments::from_compressed(&[]),
        Err(CommitmentError::TooFew { count: 0 })
    );
    assert_eq!(
        Commitments::from_compressed(&[point]),
        Err(CommitmentError::TooFew { count: 1 })
    );
    for count in [256, 257, 512, 514] {
        assert_eq!(
            Commitments::from_compressed(&vec![point; count]),
            Err(CommitmentError::TooMany { count })
        );
    }
    for count in [2, 255] {
        let read = Commitments::from_compressed(&vec![point; count]).expect("in range");
        assert_eq!(usize::from(read.threshold()), count);
    }
}

#[test]
fn identity_and_non_canonical_points_fail_closed() {
    let good = generator();
    for prefix in (0..=u8::MAX).filter(|prefix| !matches!(prefix, 2 | 3)) {
        // Prefix 0 and zeros is how the identity looks when it is padded to 33 bytes.
        for mut bad in [[0; 33], good] {
            bad[0] = prefix;
            assert_eq!(
                Commitments::from_compressed(&[good, bad]),
                Err(CommitmentError::BadPrefix {
                    position: 1,
                    prefix
                })
            );
        }
    }
    for (x, parity) in [(PRIME, 2), (PRIME_PLUS_5, 2), (PRIME_PLUS_5, 3)] {
        let mut bad = [parity; 33];
        bad[1..].copy_from_slice(&unhex(x));
        assert_eq!(
            Commitments::from_compressed(&[bad, good]),
            Err(CommitmentError::NotOnCurve { position: 0 })
        );
    }
    // x = 1 has no point; x = 5 has.
    for (x, expected) in [
        (1, Err(CommitmentError::NotOnCurve { position: 1 })),
        (5, Ok(2)),
    ] {
        let mut point = [0; 33];
        point[0] = 2;
        point[32] = x;
        let read = Commitments::from_compressed(&[good, point]);
        assert_eq!(read.map(|read| read.threshold()), expected);
    }
}

#[test]
fn commitments_that_give_a_zero_share_fail_closed() {
    // A₀ = G and A₁ = −G: f(x) = 1 − x, so member 1 has the share zero.
    let plus = generator();
    let mut minus = plus;
    minus[0] ^= 1;
    let commitments = Commitments::from_compressed(&[plus, minus]).expect("two points");
    let index = ShareIndex::new(1).expect("not zero");
    assert_eq!(
        commitments.member_key(index).err(),
        Some(CommitmentError::MemberKeyIsIdentity { index })
    );
    assert!(
        commitments
            .member_key(ShareIndex::new(2).expect("not zero"))
            .is_ok()
    );
    assert!(Share::from_bytes(index, &[0; 32]).is_err());
}

#[test]
fn possession_signature_verifies_under_the_member_key_only() {
    let mut rng = rng(14);
    let secret = Secret::random(&mut rng);
    let members = indices(&[1, 2, 3, 255]);
    let (commitments, shares) = split(&secret, 3, &members, &mut rng).expect("3 of 4");
    let message = b"I hold this share";
    for share in &shares {
        let signature: Signature = share.signing_key().sign(message);
        for member in &members {
            let key = commitments.member_key(*member).expect("a key");
            let verdict = key.verify(message, &signature);
            assert_eq!(verdict.is_ok(), *member == share.index());
        }
    }
    let signature: Signature = secret.signing_key().sign(message);
    let public = p256::ecdsa::VerifyingKey::from_sec1_bytes(&secret.public_key()).expect("a key");
    assert!(public.verify(message, &signature).is_ok());
}

/// Compiles only while secrets can be neither copied nor printed.
#[test]
fn secrets_have_no_clone_and_no_debug() {
    trait Ambiguous<Marker> {
        const ONLY_ONE: () = ();
    }
    impl<T> Ambiguous<()> for T {}
    impl<T: Clone> Ambiguous<[u8; 1]> for T {}
    impl<T: std::fmt::Debug> Ambiguous<[u8; 2]> for T {}
    let () = <Secret as Ambiguous<_>>::ONLY_ONE;
    let () = <Share as Ambiguous<_>>::ONLY_ONE;
}

/// SEC1 compressed base point.
fn generator() -> [u8; 33] {
    let mut one = [0; 32];
    one[31] = 1;
    Secret::from_bytes(&one).expect("a scalar").public_key()
}
