//! A drill: an enclave of the production image that rehearses a provisioning and can do nothing else.
//!
//! Guarantees: it starts only under an approved, valid manifest of this very image, as a boot does, but
//! makes setup keys only and extends PCR16 with a tag of its own, so no document of it passes for an
//! instance's, and no register of it can be changed any more. There is no way from here to the
//! quorum key: nothing in these types takes a real share, holds live keys or starts an application.
//! A drill share is opened only after the member's grant and their proof of possession are known to
//! be good for this very enclave and ciphertext; a member is named as having given a bad one only
//! then. Good shares are kept when a bad one comes. At the threshold the drill scalar is rebuilt,
//! compared with its commitment and erased at once, shares and all; later members prove and give
//! still, and their shares are checked and erased. A record is signed only after that. A refused
//! request changes nothing.
//!
//! Does not: say when the next drill must be; whoever ends this one names the date, within bounds.

use quorate_protocol::atoms::UnixMillis;
use quorate_protocol::attested::{PCR_SETUP, UserData, drill_extension};
use quorate_protocol::cbor::Checked;
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::drill::{
    Drill, DrillFinishRequest, DrillGiven, DrillGrant, DrillReceipt, DrillRecord,
    DrillRecordFields, DrillRequest, drill_share_context,
};
use quorate_protocol::genesis::{CommitmentList, Document, Genesis, SealedShare};
use quorate_protocol::keys::KeyPair;
use quorate_protocol::manifest::Manifest;
use quorate_protocol::message::{BootRequest, Nonce, Reason};
use quorate_sharing::{Collector, Share, ShareIndex, ShareRefused};
use quorate_verify::chain::VerifiedChain;
use quorate_verify::drill::{DrillError, MAX_DUE_MS, check_grant, sharing_of};
use quorate_verify::genesis::VerifiedGenesis;

use crate::device::{Device, SecretPair};
use crate::export::now;
use crate::instance::check_boot;
use crate::nsm::Transport;
use crate::refuse::{Denied, Halt, refuse, refuse_member};

/// What a drill is about. Holds nothing secret.
pub(crate) struct Subject {
    genesis: VerifiedGenesis,
    chain: VerifiedChain,
    setup: KeyPair,
    /// Commitments of the drill scalar.
    drill: CommitmentList,
    begun: UnixMillis,
}

/// An enclave that waits for members to take part.
pub(crate) struct Drilling {
    subject: Subject,
    setup: Box<SecretPair>,
    shares: Shares,
    taken: Vec<(DrillGiven, Signed<DrillGrant>)>,
}

/// Drill shares that have come.
enum Shares {
    /// Fewer than the threshold.
    Collecting(Collector),
    /// The drill scalar was rebuilt and was the right one; it and its shares are erased. How many
    /// shares were good so far.
    Rebuilt(u8),
}

/// A drill that has ended. The setup keys are erased.
pub(crate) struct Drilled {
    subject: Subject,
    record: Signed<DrillRecord>,
    grants: Vec<Signed<DrillGrant>>,
}

impl Subject {
    pub(crate) fn genesis(&self) -> Digest<Genesis> {
        self.genesis.digest()
    }

    pub(crate) fn manifest(&self) -> &Manifest {
        self.chain.manifest()
    }

    pub(crate) fn manifest_digest(&self) -> Digest<Manifest> {
        self.chain.digest()
    }

    fn attest<T: Transport>(
        &self,
        device: &mut Device<T>,
        nonce: &Nonce,
    ) -> Result<Document, Halt> {
        let data = UserData::Drill(self.manifest_digest());
        device.attest(&data, nonce, Some(&self.setup))
    }
}

/// Checks everything a boot checks but binaries, of which a drill needs none, then makes and commits
/// the setup keys.
///
/// # Errors
/// [`Denied::Refused`] before any register was touched; [`Denied::Fatal`] after.
pub(crate) fn start<T: Transport>(
    device: &mut Device<T>,
    request: BootRequest,
) -> Result<(Drilling, KeyPair), Denied> {
    let links = request.chain;
    let (genesis, chain) = check_boot(device, request.record, &links)?;
    let sharing = sharing_of(&genesis, &chain, &links);
    let sharing = sharing.map_err(|e| refuse(Reason::ChainInvalid, &e.to_string()))?;
    let drill = sharing.commitments.clone();
    device.expect_measurements(&chain.manifest().measurements)?;
    let begun = now(device)?;

    let setup = SecretPair::generate(&mut device.generator(core::iter::empty())?);
    let data = drill_extension(&genesis.digest(), &chain.digest(), &setup.public);
    device.commit(PCR_SETUP, &data)?;
    device.lock_all()?;

    let public = setup.public.clone();
    let shares = Shares::Collecting(Collector::new(drill.inner().clone()));
    let subject = Subject {
        genesis,
        chain,
        setup: public.clone(),
        drill,
        begun,
    };
    let drilling = Drilling {
        subject,
        setup,
        shares,
        taken: Vec::new(),
    };
    Ok((drilling, public))
}

