//! What both devices do with a virtio queue.
//!
//! Guarantees: bounds are those of the guest's memory, checked by the library at each access; a
//! malformed queue is passed over, never fatal.

use std::io;

use vhost_user_backend::VringState;
use virtio_queue::DescriptorChain;
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

/// After an empty queue: asks to be told of the next buffer. False if one came meanwhile.
pub(crate) fn is_drained(vring: &mut VringState<Memory>) -> bool {
    // A queue that cannot be read is not read again.
    !vring.enable_notification().unwrap_or(false)
}

/// Tells the guest that buffers were used, if it wants to know.
pub(crate) fn tell(vring: &mut VringState<Memory>, used: usize) {
    if used > 0 && vring.needs_notification().unwrap_or(true) {
        // A QEMU that is gone needs no signal.
        let _ = vring.signal_used_queue();
    }
}
