//! The proxy: one thread for each connection, at most as many as the settings say.
//!
//! A connection is one request ([`EgressRequest`]), one answer, and then bytes. What comes after the
//! request before the answer has gone out is kept by the kernel and carried first.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use quorate_protocol::cbor::{from_bytes, to_bytes};
use quorate_protocol::egress::{Destination, EgressReason, EgressRequest, EgressResponse};
use quorate_protocol::frame::{Assembler, frame};

use crate::error::ProxyError;
use crate::list::AllowList;
use crate::listen::Listener;
use crate::record::{Outcome, Record};
use crate::relay::{Carried, relay};
use crate::resolve::Resolver;

/// A request must have come this long after its connection.
pub const REQUEST: Duration = Duration::from_secs(5);
/// A destination must have taken the connection after this long, all its addresses together.
pub const CONNECT: Duration = Duration::from_secs(10);
/// A connection over which nothing goes ends after this long.
pub const IDLE: Duration = Duration::from_secs(600);
/// Connections at a time, unless said otherwise.
pub const DEFAULT_CONNECTIONS: usize = 256;
/// Connections at a time, at most.
pub const MAX_CONNECTIONS: usize = 4096;

/// Stack of the thread of a connection. The host's resolver runs on it.
const STACK: usize = 256 * 1024;

/// How a proxy behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where it connects to.
    pub list: AllowList,
    /// How it finds addresses.
    pub resolver: Resolver,
    /// Connections at a time; [`MAX_CONNECTIONS`] if it is more.
    pub connections: usize,
    /// A connection over which nothing goes ends after this long.
    pub idle: Duration,
}

/// A proxy.
pub struct Proxy {
    settings: Settings,
    active: AtomicUsize,
    log: Box<dyn Fn(&Record) + Send + Sync>,
}

impl Proxy {
    /// A proxy that tells `log` about each connection when it has ended.
    pub fn new(settings: Settings, log: impl Fn(&Record) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            settings,
            active: AtomicUsize::new(0),
            log: Box::new(log),
        })
    }

    /// Serves until no more connections can be taken.
    ///
    /// # Errors
    /// [`ProxyError::Accept`].
    pub fn serve(self: &Arc<Self>, listener: &Listener) -> Result<(), ProxyError> {
        let most = self.settings.connections.min(MAX_CONNECTIONS);
        loop {
            let (stream, cid) = listener.accept()?;
            let slot = Slot(Arc::clone(self));
            let taken = self.active.fetch_add(1, Ordering::AcqRel) < most;
            if taken {
                let thread = thread::Builder::new().stack_size(STACK);
                // A thread that could not be made has dropped its stream and its slot.
                let _ = thread.spawn(move || slot.0.converse(&stream, cid));
            } else {
                turn_away(&stream);
                self.tell(
                    cid,
                    None,
                    Outcome::Refused(EgressReason::Busy),
                    Instant::now(),
                );
            }
        }
    }

    fn tell(&self, cid: Option<u32>, to: Option<&Destination>, outcome: Outcome, since: Instant) {
        (self.log)(&Record {
            cid,
            destination: to.cloned(),
            address: None,
            sent: 0,
            received: 0,
            lasted: since.elapsed(),
            outcome,
        });
    }

    /// One connection, from its request to its end.
    fn converse(&self, enclave: &UnixStream, cid: Option<u32>) {
        let since = Instant::now();
        let asked = request(enclave, since + REQUEST);
        let listed = asked.and_then(|asked| {
            let listed = self.settings.list.find(&asked);
            listed.ok_or(EgressReason::NotListed)
        });
        let connected = listed.and_then(|destination| {
            let addresses = self.settings.resolver.resolve(destination)?;
            connect(&addresses, Instant::now() + CONNECT)
        });
        let (address, outside) = match connected {
            Ok(connected) => connected,
            Err(reason) => {
                // An enclave that does not take the answer has gone.
                let _ = answer(enclave, &EgressResponse::Refused(reason));
                self.tell(cid, listed.ok(), Outcome::Refused(reason), since);
                return;
            }
        };
        let (outcome, Carried { sent, received }) =
            match answer(enclave, &EgressResponse::Connected) {
                Ok(()) => relay(enclave, &outside, self.settings.idle),
                Err(_) => (Outcome::Broken, Carried::default()),
            };
        (self.log)(&Record {
            cid,
            destination: listed.ok().cloned(),
            address: Some(address),
            sent,
            received,
            lasted: since.elapsed(),
            outcome,
        });
    }
}

/// Says that there are too many, without waiting for anything.
fn turn_away(mut enclave: &UnixStream) {
    if enclave.set_nonblocking(true).is_ok() {
        // What was asked does not matter, but what is left unread can cost the answer.
        let _ = enclave.read(&mut [0; 512]);
        let busy = EgressResponse::Refused(EgressReason::Busy);
        if let Ok(framed) = frame(&to_bytes(&busy)) {
            let _ = enclave.write_all(&framed);
        }
    }
}

/// One of the bounded connections; free again when dropped.
struct Slot(Arc<Proxy>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Reads the request and not a byte more.
fn request(mut enclave: &UnixStream, deadline: Instant) -> Result<Destination, EgressReason> {
    let malformed = EgressReason::Malformed;
    let mut assembler = Assembler::new();
    let mut buffer = [0; 512];
    loop {
        let wanted = assembler.wanted::<EgressRequest>();
        let wanted = wanted.map_err(|_| malformed)?.clamp(1, buffer.len());
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || enclave.set_read_timeout(Some(left)).is_err() {
            return Err(malformed);
        }
        let count = match enclave.read(buffer.get_mut(..wanted).unwrap_or_default()) {
            Ok(0) => return Err(malformed),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return Err(malformed),
        };
        let received = buffer.get(..count).unwrap_or_default();
        let payload = assembler.push::<EgressRequest>(received);
        if let Some(payload) = payload.map_err(|_| malformed)? {
            let request = from_bytes(&payload).map_err(|_| malformed)?;
            let EgressRequest::Connect(destination) = request;
            return Ok(destination);
        }
    }
}

fn answer(mut enclave: &UnixStream, response: &EgressResponse) -> io::Result<()> {
    enclave.set_write_timeout(Some(REQUEST))?;
    let framed = frame(&to_bytes(response)).map_err(|_| io::ErrorKind::InvalidData)?;
    enclave.write_all(&framed)
}

/// The first address that takes a connection.
fn connect(
    addresses: &[SocketAddr],
    deadline: Instant,
) -> Result<(SocketAddr, TcpStream), EgressReason> {
    for (tried, address) in addresses.iter().enumerate() {
        // Each of those that are left has its share of the time.
        let left = deadline.saturating_duration_since(Instant::now());
        let share = u32::try_from(addresses.len().saturating_sub(tried)).unwrap_or(1);
        let patience = left.checked_div(share.max(1)).unwrap_or(left);
        if patience.is_zero() {
            break;
        }
        if let Ok(stream) = TcpStream::connect_timeout(address, patience) {
            // Frames of TLS are written whole; waiting for more helps nobody.
            let _ = stream.set_nodelay(true);
            return Ok((*address, stream));
        }
    }
    Err(EgressReason::Unreachable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_does_not_come_in_time_fails_closed() {
        let (mine, mut theirs) = UnixStream::pair().unwrap();
        for sent in [&[][..], &[1, 0, 0]] {
            theirs.write_all(sent).unwrap();
            let deadline = Instant::now() + Duration::from_millis(20);
            assert_eq!(request(&mine, deadline), Err(EgressReason::Malformed));
        }
    }
}
