//! The parameters of each activity, in types.
//!
//! Guarantees: names, identifiers and texts are within their bounds and printable. Values of the
//! contract that we do not support yet are refused by name.
//!
//! Trusts: nothing. Does not: read a path, an address or a transaction; those who use them do.

use alloc::string::String;
use alloc::vec::Vec;

use crate::fields::{self, Field, FieldError, Fields};
use crate::json::Value;

/// Most accounts in one request.
pub(crate) const MAX_ACCOUNTS: usize = 100;
/// Longest path in bytes.
pub(crate) const MAX_PATH: usize = 128;

/// Text that is empty, too long, or not printable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the text is empty, too long, or has characters that are not accepted")]
pub struct TextError;

/// An identifier or address: 1 to 128 of `0-9 A-Z a-z . _ : -`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identifier(String);

/// A name for people: 1 to 256 bytes without control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label(String);

/// Parameters of `ACTIVITY_TYPE_CREATE_WALLET`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateWallet {
    /// `walletName`
    pub wallet_name: Label,
    /// `accounts`: at most 100, none is allowed.
    pub accounts: Vec<Account>,
    /// `mnemonicLength`, in words.
    pub mnemonic_length: Option<MnemonicLength>,
}

/// An account to derive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// `curve`
    pub curve: Curve,
    /// `pathFormat`
    pub path_format: PathFormat,
    /// `path`: at most 128 bytes, not read yet.
    pub path: String,
    /// `addressFormat`
    pub address_format: AddressFormat,
    /// `name`
    pub name: Option<Label>,
}

/// Words of a mnemonic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the numbers say it")]
pub enum MnemonicLength {
    Twelve = 12,
    Fifteen = 15,
    Eighteen = 18,
    TwentyOne = 21,
    TwentyFour = 24,
}

/// Curves of the contract that are supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Curve {
    /// `CURVE_SECP256K1`
    Secp256k1,
}

/// Path formats of the contract; it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PathFormat {
    /// `PATH_FORMAT_BIP32`
    Bip32,
}

/// Address formats of the contract that are supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressFormat {
    /// `ADDRESS_FORMAT_ETHEREUM`
    Ethereum,
}

/// Parameters of `ACTIVITY_TYPE_SIGN_TRANSACTION` and of its version 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignTransaction {
    /// Which key is to sign.
    pub key: KeyReference,
    /// `unsignedTransaction`: text, not read yet, at most as long as a body.
    pub unsigned_transaction: String,
    /// `type`
    pub format: TransactionFormat,
}

/// How a request names a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyReference {
    /// `privateKeyId` of version 1: an imported or created private key.
    PrivateKeyId(Identifier),
    /// `signWith` of version 2: an address of a wallet account, or the address or identifier of a
    /// private key.
    SignWith(Identifier),
}

/// Kinds of transaction of the contract that are supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransactionFormat {
    /// `TRANSACTION_TYPE_ETHEREUM`
    Ethereum,
}

pub(crate) const CURVES: [(&str, Curve); 1] = [("CURVE_SECP256K1", Curve::Secp256k1)];
const OTHER_CURVES: [&str; 2] = ["CURVE_ED25519", "CURVE_P256"];

pub(crate) const PATH_FORMATS: [(&str, PathFormat); 1] = [("PATH_FORMAT_BIP32", PathFormat::Bip32)];

pub(crate) const ADDRESS_FORMATS: [(&str, AddressFormat); 1] =
    [("ADDRESS_FORMAT_ETHEREUM", AddressFormat::Ethereum)];
const OTHER_ADDRESS_FORMATS: [&str; 37] = [
    "ADDRESS_FORMAT_UNCOMPRESSED",
    "ADDRESS_FORMAT_COMPRESSED",
    "ADDRESS_FORMAT_SOLANA",
    "ADDRESS_FORMAT_COSMOS",
    "ADDRESS_FORMAT_TRON",
    "ADDRESS_FORMAT_SUI",
    "ADDRESS_FORMAT_APTOS",
    "ADDRESS_FORMAT_BITCOIN_MAINNET_P2PKH",
    "ADDRESS_FORMAT_BITCOIN_MAINNET_P2SH",
    "ADDRESS_FORMAT_BITCOIN_MAINNET_P2WPKH",
    "ADDRESS_FORMAT_BITCOIN_MAINNET_P2WSH",
    "ADDRESS_FORMAT_BITCOIN_MAINNET_P2TR",
    "ADDRESS_FORMAT_BITCOIN_TESTNET_P2PKH",
    "ADDRESS_FORMAT_BITCOIN_TESTNET_P2SH",
    "ADDRESS_FORMAT_BITCOIN_TESTNET_P2WPKH",
    "ADDRESS_FORMAT_BITCOIN_TESTNET_P2WSH",
    "ADDRESS_FORMAT_BITCOIN_TESTNET_P2TR",
    "ADDRESS_FORMAT_BITCOIN_SIGNET_P2PKH",
    "ADDRESS_FORMAT_BITCOIN_SIGNET_P2SH",
    "ADDRESS_FORMAT_BITCOIN_SIGNET_P2WPKH",
    "ADDRESS_FORMAT_BITCOIN_SIGNET_P2WSH",
    "ADDRESS_FORMAT_BITCOIN_SIGNET_P2TR",
    "ADDRESS_FORMAT_BITCOIN_REGTEST_P2PKH",
    "ADDRESS_FORMAT_BITCOIN_REGTEST_P2SH",
    "ADDRESS_FORMAT_BITCOIN_REGTEST_P2WPKH",
    "ADDRESS_FORMAT_BITCOIN_REGTEST_P2WSH",
    "ADDRESS_FORMAT_BITCOIN_REGTEST_P2TR",
    "ADDRESS_FORMAT_SEI",
    "ADDRESS_FORMAT_XLM",
    "ADDRESS_FORMAT_DOGE_MAINNET",
    "ADDRESS_FORMAT_DOGE_TESTNET",
    "ADDRESS_FORMAT_TON_V3R2",
    "ADDRESS_FORMAT_TON_V4R2",
    "ADDRESS_FORMAT_TON_V5R1",
    "ADDRESS_FORMAT_XRP",
    "ADDRESS_FORMAT_SPARK_MAINNET",
    "ADDRESS_FORMAT_SPARK_REGTEST",
];

