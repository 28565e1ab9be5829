//! What an instance shows: its evidence, and what its document attests in each phase.
//!
//! Guarantees: the document names the newest forward, and the hand-over, so what is shown beside it
//! cannot be shortened without being noticed. Nothing here is secret, and nothing changes.

use quorate_protocol::application::{ApplicationCertificate, ApplicationEvidence};
use quorate_protocol::atoms::ShareIndex;
use quorate_protocol::attested::UserData;
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::evidence::{Evidence, Origin, Provisioning};
use quorate_protocol::forward::{ForwardMade, ForwardRecord};
use quorate_protocol::message::{AttestRequest, EvidenceRequest, Reason, Response, Stage};

use super::{Machine, State};
use crate::export::Retired;
use crate::instance::Identity;
use crate::platform::Platform;
use crate::refuse::{Denied, refuse};

impl<P: Platform> Machine<P> {
    /// An attestation of the stage that is asked for.
    ///
    /// # Errors
    /// [`Denied`].
    pub(super) fn attest(&mut self, request: &AttestRequest) -> Result<Response, Denied> {
        let nothing = |detail| Err(refuse(Reason::NothingToAttest, detail));
        let device = &mut self.device;
        let document = match (&self.state, request.stage) {
            (State::Born(born), Stage::Genesis) => born.attest(device, &request.nonce)?,
            (State::Collecting(collecting), Stage::Setup) => {
                let identity = collecting.identity();
                let data = UserData::Setup(identity.manifest_digest());
                device.attest(&data, &request.nonce, Some(&identity.setup))?
            }
            (State::Running(..), Stage::Setup) => {
                return nothing("the setup keys were destroyed when the quorum key came");
            }
            (State::Collecting(collecting), Stage::Live) => {
                let identity = collecting.identity();
                let data = live_data(identity, None);
                device.attest(&data, &request.nonce, Some(&identity.live))?
            }
            (State::Running(instance, _), Stage::Live) => {
                let data = live_data(&instance.identity, instance.exports.newest());
                device.attest(&data, &request.nonce, Some(&instance.identity.live))?
            }
            (State::Drilling(drilling), Stage::Drill) => drilling.attest(device, &request.nonce)?,
            (State::Drilled(drilled), Stage::Drill) => drilled.attest(device, &request.nonce)?,
            (State::Drilling(_) | State::Drilled(_), _) => {
                return Err(refuse(Reason::DrillOnly, ""));
            }
            (State::HandingOver(..) | State::HandedOver(..), _) => {
                return Err(self.wrong_phase());
            }
            _ => return nothing(""),
        };
        Ok(Response::Attested(document))
    }

    /// The evidence, with an attestation for the caller's nonce.
    ///
    /// # Errors
    /// [`Denied`].
    pub(super) fn evidence(&mut self, request: &EvidenceRequest) -> Result<Response, Denied> {
        let (identity, data, shown) = match &self.state {
            State::Collecting(collecting) => {
                let identity = collecting.identity();
                (identity, live_data(identity, None), Shown::default())
            }
            State::Running(instance, applications) => {
                let shown = Shown {
                    provisioning: Some(instance.provisioning.clone()),
                    certificates: applications.certificates().cloned().collect(),
                    forwards: instance.exports.shown(),
                };
                let identity = &instance.identity;
                (
                    identity,
                    live_data(identity, instance.exports.newest()),
                    shown,
                )
            }
            State::HandingOver(retired, applications, _) => {
                let certificates = applications.certificates().cloned().collect();
                (
                    &retired.identity,
                    handed_over(retired),
                    Shown::of(retired, certificates),
                )
            }
            State::HandedOver(retired, ended) => {
                let shown = Shown::of(retired, ended.certificates.clone());
                (&retired.identity, handed_over(retired), shown)
            }
            _ => return Err(refuse(Reason::NothingToAttest, "nothing was booted")),
        };
        let document = self
            .device
            .attest(&data, &request.nonce, Some(&identity.live))?;
        let applications = shown.certificates.into_iter();
        let applications = applications.map(|certificate| ApplicationEvidence {
            certificate,
            proofs: Vec::new(),
        });
        let evidence = Evidence {
            format: quorate_protocol::FORMAT,
            record: identity.genesis.record().clone(),
            chain: identity.links.clone(),
            setup: identity.setup.clone(),
            document,
            provisioning: shown.provisioning,
            applications: applications.collect(),
            forwards: shown.forwards,
        };
        Ok(Response::Evidence(Box::new(evidence)))
    }
}

/// What an instance shows beside what it is.
#[derive(Default)]
struct Shown {
    provisioning: Option<Provisioning>,
    certificates: Vec<Signed<ApplicationCertificate>>,
    forwards: Vec<ForwardMade>,
}

impl Shown {
    fn of(retired: &Retired, certificates: Vec<Signed<ApplicationCertificate>>) -> Self {
        Self {
            provisioning: Some(retired.provisioning.clone()),
            certificates,
            forwards: retired.forwards.clone(),
        }
    }
}

/// What an instance attests while it serves. Once it has forwarded, the document says so.
pub(super) fn live_data(identity: &Identity, newest: Option<Digest<ForwardRecord>>) -> UserData {
    let manifest = identity.manifest_digest();
    match newest {
        None => UserData::Live(manifest),
        Some(record) => UserData::Forwarded(manifest, record),
    }
}

/// What it attests when it has handed over.
fn handed_over(retired: &Retired) -> UserData {
    let manifest = retired.identity.manifest_digest();
    UserData::HandedOver(manifest, retired.confirmed, retired.newest)
}

/// The members who gave their shares, if the key did not come from another instance.
pub(super) fn givers(provisioning: &Provisioning) -> Vec<ShareIndex> {
    match &provisioning.origin {
        Origin::Members(provisions) => {
            let indices = provisions.iter();
            indices.map(|p| p.grant.unverified().index).collect()
        }
        Origin::Forwarded(_) => Vec::new(),
    }
}
