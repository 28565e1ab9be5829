//! The event loop: one thread, every socket, every signal.
//!
//! Guarantees: requests are served one at a time, so no two can race. Operators' requests are
//! served before anyone else's, and at most one other request between two looks at the operators'
//! port, so no flood on another port delays an operator by more than one request. Each port has a
//! bounded number of connections; when it is full the one that was silent for longest makes room.
//! A connection that sends nothing, or sends slowly, holds only its own descriptor; what all of a
//! port hold together, of requests that are not complete and answers nobody takes, has a bound too.
//!
//! Does not: keep order between connections, or promise anything to a host that floods the
//! operators' own port; the host can always stop the service.

use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::socket::{SockFlag, accept4};
use quorate_protocol::cbor::from_bytes;
use quorate_protocol::frame::Sizes;
use quorate_protocol::message::{Fault, Phase, Reason, Refusal, Request, Response};
use quorate_protocol::ports;

use self::connection::{Broken, Connection, PublicRequest};
use crate::log::{Event, say};
use crate::machine::{Lane, Machine};
use crate::platform::Platform;
use crate::refuse::Halt;

mod connection;

/// Connections on one port, at most.
pub const MAX_CONNECTIONS: usize = 64;
/// A connection without traffic is closed after this long.
pub const IDLE: Duration = Duration::from_secs(60);
/// A frame must be complete this long after its first byte, and an answer taken this long after it
/// was ready.
pub const FRAME: Duration = Duration::from_secs(10);
/// Bytes that the connections of one port hold together, at most: the largest answer and a few more.
const MAX_HELD: usize = 12 * 1024 * 1024;
const _: () = assert!(MAX_HELD > <Response as Sizes>::LARGEST + <Request as Sizes>::LARGEST);
/// Applications that were asked to stop are killed after this long.
pub(crate) const STOP: Duration = Duration::from_secs(2);
/// Bytes read from one connection at a time.
const READ: usize = 64 * 1024;

/// Runs an enclave until it ends.
///
/// Applications have ended and all secrets are erased when this returns.
pub fn run<P: Platform>(platform: P) -> Halt {
    match Server::new(platform) {
        Ok(mut server) => {
            let halt = server.serve();
            say(Event::Halting(&halt));
            server.stop(&halt);
            halt
        }
        Err(halt) => {
            say(Event::Halting(&halt));
            halt
        }
    }
}

struct Server<P: Platform> {
    machine: Machine<P>,
    signals: SignalFd,
    ports: [Port; 2],
}

struct Port {
    lane: Lane,
    listener: OwnedFd,
    connections: Vec<Connection>,
    /// Where the next round of reading begins, so that each connection gets its turn.
    turn: usize,
}

/// What a descriptor in the poll set belongs to.
#[derive(Clone, Copy)]
enum Source {
    Signals,
    Listener(usize),
    Connection(usize, usize),
    Application(usize),
    /// A connection for an application: `advance` looks at all of them.
    Dial,
}

impl<P: Platform> Server<P> {
    fn new(platform: P) -> Result<Self, Halt> {
        // Before there is a secret: no core dump, and no other process of this user traces it.
        nix::sys::prctl::set_dumpable(false).map_err(Halt::kernel("harden init"))?;
        let mut mask = SigSet::empty();
        for signal in [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT] {
            mask.add(signal);
        }
        mask.thread_block().map_err(Halt::kernel("block signals"))?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let signals =
            SignalFd::with_flags(&mask, flags).map_err(Halt::kernel("open a signal descriptor"))?;
        let mut machine = Machine::new(platform)?;
        let mut open = |lane, port| -> Result<Port, Halt> {
            let listener = machine
                .platform()
                .listen(port)
                .map_err(Halt::kernel("listen"))?;
            nonblocking(&listener).map_err(Halt::kernel("listen"))?;
            Ok(Port {
                lane,
                listener,
                connections: Vec::new(),
                turn: 0,
            })
        };
        let ports = [
            open(Lane::Operator, ports::OPERATOR)?,
            open(Lane::Public, ports::PUBLIC)?,
        ];
        say(Event::Phase(Phase::Waiting));
        Ok(Self {
            machine,
            signals,
            ports,
        })
    }

