//! Why a genesis record was refused.

use quorate_protocol::atoms::{Name, ShareIndex};
use quorate_protocol::definition::Definition;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::Genesis;
use thiserror::Error;

use crate::drill::SharingFault;
use crate::text::Listed;

/// A broken rule of a genesis record. Names the member it concerns.
#[non_exhaustive]
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum GenesisError {
    /// The polynomial does not have as many commitments as the share set's threshold.
    #[error("the share set needs {threshold} members, but {commitments} shares open this key")]
    CommitmentCount {
        /// Threshold of the definition's share set.
        threshold: u8,
        /// Threshold of the polynomial.
        commitments: u8,
    },
    /// Not every person consented.
    #[error("the consent of {} is missing", Listed(.names))]
    ConsentMissing {
        /// Whose, ascending.
        names: Vec<Name>,
    },
    /// Somebody consented who is not in the definition.
    #[error("{name} consented but is not a member")]
    ConsentOfStranger {
        /// The name in the consent.
        name: Name,
    },
    /// Consents are not in ascending order of name.
    #[error("the consent of {name} is out of order")]
    ConsentOutOfOrder {
        /// The name that is smaller than the one before it.
        name: Name,
    },
    /// One person consented twice.
    #[error("the consent of {name} is there twice")]
    ConsentRepeated {
        /// Whose.
        name: Name,
    },
    /// The signature on a consent is not by the member it names.
    #[error("the consent of {name} is not signed with the key of {name}")]
    ConsentSignature {
        /// Whose.
        name: Name,
    },
    /// The consent is to another definition.
    #[error("{name} consented to the definition {found}, not to {expected}")]
    ConsentToAnother {
        /// Whose.
        name: Name,
        /// The definition at hand.
        expected: Digest<Definition>,
        /// The definition in the consent.
        found: Digest<Definition>,
    },
    /// The sharing of the drill scalar is not as it must be.
    #[error(transparent)]
    DrillSharing(SharingFault),
    /// An exception is for another namespace or epoch.
    #[error("the exception of {name} is not for this genesis")]
    ExceptionForAnother {
        /// Whose.
        name: Name,
    },
    /// Somebody who gave a receipt signed no exception.
    #[error("the exception of {} is missing", Listed(.names))]
    ExceptionMissing {
        /// Whose, in order of index.
        names: Vec<Name>,
    },
    /// There is an exception although every receipt is there.
    #[error("there is an exception, but every holder gave a receipt")]
    ExceptionNeedless,
    /// An exception leaves out others than those whose receipt is missing.
    #[error("the exception of {name} leaves out others than those without a receipt")]
    ExceptionOfOthers {
        /// Whose.
        name: Name,
    },
    /// An exception is by nobody who gave a receipt.
    #[error("there is an exception of member {index}, who gave no receipt")]
    ExceptionOfStranger {
        /// The index in the exception.
        index: ShareIndex,
    },
    /// Exceptions are not in ascending order of index, or one is there twice.
    #[error("the exception of {name}, share {index}, is out of order or there twice")]
    ExceptionOutOfOrder {
        /// Whose.
        name: Name,
        /// Their index.
        index: ShareIndex,
    },
    /// The signature on an exception is not by the member it names.
    #[error("the exception for share {index} is not signed with the key of {name}")]
    ExceptionSignature {
        /// Whose it should be.
        name: Name,
        /// Their index.
        index: ShareIndex,
    },
    /// Too few receipts for an exception.
    #[error("an exception needs {need} receipts, there are {have}")]
    ExceptionTooFew {
        /// How many it takes.
        need: usize,
        /// How many there are.
        have: usize,
    },
    /// The output was made under another definition.
    #[error("the genesis output was made under the definition {found}, not under {expected}")]
    OutputOfAnother {
        /// The definition at hand.
        expected: Digest<Definition>,
        /// The definition in the output.
        found: Digest<Definition>,
    },
    /// The proof of possession is for another namespace, epoch or index than the receipt.
    #[error("the proof of possession of {name} is not for share {index} of this genesis")]
    PossessionOfAnother {
        /// Whose receipt.
        name: Name,
        /// Their index.
        index: ShareIndex,
    },
    /// The proof of possession was not made with the share that the commitments name.
    #[error("{name} did not prove to hold share {index}")]
    PossessionSignature {
        /// Whose receipt.
        name: Name,
        /// Their index.
        index: ShareIndex,
    },
    /// The first commitment is no verification key.
    #[error("the first commitment is no key")]
    QuorumKey,
    /// A receipt names another epoch.
    #[error("the receipt of {name} is for other shares than these commitments name")]
    ReceiptEpoch {
        /// Whose.
        name: Name,
    },
    /// A receipt is for another namespace.
    #[error("the receipt of {name} is for the genesis {found}, not for {expected}")]
    ReceiptForAnother {
        /// Whose.
        name: Name,
        /// The namespace at hand.
        expected: Digest<Genesis>,
        /// The namespace in the receipt.
        found: Digest<Genesis>,
    },
    /// Not every member of the share set gave a receipt.
    #[error("the receipt of {} is missing", Listed(.names))]
    ReceiptMissing {
        /// Whose, in order of index.
        names: Vec<Name>,
    },
    /// A receipt is by nobody of the share set.
    #[error("there is a receipt for share {index}, which no member has")]
    ReceiptOfStranger {
        /// The index in the receipt.
        index: ShareIndex,
    },
    /// Receipts are not in ascending order of index.
    #[error("the receipt of {name}, share {index}, is out of order")]
    ReceiptOutOfOrder {
        /// Whose.
        name: Name,
        /// The index that is smaller than the one before it.
        index: ShareIndex,
    },
    /// One member gave two receipts.
    #[error("the receipt of {name}, share {index}, is there twice")]
    ReceiptRepeated {
        /// Whose.
        name: Name,
        /// Their index.
        index: ShareIndex,
    },
    /// The signature on a receipt is not by the member it names.
    #[error("the receipt for share {index} is not signed with the key of {name}")]
    ReceiptSignature {
        /// Whose it should be.
        name: Name,
        /// Their index.
        index: ShareIndex,
    },
    /// A member of the share set got no share.
    #[error("the output has no share {index} for {name}")]
    ShareMissing {
        /// Whose.
        name: Name,
        /// Their index.
        index: ShareIndex,
    },
    /// The output has a share for nobody.
    #[error("the output has a share {index}, which no member has")]
    ShareOfStranger {
        /// The index.
        index: ShareIndex,
    },
}

