//! Whether this machine can run guests with KVM: by running one.
//!
//! That `/dev/kvm` is there proves little: in a nested guest or a sandbox it may open, run a few
//! instructions of firmware, and never get a kernel up. The trial is the image's own kernel without
//! a ramdisk, which gets as far as looking for its init and restarts, which ends QEMU.
//!
//! Guarantees: the trial is ended after [`LIMIT`]; its outcome is remembered until this machine
//! starts again. When in doubt, QEMU executes the guest itself, which works anywhere.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::{Accelerator, Qemu, search};

/// How long the trial may take.
const LIMIT: Duration = Duration::from_secs(2);

const POLL: Duration = Duration::from_millis(5);

/// Why the kernel restarts at once instead of waiting for somebody to read why it panicked.
const COMMAND_LINE: &str = "panic=-1 reboot=k quiet";

/// What is remembered.
const WORKS: &str = "kvm works\n";
const FAILS: &str = "kvm fails\n";

/// How guests are best executed here.
pub(crate) fn accelerator(qemu: &Qemu, kernel: &Path) -> Accelerator {
    // Without permission QEMU would only complain.
    let device = OpenOptions::new().read(true).write(true).open("/dev/kvm");
    if device.is_err() {
        return Accelerator::Tcg;
    }
    let memory = memory();
    let remembered = memory
        .as_ref()
        .and_then(|path| fs::read_to_string(path).ok());
    let works = match remembered.as_deref() {
        Some(WORKS) => true,
        Some(FAILS) => false,
        _ => {
            let works = answers(trial(qemu, kernel), LIMIT);
            if let Some(path) = memory {
                // What cannot be remembered is tried again.
                let _ = fs::write(path, if works { WORKS } else { FAILS });
            }
            works
        }
    };
    if works {
        Accelerator::Kvm
    } else {
        Accelerator::Tcg
    }
}

/// Where the outcome is remembered.
fn memory() -> Option<PathBuf> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let folder = search::cache()?;
    fs::create_dir_all(&folder).ok()?;
    Some(folder.join(format!("kvm-{}", boot.trim())))
}

fn trial(qemu: &Qemu, kernel: &Path) -> Command {
    let mut command = qemu.command();
    command
        .args(["-nodefaults", "-no-user-config", "-nographic", "-no-reboot"])
        .args(["-run-with", "exit-with-parent=on"])
        .args(["-machine", "microvm,acpi=off,rtc=on", "-m", "256M"])
        .args(["-accel", "kvm", "-cpu", "host"])
        .args(["-action", "reboot=shutdown", "-action", "panic=shutdown"])
        .args(["-append", COMMAND_LINE, "-kernel"])
        .arg(kernel);
    command
}

/// Whether a machine comes up and ends in order within this time.
fn answers(mut command: Command, limit: Duration) -> bool {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else {
        return false;
    };
    let since = Instant::now();
    let answered = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status.success(),
            Ok(None) if since.elapsed() < limit => thread::sleep(POLL),
            _ => break false,
        }
    };
    let _ = child.kill();
    let _ = child.wait();
    answered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_that_ends_in_order_answers() {
        assert!(answers(Command::new("/bin/true"), LIMIT));
    }

    #[test]
    fn a_trial_that_hangs_or_fails_fails_closed() {
        let mut hangs = Command::new("/bin/sleep");
        hangs.arg("60");
        let since = Instant::now();
        assert!(!answers(hangs, Duration::from_millis(50)));
        assert!(since.elapsed() < Duration::from_secs(30));
        assert!(!answers(Command::new("/bin/false"), LIMIT));
        assert!(!answers(Command::new("/nonexistent"), LIMIT));
    }
}
