//! One start: certificate, keys, launch record, and the process that inherits exactly those.
//!
//! Keys are in a memory file of their own, never in environment or arguments. The live key is made
//! for this start; the others are derived from the quorum secret, and an application is given only
//! those of its own name and those the manifest shares with it.

use std::ffi::CString;
use std::fs::File;
use std::io::Write as _;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::Instant;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::sys::stat::{Mode, fchmod};
use quorate_protocol::application::{
    ApplicationCertificate, Edge, EdgeEnd, LAUNCH_RECORD_DESCRIPTOR, LaunchKeys, LaunchRecord,
    LaunchSealingKey, Listener,
};
use quorate_protocol::cbor::{to_bytes, to_secret_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::instance::Purpose;
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::manifest::Application;
use quorate_sharing::Secret;

use super::process::Process;
use crate::device::Device;
use crate::instance::Provisioned;
use crate::nsm::Transport;
use crate::refuse::Halt;
use crate::sandbox::{Sandbox, Spawn, spawn};
use crate::uploads::{Binary, seal};

/// What a start is made of.
pub(super) struct Start<'a> {
    pub(super) manifest: &'a Application,
    pub(super) binary: &'a Binary,
    pub(super) listeners: &'a [(u32, OwnedFd)],
    pub(super) edges: &'a [(EdgeEnd, OwnedFd)],
    /// Which start this is.
    pub(super) number: u64,
    pub(super) null: BorrowedFd<'a>,
    pub(super) sandbox: &'a Rc<Sandbox>,
}

impl Start<'_> {
    /// Starts the process.
    ///
    /// # Errors
    /// [`Halt`].
    pub(super) fn launch<T: Transport>(
        &self,
        device: &mut Device<T>,
        instance: &Provisioned,
    ) -> Result<(Process, Signed<ApplicationCertificate>), Halt> {
        let live = Secret::random(&mut device.generator(core::iter::empty())?);
        let identity = &instance.identity;
        let certificate = ApplicationCertificate {
            genesis: identity.genesis_digest(),
            manifest: identity.manifest_digest(),
            application: self.manifest.name.clone(),
            sha256: self.manifest.sha256,
            start: self.number,
            live: VerificationKey::of(&live.signing_key()),
            time: device.now(),
        };
        let certificate = Signed::sign(certificate, &instance.live.signing);
        let keys = self.keys(&live, instance)?;
        let keys_file = memory_file(c"keys", &to_secret_bytes(&keys))
            .map_err(Halt::kernel("write launch keys"))?;
        drop(keys);
        fcntl(&keys_file, FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_GROW))
            .map_err(Halt::kernel("bound the file of launch keys"))?;

        let (mine, theirs) = socketpair(
            AddressFamily::Unix,
            SockType::SeqPacket,
            None,
            SockFlag::SOCK_CLOEXEC,
        )
        .map_err(Halt::kernel("make a control socket"))?;
        let record = self.record(&certificate, device, identity.live.verification);
        let record_file = memory_file(c"launch-record", &to_bytes(&record))
            .map_err(Halt::kernel("write a launch record"))?;
        seal(&record_file).map_err(Halt::kernel("seal a launch record"))?;

        let mut descriptors = vec![record_file.as_fd(), keys_file.as_fd(), theirs.as_fd()];
        descriptors.extend(self.listeners.iter().map(|(_, fd)| fd.as_fd()));
        descriptors.extend(self.edges.iter().map(|(_, fd)| fd.as_fd()));
        // Texts of the contract hold no control character, so no NUL.
        let text = |text: &str| CString::new(text).map_err(|_| Halt::Derivation);
        let arguments = core::iter::once(self.manifest.name.as_str())
            .chain(self.manifest.arguments.iter().map(|a| a.as_str()))
            .map(text)
            .collect::<Result<Vec<_>, _>>()?;
        let environment = self.manifest.environment.iter().map(|v| text(v.as_str()));
        let process = spawn(Spawn {
            binary: self.binary.as_fd(),
            arguments,
            environment: environment.collect::<Result<Vec<_>, _>>()?,
            null: self.null,
            descriptors: &descriptors,
            memory_limit: self.manifest.memory_limit,
            sandbox: self.sandbox,
        })?;
        let process = Process::new(process, mine, Rc::clone(self.sandbox), Instant::now());
        Ok((process, certificate))
    }

    fn keys(&self, live: &Secret, instance: &Provisioned) -> Result<LaunchKeys, Halt> {
        let name = &self.manifest.name;
        let sealing = instance.identity.manifest().sealing_keys(name).into_iter();
        let sealing = sealing.map(|(owner, reader)| {
            let key = *instance.sealing_key(&owner, &reader)?;
            Ok(LaunchSealingKey { owner, reader, key })
        });
        Ok(LaunchKeys {
            live: *live.to_bytes(),
            signing: *instance.key(name.as_str(), Purpose::Signing)?.to_bytes(),
            encryption: *instance.key(name.as_str(), Purpose::Encryption)?.to_bytes(),
            sealing: sealing.collect::<Result<_, Halt>>()?,
        })
    }

    /// The record is descriptor 3, then come keys, control, the listeners and the edges.
    fn record<T: Transport>(
        &self,
        certificate: &Signed<ApplicationCertificate>,
        device: &Device<T>,
        instance: VerificationKey,
    ) -> LaunchRecord {
        let first = LAUNCH_RECORD_DESCRIPTOR;
        let mut next = first.saturating_add(3)..;
        let mut number = || next.next().unwrap_or(i32::MAX);
        let listeners = self.listeners.iter().map(|(port, _)| Listener {
            port: *port,
            descriptor: number(),
        });
        let listeners = listeners.collect();
        let edges = self.edges.iter().map(|(end, _)| Edge {
            end: end.clone(),
            descriptor: number(),
        });
        LaunchRecord {
            format: quorate_protocol::FORMAT,
            certificate: certificate.clone(),
            keys: first.saturating_add(1),
            control: first.saturating_add(2),
            listeners,
            edges: edges.collect(),
            instance,
            time: device.time(),
        }
    }
}

/// A file in memory, read from its beginning.
fn memory_file(name: &core::ffi::CStr, contents: &[u8]) -> Result<File, Errno> {
    use std::io::Seek as _;
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let mut file = File::from(memfd_create(name, flags)?);
    // Nobody who is not its owner executes it.
    fchmod(&file, Mode::S_IRUSR | Mode::S_IWUSR)?;
    file.write_all(contents)
        .and_then(|()| file.rewind())
        .map_err(|e| Errno::from_raw(e.raw_os_error().unwrap_or(0)))?;
    Ok(file)
}
