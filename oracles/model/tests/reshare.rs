//! Traces of the model of resharing against the code: real instances that run the real init, what a
//! new member's tool verifies before it takes a share, and the reading of the chain.
//!
//! Each state of the model is the end of one of its shortest traces, walked with instances of its
//! own. At its end everything that the model says is refused there is tried and must be refused for
//! that reason; and the shares that the model calls usable then provision a new instance of the newest
//! manifest, as many as it takes and no fewer. Nothing in it is computed from the old key.
//!
//! Needs the static enclave binaries (`./test` builds them first).

#[path = "../../../emulator/tests/common/mod.rs"]
mod common;
#[path = "../../../emulator/tests/reshare/namespace.rs"]
mod namespace;

use std::collections::{BTreeMap, BTreeSet};

use common::{Instance, Person, World, copies};
use model::reshare::{Action, Answer, Epoch, Refusal, Reshare as Model, State, Where, Who};
use namespace::{Namespace, ask, same};
use quorate_protocol::atoms::Name;
use quorate_protocol::cose::Signed;
use quorate_protocol::instance::Index;
use quorate_protocol::manifest::Link;
use quorate_protocol::message::{Phase, Reason, Request, Response};
use quorate_protocol::reshare::{Reshare, ReshareReceipt, ReshareRequest};
use quorate_quorum_ceremony::pins::SharePin;
use quorate_quorum_ceremony::steps::reshare::destroy::out_of_use;
use quorate_sharing::{Secret, Share};
use quorate_verify::chain::{ChainError, walk};
use quorate_verify::genesis::VerifiedGenesis;
use quorate_verify::reshare::{ReshareError, ResharePart, verify_reshare};

/// One walk along a trace.
struct Walk<'n> {
    namespace: &'n mut Namespace,
    genesis: VerifiedGenesis,
    instances: Vec<Option<Instance>>,
    /// Of every enclave this walk started: its name and its folder.
    started: Vec<(Name, std::path::PathBuf)>,
    orders: BTreeMap<Where, ReshareRequest>,
    records: BTreeMap<Where, Reshare>,
    shares: BTreeMap<(Where, Who), Share>,
    receipts: BTreeMap<(Where, Who), Signed<ReshareReceipt>>,
    chain: Vec<Link>,
    old: BTreeMap<Who, Share>,
}

impl<'n> Walk<'n> {
    fn start(namespace: &'n mut Namespace, instances: u8) -> Self {
        let old = copies(&namespace.running.shares);
        let mut walk = Self {
            genesis: VerifiedGenesis::from_record(namespace.record.clone()).unwrap(),
            instances: Vec::new(),
            started: Vec::new(),
            orders: BTreeMap::new(),
            records: BTreeMap::new(),
            shares: BTreeMap::new(),
            receipts: BTreeMap::new(),
            chain: namespace.running.chain.clone(),
            old: (0..).zip(old).collect(),
            namespace,
        };
        for _ in 0..instances {
            let instance = walk.namespace.another();
            walk.note(&instance);
            walk.instances.push(Some(instance));
        }
        walk
    }

    fn note(&mut self, instance: &Instance) {
        let folder = instance.enclave.started.directory.clone();
        self.started.push((self.namespace.world.newest(), folder));
    }

    fn instance(&self, place: Where) -> &Instance {
        self.instances[usize::from(place)].as_ref().unwrap()
    }

    /// Does what the model did, and says what came of it.
    fn act(&mut self, action: Action) -> Answer {
        match action {
            Action::Order(place) => self.order(place),
            Action::Deliver(order, place) => {
                let request = self.orders[&order].clone();
                self.deliver(&request, place)
            }
            Action::DeliverUnconsented(place) => {
                let mut request = self.orders[&place].clone();
                request.consents.pop();
                self.deliver(&request, place)
            }
            Action::Receive(from, who) => {
                let record = self.records[&from].clone();
                self.verify(&record).unwrap();
                let share = self.namespace.open(&record).remove(usize::from(who));
                self.shares.insert((from, who), share);
                Answer::Done
            }
            Action::ReceiveForged(from, _) => {
                let mut record = self.records[&from].clone();
                let stranger = Secret::random(&mut common::rng()).signing_key();
                record.record = Signed::sign(record.record.unverified().clone(), &stranger);
                let part = ResharePart::Record;
                assert_eq!(
                    self.verify(&record).unwrap_err(),
                    ReshareError::Signature { part }
                );
                Answer::ToolRefused
            }
            Action::Prove(from, who) => {
                let share = Share::from_bytes(
                    self.shares[&(from, who)].index(),
                    &self.shares[&(from, who)].to_bytes(),
                );
                let receipt =
                    self.namespace
                        .receipt(&self.records[&from], &share.unwrap(), who.into());
                self.receipts.insert((from, who), receipt);
                Answer::Done
            }
            Action::Name(from) => {
                let link = self.link(from, &[]);
                self.read(link)
            }
            Action::NameMixed(from, other) => {
                let mut strange: Vec<_> = self.receipts_of(other).cloned().collect();
                // Of somebody whose own receipt is not there, so that it would count.
                let own: BTreeSet<_> = self
                    .receipts_of(from)
                    .map(|receipt| receipt.unverified().index)
                    .collect();
                strange.sort_by_key(|receipt| own.contains(&receipt.unverified().index));
                strange.truncate(1);
                let link = self.link(from, &strange);
                self.read(link)
            }
            Action::Destroy(who) => {
                let pin = SharePin {
                    index: Index(self.namespace.world.people[usize::from(who)].index),
                    epoch: self.genesis.epoch(),
                };
                let old = out_of_use(self.genesis.epoch(), &self.chain, std::iter::once(&pin));
                if old.is_empty() {
                    return Answer::ToolRefused;
                }
                self.old.remove(&who).unwrap();
                Answer::Done
            }
            Action::End(place) => {
                self.instances[usize::from(place)] = None;
                let (name, _) = &self.started[usize::from(place)];
                self.namespace.world.hypervisor.stop(name).unwrap();
                Answer::Done
            }
        }
    }

