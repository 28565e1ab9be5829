//! A connection: TLS over a stream that passes through the host, each wait with a bound.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Stream};

use crate::error::EgressError;

/// Bytes that wait to be sent, at most.
const BUFFER: usize = 64 * 1024;

/// A connection to a destination that has proved its name.
///
/// Reads and writes block, each for at most the time-out of [`Egress`](crate::Egress). After an error
/// the connection is of no more use. Data that was written may wait in memory until
/// [`flush`](Write::flush).
pub struct Connection {
    tls: ClientConnection,
    stream: Bounded,
    timeout: Duration,
}

impl Connection {
    pub(crate) fn establish(
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
        stream: UnixStream,
        deadline: Instant,
        timeout: Duration,
    ) -> Result<Self, EgressError> {
        let mut tls = ClientConnection::new(config, name).map_err(EgressError::Tls)?;
        tls.set_buffer_limit(Some(BUFFER));
        let mut stream = Bounded { stream, deadline };
        while tls.is_handshaking() {
            tls.complete_io(&mut stream).map_err(failure)?;
        }
        Ok(Self {
            tls,
            stream,
            timeout,
        })
    }

    /// Tells the peer that nothing more comes. The way back stays open.
    ///
    /// # Errors
    /// What writing gives.
    pub fn finish(&mut self) -> io::Result<()> {
        self.tls.send_close_notify();
        self.flush()?;
        self.stream.stream.shutdown(std::net::Shutdown::Write)
    }

    fn step(&mut self) -> Stream<'_, ClientConnection, Bounded> {
        self.stream.deadline = Instant::now() + self.timeout;
        Stream::new(&mut self.tls, &mut self.stream)
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.step().read(buffer)
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.step().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.step().flush()
    }
}

/// A stream that may be used until a moment.
struct Bounded {
    stream: UnixStream,
    deadline: Instant,
}

impl Bounded {
    /// Time left; never zero, which would mean no time-out at all.
    fn left(&self) -> io::Result<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(left)
    }
}

/// A time-out of the socket comes as "would block", which means something else to TLS.
fn timed_out(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
        _ => error,
    }
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.left()?))?;
        self.stream.read(buffer).map_err(timed_out)
    }
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.left()?))?;
        self.stream.write(bytes).map_err(timed_out)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn failure(error: io::Error) -> EgressError {
    if error.kind() == io::ErrorKind::TimedOut {
        return EgressError::TimedOut;
    }
    let inner = error.get_ref();
    match inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(tls) => EgressError::Tls(tls.clone()),
        None => EgressError::Ended,
    }
}