impl Drilling {
    pub(crate) fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Who has proved possession, ascending.
    pub(crate) fn proved(&self) -> Vec<ShareIndex> {
        self.taken.iter().map(|(given, _)| given.index).collect()
    }

    /// Attests, for a member's own nonce.
    ///
    /// # Errors
    /// [`Halt`].
    pub(crate) fn attest<T: Transport>(
        &self,
        device: &mut Device<T>,
        nonce: &Nonce,
    ) -> Result<Document, Halt> {
        self.subject.attest(device, nonce)
    }

    /// Takes a member's proof and their drill share.
    ///
    /// # Errors
    /// [`Denied::Refused`]; nothing was changed.
    pub(crate) fn give<T: Transport>(
        &mut self,
        device: &Device<T>,
        request: DrillRequest,
    ) -> Result<Signed<DrillReceipt>, Denied> {
        let (index, share) = self.open(&request)?;
        if let Some(share) = share {
            self.keep(share)?;
        }
        let given = DrillGiven {
            index,
            grant: request.grant.digest(),
            time: device.now(),
        };
        let at = self.taken.partition_point(|(known, _)| known.index < index);
        let receipt = DrillReceipt {
            grant: given.grant,
            index,
            proved: count(self.taken.len().saturating_add(1)),
            accepted: match &self.shares {
                Shares::Collecting(collector) => count(collector.progress().have),
                Shares::Rebuilt(accepted) => *accepted,
            },
            threshold: self.subject.manifest().share_set.threshold,
            time: given.time,
        };
        self.taken.insert(at, (given, request.grant));
        Ok(Signed::sign(receipt, &self.setup.signing))
    }

    /// Checks a grant and its proof, and opens its drill share. Changes nothing.
    fn open(&self, request: &DrillRequest) -> Result<(ShareIndex, Option<Share>), Denied> {
        let Subject {
            genesis,
            chain,
            setup,
            drill,
            ..
        } = &self.subject;
        let manifest = chain.manifest();
        let sealed = request.sealed.as_ref();
        if request.grant.unverified().sealed != sealed.map(Digest::of) {
            return Err(refuse(Reason::CiphertextMismatch, ""));
        }
        let checked = check_grant(genesis, chain, setup, drill.epoch(), &request.grant);
        let index = checked.map_err(|error| refused(&error))?.index;
        if self.taken.iter().any(|(known, _)| known.index == index) {
            return Err(refuse_member(Reason::ShareRepeated, index, ""));
        }
        let Some(sealed) = sealed else {
            return Ok((index, None));
        };
        if !manifest.suites.contains(&sealed.suite.id()) {
            return Err(refuse_member(Reason::SuiteNotAccepted, index, ""));
        }
        // From here on the member answers for it: the signature covers this very ciphertext.
        let share = self.unseal(index, sealed)?;
        match drill.inner().check(&share) {
            Ok(()) => Ok((index, Some(share))),
            Err(_) if manifest.commitments.inner().check(&share).is_ok() => {
                Err(refuse_member(Reason::DrillRealShare, index, ""))
            }
            Err(_) => Err(refuse_member(Reason::ShareWrong, index, "")),
        }
    }

    fn unseal(&self, index: ShareIndex, sealed: &SealedShare) -> Result<Share, Denied> {
        let subject = &self.subject;
        let (genesis, manifest) = (subject.genesis(), subject.manifest_digest());
        let unreadable = || refuse_member(Reason::ShareUnreadable, index, "");
        let context = drill_share_context(&genesis, &manifest, index, &subject.drill.epoch());
        let opened = quorate_sealing::open(
            sealed.suite,
            &self.setup.decryption,
            context.info.as_bytes(),
            &context.aad,
            &sealed.sealed(),
            32,
        )
        .map_err(|_| unreadable())?;
        let scalar: &[u8; 32] = opened.as_slice().try_into().map_err(|_| unreadable())?;
        Share::from_bytes(index, scalar).map_err(|_| unreadable())
    }

