//! Samples of a drill: two of the three members of the small namespace give their drill shares, the
//! third, whose keys are new, proves possession only.

use quorate_protocol::atoms::Sha256;
use quorate_protocol::attested::UserData;
use quorate_protocol::cbor::Checked;
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::drill::{
    Drill, DrillFinishRequest, DrillGiven, DrillGrant, DrillPossession, DrillReceipt, DrillRecord,
    DrillRecordFields, DrillRequest, drill_share_context,
};
use quorate_protocol::genesis::SealedShare;
use quorate_protocol::manifest::Link;
use quorate_protocol::members::Role;
use quorate_protocol::message::{
    AttestRequest, BootRequest, Fault, Reason, Refusal, Request, Response, Stage,
};

use super::{Sample, plain, signed};
use crate::keys::{generator, pair, scalar, signing, verification};
use crate::sealing::sealed_share;
use crate::world::{World, bytes, document, text, time};

/// Everything that one drill is made of.
pub(crate) struct Drilled {
    pub(crate) drill: Drill,
    pub(crate) sealed: SealedShare,
    receipt: Signed<DrillReceipt>,
}

impl Drilled {
    /// A drill under the first manifest of a world.
    pub(crate) fn of(world: &World, chain: &[Link]) -> Self {
        let manifest = Digest::of(&chain[0].manifest);
        let setup = pair("drill setup");
        let drill = world.record.output.drill.commitments.epoch();
        let mut rng = generator("drill give");
        let (mut grants, mut first) = (Vec::new(), None);
        for (at, (real, share)) in world.shares.iter().zip(&world.drill_shares).enumerate() {
            let index = real.index();
            let context = drill_share_context(&world.genesis, &manifest, index, &drill);
            let sealed = sealed_share(&mut rng, &setup.encryption, &context, share);
            let possession = DrillPossession {
                genesis: world.genesis,
                manifest,
                epoch: world.epoch(),
                index,
                setup: setup.clone(),
                document: Sha256::of(document().as_slice()),
            };
            let grant = DrillGrant {
                role: Role::ShareSet,
                possession: Signed::sign(possession, &real.signing_key()),
                drill,
                sealed: (at < 2).then(|| Digest::of(&sealed)),
                time: time(3000 + u64::from(index.get())),
            };
            let member = world.definition.share_set.member(index).expect("a member");
            let key = signing(&format!("{} signing", member.name));
            grants.push(Signed::sign(grant, &key));
            first.get_or_insert(sealed);
        }
        let given = grants.iter().map(|grant| {
            let index = grant.unverified().possession.unverified().index;
            DrillGiven {
                index,
                grant: grant.digest(),
                time: time(3100 + u64::from(index.get())),
            }
        });
        let record: DrillRecord = Checked::new(DrillRecordFields {
            genesis: world.genesis,
            manifest,
            epoch: world.epoch(),
            drill,
            given: given.collect(),
            begun: time(2900),
            time: time(3600),
            due: time(90 * 86_400),
        })
        .expect("ascending");
        let enclave = signing("drill setup es256");
        let receipt = DrillReceipt {
            grant: grants[1].digest(),
            index: world.shares[1].index(),
            proved: 2,
            accepted: 2,
            threshold: world.definition.share_set.threshold,
            time: time(3102),
        };
        Self {
            drill: Drill {
                record: Signed::sign(record, &enclave),
                grants,
                document: document(),
            },
            sealed: first.expect("three members"),
            receipt: Signed::sign(receipt, &enclave),
        }
    }
}

/// Possession, grants with and without a share, receipt, record, the whole.
pub(super) fn samples(world: &World, chain: &[Link]) -> Vec<Sample> {
    let Drilled { drill, receipt, .. } = Drilled::of(world, chain);
    let grants = &drill.grants;
    let possession = &grants[2].unverified().possession;
    let index = possession.unverified().index;
    let holder = world.commitments.member_key(index).expect("a key");
    let enclave = verification("drill setup es256");
    let person = |name: &str| verification(&format!("{name} signing"));
    let manifest = Digest::of(&chain[0].manifest);
    vec![
        signed("carol", possession, "share 200 itself", holder),
        signed("alice", &grants[0], "alice signing", person("alice")),
        signed(
            "carol, without a share",
            &grants[2],
            "carol signing",
            person("carol"),
        ),
        signed(
            "bob, who completes it",
            &receipt,
            "drill setup es256",
            enclave,
        ),
        signed("all three", &drill.record, "drill setup es256", enclave),
        plain("all three", &drill),
        plain("drill", &UserData::Drill(manifest)),
    ]
}

/// Requests of a drill.
pub(super) fn requests(world: &World, chain: &[Link]) -> Vec<Sample> {
    let Drilled { drill, sealed, .. } = Drilled::of(world, chain);
    let boot = BootRequest {
        record: world.record.clone(),
        chain: vec![chain[0].clone()],
    };
    let attest = AttestRequest {
        stage: Stage::Drill,
        nonce: bytes(&scalar("drill nonce")),
    };
    let give = |at: usize, sealed: Option<SealedShare>| {
        Request::DrillGive(Box::new(DrillRequest {
            grant: drill.grants[at].clone(),
            sealed,
        }))
    };
    let finish = DrillFinishRequest {
        nonce: bytes(&scalar("drill nonce")),
        due: time(90 * 86_400),
    };
    vec![
        plain("attest drill", &Request::Attest(attest)),
        plain("drill", &Request::Drill(Box::new(boot))),
        plain("drill give", &give(0, Some(sealed))),
        plain("drill give, possession only", &give(2, None)),
        plain("drill finish", &Request::DrillFinish(finish)),
    ]
}

/// Responses of a drill.
pub(super) fn responses(world: &World, chain: &[Link]) -> Vec<Sample> {
    let Drilled { drill, receipt, .. } = Drilled::of(world, chain);
    let refused = Refusal {
        reason: Reason::DrillProof,
        fault: Fault::Member,
        member: Some(quorate_protocol::instance::Index(world.shares[1].index())),
        detail: text(""),
    };
    vec![
        plain(
            "drill started",
            &Response::DrillStarted(Box::new(pair("drill setup"))),
        ),
        plain("drill taken", &Response::DrillTaken(receipt)),
        plain("drilled", &Response::Drilled(Box::new(drill))),
        plain("refused, a possession", &Response::Refused(refused)),
    ]
}
