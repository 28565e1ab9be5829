//! Operations, and tickets for exactly one of them.
//!
//! policy decides an [`Operation`] and issues a [`Ticket`] that names its digest, the redeemer's
//! start and a number. A ticket is not signed: it counts only when it comes over the call edge that
//! init made between the two, and a redeemer takes each number once (`enclave-apps/ticket`).

use alloc::boxed::Box;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::activity::AppRefusal;
use crate::application::ApplicationProof;
use crate::atoms::{Bytes, Name, Sha256, UnixMillis};
use crate::cbor::{Checked, Rules, object};
use crate::cose::Signed;
use crate::digest::Digest;
use crate::invalid::Invalid;
use crate::keys::VerificationKey;
use crate::organization::{Address, Organization, Wei};
use crate::stored::SealedSecret;
use crate::wallet::{Account, Path, SealedAccount, WalletId, Words};

/// Bytes of an unsigned transaction, at most.
pub const MAX_TRANSACTION: usize = 16 * 1024;
/// Bytes of a signed one, at most.
pub const MAX_SIGNED_TRANSACTION: usize = MAX_TRANSACTION + 256;

/// The wallet that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct NewWalletFields {
    /// Length of its mnemonic.
    #[n(0)]
    pub words: Words,
    /// Its first accounts.
    #[cbor(n(1), with = "crate::wallet::some")]
    pub paths: Vec<Path>,
}

/// A wallet that is asked for: 1 to 16 paths, none twice.
pub type NewWallet = Checked<NewWalletFields>;

impl Rules for NewWalletFields {
    fn check(&self) -> Result<(), Invalid> {
        let found = self.paths.len();
        let max = crate::wallet::MAX_ACCOUNTS;
        if !(1..=max).contains(&found) {
            return Err(Invalid::ListLength { min: 1, max, found });
        }
        let mut seen = self.paths.iter().enumerate();
        let twice = seen.any(|(at, path)| self.paths.iter().take(at).any(|other| other == path));
        if twice {
            return Err(Invalid::PathRepeated);
        }
        Ok(())
    }
}

/// What an EIP-1559 transaction does, in numbers.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct TransactionFacts {
    /// Chain id.
    #[n(0)]
    pub chain: u64,
    /// The account's transactions before it.
    #[n(1)]
    pub nonce: u64,
    /// To whom; absent when it creates a contract.
    #[n(2)]
    pub to: Option<Address>,
    /// What they get.
    #[n(3)]
    pub value: Wei,
    /// Gas limit.
    #[n(4)]
    pub gas: u64,
    /// The most a unit of gas may cost.
    #[n(5)]
    pub max_fee: Wei,
    /// The most of it for the block's maker.
    #[n(6)]
    pub max_priority_fee: Wei,
    /// The most the whole may cost; [`Wei::MAX`] when that does not fit 256 bits.
    #[n(7)]
    pub cost: Wei,
    /// Bytes of call data.
    #[n(8)]
    pub data: u64,
    /// Addresses in the access list.
    #[n(9)]
    pub access_list: u64,
}

/// One transaction of one account.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Payment {
    /// The wallet.
    #[n(0)]
    pub wallet: WalletId,
    /// Its account that pays.
    #[n(1)]
    pub account: Account,
    /// What the transaction does.
    #[n(2)]
    pub facts: TransactionFacts,
    /// Keccak-256 that is signed.
    #[n(3)]
    pub signing_hash: Bytes<32, 32>,
}

/// To make a wallet.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct CreateWallet {
    /// For whom.
    #[n(0)]
    pub organization: Digest<Organization>,
    /// SHA-256 of the body of the request.
    #[n(1)]
    pub fingerprint: Sha256,
    /// What is asked for.
    #[n(2)]
    pub wallet: NewWallet,
}

/// To sign a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SignTransaction {
    /// For whom.
    #[n(0)]
    pub organization: Digest<Organization>,
    /// SHA-256 of the body of the request.
    #[n(1)]
    pub fingerprint: Sha256,
    /// What was decided on.
    #[n(2)]
    pub payment: Payment,
    /// The unsigned transaction: type byte and RLP.
    #[n(3)]
    pub transaction: Bytes<1, MAX_TRANSACTION>,
}

/// What a ticket allows.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Operation {
    /// Redeemed by key-generation.
    #[n(1)]
    CreateWallet(#[n(0)] CreateWallet),
    /// Redeemed by signing.
    #[n(2)]
    SignTransaction(#[n(0)] Box<SignTransaction>),
}

/// Leave to perform one operation, once.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct TicketFields {
    /// The instance: its live key.
    #[n(0)]
    pub instance: VerificationKey,
    /// Who issued it.
    #[n(1)]
    pub issuer: Name,
    /// In which of its starts.
    #[n(2)]
    pub issuer_start: u64,
    /// Who may redeem it.
    #[n(3)]
    pub redeemer: Name,
    /// In which of its starts.
    #[n(4)]
    pub redeemer_start: u64,
    /// Ascending in one start of the issuer, from 1.
    #[n(5)]
    pub number: u64,
    /// The operation it is for.
    #[n(6)]
    pub operation: Digest<Operation>,
    /// Not redeemed from then on, by the instance's NSM.
    #[n(7)]
    pub expiry: UnixMillis,
}

/// A ticket with a number.
pub type Ticket = Checked<TicketFields>;

impl Rules for TicketFields {
    fn check(&self) -> Result<(), Invalid> {
        if self.number == 0 {
            return Err(Invalid::SequenceZero);
        }
        Ok(())
    }
}

/// From the issuer to the redeemer.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Redeem {
    /// The ticket.
    #[n(0)]
    pub ticket: Ticket,
    /// What it is for.
    #[n(1)]
    pub operation: Operation,
    /// The account's key, to sign.
    #[n(2)]
    pub account: Option<SealedSecret>,
}

/// From the redeemer to the issuer.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Redeemed {
    /// The wallet.
    #[n(1)]
    Wallet(#[n(0)] Box<MadeWallet>),
    /// The transaction.
    #[n(2)]
    Transaction(#[n(0)] Box<SignedTransaction>),
    /// Nothing was done.
    #[n(3)]
    Refused(#[n(0)] AppRefusal),
}

/// A wallet that was made, for the caller to keep.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct MadeWallet {
    /// Its name.
    #[n(0)]
    pub wallet: WalletId,
    /// Its seed.
    #[n(1)]
    pub seed: SealedSecret,
    /// Its accounts, in the order they were asked for.
    #[cbor(n(2), with = "crate::wallet::some")]
    pub accounts: Vec<SealedAccount>,
    /// key-generation's statement.
    #[n(3)]
    pub proof: Signed<ApplicationProof>,
}

/// A transaction that was signed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SignedTransaction {
    /// Ready to be sent: type byte and RLP.
    #[n(0)]
    pub transaction: Bytes<1, MAX_SIGNED_TRANSACTION>,
    /// Its Keccak-256.
    #[n(1)]
    pub hash: Bytes<32, 32>,
    /// signing's statement.
    #[n(2)]
    pub proof: Signed<ApplicationProof>,
}

object! {
    Operation => "quorate/operation/v1", 17 * 1024;
    Ticket => "quorate/ticket/v1", 384;
    Redeem => "quorate/redeem/v1", 19 * 1024;
    Redeemed => "quorate/redeemed/v1", 32 * 1024;
}
