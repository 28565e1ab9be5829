//! What each reason of a refusal means, for people. The texts are no part of the contract.

use crate::refusal::Reason;

impl Reason {
    /// What happened, and what to do, for people.
    pub const fn explain(self) -> (&'static str, &'static str) {
        match self {
            Self::Malformed => (
                "the enclave did not understand the request",
                "use a tool of the same version as the enclave",
            ),
            Self::WrongPhase => (
                "the request does not fit what the enclave is doing now",
                "ask for its status; a new enclave may be needed",
            ),
            Self::WrongPort => (
                "this port does not take that request",
                "use the operators' port",
            ),
            Self::ConsentMissing => (
                "not every person in the definition has signed it",
                "collect the missing consent and send the request again",
            ),
            Self::ConsentInvalid => (
                "a consent is not that person's, or is for another definition",
                "ask the person to sign this definition",
            ),
            Self::MeasurementMismatch => (
                "the enclave does not measure as the definition or manifest says",
                "boot the image that was agreed on, or agree on this one",
            ),
            Self::RecordInvalid => (
                "the genesis record does not prove a finished genesis",
                "collect the receipts of all members, or use the right record",
            ),
            Self::ChainInvalid => (
                "the chain of manifests does not lead from the genesis to this manifest",
                "send every manifest since the first, in order",
            ),
            Self::ApprovalsMissing => (
                "too few members have approved the manifest",
                "collect more approvals",
            ),
            Self::ApprovalInvalid => (
                "an approval is by a stranger, in another role, or of another manifest",
                "remove it and ask that member to approve this manifest",
            ),
            Self::OutsideValidity => (
                "the manifest is not valid at the enclave's time",
                "approve a manifest with another validity window",
            ),
            Self::BinaryMissing => (
                "a binary of the manifest has not arrived",
                "upload the binary whose hash the manifest names",
            ),
            Self::UploadOutOfOrder => (
                "a piece of a binary does not follow the one before",
                "ask how much has arrived and go on from there",
            ),
            Self::UploadHashMismatch => (
                "the binary does not have the hash it was announced under",
                "upload it again from a good copy",
            ),
            Self::UploadTooLarge => (
                "the binaries take more room than allowed",
                "upload only what the manifest names",
            ),
            Self::UploadMemory => (
                "the enclave was started with too little memory for this binary",
                "start it with more memory (--memory) and upload again",
            ),
            Self::GrantForAnother => (
                "the grant is for another instance, manifest, namespace or epoch",
                "attest this instance and give the share again",
            ),
            Self::GrantSignature => (
                "the grant is not signed by that member",
                "give the share with the member's own key",
            ),
            Self::NotAMember => (
                "the share set has no such member",
                "only members of the share set hold shares",
            ),
            Self::CiphertextMismatch => (
                "the sealed share is not the one the grant was signed over",
                "send the grant and its own sealed share together",
            ),
            Self::ShareUnreadable => (
                "the sealed share does not open to a share",
                "seal it again to the keys this instance attests",
            ),
            Self::ShareWrong => (
                "the member gave a wrong share",
                "the member checks the share and restores it from a backup; others need not repeat",
            ),
            Self::ShareRepeated => ("this member's share is already there", "nothing to do"),
            Self::SuiteNotAccepted => (
                "the manifest does not accept this cipher suite",
                "seal with an accepted suite",
            ),
            Self::NothingToAttest => (
                "there is nothing to attest at this stage",
                "ask for the status and attest the stage the enclave is in",
            ),
            Self::ForwardNotAllowed => (
                "the manifest that runs does not let the key be forwarded",
                "provision the new enclave with shares, and let the next manifest have a forward policy",
            ),
            Self::ForwardEnded => (
                "the manifest lets the key be forwarded only until a date that has passed",
                "provision the new enclave with shares",
            ),
            Self::ForwardOlder => (
                "the new enclave runs an older manifest",
                "boot it with the newest approved manifest",
            ),
            Self::ForwardOtherManifest => (
                "the new enclave runs another manifest of the same sequence",
                "find out who approved two manifests of one sequence, and boot the right one",
            ),
            Self::ForwardNotSuccessor => (
                "the manifest of the new enclave does not directly follow the one that runs",
                "forward step by step, one manifest after the other, or provision with shares",
            ),
            Self::ForwardOtherGenesis => (
                "the new enclave belongs to another namespace",
                "boot it with the chain of this namespace",
            ),
            Self::ForwardOtherAccount => (
                "the parent instances of the two enclaves do not have the same IAM role",
                "run both on instances with the same role, or provision the new enclave with shares",
            ),
            Self::ForwardDebug => (
                "the new enclave is in debug mode: its host can read its memory",
                "start it without debug mode",
            ),
            Self::ForwardMeasurements => (
                "the new enclave does not measure as its manifest says",
                "boot the image that the manifest names",
            ),
            Self::ForwardNonce => (
                "the attestation is not for the challenge that is open here",
                "ask for a challenge and attest for it, then send it at once",
            ),
            Self::ForwardChallengeExpired => {
                ("the challenge is too old", "ask for another challenge")
            }
            Self::ForwardDocument => (
                "the attestation of the new enclave is not genuine",
                "attest again; if it stays so, do not trust that enclave or its host",
            ),
            Self::ForwardKeys => (
                "the attestation does not commit to the setup keys of that manifest",
                "attest the setup keys of the new enclave",
            ),
            Self::ForwardApprovalsMissing => (
                "too few share holders have approved forwarding to this manifest",
                "collect more with quorate ceremony forward-approve",
            ),
            Self::ForwardApprovalOfAnother => (
                "an approval is of another forward",
                "remove it and ask that member to approve this forward",
            ),
            Self::ForwardApprovalOfStranger => (
                "an approval is by nobody of the share set of the manifest that runs",
                "remove it",
            ),
            Self::ForwardApprovalRepeated => ("a member's approval is there twice", "remove one"),
            Self::ForwardApprovalSignature => (
                "an approval is not signed by the member it names",
                "remove it and ask that member to approve again",
            ),
            Self::ForwardsExhausted => (
                "this instance has forwarded as often as it may",
                "forward from the newest instance",
            ),
            Self::RecordForAnother => (
                "the forwarded key is meant for another enclave",
                "forward it again, to this enclave",
            ),
            Self::RecordUnproven => (
                "nothing proves that the forwarded key comes from an instance of this namespace",
                "forward from an instance of this namespace; look who answered in its place",
            ),
            Self::KeyUnreadable => ("the sealed key does not open", "forward it again"),
            Self::KeyWrong => (
                "what was forwarded is not the quorum key",
                "forward from an instance of this namespace; look who answered in its place",
            ),
            Self::ConfirmationForAnother => (
                "the confirmation is not for a forward of this instance",
                "send the confirmation of the enclave that this one forwarded to",
            ),
            Self::ConfirmationSignature => (
                "the confirmation is not signed by the enclave that received the key",
                "fetch the confirmation from that enclave again",
            ),
            Self::HandedOver => (
                "this enclave has handed the key over and holds it no more",
                "ask the enclave that received it",
            ),
            Self::ReshareForAnother => (
                "the order is for another instance, manifest, namespace or epoch",
                "write an order for this enclave, with quorate ceremony reshare order",
            ),
            Self::ReshareNonce => (
                "the order does not name the nonce that is open here",
                "write another order: the enclave was asked for a nonce since, or was restarted",
            ),
            Self::ReshareExpired => (
                "the order has expired by the enclave's time",
                "write another order and have it signed in time",
            ),
            Self::ReshareTooLong => (
                "the order expires later than the nonce it names",
                "write another order that expires sooner",
            ),
            Self::ReshareOpen => (
                "another order was carried out here, and its time is not over",
                "finish that one, or wait until it has expired",
            ),
            Self::ReshareConsentsMissing => (
                "too few members have consented to the order",
                "collect more with quorate ceremony reshare sign",
            ),
            Self::ReshareConsentOfAnother => (
                "a consent is to another order",
                "remove it and ask that member to sign this order",
            ),
            Self::ReshareConsentOfStranger => (
                "a consent is by nobody of the set in whose name it is given",
                "remove it; the sets are those of the manifest that runs",
            ),
            Self::ReshareConsentRepeated => ("a member's consent is there twice", "remove one"),
            Self::ReshareConsentSignature => (
                "a consent is not signed by the member it names, in the role it names",
                "remove it and ask that member to sign again",
            ),
            Self::DelegationInvalid => (
                "a delegation does not let this surrogate act here",
                "ask the member to act, or to name a surrogate for this very manifest",
            ),
            Self::DelegationExpired => (
                "a delegation has ended by the enclave's time",
                "ask the member to act, or to name the surrogate anew",
            ),
            Self::DrillNotHere => (
                "this enclave was not started for a drill",
                "start an empty enclave with quorate ceremony drill start",
            ),
            Self::DrillOnly => (
                "this enclave was started for a drill and does nothing else",
                "use another enclave; real shares do not belong here",
            ),
            Self::DrillProof => (
                "the member did not prove to hold their real share",
                "the member checks the share, and restores it from a backup; others need not repeat",
            ),
            Self::DrillRealShare => (
                "the member's real share came in the place of their drill share; it was erased",
                "find out which tool sent it, and reshare if this enclave's image is not the one approved",
            ),
            Self::DrillUnfinished => (
                "too few drill shares have come to end the drill",
                "have more members take part with quorate ceremony drill give",
            ),
            Self::DrillDue => (
                "the next drill would be due in the past or more than 366 days from now",
                "name another date",
            ),
            Self::DrillOver => (
                "the drill has ended here",
                "start an empty enclave for the next one",
            ),
            Self::Internal => (
                "the enclave's device or kernel failed; it has halted",
                "read its console and start a new one",
            ),
        }
    }
}
