//! From the launch record to a running application.

use std::fs::File;
use std::io::{Read, Seek as _, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixListener;
use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv, send};
use p256::ecdsa::SigningKey;
use quorate_protocol::application::{
    ApplicationCertificate, ApplicationProof, FromInit, LAUNCH_RECORD_DESCRIPTOR, LaunchKeys,
    LaunchRecord, Listener, ToInit,
};
use quorate_protocol::atoms::{Bytes, Name};
use quorate_protocol::cbor::{Object, from_bytes, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_sealing::DecryptionKey;
use zeroize::Zeroizing;

use crate::error::AppError;
use crate::sys;

/// A started application.
pub struct App {
    certificate: Signed<ApplicationCertificate>,
    listeners: Vec<Listener>,
    control: OwnedFd,
    prover: Arc<Prover>,
    signing: SigningKey,
    decryption: DecryptionKey,
}

/// Signs proofs with the key made for this start. Threads share one through [`Arc`]; the key is
/// erased when the last of them is gone.
pub struct Prover {
    live: SigningKey,
    certificate: ApplicationCertificate,
}

impl App {
    /// Takes over what init handed to this process: hardens it, reads the record, takes the keys.
    ///
    /// # Errors
    /// [`AppError`]; there is nothing an application can do but end.
    pub fn start() -> Result<Self, AppError> {
        nix::sys::prctl::set_dumpable(false).map_err(AppError::Hardening)?;
        let record = read(LAUNCH_RECORD_DESCRIPTOR, LaunchRecord::MAX)
            .map_err(AppError::NotLaunched)?
            .1;
        let record: LaunchRecord = from_bytes(&record)?;
        let (mut keys_file, encoded) =
            read(record.keys, LaunchKeys::MAX).map_err(|errno| AppError::Descriptor {
                number: record.keys,
                errno,
            })?;
        let keys: LaunchKeys = from_bytes(&encoded)?;
        let erased = keys_file
            .rewind()
            .and_then(|()| keys_file.write_all(&vec![0; encoded.len()]));
        erased.map_err(|e| AppError::Descriptor {
            number: record.keys,
            errno: errno(&e),
        })?;
        drop(keys_file);

        let scalar = |bytes: &[u8; 32]| SigningKey::from_slice(bytes).map_err(|_| AppError::Key);
        let decryption = DecryptionKey::from_bytes(&keys.encryption).map_err(|_| AppError::Key)?;
        let control = sys::take(record.control).map_err(|errno| AppError::Descriptor {
            number: record.control,
            errno,
        })?;
        // The certificate is init's word to others; this process need not doubt its parent.
        let certificate = record.certificate.unverified().clone();
        Ok(Self {
            prover: Arc::new(Prover {
                live: scalar(&keys.live)?,
                certificate,
            }),
            signing: scalar(&keys.signing)?,
            decryption,
            control,
            certificate: record.certificate,
            listeners: record.listeners,
        })
    }

    /// The certificate of this start, to be given to clients beside proofs.
    pub fn certificate(&self) -> &Signed<ApplicationCertificate> {
        &self.certificate
    }

    /// A listening socket of the manifest entry. Each can be taken once.
    ///
    /// # Errors
    /// [`AppError::Port`], [`AppError::Descriptor`].
    pub fn listener(&mut self, port: u32) -> Result<UnixListener, AppError> {
        let position = self.listeners.iter().position(|l| l.port == port);
        let position = position.ok_or(AppError::Port { port })?;
        let number = self.listeners.swap_remove(position).descriptor;
        let fd = sys::take(number).map_err(|errno| AppError::Descriptor { number, errno })?;
        // accept, read and write are the same for vsock and Unix stream sockets.
        Ok(UnixListener::from(fd))
    }

    /// Signs proofs with the key of this start.
    pub fn prover(&self) -> Arc<Prover> {
        Arc::clone(&self.prover)
    }

    /// The signing key derived from the quorum key: the same in every instance.
    pub fn signing_key(&self) -> &SigningKey {
        &self.signing
    }

    /// The decryption key derived from the quorum key: the same in every instance.
    pub fn decryption_key(&self) -> &DecryptionKey {
        &self.decryption
    }

    /// Tells init that this application serves from now on.
    ///
    /// # Errors
    /// [`AppError::Control`].
    pub fn ready(&self) -> Result<(), AppError> {
        let message = to_bytes(&ToInit::Ready);
        let sent = send(self.control.as_raw_fd(), &message, MsgFlags::MSG_NOSIGNAL);
        sent.map(|_| ()).map_err(AppError::Control)
    }

    /// Waits until init asks this application to end.
    ///
    /// # Errors
    /// [`AppError::Control`] if init is gone.
    pub fn wait_for_stop(&self) -> Result<(), AppError> {
        loop {
            let mut message = [0; FromInit::MAX];
            match recv(self.control.as_raw_fd(), &mut message, MsgFlags::empty()) {
                Ok(0) => return Err(AppError::Control(Errno::ECONNRESET)),
                Ok(length) => {
                    let said = message.get(..length).map(from_bytes::<FromInit>);
                    if said == Some(Ok(FromInit::Stop)) {
                        return Ok(());
                    }
                }
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(AppError::Control(errno)),
            }
        }
    }
}

impl Prover {
    /// Signs a statement of this application, of a kind the application defines.
    ///
    /// # Errors
    /// [`AppError::ProofTooLong`].
    pub fn prove(
        &self,
        kind: &Name,
        payload: Vec<u8>,
    ) -> Result<Signed<ApplicationProof>, AppError> {
        let found = payload.len();
        let proof = ApplicationProof {
            genesis: self.certificate.genesis,
            application: self.certificate.application.clone(),
            start: self.certificate.start,
            kind: kind.clone(),
            payload: Bytes::new(payload).map_err(|_| AppError::ProofTooLong { found })?,
        };
        Ok(Signed::sign(proof, &self.live))
    }
}

/// Takes a descriptor and reads the file behind it, at most `max` bytes, from its beginning.
fn read(number: i32, max: usize) -> Result<(File, Zeroizing<Vec<u8>>), Errno> {
    let mut file = File::from(sys::take(number)?);
    // One byte more than allowed, so that the decoder sees an overlong file as such.
    let limit = max.saturating_add(1);
    let mut contents = Zeroizing::new(Vec::with_capacity(limit));
    let bounded = u64::try_from(limit).unwrap_or(u64::MAX);
    let outcome = file.rewind().and_then(|()| {
        Read::by_ref(&mut file)
            .take(bounded)
            .read_to_end(&mut contents)
    });
    outcome.map(|_| ()).map_err(|e| errno(&e))?;
    Ok((file, contents))
}

fn errno(error: &std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(0))
}
