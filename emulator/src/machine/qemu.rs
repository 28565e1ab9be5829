//! QEMU: what it must have, and how it is called.
//!
//! Guarantees: a QEMU is used only if it says itself that it has every device and option a machine
//! needs. The guest gets a processor, memory, a console and two devices served by this process; no
//! network, no disk, no monitor. QEMU ends with the thread that started it.
//!
//! Trusts: QEMU, as the guest's jailer. It is what stands for Nitro's hypervisor here.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use thiserror::Error;

use super::image::Unpacked;

pub(crate) mod probe;
pub mod search;

pub use self::search::{FindError, Search};

/// The program's name.
pub const PROGRAM: &str = "qemu-system-x86_64";

/// The oldest version that has a device of any kind behind vhost-user.
pub const VERSION_MIN: (u32, u32) = (10, 2);

/// The device that stands for the NSM.
const NSM_DEVICE: &str = "vhost-user-test-device";
/// The device that stands for vsock.
const VSOCK_DEVICE: &str = "vhost-user-vsock-device";
/// The virtio id of an NSM.
const NSM_ID: u32 = 33;

/// Why a QEMU cannot be used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum QemuError {
    /// It cannot be started.
    #[error("{} cannot be started: {kind}", program.display())]
    Absent {
        /// What was tried.
        program: PathBuf,
        /// What the system said.
        kind: io::ErrorKind,
    },
    /// It lacks something.
    #[error("{} has no {what}; a machine needs QEMU {}.{} or later", program.display(), VERSION_MIN.0, VERSION_MIN.1)]
    Lacks {
        /// Which.
        program: PathBuf,
        /// What it lacks.
        what: &'static str,
    },
    /// It is too old, or says no version.
    #[error(
        "{} says {said:?}; a machine needs QEMU {}.{} or later",
        program.display(), VERSION_MIN.0, VERSION_MIN.1
    )]
    Version {
        /// Which.
        program: PathBuf,
        /// The first line it prints, cut.
        said: String,
    },
}

/// A QEMU that can run a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Qemu {
    program: PathBuf,
    /// What stands before QEMU's own arguments.
    prefix: Vec<OsString>,
    /// Folders with its firmware, besides those it knows.
    firmware: Vec<PathBuf>,
    version: (u32, u32),
}

/// How a guest's instructions are executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accelerator {
    /// By QEMU itself; anywhere.
    Tcg,
    /// By the processor.
    Kvm,
}

/// What a machine consists of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hardware<'a> {
    pub(crate) image: &'a Unpacked,
    pub(crate) memory_mib: u32,
    pub(crate) cpus: u32,
    /// None for a machine without one.
    pub(crate) nsm: Option<&'a Path>,
    pub(crate) vsock: &'a Path,
}

impl Qemu {
    /// The QEMU at this path, or of this name in `PATH`.
    ///
    /// # Errors
    /// [`QemuError`].
    pub fn at(program: &Path) -> Result<Self, QemuError> {
        Self::probe(program.to_owned(), Vec::new(), Vec::new())
    }

    /// A QEMU in a tree of its own: started by the tree's own loader, with its own libraries.
    ///
    /// # Errors
    /// [`QemuError`].
    pub fn in_tree(root: &Path) -> Result<Self, QemuError> {
        let libraries = root.join("usr/lib/x86_64-linux-gnu");
        let prefix = vec![
            "--library-path".into(),
            libraries.clone().into_os_string(),
            root.join("usr/bin").join(PROGRAM).into_os_string(),
        ];
        let share = root.join("usr/share");
        let firmware = vec![share.join("qemu"), share.join("seabios")];
        Self::probe(libraries.join("ld-linux-x86-64.so.2"), prefix, firmware)
    }

    /// Its version.
    pub fn version(&self) -> (u32, u32) {
        self.version
    }

    /// What is executed.
    pub fn program(&self) -> &Path {
        &self.program
    }

