//! Giving out tickets.
//!
//! Guarantees: numbers ascend over the life of the process, whoever the tickets are for. Called
//! while a call edge is held, so tickets also arrive in that order.

use std::sync::atomic::{AtomicU64, Ordering};

use quorate_protocol::activity::AppReason;
use quorate_protocol::atoms::UnixMillis;
use quorate_protocol::cbor::Checked;
use quorate_protocol::digest::Digest;
use quorate_protocol::ticket::{Operation, Ticket, TicketFields};

use crate::{Identity, Start};

/// How long a ticket counts, in milliseconds: longer than a call may take.
pub const TICKET_LIFE: u64 = 10_000;

/// Gives out tickets of one start.
#[derive(Debug)]
pub struct Issuer {
    identity: Identity,
    last: AtomicU64,
}

impl Issuer {
    /// An issuer that has given out none.
    pub fn new(identity: Identity) -> Self {
        Self {
            identity,
            last: AtomicU64::new(0),
        }
    }

    /// Who it is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// A new ticket.
    ///
    /// # Errors
    /// [`AppReason::Internal`] after 2^64 - 1 of them.
    pub fn issue(
        &self,
        redeemer: &Start,
        operation: Digest<Operation>,
        now: UnixMillis,
    ) -> Result<Ticket, AppReason> {
        let next = |last: u64| last.checked_add(1);
        let last = self
            .last
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, next);
        let number = last.ok().and_then(next).ok_or(AppReason::Internal)?;
        let fields = TicketFields {
            instance: self.identity.instance,
            issuer: self.identity.start.name.clone(),
            issuer_start: self.identity.start.start,
            redeemer: redeemer.name.clone(),
            redeemer_start: redeemer.start,
            number,
            operation,
            expiry: UnixMillis(now.0.saturating_add(TICKET_LIFE)),
        };
        Checked::new(fields).map_err(|_| AppReason::Internal)
    }
}
