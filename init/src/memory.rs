//! How much memory the machine has left.
//!
//! What it is for: an upload is refused by name while there is still memory, and not ended by the
//! kernel when there is none.

use std::fs::File;
use std::io::Read as _;

use nix::sys::sysinfo::sysinfo;

/// Where the kernel says what could be had without swapping.
const MEMINFO: &str = "/proc/meminfo";
/// More than any kernel writes there, in bytes.
const MEMINFO_MAX: u64 = 16 * 1024;

/// Bytes that could be had now: what the kernel calls available, or else what is free, which is
/// less. `None` if it tells neither.
#[must_use]
pub fn available_memory() -> Option<u64> {
    let mut text = String::new();
    let read =
        File::open(MEMINFO).and_then(|file| file.take(MEMINFO_MAX).read_to_string(&mut text));
    match read.ok().and_then(|_| available(&text)) {
        Some(bytes) => Some(bytes),
        None => sysinfo().ok().map(|found| found.ram_unused()),
    }
}

/// `MemAvailable:  123 kB`, in bytes.
fn available(text: &str) -> Option<u64> {
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_own_words_are_read() {
        let text =
            "MemTotal:  100 kB\nMemFree:    7 kB\nMemAvailable:     12345 kB\nBuffers: 1 kB\n";
        assert_eq!(available(text), Some(12_345 * 1024));
        let found = available_memory().unwrap();
        assert!(found > 1 << 20, "{found}");
    }

    #[test]
    fn other_words_are_not() {
        for text in [
            "",
            "MemAvailable:",
            "MemAvailable: kB",
            "MemAvailable: 12 MB",
            "MemAvailable: -1 kB",
            "MemAvailable: 18446744073709551615 kB",
            "NotMemAvailable: 1 kB",
        ] {
            assert_eq!(available(text), None, "{text}");
        }
    }
}
