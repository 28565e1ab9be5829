//! Requests for an activity: who asks for what, and when.
//!
//! Guarantees: a [`Request`] has exactly the fields of the contract for its type. A type of the
//! contract that is not supported, as every unknown one, is refused.
//!
//! Trusts: nothing; that the body is somebody's is for the stamp to show. Does not: judge the time.

use crate::MAX_BODY;
use crate::fields::{FieldError, Fields};
use crate::json::{self, JsonError};
use crate::parameters::{CreateWallet, Identifier, SignTransaction, identifier};

/// Largest accepted time stamp: the year 9999.
const MAX_TIMESTAMP_MS: u64 = 253_402_300_799_999;

/// A request for an activity.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Request {
    /// `ACTIVITY_TYPE_CREATE_WALLET`
    CreateWallet(Submit<CreateWallet>),
    /// `ACTIVITY_TYPE_SIGN_TRANSACTION`, version 1 or 2 as [`crate::KeyReference`] says.
    SignTransaction(Submit<SignTransaction>),
}

/// What every request has, around its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submit<P> {
    /// `timestampMs`: when it was made, in milliseconds since 1970 (UTC).
    pub timestamp_ms: u64,
    /// `organizationId`
    pub organization_id: Identifier,
    /// `parameters`
    pub parameters: P,
    /// `generateAppProofs`: whether proofs are asked for. Ours are always made.
    pub generate_app_proofs: bool,
}

/// Version of an activity type; the contract gives some a second form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Without a suffix.
    One,
    /// `_V2`
    Two,
}

/// A body that is not a request we take. Its maker is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The body is not JSON as the contract wants it.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A field is missing, unknown or of another type.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The type of activity is not one we take.
    #[error("the type of activity at byte {offset} is not supported")]
    ActivityType {
        /// First byte of the value.
        offset: usize,
    },
}

#[derive(Clone, Copy)]
enum Type {
    CreateWallet,
    SignTransaction(Version),
}

pub(crate) const CREATE_WALLET: &str = "ACTIVITY_TYPE_CREATE_WALLET";
pub(crate) const SIGN_TRANSACTION: &str = "ACTIVITY_TYPE_SIGN_TRANSACTION";
pub(crate) const SIGN_TRANSACTION_V2: &str = "ACTIVITY_TYPE_SIGN_TRANSACTION_V2";

impl Request {
    /// Reads a body.
    ///
    /// # Errors
    /// [`RequestError`]
    pub fn parse(body: &[u8]) -> Result<Self, RequestError> {
        let mut fields = Fields::new(json::parse(body, MAX_BODY)?)?;
        let (name, offset) = fields.string("type")?;
        let kind = match &*name {
            CREATE_WALLET => Type::CreateWallet,
            SIGN_TRANSACTION => Type::SignTransaction(Version::One),
            SIGN_TRANSACTION_V2 => Type::SignTransaction(Version::Two),
            _ => return Err(RequestError::ActivityType { offset }),
        };
        let parameters = fields.required("parameters")?;
        let request = match kind {
            Type::CreateWallet => {
                let parameters = CreateWallet::read(parameters)?;
                Self::CreateWallet(Submit::read(&mut fields, parameters)?)
            }
            Type::SignTransaction(version) => {
                let parameters = match version {
                    Version::One => SignTransaction::read_v1(parameters)?,
                    Version::Two => SignTransaction::read_v2(parameters)?,
                };
                Self::SignTransaction(Submit::read(&mut fields, parameters)?)
            }
        };
        fields.finish()?;
        Ok(request)
    }

    /// When it was made, in milliseconds since 1970 (UTC).
    pub fn timestamp_ms(&self) -> u64 {
        match self {
            Self::CreateWallet(submit) => submit.timestamp_ms,
            Self::SignTransaction(submit) => submit.timestamp_ms,
        }
    }

    /// The organization it is for.
    pub fn organization_id(&self) -> &Identifier {
        match self {
            Self::CreateWallet(submit) => &submit.organization_id,
            Self::SignTransaction(submit) => &submit.organization_id,
        }
    }
}

impl<P> Submit<P> {
    fn read(fields: &mut Fields<'_>, parameters: P) -> Result<Self, FieldError> {
        Ok(Self {
            timestamp_ms: timestamp(fields)?,
            organization_id: identifier(fields, "organizationId")?,
            parameters,
            generate_app_proofs: fields.flag("generateAppProofs")?,
        })
    }
}

/// Decimal digits in a string, without a leading zero.
fn timestamp(fields: &mut Fields<'_>) -> Result<u64, FieldError> {
    let field = "timestampMs";
    let (text, offset) = fields.string(field)?;
    let digits = text.bytes().all(|c| c.is_ascii_digit());
    let shortest = !text.starts_with('0') || text == "0";
    let number = text.parse().ok().filter(|_| digits && shortest);
    number
        .filter(|number| *number <= MAX_TIMESTAMP_MS)
        .ok_or(FieldError::Type { field, offset })
}
