//! Attacks that try without end, and those that look for something.

use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::libc;

use crate::attacks::{BINARY, CONTROL};
use crate::sys::call;

/// Attempts at once, of those that try without end.
const MANY: usize = 10_000;

/// How many processes came to be.
pub(crate) fn fork_bomb() -> Result<i64, Errno> {
    let forks = (0..MANY).filter(|_| attack!(libc::SYS_fork).is_ok());
    i64::try_from(forks.count()).map_err(|_| Errno::EOVERFLOW)
}

/// How many threads there were at once, besides those there were before.
pub(crate) fn thread_bomb() -> Result<i64, Errno> {
    let (stop, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Arc::new(std::sync::Mutex::new(wait));
    let mut threads = Vec::new();
    for _ in 0..MANY {
        let wait = std::sync::Arc::clone(&wait);
        let thread = std::thread::Builder::new()
            .stack_size(16 * 1024)
            .spawn(move || {
                // Ends when the sender is dropped.
                let _ = wait.lock().map(|wait| wait.recv());
            });
        match thread {
            Ok(thread) => threads.push(thread),
            Err(_) => break,
        }
    }
    drop(stop);
    let count = threads.len();
    for thread in threads {
        let _ = thread.join();
    }
    i64::try_from(count).map_err(|_| Errno::EOVERFLOW)
}

/// How many descriptors could be had.
pub(crate) fn exhaust_descriptors() -> Result<i64, Errno> {
    let mut had = Vec::new();
    for _ in 0..MANY {
        match attack!(libc::SYS_dup, CONTROL) {
            Ok(number) => had.push(number),
            Err(_) => break,
        }
    }
    for number in &had {
        let _ = attack!(libc::SYS_close, *number);
    }
    i64::try_from(had.len()).map_err(|_| Errno::EOVERFLOW)
}

/// How many MiB could be had and written to.
pub(crate) fn exhaust_memory() -> Result<i64, Errno> {
    const MIB: usize = 1 << 20;
    let mut had: Vec<Vec<u8>> = Vec::new();
    while had.len() < MANY {
        let mut more = Vec::new();
        if more.try_reserve_exact(MIB).is_err() {
            break;
        }
        more.resize(MIB, 1);
        had.push(more);
    }
    i64::try_from(had.len()).map_err(|_| Errno::EOVERFLOW)
}

/// How many pairs of sockets could be had and filled.
pub(crate) fn exhaust_sockets() -> Result<i64, Errno> {
    let mut pairs = Vec::new();
    while let Ok((mut one, other)) = UnixStream::pair() {
        if one.set_nonblocking(true).is_err() {
            break;
        }
        while one.write(&[1; 4096]).is_ok() {}
        pairs.push((one, other));
    }
    i64::try_from(pairs.len()).map_err(|_| Errno::EOVERFLOW)
}

/// How many threads compute for as long as this application lives.
pub(crate) fn burn_processors() -> Result<i64, Errno> {
    static BEGIN: AtomicBool = AtomicBool::new(false);
    let mut threads = Vec::new();
    for _ in 0..MANY {
        let burn = || {
            while !BEGIN.load(Ordering::Acquire) {
                std::thread::park();
            }
            let mut number = 0_u64;
            loop {
                number = std::hint::black_box(number.wrapping_add(1));
            }
        };
        match std::thread::Builder::new()
            .stack_size(16 * 1024)
            .spawn(burn)
        {
            Ok(thread) => threads.push(thread),
            Err(_) => break,
        }
    }
    // None begins before all are there, or the last would never come.
    BEGIN.store(true, Ordering::Release);
    threads.iter().for_each(|thread| thread.thread().unpark());
    i64::try_from(threads.len()).map_err(|_| Errno::EOVERFLOW)
}

/// How many descriptors are a device other than the null device.
pub(crate) fn find_a_device() -> Result<i64, Errno> {
    let null = nix::sys::stat::makedev(1, 3);
    let mut found = 0;
    for number in 0..BINARY {
        let mut metadata = [0_u8; 256];
        if attack!(libc::SYS_fstat, number, &mut metadata).is_err() {
            continue;
        }
        // struct stat of this architecture: st_mode at 24, st_rdev at 40.
        let part = |at: usize| metadata.get(at..).and_then(|rest| rest.first_chunk());
        let mode = part(24).map_or(0, |bytes: &[u8; 4]| u32::from_ne_bytes(*bytes));
        let device = metadata.get(40..).and_then(|rest| rest.first_chunk::<8>());
        let device = device.map_or(0, |bytes| u64::from_ne_bytes(*bytes));
        let kind = mode & libc::S_IFMT;
        if [libc::S_IFCHR, libc::S_IFBLK].contains(&kind) && device != null {
            found += 1;
        }
    }
    Ok(found)
}

/// How many bytes a core dump may have.
pub(crate) fn core_limit() -> Result<i64, Errno> {
    let mut limits = [0_u8; 16];
    attack!(libc::SYS_getrlimit, libc::RLIMIT_CORE as i64, &mut limits)?;
    let limit = limits
        .first_chunk()
        .map_or(i64::MAX, |bytes| i64::from_ne_bytes(*bytes));
    Ok(limit)
}
