//! One walk along a trace: enclaves, tools and verifiers do what the model did.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use model::drill::{
    Action, Answer, Drill as Model, Epoch, Grant, Part, Phase, Refusal, Run, State, ToolRefusal,
    Where, Who,
};
use quorate_protocol::atoms::{Bytes, Name, UnixMillis};
use quorate_protocol::drill::{Drill, DrillFinishRequest, DrillRequest};
use quorate_protocol::instance::Index;
use quorate_protocol::message::{
    AttestRequest, Phase as Said, ProvisionRequest, Reason, Request, Response, Stage,
};
use quorate_quorum_ceremony::challenge::Challenge;
use quorate_quorum_ceremony::pins::SharePin;
use quorate_quorum_ceremony::steps::reshare::destroy::out_of_use;
use quorate_sharing::Share;
use quorate_verify::attestation::AttestationError;
use quorate_verify::drill::{DrillError, VerifiedDrill, verify_drill};
use quorate_verify::instance::{Commitment, InstanceError, verify_drill_setup, verify_setup};

use crate::bad::bad;
use crate::common::{self, Enclave, Instance};
use crate::prepared::{Prepared, boot_request, copy, part};
use crate::rehearsal::{Rehearsal, give};

/// What an enclave is for.
enum Slot {
    Waiting(Enclave),
    Drill(Box<Rehearsal>, Epoch),
    Instance(Box<Instance>),
}

impl Slot {
    fn enclave(&self) -> &Enclave {
        match self {
            Self::Waiting(enclave) => enclave,
            Self::Drill(rehearsal, _) => &rehearsal.enclave,
            Self::Instance(instance) => &instance.enclave,
        }
    }
}

/// One walk along a trace.
pub(crate) struct Walk<'p> {
    prepared: &'p mut Prepared,
    slots: Vec<Option<Slot>>,
    runs: Vec<u8>,
    names: Vec<Name>,
    folders: Vec<PathBuf>,
    grants: BTreeMap<Grant, DrillRequest>,
    real: BTreeMap<(Who, Run), ProvisionRequest>,
    records: BTreeMap<Run, Drill>,
    newest: Epoch,
}

impl<'p> Walk<'p> {
    pub(crate) fn start(prepared: &'p mut Prepared, places: u8) -> Self {
        let mut walk = Self {
            prepared,
            slots: Vec::new(),
            runs: vec![0; usize::from(places)],
            names: Vec::new(),
            folders: Vec::new(),
            grants: BTreeMap::new(),
            real: BTreeMap::new(),
            records: BTreeMap::new(),
            newest: Epoch::Old,
        };
        for _ in 0..places {
            let (slot, name) = walk.another();
            walk.slots.push(Some(slot));
            walk.names.push(name);
        }
        walk
    }

    fn another(&mut self) -> (Slot, Name) {
        let enclave = self.prepared.world.start();
        self.folders.push(enclave.started.directory.clone());
        (Slot::Waiting(enclave), self.prepared.world.newest())
    }

    fn slot(&self, place: Where) -> &Slot {
        self.slots[usize::from(place)].as_ref().unwrap()
    }

    fn ask(&self, place: Where, request: &Request) -> Response {
        self.slot(place).enclave().ask(request)
    }

    fn run(&self, place: Where) -> Run {
        (place, self.runs[usize::from(place)])
    }

    fn drill(&self, place: Where) -> (&Rehearsal, Epoch) {
        match self.slot(place) {
            Slot::Drill(rehearsal, epoch) => (rehearsal, *epoch),
            _ => panic!("no drill at {place}"),
        }
    }

    /// Puts an enclave that waits to use.
    fn used(&mut self, place: Where, to: impl FnOnce(Enclave) -> Slot) {
        let slot = &mut self.slots[usize::from(place)];
        let Some(Slot::Waiting(enclave)) = slot.take() else {
            panic!("it was in use");
        };
        *slot = Some(to(enclave));
    }

