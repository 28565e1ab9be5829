//! The parent's answer to the guest's sign of life: byte 0xb7 on port 9000, returned.
//!
//! Guarantees: one thread for all of it, which ends with the device; a guest that says something else
//! or nothing is left alone after [`PATIENCE`], and one that asks too often is refused.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

/// Where Nitro's tools wait for the sign of life.
pub(crate) const HEARTBEAT_PORT: u32 = 9000;
/// The sign, and the answer.
const HEARTBEAT: u8 = 0xb7;
/// How long a guest may take to say it.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many may wait for their turn.
const QUEUE: usize = 8;

/// Takes connections to port 9000.
pub(crate) struct Heartbeat(SyncSender<UnixStream>);

impl Heartbeat {
    /// Answers each sign of life and tells `beat` of it.
    pub(crate) fn new(beat: SyncSender<()>) -> io::Result<Self> {
        let (send, streams) = sync_channel(QUEUE);
        thread::Builder::new()
            .name("heartbeat".into())
            .spawn(move || serve(&streams, &beat))?;
        Ok(Self(send))
    }

    /// Takes a connection; none when too many wait.
    pub(crate) fn take(&self, stream: UnixStream) -> Option<()> {
        self.0.try_send(stream).ok()
    }
}

fn serve(streams: &Receiver<UnixStream>, beat: &SyncSender<()>) {
    for stream in streams {
        if answer(&stream).unwrap_or(false) {
            // One that nobody has heard yet is as good as two.
            let _ = beat.try_send(());
        }
    }
}

fn answer(mut stream: &UnixStream) -> io::Result<bool> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut byte = [0];
    stream.read_exact(&mut byte)?;
    if byte != [HEARTBEAT] {
        return Ok(false);
    }
    stream.write_all(&byte)?;
    Ok(true)
}
