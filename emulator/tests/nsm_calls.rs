//! An NSM that fails at each of the calls that init makes in its life, in turn.
//!
//! What an enclave asks of its NSM is counted here: the tables below are all calls of a life, in
//! their order, and with what reason init halts when that one fails. It goes on after none of them.
//! In a machine the kernel asks for entropy too; there the calls are told apart by kind, in
//! `machine/life.rs`.

mod common;

use std::time::{Duration, Instant};

use common::{Enclave, Instance, World, echo, nonce};
use quorate_emulator::fault::Faults;
use quorate_emulator::process::{Ended, ProcessError};
use quorate_protocol::genesis::GenesisRecord;
use quorate_protocol::manifest::Link;
use quorate_protocol::message::{AttestRequest, EvidenceRequest, Phase, Request, Response, Stage};
use quorate_sharing::Share;

/// What init is asked for when it makes a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Start,
    Genesis,
    Boot,
    AttestSetup,
    AttestLive,
    /// The share that completes the threshold, and the applications it starts.
    Provision,
    Evidence,
}

/// One call: when it is made, how init's reason begins if it fails, and what it asks for.
type Call = (Step, &'static str, &'static str);

const ENTROPY: &str = "entropy: the NSM gave no entropy: ";

const START: [Call; 4] = [
    (Step::Start, "NSM: ", "DescribeNSM"),
    (
        Step::Start,
        "time: the NSM gave no document: ",
        "Attestation",
    ),
    // 64 bytes for the kernel's generator, drawn as twice 32.
    (Step::Start, "NSM: ", "GetRandom"),
    (Step::Start, "NSM: ", "GetRandom"),
];

const GENESIS: [Call; 8] = [
    (Step::Genesis, "NSM: ", "DescribePCR(0)"),
    (Step::Genesis, "NSM: ", "DescribePCR(1)"),
    (Step::Genesis, "NSM: ", "DescribePCR(2)"),
    (Step::Genesis, ENTROPY, "GetRandom"),
    // The drill scalar is drawn from a generator of its own.
    (Step::Genesis, ENTROPY, "GetRandom"),
    (Step::Genesis, "NSM: ", "ExtendPCR(16)"),
    (Step::Genesis, "NSM: ", "LockPCRs(0..32)"),
    (Step::Genesis, "NSM: ", "Attestation"),
];

const INSTANCE: [Call; 12] = [
    (Step::Boot, "NSM: ", "DescribePCR(0)"),
    (Step::Boot, "NSM: ", "DescribePCR(1)"),
    (Step::Boot, "NSM: ", "DescribePCR(2)"),
    (Step::Boot, ENTROPY, "GetRandom"),
    (Step::Boot, "NSM: ", "ExtendPCR(16)"),
    (Step::Boot, "NSM: ", "ExtendPCR(17)"),
    (Step::Boot, "NSM: ", "ExtendPCR(18)"),
    (Step::Boot, "NSM: ", "LockPCRs(0..32)"),
    (Step::AttestSetup, "NSM: ", "Attestation"),
    (Step::AttestLive, "NSM: ", "Attestation"),
    (Step::Provision, ENTROPY, "GetRandom"),
    (Step::Evidence, "NSM: ", "Attestation"),
];

