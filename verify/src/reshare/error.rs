//! Why a resharing was refused.

use core::fmt;

use quorate_protocol::atoms::ShareIndex;
use quorate_protocol::members::Role;
use thiserror::Error;

/// A part of a resharing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResharePart {
    /// The certificate of the instance.
    Certificate,
    /// The order.
    Order,
    /// What the instance says about the shares it made.
    Record,
    /// The instance's ring, signed by the quorum key.
    Ring,
}

impl fmt::Display for ResharePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificate => "certificate of the instance",
            Self::Order => "order",
            Self::Record => "reshare record",
            Self::Ring => "key ring of the instance",
        })
    }
}

/// A field that must agree with what was verified before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReshareField {
    /// The sharing of the drill scalar.
    Drill,
    /// Which shares: the old ones in order and certificate, other ones in the record.
    Epoch,
    /// The namespace.
    Genesis,
    /// The live keys.
    LiveKeys,
    /// The manifest.
    Manifest,
    /// Who gets a share.
    Members,
    /// The order that was carried out.
    Order,
    /// The first commitment.
    QuorumKey,
    /// How many shares open the key.
    Threshold,
    /// The time, which is after the order's end.
    Time,
}

impl fmt::Display for ReshareField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Drill => "sharing of the drill scalar",
            Self::Epoch => "epoch",
            Self::Genesis => "genesis",
            Self::LiveKeys => "live keys",
            Self::Manifest => "manifest",
            Self::Members => "members",
            Self::Order => "order",
            Self::QuorumKey => "quorum key",
            Self::Threshold => "threshold",
            Self::Time => "time",
        })
    }
}

/// A rule that a resharing breaks.
#[non_exhaustive]
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ReshareError {
    /// A consent is to another order, or in another namespace.
    #[error("the consent of member {index} of the {} is to another order", role_name(*.role))]
    ConsentOfAnother {
        /// The role in the consent.
        role: Role,
        /// The index in the consent.
        index: ShareIndex,
    },
    /// A consent is by nobody of the set in whose name it is given.
    #[error("there is a consent by member {index}, whom the {} does not have", role_name(*.role))]
    ConsentOfStranger {
        /// The role in the consent.
        role: Role,
        /// The index in the consent.
        index: ShareIndex,
    },
    /// A consent among the holders is by somebody who holds no share that counts.
    #[error("there is a consent at index {index}, which is inactive since the genesis")]
    ConsentOfInactive {
        /// The index in the consent.
        index: ShareIndex,
    },
    /// A member's consent in one role is there twice.
    #[error("the consent of member {index} of the {} is there twice", role_name(*.role))]
    ConsentRepeated {
        /// The role.
        role: Role,
        /// The member.
        index: ShareIndex,
    },
    /// A consent is not signed by that member.
    #[error(
        "the consent of member {index} of the {} is not signed with that member's key in that role",
        role_name(*.role)
    )]
    ConsentSignature {
        /// The role.
        role: Role,
        /// The member.
        index: ShareIndex,
    },
    /// Too few members of a set consented.
    #[error("{have} of the {need} consents that the {} must give are there", role_name(*.role))]
    ConsentsMissing {
        /// Which set.
        role: Role,
        /// Its threshold.
        need: u8,
        /// How many consented.
        have: usize,
        /// Who did not.
        missing: Vec<ShareIndex>,
    },
    /// A part says something else than what was verified before.
    #[error("the {part} disagrees about the {field}")]
    Differs {
        /// Which part.
        part: ResharePart,
        /// About what.
        field: ReshareField,
    },
    /// The proof of possession is not made with the new share.
    #[error("the receipt of member {index} does not prove that they hold their share")]
    Possession {
        /// The member.
        index: ShareIndex,
    },
    /// A receipt is for another record.
    #[error("the receipt of member {index} is for another resharing")]
    ReceiptOfAnother {
        /// The member.
        index: ShareIndex,
    },
    /// A receipt is by nobody of the order's share set.
    #[error("there is a receipt by member {index}, whom the order does not name")]
    ReceiptOfStranger {
        /// The index in the receipt.
        index: ShareIndex,
    },
    /// Receipts are not ascending, or one repeats.
    #[error("the receipt of member {index} is repeated or out of order")]
    ReceiptOrder {
        /// The member.
        index: ShareIndex,
    },
    /// A receipt is not signed by that member.
    #[error("the receipt of member {index} is not signed with that member's key")]
    ReceiptSignature {
        /// The member.
        index: ShareIndex,
    },
    /// Too few new members have shown to hold their shares.
    #[error("{have} new members have shown to hold their shares, {need} are needed")]
    ReceiptsMissing {
        /// The new threshold.
        need: u8,
        /// How many have.
        have: usize,
        /// Who has not.
        missing: Vec<ShareIndex>,
    },
    /// A signature is not by the key it must be by.
    #[error("the {part} is not signed with the key it must be signed with")]
    Signature {
        /// Which part.
        part: ResharePart,
    },
}

