//! The model's traces against the code: the real init, each enclave a process with an emulated NSM,
//! and the verification that a member's tool does before it gives a share.
//!
//! Every state of the model is the end of one of its shortest traces. Each trace is walked in enclaves
//! of its own; at its end everything that the model says is refused there is tried, and must be refused
//! for that reason and change nothing. After each step the enclave must say of itself what the model
//! says of it.
//!
//! A share leaves only with a [`VerifiedSetup`], as in `quorum-ceremony`: what the model calls given
//! without verification does not compile.
//!
//! Needs the static enclave binaries (`./test` builds them first).

// The tests of the emulator have a whole ceremony in one process; it is used here as it is.
#[path = "../../../emulator/tests/common/mod.rs"]
mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{Enclave, World, consents, echo, set};
use model::ceremony::{Action, Answer, Bad, Ceremony, Phase, Refusal, State, Where, Who};
use quorate_protocol::atoms::{Sha256, ShareIndex, UnixMillis};
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::{GenesisRecord, SealedShare};
use quorate_protocol::manifest::Link;
use quorate_protocol::members::Role;
use quorate_protocol::message::{
    AttestRequest, BootRequest, Phase as Said, ProvisionRequest, Reason, Request, Response, Stage,
};
use quorate_protocol::provision::{ShareGrant, provision_share_context};
use quorate_quorum_ceremony::challenge::Challenge;
use quorate_sealing::{Suite, seal};
use quorate_sharing::{Secret, Share};
use quorate_verify::attestation::{AttestationError, Partition, TrustAnchor, TrustAnchors};
use quorate_verify::chain::{VerifiedChain, walk};
use quorate_verify::genesis::VerifiedGenesis;
use quorate_verify::instance::{InstanceError, VerifiedSetup, verify_setup};

/// A ceremony up to an approved chain, made once for all traces.
struct Prepared {
    world: World,
    record: GenesisRecord,
    chain: Vec<Link>,
    shares: Vec<Share>,
    genesis: VerifiedGenesis,
    verified: VerifiedChain,
    anchors: TrustAnchors,
    echo: Vec<u8>,
}

impl Prepared {
    fn new(members: u8, threshold: u8) -> Self {
        let mut world = World::new(members, threshold);
        let (record, shares) = world.genesis();
        let echo = echo();
        let chain = vec![world.approved(world.manifest_fields(&record, &echo))];
        let genesis = VerifiedGenesis::from_record(record.clone()).unwrap();
        let verified = walk(&genesis, &chain).unwrap();
        let root = common::root_der(&world.hypervisor);
        let mut anchors = TrustAnchors::empty();
        anchors
            .insert(TrustAnchor::from_der(Partition::Development, &root).unwrap())
            .unwrap();
        Self {
            world,
            record,
            chain,
            shares,
            genesis,
            verified,
            anchors,
            echo,
        }
    }
}

/// One walk along a trace.
struct Walk<'p> {
    prepared: &'p mut Prepared,
    enclaves: Vec<Option<Enclave>>,
    folders: Vec<std::path::PathBuf>,
    names: Vec<quorate_protocol::atoms::Name>,
    setups: BTreeMap<(Who, Where), VerifiedSetup>,
    grants: BTreeMap<(Who, Where), ProvisionRequest>,
}

impl<'p> Walk<'p> {
    fn start(prepared: &'p mut Prepared, enclaves: u8) -> Self {
        let mut started = Vec::new();
        let mut names = Vec::new();
        let mut folders = Vec::new();
        for _ in 0..enclaves {
            let enclave = prepared.world.start();
            folders.push(enclave.started.directory.clone());
            started.push(Some(enclave));
            names.push(prepared.world.newest());
        }
        Self {
            prepared,
            enclaves: started,
            names,
            folders,
            setups: BTreeMap::new(),
            grants: BTreeMap::new(),
        }
    }

    fn enclave(&self, place: Where) -> &Enclave {
        self.enclaves[usize::from(place)].as_ref().unwrap()
    }

