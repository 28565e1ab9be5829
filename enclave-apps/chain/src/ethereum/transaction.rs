//! An EIP-1559 transaction before it is signed.
//!
//! On the wire: the byte 0x02, then the RLP list (chain id, nonce, priority fee, maximum fee, gas
//! limit, recipient, value, data, access list). A signed one has three items more.
//!
//! Guarantees: an [`Unsigned`] keeps the rules of [`FormatError`], and its bytes are the only ones that
//! mean it. Parsing compares what was read, written again, with what came.
//!
//! Trusts: nothing. Does not: judge nonce, gas or fees against a chain.

use alloc::vec::Vec;

use super::{Address, MAX_ACCESS_ADDRESSES, MAX_ACCESS_KEYS, MAX_TRANSACTION, keccak256};
use crate::hex::{HexError, from_hex};
use crate::rlp::{Reader, RlpError, Writer};
use crate::uint::U256;

/// First byte of an EIP-1559 transaction (EIP-2718).
pub(super) const TYPE: u8 = 0x02;

/// What an EIP-1559 transaction says. Amounts are in wei.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eip1559 {
    /// Chain it is for (EIP-155). Never zero.
    pub chain_id: u64,
    /// Transactions the sender has sent before. Below 2⁶⁴ − 1 (EIP-2681).
    pub nonce: u64,
    /// Most paid to the block's proposer for each unit of gas. At most `max_fee_per_gas`.
    pub max_priority_fee_per_gas: u128,
    /// Most paid in all for each unit of gas.
    pub max_fee_per_gas: u128,
    /// Most gas to spend.
    pub gas_limit: u64,
    /// Recipient; `None` creates a contract.
    pub to: Option<Address>,
    /// Amount sent.
    pub value: U256,
    /// Call data, or a contract's code.
    pub data: Vec<u8>,
    /// Storage that will be touched (EIP-2930), in the order given.
    pub access_list: Vec<Access>,
}

/// An entry of an access list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The contract.
    pub address: Address,
    /// Keys in its storage.
    pub storage_keys: Vec<[u8; 32]>,
}

/// A rule of the format that a transaction breaks. Its maker is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// The access list has too many addresses.
    #[error("an access list of more than {max} addresses")]
    AccessAddresses {
        /// Most accepted.
        max: usize,
    },
    /// The access list has too many storage keys.
    #[error("an access list of more than {max} storage keys")]
    AccessKeys {
        /// Most accepted.
        max: usize,
    },
    /// The chain id is zero: the transaction would be bound to no chain.
    #[error("the chain id is zero")]
    ChainIdZero,
    /// The nonce is 2⁶⁴ − 1, which EIP-2681 excludes.
    #[error("the nonce is the largest number, which EIP-2681 excludes")]
    NonceTooLarge,
    /// The priority fee exceeds the maximum fee; no block can include such a transaction.
    #[error("the priority fee of {priority} is more than the maximum fee of {max}")]
    PriorityAboveMaximum {
        /// Priority fee for each unit of gas, in wei.
        priority: u128,
        /// Maximum fee for each unit of gas, in wei.
        max: u128,
    },
    /// The transaction is larger than the network passes on.
    #[error("a transaction of {found} bytes, at most {max} are accepted")]
    TooLarge {
        /// Largest accepted size in bytes.
        max: usize,
        /// Size found in bytes.
        found: usize,
    },
}

/// Types of transaction that are known and not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransactionType {
    /// Untyped, from before EIP-2718.
    Legacy,
    /// EIP-2930, type 0x01.
    AccessList,
    /// EIP-4844, type 0x03.
    Blob,
    /// EIP-7702, type 0x04.
    SetCode,
}

impl core::fmt::Display for TransactionType {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Legacy => "legacy",
            Self::AccessList => "EIP-2930 (access list)",
            Self::Blob => "EIP-4844 (blob)",
            Self::SetCode => "EIP-7702 (set code)",
        })
    }
}

