//! The production init has no way to an emulated NSM: what ships knows `/dev/nsm` and vsock, and the
//! program that takes a socket for an NSM is another one.
//!
//! Three views of the same promise: the graph of dependencies, the bytes of the release binaries,
//! and what the production binary does when it is started the way the emulator starts its own.
//! The last two need the static release binaries, which `./test` builds first; where `CI` is set
//! their absence is a failure.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::socket::{MsgFlags, recv};
use quorate_emulator::MARKER;
use quorate_emulator::server;

/// What only a program with a socket for an NSM has use for: its marker, how it is called, who
/// starts it, and the names of its sockets (as far as they are data; short texts become code).
const SOCKET_NSM: [&str; 5] = [
    MARKER,
    "usage: quorate-init-emulated",
    "quorate emulate serve",
    "port-",
    ".sock",
];

/// A release binary, unless it is not built and need not be.
fn binary(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("QUORATE_BINARIES").map_or_else(
        || {
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("../target/x86_64-unknown-linux-musl/release")
        },
        PathBuf::from,
    );
    let path = folder.join(name);
    if path.is_file() {
        return Some(path);
    }
    let what = format!("{} is not built: ./test --only enclave", path.display());
    assert!(std::env::var_os("CI").is_none(), "{what}");
    eprintln!("SKIPPED, NOTHING WAS TESTED: {what}");
    None
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

/// Types of the program headers of a 64-bit little-endian ELF file (gABI, chapter 5).
fn segments(elf: &[u8]) -> Vec<u32> {
    let number = |at: usize, len: usize| {
        let bytes = elf[at..at + len].iter().rev();
        bytes.fold(0_usize, |n, byte| n << 8 | usize::from(*byte))
    };
    assert_eq!(&elf[..6], b"\x7fELF\x02\x01");
    let (table, size, count) = (number(32, 8), number(54, 2), number(56, 2));
    assert!(count > 0);
    (0..count)
        .map(|n| number(table + n * size, 4) as u32)
        .collect()
}

/// Packages of the lockfile with the names of what each depends on, for any purpose.
fn lockfile() -> BTreeMap<String, Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
    let text = fs::read_to_string(path).expect("the lockfile");
    let packages = text.split("[[package]]").skip(1);
    let package = |entry: &str| {
        let name = entry.lines().find_map(|line| line.strip_prefix("name = "));
        let name = name.expect("a name").trim_matches('"').to_owned();
        let list = entry
            .split_once("dependencies = [")
            .map_or("", |(_, list)| list);
        let names = list.lines().filter_map(|line| {
            let quoted = line.trim().strip_prefix('"')?;
            quoted.split([' ', '"']).next().map(str::to_owned)
        });
        (name, names.collect())
    };
    packages.map(package).collect()
}

#[test]
fn the_emulator_is_nowhere_below_the_production_init() {
    let packages = lockfile();
    let mut below = BTreeSet::new();
    let mut open = vec!["quorate-init"];
    while let Some(name) = open.pop() {
        if below.insert(name) {
            let dependencies = packages.get(name).expect("a package of the lockfile");
            open.extend(dependencies.iter().map(String::as_str));
        }
    }
    assert!(below.contains("quorate-verify"), "{below:?}");
    assert!(!below.contains("quorate-emulator"), "{below:?}");
    assert!(packages["quorate-emulator"].contains(&"quorate-init".to_owned()));
}

#[test]
fn production_binary_has_no_socket_nsm() {
    let (Some(production), Some(emulated)) =
        (binary("quorate-init"), binary("quorate-init-emulated"))
    else {
        return;
    };
    let production = fs::read(production).expect("the production init");
    let emulated = fs::read(emulated).expect("the emulated init");
    for text in SOCKET_NSM {
        // Found where it must be, or the search itself would prove nothing.
        assert!(
            contains(&emulated, text),
            "not in the emulated init: {text}"
        );
        assert!(!contains(&production, text), "in production: {text}");
    }
    assert!(contains(&production, "/dev/nsm"));
    const INTERPRETER: u32 = 3;
    const LOAD: u32 = 1;
    for elf in [&production, &emulated] {
        let segments = segments(elf);
        assert!(segments.contains(&LOAD), "{segments:?}");
        assert!(!segments.contains(&INTERPRETER), "{segments:?}");
    }
}

/// Started as the emulator starts its own, it takes no notice: no socket of its own, no request to
/// the NSM it was offered, and no success.
#[test]
fn production_binary_offered_a_socket_for_an_nsm_fails_closed() {
    let Some(production) = binary("quorate-init") else {
        return;
    };
    if Path::new("/dev/nsm").exists() {
        eprintln!("SKIPPED, NOTHING WAS TESTED: this machine has an NSM of its own");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (device, guest) = server::socket_pair().expect("a pair");
    let output = Command::new(production)
        .arg(folder.path())
        .env_clear()
        .current_dir(folder.path())
        .stdin(Stdio::from(guest.into_fd()))
        .output()
        .expect("the production init runs");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let console = String::from_utf8_lossy(&output.stderr);
    assert!(
        console.contains("the NSM device cannot be opened"),
        "{console}"
    );
    let made = fs::read_dir(folder.path()).expect("the folder").count();
    assert_eq!(made, 0);
    // The other end finds a closed socket, and not one request before that.
    let mut request = [0; 1];
    let received = recv(
        device.as_fd().as_raw_fd(),
        &mut request,
        MsgFlags::MSG_DONTWAIT,
    );
    assert_eq!(received, Ok(0));
}
