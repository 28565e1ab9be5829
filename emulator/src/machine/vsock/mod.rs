//! The guest's vsock: a virtio device (id 19) whose other end are Unix sockets.
//!
//! [`packet`] is the header, `credit` the flow control, [`switch`] what belongs to which connection,
//! [`ports`] the sockets in the parent's folder; the rest of this file moves packets between the
//! guest's queues and the switch.
//!
//! Guarantees: a buffer of the guest is read and written only as far as the guest's memory reaches;
//! one that is too short for a header, or promises more than it has, is given back unused; payload
//! is bounded by [`PAYLOAD_MAX`]. A guest that floods its queue does not keep
//! the sockets from being served.
//!
//! Does not: serve datagrams or record streams, as Nitro does not.

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd};
use std::path::Path;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::time::TimeSpec;
use nix::sys::timer::TimerSetTimeFlags;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags};
use vhost::vhost_user::VhostUserProtocolFeatures;
use vhost_user_backend::{VhostUserBackend, VringRwLock, VringT as _};
use virtio_queue::QueueOwnedT as _;
use vm_memory::{GuestAddressSpace as _, GuestMemoryAtomic, GuestMemoryMmap};
use vmm_sys_util::epoll::EventSet;

use self::heartbeat::Heartbeat;
use self::packet::{HEADER_LEN, Header};
use self::ports::{Event, Ports, Target};
use self::switch::{PAYLOAD_MAX, Switch};
use super::fault::{VsockFaults, VsockLoss};
use super::queue::{self, End, Memory};
use super::served::Device;

mod connection;
mod credit;
mod heartbeat;
pub mod packet;
pub mod ports;
pub mod switch;

pub use self::connection::Stream;
pub use self::credit::WINDOW;

/// What the guest receives, and what it transmits.
const QUEUES: usize = 2;
const QUEUE_SIZE: usize = 1024;

/// Event of the parent's sockets and timer; numbers up to that of queues are the library's.
const SOCKETS: u64 = QUEUES as u64 + 1;
const TIMER: u64 = QUEUES as u64 + 2;

/// Packets moved before the other side is looked at.
const ROUND: usize = 64;

/// How long no connection is taken after one could not be.
const PAUSE: Duration = Duration::from_millis(100);

/// The device. Cheap to clone; clones are the same device.
#[derive(Clone)]
pub(crate) struct Vsock(Arc<Shared>);

struct Shared {
    guest_cid: u64,
    state: Mutex<State>,
    /// The machine is gone: whoever still talks to its sockets is not served.
    end: End,
}

struct State {
    switch: Switch<Ports>,
    memory: Option<Memory>,
    timer: TimerFd,
    paused_until: Option<Instant>,
    buffer: Vec<u8>,
    faults: VsockFaults,
    packets: u64,
}

impl Vsock {
    /// The device of a guest with this CID, with sockets in `folder`.
    ///
    /// Each sign of life the guest gives is told to `beat`.
    pub(crate) fn new(
        guest_cid: u32,
        folder: &Path,
        faults: VsockFaults,
        beat: SyncSender<()>,
    ) -> io::Result<Self> {
        let timer = TimerFd::new(
            ClockId::CLOCK_MONOTONIC,
            TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK,
        )?;
        let state = State {
            switch: Switch::new(
                u64::from(guest_cid),
                Ports::new(folder, Heartbeat::new(beat)?)?,
            ),
            memory: None,
            timer,
            paused_until: None,
            buffer: vec![0; PAYLOAD_MAX],
            faults,
            packets: 0,
        };
        Ok(Self(Arc::new(Shared {
            guest_cid: u64::from(guest_cid),
            state: Mutex::new(state),
            end: End::new()?,
        })))
    }

    /// Makes the socket for a port of the guest.
    pub(crate) fn listen(&self, name: &str, target: Target) -> io::Result<()> {
        self.state().switch.host().listen(name, target)
    }

