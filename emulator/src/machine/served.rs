//! A device, served to QEMU: its threads and its connection, and the end of both.
//!
//! Guarantees: nothing of a device is left when its [`Served`] is gone, no thread and no descriptor,
//! however its machine ended and whether or not QEMU ever spoke to it.

use std::io;

use vhost_user_backend::{VhostUserBackend, VhostUserDaemon, VringRwLock};
use vm_memory::{GuestMemoryAtomic, GuestMemoryMmap};
use vmm_sys_util::epoll::EventSet;

use super::queue::End;

/// A device whose end can come.
pub(crate) trait Device:
    VhostUserBackend<Bitmap = (), Vring = VringRwLock> + Clone + 'static
{
    /// The number of the event that its end has come; those up to that of its queues are the
    /// library's.
    const END: u64;

    /// Its end.
    fn end(&self) -> &End;
}

/// A device with the thread that serves it. Ended when dropped.
pub(crate) struct Served<B: Device> {
    backend: B,
    // Dropped after the end has come: it waits for its thread.
    daemon: VhostUserDaemon<B>,
}

impl<B: Device> Served<B> {
    /// Starts the thread.
    pub(crate) fn new(name: &str, backend: B) -> io::Result<Self> {
        let memory = GuestMemoryAtomic::new(GuestMemoryMmap::new());
        let daemon = VhostUserDaemon::new(name.to_owned(), backend.clone(), memory);
        let daemon = daemon.map_err(|_| io::Error::other("vhost-user"))?;
        let served = Self { backend, daemon };
        for handler in served.daemon.get_epoll_handlers() {
            let end = served.backend.end().descriptor();
            handler.register_listener(end, EventSet::IN, B::END)?;
        }
        Ok(served)
    }

    /// Connects to QEMU, if it listens there already.
    pub(crate) fn connect(&mut self, socket: &str) -> bool {
        self.daemon.start_client(socket).is_ok()
    }

    /// What further events are registered with.
    pub(crate) fn daemon(&self) -> &VhostUserDaemon<B> {
        &self.daemon
    }
}

impl<B: Device> Drop for Served<B> {
    fn drop(&mut self) {
        self.backend.end().come();
        self.daemon.request_shutdown();
        // Whatever ended the conversation with QEMU, it is over.
        let _ = self.daemon.wait();
    }
}
