//! The report: every check with its verdict, and the facts that passed checks have shown.

use quorate_protocol::atoms::{Name, Pcr, Sha256, ShareIndex, UnixMillis};
use quorate_protocol::definition::AttestationRoot;
use quorate_protocol::digest::Digest;
use quorate_protocol::forward::ForwardRecord;
use quorate_protocol::genesis::Genesis;
use quorate_protocol::instance::{Provenance, RingEntry};
use quorate_protocol::keys::{KeyPair, VerificationKey};
use quorate_protocol::manifest::Manifest;
use quorate_protocol::statement::{self, Outcome, SignatureStatement, WalletStatement};

use super::error::EvidenceError;

/// The outcome of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// The claim holds.
    Passed,
    /// The claim does not hold.
    Failed,
    /// Nobody asked, or a check it rests on failed. The claim says what would have been checked.
    NotPerformed,
}

impl Verdict {
    /// The verdict as a word: `passed`, `failed` or `not-performed`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::NotPerformed => "not-performed",
        }
    }
}

/// The outcome of all checks together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Decision {
    /// Every required check passed, and no other one failed.
    Accept,
    /// Anything else.
    Reject,
}

impl Decision {
    /// The decision as a word: `accept` or `reject`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Reject => "reject",
        }
    }
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Check {
    /// A stable name, of [`CHECK_IDS`](super::CHECK_IDS).
    pub id: &'static str,
    /// What holds, with its facts; where the check did not pass, what was to be shown.
    pub claim: String,
    /// Whether it holds.
    pub verdict: Verdict,
    /// Whether evidence is rejected unless this passes. The others may be left out, but not fail.
    pub required: bool,
    /// Where the rule is written: an object of the contract, a section of a standard.
    pub source: &'static str,
    /// Why it failed.
    pub error: Option<EvidenceError>,
}

/// An application of the manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApplicationFacts {
    /// Its name.
    pub name: Name,
    /// SHA-256 of its binary.
    pub sha256: Sha256,
    /// Size of its binary in bytes.
    pub size: u64,
}

/// A member whose share was used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemberFacts {
    /// Their name.
    pub name: Name,
    /// Their index in the share set.
    pub index: ShareIndex,
    /// When they gave the share, by the signer's clock.
    pub time: UnixMillis,
    /// Who gave it for them; none where they did themselves.
    pub surrogate: Option<Name>,
}

/// From whom an instance has the key, where another one forwarded it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ForwardedFacts {
    /// The exporter's record.
    pub record: Digest<ForwardRecord>,
    /// The security module's name for the exporter.
    pub exporter: String,
    /// The exporter's live keys.
    pub live: KeyPair,
    /// Sequence of the exporter's manifest.
    pub from: u64,
    /// Which forward of the exporter it was.
    pub count: u64,
    /// When, by the exporter's security module.
    pub time: UnixMillis,
    /// Share holders who approved the forward; none where none had to.
    pub approved_by: Vec<Name>,
    /// How the exporter had come by the key, as its certificate says.
    pub exporter_provenance: Provenance,
}

/// A forward that the instance made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ForwardFacts {
    /// Its record.
    pub record: Digest<ForwardRecord>,
    /// The security module's name for the importer.
    pub importer: String,
    /// The importer's manifest.
    pub to: Digest<Manifest>,
    /// Which forward it was.
    pub count: u64,
    /// When, by the instance's security module.
    pub time: UnixMillis,
    /// Whether the importer confirmed, which ended the instance.
    pub confirmed: bool,
}

/// One certified start of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StartFacts {
    /// The application.
    pub application: Name,
    /// Which start, from 1.
    pub start: u64,
    /// SHA-256 of the binary that was started.
    pub sha256: Sha256,
    /// The key of this start.
    pub live: VerificationKey,
    /// When, by the instance's security module.
    pub time: UnixMillis,
}

/// One proven statement of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProofFacts {
    /// The application.
    pub application: Name,
    /// Which start.
    pub start: u64,
    /// What kind of statement.
    pub kind: Name,
    /// The statement.
    pub payload: Vec<u8>,
}

/// What policy decided about one request, and what followed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ActivityFacts {
    /// In which of its starts policy decided.
    pub decided_in: u64,
    /// What it decided.
    pub decision: statement::Decision,
    /// The wallet that was made.
    pub wallet: Option<WalletStatement>,
    /// The signature that was made.
    pub signature: Option<SignatureStatement>,
}

impl ActivityFacts {
    /// Whether policy decided against it.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        matches!(self.decision.outcome, Outcome::Denied(_))
    }
}

/// What the evidence says. Each field is filled when the check that shows it has passed, so in a
/// rejected report these are still only shown facts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Facts {
    /// What people call the namespace. No proof of anything: anyone can use the name.
    pub namespace: Option<Name>,
    /// The namespace. Shown without a pin too: it is a hash of what is in the file.
    pub genesis: Option<Digest<Genesis>>,
    /// The root that attestations lead to.
    pub root: Option<AttestationRoot>,
    /// The quorum key.
    pub quorum_key: Option<VerificationKey>,
    /// The manifest that ran.
    pub manifest: Option<Digest<Manifest>>,
    /// Its sequence.
    pub sequence: Option<u64>,
    /// Members of the manifest set before it, or of the one it brings in, who approved it.
    pub approved_by: Vec<Name>,
    /// The security module's name for the instance.
    pub module_id: Option<String>,
    /// When the document was signed.
    pub timestamp: Option<UnixMillis>,
    /// SHA-256 of the document.
    pub document: Option<Sha256>,
    /// Every register of the document.
    pub pcrs: Vec<(u8, Pcr)>,
    /// The live keys of the instance.
    pub live: Option<KeyPair>,
    /// The applications that the instance committed to.
    pub applications: Vec<ApplicationFacts>,
    /// Whose shares the instance was given.
    pub shares_given_by: Vec<MemberFacts>,
    /// From whom the instance has the key, where another one forwarded it.
    pub forwarded_from: Option<ForwardedFacts>,
    /// What the instance forwarded itself.
    pub forwards: Vec<ForwardFacts>,
    /// Whether it has handed over: it holds no key any more.
    pub handed_over: bool,
    /// The public keys derived from the quorum key.
    pub ring: Vec<RingEntry>,
    /// Certified starts of applications.
    pub starts: Vec<StartFacts>,
    /// Proven statements of applications.
    pub proofs: Vec<ProofFacts>,
    /// What policy decided, and what followed.
    pub activities: Vec<ActivityFacts>,
}

/// The result of a verification. There is always one, whatever the bytes were.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The result.
    pub decision: Decision,
    /// Every check, in a fixed order.
    pub checks: Vec<Check>,
    /// Whether the namespace is the one that the policy pins. Without a pin an accepted report
    /// says "consistent" and nothing about whose namespace it is.
    pub pinned: bool,
    /// Whether a development root is involved. Then nothing here says anything about hardware.
    pub development: bool,
    /// Whether certificates were checked at the document's own time instead of a given one.
    pub archived: bool,
    /// What was shown.
    pub facts: Facts,
}

impl Report {
    /// Whether the evidence is accepted.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        self.decision == Decision::Accept
    }

    /// The check of this id.
    #[must_use]
    pub fn check(&self, id: &str) -> Option<&Check> {
        self.checks.iter().find(|check| check.id == id)
    }

    /// The checks that failed, in order.
    pub fn failed(&self) -> impl Iterator<Item = &Check> {
        let failed = |check: &&Check| check.verdict == Verdict::Failed;
        self.checks.iter().filter(failed)
    }
}
