//! Watches over one enclave from its start to its end.
//!
//! Guarantees: the enclave is reported as running only after its own sign of life, from its own CID;
//! it ends when the supervisor is asked to end it, by a signal or by name, and when the supervisor
//! dies, because the kernel ends an enclave whose descriptor is closed; when it ends by itself the
//! supervisor ends, and says so. Nothing that arrives holds the supervisor for longer than two
//! seconds.
//!
//! Does not: start it again. Whoever supervises services (systemd) does.

use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::device::{Device, HEARTBEAT, Heartbeats, Mode};
use crate::error::{LaunchError, Step};
use crate::image::Image;
use crate::launch::{self, Started, Wish};
use crate::machine::Machine;
use crate::seat::{Facts, Order, Seat, State};

/// For each of the two below, a started enclave may take this long to its sign of life.
const PATIENCE: u64 = 90;
/// Bytes of an image that are unpacked in that time.
const IMAGE_STEP: u64 = 6 << 30;
/// Bytes of memory that are prepared in that time.
const MEMORY_STEP: u64 = 100 << 30;
/// How long an enclave that connected may take to say its sign.
const SIGN: Duration = Duration::from_secs(2);

/// How long an enclave may take to its sign of life: as long as AWS's own tool waits.
#[must_use]
pub fn patience(image: u64, memory: u64) -> Duration {
    let steps = |bytes: u64, step| bytes.div_ceil(step).max(1);
    let steps = steps(image, IMAGE_STEP).saturating_add(steps(memory, MEMORY_STEP));
    Duration::from_secs(PATIENCE.saturating_mul(steps))
}

/// Signals that end a supervisor, as a descriptor. To be taken before any thread is started.
#[derive(Debug)]
pub struct Signals(SignalFd);

impl Signals {
    /// Takes them over from the process.
    ///
    /// # Errors
    /// [`LaunchError::Refused`].
    pub fn take() -> Result<Self, LaunchError> {
        let mut mask = SigSet::empty();
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
            mask.add(signal);
        }
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        mask.thread_block()
            .and_then(|()| SignalFd::with_flags(&mask, flags))
            .map(Self)
            .map_err(LaunchError::kernel(Step::Watch))
    }
}

/// Starts an enclave and watches over it. `tell` is told when it runs. Returns when the enclave was
/// asked to end, and has ended.
///
/// # Errors
/// [`LaunchError`]; the enclave has ended as well.
pub fn run<D: Device>(
    device: &mut D,
    machine: &Machine,
    mut image: Image,
    wish: &Wish,
    seat: &Seat,
    signals: &Signals,
    mut tell: impl FnMut(&Facts) -> Result<(), LaunchError>,
) -> Result<Facts, LaunchError> {
    let started = launch::start(device, machine, &mut image, wish)?;
    let facts = facts(&image, wish, seat, &started);
    let allowed = patience(image.size(), started.memory);
    let Started {
        vm,
        heartbeats,
        cid,
        ..
    } = started;
    // The memory is the enclave's now; the file is no longer needed.
    drop(image);
    let mut watch = Watch {
        facts,
        heartbeats: Some(heartbeats),
        deadline: Instant::now() + allowed,
    };
    loop {
        let ready = watch.wait(&vm, seat, signals)?;
        if ready.ended {
            let started = watch.facts.state == State::Running;
            return Err(LaunchError::Ended { started });
        }
        if ready.signal {
            drop(vm);
            watch.facts.state = State::Ended;
            return Ok(watch.facts);
        }
        if ready.asked
            && let Some((order, asker)) = seat.asked()
        {
            if order == Order::Terminate {
                drop(vm);
                watch.facts.state = State::Ended;
                asker.answer(&watch.facts);
                return Ok(watch.facts);
            }
            asker.answer(&watch.facts);
        }
        if ready.beating
            && let Some(heartbeats) = &watch.heartbeats
            && is_alive(heartbeats, cid.number())
        {
            // Another start may listen now.
            watch.heartbeats = None;
            watch.facts.state = State::Running;
            tell(&watch.facts)?;
        }
        if watch.heartbeats.is_some() && Instant::now() >= watch.deadline {
            return Err(LaunchError::Silent { allowed });
        }
    }
}

