//! Wallets: their accounts, and their keys as the caller keeps them.
//!
//! A seed is sealed under key-generation's own storage key; the key of each account under the one
//! that key-generation and signing share. The associated data name namespace, organization, wallet
//! and account, so a sealed key that was swapped for another's does not open.
//!
//! Does not: seal or open ([`quorate_sealing`] does), derive keys, or check points of secp256k1.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use minicbor::decode::{Decoder, Error as CborError};
use minicbor::encode::{Encoder, Write};
use minicbor::{Decode, Encode};

use crate::atoms::{Bytes, codec};
use crate::digest::Digest;
use crate::genesis::Genesis;
use crate::invalid::Invalid;
use crate::organization::{Address, Organization};
use crate::stored::SealedSecret;

/// Accounts made with one wallet, at most.
pub const MAX_ACCOUNTS: usize = 16;

/// Names a wallet: 16 random bytes.
pub type WalletId = Bytes<16, 16>;
/// A public key of secp256k1, SEC1 compressed. Whether it is a point is for its user to check.
pub type Secp256k1Point = Bytes<33, 33>;

/// A BIP-32 path from the master key: `m`, then 1 to 10 steps, at most 64 bytes. A step may have
/// more than 31 bits here; whoever derives refuses it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(String);

impl Path {
    /// Longest path in bytes.
    pub const MAX: usize = 64;

    /// Checks and takes a path.
    ///
    /// # Errors
    /// [`Invalid::Path`].
    pub fn new(text: &str) -> Result<Self, Invalid> {
        let mut parts = text.split('/');
        let master = parts.next() == Some("m");
        let mut steps = 0_usize;
        let all = parts.all(|part| {
            steps = steps.saturating_add(1);
            let digits = part.strip_suffix('\'').unwrap_or(part);
            (1..=10).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
        });
        if master && all && (1..=10).contains(&steps) && text.len() <= Self::MAX {
            Ok(Self(text.into()))
        } else {
            Err(Invalid::Path)
        }
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// How many words a mnemonic has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Words {
    /// 128 bits of entropy.
    #[n(12)]
    Twelve,
    /// 160 bits.
    #[n(15)]
    Fifteen,
    /// 192 bits.
    #[n(18)]
    Eighteen,
    /// 224 bits.
    #[n(21)]
    TwentyOne,
    /// 256 bits.
    #[n(24)]
    TwentyFour,
}

impl Words {
    /// All of them, ascending.
    pub const ALL: [Self; 5] = [
        Self::Twelve,
        Self::Fifteen,
        Self::Eighteen,
        Self::TwentyOne,
        Self::TwentyFour,
    ];

    /// The number of words.
    pub const fn count(self) -> u8 {
        match self {
            Self::Twelve => 12,
            Self::Fifteen => 15,
            Self::Eighteen => 18,
            Self::TwentyOne => 21,
            Self::TwentyFour => 24,
        }
    }

    /// Bytes of entropy: four for every three words.
    pub const fn entropy(self) -> usize {
        self.count() as usize / 3 * 4
    }
}

/// One account of a wallet.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Account {
    /// Where its key is in the wallet.
    #[n(0)]
    pub path: Path,
    /// What others call it.
    #[n(1)]
    pub address: Address,
    /// Its public key.
    #[n(2)]
    pub public_key: Secp256k1Point,
}

/// An account with its key, for the caller to keep.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SealedAccount {
    /// Whose account it is.
    #[n(0)]
    pub wallet: WalletId,
    /// Which account.
    #[n(1)]
    pub account: Account,
    /// Its secret key.
    #[n(2)]
    pub sealed: SealedSecret,
}

/// Associated data of an account's sealed key.
pub fn account_context(
    genesis: &Digest<Genesis>,
    organization: &Digest<Organization>,
    wallet: &WalletId,
    account: &Account,
) -> Vec<u8> {
    context(
        "quorate/account-key/v1",
        genesis,
        organization,
        wallet,
        account,
    )
}

/// Associated data of a wallet's sealed seed.
pub fn seed_context(
    genesis: &Digest<Genesis>,
    organization: &Digest<Organization>,
    wallet: &WalletId,
    words: Words,
) -> Vec<u8> {
    context(
        "quorate/wallet-seed/v1",
        genesis,
        organization,
        wallet,
        &words,
    )
}

fn context(
    label: &str,
    genesis: &Digest<Genesis>,
    organization: &Digest<Organization>,
    wallet: &WalletId,
    last: &impl Encode<()>,
) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    let mut e = Encoder::new(&mut bytes);
    let written = e
        .array(5)
        .and_then(|e| e.str(label))
        .and_then(|e| e.bytes(genesis.as_bytes()))
        .and_then(|e| e.bytes(organization.as_bytes()))
        .and_then(|e| e.bytes(wallet.as_slice()))
        .and_then(|e| e.encode(last).map(drop));
    debug_assert!(written.is_ok(), "writing to a Vec cannot fail");
    bytes
}

codec!([] Path, &str, |v| v.0, |raw| Self::new(raw));

/// 1 to [`MAX_ACCOUNTS`] entries; `#[cbor(with = "crate::wallet::some")]`.
pub(crate) mod some {
    use super::{CborError, Decode, Decoder, Encode, Encoder, Invalid, MAX_ACCOUNTS, Vec, Write};

    pub(crate) fn encode<C, T: Encode<C>, W: Write>(
        v: &Vec<T>,
        e: &mut Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        v.encode(e, ctx)
    }

    pub(crate) fn decode<'b, C, T: Decode<'b, C>>(
        d: &mut Decoder<'b>,
        ctx: &mut C,
    ) -> Result<Vec<T>, CborError> {
        let position = d.position();
        let list = Vec::<T>::decode(d, ctx)?;
        if (1..=MAX_ACCOUNTS).contains(&list.len()) {
            return Ok(list);
        }
        let rule = Invalid::ListLength {
            min: 1,
            max: MAX_ACCOUNTS,
            found: list.len(),
        };
        Err(CborError::custom(rule).at(position))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_contract() {
        for good in ["m/0", "m/44'/60'/0'/0/0", "m/1/2/3/4/5/6/7/8/9/10"] {
            assert_eq!(Path::new(good).map(|p| p.0), Ok(good.into()));
        }
        let long = "m/1234567890'/1234567890'/1234567890'/1234567890'/1234567890'/1234567";
        for bad in [
            "",
            "m",
            "m/",
            "/0",
            "0",
            "M/0",
            "m/0/",
            "m//0",
            "m/-1",
            "m/0h",
            "m/0''",
            "m/'",
            "m/01234567890",
            " m/0",
            "m/0 ",
            "m/٣",
            "m/1/2/3/4/5/6/7/8/9/10/11",
            long,
        ] {
            assert_eq!(Path::new(bad), Err(Invalid::Path), "{bad}");
        }
        assert_eq!(long.len(), Path::MAX + 5);
    }

    #[test]
    fn words_have_their_entropy() {
        assert_eq!(Words::ALL.map(Words::entropy), [16, 20, 24, 28, 32]);
    }
}
