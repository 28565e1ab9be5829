//! Why a proxy cannot listen or go on.

use std::path::PathBuf;

use nix::errno::Errno;

/// Why a proxy cannot listen or go on. The person who runs it, or the machine, is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// Connections can no longer be taken.
    #[error("connections can no longer be taken: {errno}")]
    Accept {
        /// What the kernel said.
        errno: Errno,
    },
    /// Something else listens there, or a file is in the way.
    #[error("{} is taken", path.display())]
    Taken {
        /// The socket's path.
        path: PathBuf,
    },
    /// The socket cannot be made.
    #[error("{} cannot be listened on: {errno}", path.display())]
    Unix {
        /// The socket's path.
        path: PathBuf,
        /// What the kernel said.
        errno: Errno,
    },
    /// The vsock port cannot be listened on.
    #[error("vsock port {port} cannot be listened on: {errno}")]
    Vsock {
        /// The port.
        port: u32,
        /// What the kernel said.
        errno: Errno,
    },
}

impl ProxyError {
    /// A stable name for machines.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Accept { .. } => "egress-accept",
            Self::Taken { .. } => "egress-socket-taken",
            Self::Unix { .. } => "egress-socket",
            Self::Vsock { .. } => "egress-vsock",
        }
    }

    /// What to do.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Accept { .. } => "look at the limits of the machine and start the proxy again",
            Self::Taken { .. } => {
                "end the proxy that listens there, or name a path where nothing is"
            }
            Self::Unix { .. } => "name a path of at most 107 bytes in a folder you may write to",
            Self::Vsock { .. } => {
                "run it on a parent instance (modprobe vhost_vsock or the Nitro driver), and only once"
            }
        }
    }
}
