//! What is allowed to run, who approved it, and the chain that leads there from genesis.
//!
//! This format holds only what is enforced today. Rollback anchors, log and witness policy arrive
//! with the code that enforces them, under a new format number.

use alloc::boxed::Box;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::atoms::{Name, Sha256, ShareIndex, Text, UnixMillis};
use crate::cbor::{Checked, Rules, object};
use crate::cose::Signed;
use crate::definition::Measurements;
use crate::digest::Digest;
use crate::egress::{Destination, check_destinations};
use crate::forward::ForwardPolicy;
use crate::genesis::{CommitmentList, Epoch, Genesis};
use crate::invalid::{Invalid, Naming};
use crate::keys::VerificationKey;
use crate::members::{MemberSet, Role, check_both};
use crate::reshare::CompletedReshare;
use crate::surrogate::SurrogateApproval;

/// Applications in one manifest, at most.
pub const MAX_APPLICATIONS: usize = 16;
/// Largest application binary in bytes.
pub const MAX_BINARY: u64 = 512 * 1024 * 1024;

/// Longest back-off and longest start-up deadline in milliseconds.
pub const MAX_DELAY_MS: u32 = 600_000;

/// What happens when an application ends by itself.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct RestartPolicy {
    /// How often it is started again in the life of an instance; after that the instance halts.
    #[n(0)]
    pub restarts: u16,
    /// Milliseconds from its end to the next start. Each start that follows doubles it, until the
    /// application has run for longer than the largest.
    #[n(1)]
    pub first_back_off_ms: u32,
    /// Largest back-off in milliseconds.
    #[n(2)]
    pub largest_back_off_ms: u32,
    /// Milliseconds from its start until it must have said that it serves. One that has not is
    /// ended, which counts as a restart.
    #[n(3)]
    pub start_deadline_ms: u32,
}

impl RestartPolicy {
    fn check(&self) -> Result<(), Invalid> {
        let (first, largest) = (self.first_back_off_ms, self.largest_back_off_ms);
        if first == 0 || first > largest || largest > MAX_DELAY_MS {
            return Err(Invalid::BackOff { first, largest });
        }
        let found = self.start_deadline_ms;
        if found == 0 || found > MAX_DELAY_MS {
            return Err(Invalid::StartDeadline { found });
        }
        Ok(())
    }
}

/// One application.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Application {
    /// Unique; names its keys.
    #[n(0)]
    pub name: Name,
    /// SHA-256 of the binary.
    #[n(1)]
    pub sha256: Sha256,
    /// Size of the binary in bytes.
    #[n(2)]
    pub size: u64,
    /// Arguments after the name.
    #[n(3)]
    pub arguments: Vec<Text<4096>>,
    /// `NAME=value`, ascending; nothing else is in its environment.
    #[n(4)]
    pub environment: Vec<Text<4096>>,
    /// Ports it listens on, ascending; init opens them and hands them over.
    #[n(5)]
    pub ports: Vec<u32>,
    /// Address space in bytes, at most.
    #[n(6)]
    pub memory_limit: u64,
    /// What happens when it ends.
    #[n(7)]
    pub restart: RestartPolicy,
    /// The applications it may call, ascending. They start before it.
    #[n(8)]
    pub calls: Vec<Name>,
    /// The applications that can open what it seals for them, ascending.
    #[n(9)]
    pub shares: Vec<Name>,
    /// Where it may connect to, ascending; nowhere if empty.
    #[n(10)]
    pub egress: Vec<Destination>,
}

impl Application {
    /// Name of init in the key ring; no application may have it.
    pub const RESERVED: &'static str = "init";

    fn check(&self) -> Result<(), Invalid> {
        let bound = |found: usize| Invalid::ListLength {
            min: 0,
            max: 64,
            found,
        };
        if self.name.as_str() == Self::RESERVED {
            return Err(Invalid::ApplicationNameReserved);
        }
        if self.size == 0 || self.size > MAX_BINARY {
            let found = usize::try_from(self.size).unwrap_or(usize::MAX);
            return Err(Invalid::Length {
                min: 1,
                max: MAX_BINARY as usize,
                found,
            });
        }
        for found in [
            self.arguments.len(),
            self.environment.len(),
            self.ports.len(),
        ] {
            if found > 64 {
                return Err(bound(found));
            }
        }
        if let Some(found) = self
            .ports
            .iter()
            .find(|p| !crate::ports::APPLICATIONS.contains(p))
        {
            return Err(Invalid::Port { found: *found });
        }
        let named = |v: &Text<4096>| {
            v.as_str()
                .split_once('=')
                .is_some_and(|(n, _)| !n.is_empty())
        };
        if !self.environment.iter().all(named) {
            return Err(Invalid::Environment);
        }
        let variable = |v: &Text<4096>| v.as_str().split_once('=').map(|(n, _)| n.len());
        let names = self.environment.iter().map(|v| {
            let length = variable(v).unwrap_or(0);
            v.as_str().get(..length).unwrap_or_default()
        });
        if !names.is_sorted_by(|a, b| a < b) || !self.ports.is_sorted_by(|a, b| a < b) {
            return Err(Invalid::ApplicationsNotAscending);
        }
        if self.memory_limit == 0 || self.memory_limit > 1 << 46 {
            return Err(Invalid::MemoryLimit {
                found: self.memory_limit,
            });
        }
        self.restart.check()?;
        check_destinations(&self.egress)
    }