    /// Keeps a drill share that was checked; at the threshold rebuilds the scalar, and erases all.
    fn keep(&mut self, share: Share) -> Result<(), Denied> {
        let collector = match &mut self.shares {
            Shares::Collecting(collector) => collector,
            Shares::Rebuilt(accepted) => {
                *accepted = accepted.saturating_add(1);
                return Ok(());
            }
        };
        let index = share.index();
        let progress = collector.accept(share).map_err(|refused| {
            let reason = match refused {
                ShareRefused::Repeated { .. } => Reason::ShareRepeated,
                _ => Reason::ShareWrong,
            };
            refuse_member(reason, index, "")
        })?;
        if progress.is_complete() {
            let rebuilt = Shares::Rebuilt(count(progress.have));
            if let Shares::Collecting(collector) = std::mem::replace(&mut self.shares, rebuilt) {
                // Compared with the first commitment, and erased.
                drop(collector.reconstruct().map_err(|_| Halt::Derivation)?);
            }
        }
        Ok(())
    }

    /// Whether the drill can end now, with this date for the next.
    ///
    /// # Errors
    /// [`Denied::Refused`].
    pub(crate) fn check_finish<T: Transport>(
        &self,
        device: &mut Device<T>,
        request: &DrillFinishRequest,
    ) -> Result<(), Denied> {
        if let Shares::Collecting(collector) = &self.shares {
            let progress = collector.progress();
            let detail = format!("{} of {}", progress.have, progress.need);
            return Err(refuse(Reason::DrillUnfinished, &detail));
        }
        let now = now(device)?.0;
        if request.due.0 <= now || request.due.0 > now.saturating_add(MAX_DUE_MS) {
            return Err(refuse(Reason::DrillDue, &format!("it is {now} by the NSM")));
        }
        Ok(())
    }

    /// Signs the record and erases the setup keys. [`check_finish`](Self::check_finish) went before.
    ///
    /// # Errors
    /// [`Halt`].
    pub(crate) fn finish<T: Transport>(
        self,
        device: &Device<T>,
        due: UnixMillis,
    ) -> Result<Drilled, Halt> {
        let Self {
            subject,
            setup,
            taken,
            ..
        } = self;
        let (given, grants) = taken.into_iter().unzip();
        let record = DrillRecordFields {
            genesis: subject.genesis(),
            manifest: subject.manifest_digest(),
            epoch: subject.manifest().epoch,
            drill: subject.drill.epoch(),
            given,
            begun: subject.begun,
            time: device.now(),
            due,
        };
        let record = Checked::new(record).map_err(|_| Halt::Derivation)?;
        Ok(Drilled {
            record: Signed::sign(record, &setup.signing),
            grants,
            subject,
        })
    }
}

impl Drilled {
    pub(crate) fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Who had proved possession, ascending.
    pub(crate) fn proved(&self) -> Vec<ShareIndex> {
        let given = self.record.unverified().given.iter();
        given.map(|given| given.index).collect()
    }

    /// Attests, for a caller's own nonce.
    ///
    /// # Errors
    /// [`Halt`].
    pub(crate) fn attest<T: Transport>(
        &self,
        device: &mut Device<T>,
        nonce: &Nonce,
    ) -> Result<Document, Halt> {
        self.subject.attest(device, nonce)
    }

    /// The record, with an attestation for the caller's nonce.
    ///
    /// # Errors
    /// [`Halt`].
    pub(crate) fn show<T: Transport>(
        &self,
        device: &mut Device<T>,
        nonce: &Nonce,
    ) -> Result<Drill, Halt> {
        Ok(Drill {
            record: self.record.clone(),
            grants: self.grants.clone(),
            document: self.attest(device, nonce)?,
        })
    }
}

/// A number of members, of whom there are 255 at most.
fn count(number: usize) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}

/// A refusal of a grant.
fn refused(error: &DrillError) -> Denied {
    match error {
        DrillError::GrantForAnother { field, .. } => {
            refuse(Reason::GrantForAnother, &format!("another {field}"))
        }
        DrillError::GrantOfStranger { .. } => refuse(Reason::NotAMember, ""),
        DrillError::GrantOfInactive { .. } => {
            refuse(Reason::NotAMember, "inactive since the genesis")
        }
        DrillError::GrantSignature { .. } => refuse(Reason::GrantSignature, ""),
        DrillError::Possession { index } => refuse_member(Reason::DrillProof, *index, ""),
        other => refuse(Reason::Malformed, &other.to_string()),
    }
}