    /// Does what the model did, and says what came of it.
    pub(crate) fn act(&mut self, action: Action) -> Answer {
        match action {
            Action::Start(place, epoch) => self.start_drill(place, epoch),
            Action::StartUnapproved(place) => {
                let named = &self.prepared.old;
                let mut request = boot_request(&self.prepared.genesis, &named.chain);
                request.chain[0].approvals.pop();
                answer(&self.ask(place, &Request::Drill(Box::new(request))))
            }
            Action::Boot(place, epoch) => self.boot(place, epoch),
            Action::Restart(place) => {
                self.slots[usize::from(place)] = None;
                let name = &self.names[usize::from(place)];
                self.prepared.world.hypervisor.stop(name).unwrap();
                let (slot, name) = self.another();
                self.slots[usize::from(place)] = Some(slot);
                self.names[usize::from(place)] = name;
                self.runs[usize::from(place)] += 1;
                Answer::Done
            }
            Action::Give(who, place) => self.give(who, place),
            Action::GiveHostile(who, place, what) => {
                let (rehearsal, epoch) = self.drill(place);
                let request = part(rehearsal, self.prepared.named(epoch), who, what);
                let grant = Grant {
                    who,
                    run: self.run(place),
                    epoch,
                    part: what,
                };
                self.grants.insert(grant, request);
                Answer::Done
            }
            Action::Deliver(grant, place) => {
                let request = &self.grants[&grant];
                answer(&give(self.slot(place).enclave(), request))
            }
            Action::DeliverBad(kind, who, place) => {
                let ended = self.records.contains_key(&self.run(place));
                let request = match self.slot(place) {
                    Slot::Drill(..) if !ended => bad(self.prepared, self.drill(place), kind, who),
                    _ => self.prepared.stray.clone(),
                };
                answer(&give(self.slot(place).enclave(), &request))
            }
            Action::Provision(who, place) => self.provision(who, place),
            Action::DeliverReal(who, run, place) => {
                let request = self.real[&(who, run)].clone();
                answer(&self.ask(place, &Request::Provision(request)))
            }
            Action::Finish(place) => self.finish(place),
            Action::FinishReplayed(of, place) => self.finish_replayed(of, place),
            Action::Reshare => Answer::Done,
            Action::DestroyEarly => {
                let old = &self.prepared.old;
                let pin = SharePin {
                    index: Index(old.people[&0].index),
                    epoch: self.prepared.genesis.epoch(),
                };
                let chain = &self.prepared.named(self.newest).chain;
                let out = out_of_use(pin.epoch, chain, std::iter::once(&pin));
                match out.is_empty() {
                    true => Answer::ToolRefused(ToolRefusal::StillCounts),
                    false => Answer::Done,
                }
            }
        }
    }

    fn start_drill(&mut self, place: Where, epoch: Epoch) -> Answer {
        let chain = &self.prepared.named(epoch).chain;
        let request = Box::new(boot_request(&self.prepared.genesis, chain));
        match self.ask(place, &Request::Drill(request)) {
            Response::DrillStarted(setup) => {
                let named = self.prepared.named(epoch);
                let (manifest, drill) = (named.verified.manifest().clone(), named.drill.clone());
                let genesis = self.prepared.genesis.record().clone();
                let to = |enclave| Rehearsal {
                    enclave,
                    setup: *setup,
                    genesis,
                    manifest,
                    drill,
                };
                self.used(place, |enclave| Slot::Drill(Box::new(to(enclave)), epoch));
                Answer::Done
            }
            other => answer(&other),
        }
    }

    fn boot(&mut self, place: Where, epoch: Epoch) -> Answer {
        if let Slot::Waiting(enclave) = self.slot(place) {
            enclave.upload(&common::echo());
        }
        let chain = self.prepared.named(epoch).chain.clone();
        let request = boot_request(&self.prepared.genesis, &chain);
        let record = request.record.clone();
        match self.ask(place, &Request::Boot(request)) {
            Response::Booted(booted) => {
                let shares = self.prepared.named(epoch).real.values().map(copy).collect();
                let to = |enclave| Instance {
                    enclave,
                    record,
                    chain,
                    shares,
                    booted: *booted,
                };
                self.used(place, |enclave| Slot::Instance(Box::new(to(enclave))));
                Answer::Done
            }
            other => answer(&other),
        }
    }

    /// What the enclave attests at a stage for a member's nonce, or that it does not.
    fn attest(&self, place: Where, stage: Stage, challenge: &Challenge) -> Option<Vec<u8>> {
        let nonce = challenge.nonce().unwrap();
        let request = AttestRequest { stage, nonce };
        match self.ask(place, &Request::Attest(request)) {
            Response::Attested(document) => Some(document.into_vec()),
            Response::Refused(_) => None,
            other => panic!("{other:?}"),
        }
    }

