//! The life of an enclave: which request is served in which phase, and what follows.
//!
//! The state is one value that is taken out, handed to the code of its phase, and put back; a
//! refused request puts back what was there. What each phase can do is in its own type
//! ([`crate::genesis`], [`crate::instance`], [`crate::import`], [`crate::export`], [`crate::reshare`],
//! [`crate::drill`]), so this file only routes.

mod drills;
mod evidence;

use std::fs::{File, OpenOptions};
use std::time::Instant;

use nix::errno::Errno;
use quorate_protocol::instance::Index;
use quorate_protocol::manifest::Manifest;
use quorate_protocol::message::{Log, Phase, Reason, Request, Response, Status};
use zeroize::Zeroizing;

use self::evidence::givers;
use crate::applications::{Applications, Ended};
use crate::device::Device;
use crate::drill::{self, Drilled, Drilling, Subject};
use crate::export::{Accepted, Retired};
use crate::genesis::{self, Born};
use crate::instance::{self, Collecting, Identity, Provisioned};
use crate::log::{Event, say};
use crate::platform::Platform;
use crate::refuse::{Denied, Halt, refuse};
use crate::sandbox::Confinement;
use crate::server::STOP;
use crate::uploads::Uploads;

/// Which port a request came in on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Every request.
    Operator,
    /// Status, attestation, evidence.
    Public,
}

/// An enclave.
pub(crate) struct Machine<P: Platform> {
    platform: P,
    device: Device<P::Nsm>,
    uploads: Uploads,
    confinement: Confinement,
    /// Opened while there is a file system to open it in.
    null: File,
    state: State,
}

enum State {
    Waiting,
    Born(Born),
    Collecting(Box<Collecting>),
    Running(Box<Provisioned>, Applications),
    /// The keys are erased; applications have this long to end.
    HandingOver(Box<Retired>, Applications, Instant),
    HandedOver(Box<Retired>, Ended),
    /// Nothing leads from a drill to any of the others.
    Drilling(Box<Drilling>),
    Drilled(Box<Drilled>),
    /// Only while a handler runs, or after a fatal error.
    Halting,
}

impl Lane {
    /// Whether requests of this kind are served here. Known at the second byte, so that what a
    /// stranger may not ask is not even decoded.
    pub(crate) fn takes(self, kind: u8) -> bool {
        match self {
            Self::Operator => true,
            // Status, attest, evidence.
            Self::Public => matches!(kind, 0 | 4 | 6),
        }
    }
}

impl<P: Platform> Machine<P> {
    /// Opens the NSM and waits.
    ///
    /// # Errors
    /// [`Halt`].
    pub(crate) fn new(mut platform: P) -> Result<Self, Halt> {
        let transport = platform.nsm().map_err(Halt::Transport)?;
        let mut device = Device::open(transport)?;
        let null = OpenOptions::new().read(true).write(true).open("/dev/null");
        let null = null.map_err(|e| Halt::Kernel {
            step: "open /dev/null",
            errno: Errno::from_raw(e.raw_os_error().unwrap_or(0)),
        })?;
        let mut random = Zeroizing::new([0; 64]);
        device.random(random.as_mut_slice())?;
        let confinement = platform.confine(&random)?;
        Ok(Self {
            platform,
            device,
            uploads: Uploads::default(),
            confinement,
            null,
            state: State::Waiting,
        })
    }

    /// The machine's platform, to open its ports.
    pub(crate) fn platform(&mut self) -> &mut P {
        &mut self.platform
    }

    /// Serves one request.
    ///
    /// # Errors
    /// [`Halt`] if the enclave cannot go on; the answer is not sent then.
    pub(crate) fn serve(&mut self, lane: Lane, request: Request) -> Result<Response, Halt> {
        match self.route(lane, request) {
            Ok(response) => Ok(response),
            Err(Denied::Refused(refusal)) => {
                say(Event::Refused(refusal.reason));
                Ok(Response::Refused(refusal))
            }
            Err(Denied::Fatal(halt)) => Err(halt),
        }
    }

