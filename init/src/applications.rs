//! The applications of a running instance: started, watched, started again, stopped.
//!
//! Guarantees: a binary runs only if its hash is in the manifest (it came out of `uploads` under
//! that hash, sealed). A process inherits exactly what its launch record names ([`launch`]). An
//! application starts when all it calls are ready, and again after its back-off, as often as the
//! manifest says; then the instance halts. One that hangs in its start, floods or breaks the control
//! protocol is ended, which counts as a restart, and the others go on. Nothing here waits.
//!
//! What keeps a process in its place is [`crate::sandbox`]'s.

mod dials;
mod edges;
mod entry;
mod launch;
mod process;

use std::fs::File;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use quorate_protocol::application::{ApplicationCertificate, EdgeEnd, EdgeRole};
use quorate_protocol::atoms::Name;
use quorate_protocol::control::{DIAL_COST, ENTROPY_COST, Entropy, FromInit, ToInit};
use quorate_protocol::cose::Signed;
use quorate_protocol::manifest::Manifest;
use quorate_protocol::message::{ApplicationStatus, Exit, Log};
use rand_core::Rng as _;
use zeroize::Zeroizing;

use self::dials::Dials;
use self::edges::{Complaint, Edges, opposite};
use self::entry::Entry;
use self::launch::Start;
pub(crate) use self::process::Misconduct;
use crate::device::Device;
use crate::instance::Provisioned;
use crate::log::{Event, say};
use crate::nsm::Transport;
use crate::platform::Platform;
use crate::refuse::Halt;
use crate::sandbox::Confinement;
use crate::uploads::Uploads;

/// What is told about applications that have ended, and their ports are closed.
pub(crate) struct Ended {
    pub(crate) status: Vec<ApplicationStatus>,
    pub(crate) log: Log,
    pub(crate) certificates: Vec<Signed<ApplicationCertificate>>,
}

/// All applications, in the order of the manifest.
pub(crate) struct Applications {
    entries: Vec<Entry>,
    edges: Edges,
    dials: Dials,
    /// Positions, each after all it calls.
    order: Vec<usize>,
    null: File,
}

impl Applications {
    /// Takes the manifest's binaries and opens its ports. Starts nothing.
    ///
    /// # Errors
    /// [`Halt::Kernel`].
    pub(crate) fn prepare<P: Platform>(
        platform: &mut P,
        confinement: &Confinement,
        uploads: &mut Uploads,
        manifest: &Manifest,
        null: File,
    ) -> Result<Self, Halt> {
        let applications = &manifest.applications;
        let mut entries: Vec<Entry> = Vec::with_capacity(applications.len());
        for (position, manifest) in applications.iter().enumerate() {
            // Two applications may be the same binary with other arguments.
            let twin = entries
                .iter()
                .find(|e| e.manifest.sha256 == manifest.sha256);
            let binary = match twin {
                Some(Entry { binary, .. }) => binary.duplicate(),
                None => uploads
                    .remove(&manifest.sha256, manifest.size)
                    .ok_or(Errno::ENOENT),
            };
            let binary = binary.map_err(Halt::kernel("take the binary"))?;
            let ports = manifest.ports.iter();
            let listeners = ports
                .map(|port| Ok((*port, platform.listen(*port)?)))
                .collect::<Result<_, Errno>>()
                .map_err(Halt::kernel("listen on an application's port"))?;
            let sandbox = Rc::new(confinement.sandbox(position, manifest.memory_limit)?);
            entries.push(Entry::new(manifest.clone(), binary, listeners, sandbox));
        }
        Ok(Self {
            entries,
            edges: Edges::of(applications),
            dials: Dials::default(),
            order: manifest.start_order(),
            null,
        })
    }

    /// Does whatever is due: ends starts that take too long, renews edges, starts applications.
    ///
    /// # Errors
    /// [`Halt`].
    pub(crate) fn advance<T: Transport>(
        &mut self,
        device: &mut Device<T>,
        instance: &Provisioned,
    ) -> Result<(), Halt> {
        let now = Instant::now();
        for position in 0..self.entries.len() {
            let entry = self.entries.get(position);
            if entry.is_some_and(|e| e.start_deadline().is_some_and(|due| due <= now)) {
                self.punish(position, Misconduct::Late);
            }
        }
        self.renew_edges(now)?;
        self.finish_dials(now);
        for at in 0..self.order.len() {
            let position = self.order.get(at).copied().unwrap_or_default();
            if self.may_start(position, now) {
                self.start(position, device, instance)?;
            }
        }
        Ok(())
    }

