//! A listening socket that init made.
//!
//! On Nitro it is a vsock socket, in process mode a Unix socket. Reading and writing a stream is the
//! same for both; accepting is not in the standard library, which reads the peer's address and
//! refuses one of another family. Who the peer is means nothing here: everything outside is hostile.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};

use crate::sys;

/// Takes connections.
#[derive(Debug)]
pub struct ListeningSocket(OwnedFd);

impl ListeningSocket {
    pub(crate) fn new(socket: OwnedFd) -> Self {
        Self(socket)
    }

    /// Waits for a connection. The stream is used as one of Unix sockets is; only its addresses
    /// cannot be asked for. It is closed on exec.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn accept(&self) -> io::Result<UnixStream> {
        Ok(UnixStream::from(sys::accept(self)?))
    }
}

impl AsFd for ListeningSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// For applications that are tried out without an init.
impl From<UnixListener> for ListeningSocket {
    fn from(listener: UnixListener) -> Self {
        Self(listener.into())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    /// A socket of a family that is not Unix, as vsock is not.
    #[test]
    fn connections_of_another_family_are_taken() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let listening = ListeningSocket::new(socket.into());
        let mut client = std::net::TcpStream::connect(address).unwrap();
        let mut served = listening.accept().unwrap();
        client.write_all(b"ping").unwrap();
        let mut heard = [0; 4];
        served.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"ping");
        served.write_all(b"pong").unwrap();
        client.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"pong");
    }
}
