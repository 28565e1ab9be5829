//! What both devices do with a virtio queue.
//!
//! Guarantees: bounds are those of the guest's memory, checked by the library at each access; a
//! malformed queue is passed over, never fatal.

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::eventfd::{EfdFlags, EventFd};
use vhost_user_backend::VringState;
use virtio_queue::{DescriptorChain, QueueT as _};
use vm_memory::{GuestMemoryAtomic, GuestMemoryLoadGuard, GuestMemoryMmap};

/// VIRTIO_F_VERSION_1, VIRTIO_RING_F_EVENT_IDX and VHOST_USER_F_PROTOCOL_FEATURES.
pub(crate) const FEATURES: u64 = 1 << 32 | 1 << 29 | 1 << 30;

/// The guest's memory, which QEMU shares.
pub(crate) type Memory = GuestMemoryAtomic<GuestMemoryMmap>;

/// The guest's memory as it is now.
pub(crate) type Guest = GuestMemoryLoadGuard<GuestMemoryMmap>;

/// A buffer of the guest.
pub(crate) type Chain = DescriptorChain<Guest>;

/// What ends the thread that serves a device.
///
/// The library's own way of ending it keeps a descriptor for ever: it takes its event as a number
/// and closes it never. This one is ours, and the thread ends by the error that a device gives for
/// every event once its end has come.
#[derive(Debug)]
pub(crate) struct End {
    event: EventFd,
    come: AtomicBool,
}

impl End {
    /// One that has not come.
    pub(crate) fn new() -> io::Result<Self> {
        let flags = EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC;
        Ok(Self {
            event: EventFd::from_flags(flags)?,
            come: AtomicBool::new(false),
        })
    }

    /// From now on nobody is served.
    pub(crate) fn come(&self) {
        self.come.store(true, Ordering::Release);
        // Only a counter at its very top would refuse, and one that is above zero wakes as well.
        let _ = self.event.write(1);
    }

    /// An error once the end has come.
    pub(crate) fn check(&self) -> io::Result<()> {
        if self.come.load(Ordering::Acquire) {
            return Err(io::Error::other("the machine is gone"));
        }
        Ok(())
    }

    /// Readable once the end has come, and from then on.
    pub(crate) fn descriptor(&self) -> RawFd {
        self.event.as_fd().as_raw_fd()
    }
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
