//! Requests to policy and their answers, and the refusals of the three applications.
//!
//! A submission carries the request exactly as an HTTP client made it (the JSON body and the text
//! of its `X-Stamp` header), and the state policy keeps nowhere: the organization, and the account
//! whose key shall sign.

use alloc::boxed::Box;
use core::fmt;

use minicbor::{Decode, Encode};

use crate::application::ApplicationProof;
use crate::atoms::{Bytes, Text};
use crate::cbor::object;
use crate::cose::Signed;
use crate::frame::Sizes;
use crate::organization::{Founding, Organization};
use crate::ticket::{MadeWallet, Operation, SignedTransaction, Ticket};
use crate::wallet::SealedAccount;

/// Bytes of a request's body, at most.
pub const MAX_BODY: usize = 64 * 1024;
/// Bytes of its stamp, at most.
pub const MAX_STAMP: usize = 2048;

/// To policy.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum PolicyRequest {
    /// Found an organization.
    #[n(1)]
    Found(#[n(0)] Box<Signed<Founding>>),
    /// Do what this request says.
    #[n(2)]
    Submit(#[n(0)] Box<Submission>),
}

/// A request, and the state it is about.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Submission {
    /// The JSON body: the very bytes under the stamp.
    #[n(0)]
    pub body: Bytes<1, MAX_BODY>,
    /// The `X-Stamp` header.
    #[n(1)]
    pub stamp: Stamp,
    /// Whose request it is.
    #[n(2)]
    pub organization: Signed<Organization>,
    /// The account that shall sign.
    #[n(3)]
    pub account: Option<SealedAccount>,
}

/// The text of a stamp, not looked into yet.
pub type Stamp = Text<MAX_STAMP>;

/// From policy.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum PolicyResponse {
    /// The organization, for the caller to keep.
    #[n(1)]
    Founded(#[n(0)] Box<Signed<Organization>>),
    /// It was allowed and done.
    #[n(2)]
    Completed(#[n(0)] Box<Completed>),
    /// It was decided against.
    #[n(3)]
    Denied(#[n(0)] Box<Denied>),
    /// Nothing was decided.
    #[n(4)]
    Refused(#[n(0)] AppRefusal),
}

/// What was decided and done.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Completed {
    /// policy's statement; its payload is a [`Decision`](crate::statement::Decision).
    #[n(0)]
    pub decision: Signed<ApplicationProof>,
    /// The ticket, which is used up.
    #[n(1)]
    pub ticket: Ticket,
    /// What it was for.
    #[n(2)]
    pub operation: Operation,
    /// What came of it.
    #[n(3)]
    pub result: Outcome,
}

/// What came of an operation.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Outcome {
    /// A wallet.
    #[n(1)]
    Wallet(#[n(0)] Box<MadeWallet>),
    /// A signed transaction.
    #[n(2)]
    Transaction(#[n(0)] Box<SignedTransaction>),
}

/// What was decided against.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Denied {
    /// policy's statement; its payload is a [`Decision`](crate::statement::Decision).
    #[n(0)]
    pub decision: Signed<ApplicationProof>,
    /// Why, for people.
    #[n(1)]
    pub refusal: AppRefusal,
}

/// Why an application did not do what it was asked to.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct AppRefusal {
    /// Why.
    #[n(0)]
    pub reason: AppReason,
    /// More about it, for people: what was found and what was expected. Never the sender's text.
    #[n(1)]
    pub detail: Text<256>,
}

impl From<AppReason> for AppRefusal {
    fn from(reason: AppReason) -> Self {
        let detail = Text::default();
        Self { reason, detail }
    }
}

impl AppRefusal {
    /// A refusal that says more. What is too long or has control characters is left out.
    pub fn new(reason: AppReason, detail: &str) -> Self {
        let detail = Text::new(detail).unwrap_or_default();
        Self { reason, detail }
    }
}

impl fmt::Display for AppRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.reason)?;
        if !self.detail.as_str().is_empty() {
            write!(f, " ({})", self.detail)?;
        }
        Ok(())
    }
}

impl core::error::Error for AppRefusal {}

