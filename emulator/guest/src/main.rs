//! A first process for tests of machines: it does over vsock what it is asked to.
//!
//! Tests put it into an image of their own, with the kernel of the real one. One thread a connection;
//! the port says what is done:
//!
//! | port | what |
//! | --- | --- |
//! | 7000 | everything comes back |
//! | 7001 | everything is taken; at the end come its length and checksum, 16 bytes |
//! | 7002 | 8 bytes name a length; so many bytes come |
//! | 7003 | 4 bytes name a port of the parent; bytes go between it and the caller |
//! | 7004 | NSM requests: 4 bytes of length and the request; the response comes the same way |
//! | 7005 | the machine restarts, which ends it |
//!
//! Numbers are big-endian. With the word `become-init` on the kernel's command line it becomes
//! `/quorate-init` instead, with `no-random-source` after it has turned the kernel's source of
//! randomness off. It protects nothing, and no image of ours contains it.

#[expect(unsafe_code, reason = "taking over descriptors, in one place")]
mod sys;

use std::fs::{File, create_dir, remove_dir};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use nix::mount::{MsFlags, mount, umount};
use nix::sys::reboot::{RebootMode, reboot};
use nix::sys::socket::{
    AddressFamily, Backlog, Shutdown, SockFlag, SockType, VsockAddr, bind, connect, listen,
    shutdown, socket,
};
use quorate_init::nsm::{DevNsm, Transport as _};

const PARENT: u32 = 3;
const ANY: u32 = u32::MAX;
const PIECE: usize = 64 * 1024;

/// What is done with one connection.
type Job = fn(File) -> io::Result<()>;

static NSM: Mutex<Option<DevNsm>> = Mutex::new(None);

/// The real init, where a test put one beside this program.
const INIT: &str = "/quorate-init";
/// What the kernel's generator is fed by.
const RANDOM_SOURCE: &str = "/sys/class/misc/hw_random/rng_current";

fn main() {
    // The kernel passes words on that it does not know.
    let outcome = match std::env::args().nth(1).as_deref() {
        Some("no-random-source") => turn_off_random_source().and_then(|()| become_init()),
        Some("become-init") => become_init(),
        _ => serve(),
    };
    if let Err(error) = outcome {
        println!("test-guest: {error}");
    }
    let _ = reboot(RebootMode::RB_AUTOBOOT);
}

fn turn_off_random_source() -> io::Result<()> {
    create_dir("/sys")?;
    let (kind, none) = (Some("sysfs"), None::<&str>);
    mount(kind, "/sys", kind, MsFlags::empty(), none)?;
    std::fs::write(RANDOM_SOURCE, "none\n")?;
    umount("/sys")?;
    remove_dir("/sys")
}

/// Returns only if it cannot be.
fn become_init() -> io::Result<()> {
    Err(Command::new(INIT).exec())
}

fn serve() -> io::Result<()> {
    let none: Option<&str> = None;
    mount(
        Some("devtmpfs"),
        "/dev",
        Some("devtmpfs"),
        MsFlags::empty(),
        none,
    )?;
    let jobs: [(u32, Job); 6] = [
        (7000, echo),
        (7001, take),
        (7002, give),
        (7003, relay),
        (7004, nsm),
        (7005, restart),
    ];
    let mut threads = Vec::new();
    for (port, job) in jobs {
        let listener = listener(port)?;
        threads.push(thread::spawn(move || accept_all(&listener, job)));
    }
    println!("test-guest: listening");
    for thread in threads {
        let _ = thread.join();
    }
    Ok(())
}

fn vsock() -> io::Result<OwnedFd> {
    Ok(socket(
        AddressFamily::Vsock,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?)
}

fn listener(port: u32) -> io::Result<OwnedFd> {
    let fd = vsock()?;
    bind(fd.as_raw_fd(), &VsockAddr::new(ANY, port))?;
    listen(&fd, Backlog::MAXALLOWABLE)?;
    Ok(fd)
}

fn accept_all(listener: &OwnedFd, job: Job) {
    loop {
        match sys::accept(listener.as_raw_fd()) {
            Ok(fd) => {
                let stream = File::from(fd);
                thread::spawn(move || {
                    let _ = job(stream);
                });
            }
            Err(error) => println!("test-guest: accept {error}"),
        }
    }
}

fn echo(mut stream: File) -> io::Result<()> {
    let mut buffer = vec![0; PIECE];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            len => stream.write_all(&buffer[..len])?,
        }
    }
}

fn take(mut stream: File) -> io::Result<()> {
    let (mut length, mut sum) = (0_u64, 0xcbf2_9ce4_8422_2325_u64);
    let mut buffer = vec![0; PIECE];
    loop {
        let len = stream.read(&mut buffer)?;
        if len == 0 {
            break;
        }
        length += len as u64;
        for byte in &buffer[..len] {
            sum = (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    stream.write_all(&length.to_be_bytes())?;
    stream.write_all(&sum.to_be_bytes())
}

fn give(mut stream: File) -> io::Result<()> {
    let mut length = [0; 8];
    stream.read_exact(&mut length)?;
    let mut left = u64::from_be_bytes(length);
    let mut state = 1_u32;
    let mut buffer = vec![0; PIECE];
    while left > 0 {
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(PIECE);
        for byte in &mut buffer[..len] {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = (state >> 24) as u8;
        }
        stream.write_all(&buffer[..len])?;
        left -= len as u64;
    }
    shutdown(stream.as_raw_fd(), Shutdown::Write)?;
    // Until the caller has closed: closing first would be a reset.
    io::copy(&mut stream, &mut io::sink())?;
    Ok(())
}

fn relay(mut stream: File) -> io::Result<()> {
    let mut port = [0; 4];
    stream.read_exact(&mut port)?;
    let parent = vsock()?;
    connect(
        parent.as_raw_fd(),
        &VsockAddr::new(PARENT, u32::from_be_bytes(port)),
    )?;
    let (mut up, mut down) = (File::from(parent.try_clone()?), File::from(parent));
    let mut back = stream.try_clone()?;
    let there = thread::spawn(move || {
        let _ = io::copy(&mut stream, &mut up);
        let _ = shutdown(up.as_raw_fd(), Shutdown::Write);
    });
    io::copy(&mut down, &mut back)?;
    let _ = shutdown(back.as_raw_fd(), Shutdown::Write);
    let _ = there.join();
    Ok(())
}

fn nsm(mut stream: File) -> io::Result<()> {
    let other = |error: quorate_init::nsm::TransportError| io::Error::other(error.to_string());
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length) as usize;
        let mut request = vec![0; length.min(PIECE)];
        stream.read_exact(&mut request)?;
        let mut response = vec![0; 0x3000];
        let mut device = NSM.lock().map_err(|_| io::Error::other("poisoned"))?;
        if device.is_none() {
            *device = Some(DevNsm::open().map_err(other)?);
        }
        let Some(device) = device.as_mut() else {
            return Ok(());
        };
        let answer = device.exchange(&request, &mut response);
        // An error is told as no response and its text.
        match answer {
            Ok(len) => {
                stream.write_all(&(len as u32).to_be_bytes())?;
                stream.write_all(&response[..len])?;
            }
            Err(error) => {
                stream.write_all(&u32::MAX.to_be_bytes())?;
                stream.write_all(error.to_string().as_bytes())?;
                return Ok(());
            }
        }
    }
}

fn restart(_: File) -> io::Result<()> {
    println!("test-guest: restarting");
    reboot(RebootMode::RB_AUTOBOOT)?;
    Ok(())
}
