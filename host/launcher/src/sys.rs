//! `/dev/nitro_enclaves`, huge pages, and accepted sockets: the only file of this package with
//! `unsafe`.
//!
//! Each function here is safe to call with any argument. What makes it so stands beside each
//! `unsafe` block. The numbers and layouts are those of `linux/nitro_enclaves.h`; a test compiles
//! that header and compares.
#![allow(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::ptr::NonNull;

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, VsockAddr, accept4, bind, getpeername, listen,
    socket,
};

use crate::device::{Cid, Device, HEARTBEAT_PORT, Heartbeats, Mode, Region, Vm};
use crate::error::{LaunchError, Refused};

/// `NE_CREATE_VM`.
pub const CREATE_VM: u64 = nix::request_code_read!(0xAE, 0x20, size_of::<u64>()) as u64;
/// `NE_ADD_VCPU`.
pub const ADD_VCPU: u64 = nix::request_code_readwrite!(0xAE, 0x21, size_of::<u32>()) as u64;
/// `NE_GET_IMAGE_LOAD_INFO`.
pub const GET_IMAGE_LOAD_INFO: u64 =
    nix::request_code_readwrite!(0xAE, 0x22, size_of::<ImageLoadInfo>()) as u64;
/// `NE_SET_USER_MEMORY_REGION`.
pub const SET_USER_MEMORY_REGION: u64 =
    nix::request_code_write!(0xAE, 0x23, size_of::<UserMemoryRegion>()) as u64;
/// `NE_START_ENCLAVE`.
pub const START_ENCLAVE: u64 =
    nix::request_code_readwrite!(0xAE, 0x24, size_of::<EnclaveStartInfo>()) as u64;
/// `NE_EIF_IMAGE`.
pub const EIF_IMAGE: u64 = 1;
/// `NE_DEFAULT_MEMORY_REGION`.
pub const DEFAULT_MEMORY_REGION: u64 = 0;
/// `NE_ENCLAVE_PRODUCTION_MODE`.
pub const PRODUCTION_MODE: u64 = 0;
/// `NE_ENCLAVE_DEBUG_MODE`.
pub const DEBUG_MODE: u64 = 1;

/// `struct ne_image_load_info`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct ImageLoadInfo {
    /// [`EIF_IMAGE`].
    pub flags: u64,
    /// Answer: where the image goes.
    pub memory_offset: u64,
}

/// `struct ne_user_memory_region`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct UserMemoryRegion {
    /// [`DEFAULT_MEMORY_REGION`].
    pub flags: u64,
    /// Bytes.
    pub memory_size: u64,
    /// Address in this process.
    pub userspace_addr: u64,
}

/// `struct ne_enclave_start_info`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct EnclaveStartInfo {
    /// [`PRODUCTION_MODE`] or [`DEBUG_MODE`].
    pub flags: u64,
    /// CID, or 0 for one the hypervisor chooses; answer: the CID.
    pub enclave_cid: u64,
}

/// Makes a request of the driver whose argument is a pointer to `T`.
///
/// The numbers above say how long the argument is; only they are passed here, each with its type.
fn request<T>(fd: BorrowedFd<'_>, number: u64, argument: &mut T) -> Result<RawFd, Refused> {
    // SAFETY: `argument` is a live, writable value of the type the request is defined over, in C's
    // layout; the driver reads and writes no more than its size and keeps no address of it.
    // Another driver behind the descriptor does not know the request and answers ENOTTY.
    let answer = unsafe { libc::ioctl(fd.as_raw_fd(), number as _, &raw mut *argument) };
    if answer < 0 {
        // The driver's own codes are no errno the system's libraries know.
        Err(Refused::from_raw(Errno::last_raw()))
    } else {
        Ok(answer)
    }
}

/// The Nitro Enclaves driver.
#[derive(Debug)]
pub struct NitroEnclaves {
    path: PathBuf,
    device: Option<File>,
}

impl Default for NitroEnclaves {
    fn default() -> Self {
        Self::at("/dev/nitro_enclaves")
    }
}

impl NitroEnclaves {
    /// The driver behind another path.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            device: None,
        }
    }
}

impl Device for NitroEnclaves {
    type Vm = Enclave;
    type Region = HugePage;
    type Heartbeats = VsockListener;