    fn serve(&mut self) -> Halt {
        loop {
            if let Err(halt) = self.turn() {
                return halt;
            }
        }
    }

    /// Waits for something to happen and deals with it.
    fn turn(&mut self) -> Result<(), Halt> {
        let ready = self.wait()?;
        for source in &ready {
            match *source {
                Source::Signals => self.signal()?,
                Source::Application(position) => self.machine.hear(position)?,
                Source::Listener(_) | Source::Connection(..) | Source::Dial => {}
            }
        }
        self.machine.advance()?;
        // Operators first; then one request of anyone else.
        let [operators, public] = &mut self.ports;
        operators.turn(0, &ready, &mut self.machine, usize::MAX)?;
        public.turn(1, &ready, &mut self.machine, 1)?;
        for source in &ready {
            if let Source::Listener(at) = *source
                && let Some(port) = self.ports.get_mut(at)
            {
                port.accept();
            }
        }
        Ok(())
    }

    fn wait(&mut self) -> Result<Vec<Source>, Halt> {
        let now = Instant::now();
        let mut sources = vec![Source::Signals];
        let mut fds = vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
        let mut deadline = self.machine.deadline();
        for (at, port) in self.ports.iter_mut().enumerate() {
            port.connections.retain(|c| c.deadline() > now);
            let port = &*port;
            sources.push(Source::Listener(at));
            fds.push(PollFd::new(port.listener.as_fd(), PollFlags::POLLIN));
            for (index, connection) in port.connections.iter().enumerate() {
                let events = if connection.outgoing.is_empty() {
                    PollFlags::POLLIN
                } else {
                    PollFlags::POLLOUT
                };
                sources.push(Source::Connection(at, index));
                fds.push(PollFd::new(connection.stream.as_fd(), events));
                let due = connection.deadline();
                deadline = Some(deadline.map_or(due, |d| d.min(due)));
            }
        }
        if let Some(applications) = self.machine.applications() {
            let applications = &*applications;
            for (position, control) in applications.controls() {
                sources.push(Source::Application(position));
                fds.push(PollFd::new(control, PollFlags::POLLIN));
            }
            for dial in applications.dials() {
                sources.push(Source::Dial);
                fds.push(PollFd::new(dial, PollFlags::POLLOUT));
            }
        }
        let timeout = deadline.map_or(PollTimeout::NONE, |due| {
            let left = due
                .saturating_duration_since(now)
                .saturating_add(Duration::from_millis(1));
            PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
        });
        match poll(&mut fds, timeout) {
            Ok(_) => {}
            Err(Errno::EINTR) => return Ok(Vec::new()),
            Err(errno) => {
                return Err(Halt::Kernel {
                    step: "poll",
                    errno,
                });
            }
        }
        let happened = |fd: &PollFd<'_>| fd.any().unwrap_or(true);
        Ok(sources
            .into_iter()
            .zip(&fds)
            .filter(|(_, fd)| happened(fd))
            .map(|(s, _)| s)
            .collect())
    }

    fn signal(&mut self) -> Result<(), Halt> {
        while let Ok(Some(information)) = self.signals.read_signal() {
            if information.ssi_signo != Signal::SIGCHLD as u32 {
                return Err(Halt::Asked);
            }
        }
        self.machine.reap()
    }

