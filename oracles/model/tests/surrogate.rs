//! Traces of the model of surrogates against the code: the real init, each enclave a process with an
//! emulated NSM, whose clock says on which side of a delegation's end it is.
//!
//! Each walk follows a shortest trace to a state. At its end everything that the model says is refused
//! there is tried and must be refused for that reason and change nothing; then the members alone finish.
//!
//! Needs the static enclave binaries (`./test` builds them first).

#[path = "../../../emulator/tests/common/mod.rs"]
mod common;

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use common::{Enclave, Instance, Person, World, approvals, copies, echo};
use model::surrogate::{
    Act, Action, Answer, Bad, By, MEMBERS, Other, Phase, Refusal, Rules, State, Surrogates,
    THRESHOLD_OF_BOTH, Who,
};
use quorate_emulator::fault::Faults;
use quorate_protocol::atoms::{Name, UnixMillis};
use quorate_protocol::cbor::Checked;
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::GenesisRecord;
use quorate_protocol::keys::{EncryptionKey, VerificationKey};
use quorate_protocol::manifest::{Approval, Link, Manifest};
use quorate_protocol::members::Role;
use quorate_protocol::message::{
    BootRequest, Phase as Said, ProvisionRequest, Reason, Request, Response,
};
use quorate_protocol::surrogate::{Delegation, DelegationFields, SurrogateApproval};
use quorate_sharing::Share;

const HOUR: u64 = 60 * 60 * 1000;

/// A ceremony up to a manifest, and people without a seat, made once for all walks.
struct Prepared {
    world: World,
    record: GenesisRecord,
    shares: Vec<Share>,
    manifest: Manifest,
    others: Vec<Person>,
    echo: Vec<u8>,
    now: u64,
}

impl Prepared {
    fn new() -> Self {
        let mut world = World::new(MEMBERS, THRESHOLD_OF_BOTH);
        let (record, shares) = world.genesis();
        let echo = echo();
        let manifest = Checked::new(world.manifest_fields(&record, &echo)).unwrap();
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Self {
            world,
            record,
            shares,
            manifest,
            others: [("grace", 200), ("heidi", 201), ("ivan", 202)]
                .map(|(name, n)| Person::new(name, n))
                .into(),
            echo,
            now: u64::try_from(since.as_millis()).unwrap(),
        }
    }

    fn member(&self, who: Who) -> &Person {
        &self.world.people[usize::from(who)]
    }

    fn other(&self, other: Other) -> &Person {
        &self.others[usize::from(other)]
    }

    fn fields(&self, who: Who, surrogate: &Person) -> DelegationFields {
        // The first to end does so while a late enclave is not there yet.
        let lasts = if who > 1 { 24 * HOUR } else { HOUR };
        DelegationFields {
            genesis: self.record.digest(),
            member: self.member(who).name.clone(),
            roles: vec![Role::ManifestSet, Role::ShareSet],
            surrogate: surrogate.name.clone(),
            signing_key: VerificationKey::of(&surrogate.signing),
            encryption_key: surrogate.decryption.public().into(),
            sequence: 1,
            expires: UnixMillis(self.now + lasts),
            time: UnixMillis(self.now - 3 * HOUR),
        }
    }

    fn delegation(&self, who: Who, other: Other) -> Signed<Delegation> {
        signed(self.fields(who, self.other(other)), self.member(who))
    }

    /// A delegation that lets nobody act, and who signs the grant beside it.
    fn bad(&self, bad: Bad, who: Who) -> (Signed<Delegation>, &Person) {
        // Somebody who acts for nobody else: it must fail for nothing else.
        let (heidi, ivan) = (self.other(1), self.other(2));
        let mut fields = self.fields(who, ivan);
        match bad {
            Bad::Forged => return (signed(fields, heidi), ivan),
            Bad::Stolen => {
                fields.expires = UnixMillis(self.now + 24 * HOUR);
                return (signed(fields, self.member(who)), heidi);
            }
            Bad::OtherManifest => fields.sequence = 2,
            Bad::OtherSet => fields.roles = vec![Role::ManifestSet],
            Bad::KeyOfMember => {
                fields.encryption_key = EncryptionKey::from(self.member(0).decryption.public());
            }
            Bad::Ended => fields.expires = UnixMillis(self.now - HOUR),
        }
        (signed(fields, self.member(who)), ivan)
    }

    fn link(&self, acts: [Act; 2]) -> Link {
        let mut link = Link {
            manifest: self.manifest.clone(),
            approvals: Vec::new(),
            reshare: None,
            surrogates: Vec::new(),
        };
        for (who, by) in acts {
            let member = std::slice::from_ref(self.member(who));
            match by {
                By::Member => {
                    let given = approvals(&self.manifest, member, Role::ManifestSet);
                    link.approvals.extend(given);
                }
                By::Surrogate(other) => {
                    let approval = Approval {
                        role: Role::ManifestSet,
                        genesis: self.record.digest(),
                        manifest: Digest::of(&self.manifest),
                        index: self.member(who).index,
                        time: UnixMillis(1),
                    };
                    link.surrogates.push(SurrogateApproval {
                        delegation: self.delegation(who, other),
                        approval: Signed::sign(approval, &self.other(other).signing),
                    });
                }
            }
        }
        link
    }
}

