//! Why an application cannot start or go on.

use nix::errno::Errno;
use quorate_protocol::cbor::DecodeError;

/// Why an application cannot start or go on. Unless said otherwise init or the kernel is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AppError {
    /// The control socket failed: init is gone.
    #[error("the control socket to init failed: {0}")]
    Control(Errno),
    /// A descriptor of the launch record is not open.
    #[error("descriptor {number} is not what the launch record says: {errno}")]
    Descriptor {
        /// The descriptor.
        number: i32,
        /// What the kernel said.
        errno: Errno,
    },
    /// The application asks for an edge the manifest does not give it. The application is at fault.
    #[error("this application may not call {callee}: its manifest entry does not name it")]
    Edge {
        /// The application to be called.
        callee: String,
    },
    /// Init gave no entropy in time.
    #[error("init gave no entropy in time")]
    Entropy,
    /// A key of the launch is no scalar.
    #[error("a launch key is not a P-256 scalar")]
    Key,
    /// The record cannot be read. Usually the binary was started by hand and not by init.
    #[error("there is no launch record on descriptor 3 ({0}); init starts applications, see docs")]
    NotLaunched(Errno),
    /// The application asks for a port the manifest does not give it. The application is at fault.
    #[error("port {port} is not in this application's manifest entry, or was taken before")]
    Port {
        /// The port.
        port: u32,
    },
    /// The payload of a proof is too long. The application is at fault.
    #[error("a proof's payload has {found} bytes, at most 65536 are possible")]
    ProofTooLong {
        /// Its length in bytes.
        found: usize,
    },
    /// The kernel gave no randomness.
    #[error("the kernel gave no randomness: {0}")]
    Randomness(Errno),
    /// The record or the keys are not of this contract: init is of another version.
    #[error("the launch record is not of this version: {0}")]
    Record(#[from] DecodeError),
    /// The signer of proofs failed.
    #[error("the signer of proofs failed")]
    Signer,
    /// The application asks for a sealing key that is not its own, nor shared with it by the
    /// manifest. The application is at fault.
    #[error("the manifest gives this application no key for what {owner} seals for {reader}")]
    StorageKey {
        /// Who seals.
        owner: String,
        /// Who opens.
        reader: String,
    },
    /// A thread could not be made: the memory limit of the manifest is too low.
    #[error("a thread could not be made; the memory limit may be too low")]
    Thread,
    /// The process could not be hardened.
    #[error("hardening failed: {0}")]
    Hardening(Errno),
}
