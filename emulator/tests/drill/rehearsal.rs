//! An enclave that was started for a drill, and what honest members make for it.

#![allow(dead_code, reason = "each test uses its own part")]

use quorate_protocol::atoms::{Sha256, ShareIndex, UnixMillis};
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::drill::{
    Drill, DrillFinishRequest, DrillGrant, DrillPossession, DrillReceipt, DrillRequest,
    DrillSharing, drill_share_context,
};
use quorate_protocol::genesis::{GenesisRecord, SealContext, SealedShare};
use quorate_protocol::keys::KeyPair;
use quorate_protocol::manifest::Manifest;
use quorate_protocol::members::Role;
use quorate_protocol::message::{Request, Response, Stage};
use quorate_sealing::{Suite, seal};
use quorate_sharing::Share;

use crate::common::{Enclave, Person, nonce, rng};

/// An enclave that was started for a drill.
pub(crate) struct Rehearsal {
    pub(crate) enclave: Enclave,
    pub(crate) setup: KeyPair,
    pub(crate) genesis: GenesisRecord,
    pub(crate) manifest: Manifest,
    pub(crate) drill: DrillSharing,
}

impl Rehearsal {
    pub(crate) fn possession(&self, share: &Share) -> DrillPossession {
        DrillPossession {
            genesis: self.genesis.digest(),
            manifest: Digest::of(&self.manifest),
            epoch: self.manifest.epoch,
            index: share.index(),
            setup: self.setup.clone(),
            document: Sha256([7; 32]),
        }
    }

    pub(crate) fn sealed(&self, index: ShareIndex, scalar: &[u8]) -> SealedShare {
        let epoch = self.drill.commitments.epoch();
        let (genesis, manifest) = (self.genesis.digest(), Digest::of(&self.manifest));
        let context = drill_share_context(&genesis, &manifest, index, &epoch);
        sealed_to(&self.setup, &context, scalar)
    }

    pub(crate) fn grant(
        &self,
        possession: Signed<DrillPossession>,
        sealed: Option<&SealedShare>,
    ) -> DrillGrant {
        DrillGrant {
            role: Role::ShareSet,
            possession,
            drill: self.drill.commitments.epoch(),
            sealed: sealed.map(Digest::of),
            time: UnixMillis(1),
        }
    }

    /// Proof with the real share, and the drill share if there is one.
    pub(crate) fn request(&self, by: &Person, real: &Share, drill: Option<&Share>) -> DrillRequest {
        let possession = Signed::sign(self.possession(real), &real.signing_key());
        let sealed = drill.map(|share| self.sealed(share.index(), &*share.to_bytes()));
        DrillRequest {
            grant: Signed::sign(self.grant(possession, sealed.as_ref()), &by.signing),
            sealed,
        }
    }

    pub(crate) fn ask(&self, request: &DrillRequest) -> Response {
        give(&self.enclave, request)
    }

    pub(crate) fn take(&self, request: &DrillRequest) -> DrillReceipt {
        match self.ask(request) {
            Response::DrillTaken(receipt) => {
                let key = self.setup.verification;
                let receipt = receipt.verify(&key).unwrap().clone();
                assert_eq!(receipt.grant, request.grant.digest());
                receipt
            }
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn finish(&self, due: UnixMillis) -> Response {
        finish(&self.enclave, due)
    }

    /// A date within bounds, by the enclave's own time.
    pub(crate) fn in_days(&self, days: u64) -> UnixMillis {
        let document = self.enclave.attest(Stage::Drill, &nonce());
        let document = quorate_verify::attestation::Document::parse(&document).unwrap();
        UnixMillis(document.unverified_timestamp_ms() + days * 86_400_000)
    }

    pub(crate) fn ended(&self) -> Drill {
        match self.finish(self.in_days(90)) {
            Response::Drilled(drill) => *drill,
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) fn give(enclave: &Enclave, request: &DrillRequest) -> Response {
    enclave.ask(&Request::DrillGive(Box::new(request.clone())))
}

pub(crate) fn finish(enclave: &Enclave, due: UnixMillis) -> Response {
    let request = DrillFinishRequest {
        nonce: nonce(),
        due,
    };
    enclave.ask(&Request::DrillFinish(request))
}

pub(crate) fn sealed_to(setup: &KeyPair, context: &SealContext, scalar: &[u8]) -> SealedShare {
    let suite = Suite::P256Sha256Aes256Gcm;
    let (key, info) = (setup.encryption.inner(), context.info.as_bytes());
    let sealed = seal(suite, key, info, &context.aad, scalar, &mut rng()).unwrap();
    SealedShare::new(suite, sealed).unwrap()
}

/// The members open their drill shares and check them.
pub(crate) fn opened(
    sharing: &DrillSharing,
    people: &[Person],
    context: impl Fn(ShareIndex) -> SealContext,
) -> Vec<Share> {
    let members = people.iter().zip(&sharing.shares);
    let shares = members.map(|(person, sent)| {
        assert_eq!(person.index, sent.index);
        let context = context(person.index);
        person.open(&sent.sealed, &context, sharing.commitments.inner())
    });
    shares.collect()
}