fn signed(fields: DelegationFields, by: &Person) -> Signed<Delegation> {
    Signed::sign(Checked::new(fields).unwrap(), &by.signing)
}

/// The enclave of a walk.
enum Slot {
    Waiting(Enclave),
    Booted(Box<Instance>),
}

struct Walk<'p> {
    prepared: &'p mut Prepared,
    slot: Option<Slot>,
    name: Name,
    folder: std::path::PathBuf,
}

impl<'p> Walk<'p> {
    fn start(prepared: &'p mut Prepared, late: bool) -> Self {
        let mut faults = Faults::default();
        if late {
            faults.nsm.clock_skew_ms = i64::try_from(2 * HOUR).unwrap();
        }
        let enclave = prepared.world.start_process(None, &faults).unwrap();
        Self {
            name: prepared.world.newest(),
            folder: enclave.started.directory.clone(),
            slot: Some(Slot::Waiting(enclave)),
            prepared,
        }
    }

    fn enclave(&self) -> &Enclave {
        match self.slot.as_ref().unwrap() {
            Slot::Waiting(enclave) => enclave,
            Slot::Booted(instance) => &instance.enclave,
        }
    }

    /// Does what the model did, and says what came of it.
    fn act(&mut self, action: Action) -> Answer {
        match action {
            // Both are made when they are used: the same each time but for randomness.
            Action::Name(..) | Action::Entrust(..) => Answer::Done,
            Action::Boot(one, two) => self.boot(self.prepared.link([one, two])),
            Action::Give((who, By::Member)) => self.give(who, self.prepared.member(who), None),
            Action::Give((who, By::Surrogate(other))) => {
                let delegation = self.prepared.delegation(who, other);
                self.give(who, self.prepared.other(other), Some(delegation))
            }
            Action::GiveBad(bad, who) => {
                let (delegation, by) = self.prepared.bad(bad, who);
                self.give(who, by, Some(delegation))
            }
        }
    }

    fn boot(&mut self, link: Link) -> Answer {
        if let Some(Slot::Waiting(enclave)) = &self.slot {
            enclave.upload(&self.prepared.echo);
        }
        let (record, chain) = (self.prepared.record.clone(), vec![link]);
        let request = BootRequest {
            record: record.clone(),
            chain: chain.clone(),
        };
        let booted = match self.enclave().ask(&Request::Boot(request)) {
            Response::Booted(booted) => *booted,
            other => return answer(&other),
        };
        let Some(Slot::Waiting(enclave)) = self.slot.take() else {
            panic!("it was in use");
        };
        self.slot = Some(Slot::Booted(Box::new(Instance {
            enclave,
            record,
            chain,
            shares: copies(&self.prepared.shares),
            booted,
        })));
        Answer::Done
    }

    fn give(&self, who: Who, by: &Person, delegation: Option<Signed<Delegation>>) -> Answer {
        let position = usize::from(who);
        let Some(Slot::Booted(instance)) = &self.slot else {
            // What it is matters to nobody yet.
            let refused = self.enclave().ask(&self.unaddressed(by));
            return answer(&refused);
        };
        let sealed = instance.sealed(position, &*instance.shares[position].to_bytes());
        let request = instance.signed(instance.grant(position), sealed, by);
        answer(&instance.enclave.ask(&Request::Provision(ProvisionRequest {
            delegation: delegation.map(Box::new),
            ..request
        })))
    }

    /// A grant for no instance.
    fn unaddressed(&self, by: &Person) -> Request {
        let share = self.prepared.record.output.shares[0].sealed.clone();
        let grant = quorate_protocol::provision::ShareGrant {
            role: Role::ShareSet,
            genesis: self.prepared.record.digest(),
            manifest: Digest::of(&self.prepared.manifest),
            setup: quorate_protocol::keys::KeyPair {
                encryption: by.member().encryption_key,
                verification: by.member().signing_key,
            },
            document: quorate_protocol::atoms::Sha256([7; 32]),
            index: self.prepared.member(0).index,
            epoch: self.prepared.manifest.epoch,
            sealed: Digest::of(&share),
            time: UnixMillis(1),
        };
        Request::Provision(ProvisionRequest {
            grant: Signed::sign(grant, &by.signing),
            sealed: share,
            delegation: None,
        })
    }

