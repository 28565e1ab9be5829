//! Signs what policy decided on.
//!
//! Redeems a ticket once, reads the transaction from its bytes again, compares all it does with
//! what was decided on, opens the one key, and signs. The signature is deterministic (RFC 6979),
//! low-S and checked before it leaves. A statement of kind `signature` names request, decision and
//! result.
//!
//! Trusts: policy, that what it decided on may be signed. Whoever controls policy controls what is
//! signed; what this application adds is that it signs nothing else than the ticket says, once, and
//! says so. `quorate-wallet` and `quorate-chain`.
//!
//! Does not: decide, keep anything, or hold a key longer than for one signature.

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

use std::sync::Arc;

use quorate_chain::ethereum::{Parity, Signature, Signed};
use quorate_operation::{Leave, Prove, Redeemer, Start, account_address, facts};
use quorate_protocol::activity::{AppReason, AppRefusal};
use quorate_protocol::atoms::{Bytes, UnixMillis};
use quorate_protocol::cbor::{from_bytes, to_bytes};
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::Genesis;
use quorate_protocol::statement::{SIGNATURE, SignatureStatement};
use quorate_protocol::stored::{SealedSecret, StorageKey};
use quorate_protocol::ticket::{Operation, Redeem, Redeemed, SignTransaction, SignedTransaction};
use quorate_protocol::wallet::account_context;
use quorate_wallet::{PublicKey, SigningKey};
use zeroize::Zeroizing;

/// One start of the application.
pub struct Signing {
    genesis: Digest<Genesis>,
    redeemer: Redeemer,
    accounts: Arc<StorageKey>,
}

impl Signing {
    /// `accounts` is the storage key it shares with key-generation.
    pub fn new(genesis: Digest<Genesis>, redeemer: Redeemer, accounts: Arc<StorageKey>) -> Self {
        Self {
            genesis,
            redeemer,
            accounts,
        }
    }

    /// Answers one call of `peer`.
    pub fn answer(
        &self,
        peer: &Start,
        message: &[u8],
        now: UnixMillis,
        prove: &Prove<'_>,
    ) -> Redeemed {
        match self.perform(peer, message, now, prove) {
            Ok(signed) => Redeemed::Transaction(Box::new(signed)),
            Err(refusal) => Redeemed::Refused(refusal),
        }
    }

    fn perform(
        &self,
        peer: &Start,
        message: &[u8],
        now: UnixMillis,
        prove: &Prove<'_>,
    ) -> Result<SignedTransaction, AppRefusal> {
        let redeem: Redeem = from_bytes(message).map_err(|_| AppReason::Malformed)?;
        self.sign(self.redeemer.redeem(peer, redeem, now)?, prove)
    }

    fn sign(&self, leave: Leave, prove: &Prove<'_>) -> Result<SignedTransaction, AppRefusal> {
        let ticket = leave.ticket();
        let (Operation::SignTransaction(asked), account) = leave.into_parts() else {
            return Err(AppReason::OperationUnsupported.into());
        };
        let read = facts(asked.transaction.as_slice())?;
        let payment = &asked.payment;
        if read.facts != payment.facts || read.signing_hash != payment.signing_hash {
            return Err(AppReason::TransactionDiffers.into());
        }
        let key = self.open(&asked, account.as_ref())?;
        let hash = read.unsigned.signing_hash();
        let made = key.sign(&hash).map_err(|_| AppReason::Internal)?;
        drop(key);
        let parity = match made.parity() {
            quorate_wallet::Parity::Even => Parity::Even,
            quorate_wallet::Parity::Odd => Parity::Odd,
        };
        let signature = made.to_bytes();
        let (r, s) = signature
            .split_first_chunk::<32>()
            .ok_or(AppReason::Internal)?;
        let s = s.first_chunk::<32>().ok_or(AppReason::Internal)?;
        let signature = Signature::new(parity, r, s).map_err(|_| AppReason::Internal)?;
        let signed = Signed::new(read.unsigned, signature).map_err(|_| AppReason::Internal)?;

        let hash = Bytes::new(signed.hash().to_vec()).map_err(|_| AppReason::Internal)?;
        let statement = SignatureStatement {
            fingerprint: asked.fingerprint,
            organization: asked.organization,
            ticket,
            payment: asked.payment,
            transaction: hash.clone(),
        };
        let transaction = Bytes::new(signed.as_bytes().to_vec());
        Ok(SignedTransaction {
            transaction: transaction.map_err(|_| AppReason::Internal)?,
            hash,
            proof: prove(SIGNATURE, to_bytes(&statement)).ok_or(AppReason::Internal)?,
        })
    }

    /// The account's key, if it was sealed for this namespace, organization, wallet and account.
    fn open(
        &self,
        asked: &SignTransaction,
        sealed: Option<&SealedSecret>,
    ) -> Result<SigningKey, AppReason> {
        let sealed = sealed.ok_or(AppReason::AccountMissing)?;
        let payment = &asked.payment;
        let public = PublicKey::from_sec1(payment.account.public_key.as_slice());
        let public = public.map_err(|_| AppReason::AccountMismatch)?;
        if account_address(&public.coordinates()) != payment.account.address {
            return Err(AppReason::AccountMismatch);
        }
        let context = account_context(
            &self.genesis,
            &asked.organization,
            &payment.wallet,
            &payment.account,
        );
        let secret = self.accounts.open(&context, &sealed.stored());
        let secret = secret.map_err(|_| AppReason::AccountUnreadable)?;
        let mut scalar = Zeroizing::new([0; 32]);
        if secret.len() != scalar.len() {
            return Err(AppReason::AccountUnreadable);
        }
        scalar.copy_from_slice(&secret);
        SigningKey::with_public_key(&scalar, public).map_err(|_| AppReason::AccountUnreadable)
    }
}
