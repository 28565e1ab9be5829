//! Are the coefficients of a sharing uniform?
//!
//! The coefficients are worked out from the secret and the shares of real sharings, so the test
//! sees what `split` used and not what a helper claims. Chi-square statistics are computed over
//! bits, bytes and pairs of coefficients. The generator is seeded, so the numbers are the same in
//! every run and the test cannot fail by chance. The same judge must find each fault in sharings
//! made with a generator that was spoiled on purpose; a judge that passes everything fails here.

mod common;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::{CryptoRng, Infallible, Rng, TryCryptoRng, TryRng};
use common::indices;
use p256::elliptic_curve::PrimeField;
use p256::{FieldBytes, Scalar};
use quorate_sharing::{Secret, split};

/// Sharings in a sample. Each gives two coefficients of 32 bytes.
const SHARINGS: usize = 1_000;
/// Enough to find a coarse fault; keeps the test short.
const FEW: usize = 400;

#[test]
fn coefficients_are_uniform_and_the_judge_finds_every_bias() {
    assert_eq!(judge(&sample(SHARINGS, &mut common::rng(21))), Ok(()));

    let biased = |spoil: fn(&mut [u8; 32])| judge(&sample(FEW, &mut Spoiled::new(spoil)));
    assert!(matches!(
        biased(|block| block[31] |= 1),
        Err(Bias::Bit { bit: 255, .. })
    ));
    assert!(matches!(
        biased(|block| block[0] &= 0x7f),
        Err(Bias::Bit { bit: 0, .. })
    ));
    // 128-bit coefficients.
    assert!(matches!(
        biased(|block| block[..16].fill(0)),
        Err(Bias::Bit { .. })
    ));
    // No byte is ever zero: each bit is off by one part in 255, too little to see, but the value
    // is missing among all bytes.
    let no_zero_byte = |block: &mut [u8; 32]| {
        for at in 0..32 {
            if block[at] == 0 {
                // Another byte that is not zero; keeps the other values equally likely.
                block[at] = 1 + block[(at + 1) % 32] % 255;
            }
        }
    };
    assert!(matches!(
        judge(&sample(SHARINGS, &mut Spoiled::new(no_zero_byte))),
        Err(Bias::ByteValue { .. })
    ));
    // One byte position drawn from too small an alphabet by folding, as `% 200` does.
    assert!(matches!(
        biased(|block| block[9] %= 200),
        Err(Bias::Bit { .. } | Bias::Byte { at: 9, .. })
    ));
    // Bits balanced, but a byte has even parity only.
    let even = |block: &mut [u8; 32]| {
        if block[17].count_ones() % 2 == 1 {
            block[17] ^= 1;
        }
    };
    assert!(matches!(biased(even), Err(Bias::Byte { at: 17, .. })));
    // Every coefficient twice: each alone is uniform.
    assert!(matches!(
        judge(&sample(FEW, &mut Repeating::new())),
        Err(Bias::Pair { .. })
    ));
}

/// Secrets drawn by the crate pass the same judge.
#[test]
fn random_secrets_are_uniform() {
    let mut rng = common::rng(22);
    let mut draw = || *Secret::random(&mut rng).to_bytes();
    let sample: Vec<_> = (0..SHARINGS).map(|_| [draw(), draw()]).collect();
    assert_eq!(judge(&sample), Ok(()));
}

/// The two coefficients a₁, a₂ of many sharings with threshold 3.
fn sample(sharings: usize, rng: &mut impl CryptoRng) -> Vec<[[u8; 32]; 2]> {
    // The secret is fixed, so it takes nothing from the generator under test.
    let secret = Secret::random(&mut common::rng(20));
    let members = indices(&[1, 2, 3]);
    (0..sharings)
        .map(|_| {
            let (_, shares) = split(&secret, 3, &members, rng).expect("3 of 3");
            let values: Vec<Scalar> = shares
                .iter()
                .map(|share| scalar(&share.to_bytes()))
                .collect();
            coefficients(scalar(&secret.to_bytes()), values[0], values[1])
        })
        .collect()
}

/// Solves f(1) − s = a₁ + a₂ and f(2) − s = 2·a₁ + 4·a₂.
fn coefficients(secret: Scalar, at_1: Scalar, at_2: Scalar) -> [[u8; 32]; 2] {
    let (one, two) = (at_1 - secret, at_2 - secret);
    let second = (two - one - one) * Scalar::TWO_INV;
    [one - second, second].map(|coefficient| coefficient.to_repr().into())
}

