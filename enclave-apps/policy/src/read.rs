//! From a submission to what it asks for: stamp, organization, time, fields.
//!
//! Nothing but the bytes that were stamped is read, and only after the stamp was verified.

use quorate_chain::ethereum::{Address as ChainAddress, MAX_TRANSACTION as LONGEST};
use quorate_chain::from_hex;
use quorate_es256::VerifyingKey;
use quorate_operation::{facts, refusal};
use quorate_protocol::activity::{AppReason, AppRefusal, Submission};
use quorate_protocol::atoms::{Bytes, UnixMillis};
use quorate_protocol::cbor::Checked;
use quorate_protocol::organization::Address;
use quorate_protocol::ticket::{
    MAX_TRANSACTION, NewWallet, NewWalletFields, Payment, TransactionFacts,
};
use quorate_protocol::wallet::{Path, SealedAccount, Words};
use quorate_request::window::{self, WindowError};
use quorate_request::{
    Authentic, CreateWallet, FieldError, KeyReference, MnemonicLength, Request, RequestError,
    SignTransaction, Stamp, StampError, VerifyError,
};

use crate::organizations::Verified;

/// What is asked for.
// Made and taken apart within one request; a box would be an allocation for nothing.
#[allow(clippy::large_enum_variant)]
pub(crate) enum Asked {
    Wallet(NewWallet),
    Signature(Signature),
}

/// A signature that is asked for.
pub(crate) struct Signature {
    signer: Address,
    facts: TransactionFacts,
    signing_hash: Bytes<32, 32>,
    /// The unsigned transaction.
    pub(crate) transaction: Bytes<1, MAX_TRANSACTION>,
}

/// The body, if the organization's owner stamped these very bytes.
pub(crate) fn authenticate<'a, K: VerifyingKey>(
    organization: &Verified<K>,
    submission: &'a Submission,
) -> Result<Authentic<'a>, AppRefusal> {
    let stamp = Stamp::decode(submission.stamp.as_str()).map_err(|error| {
        let reason = match error {
            StampError::Scheme { .. } | StampError::UnknownScheme => AppReason::StampScheme,
            _ => AppReason::StampMalformed,
        };
        AppRefusal::new(reason, &error.to_string())
    })?;
    if *stamp.public_key() != organization.owner.to_compressed() {
        return Err(AppReason::StampKey.into());
    }
    let verified = stamp.verify(&organization.owner, submission.body.as_slice());
    verified.map_err(|error| match error {
        VerifyError::BadSignature => AppReason::StampSignature.into(),
        VerifyError::OtherKey => AppReason::StampKey.into(),
        _ => AppRefusal::new(AppReason::RequestMalformed, &error.to_string()),
    })
}

/// What the body asks for and its timestamp, if it is for this organization and of this time.
pub(crate) fn read<K>(
    organization: &Verified<K>,
    authentic: &Authentic<'_>,
    now: UnixMillis,
) -> Result<(Asked, u64), AppRefusal> {
    let request = authentic.request().map_err(|error| {
        let reason = match error {
            RequestError::ActivityType { .. }
            | RequestError::Field(FieldError::Unsupported { .. }) => AppReason::RequestUnsupported,
            _ => AppReason::RequestMalformed,
        };
        AppRefusal::new(reason, &error.to_string())
    })?;
    if request.organization_id().as_str() != organization.id {
        return Err(AppReason::OrganizationMismatch.into());
    }
    let timestamp = request.timestamp_ms();
    window::check(timestamp, now.0).map_err(|error| {
        let reason = match error {
            WindowError::Future { .. } => AppReason::RequestFromTheFuture,
            _ => AppReason::RequestExpired,
        };
        AppRefusal::new(reason, &error.to_string())
    })?;
    let asked = match request {
        Request::CreateWallet(submit) => Asked::Wallet(wallet(&submit.parameters)?),
        Request::SignTransaction(submit) => Asked::Signature(signature(&submit.parameters)?),
        _ => return Err(AppReason::RequestUnsupported.into()),
    };
    Ok((asked, timestamp))
}

fn wallet(asked: &CreateWallet) -> Result<NewWallet, AppRefusal> {
    let malformed = |error: &dyn core::fmt::Display| {
        AppRefusal::new(AppReason::RequestMalformed, &error.to_string())
    };
    if asked.accounts.is_empty() {
        let detail = "a wallet without accounts is of no use yet";
        return Err(AppRefusal::new(AppReason::RequestUnsupported, detail));
    }
    let paths = asked
        .accounts
        .iter()
        .map(|account| Path::new(&account.path));
    let paths = paths.collect::<Result<Vec<_>, _>>();
    let words = match asked.mnemonic_length {
        Some(MnemonicLength::Twelve) => Words::Twelve,
        Some(MnemonicLength::Fifteen) => Words::Fifteen,
        Some(MnemonicLength::Eighteen) => Words::Eighteen,
        Some(MnemonicLength::TwentyOne) => Words::TwentyOne,
        Some(MnemonicLength::TwentyFour) | None => Words::TwentyFour,
    };
    let fields = NewWalletFields {
        words,
        paths: paths.map_err(|error| malformed(&error))?,
    };
    Checked::new(fields).map_err(|error| malformed(&error))
}

fn signature(asked: &SignTransaction) -> Result<Signature, AppRefusal> {
    let KeyReference::SignWith(signer) = &asked.key else {
        let detail = "only accounts of wallets sign, named by signWith";
        return Err(AppRefusal::new(AppReason::RequestUnsupported, detail));
    };
    let signer: ChainAddress = signer.as_str().parse().map_err(|error| {
        let error: quorate_chain::ethereum::AddressError = error;
        AppRefusal::new(AppReason::RequestMalformed, &error.to_string())
    })?;
    let transaction = from_hex(&asked.unsigned_transaction, LONGEST);
    let transaction = transaction.map_err(|error| refusal(&error.into()))?;
    let read = facts(&transaction)?;
    Ok(Signature {
        signer: Address(*signer.as_bytes()),
        facts: read.facts,
        signing_hash: read.signing_hash,
        transaction: Bytes::new(transaction).map_err(|_| AppReason::TransactionMalformed)?,
    })
}

impl Signature {
    /// The payment, if the account that came along is the one that shall sign.
    pub(crate) fn payment(&self, account: Option<&SealedAccount>) -> Result<Payment, AppReason> {
        let sealed = account.ok_or(AppReason::AccountMissing)?;
        if sealed.account.address != self.signer {
            return Err(AppReason::AccountMismatch);
        }
        Ok(Payment {
            wallet: sealed.wallet.clone(),
            account: sealed.account.clone(),
            facts: self.facts.clone(),
            signing_hash: self.signing_hash.clone(),
        })
    }
}
