//! From an image to a started enclave.
//!
//! Guarantees: the steps are in the one order that cannot waste anything: what can be refused
//! without the driver is refused first, memory is given only when it holds the image that was
//! measured, and the sign of life is listened for before the start, so that it cannot be missed. A
//! step that fails ends the enclave and frees everything: that is dropping it.
//!
//! Does not: wait for the sign of life. [`crate::supervise`] does.

use nix::errno::Errno;

use crate::device::{Cid, Device, Mode, Vm};
use crate::error::{LaunchError, Step};
use crate::image::Image;
use crate::machine::{Cpus, Machine, choose};

/// What an enclave is to be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Who may look into it.
    pub mode: Mode,
    /// Its CID; chosen by the hypervisor if `None`.
    pub cid: Option<Cid>,
    /// Memory in bytes; the least that does if `None`.
    pub memory: Option<u64>,
    /// Processors.
    pub cpus: Cpus,
}

impl Wish {
    /// The memory for an image, in bytes.
    ///
    /// # Errors
    /// [`LaunchError::MemoryTooSmall`].
    pub fn memory_for(&self, image: &Image) -> Result<u64, LaunchError> {
        let needed = image.memory();
        match self.memory {
            Some(given) if given < needed => Err(LaunchError::MemoryTooSmall {
                given,
                needed,
                image: image.size(),
            }),
            Some(given) => Ok(given),
            None => Ok(needed),
        }
    }
}

/// An enclave that was started.
#[derive(Debug)]
pub struct Started<V, H> {
    /// The enclave; dropping it ends it.
    pub vm: V,
    /// Where its sign of life arrives.
    pub heartbeats: H,
    /// Its CID.
    pub cid: Cid,
    /// Its memory in bytes.
    pub memory: u64,
    /// Its processors.
    pub cpus: Vec<u32>,
}

/// Starts an enclave.
///
/// # Errors
/// [`LaunchError`]; nothing of the enclave is left.
pub fn start<D: Device>(
    device: &mut D,
    machine: &Machine,
    image: &mut Image,
    wish: &Wish,
) -> Result<Started<D::Vm, D::Heartbeats>, LaunchError> {
    let needed = wish.memory_for(image)?;
    device.open()?;
    machine.check(&wish.cpus)?;
    let sizes = choose(&machine.free_pages(), needed)?;
    let mut memory = 0_u64;
    let mut pages = Vec::with_capacity(sizes.len());
    for size in sizes {
        // Somebody was faster.
        let page = device.page(size).map_err(|errno| match errno {
            Errno::ENOMEM => LaunchError::HugePages {
                needed,
                free: memory,
            },
            errno => LaunchError::kernel(Step::Memory)(errno),
        })?;
        pages.push(page);
        memory = memory.saturating_add(size);
    }
    let mut vm = device
        .create()
        .map_err(LaunchError::refused(Step::Create))?;
    let offset = vm
        .image_offset()
        .map_err(LaunchError::refused(Step::LoadInfo))?;
    image.load(&mut pages, offset)?;
    for page in pages {
        vm.give(page).map_err(LaunchError::refused(Step::Memory))?;
    }
    let wanted: Vec<Option<u32>> = match &wish.cpus {
        Cpus::Count(count) => (0..*count).map(|_| None).collect(),
        Cpus::These(cpus) => cpus.iter().copied().map(Some).collect(),
    };
    let mut cpus = Vec::with_capacity(wanted.len());
    for cpu in wanted {
        cpus.push(vm.add_cpu(cpu).map_err(LaunchError::refused(Step::Cpu))?);
    }
    let heartbeats = device.heartbeats().map_err(|errno| match errno {
        Errno::EADDRINUSE => LaunchError::StartUnderWay,
        errno => LaunchError::kernel(Step::Listen)(errno),
    })?;
    let cid = vm
        .start(wish.mode, wish.cid)
        .map_err(LaunchError::refused(Step::Start))?;
    let cid = Cid::new(cid).map_err(|_| LaunchError::kernel(Step::Start)(Errno::EPROTO))?;
    Ok(Started {
        vm,
        heartbeats,
        cid,
        memory,
        cpus,
    })
}
