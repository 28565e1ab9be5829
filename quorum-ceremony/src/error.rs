//! What can go wrong in a ceremony, whose fault it is and what to do.
//!
//! Each part of the library has an error type of its own; [`CeremonyError`] is all of them, with
//! the refusals of the steps themselves in [`StepError`]. Every error answers four questions: its
//! text says what happened, [`CeremonyError::code`] names it for machines, and
//! [`CeremonyError::explain`] says whose fault it is and what to do. Texts and remedies never
//! contain free text of others: names have a fixed alphabet, the rest are numbers and digests.

mod remedies;

use core::fmt;
use std::path::PathBuf;
use std::time::Duration;

use quorate_protocol::atoms::{Name, Sha256, ShareIndex};
use quorate_protocol::cbor::DecodeError;
use quorate_protocol::definition::Definition;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::{Epoch, Genesis};
use quorate_protocol::invalid::Invalid;
use quorate_protocol::members::Role;
use quorate_token::TokenError;
use quorate_transcript::TranscriptError;
use quorate_verify::attestation::AttestationError;
use quorate_verify::chain::ChainError;
use quorate_verify::drill::DrillError;
use quorate_verify::genesis::GenesisError;
use quorate_verify::instance::InstanceError;
use quorate_verify::reshare::ReshareError;
use quorate_verify::surrogate::SurrogateError;
use thiserror::Error;

use crate::client::ClientError;
use crate::hardening::HardeningError;
use crate::inputs::InputError;
use crate::keyfile::KeyFileError;
use crate::pins::PinError;
use crate::place::PlaceError;
use crate::plan::PlanError;
use crate::random::NoRandomness;
use crate::rekey::{KeyFingerprint, TypedFingerprint};
use crate::steps::carried::CarriedError;
use crate::steps::restore::RestoreError;
use crate::storage::StorageError;
use crate::token::{self, TokenKeysError};
use crate::transcript::JournalError;

/// Who has to mend something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Blame {
    /// The person who put together definition, record, manifest or binaries.
    Coordinator,
    /// The enclave that answers, or whoever stands between it and you.
    Enclave,
    /// Somebody who wrote into the shared folder.
    Folder,
    /// This computer.
    Machine,
    /// The member that is named.
    Member,
    /// The person who typed the command.
    You,
}

impl Blame {
    /// A stable name for machines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Coordinator => "coordinator",
            Self::Enclave => "enclave",
            Self::Folder => "shared-folder",
            Self::Machine => "this-machine",
            Self::Member => "member",
            Self::You => "you",
        }
    }
}

impl fmt::Display for Blame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Coordinator => "whoever put the ceremony together",
            Self::Enclave => "the enclave, or whoever answers in its place",
            Self::Folder => "somebody who wrote into the shared folder",
            Self::Machine => "this computer",
            Self::Member => "the member named above",
            Self::You => "this command",
        })
    }
}

/// What an error is called, whose fault it is, what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Stable, for machines.
    pub code: &'static str,
    /// Who has to mend it.
    pub blame: Blame,
    /// What to do.
    pub remedy: &'static str,
}

impl Explanation {
    pub(crate) const fn new(code: &'static str, blame: Blame, remedy: &'static str) -> Self {
        Self {
            code,
            blame,
            remedy,
        }
    }
}

