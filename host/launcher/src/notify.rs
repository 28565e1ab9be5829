//! Tells the service manager that an enclave runs, by systemd's notification protocol: one datagram
//! to the socket that NOTIFY_SOCKET names.
//!
//! Does not: anything where that variable is not set.

use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Sends `READY=1` and a line of state.
///
/// # Errors
/// What the system says; a service manager that waits for it would give up later.
pub fn ready(socket: Option<&OsStr>, status: &str) -> std::io::Result<()> {
    let Some(path) = socket.filter(|path| !path.is_empty()) else {
        return Ok(());
    };
    let address = match path.as_bytes().split_first() {
        Some((b'@', name)) => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(path)?,
    };
    // A line break would begin another assignment.
    let status: String = status.chars().filter(|c| !c.is_control()).collect();
    let message = format!("READY=1\nSTATUS={status}\n");
    let sender = UnixDatagram::unbound()?;
    sender
        .send_to_addr(message.as_bytes(), &address)
        .map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_manager_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).expect("bound");
        ready(Some(path.as_os_str()), "cid 16\nWATCHDOG=1").expect("sent");
        let mut buffer = [0; 256];
        let count = manager.recv(&mut buffer).expect("received");
        let expected = b"READY=1\nSTATUS=cid 16WATCHDOG=1\n";
        assert_eq!(buffer.get(..count), Some(expected.as_slice()));

        let name = format!("@quorate-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name.as_bytes()[1..]).expect("a name");
        let manager = UnixDatagram::bind_addr(&address).expect("bound");
        ready(Some(OsStr::new(&name)), "").expect("sent");
        assert_eq!(manager.recv(&mut buffer).expect("received"), 16);
    }

    #[test]
    fn nobody_to_tell_is_no_error_and_a_wrong_socket_fails_closed() {
        assert!(ready(None, "x").is_ok());
        assert!(ready(Some(OsStr::new("")), "x").is_ok());
        assert!(ready(Some(OsStr::new("/nowhere/notify")), "x").is_err());
    }
}
