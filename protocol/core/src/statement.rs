//! What the three applications prove: the payloads of their application proofs.
//!
//! policy says what it decided, key-generation which wallet it made, signing what it signed. Each
//! names the request by its fingerprint and the organization by its digest; what followed from a
//! decision names the ticket the decision issued. So a reader can put them together
//! (`verify/src/evidence/`), and a signature without its decision stands out.

use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::activity::AppReason;
use crate::atoms::{Bytes, Sha256, UnixMillis};
use crate::cbor::object;
use crate::digest::Digest;
use crate::keys::VerificationKey;
use crate::organization::{Organization, Wei};
use crate::ticket::{NewWallet, Payment, Ticket};
use crate::wallet::{Account, WalletId, Words};

/// Name of the application that decides.
pub const POLICY: &str = "policy";
/// Name of the application that makes wallets.
pub const KEY_GENERATION: &str = "key-generation";
/// Name of the application that signs.
pub const SIGNING: &str = "signing";

/// Kind of proofs that hold a [`Decision`].
pub const DECISION: &str = "decision";
/// Kind of proofs that hold a [`WalletStatement`].
pub const WALLET: &str = "wallet";
/// Kind of proofs that hold a [`SignatureStatement`].
pub const SIGNATURE: &str = "signature";

/// What policy decided about one request.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Decision {
    /// SHA-256 of the body of the request.
    #[n(0)]
    pub fingerprint: Sha256,
    /// Whose request it was.
    #[n(1)]
    pub organization: Digest<Organization>,
    /// Who stamped it.
    #[n(2)]
    pub owner: VerificationKey,
    /// What was asked for.
    #[n(3)]
    pub subject: Subject,
    /// The organization's limit.
    #[n(4)]
    pub limit: Wei,
    /// The organization's chain.
    #[n(5)]
    pub chain: u64,
    /// What was decided.
    #[n(6)]
    pub outcome: Outcome,
    /// When, by the instance's NSM.
    #[n(7)]
    pub time: UnixMillis,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
// One is read at a time; a box would be an allocation for nothing.
#[allow(clippy::large_enum_variant)]
pub enum Subject {
    /// A wallet.
    #[n(1)]
    Wallet(#[n(0)] NewWallet),
    /// A signature.
    #[n(2)]
    Payment(#[n(0)] Payment),
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Outcome {
    /// This ticket was issued.
    #[n(1)]
    Allowed(#[n(0)] Digest<Ticket>),
    /// Nothing was issued, for this reason.
    #[n(2)]
    Denied(#[n(0)] AppReason),
}

/// A wallet that key-generation made.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct WalletStatement {
    /// SHA-256 of the body of the request.
    #[n(0)]
    pub fingerprint: Sha256,
    /// For whom.
    #[n(1)]
    pub organization: Digest<Organization>,
    /// With whose leave.
    #[n(2)]
    pub ticket: Digest<Ticket>,
    /// Its name.
    #[n(3)]
    pub wallet: WalletId,
    /// Length of its mnemonic.
    #[n(4)]
    pub words: Words,
    /// Its accounts.
    #[cbor(n(5), with = "crate::wallet::some")]
    pub accounts: Vec<Account>,
}

/// A transaction that signing signed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SignatureStatement {
    /// SHA-256 of the body of the request.
    #[n(0)]
    pub fingerprint: Sha256,
    /// For whom.
    #[n(1)]
    pub organization: Digest<Organization>,
    /// With whose leave.
    #[n(2)]
    pub ticket: Digest<Ticket>,
    /// What was signed, by which account.
    #[n(3)]
    pub payment: Payment,
    /// Keccak-256 of the signed transaction.
    #[n(4)]
    pub transaction: Bytes<32, 32>,
}

object! {
    Decision => "quorate/decision/v1", 2 * 1024;
    WalletStatement => "quorate/wallet/v1", 4 * 1024;
    SignatureStatement => "quorate/signature/v1", 1024;
}