struct Watch<H> {
    facts: Facts,
    /// While the sign of life is waited for.
    heartbeats: Option<H>,
    deadline: Instant,
}

/// What happened.
#[derive(Default)]
struct Ready {
    ended: bool,
    asked: bool,
    signal: bool,
    beating: bool,
}

impl<H: Heartbeats> Watch<H> {
    fn wait(
        &self,
        vm: &impl std::os::fd::AsFd,
        seat: &Seat,
        signals: &Signals,
    ) -> Result<Ready, LaunchError> {
        let mut fds = vec![
            // Without interest in anything: what is always reported is the end.
            PollFd::new(vm.as_fd(), PollFlags::empty()),
            PollFd::new(seat.as_fd(), PollFlags::POLLIN),
            PollFd::new(signals.0.as_fd(), PollFlags::POLLIN),
        ];
        let mut timeout = PollTimeout::NONE;
        if let Some(heartbeats) = &self.heartbeats {
            fds.push(PollFd::new(heartbeats.as_fd(), PollFlags::POLLIN));
            let left = self.deadline.saturating_duration_since(Instant::now());
            let left = left.saturating_add(Duration::from_millis(1));
            timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        }
        match poll(&mut fds, timeout) {
            Ok(_) => {}
            Err(Errno::EINTR) => return Ok(Ready::default()),
            Err(errno) => return Err(LaunchError::kernel(Step::Watch)(errno)),
        }
        let happened = |at: usize| fds.get(at).is_some_and(|fd| fd.any().unwrap_or(true));
        Ok(Ready {
            ended: happened(0),
            asked: happened(1),
            signal: happened(2),
            beating: happened(3),
        })
    }
}

/// Takes a connection that waits; whether it was this enclave's sign of life, which is answered.
fn is_alive(heartbeats: &impl Heartbeats, cid: u32) -> bool {
    // Whoever else connects (another enclave, a process of the instance) is sent away.
    match heartbeats.accept() {
        Ok((stream, peer)) if peer == cid => exchange(stream).is_ok(),
        _ => false,
    }
}

fn exchange(mut stream: UnixStream) -> std::io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(SIGN))?;
    stream.set_write_timeout(Some(SIGN))?;
    let mut sign = [0];
    stream.read_exact(&mut sign)?;
    if sign != [HEARTBEAT] {
        return Err(std::io::ErrorKind::InvalidData.into());
    }
    stream.write_all(&sign)
}

fn facts<V, H>(image: &Image, wish: &Wish, seat: &Seat, started: &Started<V, H>) -> Facts {
    let measurements = image.measurements();
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Facts {
        name: seat.name().to_string(),
        state: State::Starting,
        cid: started.cid.number(),
        debug: wish.mode == Mode::Debug,
        memory: started.memory,
        cpus: started.cpus.clone(),
        image: image.path().display().to_string(),
        pcr0: measurements.pcr0.to_string(),
        pcr1: measurements.pcr1.to_string(),
        pcr2: measurements.pcr2.to_string(),
        pcr8: measurements.pcr8.map(|pcr8| pcr8.to_string()),
        supervisor: std::process::id(),
        since: since.map_or(0, |since| since.as_secs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_grows_with_image_and_memory() {
        let gib = |n: u64| n << 30;
        let seconds = |image, memory| patience(image, memory).as_secs();
        assert_eq!(seconds(1, 1), 180);
        assert_eq!(seconds(gib(6), gib(100)), 180);
        assert_eq!(seconds(gib(6) + 1, gib(100)), 270);
        assert_eq!(seconds(gib(10), gib(128)), 360);
        assert_eq!(seconds(0, 0), 180);
    }
}
