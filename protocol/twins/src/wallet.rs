//! Twins of organizations, wallets, operations and tickets.

use quorate_protocol::cbor::Object as _;
use quorate_protocol::organization::{Address, Founding, Organization, Uuid, Wei};
use quorate_protocol::ticket::{
    CreateWallet, MadeWallet, NewWalletFields, Operation, Payment, Redeem, Redeemed,
    SignTransaction, SignedTransaction, Ticket, TicketFields, TransactionFacts,
};
use quorate_protocol::wallet::{Account, Path, SealedAccount, Words};
use serde_json::{Value, json};

use crate::{Twin, fields};

/// A decimal number as text: JSON's numbers end at 2^53 for many readers.
impl Twin for Wei {
    fn twin(&self) -> Value {
        self.to_string().into()
    }
}

impl Twin for Address {
    fn twin(&self) -> Value {
        self.to_string().into()
    }
}

impl Twin for Path {
    fn twin(&self) -> Value {
        self.as_str().into()
    }
}

impl Twin for Words {
    fn twin(&self) -> Value {
        self.count().into()
    }
}

impl Twin for Founding {
    fn twin(&self) -> Value {
        fields! {
            "object": Self::LABEL,
            "genesis": self.genesis,
            "owner": self.owner,
            "limit": self.limit,
            "chain": self.chain,
            "nonce": self.nonce,
        }
    }
}

/// With the identifier that requests use.
impl Twin for Organization {
    fn twin(&self) -> Value {
        let id = Uuid::of(&quorate_protocol::digest::Digest::of(self));
        fields! {
            "object": Self::LABEL,
            "id": *id.to_string(),
            "founding": self.founding,
        }
    }
}

impl Twin for Account {
    fn twin(&self) -> Value {
        fields! { "path": self.path, "address": self.address, "public_key": self.public_key }
    }
}

impl Twin for SealedAccount {
    fn twin(&self) -> Value {
        fields! { "wallet": self.wallet, "account": self.account, "sealed": self.sealed }
    }
}

impl Twin for NewWalletFields {
    fn twin(&self) -> Value {
        fields! { "words": self.words, "paths": self.paths }
    }
}

impl Twin for TransactionFacts {
    fn twin(&self) -> Value {
        fields! {
            "chain": self.chain,
            "nonce": self.nonce,
            "to"(?): self.to,
            "value": self.value,
            "gas": self.gas,
            "max_fee": self.max_fee,
            "max_priority_fee": self.max_priority_fee,
            "cost": self.cost,
            "data": self.data,
            "access_list": self.access_list,
        }
    }
}

impl Twin for Payment {
    fn twin(&self) -> Value {
        fields! {
            "wallet": self.wallet,
            "account": self.account,
            "facts": self.facts,
            "signing_hash": self.signing_hash,
        }
    }
}

impl Twin for CreateWallet {
    fn twin(&self) -> Value {
        fields! {
            "organization": self.organization,
            "fingerprint": self.fingerprint,
            "wallet": self.wallet,
        }
    }
}

impl Twin for SignTransaction {
    fn twin(&self) -> Value {
        fields! {
            "organization": self.organization,
            "fingerprint": self.fingerprint,
            "payment": self.payment,
            "transaction": self.transaction,
        }
    }
}

impl Twin for Operation {
    fn twin(&self) -> Value {
        let (operation, body) = match self {
            Self::CreateWallet(body) => ("create-wallet", body.twin()),
            Self::SignTransaction(body) => ("sign-transaction", body.twin()),
        };
        json!({ "object": Self::LABEL, "operation": operation, "body": body })
    }
}

impl Twin for TicketFields {
    fn twin(&self) -> Value {
        fields! {
            "object": *Ticket::LABEL,
            "instance": self.instance,
            "issuer": self.issuer,
            "issuer_start": self.issuer_start,
            "redeemer": self.redeemer,
            "redeemer_start": self.redeemer_start,
            "number": self.number,
            "operation": self.operation,
            "expiry": self.expiry,
        }
    }
}

impl Twin for Redeem {
    fn twin(&self) -> Value {
        fields! {
            "object": Self::LABEL,
            "ticket": self.ticket,
            "operation": self.operation,
            "account"(?): self.account,
        }
    }
}

impl Twin for Redeemed {
    fn twin(&self) -> Value {
        let (redeemed, body) = match self {
            Self::Wallet(body) => ("wallet", body.twin()),
            Self::Transaction(body) => ("transaction", body.twin()),
            Self::Refused(body) => ("refused", body.twin()),
        };
        json!({ "object": Self::LABEL, "redeemed": redeemed, "body": body })
    }
}

impl Twin for MadeWallet {
    fn twin(&self) -> Value {
        fields! {
            "wallet": self.wallet,
            "seed": self.seed,
            "accounts": self.accounts,
            "proof": self.proof,
        }
    }
}

impl Twin for SignedTransaction {
    fn twin(&self) -> Value {
        fields! {
            "transaction": self.transaction,
            "hash": self.hash,
            "proof": self.proof,
        }
    }
}