    fn open(&mut self) -> Result<(), LaunchError> {
        let path = self.path.clone();
        // The standard library opens with O_CLOEXEC.
        match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(device) => self.device = Some(device),
            Err(error) => {
                return Err(match error.kind() {
                    ErrorKind::NotFound => LaunchError::NoDevice { path },
                    ErrorKind::PermissionDenied => LaunchError::DeviceDenied { path },
                    _ => LaunchError::Device {
                        path,
                        errno: Errno::from_raw(error.raw_os_error().unwrap_or(0)),
                    },
                });
            }
        }
        Ok(())
    }

    fn create(&mut self) -> Result<Enclave, Refused> {
        let device = self.device.as_ref().ok_or(Refused::Kernel(Errno::EBADF))?;
        let mut slot = 0_u64;
        let fd = request(device.as_fd(), CREATE_VM, &mut slot)?;
        // SAFETY: the driver has just made this descriptor for this process (NE_CREATE_VM returns
        // it), and nothing else owns it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Enclave {
            fd,
            memory: Vec::new(),
        })
    }

    fn page(&mut self, size: u64) -> Result<HugePage, Errno> {
        HugePage::take(size)
    }

    fn heartbeats(&mut self) -> Result<VsockListener, Errno> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let fd = socket(AddressFamily::Vsock, SockType::Stream, flags, None)?;
        let address = VsockAddr::new(libc::VMADDR_CID_ANY, HEARTBEAT_PORT);
        bind(fd.as_raw_fd(), &address)?;
        listen(&fd, Backlog::new(8)?)?;
        Ok(VsockListener(fd))
    }
}

/// An enclave's descriptor: the kernel ends the enclave when it is closed.
#[derive(Debug)]
pub struct Enclave {
    // Closed before the memory behind it is unmapped: fields are dropped in this order.
    fd: OwnedFd,
    memory: Vec<HugePage>,
}

impl AsFd for Enclave {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Vm for Enclave {
    type Region = HugePage;

    fn add_cpu(&mut self, cpu: Option<u32>) -> Result<u32, Refused> {
        let mut cpu = cpu.unwrap_or(0);
        request(self.fd.as_fd(), ADD_VCPU, &mut cpu)?;
        Ok(cpu)
    }

    fn image_offset(&mut self) -> Result<u64, Refused> {
        let mut info = ImageLoadInfo {
            flags: EIF_IMAGE,
            memory_offset: 0,
        };
        request(self.fd.as_fd(), GET_IMAGE_LOAD_INFO, &mut info)?;
        Ok(info.memory_offset)
    }

    fn give(&mut self, region: HugePage) -> Result<(), Refused> {
        let mut argument = UserMemoryRegion {
            flags: DEFAULT_MEMORY_REGION,
            memory_size: region.size as u64,
            userspace_addr: region.address.as_ptr() as u64,
        };
        // Kept whatever the driver answers: what it holds of it is released with the descriptor.
        self.memory.push(region);
        request(self.fd.as_fd(), SET_USER_MEMORY_REGION, &mut argument).map(|_| ())
    }