    /// What `drill give` does before and until something leaves. A host may answer with what another
    /// stage attests.
    fn give(&mut self, who: Who, place: Where) -> Answer {
        let challenge = Challenge::draw().unwrap();
        let stages = [Stage::Drill, Stage::Setup, Stage::Live].into_iter();
        let mut attested = stages.filter_map(|stage| self.attest(place, stage, &challenge));
        let Some(document) = attested.next() else {
            return Answer::ToolRefused(ToolRefusal::Unattested);
        };
        let prepared = &*self.prepared;
        let named = prepared.named(self.newest);
        let freshness = challenge.freshness(prepared.genesis.definition().age_limit);
        let (genesis, anchors) = (&prepared.genesis, &prepared.anchors);
        let verified = verify_drill_setup(&document, genesis, &named.verified, anchors, &freshness);
        let setup = match verified {
            Ok(verified) => verified.setup,
            Err(error) => return Answer::ToolRefused(tool_refusal(&error)),
        };
        let (rehearsal, _) = self.drill(place);
        assert_eq!(setup, rehearsal.setup);
        let request = part(rehearsal, named, who, Part::Whole);
        let grant = Grant {
            who,
            run: self.run(place),
            epoch: self.newest,
            part: Part::Whole,
        };
        self.grants.insert(grant, request);
        Answer::Done
    }

    /// What `provision` does before and until something leaves.
    fn provision(&mut self, who: Who, place: Where) -> Answer {
        let challenge = Challenge::draw().unwrap();
        let mut stages = [Stage::Setup, Stage::Drill].into_iter();
        let Some(document) = stages.find_map(|stage| self.attest(place, stage, &challenge)) else {
            return Answer::ToolRefused(ToolRefusal::Unattested);
        };
        let prepared = &*self.prepared;
        let named = prepared.named(self.newest);
        let freshness = challenge.freshness(prepared.genesis.definition().age_limit);
        let (genesis, anchors) = (&prepared.genesis, &prepared.anchors);
        let verified = verify_setup(&document, genesis, &named.verified, anchors, &freshness);
        if let Err(error) = verified {
            return Answer::ToolRefused(tool_refusal(&error));
        }
        let Slot::Instance(instance) = self.slot(place) else {
            panic!("an instance's attestation, of none");
        };
        let (person, share) = (&named.people[&who], &named.real[&who]);
        let shares = instance.shares.iter();
        let position = shares.map(Share::index).position(|i| i == share.index());
        let position = position.unwrap();
        let sealed = instance.sealed(position, &*share.to_bytes());
        let request = instance.signed(instance.grant(position), sealed, person);
        self.real.insert((who, self.run(place)), request);
        Answer::Done
    }

    fn verify(
        &self,
        drill: &Drill,
        epoch: Epoch,
        challenge: &Challenge,
    ) -> Result<VerifiedDrill, DrillError> {
        let prepared = &*self.prepared;
        let named = prepared.named(epoch);
        let freshness = challenge.freshness(prepared.genesis.definition().age_limit);
        verify_drill(
            &prepared.genesis,
            &named.verified,
            &named.chain,
            &prepared.anchors,
            &freshness,
            drill,
        )
    }

    /// What `drill finish` does.
    fn finish(&mut self, place: Where) -> Answer {
        let challenge = Challenge::draw().unwrap();
        let request = DrillFinishRequest {
            nonce: challenge.nonce().unwrap(),
            due: in_a_month(),
        };
        let drill = match self.ask(place, &Request::DrillFinish(request)) {
            Response::Drilled(drill) => *drill,
            other => return answer(&other),
        };
        let run = self.run(place);
        let epoch = self.drill(place).1;
        let verified = self.verify(&drill, epoch, &challenge).unwrap();
        let gave = verified.participants.iter().filter(|p| p.gave_share);
        let people: BTreeSet<_> = gave.map(|p| p.holder.index).collect();
        let manifest = self.prepared.named(epoch).verified.manifest();
        assert!(people.len() >= usize::from(manifest.share_set.threshold));
        assert_eq!(verified.epoch, manifest.epoch);
        if let Some(known) = self.records.get(&run) {
            assert_eq!(
                known.record, drill.record,
                "another record of the same drill"
            );
            assert_eq!(known.grants, drill.grants);
        }
        self.records.insert(run, drill);
        Answer::Done
    }

    /// The record of one enclave as the answer of another: with the document of that time, and with
    /// what the other one attests for the coordinator's own nonce.
    fn finish_replayed(&self, of: Run, place: Where) -> Answer {
        let challenge = Challenge::draw().unwrap();
        let mut drill = self.records[&of].clone();
        let named = drill.record.unverified().manifest;
        let old = self.prepared.old.verified.digest();
        let epoch = if named == old { Epoch::Old } else { Epoch::New };
        let stale = AttestationError::NonceMismatch;
        assert_eq!(
            self.verify(&drill, epoch, &challenge),
            Err(DrillError::Instance(InstanceError::Attestation(stale)))
        );
        let document = self.attest(place, Stage::Drill, &challenge).unwrap();
        drill.document = Bytes::new(document).unwrap();
        match self.verify(&drill, self.drill(place).1, &challenge) {
            Err(DrillError::RecordSignature) => Answer::ToolRefused(ToolRefusal::RecordSignature),
            other => panic!("{other:?}"),
        }
    }

