//! What an unsigned transaction does, in the numbers that are decided on and proved.
//!
//! policy reads the bytes to decide, signing reads them again before it signs, and both compare
//! through the same [`TransactionFacts`]. Nothing but the bytes goes in.

use quorate_chain::ethereum::{Address as ChainAddress, TransactionError, Unsigned};
use quorate_protocol::activity::{AppReason, AppRefusal};
use quorate_protocol::atoms::Bytes;
use quorate_protocol::organization::{Address, Wei};
use quorate_protocol::ticket::{MAX_TRANSACTION, TransactionFacts};

/// A transaction that was read.
#[derive(Debug)]
pub struct Read {
    /// What it does.
    pub facts: TransactionFacts,
    /// What is signed: its Keccak-256.
    pub signing_hash: Bytes<32, 32>,
    /// The transaction.
    pub unsigned: Unsigned,
}

/// Reads the bytes of an unsigned transaction.
///
/// # Errors
/// [`AppReason::TransactionType`] for another type than EIP-1559, else
/// [`AppReason::TransactionMalformed`]; the detail says where.
pub fn facts(bytes: &[u8]) -> Result<Read, AppRefusal> {
    if bytes.len() > MAX_TRANSACTION {
        let detail = format!(
            "{} bytes, at most {MAX_TRANSACTION} are accepted",
            bytes.len()
        );
        return Err(AppRefusal::new(AppReason::TransactionMalformed, &detail));
    }
    let unsigned = Unsigned::parse(bytes).map_err(|error| refusal(&error))?;
    let transaction = unsigned.transaction();
    let count = |found: usize| u64::try_from(found).unwrap_or(u64::MAX);
    let facts = TransactionFacts {
        chain: transaction.chain_id,
        nonce: transaction.nonce,
        to: transaction.to.as_ref().map(|to| Address(*to.as_bytes())),
        value: Wei(transaction.value.to_be_bytes()),
        gas: transaction.gas_limit,
        max_fee: Wei::from_u128(transaction.max_fee_per_gas),
        max_priority_fee: Wei::from_u128(transaction.max_priority_fee_per_gas),
        cost: transaction
            .maximum_cost()
            .map_or(Wei::MAX, |cost| Wei(cost.to_be_bytes())),
        data: count(transaction.data.len()),
        access_list: count(transaction.access_list.len()),
    };
    let signing_hash = Bytes::new(unsigned.signing_hash().to_vec());
    let signing_hash = signing_hash.map_err(|_| AppReason::Internal)?;
    Ok(Read {
        facts,
        signing_hash,
        unsigned,
    })
}

/// How a transaction that cannot be read is refused.
pub fn refusal(error: &TransactionError) -> AppRefusal {
    let reason = match error {
        TransactionError::Type { .. } | TransactionError::UnknownType { .. } => {
            AppReason::TransactionType
        }
        _ => AppReason::TransactionMalformed,
    };
    AppRefusal::new(reason, &error.to_string())
}

/// The address of a public key, given by its coordinates.
pub fn account_address(coordinates: &[u8; 64]) -> Address {
    Address(*ChainAddress::of_public_key(coordinates).as_bytes())
}