/// Everything a ceremony command can fail with.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum CeremonyError {
    /// An attestation document is not to be believed.
    #[error(transparent)]
    Attestation(#[from] AttestationError),
    /// Carried files are not used.
    #[error(transparent)]
    Carried(#[from] CarriedError),
    /// The chain of manifests is wrong.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The enclave could not be asked, or refused.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A file holds no object of its kind.
    #[error("{}: {error}", .path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: DecodeError,
    },
    /// Consents, output or receipts are wrong.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// The process could not be protected.
    #[error(transparent)]
    Hardening(#[from] HardeningError),
    /// Something on the command line, or a file named there, is wrong.
    #[error(transparent)]
    Input(#[from] InputError),
    /// What an enclave attests is not what was approved.
    #[error(transparent)]
    Instance(#[from] InstanceError),
    /// The key file or the passphrase is wrong.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// What the shared folder says differs from what you pinned.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// Nothing says which folder is meant, or it is the wrong one.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The plan of the ceremony cannot be used.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The member's records do not fit to what they have seen.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The transcript in the folder does not hold.
    #[error(transparent)]
    Transcript(#[from] TranscriptError),
    /// No random bytes.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    /// A resharing is wrong.
    #[error(transparent)]
    Reshare(#[from] ReshareError),
    /// A surrogate may not act.
    #[error(transparent)]
    Surrogate(#[from] SurrogateError),
    /// A drill breaks a rule.
    #[error(transparent)]
    Drill(#[from] DrillError),
    /// A share does not come back from its backup.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// The step itself refuses.
    #[error(transparent)]
    Step(#[from] StepError),
    /// A file or folder could not be used.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The token, its module or its PIN is wrong.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// What the token holds is not what was pinned.
    #[error(transparent)]
    TokenKeys(#[from] TokenKeysError),
}

impl CeremonyError {
    /// A stable name for machines.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.explain().code
    }

    /// What it is called, whose fault it is, what to do.
    #[must_use]
    pub fn explain(&self) -> Explanation {
        match self {
            Self::Attestation(e) => Explanation::new(e.code(), Blame::Enclave, e.remedy()),
            Self::Carried(e) => e.explain(),
            Self::Chain(e) => Explanation::new(e.code(), Blame::Coordinator, e.remedy()),
            Self::Client(e) => e.explain(),
            Self::Decode { .. } => Explanation::new(
                "file-malformed",
                Blame::Folder,
                "the file was damaged or forged, or is of another version; ask whoever wrote it \
                 to write it again",
            ),
            Self::Genesis(e) => Explanation::new(e.code(), Blame::Coordinator, e.remedy()),
            Self::Hardening(e) => e.explain(),
            Self::Input(e) => e.explain(),
            Self::Instance(e) => Explanation::new(e.code(), Blame::Enclave, e.remedy()),
            Self::Journal(e) => e.explain(),
            Self::KeyFile(e) => e.explain(),
            Self::Pin(e) => e.explain(),
            Self::Place(e) => e.explain(),
            Self::Plan(e) => e.explain(),
            Self::Randomness(e) => e.explain(),
            Self::Drill(e) => Explanation::new(e.code(), Blame::Enclave, e.remedy()),
            Self::Reshare(e) => Explanation::new(e.code(), Blame::Coordinator, e.remedy()),
            Self::Restore(e) => e.explain(),
            Self::Surrogate(e) => Explanation::new(e.code(), Blame::You, e.remedy()),
            Self::Step(e) => e.explain(),
            Self::Storage(e) => e.explain(),
            Self::Token(e) => token::explain(e),
            Self::TokenKeys(e) => e.explain(),
            Self::Transcript(e) => Explanation::new(e.code(), Blame::Folder, e.remedy()),
        }
    }
}

/// Why a step refuses, apart from what its parts refuse.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StepError {
    /// Where an enclave is, is not written as an address.
    #[error("{} holds no address", .path.display())]
    AddressMalformed {
        /// The file.
        path: PathBuf,
    },
    /// The manifest has no application of that name.
    #[error("the manifest has no application {name}")]
    ApplicationUnknown {
        /// The name given.
        name: Name,
    },
    /// No file was given for an application of the manifest.
    #[error("no file was given for the application {name}")]
    ApplicationWithoutFile {
        /// The application.
        name: Name,
    },
    /// The file is not the one that was approved.
    #[error("the file for {name} has the hash {found}, but {expected} was approved")]
    BinaryDiffers {
        /// The application.
        name: Name,
        /// The hash in the manifest.
        expected: Sha256,
        /// The file's.
        found: Sha256,
    },
    /// The manifests and approvals in the folder are larger than any enclave takes.
    #[error("the manifests and approvals together have more than {max} bytes")]
    ChainTooLong {
        /// Most accepted, in bytes.
        max: usize,
    },
    /// A card names somebody else than its file does.
    #[error("the card of {expected} is the card of {found}")]
    CardOfAnother {
        /// The name of the file.
        expected: Name,
        /// The name in the card.
        found: Name,
    },
    /// A card is not signed by the key it names.
    #[error("the card of {name} is not signed by its own key")]
    CardSignature {
        /// Whose.
        name: Name,
    },
    /// Cards or numbers that make no definition.
    #[error("this is no definition: {0}")]
    DefinitionInvalid(Invalid),
    /// The definition in the folder is not the one that was expected.
    #[error("the definition's fingerprint is {found}, not {expected}")]
    FingerprintDiffers {
        /// What was read aloud.
        expected: Digest<Definition>,
        /// That of the definition in the folder.
        found: Digest<Definition>,
    },
    /// An exception where nobody is missing.
    #[error("no receipt is missing")]
    ExceptionNeedless,
    /// Too few receipts for an exception.
    #[error("an exception needs the receipts of {need} holders, there are {have}")]
    ExceptionTooFew {
        /// How many it takes.
        need: usize,
        /// How many there are.
        have: usize,
    },
    /// The record is there already.
    #[error("the genesis is finished already")]
    ExceptionTooLate,
    /// Who gave no receipt may not go on without others.
    #[error("you have given no receipt")]
    ExceptionUnreceipted,
    /// The new instance's evidence does not hold.
    #[error("the evidence of the new instance is refused: {code}")]
    EvidenceRefused {
        /// The first check's error.
        code: &'static str,
    },
    /// The policy waives approvals of this forward.
    #[error("forwarding to manifest {sequence} needs no approvals: only applications change")]
    ForwardExempt {
        /// The manifest.
        sequence: u64,
    },
    /// The manifest before lets nothing be forwarded.
    #[error("manifest {sequence} does not let the key be forwarded")]
    ForwardNotAllowed {
        /// The manifest that would forward.
        sequence: u64,
    },
    /// There is no manifest that could forward to this one.
    #[error("manifest {sequence} is the first: no instance runs the one before it")]
    ForwardToFirst {
        /// The manifest.
        sequence: u64,
    },
    /// The manifest that counts names other shares than those this member holds.
    #[error(
        "the manifest names the shares {named}, of which you hold none; your older ones do not \
         count any more"
    )]
    EpochRevoked {
        /// The epoch of the manifest.
        named: Epoch,
    },
    /// The member is in neither set that consents to an order.
    #[error("{name} is in neither set that consents to this order")]
    NoConsent {
        /// Your name.
        name: Name,
    },
    /// Neither set nor shares would be others.
    #[error("nothing would change: neither the manifest set nor the shares")]
    NothingToRotate,
    /// No share is kept that no manifest names any more.
    #[error("you keep no share that is out of use")]
    NothingToDestroy,
    /// Nobody named this person as surrogate for a manifest.
    #[error("nobody has named {name} as a surrogate for manifest {sequence}")]
    NoDelegation {
        /// The name.
        name: Name,
        /// Which manifest.
        sequence: u64,
    },
    /// A member named a surrogate and did not give them the share.
    #[error("{member} has named {name} as a surrogate, and has not given them the share")]
    NothingEntrusted {
        /// Who has the share.
        member: Name,
        /// The surrogate.
        name: Name,
    },
    /// The member is in no set that counts here.
    #[error("{name} is in neither set, so there is nothing a surrogate could do")]
    NoSeat {
        /// Your name.
        name: Name,
    },
    /// A delegation would not last, or last too long.
    #[error("a delegation of {days} days; 1 to 14 are possible")]
    DelegationDays {
        /// What was asked for.
        days: u32,
    },
    /// A member named too many surrogates for one manifest.
    #[error("you have named 16 surrogates for this manifest already")]
    TooManyDelegations,
    /// The order has expired by this machine's clock.
    #[error("order {number} has expired by the clock of this computer")]
    OrderExpired {
        /// Which order.
        number: u64,
    },
    /// There is no such order in the folder.
    #[error("there is no order {number} to reshare in the folder")]
    OrderMissing {
        /// Which order.
        number: u64,
    },
    /// The folder holds as many drills as are looked at.
    #[error("the folder holds too many drills")]
    DrillsExhausted,
    /// The approved manifest names other keys of this member.
    #[error("the newest approved manifest names other keys of {name} than those in this folder")]
    KeysNotNamed {
        /// Your name.
        name: Name,
    },
    /// The enclave was not started for a drill.
    #[error("the enclave was not started for a drill")]
    NoDrill,
    /// The folder holds as many orders as are looked at.
    #[error("the folder holds too many orders to reshare")]
    OrdersExhausted,
    /// The record in the folder is not of the genesis that was named.
    #[error("the record in the folder is of the genesis {found}, not of {given}")]
    OtherGenesis {
        /// What was named.
        given: Digest<Genesis>,
        /// What the folder has.
        found: Digest<Genesis>,
    },
    /// No enclave has carried out the order.
    #[error("order {number} has not been carried out")]
    ReshareMissing {
        /// Which order.
        number: u64,
    },
    /// The member has a seat in the newest manifest and needs the key.
    #[error("{name} has a seat in the newest manifest: the key is still needed")]
    StillSeated {
        /// Your name.
        name: Name,
    },
    /// The keys are in a token, which this command does not empty.
    #[error("your keys are in a token: this command destroys key files only")]
    KeyInToken,
    /// The folder has the output of a genesis already.
    #[error("a genesis was made for this definition already")]
    GenesisExists,
    /// The definition names other keys for this person.
    #[error("the definition names keys for {name} that are not yours")]
    KeysDiffer {
        /// Your name.
        name: Name,
    },
    /// The newest manifest has too few approvals, so no other can follow it.
    #[error("manifest {sequence} is not approved yet")]
    ManifestPending {
        /// Its sequence.
        sequence: u64,
    },
    /// What was asked for makes no manifest.
    #[error("this is no manifest: {0}")]
    ManifestInvalid(Invalid),
    /// There is no such manifest in the folder.
    #[error("there is no manifest {sequence} in the folder")]
    ManifestMissing {
        /// Its sequence.
        sequence: u64,
    },
    /// The enclave that shall take the key does not wait for it.
    #[error("the new enclave is {phase} and does not wait for the key")]
    ImporterNotWaiting {
        /// What it says it is doing.
        phase: &'static str,
    },
    /// The old enclave has not ended in time.
    #[error("the old enclave has erased the key, but its applications have not ended yet")]
    HandOverUnfinished,
    /// The enclave has the key from members.
    #[error("the new enclave has the key already, and not from another enclave")]
    NotForwarded,
    /// Somebody else's card has that name.
    #[error("somebody else has joined as {name}")]
    NameTaken {
        /// The name.
        name: Name,
    },
    /// The folder has no card of such new keys.
    #[error("the folder has no card of new keys of {name} with the fingerprint {fingerprint}")]
    NewKeysMissing {
        /// Whose.
        name: Name,
        /// What was given.
        fingerprint: TypedFingerprint,
    },
    /// The card is of another key than the one that was given.
    #[error("the card of new keys of {name} has the fingerprint {found}, not {given}")]
    NewKeysDiffer {
        /// Whose.
        name: Name,
        /// What was given.
        given: TypedFingerprint,
        /// That of the card.
        found: KeyFingerprint,
    },
    /// A manifest names another encryption key than the card of the new signing key does.
    #[error("the manifest names another encryption key of {name} than the card of the new keys")]
    NewKeysNotCard {
        /// Whose.
        name: Name,
    },
    /// New keys for somebody who would have no seat.
    #[error("{name} has no seat in the manifest, so no keys of {name} can be replaced")]
    NewKeysWithoutSeat {
        /// The name.
        name: Name,
    },
    /// One name was given twice.
    #[error("new keys of {name} were given twice")]
    NewKeysTwice {
        /// The name.
        name: Name,
    },
    /// Keys are another member's already.
    #[error("the new keys of {name} have a key that is {other}'s")]
    NewKeysOfAnother {
        /// Whose they shall be.
        name: Name,
        /// Whose they are.
        other: Name,
    },
    /// Nobody of that name has keys that could be replaced.
    #[error("nobody has joined as {name}, so there are no keys to replace")]
    NobodyToReplace {
        /// The name.
        name: Name,
    },
    /// The person is in none of the sets whose approval is asked for.
    #[error("{name} is in no set that approves manifest {sequence}")]
    NoApproval {
        /// Your name.
        name: Name,
        /// The manifest.
        sequence: u64,
    },
    /// The definition does not name this person.
    #[error("the definition does not name {name}")]
    NotDefined {
        /// Your name.
        name: Name,
    },
    /// A definition must be consented to first.
    #[error("you have consented to no definition yet")]
    NotConsented,
    /// The person joined with the other kind of keys.
    #[error("{name} has joined with {} already", key_kind(*.token))]
    JoinedOtherwise {
        /// Their name.
        name: Name,
        /// Whether they joined with a token.
        token: bool,
    },
    /// The private folder has no key yet.
    #[error("there is no key in the private folder")]
    NotJoined,
    /// The genesis must be verified first.
    #[error("you have verified no genesis yet")]
    NotReceived,
    /// This person holds no share.
    #[error("{name} holds no share of this key")]
    NoShare {
        /// Your name.
        name: Name,
    },
    /// Another name was given at join.
    #[error("the private folder belongs to {found}, not to {expected}")]
    OtherName {
        /// The name given now.
        expected: Name,
        /// The name it was made for.
        found: Name,
    },
    /// The enclave's receipt is not for this grant, or not signed by its attested key.
    #[error("the enclave's receipt is not for this share, or not signed by the key it attested")]
    ReceiptWrong,
    /// Too much time has passed since the enclave was verified.
    #[error("the enclave was verified {} seconds ago", .waited.as_secs())]
    ReviewTooOld {
        /// How long ago, by the monotonic clock.
        waited: Duration,
    },
    /// The root certificate in the folder is not the one the definition names.
    #[error("the root certificate in the folder is {found}, the definition names {expected}")]
    RootDiffers {
        /// SHA-256 in the definition.
        expected: Sha256,
        /// That of the file.
        found: Sha256,
    },
    /// The genesis was finished without this holder.
    #[error("share {index} is inactive: the genesis was finished without its receipt")]
    ShareInactive {
        /// Your index.
        index: ShareIndex,
    },
    /// The share does not open with your key.
    #[error("share {index} does not open with your key")]
    ShareUnreadable {
        /// Your index.
        index: ShareIndex,
    },
    /// The share is not on the polynomial of the commitments.
    #[error("share {index} does not belong to the published commitments")]
    ShareWrong {
        /// Your index.
        index: ShareIndex,
    },
    /// The manifest accepts no cipher suite this tool can seal with.
    #[error("the manifest accepts no cipher suite that this tool has")]
    SuiteNotAccepted,
    /// Something that this person signed before is in the folder, but is not right.
    #[error("the {} of {name} in the folder is not what {name} would sign", role_text(*.role))]
    SignedWrong {
        /// Whose.
        name: Name,
        /// In which role, for an approval.
        role: Option<Role>,
    },
}

const fn key_kind(token: bool) -> &'static str {
    match token {
        true => "keys in a token",
        false => "a key file",
    }
}

const fn role_text(role: Option<Role>) -> &'static str {
    match role {
        None => "consent or receipt",
        Some(Role::ManifestSet) => "approval for the manifest set",
        Some(Role::ShareSet) => "approval for the share set",
    }
}