    /// Whether the others it names are others of this manifest, each once.
    fn check_others(&self, all: &[Self]) -> Result<(), Invalid> {
        for (names, kind) in [(&self.calls, Naming::Calls), (&self.shares, Naming::Shares)] {
            if !names.is_sorted_by(|a, b| a < b) {
                return Err(Invalid::NamesNotAscending { kind });
            }
            if names.contains(&self.name) {
                return Err(Invalid::NamesItself { kind });
            }
            let known = |name: &&Name| all.iter().any(|a| a.name == **name);
            if let Some(name) = names.iter().find(|name| !known(name)) {
                let name = name.clone();
                return Err(Invalid::NamesNobody { kind, name });
            }
        }
        Ok(())
    }
}

/// Positions of the applications in an order in which each comes after all it calls.
///
/// # Errors
/// [`Invalid::CallCycle`] if there is none.
fn start_order(applications: &[Application]) -> Result<Vec<usize>, Invalid> {
    let mut order: Vec<usize> = Vec::with_capacity(applications.len());
    let placed = |order: &[usize], name: &Name| {
        let mut before = order.iter().filter_map(|at| applications.get(*at));
        before.any(|a| a.name == *name)
    };
    while order.len() < applications.len() {
        let mut all = applications.iter().enumerate();
        let next = all.find(|(at, a)| {
            !order.contains(at) && a.calls.iter().all(|callee| placed(&order, callee))
        });
        let (next, _) = next.ok_or(Invalid::CallCycle)?;
        order.push(next);
    }
    Ok(order)
}

/// When a manifest may run, by the NSM's time: init boots it and verifiers accept what was attested
/// only inside this window.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Validity {
    /// First moment.
    #[n(0)]
    pub not_before: UnixMillis,
    /// Last moment.
    #[n(1)]
    pub not_after: UnixMillis,
}

/// What may run in a namespace.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ManifestFields {
    /// Format number; [`crate::FORMAT`].
    #[cbor(n(0), with = "crate::atoms::format")]
    pub format: u8,
    /// The namespace.
    #[n(1)]
    pub genesis: Digest<Genesis>,
    /// 1 for the first, then one more each time.
    #[n(2)]
    pub sequence: u64,
    /// The manifest before; none for the first.
    #[n(3)]
    pub previous: Option<Digest<Manifest>>,
    /// The newest manifest before this one that changed a set; none if none did.
    #[n(4)]
    pub last_set_change: Option<Digest<Manifest>>,
    /// The quorum public key, for eyes: always the first commitment.
    #[n(5)]
    pub quorum_key: VerificationKey,
    /// Which shares open it: always the digest of the commitments.
    #[n(6)]
    pub epoch: Epoch,
    /// Commitments to the polynomial of this epoch.
    #[n(7)]
    pub commitments: CommitmentList,
    /// What the image must measure as.
    #[n(8)]
    pub measurements: Measurements,
    /// Ascending by name.
    #[n(9)]
    pub applications: Vec<Application>,
    /// Who approves the next manifest.
    #[n(10)]
    pub manifest_set: MemberSet,
    /// Who holds shares.
    #[n(11)]
    pub share_set: MemberSet,
    /// When it may boot.
    #[n(12)]
    pub validity: Validity,
    /// Accepted cipher suites, ascending.
    #[n(13)]
    pub suites: Vec<u16>,
    /// Whether and until when the key is forwarded; absent: never.
    #[n(14)]
    pub forward: Option<ForwardPolicy>,
}

/// A manifest whose rules hold. Whether anyone approved it is the chain's matter.
pub type Manifest = Checked<ManifestFields>;

impl ManifestFields {
    /// The application of this name.
    pub fn application(&self, name: &Name) -> Option<&Application> {
        self.applications.iter().find(|a| a.name == *name)
    }

    /// Who may connect where: name and destinations of each application that may connect at all.
    /// Two manifests with the same egress policy give the same.
    pub fn egress_policy(&self) -> Vec<(Name, Vec<Destination>)> {
        let some = self.applications.iter().filter(|a| !a.egress.is_empty());
        some.map(|a| (a.name.clone(), a.egress.clone())).collect()
    }

