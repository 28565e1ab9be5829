//! An independent rebuild of an image: what somebody else's machine made of the same source.
//!
//! A rebuilder signs which source they built, with which lock of inputs, and what the image
//! measures. One such statement proves nothing to a stranger; a policy in `verify` says how many of
//! which rebuilders have to agree before a measurement is believed to come from that source.
//!
//! Does not: say that the source is good, or when it was built: a rebuild is as true later.

use minicbor::{Decode, Encode};

use crate::atoms::{Bytes, Pcr, Sha256};
use crate::cbor::{Checked, Rules, object};
use crate::cose::{BadSignature, Signed};
use crate::invalid::Invalid;
use crate::keys::VerificationKey;

/// A commit's name: 20 bytes (SHA-1) or 32 (SHA-256), as git has it.
pub type Commit = Bytes<20, 32>;

/// What one rebuilder's machine made.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct RebuildFields {
    /// Verifies this statement; a policy says whose it is.
    #[n(0)]
    pub rebuilder: VerificationKey,
    /// The source that was built.
    #[n(1)]
    pub commit: Commit,
    /// SHA-256 of `images/lock.toml`, which names every other input.
    #[n(2)]
    pub lock: Sha256,
    /// Kernel, command line and all ramdisks.
    #[n(3)]
    pub pcr0: Pcr,
    /// Kernel, command line and first ramdisk.
    #[n(4)]
    pub pcr1: Pcr,
    /// Further ramdisks.
    #[n(5)]
    pub pcr2: Pcr,
}

/// A rebuild of which no register is all zero.
pub type Rebuild = Checked<RebuildFields>;

impl Rules for RebuildFields {
    fn check(&self) -> Result<(), Invalid> {
        let registers = [(0, self.pcr0), (1, self.pcr1), (2, self.pcr2)];
        match registers.iter().find(|(_, pcr)| *pcr == Pcr::ZERO) {
            Some((index, _)) => Err(Invalid::MeasurementZero { index: *index }),
            None => Ok(()),
        }
    }
}

impl Signed<Rebuild> {
    /// The statement, if the rebuilder it names signed it.
    ///
    /// # Errors
    /// [`BadSignature`]; then nobody stands behind it.
    pub fn verify_self(&self) -> Result<&Rebuild, BadSignature> {
        self.verify(&self.unverified().rebuilder)
    }
}

object! {
    Rebuild => "quorate/rebuild/v1", 512;
}