/// How a call fails, and how init then says so after the reason's beginning.
type Failure = (&'static str, fn(&str) -> String);

const FAILURES: [Failure; 2] = [
    ("nsm-error", |call| {
        format!(
            "the NSM refused {call} with InternalError: it failed; the enclave has to be restarted\""
        )
    }),
    ("nsm-garbage", |call| {
        format!("the NSM's answer to {call} cannot be read: ")
    }),
];

/// A namespace with its first manifest.
struct Namespace {
    world: World,
    record: GenesisRecord,
    shares: Vec<Share>,
    link: Link,
}

/// A life that ended: at which step, and what the console says.
#[derive(Debug)]
struct Halted {
    step: Step,
    console: String,
}

impl Namespace {
    fn new() -> Self {
        let mut world = World::new(3, 2);
        let (record, shares) = world.genesis();
        let link = world.approved(world.manifest_fields(&record, &echo()));
        Self {
            world,
            record,
            shares,
            link,
        }
    }

    fn start(&mut self, fault: &str) -> Result<Enclave, Halted> {
        let mut faults = Faults::default();
        faults.add(fault).unwrap();
        match self.world.start_process(None, &faults) {
            Ok(enclave) => Ok(enclave),
            Err(ProcessError::EndedEarly { ended, .. }) => {
                assert_eq!(ended, Ended::Exited(1));
                Err(self.halted(Step::Start))
            }
            Err(other) => panic!("{other}"),
        }
    }

    /// What is left of an enclave that gave no answer at this step.
    fn halted(&self, step: Step) -> Halted {
        Halted {
            step,
            console: self.world.console(&self.world.newest()),
        }
    }

    /// The same, once its process is gone.
    fn await_halted(&self, step: Step) -> Halted {
        let name = self.world.newest();
        let since = Instant::now();
        let ended = loop {
            if let Some(ended) = self.world.hypervisor.ended(&name).unwrap() {
                break ended;
            }
            assert!(since.elapsed() < Duration::from_secs(60), "{step:?}");
            std::thread::sleep(Duration::from_millis(1));
        };
        assert_eq!(ended, Ended::Exited(1), "{step:?}");
        self.halted(step)
    }

    fn ask(&self, enclave: &Enclave, step: Step, request: Request) -> Result<Response, Halted> {
        match enclave.try_ask(&request) {
            Some(Response::Refused(refusal)) => panic!("{step:?}: {refusal:?}"),
            Some(response) => Ok(response),
            None => Err(self.await_halted(step)),
        }
    }

    /// A life as a genesis enclave.
    fn genesis(&mut self, fault: &str) -> Result<Enclave, Halted> {
        let enclave = self.start(fault)?;
        let request = Request::Genesis(self.world.genesis_request());
        self.ask(&enclave, Step::Genesis, request)?;
        Ok(enclave)
    }

    /// A life as an instance, up to one look at its evidence.
    fn instance(&mut self, fault: &str) -> Result<Instance, Halted> {
        let enclave = self.start(fault)?;
        enclave.upload(&echo());
        let chain = vec![self.link.clone()];
        let request = quorate_protocol::message::BootRequest {
            record: self.record.clone(),
            chain: chain.clone(),
        };
        let Response::Booted(booted) = self.ask(&enclave, Step::Boot, Request::Boot(request))?
        else {
            panic!("it did not boot");
        };
        for (step, stage) in [
            (Step::AttestSetup, Stage::Setup),
            (Step::AttestLive, Stage::Live),
        ] {
            let nonce = nonce();
            let request = Request::Attest(AttestRequest { stage, nonce });
            self.ask(&enclave, step, request)?;
        }
        let copy = |share: &Share| Share::from_bytes(share.index(), &share.to_bytes()).unwrap();
        let instance = Instance {
            enclave,
            record: self.record.clone(),
            chain,
            shares: self.shares.iter().map(copy).collect(),
            booted: *booted,
        };
        for position in [0, 1] {
            let request = Request::Provision(instance.honest(&self.world, position));
            self.ask(&instance.enclave, Step::Provision, request)?;
        }
        instance.await_running();
        self.show(&instance.enclave)?;
        Ok(instance)
    }

    fn show(&self, enclave: &Enclave) -> Result<Response, Halted> {
        let request = Request::Evidence(EvidenceRequest { nonce: nonce() });
        self.ask(enclave, Step::Evidence, request)
    }
}

/// Whether a life ended at the step and with the reason of this call.
fn check(call: Call, failure: Failure, fault: &str, halted: &Halted) {
    let (step, prefix, name) = call;
    assert_eq!(halted.step, step, "{fault}: {halted:?}");
    let said = format!("quorate-init: halting reason=\"{prefix}{}", failure.1(name));
    assert!(
        halted.console.contains(&said),
        "{fault}: no {said}: {halted:?}"
    );
}

#[test]
fn an_nsm_that_fails_at_any_call_of_a_genesis_halts_init_by_name_fails_closed() {
    let mut namespace = Namespace::new();
    let calls: Vec<Call> = START.into_iter().chain(GENESIS).collect();
    for failure in FAILURES {
        for (at, call) in calls.iter().enumerate() {
            let fault = format!("{}={}", failure.0, at + 1);
            let Err(halted) = namespace.genesis(&fault) else {
                panic!("{fault}: init went on");
            };
            check(*call, failure, &fault, &halted);
        }
    }
    // There is no further call: the next one is that of the next attestation.
    let fault = format!("nsm-error={}", calls.len() + 1);
    let enclave = namespace.genesis(&fault).unwrap();
    assert_eq!(enclave.status().phase, Phase::Born);
    let request = Request::Attest(AttestRequest {
        stage: Stage::Genesis,
        nonce: nonce(),
    });
    let halted = namespace.ask(&enclave, Step::Genesis, request).unwrap_err();
    check(
        (Step::Genesis, "NSM: ", "Attestation"),
        FAILURES[0],
        &fault,
        &halted,
    );
}

#[test]
fn an_nsm_that_fails_at_any_call_of_an_instance_halts_init_by_name_fails_closed() {
    let mut namespace = Namespace::new();
    let calls: Vec<Call> = START.into_iter().chain(INSTANCE).collect();
    for failure in FAILURES {
        for (at, call) in calls.iter().enumerate() {
            let fault = format!("{}={}", failure.0, at + 1);
            let Err(halted) = namespace.instance(&fault) else {
                panic!("{fault}: init went on");
            };
            check(*call, failure, &fault, &halted);
        }
    }
    // There is no further call: the next one is that of the next evidence.
    let fault = format!("nsm-error={}", calls.len() + 1);
    let instance = namespace.instance(&fault).unwrap();
    let halted = namespace.show(&instance.enclave).unwrap_err();
    check(
        (Step::Evidence, "NSM: ", "Attestation"),
        FAILURES[0],
        &fault,
        &halted,
    );
}