    /// Registers sockets and timer with the thread that serves the queues.
    pub(crate) fn register(
        &self,
        daemon: &vhost_user_backend::VhostUserDaemon<Self>,
    ) -> io::Result<()> {
        let mut state = self.state();
        for handler in daemon.get_epoll_handlers() {
            let sockets = state.switch.host().descriptor().as_raw_fd();
            handler.register_listener(sockets, EventSet::IN, SOCKETS)?;
            let timer: BorrowedFd<'_> = state.timer.as_fd();
            handler.register_listener(timer.as_raw_fd(), EventSet::IN, TIMER)?;
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Device for Vsock {
    const END: u64 = TIMER + 1;

    fn end(&self) -> &End {
        &self.0.end
    }
}

impl VhostUserBackend for Vsock {
    type Bitmap = ();
    type Vring = VringRwLock;

    fn num_queues(&self) -> usize {
        QUEUES
    }

    fn max_queue_size(&self) -> usize {
        QUEUE_SIZE
    }

    fn features(&self) -> u64 {
        queue::FEATURES
    }

    fn protocol_features(&self) -> VhostUserProtocolFeatures {
        VhostUserProtocolFeatures::MQ | VhostUserProtocolFeatures::CONFIG
    }

    fn set_event_idx(&self, _enabled: bool) {}

    fn get_config(&self, offset: u32, size: u32) -> Vec<u8> {
        let config = self.0.guest_cid.to_le_bytes();
        let bytes = config.into_iter().chain(core::iter::repeat(0));
        let bytes = bytes.skip(usize::try_from(offset).unwrap_or(usize::MAX));
        // QEMU asks for 8 bytes; a page is more than any device has.
        bytes.take(size.min(4096) as usize).collect()
    }

    fn update_memory(&self, memory: GuestMemoryAtomic<GuestMemoryMmap>) -> io::Result<()> {
        self.state().memory = Some(memory);
        Ok(())
    }

    fn handle_event(
        &self,
        _event: u16,
        _ready: EventSet,
        vrings: &[VringRwLock],
        _thread: usize,
    ) -> io::Result<()> {
        let [receive, transmit] = vrings else {
            return self.0.end.check();
        };
        // The lock is given back between rounds: a new socket does not wait for a busy guest.
        loop {
            self.0.end.check()?;
            if !self.state().round(receive, transmit) {
                return Ok(());
            }
        }
    }
}

impl State {
    /// Serves sockets, timer and queues, each a little. Whether there may be more.
    fn round(&mut self, receive: &VringRwLock, transmit: &VringRwLock) -> bool {
        let now = Instant::now();
        // Level-triggered until it is read.
        let _ = self.timer.wait();
        self.switch.expire(now);
        if self.paused_until.is_some_and(|until| until <= now) {
            self.paused_until = None;
            self.switch.host().pause(false);
        }
        let mut more = self.serve_sockets(now);
        if let Some(memory) = self.memory.clone() {
            more |= self.take_packets(&memory, transmit, now);
            more |= self.give_packets(&memory, receive, now);
        }
        self.set_timer(now);
        more
    }

    fn serve_sockets(&mut self, now: Instant) -> bool {
        let events = self.switch.host().events();
        for event in &events {
            match *event {
                Event::Incoming(listener) => self.take_connections(listener, now),
                Event::Ready {
                    id,
                    readable,
                    writable,
                    hung_up,
                } => self.switch.awake(id, readable, writable, hung_up, now),
            }
        }
        !events.is_empty()
    }

    fn take_connections(&mut self, listener: usize, now: Instant) {
        for _ in 0..ROUND {
            let id = self.switch.next_id();
            let host = self.switch.host();
            let taken = host.accept(listener).and_then(|taken| {
                let watch = |(stream, target)| Ok((host.watch(stream, id)?, target));
                taken.map(watch).transpose()
            });
            match taken {
                Ok(Some((stream, target))) => {
                    let port = match target {
                        Target::Port(port) => Some(port),
                        Target::Named => None,
                    };
                    // One too many is closed, which its owner sees.
                    let _ = self.switch.connect(stream, port, now);
                }
                Ok(None) => return,
                Err(_) => {
                    self.switch.host().pause(true);
                    self.paused_until = Some(now + PAUSE);
                    return;
                }
            }
        }
    }

    /// Packets of the guest.
    fn take_packets(&mut self, memory: &Memory, transmit: &VringRwLock, now: Instant) -> bool {
        let guest = memory.memory();
        let mut vring = transmit.get_mut();
        let mut used = 0;
        while used < ROUND {
            let Some(chain) = queue::next(&mut vring, &guest) else {
                break;
            };
            let head = chain.head_index();
            if let Some((header, len)) = read_packet(chain, &guest, &mut self.buffer) {
                self.packets += 1;
                if let Some(delay) = self.faults.delay {
                    thread::sleep(delay);
                }
                let payload = self.buffer.get(..len).unwrap_or_default();
                match self.faults.loss {
                    Some(VsockLoss::Silence { after }) if self.packets > after => {}
                    Some(VsockLoss::Reset { after }) if self.packets > after => {
                        self.switch.refuse_and_reset(&header);
                    }
                    _ => self.switch.receive(&header, payload, now),
                }
            }
            used += 1;
            if vring.add_used(head, 0).is_err() {
                break;
            }
        }
        queue::tell(&mut vring, used);
        used == ROUND
    }

    /// Packets for the guest.
    fn give_packets(&mut self, memory: &Memory, receive: &VringRwLock, now: Instant) -> bool {
        let guest = memory.memory();
        let mut vring = receive.get_mut();
        let mut used = 0;
        while used < ROUND && self.switch.has_packet() {
            let Some(chain) = queue::next(&mut vring, &guest) else {
                break;
            };
            let head = chain.head_index();
            let Ok(mut writer) = chain.writer(&guest) else {
                let _ = vring.add_used(head, 0);
                used += 1;
                continue;
            };
            let room = writer.available_bytes();
            if room < HEADER_LEN {
                let _ = vring.add_used(head, 0);
                used += 1;
                continue;
            }
            let room = (room - HEADER_LEN).min(PAYLOAD_MAX);
            let buffer = self.buffer.get_mut(..room).unwrap_or_default();
            let Some(header) = self.switch.next(buffer, now) else {
                vring.get_queue_mut().go_to_previous_position();
                break;
            };
            self.packets += 1;
            if let Some(delay) = self.faults.delay {
                thread::sleep(delay);
            }
            if let Some(VsockLoss::Silence { after }) = self.faults.loss
                && self.packets > after
            {
                vring.get_queue_mut().go_to_previous_position();
                continue;
            }
            let len = usize::try_from(header.len).unwrap_or(0);
            let payload = self.buffer.get(..len).unwrap_or_default();
            let written = writer
                .write_all(&header.encode())
                .and_then(|()| writer.write_all(payload));
            let written = written.map_or(0, |()| HEADER_LEN + len);
            used += 1;
            let written = u32::try_from(written).unwrap_or(0);
            if vring.add_used(head, written).is_err() {
                break;
            }
        }
        queue::tell(&mut vring, used);
        used == ROUND
    }

    /// Wakes this thread when the next deadline is due.
    fn set_timer(&mut self, now: Instant) {
        let deadline = [self.switch.next_deadline(), self.paused_until];
        let next = deadline.into_iter().flatten().min();
        let _ = match next {
            None => self.timer.unset(),
            Some(when) => {
                // Zero would turn it off.
                let wait = when
                    .saturating_duration_since(now)
                    .max(Duration::from_millis(1));
                let expiration = Expiration::OneShot(TimeSpec::from_duration(wait));
                self.timer.set(expiration, TimerSetTimeFlags::empty())
            }
        };
    }
}

/// A packet of the guest, if the buffer holds one: its header, and how much payload is in `buffer`.
fn read_packet(
    chain: queue::Chain,
    guest: &queue::Guest,
    buffer: &mut [u8],
) -> Option<(Header, usize)> {
    let mut reader = chain.reader(guest).ok()?;
    let mut bytes = [0; HEADER_LEN];
    reader.read_exact(&mut bytes).ok()?;
    let header = Header::parse(&bytes);
    let len = usize::try_from(header.len).ok()?;
    if len > reader.available_bytes() {
        return None;
    }
    reader.read_exact(buffer.get_mut(..len)?).ok()?;
    Some((header, len))
}