    fn route(&mut self, lane: Lane, request: Request) -> Result<Response, Denied> {
        match (lane, request) {
            (_, Request::Status) => Ok(Response::Status(self.status())),
            (_, Request::Attest(request)) => self.attest(&request),
            (_, Request::Evidence(request)) => self.evidence(&request),
            (Lane::Operator, Request::Log) => Ok(Response::Log(match &self.state {
                State::Running(_, applications) | State::HandingOver(_, applications, _) => {
                    applications.log()
                }
                State::HandedOver(_, ended) => ended.log.clone(),
                _ => Log {
                    applications: Vec::new(),
                },
            })),
            (Lane::Public, _) => Err(refuse(Reason::WrongPort, "")),
            (Lane::Operator, Request::Upload(piece)) => {
                self.waiting()?;
                let platform = &mut self.platform;
                let memory = |held| platform.available_memory(held);
                let taken = self.uploads.take(&piece, Instant::now(), memory);
                taken
                    .map(Response::Uploaded)
                    .map_err(|refused| refuse(refused.reason(), &refused.detail()))
            }
            (Lane::Operator, Request::Genesis(request)) => {
                self.waiting()?;
                let (born, response) = genesis::make(&mut self.device, &request)?;
                self.uploads = Uploads::default();
                self.enter(State::Born(born));
                Ok(Response::Genesis(response))
            }
            (Lane::Operator, Request::Boot(request)) => {
                self.waiting()?;
                let (collecting, booted) =
                    instance::boot(&mut self.device, &self.uploads, request)?;
                self.enter(State::Collecting(Box::new(collecting)));
                Ok(Response::Booted(Box::new(booted)))
            }
            (Lane::Operator, Request::Provision(request)) => {
                let State::Collecting(collecting) = &mut self.state else {
                    return Err(self.wrong_phase());
                };
                let (progress, receipt) = collecting.provision(&self.device, request)?;
                if progress.is_complete() {
                    let collecting = self.take_collecting()?;
                    let instance = Box::new(collecting.complete(&self.device)?);
                    self.launch(instance)?;
                }
                Ok(Response::Provisioned(receipt))
            }
            (Lane::Operator, Request::Challenge) => {
                let State::Running(instance, _) = &mut self.state else {
                    return Err(self.wrong_phase());
                };
                let challenge = instance.challenge(&mut self.device)?;
                Ok(Response::Challenge(challenge))
            }
            (Lane::Operator, Request::Export(request)) => {
                let State::Running(instance, _) = &mut self.state else {
                    return Err(self.wrong_phase());
                };
                let forwarded = instance.export(&mut self.device, *request)?;
                Ok(Response::Exported(Box::new(forwarded)))
            }
            (Lane::Operator, Request::Import(forwarded)) => {
                let State::Collecting(collecting) = &self.state else {
                    return Err(self.wrong_phase());
                };
                let opened = collecting.open_forwarded(&self.device, &forwarded)?;
                let collecting = self.take_collecting()?;
                let (instance, confirmed) =
                    collecting.complete_forwarded(&self.device, opened, *forwarded)?;
                self.launch(Box::new(instance))?;
                Ok(Response::Imported(Box::new(confirmed)))
            }
            (Lane::Operator, Request::ReshareChallenge) => {
                let State::Running(instance, _) = &mut self.state else {
                    return Err(self.wrong_phase());
                };
                let challenge = instance.reshare_challenge(&mut self.device)?;
                Ok(Response::ReshareChallenge(challenge))
            }
            (Lane::Operator, Request::Reshare(request)) => {
                let State::Running(instance, _) = &mut self.state else {
                    return Err(self.wrong_phase());
                };
                let reshare = instance.reshare(&mut self.device, *request)?;
                Ok(Response::Reshared(Box::new(reshare)))
            }
            (Lane::Operator, Request::Drill(request)) => {
                self.waiting()?;
                let (drilling, setup) = drill::start(&mut self.device, *request)?;
                self.uploads = Uploads::default();
                self.enter(State::Drilling(Box::new(drilling)));
                Ok(Response::DrillStarted(Box::new(setup)))
            }
            (Lane::Operator, Request::DrillGive(request)) => {
                let State::Drilling(drilling) = &mut self.state else {
                    return Err(self.no_drill());
                };
                let receipt = drilling.give(&self.device, *request)?;
                Ok(Response::DrillTaken(receipt))
            }
            (Lane::Operator, Request::DrillFinish(request)) => self.finish_drill(&request),
            (Lane::Operator, Request::HandOver(confirmed)) => {
                let State::Running(instance, _) = &self.state else {
                    return Err(self.wrong_phase());
                };
                let accepted = instance.confirmed(confirmed)?;
                self.hand_over(accepted)?;
                Ok(Response::HandedOver)
            }
        }
    }