/// Why bytes or text are no transaction of the kind asked for. Their sender is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransactionError {
    /// The transaction is signed already.
    #[error("the transaction is signed already; send it unsigned")]
    AlreadySigned,
    /// There is nothing.
    #[error("there is no transaction")]
    Empty,
    /// A rule of the format.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The text is not hexadecimal.
    #[error(transparent)]
    Hex(#[from] HexError),
    /// What was read does not encode to what came.
    #[error("the transaction is not in its canonical form")]
    NotCanonical,
    /// The transaction is not signed.
    #[error("the transaction is not signed")]
    NotSigned,
    /// The encoding is broken. Offsets count from the type byte.
    #[error(transparent)]
    Rlp(#[from] RlpError),
    /// The signature of a signed transaction is out of range.
    #[error(transparent)]
    Signature(#[from] super::SignatureError),
    /// A type that is known but not accepted.
    #[error("a transaction of type {found}; only EIP-1559 is accepted")]
    Type {
        /// Type found.
        found: TransactionType,
    },
    /// A type nobody has defined when this was written.
    #[error("a transaction of the unknown type {found:#04x}")]
    UnknownType {
        /// Type byte found.
        found: u8,
    },
}

/// A transaction that keeps the rules, not signed yet, with its one encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsigned {
    transaction: Eip1559,
    bytes: Vec<u8>,
}

impl Unsigned {
    /// Checks the rules and encodes.
    ///
    /// # Errors
    /// [`FormatError`]
    pub fn new(transaction: Eip1559) -> Result<Self, FormatError> {
        transaction.check()?;
        let mut bytes = Vec::with_capacity(transaction.data.len().saturating_add(128));
        bytes.push(TYPE);
        transaction.items().finish(&mut bytes);
        check_size(bytes.len())?;
        Ok(Self { transaction, bytes })
    }

    /// Reads the bytes of an unsigned transaction: 0x02 and the list of nine.
    ///
    /// # Errors
    /// [`TransactionError`]
    pub fn parse(bytes: &[u8]) -> Result<Self, TransactionError> {
        let mut items = open(bytes)?;
        let transaction = Eip1559::read(&mut items)?;
        if !items.is_empty() {
            // Three well-formed items more are a signature; anything else is refused for what it is.
            let mut more = items.clone();
            let signed = more.u64().is_ok() && more.u256().is_ok() && more.u256().is_ok();
            if signed && more.is_empty() {
                return Err(TransactionError::AlreadySigned);
            }
        }
        items.end()?;
        let parsed = Self::new(transaction)?;
        if parsed.bytes != bytes {
            return Err(TransactionError::NotCanonical);
        }
        Ok(parsed)
    }

    /// Reads the text of Turnkey's `unsignedTransaction`: hexadecimal, with or without `0x`.
    ///
    /// # Errors
    /// [`TransactionError`]
    pub fn from_hex(text: &str) -> Result<Self, TransactionError> {
        Self::parse(&from_hex(text, MAX_TRANSACTION)?)
    }

    /// What it says.
    pub fn transaction(&self) -> &Eip1559 {
        &self.transaction
    }

    /// Its encoding.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The hash that is signed: Keccak-256 of the encoding.
    pub fn signing_hash(&self) -> [u8; 32] {
        keccak256(&self.bytes)
    }
}

impl Eip1559 {
    /// Most that leaves the sender's account, value and fees together, unless that has more than
    /// 256 bits.
    pub fn maximum_cost(&self) -> Option<U256> {
        let gas = U256::from(self.gas_limit);
        let fees = gas.checked_mul(U256::from(self.max_fee_per_gas))?;
        fees.checked_add(self.value)
    }

    fn check(&self) -> Result<(), FormatError> {
        if self.chain_id == 0 {
            return Err(FormatError::ChainIdZero);
        }
        if self.nonce == u64::MAX {
            return Err(FormatError::NonceTooLarge);
        }
        if self.max_priority_fee_per_gas > self.max_fee_per_gas {
            return Err(FormatError::PriorityAboveMaximum {
                priority: self.max_priority_fee_per_gas,
                max: self.max_fee_per_gas,
            });
        }
        // Before anything is allocated for the encoding.
        check_size(self.data.len())?;
        if self.access_list.len() > MAX_ACCESS_ADDRESSES {
            let max = MAX_ACCESS_ADDRESSES;
            return Err(FormatError::AccessAddresses { max });
        }
        let keys = self
            .access_list
            .iter()
            .map(|access| access.storage_keys.len());
        if keys.fold(0, usize::saturating_add) > MAX_ACCESS_KEYS {
            let max = MAX_ACCESS_KEYS;
            return Err(FormatError::AccessKeys { max });
        }
        Ok(())
    }

    /// The nine items, for the caller to finish or to add the signature to.
    pub(super) fn items(&self) -> Writer {
        let mut accesses = Writer::new();
        for access in &self.access_list {
            let mut keys = Writer::new();
            for key in &access.storage_keys {
                keys.bytes(key);
            }
            let mut entry = Writer::new();
            entry.bytes(access.address.as_bytes()).list(&keys);
            accesses.list(&entry);
        }
        let mut items = Writer::new();
        items
            .u64(self.chain_id)
            .u64(self.nonce)
            .u128(self.max_priority_fee_per_gas)
            .u128(self.max_fee_per_gas)
            .u64(self.gas_limit)
            .bytes(self.to.as_ref().map_or(&[][..], |to| to.as_bytes()))
            .u256(&self.value)
            .bytes(&self.data)
            .list(&accesses);
        items
    }

    pub(super) fn read(items: &mut Reader<'_>) -> Result<Self, TransactionError> {
        Ok(Self {
            chain_id: items.u64()?,
            nonce: items.u64()?,
            max_priority_fee_per_gas: items.u128()?,
            max_fee_per_gas: items.u128()?,
            gas_limit: items.u64()?,
            to: recipient(items)?,
            value: items.u256()?,
            data: items.bytes()?.to_vec(),
            access_list: access_list(items.list()?)?,
        })
    }
}

/// Checks size and type, and gives the items of the list after the type byte.
pub(super) fn open(bytes: &[u8]) -> Result<Reader<'_>, TransactionError> {
    check_size(bytes.len())?;
    let (&first, list) = bytes.split_first().ok_or(TransactionError::Empty)?;
    let found = match first {
        TYPE => return Ok(Reader::list_of(list, 1)?),
        0x01 => TransactionType::AccessList,
        0x03 => TransactionType::Blob,
        0x04 => TransactionType::SetCode,
        // The first byte of a list; types end at 0x7f.
        0xc0..=0xff => TransactionType::Legacy,
        found => return Err(TransactionError::UnknownType { found }),
    };
    Err(TransactionError::Type { found })
}