    /// Does what the model did, and says what came of it.
    fn act(&mut self, action: Action) -> Answer {
        match action {
            Action::Genesis(place) => {
                let request = self.prepared.world.genesis_request();
                answer(&self.enclave(place).ask(&Request::Genesis(request)))
            }
            Action::GenesisWithoutConsent(place) => {
                let mut request = self.prepared.world.genesis_request();
                request.consents.pop();
                answer(&self.enclave(place).ask(&Request::Genesis(request)))
            }
            Action::Boot(place) => {
                let waits = self.enclave(place).status().phase == Said::Waiting;
                if waits {
                    self.enclave(place).upload(&self.prepared.echo);
                }
                let chain = self.prepared.chain.clone();
                self.boot(place, chain)
            }
            Action::BootUnapproved(place) => {
                let mut chain = self.prepared.chain.clone();
                chain[0].approvals.pop();
                self.boot(place, chain)
            }
            Action::Verify(who, place) => self.verify(who, place),
            Action::VerifyStale(_, place) => {
                let document = self.enclave(place).attest(Stage::Setup, &common::nonce());
                let challenge = Challenge::draw().unwrap();
                let refused = self.judge(&document, &challenge).unwrap_err();
                let stale = InstanceError::Attestation(AttestationError::NonceMismatch);
                assert_eq!(refused, stale);
                Answer::ToolRefused
            }
            Action::Give(who, place) => {
                let setup = &self.setups[&(who, place)];
                let grant = self.grant(who, setup);
                self.grants.insert((who, place), grant);
                Answer::Done
            }
            Action::Deliver(who, made_for, place) => {
                let grant = self.grants[&(who, made_for)].clone();
                answer(&self.enclave(place).ask(&Request::Provision(grant)))
            }
            Action::DeliverBad(bad, who, place) => {
                let request = self.bad(bad, who, place);
                answer(&self.enclave(place).ask(&Request::Provision(request)))
            }
            Action::End(place) => {
                self.enclaves[usize::from(place)] = None;
                let name = &self.names[usize::from(place)];
                self.prepared.world.hypervisor.stop(name).unwrap();
                Answer::Done
            }
        }
    }

    fn boot(&self, place: Where, chain: Vec<Link>) -> Answer {
        let record = self.prepared.record.clone();
        answer(
            &self
                .enclave(place)
                .ask(&Request::Boot(BootRequest { record, chain })),
        )
    }

    fn judge(
        &self,
        document: &[u8],
        challenge: &Challenge,
    ) -> Result<VerifiedSetup, InstanceError> {
        let prepared = &self.prepared;
        verify_setup(
            document,
            &prepared.genesis,
            &prepared.verified,
            &prepared.anchors,
            &challenge.freshness(prepared.genesis.definition().age_limit),
        )
    }

    /// What a member's tool does before a share leaves.
    fn verify(&mut self, who: Who, place: Where) -> Answer {
        let challenge = Challenge::draw().unwrap();
        let request = AttestRequest {
            stage: Stage::Setup,
            nonce: challenge.nonce().unwrap(),
        };
        let response = self.enclave(place).ask(&Request::Attest(request));
        if let Response::Attested(document) = &response {
            let setup = self.judge(document.as_slice(), &challenge).unwrap();
            self.setups.insert((who, place), setup);
        }
        answer(&response)
    }

    fn index(&self, who: Who) -> ShareIndex {
        self.prepared.shares[usize::from(who)].index()
    }

    /// A grant for the instance with these verified setup keys: no other way leads to one.
    fn grant(&self, who: Who, setup: &VerifiedSetup) -> ProvisionRequest {
        let share = self.prepared.shares[usize::from(who)].to_bytes();
        let sealed = self.sealed(self.index(who), &setup.setup, &*share);
        let grant = self.claim(self.index(who), &setup.setup, setup.facts.document, &sealed);
        let by = &self.prepared.world.people[usize::from(who)];
        ProvisionRequest {
            grant: Signed::sign(grant, &by.signing),
            sealed,
            delegation: None,
        }
    }

