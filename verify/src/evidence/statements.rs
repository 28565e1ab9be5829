//! What policy, key-generation and signing state, put together: who decided what, and what followed.
//!
//! Guarantees for the evidence at hand: what was made or signed was decided on before, by a decision
//! that is in the evidence and allows exactly that; no decision allows what its own limit and chain
//! forbid; a wallet and its payments agree about its accounts. Statements of other applications, and
//! of other kinds, are shown and not looked into.
//!
//! Trusts: that each statement is its application's ([`super::applications`] has shown it). A
//! decision is policy's word: who controls policy decides.
//!
//! Does not: notice what is left out. Evidence holds the statements its maker chose.

use quorate_protocol::activity::AppReason;
use quorate_protocol::atoms::Name;
use quorate_protocol::cbor::{Object, from_bytes};
use quorate_protocol::digest::Digest;
use quorate_protocol::statement::{
    DECISION, Decision, KEY_GENERATION, Outcome, POLICY, SIGNATURE, SIGNING, SignatureStatement,
    Subject, WALLET, WalletStatement,
};
use quorate_protocol::ticket::{Payment, Ticket};

use super::checks::STATEMENTS;
use super::error::EvidenceError;
use super::report::{ActivityFacts, ProofFacts};
use super::{Run, counted};

impl Run<'_> {
    /// Called when every proof is its application's.
    pub(super) fn check_statements(&mut self) {
        let outcome = activities(&self.ledger.facts.proofs);
        if outcome.as_ref().is_ok_and(Vec::is_empty) {
            let claim = "The evidence has no statement of policy, key-generation or signing.";
            return self.ledger.leave(&STATEMENTS, claim.to_owned());
        }
        let activities = self.ledger.settle(&STATEMENTS, outcome, |activities| {
            let wallets = activities.iter().filter(|a| a.wallet.is_some()).count();
            let signatures = activities.iter().filter(|a| a.signature.is_some()).count();
            let denied = activities.iter().filter(|a| a.is_denied()).count();
            format!(
                "Policy decided {}: {} and {} followed exactly what it allowed, {} refused.",
                counted(activities.len(), "request", "requests"),
                counted(wallets, "wallet", "wallets"),
                counted(signatures, "signature", "signatures"),
                counted(denied, "was", "were"),
            )
        });
        self.ledger.facts.activities = activities.unwrap_or_default();
    }
}

/// The decisions in their order, each with what followed.
fn activities(proofs: &[ProofFacts]) -> Result<Vec<ActivityFacts>, EvidenceError> {
    let mut activities: Vec<ActivityFacts> = Vec::new();
    for proof in proofs {
        if let Some(decision) = statement::<Decision>(proof, POLICY, DECISION)? {
            check_decision(&decision, &proof.application)?;
            if let Outcome::Allowed(ticket) = decision.outcome
                && find(&mut activities, &ticket).is_some()
            {
                return Err(repeated(proof));
            }
            activities.push(ActivityFacts {
                decided_in: proof.start,
                decision,
                wallet: None,
                signature: None,
            });
        }
    }
    for proof in proofs {
        if let Some(made) = statement::<WalletStatement>(proof, KEY_GENERATION, WALLET)? {
            let activity = find(&mut activities, &made.ticket).ok_or_else(|| undecided(proof))?;
            check_wallet(&activity.decision, &made).map_err(|what| differs(proof, what))?;
            if activity.wallet.replace(made).is_some() {
                return Err(repeated(proof));
            }
        }
        if let Some(signed) = statement::<SignatureStatement>(proof, SIGNING, SIGNATURE)? {
            let activity = find(&mut activities, &signed.ticket).ok_or_else(|| undecided(proof))?;
            check_signature(&activity.decision, &signed).map_err(|what| differs(proof, what))?;
            if activity.signature.replace(signed).is_some() {
                return Err(repeated(proof));
            }
        }
    }
    check_accounts(&activities)?;
    Ok(activities)
}

