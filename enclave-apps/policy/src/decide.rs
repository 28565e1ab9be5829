//! The decision: a function of the organization's terms and of what a transaction does.
//!
//! A spending limit counts wei. It cannot see what a contract does with a call, so under a limit
//! only plain transfers are signed: a recipient, and no call data. Rules that look into calls come
//! with policies.

use quorate_protocol::activity::AppReason;
use quorate_protocol::organization::Founding;
use quorate_protocol::ticket::TransactionFacts;

/// Whether the terms allow the transaction.
///
/// # Errors
/// [`AppReason::WrongChain`], [`AppReason::NotATransfer`], or [`AppReason::OverLimit`] when value
/// and most fees together exceed the limit.
pub fn decide(terms: &Founding, facts: &TransactionFacts) -> Result<(), AppReason> {
    if facts.chain != terms.chain {
        return Err(AppReason::WrongChain);
    }
    if facts.to.is_none() || facts.data != 0 {
        return Err(AppReason::NotATransfer);
    }
    if facts.cost > terms.limit {
        return Err(AppReason::OverLimit);
    }
    Ok(())
}
