//! Connections to the destinations that the manifest lists for this application.
//!
//! Guarantees: a connection goes to the parent's egress proxy, which was asked by init for the very
//! destination that was dialled; making it has a bound in time, whatever the parent does or does not.
//!
//! Does not: tell who is at the other end, nor keep anything from the parent. Every byte of the
//! connection passes through the host. Put TLS over it and check the certificate for the name
//! (`quorate-egress` does).

use std::io::{self, Read as _};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use quorate_protocol::cbor::from_bytes;
use quorate_protocol::control::DialReason;
use quorate_protocol::egress::{Destination, EgressReason, EgressResponse};
use quorate_protocol::frame::Assembler;

use crate::control::Control;
use crate::error::AppError;

/// How long a connection may take unless the caller says otherwise.
pub const DIAL_TIMEOUT: Duration = Duration::from_secs(20);

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// What came back from the parent is no answer. The parent is at fault.
    #[error("the parent's egress proxy answered with what is no answer; run one of this version")]
    BadAnswer,
    /// The parent closed the connection before it answered.
    #[error("the parent's egress proxy closed the connection without an answer; read its log")]
    Closed,
    /// The control socket failed, or the rate at which init may be asked is used up.
    #[error(transparent)]
    Control(#[from] AppError),
    /// The manifest does not list this destination for this application.
    #[error("{destination} is not in this application's egress list; approve a manifest with it")]
    NotAllowed {
        /// The destination.
        destination: Destination,
    },
    /// Nobody takes connections on the parent's egress port.
    #[error("no egress proxy runs on the parent; start `quorate egress-proxy` there")]
    NoProxy,
    /// The parent's proxy does not connect.
    #[error("{}; {}", .0.explain().0, .0.explain().1)]
    Refused(EgressReason),
    /// It took too long.
    #[error("the connection was not made in time; look at the parent's egress proxy")]
    TimedOut,
    /// As many connections as may be are being made at this moment.
    #[error("too many connections are being made at once; wait for some of them")]
    TooMany,
}

/// Makes connections. Clones share one control socket.
#[derive(Clone)]
pub struct Dialer(pub(crate) Arc<Control>);

impl Dialer {
    /// Connects within [`DIAL_TIMEOUT`].
    ///
    /// # Errors
    /// [`DialError`].
    pub fn dial(&self, destination: &Destination) -> Result<UnixStream, DialError> {
        self.dial_before(destination, Instant::now() + DIAL_TIMEOUT)
    }

    /// Connects before `deadline`. Every byte that is read from the stream is the destination's, as
    /// far as the parent's word goes.
    ///
    /// # Errors
    /// [`DialError`].
    pub fn dial_before(
        &self,
        destination: &Destination,
        deadline: Instant,
    ) -> Result<UnixStream, DialError> {
        let dialled = self.0.dial(destination, deadline)?;
        let stream = dialled.map_err(|reason| match reason {
            DialReason::NotAllowed => DialError::NotAllowed {
                destination: destination.clone(),
            },
            DialReason::TooMany => DialError::TooMany,
            DialReason::NoProxy => DialError::NoProxy,
            DialReason::TimedOut => DialError::TimedOut,
        })?;
        match answer(&stream, deadline)? {
            EgressResponse::Connected => {
                let unbounded = stream.set_read_timeout(None);
                unbounded.map_err(|_| DialError::Closed)?;
                Ok(stream)
            }
            EgressResponse::Refused(reason) => Err(DialError::Refused(reason)),
        }
    }
}

/// Reads the parent's answer and not a byte more.
fn answer(mut stream: &UnixStream, deadline: Instant) -> Result<EgressResponse, DialError> {
    let mut assembler = Assembler::new();
    loop {
        let wanted = assembler.wanted::<EgressResponse>();
        let wanted = wanted.map_err(|_| DialError::BadAnswer)?;
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(DialError::TimedOut);
        }
        let bounded = stream.set_read_timeout(Some(left));
        bounded.map_err(|_| DialError::Closed)?;
        let mut buffer = [0; 16];
        let room = buffer.len().min(wanted.max(1));
        let count = match stream.read(buffer.get_mut(..room).unwrap_or_default()) {
            Ok(0) => return Err(DialError::Closed),
            Ok(count) => count,
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted => continue,
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                    return Err(DialError::TimedOut);
                }
                _ => return Err(DialError::Closed),
            },
        };
        let received = buffer.get(..count).unwrap_or_default();
        let payload = assembler.push::<EgressResponse>(received);
        if let Some(payload) = payload.map_err(|_| DialError::BadAnswer)? {
            return from_bytes(&payload).map_err(|_| DialError::BadAnswer);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use quorate_protocol::cbor::to_bytes;
    use quorate_protocol::frame::frame;

    use super::*;

    /// What is made of these bytes when nothing follows them.
    fn read(bytes: &[u8]) -> Result<EgressResponse, DialError> {
        let (mine, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(bytes).unwrap();
        drop(theirs);
        answer(&mine, Instant::now() + Duration::from_secs(30))
    }

    #[test]
    fn an_answer_is_read_and_not_a_byte_more() {
        let (mine, mut theirs) = UnixStream::pair().unwrap();
        let connected = frame(&to_bytes(&EgressResponse::Connected)).unwrap();
        theirs.write_all(&connected).unwrap();
        theirs.write_all(b"hello").unwrap();
        drop(theirs);
        let deadline = Instant::now() + Duration::from_secs(30);
        assert_eq!(answer(&mine, deadline), Ok(EgressResponse::Connected));
        let mut rest = Vec::new();
        (&mine).read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"hello");
    }

    #[test]
    fn an_answer_that_is_none_fails_closed() {
        for bytes in [
            &b"HTTP/1.1 200 OK\r\n"[..],
            &[2, 0, 0, 0, 2, 0x81, 1],
            &[1, 0, 0, 0, 0],
            &[1, 0, 0, 0, 2, 0x81, 3],
            &[1, 0, 0, 0, 2, 0x82, 1],
            &[1, 0, 0, 0, 3, 0x81, 1, 0],
            &[1, 0, 0, 0, 3, 0x82, 2, 0],
            &[1, 0, 0, 0, 3, 0x82, 2, 7],
            &[1, 0xff, 0xff, 0xff, 0xff, 0x82, 2],
        ] {
            assert_eq!(read(bytes), Err(DialError::BadAnswer), "{bytes:02x?}");
        }
    }

    #[test]
    fn no_answer_fails_closed() {
        assert_eq!(read(&[]), Err(DialError::Closed));
        assert_eq!(read(&[1, 0, 0, 0, 2, 0x81]), Err(DialError::Closed));
        let (mine, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(&[1, 0]).unwrap();
        let deadline = Instant::now() + Duration::from_millis(20);
        assert_eq!(answer(&mine, deadline), Err(DialError::TimedOut));
    }
}