    fn order(&mut self, place: Where) -> Answer {
        let instance = self.instance(place);
        let challenge = match instance.enclave.ask(&Request::ReshareChallenge) {
            Response::ReshareChallenge(challenge) => challenge,
            other => return refused(&other),
        };
        let order = self
            .namespace
            .order_for(instance, challenge.nonce, challenge.expires);
        let request = self.namespace.request(&order);
        self.orders.insert(place, request);
        Answer::Done
    }

    fn deliver(&mut self, request: &ReshareRequest, place: Where) -> Answer {
        match ask(&self.instance(place).enclave, request) {
            Response::Reshared(record) => {
                if let Some(known) = self.records.get(&place) {
                    assert_eq!(*known, *record, "another answer to the same order");
                }
                self.records.insert(place, *record);
                Answer::Done
            }
            other => refused(&other),
        }
    }

    /// What a new member's tool does before it takes a share.
    fn verify(&self, record: &Reshare) -> Result<(), ReshareError> {
        let running = self.namespace.running.manifest();
        verify_reshare(&self.genesis, running, record).map(|_| ())
    }

    fn receipts_of(&self, from: Where) -> impl Iterator<Item = &Signed<ReshareReceipt>> {
        let all = self.receipts.iter();
        all.filter(move |((of, _), _)| *of == from)
            .map(|(_, receipt)| receipt)
    }

    /// The manifest that names the epoch of this record, with its receipts and these.
    fn link(&self, from: Where, strange: &[Signed<ReshareReceipt>]) -> Link {
        let mut receipts: Vec<_> = self.receipts_of(from).cloned().collect();
        receipts.extend(strange.iter().cloned());
        let mut completed = self.namespace.completed(&self.records[&from], &[], &[]);
        completed.receipts = receipts;
        self.namespace.second(completed)
    }

    /// What everybody does who is given a chain; those who approve before they sign.
    fn read(&mut self, link: Link) -> Answer {
        let mut chain = self.chain.clone();
        chain.push(link);
        match walk(&self.genesis, &chain) {
            Ok(_) => {
                self.chain = chain;
                Answer::Done
            }
            Err(ChainError::Reshare { error, .. }) => Answer::ChainRefused(match error {
                ReshareError::ReceiptsMissing { .. } => Refusal::ReceiptsMissing,
                ReshareError::ReceiptOfAnother { .. } => Refusal::ReceiptOfAnother,
                other => panic!("{other:?}"),
            }),
            Err(other) => panic!("{other:?}"),
        }
    }

    /// Whether every instance is what the model says it is.
    fn assert_is(&self, state: &State, about: &str) {
        for (place, instance) in (0..).zip(&self.instances) {
            let ended = state.ended.contains(&place);
            assert_eq!(instance.is_none(), ended, "{about}");
            if let Some(instance) = instance {
                assert_eq!(instance.enclave.status().phase, Phase::Running, "{about}");
            }
        }
        let received: BTreeSet<_> = self.shares.keys().copied().collect();
        assert_eq!(received, state.received, "{about}");
        assert_eq!(self.chain.len() == 1, state.named == Epoch::Old, "{about}");
    }