    /// Ends the applications; the rest goes when the server is dropped.
    fn stop(&mut self, halt: &Halt) {
        let Some(applications) = self.machine.applications() else {
            return;
        };
        if halt.is_orderly() {
            let deadline = Instant::now() + STOP;
            while !applications.all_ended() && Instant::now() < deadline {
                applications.ask_to_stop();
                let mut fds = [PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
                let _ = poll(&mut fds, 20_u8);
                while let Ok(Some(_)) = self.signals.read_signal() {}
            }
        }
        applications.kill_all();
    }
}

impl Port {
    /// Moves every connection that is ready, serving at most `limit` requests.
    fn turn<P: Platform>(
        &mut self,
        at: usize,
        ready: &[Source],
        machine: &mut Machine<P>,
        limit: usize,
    ) -> Result<(), Halt> {
        let mut mine: Vec<usize> = ready
            .iter()
            .filter_map(|source| match source {
                Source::Connection(port, index) if *port == at => Some(*index),
                _ => None,
            })
            .collect();
        // Begin after the connection that was served last.
        let split = mine
            .iter()
            .position(|index| *index > self.turn)
            .unwrap_or(0);
        mine.rotate_left(split);
        let mut served = 0;
        for index in mine {
            let Some(connection) = self.connections.get_mut(index) else {
                continue;
            };
            if served >= limit && connection.outgoing.is_empty() {
                continue;
            }
            let advanced = match self.lane {
                Lane::Operator => connection.advance::<Request>(),
                Lane::Public => connection.advance::<PublicRequest>(),
            };
            match advanced {
                Ok(Some(payload)) => {
                    served += 1;
                    self.turn = index;
                    let kind = payload.get(1).copied();
                    let response = if !kind.is_some_and(|kind| self.lane.takes(kind)) {
                        refused(Reason::WrongPort, "")
                    } else {
                        match from_bytes::<Request>(&payload) {
                            Ok(request) => machine.serve(self.lane, request)?,
                            Err(error) => {
                                connection.closing = true;
                                malformed(&error.to_string())
                            }
                        }
                    };
                    connection.answer(&response);
                }
                Ok(None) => {}
                Err(Broken::Closed) => connection.abandon(),
                Err(Broken::Frame(text)) => {
                    connection.closing = true;
                    connection.answer(&malformed(&text));
                }
            }
            self.keep_within(MAX_HELD, index);
        }
        self.connections.retain(|c| !c.is_done());
        Ok(())
    }

    /// Gives up connections until what all hold is no more than `most`: first the one that was silent
    /// for longest, never the one that was just served.
    fn keep_within(&mut self, most: usize, served: usize) {
        while self.connections.iter().map(Connection::held).sum::<usize>() > most {
            let others = self.connections.iter_mut().enumerate();
            let others = others.filter(|(index, c)| *index != served && c.held() > 0);
            match others.min_by_key(|(_, c)| c.last) {
                Some((_, connection)) => connection.abandon(),
                None => return,
            }
        }
    }

    /// Takes every connection that waits.
    fn accept(&mut self) {
        for _ in 0..MAX_CONNECTIONS {
            let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
            let accepted = match accept4(self.listener.as_raw_fd(), flags) {
                Ok(accepted) => accepted,
                // It waits still, so the next poll returns at once: there must be room by then.
                Err(Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM | Errno::ENOBUFS) => {
                    self.make_room();
                    return;
                }
                Err(_) => return,
            };
            let stream = crate::sys::adopt(accepted);
            if self.connections.len() >= MAX_CONNECTIONS {
                self.make_room();
            }
            self.connections
                .push(Connection::new(UnixStream::from(stream)));
        }
    }

    /// Closes the connection that was silent for longest.
    fn make_room(&mut self) {
        let connections = self.connections.iter().enumerate();
        if let Some((index, _)) = connections.min_by_key(|(_, c)| c.last) {
            self.connections.swap_remove(index);
        }
    }
}

fn malformed(detail: &str) -> Response {
    refused(Reason::Malformed, detail)
}

fn refused(reason: Reason, detail: &str) -> Response {
    let detail = quorate_protocol::atoms::Text::new(detail).unwrap_or_default();
    say(Event::Refused(reason));
    Response::Refused(Refusal {
        reason,
        fault: Fault::Caller,
        member: None,
        detail,
    })
}

fn nonblocking(fd: &OwnedFd) -> Result<(), Errno> {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
    fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK)).map(|_| ())
}

#[cfg(test)]
mod tests;