    fn sealed(
        &self,
        index: ShareIndex,
        setup: &quorate_protocol::keys::KeyPair,
        scalar: &[u8],
    ) -> SealedShare {
        let (genesis, manifest) = (
            self.prepared.genesis.digest(),
            self.prepared.verified.digest(),
        );
        let epoch = self.prepared.verified.manifest().epoch;
        let context = provision_share_context(&genesis, &manifest, index, &epoch);
        let suite = Suite::P256Sha256Aes256Gcm;
        let (info, key) = (context.info.as_bytes(), setup.encryption.inner());
        let sealed = seal(suite, key, info, &context.aad, scalar, &mut common::rng()).unwrap();
        SealedShare::new(suite, sealed).unwrap()
    }

    fn claim(
        &self,
        index: ShareIndex,
        setup: &quorate_protocol::keys::KeyPair,
        document: Sha256,
        sealed: &SealedShare,
    ) -> ShareGrant {
        ShareGrant {
            role: Role::ShareSet,
            genesis: self.prepared.genesis.digest(),
            manifest: self.prepared.verified.digest(),
            setup: setup.clone(),
            document,
            index,
            epoch: self.prepared.verified.manifest().epoch,
            sealed: Digest::of(sealed),
            time: UnixMillis(1),
        }
    }

    /// What a dishonest member or host makes. It needs no verification: the setup keys are public.
    fn bad(&mut self, bad: Bad, who: Who, place: Where) -> ProvisionRequest {
        let challenge = Challenge::draw().unwrap();
        let request = AttestRequest {
            stage: Stage::Setup,
            nonce: challenge.nonce().unwrap(),
        };
        let setup = match self.enclave(place).ask(&Request::Attest(request)) {
            Response::Attested(document) => {
                self.judge(document.as_slice(), &challenge).unwrap().setup
            }
            // It is in another phase, and refuses whatever comes.
            _ => {
                let member = self.prepared.world.people[0].member();
                quorate_protocol::keys::KeyPair {
                    encryption: member.encryption_key,
                    verification: member.signing_key,
                }
            }
        };
        let own = self.prepared.shares[usize::from(who)].to_bytes();
        let other = Secret::random(&mut common::rng()).signing_key().to_bytes();
        let index = match bad {
            Bad::Stranger => common::index(250),
            _ => self.index(who),
        };
        let number: &[u8] = match bad {
            Bad::WrongShare => &other,
            _ => &*own,
        };
        let sealed = self.sealed(index, &setup, number);
        let grant = self.claim(index, &setup, Sha256([7; 32]), &sealed);
        let people = &self.prepared.world.people;
        let by = match bad {
            Bad::Forged => usize::from(who) + 1,
            _ => usize::from(who),
        };
        let signing = &people[by % people.len()].signing;
        ProvisionRequest {
            grant: Signed::sign(grant, signing),
            sealed: match bad {
                Bad::Swapped => self.sealed(index, &setup, number),
                _ => sealed,
            },
            delegation: None,
        }
    }

    /// Whether every enclave is what the model says it is.
    fn assert_is(&self, state: &State, about: &str) {
        for (enclave, phase) in self.enclaves.iter().zip(&state.enclaves) {
            let Some(enclave) = enclave else {
                assert_eq!(*phase, Phase::Ended, "{about}");
                continue;
            };
            let status = enclave.status();
            let accepted = status.accepted.iter();
            let accepted: BTreeSet<Who> = accepted.map(|index| index.0.get() - 1).collect();
            let said = match status.phase {
                Said::Waiting => Phase::Waiting,
                Said::Born => Phase::Born,
                Said::Collecting => Phase::Collecting(accepted),
                Said::Launching | Said::Running => Phase::Running(accepted),
                other => panic!("{about}: {other:?}"),
            };
            assert_eq!(said, *phase, "{about}");
        }
    }

