//! What to do where a step refuses, and whose fault it is.

use super::{Blame, Explanation, StepError};

impl StepError {
    /// What it is called, whose fault it is, what to do.
    #[must_use]
    pub const fn explain(&self) -> Explanation {
        use Blame::{Coordinator, Enclave, Folder, Member, You};
        let (code, blame, remedy) = match self {
            Self::AddressMalformed { .. } => (
                "address-malformed",
                Folder,
                "name the enclave with --socket, and find out who wrote that file",
            ),
            Self::ExceptionNeedless => (
                "exception-needless",
                You,
                "nothing to do: every holder gave a receipt; go on with `quorate ceremony manifest`",
            ),
            Self::ExceptionTooFew { .. } => (
                "exception-too-few",
                Coordinator,
                "get more receipts, or hold the genesis again: with so few the key could be lost",
            ),
            Self::ExceptionTooLate => (
                "exception-too-late",
                You,
                "nothing to do: the genesis is finished as its record says",
            ),
            Self::ExceptionUnreceipted => (
                "exception-without-receipt",
                You,
                "give your receipt with `quorate ceremony receipt` first: only who holds a share \
                 may go on without others",
            ),
            Self::ShareInactive { .. } => (
                "share-inactive",
                Coordinator,
                "nothing to do: the others finished the genesis without your receipt. You hold a \
                 share again after a reshare",
            ),
            Self::ApplicationUnknown { .. } => (
                "application-unknown",
                You,
                "name the applications as the manifest does; `quorate ceremony status` lists them",
            ),
            Self::ApplicationWithoutFile { .. } => (
                "application-without-file",
                You,
                "give its binary with --application NAME=PATH",
            ),
            Self::BinaryDiffers { .. } => (
                "binary-differs",
                You,
                "give the file that was built for this manifest, or have a manifest approved for \
                 this one",
            ),
            Self::CardOfAnother { .. } => (
                "card-of-another",
                Folder,
                "somebody renamed a card; ask that member to join again",
            ),
            Self::ChainTooLong { .. } => (
                "chain-too-long",
                Folder,
                "remove manifests that nobody approved; a chain that is really that long needs a \
                 new namespace",
            ),
            Self::CardSignature { .. } => (
                "card-signature",
                Folder,
                "the card was altered; ask that member to join again",
            ),
            Self::DefinitionInvalid(_) => (
                "definition-invalid",
                You,
                "correct the members or thresholds and define again",
            ),
            Self::FingerprintDiffers { .. } => (
                "fingerprint-differs",
                Folder,
                "do not consent: the definition in the folder is not the one the members agreed \
                 on; compare fingerprints again, by voice",
            ),
            Self::EvidenceRefused { .. } => (
                "evidence-refused",
                Enclave,
                "fetch its evidence with `quorate ceremony evidence` and look at it with `quorate \
                 verify evidence` before you use the new instance",
            ),
            Self::EpochRevoked { .. } => (
                "epoch-revoked",
                You,
                "check your new share with `quorate ceremony reshare receipt` if you are a member \
                 of the new set; else destroy the old one with `quorate ceremony reshare destroy`",
            ),
            Self::NoConsent { .. } => (
                "no-consent",
                You,
                "nothing to do: only the present share set and manifest set consent",
            ),
            Self::NothingToRotate => (
                "nothing-to-rotate",
                You,
                "name another manifest set or threshold, a completed resharing with --reshare, or \
                 a member's new keys with --new-keys",
            ),
            Self::NothingToDestroy => (
                "nothing-to-destroy",
                You,
                "nothing to do: a share goes out of use when a manifest that names others is \
                 approved",
            ),
            Self::NoDelegation { .. } => (
                "no-delegation",
                You,
                "ask the member to name you: quorate ceremony surrogate name YOU",
            ),
            Self::NothingEntrusted { .. } => (
                "nothing-entrusted",
                You,
                "you can approve; to give the share, ask the member for `quorate ceremony surrogate \
                 share YOU`, then run `quorate ceremony surrogate accept`",
            ),
            Self::NoSeat { .. } => (
                "no-seat",
                You,
                "only members name surrogates; a surrogate names nobody",
            ),
            Self::DelegationDays { .. } => {
                ("delegation-days", You, "name 1 to 14 days with --days")
            }
            Self::TooManyDelegations => (
                "too-many-delegations",
                You,
                "act yourself, or have the ceremony held under the next manifest",
            ),
            Self::OrderExpired { .. } => (
                "order-expired",
                Coordinator,
                "have another order written; if this computer's clock is wrong, set it",
            ),
            Self::OrderMissing { .. } => (
                "order-missing",
                You,
                "fetch the newest copy of the shared folder, or write one with `quorate ceremony \
                 reshare order`",
            ),
            Self::DrillsExhausted => (
                "drills-exhausted",
                Folder,
                "move old drills out of the shared folder, or find out who wrote them",
            ),
            Self::KeysNotNamed { .. } => (
                "keys-not-named",
                You,
                "use the keys you joined with, a copy of their file or the token; if they are lost, \
                 have the coordinator name these: `quorate ceremony rotate --new-keys \
                 NAME=FINGERPRINT`, with the fingerprint that `join --new-keys` showed",
            ),
            Self::NoDrill => (
                "no-drill",
                You,
                "name the enclave that was started with `quorate ceremony drill start`",
            ),
            Self::OrdersExhausted => (
                "orders-exhausted",
                Folder,
                "remove orders that came to nothing, or find out who wrote them",
            ),
            Self::OtherGenesis { .. } => (
                "other-genesis",
                Folder,
                "stop: this is another namespace's folder, or the digest was misheard; ask another \
                 member for it",
            ),
            Self::ReshareMissing { .. } => (
                "reshare-missing",
                Coordinator,
                "have the enclave carry it out with `quorate ceremony reshare run`",
            ),
            Self::KeyInToken => (
                "key-in-token",
                You,
                "repeat the command without --with-key; then remove the keys with the token's own \
                 tool",
            ),
            Self::StillSeated { .. } => {
                ("still-seated", You, "repeat the command without --with-key")
            }
            Self::ForwardExempt { .. } => (
                "forward-exempt",
                You,
                "nothing to do: the policy of the manifest before lets changes of applications pass",
            ),
            Self::ForwardNotAllowed { .. } => (
                "forward-not-allowed",
                Coordinator,
                "provision the new enclave with shares; to forward from then on, have a manifest \
                 approved with --forward",
            ),
            Self::ForwardToFirst { .. } => (
                "forward-to-first",
                You,
                "an enclave of the same manifest takes the key without approvals; name the \
                 manifest that shall follow",
            ),
            Self::ImporterNotWaiting { .. } => (
                "importer-not-waiting",
                You,
                "boot it with `quorate ceremony boot` first, or name the right socket with --to",
            ),
            Self::HandOverUnfinished => (
                "hand-over-unfinished",
                Enclave,
                "repeat the command, or look at the old enclave's console",
            ),
            Self::NotForwarded => (
                "not-forwarded",
                You,
                "name the enclave that waits for the key with --to; two with the key must not run",
            ),
            Self::GenesisExists => (
                "genesis-exists",
                You,
                "go on with `quorate ceremony receipt`; another key needs another folder and \
                 everybody's consent",
            ),
            Self::JoinedOtherwise { .. } => (
                "joined-otherwise",
                You,
                "go on with the keys you joined with; if they are lost, make others in another \
                 private folder, with `quorate ceremony join --new-keys`",
            ),
            Self::KeysDiffer { .. } => (
                "keys-differ",
                Coordinator,
                "do not consent: somebody replaced your card, or you joined again with new keys; \
                 have the definition made anew from your present card",
            ),
            Self::ManifestPending { .. } => (
                "manifest-pending",
                Coordinator,
                "collect the missing approvals with `quorate ceremony approve` first",
            ),
            Self::ManifestInvalid(_) => (
                "manifest-invalid",
                You,
                "correct the applications or measurements and make the manifest again",
            ),
            Self::ManifestMissing { .. } => (
                "manifest-missing",
                You,
                "ask the coordinator to make it with `quorate ceremony manifest`, or correct the \
                 number",
            ),
            Self::NameTaken { .. } => (
                "name-taken",
                Folder,
                "speak to whoever has the name; one of you takes another name and another private \
                 folder, or removes a card that nobody made. If you are the member of that name and \
                 your keys are lost, make others with `quorate ceremony join --new-keys`",
            ),
            Self::NewKeysMissing { .. } => (
                "new-keys-missing",
                You,
                "fetch the newest copy of the shared folder, and hear the fingerprint again from that \
                 member, who runs `quorate ceremony join --new-keys`",
            ),
            Self::NewKeysDiffer { .. } => (
                "new-keys-differ",
                Folder,
                "do not go on: hear the fingerprint again, by voice, from that member; if it is right, \
                 somebody put another card in its place",
            ),
            Self::NewKeysNotCard { .. } => (
                "new-keys-not-card",
                Coordinator,
                "do not approve it: have the manifest written anew with `quorate ceremony rotate \
                 --new-keys`",
            ),
            Self::NewKeysWithoutSeat { .. } => (
                "new-keys-without-seat",
                You,
                "correct the name; who has no seat gets one with --manifest-members or a resharing",
            ),
            Self::NewKeysTwice { .. } => ("new-keys-twice", You, "name each member once"),
            Self::NewKeysOfAnother { .. } => (
                "new-keys-of-another",
                Member,
                "have that member make keys of their own with `quorate ceremony join --new-keys`",
            ),
            Self::NobodyToReplace { .. } => (
                "nobody-to-replace",
                You,
                "correct the name or the folder; who is new joins without --new-keys",
            ),
            Self::NoApproval { .. } => (
                "no-approval-needed",
                You,
                "nothing to do: other members approve this manifest",
            ),
            Self::NotDefined { .. } => (
                "not-defined",
                Coordinator,
                "if you should be a member, have the definition made anew with your card",
            ),
            Self::NotConsented => (
                "not-consented",
                You,
                "read the definition and consent to it with `quorate ceremony consent`",
            ),
            Self::NotJoined => (
                "not-joined",
                You,
                "make your keys with `quorate ceremony join`, or correct the folder's path",
            ),
            Self::NotReceived => (
                "not-received",
                You,
                "verify the genesis with `quorate ceremony receipt` first; only then do you know \
                 which key you act for",
            ),
            Self::NoShare { .. } => ("no-share", You, "only members of the share set give shares"),
            Self::OtherName { .. } => (
                "other-name",
                You,
                "use the name of this private folder, or another folder for another person",
            ),
            Self::ReceiptWrong => (
                "receipt-wrong",
                Enclave,
                "the share was sealed to the attested key and is safe; attest again and look who \
                 answers on this socket",
            ),
            Self::ReviewTooOld { .. } => (
                "review-too-old",
                You,
                "repeat the command: the enclave is verified again",
            ),
            Self::RootDiffers { .. } => (
                "root-differs",
                Folder,
                "somebody replaced the root certificate; put the one the members agreed on back",
            ),
            Self::ShareUnreadable { .. } => (
                "share-unreadable",
                Coordinator,
                "do not sign a receipt: you were given no share; hold another genesis, or have \
                 another order of a resharing written",
            ),
            Self::ShareWrong { .. } => (
                "share-wrong",
                Coordinator,
                "do not sign a receipt: your share would open nothing; hold another genesis, or \
                 have another order of a resharing written",
            ),
            Self::SuiteNotAccepted => (
                "suite-not-accepted",
                Coordinator,
                "use a tool that has one of the suites in the manifest",
            ),
            Self::SignedWrong { .. } => (
                "signed-wrong",
                Folder,
                "somebody wrote that file in your name; remove it and repeat the command",
            ),
        };
        Explanation::new(code, blame, remedy)
    }
}