    /// The instance whose key has come. A failure from here on is fatal, so it is not put back.
    fn take_collecting(&mut self) -> Result<Box<Collecting>, Halt> {
        match std::mem::replace(&mut self.state, State::Halting) {
            State::Collecting(collecting) => Ok(collecting),
            _ => Err(Halt::Derivation),
        }
    }

    /// Erases the keys and asks the applications to end.
    fn hand_over(&mut self, accepted: Accepted) -> Result<(), Halt> {
        let State::Running(instance, applications) =
            std::mem::replace(&mut self.state, State::Halting)
        else {
            return Err(Halt::Derivation);
        };
        let retired = Box::new(instance.retire(accepted));
        let due = Instant::now() + STOP;
        self.enter(State::HandingOver(retired, applications, due));
        self.end_applications();
        Ok(())
    }

    /// Goes on with the hand-over: when every application has ended, or has had its time.
    fn end_applications(&mut self) {
        let State::HandingOver(_, applications, due) = &mut self.state else {
            return;
        };
        applications.ask_to_stop();
        if !applications.all_ended() {
            if Instant::now() < *due {
                return;
            }
            applications.kill_all();
        }
        if let State::HandingOver(retired, applications, _) =
            std::mem::replace(&mut self.state, State::Halting)
        {
            self.enter(State::HandedOver(retired, applications.retire()));
        }
    }

    /// Starts the applications of an instance that has the key.
    fn launch(&mut self, instance: Box<Provisioned>) -> Result<(), Halt> {
        let manifest = instance.identity.manifest();
        let null = self.null.try_clone().map_err(|e| Halt::Kernel {
            step: "duplicate /dev/null",
            errno: Errno::from_raw(e.raw_os_error().unwrap_or(0)),
        })?;
        let mut applications = Applications::prepare(
            &mut self.platform,
            &self.confinement,
            &mut self.uploads,
            manifest,
            null,
        )?;
        self.uploads = Uploads::default();
        applications.advance(&mut self.device, &instance)?;
        self.enter(State::Running(instance, applications));
        Ok(())
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        say(Event::Phase(self.phase()));
    }

    /// Collects processes that ended.
    ///
    /// # Errors
    /// [`Halt`].
    pub(crate) fn reap(&mut self) -> Result<(), Halt> {
        let before = self.phase();
        if let State::Running(_, applications) = &mut self.state {
            applications.reap()?;
        }
        self.note_phase(before);
        self.end_applications();
        Ok(())
    }

    /// Does what is due by now: starts applications, ends those that take too long to start.
    ///
    /// # Errors
    /// [`Halt`].
    pub(crate) fn advance(&mut self) -> Result<(), Halt> {
        if let State::Running(instance, applications) = &mut self.state {
            applications.advance(&mut self.device, instance)?;
        }
        self.end_applications();
        Ok(())
    }