pub(crate) const TRANSACTION_FORMATS: [(&str, TransactionFormat); 1] =
    [("TRANSACTION_TYPE_ETHEREUM", TransactionFormat::Ethereum)];
const OTHER_TRANSACTION_FORMATS: [&str; 4] = [
    "TRANSACTION_TYPE_SOLANA",
    "TRANSACTION_TYPE_TRON",
    "TRANSACTION_TYPE_BITCOIN",
    "TRANSACTION_TYPE_TEMPO",
];

impl Identifier {
    /// Longest in bytes.
    pub const MAX: usize = 128;

    /// Checks the text.
    ///
    /// # Errors
    /// [`TextError`]
    pub fn new(text: &str) -> Result<Self, TextError> {
        let good = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b':' | b'-');
        if (1..=Self::MAX).contains(&text.len()) && text.bytes().all(good) {
            Ok(Self(text.into()))
        } else {
            Err(TextError)
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Label {
    /// Longest in bytes.
    pub const MAX: usize = 256;

    /// Checks the text.
    ///
    /// # Errors
    /// [`TextError`]
    pub fn new(text: &str) -> Result<Self, TextError> {
        if (1..=Self::MAX).contains(&text.len()) && !text.chars().any(char::is_control) {
            Ok(Self(text.into()))
        } else {
            Err(TextError)
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl MnemonicLength {
    /// The number of words.
    pub fn words(self) -> usize {
        self as usize
    }

    fn new(words: i64) -> Option<Self> {
        Some(match words {
            12 => Self::Twelve,
            15 => Self::Fifteen,
            18 => Self::Eighteen,
            21 => Self::TwentyOne,
            24 => Self::TwentyFour,
            _ => return None,
        })
    }
}

impl CreateWallet {
    pub(crate) fn read(value: Value<'_>) -> Result<Self, FieldError> {
        let mut fields = Fields::new(value)?;
        let read = Self {
            wallet_name: label(fields.required("walletName")?, "walletName")?,
            accounts: fields
                .list("accounts", MAX_ACCOUNTS)?
                .into_iter()
                .map(Account::read)
                .collect::<Result<_, _>>()?,
            mnemonic_length: mnemonic_length(&mut fields)?,
        };
        fields.finish()?;
        Ok(read)
    }
}

impl Account {
    fn read(value: Value<'_>) -> Result<Self, FieldError> {
        let mut fields = Fields::new(value)?;
        let curve = fields.one_of("curve", &CURVES, &OTHER_CURVES)?;
        let path_format = fields.one_of("pathFormat", &PATH_FORMATS, &[])?;
        let (path, offset) = fields.string("path")?;
        if path.len() > MAX_PATH {
            let field = "path";
            return Err(FieldError::Type { field, offset });
        }
        let address_format =
            fields.one_of("addressFormat", &ADDRESS_FORMATS, &OTHER_ADDRESS_FORMATS)?;
        let name = fields.optional("name");
        let name = name.map(|value| label(value, "name")).transpose()?;
        fields.finish()?;
        Ok(Self {
            curve,
            path_format,
            path: path.into_owned(),
            address_format,
            name,
        })
    }
}

impl SignTransaction {
    /// Version 1.
    pub(crate) fn read_v1(value: Value<'_>) -> Result<Self, FieldError> {
        Self::read(value, "privateKeyId", KeyReference::PrivateKeyId)
    }

    /// Version 2.
    pub(crate) fn read_v2(value: Value<'_>) -> Result<Self, FieldError> {
        Self::read(value, "signWith", KeyReference::SignWith)
    }

    fn read(
        value: Value<'_>,
        name: Field,
        key: fn(Identifier) -> KeyReference,
    ) -> Result<Self, FieldError> {
        let mut fields = Fields::new(value)?;
        let key = key(identifier(&mut fields, name)?);
        let (text, _) = fields.string("unsignedTransaction")?;
        let format = fields.one_of("type", &TRANSACTION_FORMATS, &OTHER_TRANSACTION_FORMATS)?;
        fields.finish()?;
        Ok(Self {
            key,
            unsigned_transaction: text.into_owned(),
            format,
        })
    }
}

pub(crate) fn identifier(fields: &mut Fields<'_>, field: Field) -> Result<Identifier, FieldError> {
    let (text, offset) = fields.string(field)?;
    Identifier::new(&text).map_err(|TextError| FieldError::Type { field, offset })
}

fn label(value: Value<'_>, field: Field) -> Result<Label, FieldError> {
    let (text, offset) = fields::string(value, field)?;
    Label::new(&text).map_err(|TextError| FieldError::Type { field, offset })
}

fn mnemonic_length(fields: &mut Fields<'_>) -> Result<Option<MnemonicLength>, FieldError> {
    let field = "mnemonicLength";
    let Some(value) = fields.optional(field) else {
        return Ok(None);
    };
    let offset = value.offset;
    let length = match value.kind {
        crate::json::Kind::Integer(words) => MnemonicLength::new(words),
        _ => None,
    };
    length.map(Some).ok_or(FieldError::Type { field, offset })
}