/// The payload, if the proof is of this application and kind.
fn statement<T: Object>(
    proof: &ProofFacts,
    application: &str,
    kind: &str,
) -> Result<Option<T>, EvidenceError> {
    if proof.application.as_str() != application || proof.kind.as_str() != kind {
        return Ok(None);
    }
    from_bytes(&proof.payload)
        .map(Some)
        .map_err(|error| EvidenceError::Statement {
            application: proof.application.clone(),
            error,
        })
}

fn find<'a>(
    activities: &'a mut [ActivityFacts],
    ticket: &Digest<Ticket>,
) -> Option<&'a mut ActivityFacts> {
    activities
        .iter_mut()
        .find(|activity| activity.decision.outcome == Outcome::Allowed(*ticket))
}

fn undecided(proof: &ProofFacts) -> EvidenceError {
    EvidenceError::Undecided {
        application: proof.application.clone(),
    }
}

fn repeated(proof: &ProofFacts) -> EvidenceError {
    EvidenceError::StatementRepeated {
        application: proof.application.clone(),
    }
}

fn differs(proof: &ProofFacts, what: &'static str) -> EvidenceError {
    EvidenceError::StatementDiffers {
        application: proof.application.clone(),
        what,
    }
}

/// A decision must follow from its own terms: limit and chain stand in it.
fn check_decision(decision: &Decision, application: &Name) -> Result<(), EvidenceError> {
    let Subject::Payment(payment) = &decision.subject else {
        return Ok(());
    };
    let forbidden = forbidden(decision, payment);
    let good = match decision.outcome {
        Outcome::Allowed(_) => forbidden.is_none(),
        Outcome::Denied(reason) => forbidden == Some(reason),
    };
    if good {
        return Ok(());
    }
    Err(EvidenceError::Unjustified {
        application: application.clone(),
    })
}

fn forbidden(decision: &Decision, payment: &Payment) -> Option<AppReason> {
    let facts = &payment.facts;
    if facts.chain != decision.chain {
        Some(AppReason::WrongChain)
    } else if facts.to.is_none() || facts.data != 0 {
        Some(AppReason::NotATransfer)
    } else if facts.cost > decision.limit {
        Some(AppReason::OverLimit)
    } else {
        None
    }
}

fn check_wallet(decision: &Decision, made: &WalletStatement) -> Result<(), &'static str> {
    if made.fingerprint != decision.fingerprint {
        return Err("the request");
    }
    if made.organization != decision.organization {
        return Err("the organization");
    }
    let Subject::Wallet(asked) = &decision.subject else {
        return Err("what was decided on");
    };
    let paths = made.accounts.iter().map(|account| &account.path);
    if asked.words != made.words || !asked.paths.iter().eq(paths) {
        return Err("the wallet");
    }
    Ok(())
}

fn check_signature(decision: &Decision, signed: &SignatureStatement) -> Result<(), &'static str> {
    if signed.fingerprint != decision.fingerprint {
        return Err("the request");
    }
    if signed.organization != decision.organization {
        return Err("the organization");
    }
    match &decision.subject {
        Subject::Payment(payment) if *payment == signed.payment => Ok(()),
        Subject::Payment(_) => Err("the transaction"),
        Subject::Wallet(_) => Err("what was decided on"),
    }
}

/// Where a wallet was made in this evidence, its payments are from its accounts and for its
/// organization.
fn check_accounts(activities: &[ActivityFacts]) -> Result<(), EvidenceError> {
    let made = |payment: &Payment| {
        let mut wallets = activities.iter().filter_map(|a| a.wallet.as_ref());
        wallets.find(|made| made.wallet == payment.wallet)
    };
    for signed in activities.iter().filter_map(|a| a.signature.as_ref()) {
        let Some(wallet) = made(&signed.payment) else {
            continue;
        };
        let ours = wallet.organization == signed.organization;
        if !ours || !wallet.accounts.contains(&signed.payment.account) {
            return Err(EvidenceError::AccountOfAnother {
                address: signed.payment.account.address,
            });
        }
    }
    Ok(())
}
