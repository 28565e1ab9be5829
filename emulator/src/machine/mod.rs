//! Machines: the unmodified image in a virtual machine, with an NSM and a vsock of ours.
//!
//! QEMU runs the guest; this process is its two devices, over vhost-user. [`image`] takes the image
//! file apart, [`qemu`] finds QEMU and calls it, [`run`] is the life of a machine, `nsm` and
//! [`vsock`] are the devices, `served` connects them to QEMU.
//!
//! Guarantees: the guest's kernel, command line and ramdisks are exactly the image's, and its
//! registers are their measurements. What the guest does to its devices is checked here; it cannot
//! make this process read or write outside the guest's memory, grow without bound, or end.
//!
//! Trusts: QEMU and the user it runs as. A machine is no safer than a process: whoever can read
//! QEMU's memory has the guest's.

pub use crate::fault;

pub mod console;
#[cfg(test)]
mod hostile;
pub mod image;
mod nsm;
pub mod qemu;
mod queue;
pub mod run;
mod served;
pub mod vsock;