    fn probe(
        program: PathBuf,
        prefix: Vec<OsString>,
        firmware: Vec<PathBuf>,
    ) -> Result<Self, QemuError> {
        let mut qemu = Self {
            program,
            prefix,
            firmware,
            version: (0, 0),
        };
        let said = qemu.ask(&["--version"])?;
        let first = said.lines().next().unwrap_or_default();
        qemu.version = version(first)
            .filter(|version| *version >= VERSION_MIN)
            .ok_or_else(|| QemuError::Version {
                program: qemu.program.clone(),
                said: first.chars().take(80).collect(),
            })?;
        // QEMU lists options only here, and devices not all in one list.
        let lacks = |what| QemuError::Lacks {
            program: qemu.program.clone(),
            what,
        };
        if !qemu.ask(&["--help"])?.contains("exit-with-parent") {
            return Err(lacks("option exit-with-parent"));
        }
        for (device, property) in [(NSM_DEVICE, "virtio-id="), (VSOCK_DEVICE, "chardev=")] {
            let said = qemu.ask(&["-device", &format!("{device},help")])?;
            if !said.contains(property) {
                return Err(lacks(device));
            }
        }
        Ok(qemu)
    }

    /// What QEMU prints when it is asked something that starts no machine.
    fn ask(&self, arguments: &[&str]) -> Result<String, QemuError> {
        let output: Result<Output, _> =
            self.command().args(arguments).stdin(Stdio::null()).output();
        match output {
            Ok(output) => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            Err(error) => Err(QemuError::Absent {
                program: self.program.clone(),
                kind: error.kind(),
            }),
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.prefix).env_clear();
        for folder in &self.firmware {
            command.arg("-L").arg(folder);
        }
        command
    }

    /// The command that starts a machine. QEMU makes both sockets, in the order NSM, vsock, and
    /// waits at each until it is connected to.
    pub(crate) fn machine(&self, hardware: &Hardware<'_>, accelerator: Accelerator) -> Command {
        let image = hardware.image;
        let mut command = self.command();
        let socket = |id: &str, path: &Path| {
            let mut text = OsString::from(format!("socket,id={id},server=on,path="));
            text.push(escaped(path));
            text
        };
        command
            .args(["-nodefaults", "-no-user-config", "-nographic", "-no-reboot"])
            .args(["-run-with", "exit-with-parent=on"])
            .args(["-name", "quorate-machine"])
            // Without ACPI QEMU tells the kernel on its command line where the devices are.
            .args([
                "-machine",
                "microvm,acpi=off,rtc=on,memory-backend=memory,pcie=off,usb=off",
            ])
            .arg("-object")
            .arg(format!(
                "memory-backend-memfd,id=memory,size={}M,share=on",
                hardware.memory_mib
            ))
            .arg("-m")
            .arg(format!("{}M", hardware.memory_mib))
            .arg("-smp")
            .arg(hardware.cpus.to_string())
            .args(match accelerator {
                Accelerator::Tcg => ["-accel", "tcg", "-cpu", "max"],
                Accelerator::Kvm => ["-accel", "kvm", "-cpu", "host"],
            })
            // A kernel that restarts ends the machine. It asks the keyboard controller (`reboot=k`)
            // first; without one it goes on to the firmware, which on some processors hangs and on
            // others starts the kernel again, unnoticed by QEMU.
            .args(["-device", "i8042"])
            .args(["-action", "reboot=shutdown", "-action", "panic=shutdown"])
            .args(["-chardev", "stdio,id=console,signal=off"])
            .args(["-serial", "chardev:console"])
            .arg("-kernel")
            .arg(&image.kernel)
            .arg("-initrd")
            .arg(&image.ramdisk)
            .arg("-append")
            .arg(match accelerator {
                // The kernel's own test of the timer fails on a busy host. Under KVM it leaves the
                // test out by itself.
                Accelerator::Tcg => format!("{} no_timer_check", image.command_line),
                Accelerator::Kvm => image.command_line.clone(),
            });
        if let Some(nsm) = hardware.nsm {
            command
                .arg("-chardev")
                .arg(socket("nsm", nsm))
                .arg("-device")
                .arg(format!(
                    "{NSM_DEVICE},chardev=nsm,virtio-id={NSM_ID},num_vqs=1,vq_size=128"
                ));
        }
        command
            .arg("-chardev")
            .arg(socket("vsock", hardware.vsock))
            .arg("-device")
            .arg(format!("{VSOCK_DEVICE},chardev=vsock"));
        command
    }
}

/// A path as a value of a QEMU option, where a comma is written twice.
fn escaped(path: &Path) -> OsString {
    use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
    let mut bytes = Vec::new();
    for byte in path.as_os_str().as_bytes() {
        bytes.push(*byte);
        if *byte == b',' {
            bytes.push(b',');
        }
    }
    OsString::from_vec(bytes)
}

/// Major and minor of `QEMU emulator version 11.1.3 (…)`.
fn version(line: &str) -> Option<(u32, u32)> {
    let rest = line.split("version ").nth(1)?;
    let mut numbers = rest.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}
