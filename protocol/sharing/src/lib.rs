//! Verifiable secret sharing (Feldman, 1987) over P-256.
//!
//! A secret scalar `s` is the constant term of a random polynomial `f` of degree `t − 1`. Member
//! `i` gets the share `f(i)`; everybody gets the commitments `Aⱼ = aⱼ·G` to the coefficients. Any
//! `t` shares give `s` back; fewer say nothing about `s` that `A₀ = s·G` does not say already.
//!
//! **What it guarantees**
//!
//! * A share is valid exactly when `f(i)·G = Σ iʲ·Aⱼ`. Its holder can check that alone and
//!   offline, and whoever collects shares can name the one that is wrong ([`Commitments::check`],
//!   [`Collector`]).
//! * `A₀` is the public key of the secret. A secret rebuilt here has been compared with it.
//! * Coefficients are uniform in `1..q`: 32 bytes from the generator, a block that is not below
//!   the group order is thrown away (never reduced), zero is drawn again.
//! * `f(i)` works as a signing key, and [`Commitments::member_key`] is its public half. A
//!   signature by it proves possession of the share to anyone who has the commitments.
//! * Arithmetic on secrets is the constant-time arithmetic of `p256`. Loops and branches depend on
//!   thresholds, indices and counts only, which are public, and on the verdict on a share.
//!   [`Secret`] and [`Share`] have neither `Debug` nor `Clone` and are overwritten when dropped;
//!   copies that the compiler leaves in registers or on the stack are outside its reach.
//!
//! **What it trusts**: `p256`, and the generator it is given. A generator that never yields an
//! acceptable block would make drawing loop without end; `CryptoRng` promises that it does not.
//!
//! **What it does not do**: it keeps no record of who owns an index, and it does not encrypt,
//! sign or encode anything. After a [`reshare`] `A₀` is the same and every other coefficient is new. Old shares of `t` holders who kept them still give the secret; only a new
//! secret ends that.
//!
//! ```
//! use quorate_sharing::{Collector, Secret, ShareIndex, split};
//! # use chacha20::{ChaCha20Rng, rand_core::SeedableRng};
//! # let mut rng = ChaCha20Rng::from_seed([7; 32]);
//! let secret = Secret::random(&mut rng);
//! let members: Vec<ShareIndex> = (1..=5).filter_map(ShareIndex::new).collect();
//! let (commitments, shares) = split(&secret, 3, &members, &mut rng)?;
//! assert_eq!(commitments.public_key(), secret.public_key());
//!
//! let mut collector = Collector::new(commitments);
//! for share in shares.into_iter().take(3) {
//!     collector.accept(share)?;
//! }
//! let rebuilt = collector.reconstruct()?;
//! assert_eq!(rebuilt.public_key(), secret.public_key());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod collect;
mod commitments;
mod index;
mod scalar;
mod share;
mod split;

pub use collect::{Collector, CombineError, NotReconstructed, Progress, ShareRefused, combine};
pub use commitments::{
    CommitmentError, Commitments, MAX_THRESHOLD, MIN_THRESHOLD, POINT_LEN, WrongShare,
};
pub use index::{ShareIndex, ZeroIndex};
pub use scalar::{SCALAR_LEN, ScalarError, Secret};
pub use share::Share;
pub use split::{SplitError, reshare, split};
