//! What both devices do with a virtio queue.
//!
//! Guarantees: bounds are those of the guest's memory, checked by the library at each access; a
//! malformed queue is passed over, never fatal.

use std::io;

use vhost_user_backend::VringState;
use virtio_queue::{DescriptorChain, QueueT as _};
use vm_memory::{GuestMemoryAtomic, GuestMemoryLoadGuard, GuestMemoryMmap};
use vmm_sys_util::event::{
    EventConsumer, EventFlag, EventNotifier, new_event_consumer_and_notifier,
};

/// VIRTIO_F_VERSION_1, VIRTIO_RING_F_EVENT_IDX and VHOST_USER_F_PROTOCOL_FEATURES.
pub(crate) const FEATURES: u64 = 1 << 32 | 1 << 29 | 1 << 30;

/// The guest's memory, which QEMU shares.
pub(crate) type Memory = GuestMemoryAtomic<GuestMemoryMmap>;

/// The guest's memory as it is now.
pub(crate) type Guest = GuestMemoryLoadGuard<GuestMemoryMmap>;

/// A buffer of the guest.
pub(crate) type Chain = DescriptorChain<Guest>;

/// What ends the thread that serves a device.
pub(crate) fn exit_event() -> io::Result<(EventConsumer, EventNotifier)> {
    new_event_consumer_and_notifier(EventFlag::NONBLOCK | EventFlag::CLOEXEC)
}

/// The next buffer the guest offers; without one it is asked to tell of the next.
///
/// A queue that says it has buffers and gives none (a guest that has restarted, or lies) counts as
/// empty: to ask it again and again would never end.
pub(crate) fn next(vring: &mut VringState<Memory>, guest: &Guest) -> Option<Chain> {
    if let Some(chain) = vring.get_queue_mut().pop_descriptor_chain(guest.clone()) {
        return Some(chain);
    }
    // One may have come just before the guest was asked to tell.
    if vring.enable_notification().unwrap_or(false) {
        return vring.get_queue_mut().pop_descriptor_chain(guest.clone());
    }
    None
}

/// Tells the guest that buffers were used, if it wants to know.
pub(crate) fn tell(vring: &mut VringState<Memory>, used: usize) {
    if used > 0 && vring.needs_notification().unwrap_or(true) {
        // A QEMU that is gone needs no signal.
        let _ = vring.signal_used_queue();
    }
}
