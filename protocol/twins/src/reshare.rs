//! Twins of what a resharing is made of.

use quorate_protocol::cbor::Object as _;
use quorate_protocol::digest::Digest;
use quorate_protocol::reshare::{
    CompletedReshare, Reshare, ReshareChallenge, ReshareConsent, ReshareOrder, ReshareReceipt,
    ReshareRecord, ReshareRecordFields, ReshareRequest, ShareDestroyed,
};
use serde_json::{Value, json};

use crate::{Twin, fields};

impl Twin for ReshareChallenge {
    fn twin(&self) -> Value {
        fields! { "nonce": self.nonce, "expires": self.expires }
    }
}

impl Twin for ReshareOrder {
    fn twin(&self) -> Value {
        fields! {
            "object": Self::LABEL,
            "genesis": self.genesis,
            "manifest": self.manifest,
            "live": self.live,
            "epoch": self.epoch,
            "share_set": self.share_set,
            "nonce": self.nonce,
            "expires": self.expires,
        }
    }
}

impl Twin for ReshareConsent {
    fn twin(&self) -> Value {
        fields! {
            "object": Self::LABEL,
            "role": self.role,
            "genesis": self.genesis,
            "order": self.order,
            "index": self.index,
            "time": self.time,
        }
    }
}

impl Twin for ReshareRequest {
    fn twin(&self) -> Value {
        fields! { "order": self.order, "consents": self.consents }
    }
}

impl Twin for ReshareRecordFields {
    fn twin(&self) -> Value {
        fields! {
            "object": ReshareRecord::LABEL,
            "genesis": self.genesis,
            "order": self.order,
            "commitments": self.commitments,
            "shares": self.shares,
            "time": self.time,
            "drill": self.drill,
        }
    }
}

/// Shows the digest of the order beside it: it is what members compare and sign.
impl Twin for Reshare {
    fn twin(&self) -> Value {
        json!({
            "object": Self::LABEL,
            "order_digest": Digest::of(&self.order).to_string(),
            "order": self.order.twin(),
            "consents": self.consents.twin(),
            "record": self.record.twin(),
            "ring": self.ring.twin(),
            "certificate": self.certificate.twin(),
        })
    }
}

impl Twin for ReshareReceipt {
    fn twin(&self) -> Value {
        fields! {
            "object": Self::LABEL,
            "genesis": self.genesis,
            "record": self.record,
            "epoch": self.epoch,
            "index": self.index,
            "time": self.time,
            "possession": self.possession,
        }
    }
}

impl Twin for CompletedReshare {
    fn twin(&self) -> Value {
        fields! {
            "object": Self::LABEL,
            "reshare": self.reshare,
            "receipts": self.receipts,
        }
    }
}

impl Twin for ShareDestroyed {
    fn twin(&self) -> Value {
        fields! {
            "object": Self::LABEL,
            "genesis": self.genesis,
            "epoch": self.epoch,
            "index": self.index,
            "manifest": self.manifest,
            "time": self.time,
        }
    }
}