    fn start(&mut self, mode: Mode, cid: Option<Cid>) -> Result<u64, Refused> {
        let mut info = EnclaveStartInfo {
            flags: match mode {
                Mode::Production => PRODUCTION_MODE,
                Mode::Debug => DEBUG_MODE,
            },
            enclave_cid: cid.map_or(0, |cid| cid.number().into()),
        };
        request(self.fd.as_fd(), START_ENCLAVE, &mut info)?;
        Ok(info.enclave_cid)
    }
}

/// One huge page of this process.
#[derive(Debug)]
pub struct HugePage {
    address: NonNull<u8>,
    size: usize,
}

impl HugePage {
    /// Takes a free page, and makes sure of it: touching it later cannot fail.
    fn take(size: u64) -> Result<Self, Errno> {
        let size = usize::try_from(size).map_err(|_| Errno::EINVAL)?;
        if !size.is_power_of_two() || size < 4096 {
            return Err(Errno::EINVAL);
        }
        let shift = libc::c_int::try_from(size.trailing_zeros()).map_err(|_| Errno::EINVAL)?;
        let flags = libc::MAP_PRIVATE
            | libc::MAP_ANONYMOUS
            | libc::MAP_HUGETLB
            | (shift << libc::MAP_HUGE_SHIFT);
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new anonymous mapping at an address the kernel chooses touches no memory that
        // is in use.
        let address = unsafe { libc::mmap(std::ptr::null_mut(), size, access, flags, -1, 0) };
        if address == libc::MAP_FAILED {
            return Err(Errno::last());
        }
        let address = NonNull::new(address.cast()).ok_or(Errno::EFAULT)?;
        let page = Self { address, size };
        // SAFETY: the range is the mapping made above, owned by `page`; populating it changes no
        // contents.
        let outcome =
            unsafe { libc::madvise(address.as_ptr().cast(), size, libc::MADV_POPULATE_WRITE) };
        match Errno::result(outcome) {
            // Kernels before 5.14 do not know the request; mmap reserved the page there too.
            Ok(_) | Err(Errno::EINVAL) => Ok(page),
            Err(errno) => Err(errno),
        }
    }
}

impl Region for HugePage {
    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: the mapping is `size` bytes of readable, writable, initialized (zeroed) memory,
        // owned by this value alone, which is borrowed mutably for as long as the slice lives.
        unsafe { std::slice::from_raw_parts_mut(self.address.as_ptr(), self.size) }
    }
}

impl Drop for HugePage {
    fn drop(&mut self) {
        // SAFETY: the range is exactly the mapping this value owns; no borrow of it is left.
        let _ = unsafe { libc::munmap(self.address.as_ptr().cast(), self.size) };
    }
}

/// A vsock listener.
#[derive(Debug)]
pub struct VsockListener(OwnedFd);

impl AsFd for VsockListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Heartbeats for VsockListener {
    fn accept(&self) -> Result<(UnixStream, u32), Errno> {
        let accepted = accept(self.0.as_fd())?;
        let peer: VsockAddr = getpeername(accepted.as_raw_fd())?;
        // Reads and writes of a stream socket are the same for Unix and vsock.
        Ok((UnixStream::from(accepted), peer.cid()))
    }
}

/// Takes a connection that waits, close-on-exec and non-blocking.
///
/// # Errors
/// What the kernel says.
pub fn accept(listener: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let accepted = accept4(listener.as_raw_fd(), flags)?;
    // SAFETY: accept4 has just returned this descriptor and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(accepted) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_device_fails_closed() {
        let path = PathBuf::from("/dev/no-such-device");
        let error = NitroEnclaves::at(&path).open();
        assert_eq!(error, Err(LaunchError::NoDevice { path }));
    }

    #[test]
    fn another_device_fails_closed() {
        let mut device = NitroEnclaves::at("/dev/null");
        assert_eq!(device.create().err(), Some(Refused::Kernel(Errno::EBADF)));
        device.open().expect("/dev/null opens");
        assert_eq!(device.create().err(), Some(Refused::Kernel(Errno::ENOTTY)));
        let mut enclave = Enclave {
            fd: device.device.take().expect("it was opened").into(),
            memory: Vec::new(),
        };
        let refused = Refused::Kernel(Errno::ENOTTY);
        assert_eq!(enclave.add_cpu(None), Err(refused));
        assert_eq!(enclave.image_offset(), Err(refused));
        assert_eq!(enclave.start(Mode::Debug, None), Err(refused));
    }

    #[test]
    fn pages_that_cannot_be_fail_closed() {
        for size in [0, 1, 2048, 3 << 20, u64::MAX] {
            let error = HugePage::take(size).err();
            assert_eq!(error, Some(Errno::EINVAL), "{size}");
        }
        // No machine has a free huge page of this size; which refusal it is, is the kernel's.
        assert!(HugePage::take(1 << 50).is_err());
    }

    #[test]
    fn a_free_huge_page_is_zero_and_written() {
        match HugePage::take(2 << 20) {
            Ok(mut page) => {
                assert_eq!(page.bytes_mut().len(), 2 << 20);
                assert!(page.bytes_mut().iter().all(|byte| *byte == 0));
                page.bytes_mut().fill(0xa5);
            }
            Err(Errno::ENOMEM) => println!("this machine has no huge page to spare"),
            Err(errno) => panic!("{errno}"),
        }
    }
}
