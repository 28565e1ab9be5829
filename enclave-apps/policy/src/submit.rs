//! From a submission to its answer, in the order of what each step costs an outsider.

use std::sync::Arc;

use quorate_es256::VerifyingKey;
use quorate_operation::{Prove, Start};
use quorate_protocol::activity::{
    AppReason, AppRefusal, Completed, Denied, Outcome as Done, PolicyResponse, Submission,
};
use quorate_protocol::atoms::{Sha256, UnixMillis};
use quorate_protocol::cbor::{from_bytes, to_bytes};
use quorate_protocol::digest::Digest;
use quorate_protocol::statement::{DECISION, Decision, Outcome, Subject};
use quorate_protocol::stored::SealedSecret;
use quorate_protocol::ticket::{
    CreateWallet, Operation, Redeem, Redeemed, SignTransaction, Ticket,
};

use crate::memory::Known;
use crate::organizations::Verified;
use crate::read::{Asked, authenticate, read};
use crate::{Calls, Performer, Policy, decide};

/// What is asked for, ready to be decided on.
struct Case<'a, K> {
    organization: &'a Verified<K>,
    fingerprint: Sha256,
    subject: Subject,
    now: UnixMillis,
}

impl<K> Case<'_, K> {
    fn decision(&self, outcome: Outcome) -> Decision {
        Decision {
            fingerprint: self.fingerprint,
            organization: self.organization.digest,
            owner: self.organization.terms.owner,
            subject: self.subject.clone(),
            limit: self.organization.terms.limit,
            chain: self.organization.terms.chain,
            outcome,
            time: self.now,
        }
    }
}

impl<K: VerifyingKey + Send + Sync, C: Calls> Policy<K, C> {
    /// The answer to a submission, encoded: the same bytes again for the same request.
    pub(crate) fn submit(
        &self,
        submission: Submission,
        now: UnixMillis,
        prove: &Prove<'_>,
    ) -> Result<Vec<u8>, AppRefusal> {
        let organization = self.organizations.verify(&submission.organization)?;
        let authentic = authenticate(&organization, &submission)?;
        let fingerprint = Sha256(*authentic.fingerprint().as_bytes());
        let (asked, timestamp) = read(&organization, &authentic, now)?;
        let key = (organization.digest, fingerprint);
        let slot = match self.memory.begin(key, timestamp, now.0)? {
            Known::Answered(answer) => return Ok(answer.to_vec()),
            Known::New(slot) => slot,
        };
        let answer = match asked {
            Asked::Wallet(wallet) => {
                let operation = Operation::CreateWallet(CreateWallet {
                    organization: organization.digest,
                    fingerprint,
                    wallet: wallet.clone(),
                });
                let case = Case {
                    organization: &organization,
                    fingerprint,
                    subject: Subject::Wallet(wallet),
                    now,
                };
                self.perform(&case, Performer::KeyGeneration, operation, None, prove)?
            }
            Asked::Signature(asked) => {
                let payment = asked.payment(submission.account.as_ref())?;
                let decided = decide(&organization.terms, &payment.facts);
                let case = Case {
                    organization: &organization,
                    fingerprint,
                    subject: Subject::Payment(payment.clone()),
                    now,
                };
                match decided {
                    Err(reason) => deny(&case, reason, prove)?,
                    Ok(()) => {
                        let operation = Operation::SignTransaction(Box::new(SignTransaction {
                            organization: organization.digest,
                            fingerprint,
                            payment,
                            transaction: asked.transaction,
                        }));
                        let account = submission.account.map(|account| account.sealed);
                        self.perform(&case, Performer::Signing, operation, account, prove)?
                    }
                }
            }
        };
        let answer: Arc<[u8]> = to_bytes(&answer).into();
        slot.keep(Arc::clone(&answer));
        Ok(answer.to_vec())
    }

    /// Issues a ticket, has it redeemed, and proves the decision.
    fn perform(
        &self,
        case: &Case<'_, K>,
        performer: Performer,
        operation: Operation,
        account: Option<SealedSecret>,
        prove: &Prove<'_>,
    ) -> Result<PolicyResponse, AppRefusal> {
        let digest = Digest::of(&operation);
        let mut redeem = None;
        let mut failed = None;
        let mut parts = Some((operation, account));
        let answer = self.calls.call(performer, &mut |redeemer: &Start| {
            let issued = self.issuer.issue(redeemer, digest, case.now);
            match (issued, parts.take()) {
                (Ok(ticket), Some((operation, account))) => {
                    let message = Redeem {
                        ticket,
                        operation,
                        account,
                    };
                    let bytes = to_bytes(&message);
                    redeem = Some(message);
                    bytes
                }
                (issued, _) => {
                    // Not a message of the contract: the other side refuses it.
                    failed = Some(issued.err().unwrap_or(AppReason::Internal));
                    Vec::new()
                }
            }
        });
        if let Some(reason) = failed {
            return Err(reason.into());
        }
        let answer = answer.map_err(|_| AppReason::Unavailable)?;
        let Redeem {
            ticket, operation, ..
        } = redeem.ok_or(AppReason::Internal)?;
        let result = match from_bytes::<Redeemed>(&answer) {
            Ok(Redeemed::Refused(refusal)) => return Err(refusal),
            Ok(Redeemed::Wallet(made)) if performer == Performer::KeyGeneration => {
                Done::Wallet(made)
            }
            Ok(Redeemed::Transaction(signed)) if performer == Performer::Signing => {
                Done::Transaction(signed)
            }
            // Another application's answer, or no answer of this contract.
            _ => return Err(AppReason::Internal.into()),
        };
        let decision = case.decision(Outcome::Allowed(Digest::<Ticket>::of(&ticket)));
        Ok(PolicyResponse::Completed(Box::new(Completed {
            decision: prove(DECISION, to_bytes(&decision)).ok_or(AppReason::Internal)?,
            ticket,
            operation,
            result,
        })))
    }
}

/// Proves a decision against a request.
fn deny<K>(
    case: &Case<'_, K>,
    reason: AppReason,
    prove: &Prove<'_>,
) -> Result<PolicyResponse, AppRefusal> {
    let decision = case.decision(Outcome::Denied(reason));
    let detail = match &case.subject {
        Subject::Payment(payment) if reason == AppReason::OverLimit => format!(
            "it may cost {} wei, the limit is {} wei",
            payment.facts.cost, decision.limit
        ),
        Subject::Payment(payment) if reason == AppReason::WrongChain => format!(
            "chain {}, the organization's is {}",
            payment.facts.chain, decision.chain
        ),
        _ => String::new(),
    };
    Ok(PolicyResponse::Denied(Box::new(Denied {
        decision: prove(DECISION, to_bytes(&decision)).ok_or(AppReason::Internal)?,
        refusal: AppRefusal::new(reason, &detail),
    })))
}
