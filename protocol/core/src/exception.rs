//! Finishing a genesis without the receipt of somebody who cannot give one.
//!
//! A genesis is finished by a receipt of every holder. Where one of them is lost for good, those who
//! gave a receipt may all sign an exception instead. The indices it names never count again: nobody
//! has proved to hold those shares. How many must sign is for `verify` to say.

use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::atoms::{ShareIndex, UnixMillis};
use crate::cbor::{Checked, Rules, object};
use crate::digest::Digest;
use crate::genesis::{Epoch, Genesis};
use crate::instance::Index;
use crate::invalid::Invalid;

/// Indices one exception leaves out, at most: fewer than half of the largest share set.
pub const MAX_MISSING: usize = 127;

/// One holder's word that the genesis is finished without the receipts of others.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct GenesisExceptionFields {
    /// The namespace.
    #[n(0)]
    pub genesis: Digest<Genesis>,
    /// The polynomial.
    #[n(1)]
    pub epoch: Epoch,
    /// The signer's index in the share set.
    #[cbor(n(2), with = "crate::atoms::index")]
    pub index: ShareIndex,
    /// Every index without a receipt, ascending; inactive from now on.
    #[n(3)]
    pub missing: Vec<Index>,
    /// When, by the signer's clock.
    #[n(4)]
    pub time: UnixMillis,
}

/// An exception whose rules hold.
pub type GenesisException = Checked<GenesisExceptionFields>;

impl Rules for GenesisExceptionFields {
    fn check(&self) -> Result<(), Invalid> {
        let found = self.missing.len();
        if found == 0 || found > MAX_MISSING {
            return Err(Invalid::ListLength {
                min: 1,
                max: MAX_MISSING,
                found,
            });
        }
        for [before, after] in self.missing.array_windows::<2>() {
            if before >= after {
                return Err(Invalid::IndicesNotAscending {
                    index: after.0.get(),
                });
            }
        }
        if self.missing.contains(&Index(self.index)) {
            // Who signs has a receipt.
            return Err(Invalid::IndicesNotAscending {
                index: self.index.get(),
            });
        }
        Ok(())
    }
}

object! {
    GenesisException => "quorate/genesis-exception/v1", 512;
}