macro_rules! reasons {
    ($($(#[$doc:meta])* $number:literal $name:ident $text:literal)*) => {
        /// Why an application refused; the numbers are stable. The text of each says whose fault it
        /// is and what to do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
        #[cbor(index_only)]
        #[non_exhaustive]
        pub enum AppReason {
            $(#[doc = $text] #[n($number)] $name,)*
        }

        impl AppReason {
            /// All of them, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$name),*];
        }

        impl fmt::Display for AppReason {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self { $(Self::$name => $text,)* })
            }
        }
    };
}

reasons! {
    1 Malformed "the bytes are not a message of this contract: the caller's tool is wrong or of another version"
    2 Unavailable "an application that is needed is being started again: send the same request again"
    3 Busy "too many requests are under way or remembered: send the same request again later"
    4 Internal "the application failed: the enclave's operator must look at its log"
    10 StampMalformed "the stamp is not the base64url of a JSON object with publicKey, scheme and signature: the caller must stamp again"
    11 StampScheme "the stamp's scheme is not accepted: the owner must stamp with SIGNATURE_SCHEME_TK_API_P256"
    12 StampKey "the stamp is by another key than the organization's owner: the owner must stamp"
    13 StampSignature "the stamp's signature is not over these bytes: body or stamp was altered on the way"
    20 RequestMalformed "the body is not a request of the accepted form: the caller must correct it and stamp again"
    21 RequestUnsupported "the request is well formed and asks for something this system does not do yet"
    22 RequestExpired "the request is too old: the caller must stamp a new one with a present timestampMs"
    23 RequestFromTheFuture "the request's timestampMs lies ahead of the enclave's clock: the caller must set their clock right"
    30 FoundingSignature "the founding is not signed by the owner it names: the owner must sign"
    31 FoundingForAnother "the founding is for another namespace: the owner must name the genesis of this one"
    32 OrganizationAltered "the organization is not signed by this namespace's policy: whoever kept it must give back what was founded"
    33 OrganizationMismatch "the request is for another organization than the one that came with it: the caller must send the right one"
    40 AccountMissing "the request needs an account and none came with it: the caller must send the sealed account"
    41 AccountMismatch "the account that came is not the one that shall sign: the caller must send the right one"
    42 AccountUnreadable "the sealed key does not open for this namespace, organization, wallet and account: it was altered or swapped"
    50 TransactionMalformed "the transaction is not canonical RLP of an unsigned EIP-1559 transaction: the caller must build it again"
    51 TransactionType "the transaction is of another type: only EIP-1559 (type 2) is signed"
    52 TransactionDiffers "the transaction is not what was decided on: policy and signing disagree"
    60 NotATransfer "the transaction calls or creates a contract: under a spending limit only plain transfers are signed"
    61 WrongChain "the transaction is for another chain than the organization's"
    62 OverLimit "the transaction may cost more than the organization's limit"
    70 TicketUsed "the ticket was used before, or a later one was: nothing is done twice"
    71 TicketFromAnother "the ticket did not come from the application that issued it"
    72 TicketForAnotherInstance "the ticket is for another enclave"
    73 TicketForAnotherRedeemer "the ticket is for another application"
    74 TicketForAnotherStart "the ticket is for an earlier start of this application: send the same request again"
    75 TicketForAnotherOperation "the ticket is for another operation than the one that came with it"
    76 TicketExpired "the ticket came too late: send the same request again"
    77 OperationUnsupported "this application does not perform this operation"
}

impl AppReason {
    /// Its name in the contract: `over-limit`.
    pub fn name(self) -> alloc::string::String {
        let mut name = alloc::string::String::new();
        for c in alloc::format!("{self:?}").chars() {
            if c.is_ascii_uppercase() && !name.is_empty() {
                name.push('-');
            }
            name.push(c.to_ascii_lowercase());
        }
        name
    }
}

object! {
    PolicyRequest => "quorate/policy-request/v1", 70 * 1024;
    PolicyResponse => "quorate/policy-response/v1", 128 * 1024;
}

impl Sizes for PolicyRequest {
    const LARGEST: usize = 70 * 1024;

    fn largest(kind: u8) -> Option<usize> {
        match kind {
            1 => Some(384),
            2 => Some(Self::LARGEST),
            _ => None,
        }
    }
}

impl Sizes for PolicyResponse {
    const LARGEST: usize = 128 * 1024;

    fn largest(kind: u8) -> Option<usize> {
        match kind {
            1 => Some(384),
            2 => Some(Self::LARGEST),
            3 => Some(8 * 1024),
            4 => Some(512),
            _ => None,
        }
    }
}
