//! Drills: enclaves that a host starts for a drill, boots, restarts and lies about; members who take
//! part; some of them hostile, one fewer than the threshold; and a resharing that other people hold at
//! the same time.
//!
//! Guarantees, within its bounds: no tool seals a real share to an enclave that is there for a drill,
//! and none keeps one; such an enclave never boots, collects or serves; a drill ends only when as many
//! different holders as the threshold have given it their drill share, each of them with proof of the
//! real share of the epoch of its manifest, made for that very enclave; proofs and shares of before a
//! resharing are refused after it; and from every moment, honest people alone hold a drill, and provision
//! an instance, in any enclave that waits.
//!
//! [`Drill::respond`] is what an enclave, a tool or a verifier answers; that the real ones answer
//! likewise is what `tests/drill` holds. That a member gives only what they verified is no state
//! here: in the tool the one does not compile without the other.

mod answers;
mod check;

use std::collections::BTreeSet;

pub use check::{
    COMPLETES, DRILL_ONLY, HELD, NO_REAL_SHARE, OF_THIS_ENCLAVE, OWN_RECORD, THRESHOLD, UNCHANGED,
};

/// A person, by place. Those below the number of holders hold the old shares; the first of them leaves
/// when the key is shared anew, and one more joins.
pub type Who = u8;
/// A place where the host runs enclaves.
pub type Where = u8;
/// One enclave: its place, and how many ran there before.
pub type Run = (Where, u8);

/// How many of everything, and by which rules.
#[derive(Clone, Debug)]
pub struct Drill {
    /// Holders of the old shares, and of the new ones.
    pub members: u8,
    /// Shares it takes.
    pub threshold: u8,
    /// Places for enclaves.
    pub places: u8,
    /// How often an enclave of a place is ended and another started.
    pub restarts: u8,
    /// What holds, or what is broken to see the checker find it.
    pub rules: Rules,
}

/// The rules that the properties rest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// As they are.
    Kept,
    /// A tool takes the attestation of a drill for an instance's.
    DrillPassesForReal,
    /// An enclave keeps a real share that comes in the place of a drill share.
    RealShareKept,
    /// An enclave whose drill is over boots.
    DrilledBoots,
    /// Proofs without a drill share count towards the threshold.
    ProofsCounted,
    /// A member who gives again counts again.
    RepeatsCounted,
    /// An enclave takes a grant that was made for another.
    AnyGrantTaken,
    /// An enclave takes proofs and shares of before the resharing.
    OldEpochTaken,
    /// A drill may be ended by whoever wants it.
    EndedEarly,
    /// A record is taken with the attestation of another enclave.
    AnyRecordTaken,
    /// A drill that was not ended forbids another.
    OneDrill,
    /// What is refused throws away what came before.
    RefusalClears,
}

/// Which shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Epoch {
    /// Those of the genesis.
    Old,
    /// Those of the resharing.
    New,
}

/// How far the resharing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Resharing {
    /// None yet.
    Before,
    /// The new holders have their shares; the old ones count.
    Made,
    /// The newest manifest names the new shares.
    Named,
    /// The old shares are destroyed, but for those of hostile people.
    Destroyed,
}

/// What an enclave is doing.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// It waits for a boot or a drill.
    Waiting,
    /// It was started for a drill.
    Drilling(Taken),
    /// Its drill is over.
    Drilled(Taken),
    /// It has booted a manifest of this epoch and has the real shares of these members.
    Collecting(Epoch, BTreeSet<Who>),
    /// It has the key.
    Running(Epoch, BTreeSet<Who>),
}

/// What a drill has taken.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Taken {
    /// Of its manifest.
    pub epoch: Epoch,
    /// Who proved possession, and whether they gave a drill share.
    pub from: BTreeSet<(Who, Part)>,
    /// Drill shares it counted, repeated ones as often as it did.
    pub counted: u8,
    /// Real shares that it kept.
    pub real: BTreeSet<Who>,
}

/// What a member does in a drill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// Proves the real share and gives the drill share.
    Whole,
    /// Proves only: the drill share is sealed to keys that were replaced.
    Proof,
}

/// A grant that has left its member. The host has it for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Grant {
    /// Whose.
    pub who: Who,
    /// For which enclave.
    pub run: Run,
    /// Of the epoch whose real share signed the possession.
    pub epoch: Epoch,
    /// What it gives.
    pub part: Part,
}

/// Everything at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// The enclaves, by place.
    pub enclaves: Vec<Phase>,
    /// How many ran at each place before.
    pub before: Vec<u8>,
    /// Enclaves that were started for a drill.
    pub drills: BTreeSet<Run>,
    /// Grants for drills.
    pub grants: BTreeSet<Grant>,
    /// Real shares that honest tools sealed: whose, and to which enclave.
    pub real: BTreeSet<(Who, Run)>,
    /// Drills that ended, and whose record the coordinator was given.
    pub records: BTreeSet<Run>,
    /// A record that a coordinator was given for another enclave's, and took.
    pub forged: bool,
    /// How far the resharing is.
    pub resharing: Resharing,
}

/// A drill grant that no honest tool makes: signed by the member, but for two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Bad {
    /// The real share in the place of the drill share.
    RealShare,
    /// Another number in its place.
    WrongShare,
    /// A possession that another key signed than the real share.
    WrongProof,
    /// Proof and drill share of before the resharing, said to be so.
    OldEpoch,
    /// A proof that names the epoch and is signed with the share of before.
    OldProof,
    /// A good grant that somebody else signed.
    Forged,
    /// A good grant with another ciphertext beside it.
    Swapped,
    /// In the name of an index that nobody has.
    Stranger,
}