    fn end(self) {
        for (enclave, name) in self.enclaves.iter().zip(&self.names) {
            if enclave.is_some() {
                self.prepared.world.hypervisor.stop(name).unwrap();
            }
        }
        // Each has a copy of init; there are hundreds of them.
        for folder in &self.folders {
            std::fs::remove_dir_all(folder).unwrap();
        }
    }
}

/// What the model calls an answer.
fn answer(response: &Response) -> Answer {
    let Response::Refused(refusal) = response else {
        return Answer::Done;
    };
    Answer::Refused(match refusal.reason {
        Reason::ApprovalsMissing => Refusal::ApprovalsMissing,
        Reason::CiphertextMismatch => Refusal::CiphertextMismatch,
        Reason::ConsentMissing => Refusal::ConsentMissing,
        Reason::GrantForAnother => Refusal::GrantForAnother,
        Reason::GrantSignature => Refusal::GrantSignature,
        Reason::NotAMember => Refusal::NotAMember,
        Reason::NothingToAttest => Refusal::NothingToAttest,
        Reason::ShareRepeated => Refusal::ShareRepeated,
        Reason::ShareWrong => Refusal::ShareWrong,
        Reason::WrongPhase => Refusal::WrongPhase,
        other => panic!("the model does not know {other:?}: {refusal:?}"),
    })
}

/// Walks every trace whose place is `nth` of so many.
fn drive(members: u8, threshold: u8, enclaves: u8, every: usize) {
    let model = Ceremony::new(members, threshold, enclaves);
    let mut prepared = Prepared::new(members, threshold);
    let traces = model::traces(&model);
    let (mut walked, mut refusals) = (0, 0);
    for trace in traces.iter().step_by(every) {
        let mut walk = Walk::start(&mut prepared, enclaves);
        let mut state = model.start();
        for action in trace {
            let (expected, next) = model.respond(&state, *action).unwrap();
            let about = format!("{action:?} in {trace:?}");
            assert_eq!(walk.act(*action), expected, "{about}");
            walk.assert_is(&next, &about);
            state = next;
        }
        for action in model.every_action() {
            match model.respond(&state, action) {
                Some((expected @ (Answer::Refused(_) | Answer::ToolRefused), _)) => {
                    let about = format!("{action:?} after {trace:?}");
                    assert_eq!(walk.act(action), expected, "{about}");
                    refusals += 1;
                }
                _ => continue,
            }
        }
        walk.assert_is(&state, &format!("after refusals behind {trace:?}"));
        walk.end();
        walked += 1;
    }
    println!(
        "{threshold} of {members}, {enclaves} enclaves: {walked} of {} traces, {refusals} refusals",
        traces.len()
    );
    assert!(walked > 20 && refusals > walked);
}

#[test]
fn every_trace_of_one_enclave_is_what_the_real_init_does() {
    drive(3, 2, 1, 1);
}

/// Grants of one instance at another; the whole model is larger than a test should be slow.
#[test]
fn traces_of_two_enclaves_are_what_the_real_init_does() {
    drive(2, 2, 2, 16);
}

/// That a walk notices: a model with another rule is contradicted by the enclave.
#[test]
fn a_model_that_is_wrong_fails_closed() {
    let mut prepared = Prepared::new(2, 2);
    let mut walk = Walk::start(&mut prepared, 1);
    assert_eq!(walk.act(Action::Genesis(0)), Answer::Done);
    let mut broken = Ceremony::new(2, 2, 1);
    broken.rules = model::ceremony::Rules::BornBoots;
    let (_, born) = broken.respond(&broken.start(), Action::Genesis(0)).unwrap();
    let (expected, _) = broken.respond(&born, Action::Boot(0)).unwrap();
    assert_ne!(walk.act(Action::Boot(0)), expected);
    walk.end();
    // What the ceremony was prepared with is what the members signed.
    let again = consents(&prepared.world.definition, &prepared.world.people);
    assert_eq!(again.len(), set(&prepared.world.people, 2).members.len());
}
