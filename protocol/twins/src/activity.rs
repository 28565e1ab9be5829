//! Twins of requests to policy, its answers, and what the three applications state.

use quorate_protocol::activity::{
    AppReason, AppRefusal, Completed, Denied, Outcome as Result, PolicyRequest, PolicyResponse,
    Submission,
};
use quorate_protocol::cbor::Object as _;
use quorate_protocol::statement::{
    Decision, Outcome, SignatureStatement, Subject, WalletStatement,
};
use serde_json::{Value, json};

use crate::{Twin, fields};

impl Twin for AppReason {
    fn twin(&self) -> Value {
        self.name().into()
    }
}

/// With its text for people, under `explained`.
impl Twin for AppRefusal {
    fn twin(&self) -> Value {
        fields! {
            "reason": self.reason,
            "detail": self.detail,
            "explained": *self.to_string(),
        }
    }
}

impl Twin for PolicyRequest {
    fn twin(&self) -> Value {
        let (request, body) = match self {
            Self::Found(body) => ("found", body.twin()),
            Self::Submit(body) => ("submit", body.twin()),
        };
        json!({ "object": Self::LABEL, "request": request, "body": body })
    }
}

/// The body in hexadecimal: it is the sender's text, and not looked into here.
impl Twin for Submission {
    fn twin(&self) -> Value {
        fields! {
            "body": self.body,
            "stamp": self.stamp,
            "organization": self.organization,
            "account"(?): self.account,
        }
    }
}

impl Twin for PolicyResponse {
    fn twin(&self) -> Value {
        let (response, body) = match self {
            Self::Founded(body) => ("founded", body.twin()),
            Self::Completed(body) => ("completed", body.twin()),
            Self::Denied(body) => ("denied", body.twin()),
            Self::Refused(body) => ("refused", body.twin()),
        };
        json!({ "object": Self::LABEL, "response": response, "body": body })
    }
}

impl Twin for Completed {
    fn twin(&self) -> Value {
        let result = match &self.result {
            Result::Wallet(made) => json!({ "wallet": made.twin() }),
            Result::Transaction(signed) => json!({ "transaction": signed.twin() }),
        };
        json!({
            "decision": self.decision.twin(),
            "ticket": self.ticket.twin(),
            "operation": self.operation.twin(),
            "result": result,
        })
    }
}

impl Twin for Denied {
    fn twin(&self) -> Value {
        fields! { "decision": self.decision, "refusal": self.refusal }
    }
}

impl Twin for Decision {
    fn twin(&self) -> Value {
        fields! {
            "object": Self::LABEL,
            "fingerprint": self.fingerprint,
            "organization": self.organization,
            "owner": self.owner,
            "subject": self.subject,
            "limit": self.limit,
            "chain": self.chain,
            "outcome": self.outcome,
            "time": self.time,
        }
    }
}

impl Twin for Subject {
    fn twin(&self) -> Value {
        match self {
            Self::Wallet(wallet) => json!({ "wallet": wallet.twin() }),
            Self::Payment(payment) => json!({ "payment": payment.twin() }),
        }
    }
}

impl Twin for Outcome {
    fn twin(&self) -> Value {
        match self {
            Self::Allowed(ticket) => json!({ "allowed": ticket.twin() }),
            Self::Denied(reason) => json!({ "denied": reason.twin() }),
        }
    }
}

impl Twin for WalletStatement {
    fn twin(&self) -> Value {
        fields! {
            "object": Self::LABEL,
            "fingerprint": self.fingerprint,
            "organization": self.organization,
            "ticket": self.ticket,
            "wallet": self.wallet,
            "words": self.words,
            "accounts": self.accounts,
        }
    }
}

impl Twin for SignatureStatement {
    fn twin(&self) -> Value {
        fields! {
            "object": Self::LABEL,
            "fingerprint": self.fingerprint,
            "organization": self.organization,
            "ticket": self.ticket,
            "payment": self.payment,
            "transaction": self.transaction,
        }
    }
}