fn check_size(found: usize) -> Result<(), FormatError> {
    let max = MAX_TRANSACTION;
    if found > max {
        return Err(FormatError::TooLarge { max, found });
    }
    Ok(())
}

fn recipient(items: &mut Reader<'_>) -> Result<Option<Address>, RlpError> {
    let mut ahead = items.clone();
    if ahead.bytes()?.is_empty() {
        *items = ahead;
        return Ok(None);
    }
    Ok(Some(Address::new(items.array()?)))
}

fn access_list(mut entries: Reader<'_>) -> Result<Vec<Access>, TransactionError> {
    let mut list = Vec::new();
    let mut room = MAX_ACCESS_KEYS;
    while !entries.is_empty() {
        if list.len() == MAX_ACCESS_ADDRESSES {
            let max = MAX_ACCESS_ADDRESSES;
            return Err(FormatError::AccessAddresses { max }.into());
        }
        let mut entry = entries.list()?;
        let address = Address::new(entry.array()?);
        let mut keys = entry.list()?;
        entry.end()?;
        let mut storage_keys = Vec::new();
        while !keys.is_empty() {
            room = room.checked_sub(1).ok_or(FormatError::AccessKeys {
                max: MAX_ACCESS_KEYS,
            })?;
            storage_keys.push(keys.array()?);
        }
        list.push(Access {
            address,
            storage_keys,
        });
    }
    Ok(list)
}