    /// When [`advance`](Self::advance) has something to do, if nothing happens before.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Running(_, applications) => applications.deadline(),
            State::HandingOver(_, _, due) => Some(*due),
            _ => None,
        }
    }

    fn note_phase(&self, before: Phase) {
        if self.phase() != before {
            say(Event::Phase(self.phase()));
        }
    }

    /// The applications, once they were started.
    pub(crate) fn applications(&mut self) -> Option<&mut Applications> {
        match &mut self.state {
            State::Running(_, applications) | State::HandingOver(_, applications, _) => {
                Some(applications)
            }
            _ => None,
        }
    }

    /// Reads one message from the control socket of one application.
    ///
    /// # Errors
    /// [`Halt`].
    pub(crate) fn hear(&mut self, position: usize) -> Result<(), Halt> {
        let before = self.phase();
        if let State::Running(_, applications) = &mut self.state {
            applications.hear(position, &mut self.platform, &mut self.device)?;
        }
        self.note_phase(before);
        Ok(())
    }

    fn phase(&self) -> Phase {
        match &self.state {
            State::Waiting => Phase::Waiting,
            State::Born(_) => Phase::Born,
            State::Collecting(_) => Phase::Collecting,
            State::Running(_, applications) if applications.all_ready() => Phase::Running,
            State::Running(..) => Phase::Launching,
            State::HandingOver(..) => Phase::HandingOver,
            State::HandedOver(..) => Phase::HandedOver,
            State::Drilling(_) => Phase::Drilling,
            State::Drilled(_) => Phase::Drilled,
            State::Halting => Phase::Halting,
        }
    }

    fn waiting(&self) -> Result<(), Denied> {
        match self.state {
            State::Waiting => Ok(()),
            _ => Err(self.wrong_phase()),
        }
    }

    fn wrong_phase(&self) -> Denied {
        let detail = match self.phase() {
            Phase::Waiting => "it waits for a genesis or a boot",
            Phase::Born => "it made a namespace and does nothing else",
            Phase::Collecting => "it has booted and waits for shares",
            Phase::Launching | Phase::Running => "it has the quorum key already",
            Phase::Halting => "it is ending",
            Phase::HandingOver | Phase::HandedOver => return refuse(Reason::HandedOver, ""),
            Phase::Drilling | Phase::Drilled => return refuse(Reason::DrillOnly, ""),
        };
        refuse(Reason::WrongPhase, detail)
    }

    /// What was booted, if anything was.
    fn identity(&self) -> Option<&Identity> {
        match &self.state {
            State::Collecting(collecting) => Some(collecting.identity()),
            State::Running(provisioned, _) => Some(&provisioned.identity),
            State::HandingOver(retired, ..) | State::HandedOver(retired, _) => {
                Some(&retired.identity)
            }
            State::Waiting
            | State::Born(_)
            | State::Drilling(_)
            | State::Drilled(_)
            | State::Halting => None,
        }
    }

    fn status(&self) -> Status {
        let identity = self.identity();
        let drill = self.drill();
        let manifest = identity.map(Identity::manifest);
        let manifest = manifest.or_else(|| drill.map(Subject::manifest));
        let accepted = match &self.state {
            State::Collecting(collecting) => collecting.accepted(),
            State::Running(instance, _) => givers(&instance.provisioning),
            State::HandingOver(retired, ..) | State::HandedOver(retired, _) => {
                givers(&retired.provisioning)
            }
            State::Drilling(drilling) => drilling.proved(),
            State::Drilled(drilled) => drilled.proved(),
            _ => Vec::new(),
        };
        let idle = |manifest: &Manifest| {
            let never = |a: &quorate_protocol::manifest::Application| {
                quorate_protocol::message::ApplicationStatus {
                    name: a.name.clone(),
                    starts: 0,
                    ready: false,
                    exit: None,
                    restarts_left: a.restart.restarts,
                }
            };
            manifest.applications.iter().map(never).collect()
        };
        Status {
            phase: self.phase(),
            genesis: match &self.state {
                State::Born(born) => Some(*born.digest()),
                _ => identity
                    .map(Identity::genesis_digest)
                    .or_else(|| drill.map(Subject::genesis)),
            },
            manifest: identity
                .map(Identity::manifest_digest)
                .or_else(|| drill.map(Subject::manifest_digest)),
            epoch: manifest.map(|m| m.epoch),
            accepted: accepted.into_iter().map(Index).collect(),
            threshold: manifest.map_or(0, |m| m.share_set.threshold),
            applications: match &self.state {
                State::Running(_, applications) | State::HandingOver(_, applications, _) => {
                    applications.status()
                }
                State::HandedOver(_, ended) => ended.status.clone(),
                // A drill starts none.
                State::Drilling(_) | State::Drilled(_) => Vec::new(),
                _ => manifest.map(idle).unwrap_or_default(),
            },
        }
    }
}