    /// When [`advance`](Self::advance) has something to do, if nothing happens before.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let now = Instant::now();
        let entries = self.entries.iter();
        let entries = entries.filter_map(|e| match e.process {
            Some(_) => e.start_deadline(),
            // One that is due and does not run waits for others, whose readiness wakes us.
            None => Some(e.due).filter(|due| *due > now),
        });
        let others = [self.edges.deadline(), self.dials.deadline()];
        entries.chain(others.into_iter().flatten()).min()
    }

    /// Control sockets of those that run, with their positions.
    pub(crate) fn controls(&self) -> impl Iterator<Item = (usize, BorrowedFd<'_>)> {
        let alive = self.entries.iter().enumerate();
        alive.filter_map(|(at, e)| e.alive().map(|process| (at, process.control())))
    }

    /// Sockets of connections that are being made: something is to be done when one can be written.
    pub(crate) fn dials(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.dials.sockets()
    }

    /// Reads one message of an application and does what it asks for.
    ///
    /// # Errors
    /// [`Halt`] if the NSM fails.
    pub(crate) fn hear<P: Platform>(
        &mut self,
        position: usize,
        platform: &mut P,
        device: &mut Device<P::Nsm>,
    ) -> Result<(), Halt> {
        let entry = self.entries.get_mut(position);
        let Some(process) = entry.and_then(Entry::alive_mut) else {
            return Ok(());
        };
        match process.hear() {
            Ok(Some(said)) => {
                let heeded = self.heed(position, said, platform, device)?;
                if let Err(misconduct) = heeded {
                    self.punish(position, misconduct);
                }
            }
            Ok(None) => {}
            Err(misconduct) => self.punish(position, misconduct),
        }
        Ok(())
    }

    fn heed<P: Platform>(
        &mut self,
        position: usize,
        said: ToInit,
        platform: &mut P,
        device: &mut Device<P::Nsm>,
    ) -> Result<Result<(), Misconduct>, Halt> {
        let now = Instant::now();
        if let ToInit::Renew(renew) = &said {
            let mut entries = self.entries.iter();
            let peer = entries.position(|e| e.manifest.name == renew.peer);
            let complaint = peer.map(|peer| {
                self.edges
                    .complain(position, renew.role, peer, renew.pair, now)
            });
            // A complaint with a reason is not counted: what breaks an edge may be the other's doing.
            if complaint == Some(Complaint::Taken) {
                return Ok(Ok(()));
            }
        }
        let Some(entry) = self.entries.get_mut(position) else {
            return Ok(Ok(()));
        };
        let start = entry.starts;
        let Some(process) = entry.process.as_mut() else {
            return Ok(Ok(()));
        };
        let cost = match said {
            ToInit::Entropy(_) => ENTROPY_COST,
            ToInit::Dial(_) => DIAL_COST,
            _ => 1,
        };
        if let Err(misconduct) = process.charge(cost, now) {
            return Ok(Err(misconduct));
        }
        Ok(match said {
            ToInit::Ready => {
                if !process.ready {
                    process.ready = true;
                    let application = &entry.manifest.name;
                    say(Event::Ready { application, start });
                }
                Ok(())
            }
            ToInit::Report(report) => {
                entry.keep(report, device.now());
                Ok(())
            }
            ToInit::Entropy(length) => {
                let mut bytes = Zeroizing::new(vec![0; length.get()]);
                device
                    .generator(core::iter::empty())?
                    .fill_bytes(&mut bytes);
                let entropy = Entropy::new(bytes).map_err(|_| Halt::Derivation)?;
                process.tell(&FromInit::Entropy(entropy), None)
            }
            ToInit::Time => process.tell(&FromInit::Time(device.reread_time()?), None),
            ToInit::Renew(_) => Ok(()),
            ToInit::Dial(dial) => {
                let begun = self
                    .dials
                    .begin(position, &entry.manifest, &dial, platform, now);
                // What became of it is told by `advance`, in this same turn if it is there.
                begun.or_else(|reason| entry.not_dialed(dial.number, reason))
            }
        })
    }

    /// Whether every application has said that it serves.
    pub(crate) fn all_ready(&self) -> bool {
        self.entries.iter().all(Entry::is_ready)
    }

    /// Collects processes that ended.
    ///
    /// # Errors
    /// [`Halt::Application`] if one ended that may not be started again.
    pub(crate) fn reap(&mut self) -> Result<(), Halt> {
        while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            let (process, exit) = match status {
                WaitStatus::Exited(process, status) => (
                    process,
                    Exit::Exited(u8::try_from(status).unwrap_or(u8::MAX)),
                ),
                WaitStatus::Signaled(process, signal, _) => {
                    let signal = u8::try_from(signal as i32).unwrap_or(u8::MAX);
                    (process, Exit::Signalled(signal))
                }
                WaitStatus::StillAlive => return Ok(()),
                _ => continue,
            };
            let ended = |e: &Entry| e.process.as_ref().is_some_and(|p| p.id == process);
            let Some(position) = self.entries.iter().position(ended) else {
                continue;
            };
            self.edges.ended(position);
            self.dials.ended(position);
            if let Some(entry) = self.entries.get_mut(position) {
                // What it left behind has the keys of a start that is over.
                entry.sandbox.end(process);
                entry.ended(exit);
                if entry.restarts_left() == 0 {
                    return Err(Halt::Application { position });
                }
            }
        }
        Ok(())
    }

    /// State for callers.
    pub(crate) fn status(&self) -> Vec<ApplicationStatus> {
        self.entries.iter().map(Entry::status).collect()
    }

    /// What the applications reported.
    pub(crate) fn log(&self) -> Log {
        Log {
            applications: self.entries.iter().map(Entry::log).collect(),
        }
    }

    /// Certificates of the newest starts, by name and start.
    pub(crate) fn certificates(&self) -> impl Iterator<Item = &Signed<ApplicationCertificate>> {
        self.entries.iter().flat_map(|e| &e.certificates)
    }

    /// Asks applications to end, each when all that call it have ended.
    pub(crate) fn ask_to_stop(&mut self) {
        for position in 0..self.entries.len() {
            let Some(name) = self.entries.get(position).map(|e| &e.manifest.name) else {
                continue;
            };
            let calls = |e: &Entry| e.process.is_some() && e.manifest.calls.contains(name);
            if self.entries.iter().any(calls) {
                continue;
            }
            let entry = self.entries.get_mut(position);
            if let Some(process) = entry.and_then(Entry::alive_mut)
                && !process.asked
            {
                process.asked = true;
                // One that cannot be told is ended with the rest.
                let _ = process.tell(&FromInit::Stop, None);
            }
        }
    }

    /// Collects processes that ended while stopping; whether all have.
    pub(crate) fn all_ended(&mut self) -> bool {
        // How often they were started does not matter any more.
        while self.reap().is_err() {}
        self.entries.iter().all(|e| e.process.is_none())
    }

    /// What is left of applications that have ended.
    pub(crate) fn retire(self) -> Ended {
        Ended {
            status: self.status(),
            log: self.log(),
            certificates: self.certificates().cloned().collect(),
        }
    }

    /// Ends every application at once.
    pub(crate) fn kill_all(&mut self) {
        for entry in &self.entries {
            if let Some(process) = &entry.process {
                entry.sandbox.end(process.id);
            }
        }
        for entry in &mut self.entries {
            if let Some(process) = entry.process.take() {
                let _ = waitpid(process.id, None);
            }
        }
    }

    fn may_start(&self, position: usize, now: Instant) -> bool {
        let Some(entry) = self.entries.get(position) else {
            return false;
        };
        let ready = |name: &Name| {
            let mut entries = self.entries.iter();
            entries.any(|e| e.manifest.name == *name && e.is_ready())
        };
        entry.process.is_none() && entry.due <= now && entry.manifest.calls.iter().all(ready)
    }

    fn start<T: Transport>(
        &mut self,
        position: usize,
        device: &mut Device<T>,
        instance: &Provisioned,
    ) -> Result<(), Halt> {
        let edges = self.open_edges(position)?;
        let Some(entry) = self.entries.get_mut(position) else {
            return Ok(());
        };
        entry.starts = entry.starts.saturating_add(1);
        let start = Start {
            manifest: &entry.manifest,
            binary: &entry.binary,
            listeners: &entry.listeners,
            edges: &edges,
            number: entry.starts,
            null: self.null.as_fd(),
            sandbox: &entry.sandbox,
        };
        let (process, certificate) = start.launch(device, instance)?;
        say(Event::Started {
            application: &entry.manifest.name,
            start: entry.starts,
        });
        entry.started(process, certificate);
        Ok(())
    }

    /// This application's ends of all its edges. The other sides get theirs: at once if they run,
    /// else when they start.
    fn open_edges(&mut self, position: usize) -> Result<Vec<(EdgeEnd, OwnedFd)>, Halt> {
        let (mut mine, mut others) = (Vec::new(), Vec::new());
        let entries = &self.entries;
        for edge in self.edges.of_application(position) {
            let Some((peer, role)) = edge.seen_from(position) else {
                continue;
            };
            let end = match edge.take_held(position) {
                Some(end) => end,
                None => {
                    let pair = edge.connect();
                    let (end, other) = pair.map_err(Halt::kernel("make a call edge"))?;
                    if entries.get(peer).is_some_and(|e| e.alive().is_some()) {
                        let named = end_of(entries, position, opposite(role), edge.pair);
                        others.extend(named.map(|named| (peer, named, other)));
                    } else {
                        edge.hold(peer, other);
                    }
                    end
                }
            };
            mine.extend(end_of(entries, peer, role, edge.pair).map(|named| (named, end)));
        }
        for (peer, end, other) in others {
            self.hand_over(peer, end, &other);
        }
        Ok(mine)
    }

    /// Gives new pairs to edges whose applications broke them and are both alive.
    fn renew_edges(&mut self, now: Instant) -> Result<(), Halt> {
        while let Some(edge) = self.edges.next_due(now) {
            let (caller, callee) = edge.sides();
            let entries = &self.entries;
            let alive = |at: usize| entries.get(at).is_some_and(|e| e.alive().is_some());
            if !alive(caller) || !alive(callee) {
                // The next start makes a new pair.
                continue;
            }
            let pair = edge.connect();
            let (by_caller, by_callee) = pair.map_err(Halt::kernel("make a call edge"))?;
            let of_caller = end_of(entries, callee, EdgeRole::Caller, edge.pair);
            let of_callee = end_of(entries, caller, EdgeRole::Callee, edge.pair);
            if let (Some(of_caller), Some(of_callee)) = (of_caller, of_callee) {
                self.hand_over(caller, of_caller, &by_caller);
                self.hand_over(callee, of_callee, &by_callee);
            }
        }
        Ok(())
    }

    fn hand_over(&mut self, position: usize, end: EdgeEnd, descriptor: &OwnedFd) {
        let entry = self.entries.get(position);
        let Some(process) = entry.and_then(Entry::alive) else {
            return;
        };
        let told = process.tell(&FromInit::Edge(end), Some(descriptor.as_fd()));
        if let Err(misconduct) = told {
            self.punish(position, misconduct);
        }
    }

    fn punish(&mut self, position: usize, misconduct: Misconduct) {
        let Some(entry) = self.entries.get_mut(position) else {
            return;
        };
        let start = entry.starts;
        if let Some(process) = entry.process.as_mut() {
            process.end();
            self.dials.ended(position);
            say(Event::Misconduct {
                application: &entry.manifest.name,
                start,
                misconduct,
            });
        }
    }
}

/// The end that joins an application with the one at `peer`.
fn end_of(entries: &[Entry], peer: usize, role: EdgeRole, pair: u64) -> Option<EdgeEnd> {
    let peer = entries.get(peer)?;
    Some(EdgeEnd {
        peer: peer.manifest.name.clone(),
        role,
        start: peer.coming_start(),
        pair,
    })
}
