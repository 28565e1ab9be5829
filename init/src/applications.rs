//! The applications of a running instance: started, watched, started again, stopped.
//!
//! Guarantees: a binary runs only if its hash is in the manifest (it came out of `uploads` under
//! that hash, sealed). A process inherits exactly what its launch record names. Its keys are in a
//! memory file of their own, never in environment or arguments. Each start has a live key of its
//! own, certified by the instance's live key with the number of the start.
//!
//! Does not yet: sandbox beyond no new privileges, limits and inherited descriptors. Until then an
//! application shares user and file system view with init.

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::{Signal, killpg};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use quorate_protocol::application::{
    ApplicationCertificate, FromInit, LAUNCH_RECORD_DESCRIPTOR, LaunchKeys, LaunchRecord, Listener,
    ToInit,
};
use quorate_protocol::cbor::{Object, from_bytes, to_bytes, to_secret_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::instance::Purpose;
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::manifest::Application;
use quorate_protocol::message::ApplicationStatus;
use quorate_sharing::Secret;

use crate::device::Device;
use crate::instance::Provisioned;
use crate::log::{Event, Outcome, say};
use crate::nsm::Transport;
use crate::platform::Platform;
use crate::refuse::Halt;
use crate::sys::{self, Spawn};
use crate::uploads::{Binary, Uploads, seal};

/// Certificates kept for the evidence: those of the newest starts of each application.
const KEPT_CERTIFICATES: usize = 16;

/// All applications, in the order of the manifest.
pub(crate) struct Applications {
    entries: Vec<Entry>,
    null: File,
}

struct Entry {
    manifest: Application,
    binary: Binary,
    listeners: Vec<(u32, OwnedFd)>,
    starts: u64,
    running: Option<Running>,
    certificates: Vec<Signed<ApplicationCertificate>>,
}

struct Running {
    process: Pid,
    control: OwnedFd,
    ready: bool,
    /// It was ended and its exit has not come yet; its control socket is of no more use.
    ending: bool,
}

impl Applications {
    /// Takes the manifest's binaries and opens its ports. Starts nothing.
    ///
    /// # Errors
    /// [`Halt::Kernel`].
    pub(crate) fn prepare<P: Platform>(
        platform: &mut P,
        uploads: &mut Uploads,
        applications: &[Application],
    ) -> Result<Self, Halt> {
        let null = OpenOptions::new().read(true).write(true).open("/dev/null");
        let null = null.map_err(|e| Halt::Kernel {
            step: "open /dev/null",
            errno: errno(&e),
        })?;
        let mut entries = Vec::with_capacity(applications.len());
        let mut taken: Vec<(quorate_protocol::atoms::Sha256, usize)> = Vec::new();
        for manifest in applications {
            // Two applications may be the same binary with other arguments.
            let twin = taken.iter().find(|(hash, _)| *hash == manifest.sha256);
            let binary = match twin.and_then(|(_, at)| entries.get(*at)) {
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
            taken.push((manifest.sha256, entries.len()));
            entries.push(Entry {
                manifest: manifest.clone(),
                binary,
                listeners,
                starts: 0,
                running: None,
                certificates: Vec::new(),
            });
        }
        Ok(Self { entries, null })
    }

    /// Starts every application that does not run.
    ///
    /// # Errors
    /// [`Halt`].
    pub(crate) fn start_all<T: Transport>(
        &mut self,
        device: &mut Device<T>,
        instance: &Provisioned,
    ) -> Result<(), Halt> {
        for entry in self.entries.iter_mut().filter(|e| e.running.is_none()) {
            entry.start(device, instance, self.null.as_fd())?;
        }
        Ok(())
    }

    /// Control sockets of those that run, with their positions.
    pub(crate) fn controls(&self) -> impl Iterator<Item = (usize, BorrowedFd<'_>)> {
        let entries = self.entries.iter().enumerate();
        let entries = entries.filter(|(_, e)| e.running.as_ref().is_some_and(|r| !r.ending));
        entries.filter_map(|(at, e)| e.running.as_ref().map(|r| (at, r.control.as_fd())))
    }

    /// Reads what an application says. One that closes its control socket, or says what is not in
    /// the protocol, is ended: init could not ask it to stop any more.
    pub(crate) fn hear(&mut self, position: usize) {
        use std::os::fd::AsRawFd as _;
        let Some(entry) = self.entries.get_mut(position) else {
            return;
        };
        let Some(running) = entry.running.as_mut() else {
            return;
        };
        let mut message = [0; ToInit::MAX];
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_TRUNC;
        let said = match recv(running.control.as_raw_fd(), &mut message, flags) {
            Ok(length) => message.get(..length).map(from_bytes::<ToInit>),
            Err(Errno::EAGAIN | Errno::EINTR) => return,
            Err(_) => None,
        };
        match said {
            Some(Ok(ToInit::Ready)) if !running.ready => {
                running.ready = true;
                let (application, start) = (&entry.manifest.name, entry.starts);
                say(Event::Ready { application, start });
            }
            Some(Ok(ToInit::Ready)) => {}
            _ => {
                running.ready = false;
                running.ending = true;
                end(running.process);
            }
        }
    }

    /// Whether every application has said that it serves.
    pub(crate) fn all_ready(&self) -> bool {
        self.entries
            .iter()
            .all(|e| e.running.as_ref().is_some_and(|r| r.ready))
    }

    /// Collects processes that ended.
    ///
    /// # Errors
    /// [`Halt::Application`] if one ended that may not be started again.
    pub(crate) fn reap(&mut self) -> Result<(), Halt> {
        while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            let (process, outcome) = match status {
                WaitStatus::Exited(process, status) => (process, Outcome::Exited(status)),
                WaitStatus::Signaled(process, signal, _) => {
                    (process, Outcome::Signalled(signal as i32))
                }
                WaitStatus::StillAlive => return Ok(()),
                _ => continue,
            };
            let ended = |e: &Entry| e.running.as_ref().is_some_and(|r| r.process == process);
            let Some(position) = self.entries.iter().position(ended) else {
                continue;
            };
            let Some(entry) = self.entries.get_mut(position) else {
                continue;
            };
            entry.running = None;
            // What it left behind has the keys of a start that is over.
            end(process);
            let (application, start) = (&entry.manifest.name, entry.starts);
            say(Event::Ended {
                application,
                start,
                outcome,
            });
            if start > u64::from(entry.manifest.restart.restarts) {
                return Err(Halt::Application { position });
            }
        }
        Ok(())
    }

    /// State for callers.
    pub(crate) fn status(&self) -> Vec<ApplicationStatus> {
        let state = |e: &Entry| ApplicationStatus {
            name: e.manifest.name.clone(),
            starts: e.starts,
            ready: e.running.as_ref().is_some_and(|r| r.ready),
        };
        self.entries.iter().map(state).collect()
    }

    /// Certificates of the newest starts, by name and start.
    pub(crate) fn certificates(&self) -> impl Iterator<Item = &Signed<ApplicationCertificate>> {
        self.entries.iter().flat_map(|e| &e.certificates)
    }

    /// Asks every application to end.
    pub(crate) fn ask_to_stop(&self) {
        use std::os::fd::AsRawFd as _;
        let message = to_bytes(&FromInit::Stop);
        for running in self.entries.iter().filter_map(|e| e.running.as_ref()) {
            let _ = send(
                running.control.as_raw_fd(),
                &message,
                MsgFlags::MSG_DONTWAIT,
            );
        }
    }

    /// Collects processes that ended while stopping; whether all have.
    pub(crate) fn all_ended(&mut self) -> bool {
        let _ = self.reap();
        self.entries.iter().all(|e| e.running.is_none())
    }

    /// Ends every application at once.
    pub(crate) fn kill_all(&mut self) {
        for running in self.entries.iter().filter_map(|e| e.running.as_ref()) {
            end(running.process);
        }
        for entry in &mut self.entries {
            if let Some(running) = entry.running.take() {
                let _ = waitpid(running.process, None);
            }
        }
    }
}

impl Entry {
    fn start<T: Transport>(
        &mut self,
        device: &mut Device<T>,
        instance: &Provisioned,
        null: BorrowedFd<'_>,
    ) -> Result<(), Halt> {
        self.starts = self.starts.saturating_add(1);
        let name = self.manifest.name.as_str();
        let live = Secret::random(&mut device.generator(core::iter::empty())?);
        let certificate = ApplicationCertificate {
            genesis: instance.identity.genesis_digest(),
            manifest: instance.identity.manifest_digest(),
            application: self.manifest.name.clone(),
            sha256: self.manifest.sha256,
            start: self.starts,
            live: VerificationKey::of(&live.signing_key()),
            time: device.now(),
        };
        let certificate = Signed::sign(certificate, &instance.identity.live.signing);
        let keys = LaunchKeys {
            live: *live.to_bytes(),
            signing: *instance.key(name, Purpose::Signing)?.to_bytes(),
            encryption: *instance.key(name, Purpose::Encryption)?.to_bytes(),
        };
        let keys_file = memory_file(c"keys", &to_secret_bytes(&keys))
            .map_err(Halt::kernel("write launch keys"))?;
        drop(keys);

        let (mine, theirs) = socketpair(
            AddressFamily::Unix,
            SockType::SeqPacket,
            None,
            SockFlag::SOCK_CLOEXEC,
        )
        .map_err(Halt::kernel("make a control socket"))?;
        // The record is descriptor 3, then keys, control and the listeners.
        let first = LAUNCH_RECORD_DESCRIPTOR;
        let listeners = (first.saturating_add(3)..).zip(&self.listeners);
        let record = LaunchRecord {
            format: quorate_protocol::FORMAT,
            certificate: certificate.clone(),
            keys: first.saturating_add(1),
            control: first.saturating_add(2),
            listeners: listeners
                .map(|(descriptor, (port, _))| Listener {
                    port: *port,
                    descriptor,
                })
                .collect(),
        };
        let record_file = memory_file(c"launch-record", &to_bytes(&record))
            .map_err(Halt::kernel("write a launch record"))?;
        seal(&record_file).map_err(Halt::kernel("seal a launch record"))?;

        let mut descriptors = vec![record_file.as_fd(), keys_file.as_fd(), theirs.as_fd()];
        descriptors.extend(self.listeners.iter().map(|(_, fd)| fd.as_fd()));
        let arguments = core::iter::once(name)
            .chain(self.manifest.arguments.iter().map(|a| a.as_str()))
            .map(CString::new)
            .collect::<Result<Vec<_>, _>>();
        let environment = self
            .manifest
            .environment
            .iter()
            .map(|v| CString::new(v.as_str()));
        let process = sys::spawn(&Spawn {
            binary: self.binary.as_fd(),
            // Texts of the contract hold no control character, so no NUL.
            arguments: &arguments.map_err(|_| Halt::Derivation)?,
            environment: &environment
                .collect::<Result<Vec<_>, _>>()
                .map_err(|_| Halt::Derivation)?,
            null,
            descriptors: &descriptors,
            memory_limit: self.manifest.memory_limit,
        })
        .map_err(Halt::kernel("start an application"))?;
        say(Event::Started {
            application: &self.manifest.name,
            start: self.starts,
        });
        self.running = Some(Running {
            process,
            control: mine,
            ready: false,
            ending: false,
        });
        if self.certificates.len() >= KEPT_CERTIFICATES {
            self.certificates.remove(0);
        }
        self.certificates.push(certificate);
        Ok(())
    }
}

/// Ends a process and those it started: init made it the leader of its own group. One that left the
/// group is out of reach until applications have sandboxes.
fn end(process: Pid) {
    let _ = killpg(process, Signal::SIGKILL);
}

/// A file in memory, read from its beginning.
fn memory_file(name: &core::ffi::CStr, contents: &[u8]) -> Result<File, Errno> {
    use std::io::Seek as _;
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let mut file = File::from(memfd_create(name, flags)?);
    file.write_all(contents)
        .and_then(|()| file.rewind())
        .map_err(|e| errno(&e))?;
    Ok(file)
}

fn errno(error: &std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(0))
}
