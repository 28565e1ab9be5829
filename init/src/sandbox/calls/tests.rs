use nix::fcntl::{OFlag, open};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket, socketpair};
use nix::sys::stat::Mode;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{getpid, setsid};

use super::super::init_calls::INIT;
use super::*;
use crate::sys::{Place, in_child};

/// Runs `child` under the filters in a process of its own; its answer is the exit status.
fn under(filters: &Filters, child: impl FnOnce() -> u8) -> WaitStatus {
    let process = in_child(Place::Here, || {
        let answer = match filters.enforce() {
            Ok(()) => child(),
            Err(_) => 255,
        };
        std::process::exit(i32::from(answer));
    });
    waitpid(process.unwrap(), None).unwrap()
}

fn exited(status: WaitStatus) -> Option<i32> {
    match status {
        WaitStatus::Exited(_, code) => Some(code),
        _ => None,
    }
}

fn refused_as<T>(outcome: nix::Result<T>, errno: Errno) -> bool {
    outcome.err() == Some(errno)
}

#[test]
fn a_call_without_a_row_fails_closed() {
    let filters = Filters::of_applications().unwrap();
    let status = under(&filters, || {
        let stream = |family| socket(family, SockType::Stream, SockFlag::empty(), None);
        let refused = [
            refused_as(stream(AddressFamily::Vsock), Errno::EPERM),
            refused_as(stream(AddressFamily::Inet), Errno::EPERM),
            refused_as(stream(AddressFamily::Unix), Errno::EPERM),
            refused_as(setsid(), Errno::EPERM),
            refused_as(memfd_create(c"x", MFdFlags::empty()), Errno::EPERM),
        ];
        refused.iter().filter(|refused| !**refused).count() as u8
    });
    assert_eq!(exited(status), Some(0));
}

#[test]
fn a_path_fails_closed() {
    let filters = Filters::of_applications().unwrap();
    let status = under(&filters, || {
        let opened = open(c"/dev/null", OFlag::O_RDONLY, Mode::empty());
        u8::from(!refused_as(opened, Errno::ENOENT))
    });
    assert_eq!(exited(status), Some(0));
}

#[test]
fn what_has_a_row_goes_on() {
    let filters = Filters::of_applications().unwrap();
    let status = under(&filters, || {
        let pair = socketpair(
            AddressFamily::Unix,
            SockType::SeqPacket,
            None,
            SockFlag::SOCK_CLOEXEC,
        );
        let thread = std::thread::spawn(|| getpid().as_raw() > 0).join();
        u8::from(pair.is_err()) + u8::from(!thread.unwrap_or(false))
    });
    assert_eq!(exited(status), Some(0));
}

#[test]
fn an_argument_that_no_row_names_fails_closed() {
    use nix::fcntl::{FcntlArg, fcntl};
    let filters = Filters::of_applications().unwrap();
    let status = under(&filters, || {
        let pair = socketpair(
            AddressFamily::Vsock,
            SockType::Stream,
            None,
            SockFlag::empty(),
        );
        let sized = fcntl(std::io::stdin(), FcntlArg::F_GETPIPE_SZ);
        u8::from(!refused_as(pair, Errno::EPERM)) + u8::from(!refused_as(sized, Errno::EPERM))
    });
    assert_eq!(exited(status), Some(0));
}

#[test]
fn init_may_start_applications_and_nothing_wider() {
    let filters = Filters::of_init(&[APPLICATION, INIT]).unwrap();
    let status = under(&filters, || {
        let stream = |family| socket(family, SockType::Stream, SockFlag::empty(), None);
        let refused = [
            refused_as(stream(AddressFamily::Inet), Errno::EPERM),
            refused_as(stream(AddressFamily::Netlink), Errno::EPERM),
            refused_as(
                nix::mount::mount(
                    None::<&str>,
                    "/",
                    None::<&str>,
                    nix::mount::MsFlags::MS_REMOUNT,
                    None::<&str>,
                ),
                Errno::EPERM,
            ),
            refused_as(
                socketpair(
                    AddressFamily::Inet,
                    SockType::Stream,
                    None,
                    SockFlag::empty(),
                ),
                Errno::EPERM,
            ),
            memfd_create(c"x", MFdFlags::empty()).is_ok(),
            setsid().is_ok(),
        ];
        refused.iter().filter(|right| !**right).count() as u8
    });
    assert_eq!(exited(status), Some(0));
}

#[test]
fn a_table_with_a_call_twice_is_no_filter() {
    let twice = [
        always(libc::SYS_read, "once"),
        always(libc::SYS_read, "twice"),
    ];
    assert!(rules(&twice).is_err());
}
