//! The console of an enclave in debug mode, shown as it comes.
//!
//! Guarantees: nothing of it reaches the terminal but printable ASCII, line ends and tabs: what an
//! enclave prints cannot move a cursor, set a title or hide a line.
//!
//! Does not: exist for enclaves in production mode.

use std::io::{ErrorKind, Read, Write};

use crate::device::{CONSOLE_PORTS, Cid};
use crate::error::LaunchError;

/// The port of an enclave's console at the hypervisor.
#[must_use]
pub const fn port(cid: Cid) -> u32 {
    cid.number().wrapping_add(CONSOLE_PORTS)
}

/// Copies a console to `out` until it ends. A byte that is neither printable nor a line end or tab
/// is shown as `?`; a carriage return is left out.
///
/// # Errors
/// [`LaunchError::Console`] when it breaks, [`LaunchError::Output`].
pub fn follow(
    address: &str,
    mut console: impl Read,
    mut out: impl Write,
) -> Result<(), LaunchError> {
    let mut buffer = [0; 4096];
    loop {
        let count = match console.read(&mut buffer) {
            // The hypervisor resets the connection when the enclave ends.
            Ok(0) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => {
                return Err(LaunchError::Console {
                    address: address.into(),
                    kind: error.kind(),
                });
            }
        };
        let taken = buffer.get(..count).unwrap_or_default();
        let shown: Vec<u8> = taken
            .iter()
            .filter(|byte| **byte != b'\r')
            .map(|byte| match byte {
                b'\n' | b'\t' | b' '..=b'~' => *byte,
                _ => b'?',
            })
            .collect();
        out.write_all(&shown)
            .and_then(|()| out.flush())
            .map_err(|error| LaunchError::Output { kind: error.kind() })?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_console_is_shown_without_escape_sequences() {
        let said = b"quorate-init: up\r\n\x1b]0;title\x07\x1b[2J\xc2\x9b1m\tend\n".as_slice();
        let mut shown = Vec::new();
        follow("x", said, &mut shown).expect("shown");
        assert_eq!(shown, b"quorate-init: up\n?]0;title??[2J??1m\tend\n");
    }

    #[test]
    fn a_closed_output_fails_closed() {
        let error = follow("x", b"line\n".as_slice(), [].as_mut_slice());
        let kind = ErrorKind::WriteZero;
        assert_eq!(error, Err(LaunchError::Output { kind }));
    }

    #[test]
    fn the_port_is_that_of_the_enclave() {
        assert_eq!(Cid::new(16).map(port), Ok(10_016));
    }
}