    /// Takes over what the model has of the resharing.
    pub(crate) fn note(&mut self, state: &State) {
        self.newest = state.newest();
    }

    /// Whether every enclave is what the model says it is.
    pub(crate) fn assert_is(&self, state: &State, about: &str) {
        for (slot, phase) in self.slots.iter().zip(&state.enclaves) {
            let status = slot.as_ref().unwrap().enclave().status();
            let accepted: BTreeSet<Who> = status.accepted.iter().map(|i| i.0.get() - 1).collect();
            let proved = |taken: &model::drill::Taken| {
                let from = taken.from.iter().map(|(who, _)| *who);
                from.collect::<BTreeSet<_>>()
            };
            let (said, from) = match phase {
                Phase::Waiting => (Said::Waiting, BTreeSet::new()),
                Phase::Drilling(taken) => (Said::Drilling, proved(taken)),
                Phase::Drilled(taken) => (Said::Drilled, proved(taken)),
                Phase::Collecting(_, has) => (Said::Collecting, has.clone()),
                Phase::Running(_, has) => (Said::Running, has.clone()),
            };
            let phase = match status.phase {
                Said::Launching => Said::Running,
                other => other,
            };
            assert_eq!((phase, &accepted), (said, &from), "{about}");
            let drill = matches!(said, Said::Drilling | Said::Drilled);
            assert!(!drill || status.applications.is_empty(), "{about}");
        }
    }

    /// Honest people hold a drill, in an enclave of its own.
    pub(crate) fn assert_a_drill_can_be_held(&mut self, model: &Model, about: &str) {
        let (slot, name) = self.another();
        let place = u8::try_from(self.slots.len()).unwrap();
        self.slots.push(Some(slot));
        self.names.push(name);
        self.runs.push(0);
        let newest = self.newest;
        let everybody = 0..=model.members;
        let honest = everybody.filter(|who| model.holds(*who, newest) && !model.is_hostile(*who));
        let mut steps = vec![Action::Start(place, newest)];
        for who in honest {
            steps.push(Action::Give(who, place));
            let grant = Grant {
                who,
                run: (place, 0),
                epoch: newest,
                part: Part::Whole,
            };
            steps.push(Action::Deliver(grant, place));
        }
        steps.push(Action::Finish(place));
        for step in steps {
            assert_eq!(self.act(step), Answer::Done, "{step:?}, {about}");
        }
    }

    pub(crate) fn end(self) {
        for name in &self.names {
            self.prepared.world.hypervisor.stop(name).unwrap();
        }
        // Each has a copy of init.
        for folder in &self.folders {
            std::fs::remove_dir_all(folder).unwrap();
        }
    }
}

/// A date within bounds.
fn in_a_month() -> UnixMillis {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let month = 30 * 24 * 60 * 60 * 1000;
    UnixMillis(u64::try_from(now.as_millis()).unwrap() + month)
}

/// What the model calls a tool's refusal of an attestation.
fn tool_refusal(error: &InstanceError) -> ToolRefusal {
    match error {
        InstanceError::ForDrill => ToolRefusal::ForDrill,
        InstanceError::NotForDrill => ToolRefusal::NotForDrill,
        InstanceError::Commitment {
            commitment: Commitment::Drill | Commitment::Setup,
            ..
        } => ToolRefusal::OtherManifest,
        other => panic!("the model does not know {other:?}"),
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
        Reason::DrillNotHere => Refusal::DrillNotHere,
        Reason::DrillOnly => Refusal::DrillOnly,
        Reason::DrillOver => Refusal::DrillOver,
        Reason::DrillProof => Refusal::DrillProof,
        Reason::DrillRealShare => Refusal::DrillRealShare,
        Reason::DrillUnfinished => Refusal::DrillUnfinished,
        Reason::GrantForAnother => Refusal::GrantForAnother,
        Reason::GrantSignature => Refusal::GrantSignature,
        Reason::NotAMember => Refusal::NotAMember,
        Reason::ShareRepeated => Refusal::ShareRepeated,
        Reason::ShareWrong => Refusal::ShareWrong,
        Reason::WrongPhase => Refusal::WrongPhase,
        other => panic!("the model does not know {other:?}: {refusal:?}"),
    })
}
