//! Where enclaves connect to: the parent's vsock port, or a Unix socket for enclaves that are
//! processes.

use std::fs;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, VsockAddr, bind, listen, socket,
};

use crate::error::ProxyError;
use crate::sys;

/// Connections that wait to be taken, at most.
const BACKLOG: i32 = 128;

/// A listening socket. A Unix socket's file is removed when this is dropped.
#[derive(Debug)]
pub struct Listener {
    socket: OwnedFd,
    /// The only enclave that may connect over vsock.
    cid: Option<u32>,
    path: Option<PathBuf>,
}

impl Listener {
    /// Listens on a Unix socket that only this user may connect to. A socket that nobody listens on
    /// any more is replaced.
    ///
    /// # Errors
    /// [`ProxyError::Taken`], [`ProxyError::Unix`].
    pub fn unix(path: &Path) -> Result<Self, ProxyError> {
        let failed = |error: io::Error| ProxyError::Unix {
            path: path.to_owned(),
            errno: errno(&error),
        };
        if let Ok(found) = fs::symlink_metadata(path) {
            let abandoned = found.file_type().is_socket()
                && UnixStream::connect(path)
                    .is_err_and(|e| e.kind() == io::ErrorKind::ConnectionRefused);
            if !abandoned {
                return Err(ProxyError::Taken {
                    path: path.to_owned(),
                });
            }
            fs::remove_file(path).map_err(failed)?;
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        let own = fs::Permissions::from_mode(0o600);
        fs::set_permissions(path, own).map_err(failed)?;
        Ok(Self {
            socket: listener.into(),
            cid: None,
            path: Some(path.to_owned()),
        })
    }

    /// Listens on a vsock port, for the enclave with this context id or for all.
    ///
    /// # Errors
    /// [`ProxyError::Vsock`].
    pub fn vsock(port: u32, cid: Option<u32>) -> Result<Self, ProxyError> {
        let failed = |errno| ProxyError::Vsock { port, errno };
        let flags = SockFlag::SOCK_CLOEXEC;
        let made = socket(AddressFamily::Vsock, SockType::Stream, flags, None);
        let socket = made.map_err(failed)?;
        let any = VsockAddr::new(libc::VMADDR_CID_ANY, port);
        bind(socket.as_raw_fd(), &any).map_err(failed)?;
        let backlog = Backlog::new(BACKLOG).map_err(failed)?;
        listen(&socket, backlog).map_err(failed)?;
        Ok(Self {
            socket,
            cid,
            path: None,
        })
    }

    /// The next connection of an enclave that may connect, with its context id.
    ///
    /// # Errors
    /// [`ProxyError::Accept`] when there will be no more.
    pub(crate) fn accept(&self) -> Result<(UnixStream, Option<u32>), ProxyError> {
        loop {
            match sys::accept(self.socket.as_fd()) {
                Ok((_, cid)) if self.cid.is_some() && cid != self.cid => {}
                // Reads and writes of a stream socket are the same for Unix and vsock.
                Ok((stream, cid)) => return Ok((UnixStream::from(stream), cid)),
                Err(errno) if passes(errno) => std::thread::sleep(PAUSE),
                Err(errno) => return Err(ProxyError::Accept { errno }),
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = fs::remove_file(path);
        }
    }
}

/// Before the next attempt after one that failed.
const PAUSE: core::time::Duration = core::time::Duration::from_millis(10);

/// Whether this is the fault of one connection or of a short supply, and not of the listener.
fn passes(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::ECONNABORTED
            | Errno::ECONNRESET
            | Errno::EPROTO
            | Errno::EINTR
            | Errno::EAGAIN
            | Errno::EMFILE
            | Errno::ENFILE
            | Errno::ENOBUFS
            | Errno::ENOMEM
    )
}

fn errno(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EINVAL, Errno::from_raw)
}
