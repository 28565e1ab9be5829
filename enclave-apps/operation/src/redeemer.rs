//! Taking tickets, each once.
//!
//! Guarantees: of the tickets of one start of the issuer each number is taken at most once, and none
//! below one that was taken; none of an earlier start is taken once a later one was seen. What is
//! remembered is one pair of numbers. A ticket that came over the right edge is used up whatever
//! comes of it; one that came over another edge uses up nothing.

use std::sync::{Mutex, PoisonError};

use quorate_protocol::activity::AppReason;
use quorate_protocol::atoms::{Name, UnixMillis};
use quorate_protocol::digest::Digest;
use quorate_protocol::stored::SealedSecret;
use quorate_protocol::ticket::{Operation, Redeem, Ticket};

use crate::{Identity, Start};

/// Takes tickets of one issuer.
#[derive(Debug)]
pub struct Redeemer {
    identity: Identity,
    issuer: Name,
    /// The newest ticket: start of the issuer, number.
    newest: Mutex<(u64, u64)>,
}

/// Leave to perform one operation, once. Only a redeemed ticket gives it.
#[derive(Debug, PartialEq, Eq)]
pub struct Leave {
    ticket: Digest<Ticket>,
    operation: Operation,
    account: Option<SealedSecret>,
}

impl Leave {
    /// The ticket that was redeemed for it.
    pub fn ticket(&self) -> Digest<Ticket> {
        self.ticket
    }

    /// What to do, and the account's key that came with it.
    pub fn into_parts(self) -> (Operation, Option<SealedSecret>) {
        (self.operation, self.account)
    }
}

impl Redeemer {
    /// A redeemer that has seen no ticket.
    pub fn new(identity: Identity, issuer: Name) -> Self {
        Self {
            identity,
            issuer,
            newest: Mutex::new((0, 0)),
        }
    }

    /// Takes a ticket that came from `peer`.
    ///
    /// # Errors
    /// The first of these that applies: [`AppReason::TicketForAnotherInstance`],
    /// [`AppReason::TicketForAnotherRedeemer`], [`AppReason::TicketForAnotherStart`],
    /// [`AppReason::TicketUsed`], [`AppReason::TicketFromAnother`],
    /// [`AppReason::TicketForAnotherOperation`], [`AppReason::TicketExpired`].
    pub fn redeem(
        &self,
        peer: &Start,
        redeem: Redeem,
        now: UnixMillis,
    ) -> Result<Leave, AppReason> {
        let ticket = &redeem.ticket;
        let (instance, me) = (&self.identity.instance, &self.identity.start);
        if ticket.instance != *instance {
            return Err(AppReason::TicketForAnotherInstance);
        }
        if ticket.redeemer != me.name {
            return Err(AppReason::TicketForAnotherRedeemer);
        }
        if ticket.redeemer_start != me.start {
            return Err(AppReason::TicketForAnotherStart);
        }
        self.take(peer, ticket)?;
        if ticket.operation != Digest::of(&redeem.operation) {
            return Err(AppReason::TicketForAnotherOperation);
        }
        if now >= ticket.expiry {
            return Err(AppReason::TicketExpired);
        }
        Ok(Leave {
            ticket: Digest::of(ticket),
            operation: redeem.operation,
            account: redeem.account,
        })
    }

    fn take(&self, peer: &Start, ticket: &Ticket) -> Result<(), AppReason> {
        // The pair is replaced in one assignment, so a panic of another thread left it whole.
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let this = (ticket.issuer_start, ticket.number);
        let ours = ticket.issuer == self.issuer;
        // Whoever shows a used ticket hears that it is used; only the issuer can use one up.
        if ours && this <= *newest {
            return Err(AppReason::TicketUsed);
        }
        if !ours || peer.name != self.issuer || peer.start != ticket.issuer_start {
            return Err(AppReason::TicketFromAnother);
        }
        *newest = this;
        Ok(())
    }
}