    /// The shares that count by the model, and no others, provision an instance of the newest manifest.
    fn assert_usable(&mut self, model: &Model, state: &State, about: &str) {
        let usable = model.usable(state);
        let threshold = usize::from(model.threshold(state));
        assert!(usable.len() >= threshold, "{about}");
        let (mut shares, mut people) = (Vec::new(), Vec::new());
        for who in usable {
            let (share, person) = match state.named {
                Epoch::Old => (
                    &self.old[&who],
                    &self.namespace.world.people[usize::from(who)],
                ),
                Epoch::Of(from) => (
                    &self.shares[&(from, who)],
                    &self.namespace.next[usize::from(who)],
                ),
            };
            shares.push(Share::from_bytes(share.index(), &share.to_bytes()).unwrap());
            people.push(same(person));
        }
        let (record, chain) = (self.namespace.record.clone(), self.chain.clone());
        let instance = self.namespace.world.boot(record, shares, chain);
        self.note(&instance);
        for (position, person) in people.iter().enumerate().take(threshold) {
            let status = instance.enclave.status();
            assert_eq!(
                status.phase,
                Phase::Collecting,
                "{about}: {position} shares"
            );
            let sealed = instance.sealed(position, &*instance.shares[position].to_bytes());
            let grant = instance.signed(instance.grant(position), sealed, person);
            let answer = instance.enclave.ask(&Request::Provision(grant));
            assert!(
                matches!(answer, Response::Provisioned(_)),
                "{about}: {answer:?}"
            );
        }
        instance.await_running();
        let (name, _) = self.started.last().unwrap();
        self.namespace.world.hypervisor.stop(name).unwrap();
    }

    fn end(self) {
        for (instance, (name, _)) in self.instances.iter().zip(&self.started) {
            if instance.is_some() {
                self.namespace.world.hypervisor.stop(name).unwrap();
            }
        }
        // Each has a copy of init.
        for (_, folder) in &self.started {
            std::fs::remove_dir_all(folder).unwrap();
        }
    }
}

/// What the model calls an instance's refusal.
fn refused(response: &Response) -> Answer {
    let Response::Refused(refusal) = response else {
        panic!("{response:?}");
    };
    Answer::Refused(match refusal.reason {
        Reason::ReshareOpen => Refusal::Open,
        Reason::ReshareForAnother => Refusal::ForAnother,
        Reason::ReshareConsentsMissing => Refusal::ConsentsMissing,
        Reason::ReshareNonce => Refusal::Nonce,
        other => panic!("the model does not know {other:?}: {refusal:?}"),
    })
}

/// The first old member stays, and the others are new.
fn namespace(model: &Model) -> Namespace {
    assert_eq!(model.old.1, 2);
    let (old, new) = (model.old.0, model.new.0);
    let next = |world: &World| {
        let mut next = vec![same(&world.people[0])];
        let joining = (old + 1..).take(usize::from(new) - 1);
        next.extend(joining.map(|n| Person::new(&format!("new-{n}"), n)));
        next
    };
    Namespace::of(old, next, model.new.1)
}

/// Walks one in `every` of the model's traces.
fn drive(model: &Model, every: usize) {
    let mut namespace = namespace(model);
    let traces = model::traces(model);
    let (mut walked, mut refusals, mut named) = (0, 0, 0);
    for trace in traces.iter().step_by(every) {
        let mut walk = Walk::start(&mut namespace, model.instances);
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
                None | Some((Answer::Done, _)) => {}
                Some((expected, _)) => {
                    let about = format!("{action:?} after {trace:?}");
                    assert_eq!(walk.act(action), expected, "{about}");
                    refusals += 1;
                }
            }
        }
        let about = format!("behind {trace:?}");
        walk.assert_is(&state, &about);
        walk.assert_usable(model, &state, &about);
        walk.end();
        walked += 1;
        named += usize::from(state.named != Epoch::Old);
    }
    println!(
        "{:?} to {:?}, {} instances: {walked} of {} traces, {named} with new shares, {refusals} refusals",
        model.old,
        model.new,
        model.instances,
        traces.len()
    );
    assert!(walked > 20 && refusals > walked && named > 5);
}

#[test]
fn traces_of_one_instance_are_what_the_real_init_does() {
    drive(&Model::new((2, 2), (3, 2), 1), 3);
}

/// Orders and receipts of one instance at another; the whole model is larger than a test should be
/// slow.
#[test]
fn traces_of_two_instances_are_what_the_real_init_does() {
    drive(&Model::new((3, 2), (2, 2), 2), 37);
}

/// That a walk notices: a model with another rule is contradicted by the instance, the chain, the tool.
#[test]
fn a_model_of_resharing_that_is_wrong_fails_closed() {
    use model::reshare::Rules;
    let kept = Model::new((2, 2), (2, 2), 2);
    let mut namespace = namespace(&kept);
    let cases = [
        (
            Rules::AnyOrderTaken,
            &[Action::Order(0)][..],
            Action::Deliver(0, 1),
        ),
        (
            Rules::NamedUnproved,
            &[Action::Order(0), Action::Deliver(0, 0)],
            Action::Name(0),
        ),
        (Rules::DestroyedEarly, &[], Action::Destroy(0)),
    ];
    for (rules, before, last) in cases {
        let mut broken = kept.clone();
        broken.rules = rules;
        let mut walk = Walk::start(&mut namespace, 2);
        let mut state = broken.start();
        for action in before {
            let (expected, next) = broken.respond(&state, *action).unwrap();
            assert_eq!(walk.act(*action), expected, "{rules:?}");
            state = next;
        }
        let (expected, _) = broken.respond(&state, last).unwrap();
        assert_ne!(walk.act(last), expected, "{rules:?}");
        walk.end();
    }
}