fn scalar(bytes: &[u8; 32]) -> Scalar {
    Scalar::from_repr(FieldBytes::from(*bytes)).expect("below q")
}

/// The first fault found, with its statistic.
#[derive(Debug, PartialEq)]
enum Bias {
    /// One bit is set too often or too rarely; bit 0 is the most significant.
    Bit { bit: usize, chi_square: f64 },
    /// The values of the byte at one position are not equally frequent.
    Byte { at: usize, chi_square: f64 },
    /// Some byte value is too frequent or too rare among all bytes.
    ByteValue { chi_square: f64 },
    /// The two coefficients of a sharing depend on each other (exclusive or of their bytes).
    Pair { chi_square: f64 },
}

/// Limits with a chance of about 10⁻⁹ for each statistic of an honest sample: 37.3 for one degree
/// of freedom, 410 for 255. The order q is so near 2²⁵⁶ (a part in 2³² below) that uniform
/// scalars have uniform bytes as far as any sample can show.
const LIMIT_1: f64 = 37.3;
const LIMIT_255: f64 = 410.0;

fn judge(sample: &[[[u8; 32]; 2]]) -> Result<(), Bias> {
    // First and second coefficients apart: each must be uniform by itself.
    for which in 0..2 {
        let column: Vec<&[u8; 32]> = sample.iter().map(|pair| &pair[which]).collect();
        for bit in 0..256 {
            let set = column
                .iter()
                .filter(|bytes| bytes[bit / 8] & (0x80 >> (bit % 8)) != 0);
            let set = set.count();
            let chi_square = chi_square(&[set, column.len() - set]);
            if chi_square > LIMIT_1 {
                return Err(Bias::Bit { bit, chi_square });
            }
        }
        for at in 0..32 {
            let chi_square = chi_square(&histogram(column.iter().map(|bytes| bytes[at])));
            if chi_square > LIMIT_255 {
                return Err(Bias::Byte { at, chi_square });
            }
        }
    }
    let differences = sample
        .iter()
        .flat_map(|[a, b]| a.iter().zip(b).map(|(a, b)| a ^ b));
    let pairs = chi_square(&histogram(differences));
    if pairs > LIMIT_255 {
        return Err(Bias::Pair { chi_square: pairs });
    }
    let bytes = chi_square(&histogram(sample.iter().flatten().flatten().copied()));
    if bytes > LIMIT_255 {
        return Err(Bias::ByteValue { chi_square: bytes });
    }
    Ok(())
}

fn histogram(values: impl Iterator<Item = u8>) -> [usize; 256] {
    let mut counts = [0; 256];
    values.for_each(|value| counts[usize::from(value)] += 1);
    counts
}

/// Pearson's statistic against equal frequencies.
#[allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn chi_square(counts: &[usize]) -> f64 {
    let expected = counts.iter().sum::<usize>() as f64 / counts.len() as f64;
    counts
        .iter()
        .map(|count| (*count as f64 - expected).powi(2) / expected)
        .sum()
}

/// A good generator whose blocks are spoiled before they are handed out.
struct Spoiled {
    good: ChaCha20Rng,
    spoil: fn(&mut [u8; 32]),
}

impl Spoiled {
    fn new(spoil: fn(&mut [u8; 32])) -> Self {
        Self {
            good: common::rng(21),
            spoil,
        }
    }
}

impl TryRng for Spoiled {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        panic!("sharing draws blocks")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        panic!("sharing draws blocks")
    }

    fn try_fill_bytes(&mut self, destination: &mut [u8]) -> Result<(), Infallible> {
        let block: &mut [u8; 32] = destination.try_into().expect("blocks of 32 bytes");
        self.good.fill_bytes(block);
        (self.spoil)(block);
        Ok(())
    }
}

impl TryCryptoRng for Spoiled {}

/// A good generator that gives each block twice.
struct Repeating {
    good: ChaCha20Rng,
    again: Option<[u8; 32]>,
}

impl Repeating {
    fn new() -> Self {
        Self {
            good: common::rng(21),
            again: None,
        }
    }
}

impl TryRng for Repeating {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        panic!("sharing draws blocks")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        panic!("sharing draws blocks")
    }

    fn try_fill_bytes(&mut self, destination: &mut [u8]) -> Result<(), Infallible> {
        if let Some(block) = self.again.take() {
            destination.copy_from_slice(&block);
        } else {
            self.good.fill_bytes(destination);
            self.again = destination.try_into().ok();
        }
        Ok(())
    }
}

impl TryCryptoRng for Repeating {}
