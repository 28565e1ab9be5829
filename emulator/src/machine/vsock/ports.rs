//! The parent's side in the file system: a folder with a Unix socket for each port.
//!
//! | socket | who listens | what a connection is |
//! | --- | --- | --- |
//! | `operator.sock`, `public.sock`, `port-N.sock` | this emulator | one to that port of the guest |
//! | `vsock.sock` | this emulator | one to the port its first line names, `CONNECT N` |
//! | `parent-N.sock` | whoever wants to | one the guest made to port N of CID 3 |
//!
//! Port 9000 of the parent is answered by [`Heartbeat`].//!
//! Guarantees: no call blocks; one that fails for want of descriptors pauses the listeners for a
//! moment and closes nothing.
//!
//! Trusts: the user it runs as. The folder is that user's alone.

use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::connection::Stream;
use super::heartbeat::{HEARTBEAT_PORT, Heartbeat};
use super::switch::{Host, Id};

/// Events taken from the kernel at once.
const BATCH: usize = 128;

/// Ids of listeners have this bit; connections never get so far.
const LISTENER: u64 = 1 << 63;

/// Most listeners.
pub(crate) const LISTENERS_MAX: usize = 64;

/// The socket whose connections name their port.
pub const GREETED: &str = "vsock.sock";

/// What a listener is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// This port of the guest.
    Port(u32),
    /// The port that the first line names.
    Named,
}

/// What happened to the parent's sockets.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    /// Connections wait.
    Incoming(usize),
    /// A connection's end is ready.
    Ready {
        id: Id,
        readable: bool,
        writable: bool,
        hung_up: bool,
    },
}

/// Sockets of one guest.
pub(crate) struct Ports {
    folder: PathBuf,
    epoll: Epoll,
    listeners: Vec<(UnixListener, Target)>,
    paused: bool,
    heartbeat: Heartbeat,
}

/// One connection's socket. Closing it takes it out of the set of watched ones.
pub(crate) struct Socket(UnixStream);

impl Ports {
    /// Sockets in `folder`, none yet.
    pub(crate) fn new(folder: &Path, heartbeat: Heartbeat) -> io::Result<Self> {
        Ok(Self {
            heartbeat,
            folder: folder.to_owned(),
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
            listeners: Vec::new(),
            paused: false,
        })
    }

    /// Ready when one of the sockets is.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
    }

    /// Makes a socket and listens on it.
    pub(crate) fn listen(&mut self, name: &str, target: Target) -> io::Result<()> {
        if self.listeners.len() >= LISTENERS_MAX {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        let listener = UnixListener::bind(self.folder.join(name))?;
        listener.set_nonblocking(true)?;
        let number = self.listeners.len() as u64;
        let event = EpollEvent::new(EpollFlags::EPOLLIN, LISTENER | number);
        if !self.paused {
            self.epoll.add(&listener, event)?;
        }
        self.listeners.push((listener, target));
        Ok(())
    }

    /// What happened, without waiting. Nothing more than a batch; ask again.
    pub(crate) fn events(&self) -> Vec<Event> {
        let mut events = [EpollEvent::empty(); BATCH];
        let found = self.epoll.wait(&mut events, EpollTimeout::ZERO);
        let found = events.iter().take(found.unwrap_or(0));
        found
            .map(|event| {
                let flags = event.events();
                let hung_up = flags.intersects(EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR);
                let readable = flags.intersects(EpollFlags::EPOLLIN | EpollFlags::EPOLLRDHUP);
                match event.data() {
                    data if data & LISTENER != 0 => {
                        Event::Incoming(usize::try_from(data & !LISTENER).unwrap_or(usize::MAX))
                    }
                    data => Event::Ready {
                        id: Id(data),
                        readable: readable || hung_up,
                        writable: flags.contains(EpollFlags::EPOLLOUT) || hung_up,
                        hung_up,
                    },
                }
            })
            .collect()
    }

    /// The next connection that waits at a listener. An error means that this process cannot take
    /// more now.
    pub(crate) fn accept(&self, listener: usize) -> io::Result<Option<(UnixStream, Target)>> {
        let Some((listener, target)) = self.listeners.get(listener) else {
            return Ok(None);
        };
        match listener.accept() {
            Ok((stream, _)) => Ok(Some((stream, *target))),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock
                | io::ErrorKind::Interrupted
                | io::ErrorKind::ConnectionAborted => Ok(None),
                _ => Err(error),
            },
        }
    }

    /// Watches a socket under the id its connection has.
    pub(crate) fn watch(&self, stream: UnixStream, id: Id) -> io::Result<Socket> {
        stream.set_nonblocking(true)?;
        let flags = EpollFlags::EPOLLIN
            | EpollFlags::EPOLLOUT
            | EpollFlags::EPOLLRDHUP
            | EpollFlags::EPOLLET;
        self.epoll.add(&stream, EpollEvent::new(flags, id.0))?;
        Ok(Socket(stream))
    }

    /// Stops taking connections, or takes them again.
    pub(crate) fn pause(&mut self, pause: bool) {
        if self.paused == pause {
            return;
        }
        self.paused = pause;
        for ((listener, _), number) in self.listeners.iter().zip(0_u64..) {
            let event = EpollEvent::new(EpollFlags::EPOLLIN, LISTENER | number);
            // What cannot be watched again takes no connection; those there are go on.
            let _ = if pause {
                self.epoll.delete(listener)
            } else {
                self.epoll.add(listener, event)
            };
        }
    }
}

/// The name of the socket where somebody listens for the guest's connections to a port.
pub fn parent_socket(port: u32) -> String {
    format!("parent-{port}.sock")
}

impl Host for Ports {
    type Stream = Socket;

    fn open(&mut self, port: u32, id: Id) -> Option<Socket> {
        if port == HEARTBEAT_PORT {
            let (near, far) = UnixStream::pair().ok()?;
            self.heartbeat.take(far)?;
            return self.watch(near, id).ok();
        }
        // Connecting to a Unix socket is decided at once; a full backlog would block, so a
        // non-blocking socket is used.
        use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
        use std::os::fd::AsRawFd as _;
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let fd = socket(AddressFamily::Unix, SockType::Stream, flags, None).ok()?;
        let address = UnixAddr::new(&self.folder.join(parent_socket(port))).ok()?;
        connect(fd.as_raw_fd(), &address).ok()?;
        self.watch(UnixStream::from(fd), id).ok()
    }
}

impl Stream for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The library sends with MSG_NOSIGNAL: a closed reader is an error, not a signal.
        self.0.write(bytes)
    }

    fn shutdown(&mut self, how: Shutdown) {
        let _ = self.0.shutdown(how);
    }
}