    /// Positions of the applications in the order in which they start: each after all it calls.
    pub fn start_order(&self) -> Vec<usize> {
        // The rules say that there is an order.
        start_order(&self.applications).unwrap_or_default()
    }

    /// Owner and reader of every sealing key that an application of this name is given: its own,
    /// those it owns for others, those others own for it. Ascending.
    pub fn sealing_keys(&self, name: &Name) -> Vec<(Name, Name)> {
        let own = (name.clone(), name.clone());
        let owns = self.application(name).into_iter().flat_map(|a| &a.shares);
        let owns = owns.map(|reader| (name.clone(), reader.clone()));
        let reads = self.applications.iter();
        let reads = reads.filter(|a| a.shares.contains(name));
        let reads = reads.map(|a| (a.name.clone(), name.clone()));
        let mut all: Vec<_> = core::iter::once(own).chain(owns).chain(reads).collect();
        all.sort();
        all
    }
}

impl Rules for ManifestFields {
    fn check(&self) -> Result<(), Invalid> {
        if self.format != crate::FORMAT {
            return Err(Invalid::Format { found: self.format });
        }
        if self.sequence == 0 {
            return Err(Invalid::SequenceZero);
        }
        let first = self.sequence == 1;
        if first != self.previous.is_none() || (first && self.last_set_change.is_some()) {
            return Err(Invalid::Predecessor);
        }
        if self.commitments.quorum_key()? != self.quorum_key {
            return Err(Invalid::QuorumKeyMismatch);
        }
        if self.commitments.epoch() != self.epoch {
            return Err(Invalid::EpochMismatch);
        }
        if self.share_set.threshold != self.commitments.inner().threshold() {
            return Err(Invalid::ThresholdMismatch);
        }
        check_both(&self.manifest_set, &self.share_set)?;
        let found = self.applications.len();
        if found == 0 || found > MAX_APPLICATIONS {
            return Err(Invalid::ListLength {
                min: 1,
                max: MAX_APPLICATIONS,
                found,
            });
        }
        self.applications.iter().try_for_each(Application::check)?;
        if !self.applications.is_sorted_by(|a, b| a.name < b.name) {
            return Err(Invalid::ApplicationsNotAscending);
        }
        for application in &self.applications {
            application.check_others(&self.applications)?;
        }
        start_order(&self.applications)?;
        let mut ports: Vec<u32> = self
            .applications
            .iter()
            .flat_map(|a| a.ports.clone())
            .collect();
        ports.sort_unstable();
        if let Some([port, _]) = ports.array_windows::<2>().find(|[a, b]| a == b) {
            return Err(Invalid::Port { found: *port });
        }
        if self.validity.not_before >= self.validity.not_after {
            return Err(Invalid::Window);
        }
        if self.suites.is_empty() || self.suites.len() > 8 {
            return Err(Invalid::ListLength {
                min: 1,
                max: 8,
                found: self.suites.len(),
            });
        }
        if let Some(found) = self
            .suites
            .iter()
            .find(|id| quorate_sealing::Suite::from_id(**id).is_none())
        {
            return Err(Invalid::Suite { found: *found });
        }
        if !self.suites.is_sorted_by(|a, b| a < b) {
            return Err(Invalid::ApplicationsNotAscending);
        }
        Ok(())
    }
}

/// One member's approval of a manifest, given in one role.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Approval {
    /// In which set the signer acts.
    #[n(0)]
    pub role: Role,
    /// The namespace.
    #[n(1)]
    pub genesis: Digest<Genesis>,
    /// The manifest.
    #[n(2)]
    pub manifest: Digest<Manifest>,
    /// The signer's index in that set.
    #[cbor(n(3), with = "crate::atoms::index")]
    pub index: ShareIndex,
    /// When, by the signer's clock.
    #[n(4)]
    pub time: UnixMillis,
}

/// A manifest, who approved it, and where its shares come from.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Link {
    /// The manifest.
    #[n(0)]
    pub manifest: Manifest,
    /// Its approvals.
    #[n(1)]
    pub approvals: Vec<Signed<Approval>>,
    /// The resharing that made its shares; absent where they are those of the manifest before.
    #[n(2)]
    pub reshare: Option<Box<CompletedReshare>>,
    /// Approvals by surrogates of members of the manifest set.
    #[n(3)]
    pub surrogates: Vec<SurrogateApproval>,
}

object! {
    Manifest => "quorate/manifest/v3", 512 * 1024;
    Approval => "quorate/approval/v1", 256;
    Link => "quorate/link/v3", 1536 * 1024;
}