impl Bad {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::RealShare,
        Self::WrongShare,
        Self::WrongProof,
        Self::OldEpoch,
        Self::OldProof,
        Self::Forged,
        Self::Swapped,
        Self::Stranger,
    ];
}

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// The host starts a drill with the chain that ends with this epoch's manifest.
    Start(Where, Epoch),
    /// The same with one approval too few.
    StartUnapproved(Where),
    /// The host boots an enclave with that chain.
    Boot(Where, Epoch),
    /// The host ends an enclave, and starts another in its place.
    Restart(Where),
    /// A member runs `drill give` against an enclave, and the host keeps what leaves.
    Give(Who, Where),
    /// A hostile member makes a grant for a drill that honest tools may refuse.
    GiveHostile(Who, Where, Part),
    /// The host delivers a grant to the enclave of a place.
    Deliver(Grant, Where),
    /// The host delivers a bad one in a member's name.
    DeliverBad(Bad, Who, Where),
    /// A member runs `provision` against an enclave, and the host keeps what leaves.
    Provision(Who, Where),
    /// The host delivers a real share: whose, made for which enclave, and to which place.
    DeliverReal(Who, Run, Where),
    /// A drill is ended, with a date within bounds.
    Finish(Where),
    /// The host answers `drill finish` for an enclave with the record of another.
    FinishReplayed(Run, Where),
    /// The resharing goes on by a step.
    Reshare,
    /// Old holders destroy their shares before a manifest names others.
    DestroyEarly,
}

/// What comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// It was done.
    Done,
    /// The enclave refuses, and changes nothing.
    Refused(Refusal),
    /// The tool refuses, and nothing left it.
    ToolRefused(ToolRefusal),
}

/// Why an enclave refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Too few approvals.
    ApprovalsMissing,
    /// The sealed share is not the one that was signed.
    CiphertextMismatch,
    /// It holds no drill.
    DrillNotHere,
    /// It is there for a drill and for nothing else.
    DrillOnly,
    /// Its drill is over.
    DrillOver,
    /// The possession is not signed with the real share.
    DrillProof,
    /// The real share came in the place of the drill share.
    DrillRealShare,
    /// Too few drill shares.
    DrillUnfinished,
    /// The grant is for another enclave, manifest or epoch.
    GrantForAnother,
    /// The grant is not signed by the member.
    GrantSignature,
    /// No such member.
    NotAMember,
    /// This member has taken part.
    ShareRepeated,
    /// The share is wrong.
    ShareWrong,
    /// Not now.
    WrongPhase,
}

/// Why a tool refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ToolRefusal {
    /// The enclave has no attestation of the kind.
    Unattested,
    /// The enclave is there for a drill.
    ForDrill,
    /// The enclave is an instance.
    NotForDrill,
    /// It was started with another manifest than the newest.
    OtherManifest,
    /// The record is not of the attested enclave.
    RecordSignature,
    /// The shares still count.
    StillCounts,
}

impl Taken {
    fn new(epoch: Epoch) -> Self {
        Self {
            epoch,
            from: BTreeSet::new(),
            counted: 0,
            real: BTreeSet::new(),
        }
    }

    /// Whether this person has taken part.
    #[must_use]
    pub fn has(&self, who: Who) -> bool {
        self.from.iter().any(|(known, _)| *known == who)
    }

    /// Different people who gave a drill share.
    fn gave(&self) -> usize {
        let gave = self.from.iter().filter(|(_, part)| *part == Part::Whole);
        gave.map(|(who, _)| who).collect::<BTreeSet<_>>().len()
    }
}

impl State {
    fn run(&self, place: Where) -> Run {
        let before = self.before.get(usize::from(place)).copied();
        (place, before.unwrap_or_default())
    }

    fn at(&self, place: Where) -> Option<&Phase> {
        self.enclaves.get(usize::from(place))
    }

    fn set(&mut self, place: Where, phase: Phase) {
        if let Some(at) = self.enclaves.get_mut(usize::from(place)) {
            *at = phase;
        }
    }

    /// The epoch that the newest manifest names.
    #[must_use]
    pub const fn newest(&self) -> Epoch {
        match self.resharing {
            Resharing::Before | Resharing::Made => Epoch::Old,
            Resharing::Named | Resharing::Destroyed => Epoch::New,
        }
    }
}

impl Drill {
    /// By the rules as they are.
    #[must_use]
    pub const fn new(members: u8, threshold: u8, places: u8, restarts: u8) -> Self {
        Self {
            members,
            threshold,
            places,
            restarts,
            rules: Rules::Kept,
        }
    }

    /// Every enclave waits.
    #[must_use]
    pub fn start(&self) -> State {
        State {
            enclaves: vec![Phase::Waiting; usize::from(self.places)],
            before: vec![0; usize::from(self.places)],
            drills: BTreeSet::new(),
            grants: BTreeSet::new(),
            real: BTreeSet::new(),
            records: BTreeSet::new(),
            forged: false,
            resharing: Resharing::Before,
        }
    }

    /// Whether this person holds shares of the epoch.
    #[must_use]
    pub const fn holds(&self, who: Who, epoch: Epoch) -> bool {
        match epoch {
            Epoch::Old => who < self.members,
            Epoch::New => 0 < who && who <= self.members,
        }
    }

    /// Whether this person is hostile: one fewer than the threshold, who hold shares of both epochs.
    #[must_use]
    pub const fn is_hostile(&self, who: Who) -> bool {
        0 < who && who < self.threshold
    }
}
