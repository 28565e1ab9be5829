//! Makes wallets.
//!
//! Redeems a ticket of policy, draws entropy, and makes a BIP-39 mnemonic with the accounts that
//! were asked for. What leaves is sealed: the entropy under a storage key that only this application
//! has, the key of each account under the one it shares with signing. The associated data name
//! namespace, organization, wallet and account, so none opens in another's place. A statement of
//! kind `wallet` says which accounts were made, for whom and with whose leave.
//!
//! Trusts: the generator it is given; `quorate-wallet`.
//!
//! Does not: keep anything. Wallets live with the caller. Mnemonics have no passphrase.

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

use quorate_operation::{Leave, Prove, Redeemer, Start, account_address};
use quorate_protocol::activity::{AppReason, AppRefusal};
use quorate_protocol::atoms::{Bytes, UnixMillis};
use quorate_protocol::cbor::{from_bytes, to_bytes};
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::Genesis;
use quorate_protocol::statement::{WALLET, WalletStatement};
use quorate_protocol::stored::{SealedSecret, StorageKey};
use quorate_protocol::ticket::{CreateWallet, MadeWallet, Operation, Redeem, Redeemed};
use quorate_protocol::wallet::{
    Account, Path, SealedAccount, WalletId, account_context, seed_context,
};
use quorate_wallet::{ExtendedKey, Mnemonic, Passphrase};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

/// Longest entropy of a mnemonic in bytes.
const LONGEST_ENTROPY: usize = 32;

/// One start of the application.
pub struct KeyGeneration {
    genesis: Digest<Genesis>,
    redeemer: Redeemer,
    seeds: Arc<StorageKey>,
    accounts: Arc<StorageKey>,
}

impl KeyGeneration {
    /// `seeds` is its own storage key, `accounts` the one it shares with signing.
    pub fn new(
        genesis: Digest<Genesis>,
        redeemer: Redeemer,
        seeds: Arc<StorageKey>,
        accounts: Arc<StorageKey>,
    ) -> Self {
        Self {
            genesis,
            redeemer,
            seeds,
            accounts,
        }
    }

    /// Answers one call of `peer`.
    pub fn answer(
        &self,
        peer: &Start,
        message: &[u8],
        now: UnixMillis,
        rng: &mut impl CryptoRng,
        prove: &Prove<'_>,
    ) -> Redeemed {
        match self.perform(peer, message, now, rng, prove) {
            Ok(made) => Redeemed::Wallet(Box::new(made)),
            Err(refusal) => Redeemed::Refused(refusal),
        }
    }

    fn perform(
        &self,
        peer: &Start,
        message: &[u8],
        now: UnixMillis,
        rng: &mut impl CryptoRng,
        prove: &Prove<'_>,
    ) -> Result<MadeWallet, AppRefusal> {
        let redeem: Redeem = from_bytes(message).map_err(|_| AppReason::Malformed)?;
        self.make(self.redeemer.redeem(peer, redeem, now)?, rng, prove)
    }

    fn make(
        &self,
        leave: Leave,
        rng: &mut impl CryptoRng,
        prove: &Prove<'_>,
    ) -> Result<MadeWallet, AppRefusal> {
        let ticket = leave.ticket();
        let Operation::CreateWallet(asked) = leave.into_parts().0 else {
            return Err(AppReason::OperationUnsupported.into());
        };
        let words = asked.wallet.words;
        let mut buffer = Zeroizing::new([0; LONGEST_ENTROPY]);
        let entropy = buffer
            .get_mut(..words.entropy())
            .ok_or(AppReason::Internal)?;
        rng.fill_bytes(entropy);
        let mnemonic = Mnemonic::from_entropy(entropy).map_err(|_| AppReason::Internal)?;
        let master = ExtendedKey::master(&mnemonic.seed(&Passphrase::none()));
        let master = master.map_err(|_| AppReason::Internal)?;

        let mut id = [0; 16];
        rng.fill_bytes(&mut id);
        let wallet = WalletId::new(id.to_vec()).map_err(|_| AppReason::Internal)?;
        let mut accounts = Vec::with_capacity(asked.wallet.paths.len());
        for path in &asked.wallet.paths {
            accounts.push(self.account(&asked, &wallet, &master, path, rng)?);
        }
        let context = seed_context(&self.genesis, &asked.organization, &wallet, words);
        let seed = seal(&self.seeds, &context, entropy, rng)?;
        let statement = WalletStatement {
            fingerprint: asked.fingerprint,
            organization: asked.organization,
            ticket,
            wallet: wallet.clone(),
            words,
            accounts: accounts
                .iter()
                .map(|sealed| sealed.account.clone())
                .collect(),
        };
        Ok(MadeWallet {
            wallet,
            seed,
            accounts,
            proof: prove(WALLET, to_bytes(&statement)).ok_or(AppReason::Internal)?,
        })
    }

    fn account(
        &self,
        asked: &CreateWallet,
        wallet: &WalletId,
        master: &ExtendedKey,
        path: &Path,
        rng: &mut impl CryptoRng,
    ) -> Result<SealedAccount, AppRefusal> {
        let steps: quorate_wallet::Path = path.as_str().parse().map_err(|error| {
            let error: quorate_wallet::PathError = error;
            AppRefusal::new(AppReason::RequestMalformed, &error.to_string())
        })?;
        // One path in 2^127 has no key; another path has.
        let key = master.derive(&steps).map_err(|_| AppReason::Internal)?;
        let public = key.public_key();
        let account = Account {
            path: path.clone(),
            address: account_address(&public.coordinates()),
            public_key: Bytes::new(public.to_compressed().to_vec())
                .map_err(|_| AppReason::Internal)?,
        };
        let context = account_context(&self.genesis, &asked.organization, wallet, &account);
        let sealed = seal(&self.accounts, &context, &*key.secret_bytes(), rng)?;
        Ok(SealedAccount {
            wallet: wallet.clone(),
            account,
            sealed,
        })
    }
}

fn seal(
    key: &StorageKey,
    context: &[u8],
    secret: &[u8],
    rng: &mut impl CryptoRng,
) -> Result<SealedSecret, AppReason> {
    let stored = key
        .seal(context, secret, rng)
        .map_err(|_| AppReason::Internal)?;
    SealedSecret::try_from(stored).map_err(|_| AppReason::Internal)
}