    /// Whether the enclave is what the model says it is.
    fn assert_is(&self, state: &State, about: &str) {
        let status = self.enclave().status();
        let accepted: BTreeSet<Who> = status.accepted.iter().map(|i| i.0.get() - 1).collect();
        let (said, from) = match &state.enclave {
            Phase::Waiting => (Said::Waiting, BTreeSet::new()),
            Phase::Collecting(_, has) => (Said::Collecting, has.keys().copied().collect()),
            Phase::Running(_, has) => (Said::Running, has.keys().copied().collect()),
        };
        let phase = match status.phase {
            Said::Launching => Said::Running,
            other => other,
        };
        assert_eq!((phase, &accepted), (said, &from), "{about}");
    }

    /// The members, and nobody in their place.
    fn assert_members_finish(&mut self, about: &str) {
        let own = |who| (who, By::Member);
        self.act(Action::Boot(own(0), own(1)));
        for who in 0..MEMBERS {
            self.act(Action::Give(own(who)));
        }
        let phase = self.enclave().status().phase;
        let runs = matches!(phase, Said::Launching | Said::Running);
        assert!(runs, "{about}: {phase:?}");
    }

    fn end(self) {
        self.prepared.world.hypervisor.stop(&self.name).unwrap();
        // It has a copy of init.
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

/// What the model calls an answer.
fn answer(response: &Response) -> Answer {
    let Response::Refused(refusal) = response else {
        return Answer::Done;
    };
    Answer::Refused(match refusal.reason {
        Reason::ApprovalInvalid => Refusal::ApprovalInvalid,
        Reason::DelegationExpired => Refusal::DelegationExpired,
        Reason::DelegationInvalid => Refusal::DelegationInvalid,
        Reason::GrantSignature => Refusal::GrantSignature,
        Reason::ShareRepeated => Refusal::ShareRepeated,
        Reason::WrongPhase => Refusal::WrongPhase,
        other => panic!("the model does not know {other:?}: {refusal:?}"),
    })
}

/// Walks so many of the model's traces, evenly chosen.
fn drive(late: bool, so_many: usize) {
    let model = Surrogates::new(late);
    let mut prepared = Prepared::new();
    let traces = model::traces(&model);
    let every = traces.len() / so_many;
    let (mut walked, mut refusals, mut by_others) = (0, 0, 0);
    for trace in traces.iter().skip(every / 2).step_by(every) {
        let mut walk = Walk::start(&mut prepared, late);
        let mut state = model.start();
        for action in trace {
            let (expected, next) = model.respond(&state, *action).unwrap();
            let about = format!("{action:?} in {trace:?}");
            assert_eq!(walk.act(*action), expected, "{about}");
            walk.assert_is(&next, &about);
            by_others += usize::from(matches!(action, Action::Give((_, By::Surrogate(_)))));
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
        walk.assert_members_finish(&about);
        walk.end();
        walked += 1;
    }
    println!(
        "late {late}: {walked} of {} traces, {refusals} refusals, {by_others} shares by surrogates",
        traces.len()
    );
    assert!(walked >= so_many && refusals > walked && by_others > 3);
}

#[test]
fn traces_before_the_end_are_what_the_real_init_does() {
    drive(false, 16);
}

#[test]
fn traces_after_the_earlier_end_are_what_the_real_init_does() {
    drive(true, 16);
}

/// That a walk notices: a model with another rule is contradicted by the enclave.
#[test]
fn a_model_of_surrogates_that_is_wrong_fails_closed() {
    let mut prepared = Prepared::new();
    let own = |who| (who, By::Member);
    let by = |who, other| (who, By::Surrogate(other));
    let given = |who, other| [Action::Name(who, other), Action::Entrust(who, other)];
    let boot = Action::Boot(own(0), own(1));
    let cases = [
        (
            Rules::SharesCountTwice,
            [&given(2, 0)[..], &[boot, Action::Give(own(2))]].concat(),
            Action::Give(by(2, 0)),
        ),
        (
            Rules::ApprovalsCountTwice,
            vec![Action::Name(2, 0)],
            Action::Boot(own(2), by(2, 0)),
        ),
        (
            Rules::OneForSeveral,
            [
                &given(2, 0)[..],
                &given(1, 0),
                &[boot, Action::Give(by(2, 0))],
            ]
            .concat(),
            Action::Give(by(1, 0)),
        ),
        (
            Rules::NoEnd,
            [&given(1, 0)[..], &[boot]].concat(),
            Action::Give(by(1, 0)),
        ),
        (
            Rules::MemberShutOut,
            vec![boot, Action::GiveBad(Bad::Forged, 1)],
            Action::Give(own(1)),
        ),
    ];
    for (rules, before, last) in cases {
        let late = rules == Rules::NoEnd;
        let mut broken = Surrogates::new(late);
        broken.rules = rules;
        let mut walk = Walk::start(&mut prepared, late);
        let mut state = broken.start();
        for action in before {
            let (expected, next) = broken.respond(&state, action).unwrap();
            assert_eq!(walk.act(action), expected, "{action:?}, {rules:?}");
            state = next;
        }
        let (expected, _) = broken.respond(&state, last).unwrap();
        assert_ne!(walk.act(last), expected, "{rules:?}");
        walk.end();
    }
}