impl GenesisError {
    /// A stable name for machines.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::CommitmentCount { .. } => "genesis-commitment-count",
            Self::ConsentMissing { .. } => "genesis-consent-missing",
            Self::ConsentOfStranger { .. } => "genesis-consent-of-stranger",
            Self::ConsentOutOfOrder { .. } => "genesis-consent-out-of-order",
            Self::ConsentRepeated { .. } => "genesis-consent-repeated",
            Self::ConsentSignature { .. } => "genesis-consent-signature",
            Self::ConsentToAnother { .. } => "genesis-consent-to-another",
            Self::DrillSharing(_) => "genesis-drill-sharing",
            Self::ExceptionForAnother { .. } => "genesis-exception-for-another",
            Self::ExceptionMissing { .. } => "genesis-exception-missing",
            Self::ExceptionNeedless => "genesis-exception-needless",
            Self::ExceptionOfOthers { .. } => "genesis-exception-of-others",
            Self::ExceptionOfStranger { .. } => "genesis-exception-of-stranger",
            Self::ExceptionOutOfOrder { .. } => "genesis-exception-out-of-order",
            Self::ExceptionSignature { .. } => "genesis-exception-signature",
            Self::ExceptionTooFew { .. } => "genesis-exception-too-few",
            Self::OutputOfAnother { .. } => "genesis-output-of-another",
            Self::PossessionOfAnother { .. } => "genesis-possession-of-another",
            Self::PossessionSignature { .. } => "genesis-possession-signature",
            Self::QuorumKey => "genesis-quorum-key",
            Self::ReceiptEpoch { .. } => "genesis-receipt-epoch",
            Self::ReceiptForAnother { .. } => "genesis-receipt-for-another",
            Self::ReceiptMissing { .. } => "genesis-receipt-missing",
            Self::ReceiptOfStranger { .. } => "genesis-receipt-of-stranger",
            Self::ReceiptOutOfOrder { .. } => "genesis-receipt-out-of-order",
            Self::ReceiptRepeated { .. } => "genesis-receipt-repeated",
            Self::ReceiptSignature { .. } => "genesis-receipt-signature",
            Self::ShareMissing { .. } => "genesis-share-missing",
            Self::ShareOfStranger { .. } => "genesis-share-of-stranger",
        }
    }

    /// What to do next.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::ConsentMissing { .. } => "Ask the people named for their consent.",
            Self::ConsentOfStranger { .. }
            | Self::ConsentRepeated { .. }
            | Self::ConsentOutOfOrder { .. } => {
                "Put the consents together again: one of every member, in order of name."
            }
            Self::ConsentSignature { .. } => {
                "Ask the member named to sign again, and compare their key with the definition."
            }
            Self::ConsentToAnother { .. } => {
                "Compare the definition's fingerprint aloud with everybody. Whoever has another \
                 one must not go on."
            }
            Self::CommitmentCount { .. }
            | Self::DrillSharing(_)
            | Self::OutputOfAnother { .. }
            | Self::QuorumKey
            | Self::ShareMissing { .. }
            | Self::ShareOfStranger { .. } => {
                "Do not use this output: the enclave of this definition does not make it. Hold the \
                 genesis again."
            }
            Self::ExceptionForAnother { .. }
            | Self::ExceptionMissing { .. }
            | Self::ExceptionOfOthers { .. } => {
                "Ask the members named to sign an exception for this genesis that leaves out exactly \
                 those whose receipt is missing."
            }
            Self::ExceptionNeedless => "Put the record together again without the exceptions.",
            Self::ExceptionOfStranger { .. } | Self::ExceptionOutOfOrder { .. } => {
                "Put the exceptions together again: one of everybody who gave a receipt, in order \
                 of index."
            }
            Self::ExceptionTooFew { .. } => {
                "Get more receipts, or hold the genesis again: too few hold a share they proved."
            }
            Self::PossessionOfAnother { .. } | Self::PossessionSignature { .. } => {
                "Ask the member named to check their share and to make a new receipt. If they \
                 cannot, hold the genesis again."
            }
            Self::ReceiptMissing { .. } => "Ask the members named for their receipts.",
            Self::ReceiptOfStranger { .. }
            | Self::ReceiptOutOfOrder { .. }
            | Self::ReceiptRepeated { .. } => {
                "Put the receipts together again: one of every member of the share set, in order \
                 of index."
            }
            Self::ReceiptEpoch { .. } | Self::ReceiptForAnother { .. } => {
                "Ask the member named which genesis they took part in. This is not it."
            }
            Self::ExceptionSignature { .. } | Self::ReceiptSignature { .. } => {
                "Ask the member named to sign again, and compare their key with the definition."
            }
        }
    }
}
