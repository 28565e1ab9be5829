//! Serving framed requests with bounds: connections, time and size.
//!
//! Each connection has a thread; there are at most [`MAX_CONNECTIONS`], and a connection that
//! comes when all are in use is closed. A request must be complete [`FRAME`] after its first byte,
//! a silent connection is closed after [`IDLE`].

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use quorate_protocol::frame::{Assembler, Sizes, frame};

/// Connections served at a time.
pub const MAX_CONNECTIONS: usize = 32;
/// A silent connection is closed after this long.
pub const IDLE: Duration = Duration::from_secs(30);
/// A request must be complete this long after its first byte.
pub const FRAME: Duration = Duration::from_secs(10);
/// Before the next attempt after an accept that failed.
const PAUSE: Duration = Duration::from_millis(10);

/// Accepts connections and answers each request with what `handler` makes of its payload; a
/// handler that gives `None` closes the connection. Returns when the listener fails for good; the
/// application should end then, so that init starts it again.
pub fn serve<S, H>(listener: &UnixListener, handler: H)
where
    S: Sizes,
    H: Fn(&[u8]) -> Option<Vec<u8>> + Send + Sync + 'static,
{
    let handler = Arc::new(handler);
    let active = Arc::new(AtomicUsize::new(0));
    loop {
        let stream = match accept(listener) {
            Ok(stream) => stream,
            Err(error) if passes(&error) => {
                thread::sleep(PAUSE);
                continue;
            }
            Err(_) => return,
        };
        if active.fetch_add(1, Ordering::AcqRel) >= MAX_CONNECTIONS {
            active.fetch_sub(1, Ordering::AcqRel);
            continue;
        }
        let (handler, slot) = (Arc::clone(&handler), Slot(Arc::clone(&active)));
        let spawned = thread::Builder::new()
            .stack_size(256 * 1024)
            .spawn(move || {
                let _slot = slot;
                // A broken connection ends itself; there is nobody to tell.
                let _ = converse::<S>(stream, &*handler);
            });
        // A thread that could not be made has dropped its slot and its stream.
        drop(spawned);
    }
}

/// Accepts one connection, whatever the family of the listener: the standard library's own accept
/// takes only peers whose address is that of a Unix socket.
///
/// # Errors
/// What the kernel said.
pub fn accept(listener: &UnixListener) -> std::io::Result<UnixStream> {
    Ok(UnixStream::from(crate::sys::accept(listener)?))
}

/// Whether this is the fault of one connection or of a short supply, and not of the listener.
fn passes(error: &std::io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(
        errno,
        Some(
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
    )
}

/// One of the bounded connections; free again when dropped.
struct Slot(Arc<AtomicUsize>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Serves one connection until it ends, breaks a rule or is silent for too long.
fn converse<S: Sizes>(
    mut stream: UnixStream,
    handler: &dyn Fn(&[u8]) -> Option<Vec<u8>>,
) -> std::io::Result<()> {
    stream.set_write_timeout(Some(FRAME))?;
    let mut assembler = Assembler::new();
    let mut deadline = Instant::now() + IDLE;
    loop {
        let broken = |_| std::io::Error::from(std::io::ErrorKind::InvalidData);
        let wanted = assembler.wanted::<S>().map_err(broken)?;
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        stream.set_read_timeout(Some(left))?;
        let mut buffer = vec![0; wanted.min(64 * 1024)];
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        let started = assembler.is_partial();
        let received = buffer.get(..count).unwrap_or_default();
        match assembler.push::<S>(received).map_err(broken)? {
            Some(payload) => {
                let Some(answer) = handler(&payload) else {
                    return Ok(());
                };
                stream.write_all(&frame(&answer).map_err(broken)?)?;
                deadline = Instant::now() + IDLE;
            }
            None if !started => deadline = Instant::now() + FRAME,
            None => {}
        }
    }
}
