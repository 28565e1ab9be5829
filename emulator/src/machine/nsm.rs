//! The NSM as the guest's kernel finds it: a virtio device (id 33) with one queue.
//!
//! The driver offers a request and a buffer for the response as two buffers of their own, and wants
//! them back in that order, the request with length 0.
//!
//! Guarantees: what the guest offers is bounded by the guest's memory and by the protocol's lengths;
//! a buffer that fits no request is given back unused; no buffer is kept for ever, except under a
//! fault that says so. Buffers that entropy passed through are wiped.
//!
//! Does not: decide what is answered. That is [`NsmDevice`].

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quorate_init::nsm::wire::{REQUEST_MAX, RESPONSE_MAX};
use vhost::vhost_user::VhostUserProtocolFeatures;
use vhost_user_backend::{VhostUserBackend, VringRwLock, VringT as _};
use vm_memory::{GuestAddressSpace as _, GuestMemoryAtomic, GuestMemoryMmap};
use vmm_sys_util::epoll::EventSet;
use zeroize::Zeroizing;

use super::queue::{self, Chain, End, Guest, Memory};
use super::served::Device;
use crate::device::NsmDevice;
use crate::fault::{NsmFaults, Requests};
use crate::server::system_clock_ms;

const QUEUE_SIZE: usize = 128;

/// The device. Cheap to clone; clones are the same device.
#[derive(Clone)]
pub(crate) struct Nsm(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    end: End,
}

struct State {
    device: NsmDevice,
    memory: Option<Memory>,
    faults: NsmFaults,
    requests: Requests,
    /// Buffers whose counterpart has not come.
    waiting: Waiting,
}

#[derive(Default)]
struct Waiting {
    requests: VecDeque<Chain>,
    responses: VecDeque<Chain>,
}

impl Nsm {
    /// Puts a device into a machine.
    pub(crate) fn new(device: NsmDevice, faults: NsmFaults) -> io::Result<Self> {
        let state = State {
            device,
            memory: None,
            faults,
            requests: Requests::default(),
            waiting: Waiting::default(),
        };
        Ok(Self(Arc::new(Shared {
            state: Mutex::new(state),
            end: End::new()?,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Device for Nsm {
    const END: u64 = 2;

    fn end(&self) -> &End {
        &self.0.end
    }
}

impl VhostUserBackend for Nsm {
    type Bitmap = ();
    type Vring = VringRwLock;

    fn num_queues(&self) -> usize {
        1
    }

    fn max_queue_size(&self) -> usize {
        QUEUE_SIZE
    }

    fn features(&self) -> u64 {
        queue::FEATURES
    }

    /// Not CONFIG: the device has no configuration.
    fn protocol_features(&self) -> VhostUserProtocolFeatures {
        VhostUserProtocolFeatures::MQ
    }

    fn set_event_idx(&self, _enabled: bool) {}

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
        self.0.end.check()?;
        let mut state = self.state();
        if let ([vring], Some(memory)) = (vrings, state.memory.clone()) {
            state.serve(vring, &memory);
        }
        Ok(())
    }
}

impl State {
    fn serve(&mut self, vring: &VringRwLock, memory: &Memory) {
        let guest = memory.memory();
        while let Some(chain) = next_chain(vring, &guest) {
            let head = chain.head_index();
            // What is written to stands last in a chain: the first buffer tells which it is.
            let lot = match chain.clone().next().map(|first| first.is_write_only()) {
                Some(false) => &mut self.waiting.requests,
                Some(true) => &mut self.waiting.responses,
                None => {
                    give_back(vring, &[(head, 0)]);
                    continue;
                }
            };
            if lot.len() >= QUEUE_SIZE {
                give_back(vring, &[(head, 0)]);
                continue;
            }
            lot.push_back(chain);
            while let Some((request, response)) = self.waiting.pair() {
                let heads = (request.head_index(), response.head_index());
                if let Some(len) = self.answer(request, response, &guest) {
                    give_back(vring, &[(heads.0, 0), (heads.1, len)]);
                }
            }
        }
    }

    /// Answers one request into the buffer for its response: how long the answer is. None: it is
    /// never answered.
    fn answer(&mut self, request: Chain, response: Chain, guest: &Guest) -> Option<u32> {
        // One byte more than a request may have: a longer one shows by filling it.
        let mut bytes = Zeroizing::new(Vec::with_capacity(REQUEST_MAX + 1));
        let most = REQUEST_MAX as u64 + 1;
        let read = request.reader(guest).map_err(io::Error::other);
        let read = read.and_then(|reader| reader.take(most).read_to_end(&mut bytes));
        if read.is_err() {
            return Some(0);
        }
        let Self {
            device,
            faults,
            requests,
            ..
        } = self;
        let answer = faults.process(requests, device, &bytes, system_clock_ms())?;
        let Ok(mut writer) = response.writer(guest) else {
            return Some(0);
        };
        // An answer that does not fit is none: half of one would be taken for a whole.
        let fits = answer.len() <= writer.available_bytes().min(RESPONSE_MAX);
        if !fits || writer.write_all(&answer).is_err() {
            return Some(0);
        }
        u32::try_from(answer.len()).ok()
    }
}

impl Waiting {
    fn pair(&mut self) -> Option<(Chain, Chain)> {
        if self.requests.is_empty() {
            return None;
        }
        let response = self.responses.pop_front()?;
        Some((self.requests.pop_front()?, response))
    }
}

/// The next buffer the guest offers. The queue is locked only here and in [`give_back`]: an answer
/// may take long, and QEMU may have to stop the queue meanwhile.
fn next_chain(vring: &VringRwLock, guest: &Guest) -> Option<Chain> {
    queue::next(&mut vring.get_mut(), guest)
}

fn give_back(vring: &VringRwLock, heads: &[(u16, u32)]) {
    let mut vring = vring.get_mut();
    for (head, len) in heads {
        // A queue that does not take it is not ours to mend.
        let _ = vring.add_used(*head, *len);
    }
    queue::tell(&mut vring, heads.len());
}