impl ReshareError {
    /// A stable name for machines.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ConsentOfAnother { .. } => "reshare-consent-of-another",
            Self::ConsentOfStranger { .. } => "reshare-consent-of-stranger",
            Self::ConsentOfInactive { .. } => "reshare-consent-of-inactive",
            Self::ConsentRepeated { .. } => "reshare-consent-repeated",
            Self::ConsentSignature { .. } => "reshare-consent-signature",
            Self::ConsentsMissing { .. } => "reshare-consents-missing",
            Self::Differs { part, .. } => match part {
                ResharePart::Certificate => "reshare-certificate-mismatch",
                ResharePart::Order => "reshare-order-mismatch",
                ResharePart::Record => "reshare-record-mismatch",
                ResharePart::Ring => "reshare-ring-mismatch",
            },
            Self::Possession { .. } => "reshare-possession",
            Self::ReceiptOfAnother { .. } => "reshare-receipt-of-another",
            Self::ReceiptOfStranger { .. } => "reshare-receipt-of-stranger",
            Self::ReceiptOrder { .. } => "reshare-receipt-order",
            Self::ReceiptSignature { .. } => "reshare-receipt-signature",
            Self::ReceiptsMissing { .. } => "reshare-receipts-missing",
            Self::Signature { part } => match part {
                ResharePart::Certificate => "reshare-certificate-signature",
                ResharePart::Order => "reshare-order-signature",
                ResharePart::Record => "reshare-record-signature",
                ResharePart::Ring => "reshare-ring-signature",
            },
        }
    }

    /// What to do next.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::ConsentOfAnother { .. }
            | Self::ConsentOfStranger { .. }
            | Self::ConsentOfInactive { .. }
            | Self::ConsentRepeated { .. }
            | Self::ConsentSignature { .. } => {
                "Remove that consent, and ask the member to sign this very order. Somebody in both \
                 sets signs once in each role."
            }
            Self::ConsentsMissing { .. } => {
                "Ask more members of that set to consent with quorate ceremony reshare sign."
            }
            Self::Possession { .. }
            | Self::ReceiptOfAnother { .. }
            | Self::ReceiptOfStranger { .. }
            | Self::ReceiptOrder { .. }
            | Self::ReceiptSignature { .. } => {
                "Remove that receipt, and ask the member for one of this very resharing."
            }
            Self::ReceiptsMissing { .. } => {
                "Ask more new members to check their shares with quorate ceremony reshare receipt."
            }
            Self::Differs {
                part: ResharePart::Order,
                ..
            } => "Write another order, for the manifest that runs now.",
            Self::Differs { .. } | Self::Signature { .. } => {
                "Take the file out of the folder, and fetch it again from the instance itself with \
                 quorate ceremony reshare run. If that does not help, it was put together by \
                 somebody else: do not trust it."
            }
        }
    }
}

const fn role_name(role: Role) -> &'static str {
    match role {
        Role::ManifestSet => "manifest set",
        Role::ShareSet => "share set",
    }
}
