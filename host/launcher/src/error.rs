//! What can go wrong, whose fault it is, and what to do.
//!
//! Guarantees: every code that `linux/nitro_enclaves.h` defines has a name, a cause and a remedy of
//! its own, and every failure of this crate an explanation. Codes are stable, for scripts.

use std::path::PathBuf;
use std::time::Duration;

use nix::errno::Errno;
use quorate_eif::{EifError, Measurements};
use thiserror::Error;

/// Who has to mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// Whoever typed the command.
    You,
    /// Whoever made the image.
    Sender,
    /// The instance: what it has, what is set aside, who may use it.
    Machine,
    /// The enclave.
    Enclave,
    /// This program.
    Quorate,
}

/// How a failure is told to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// A stable name.
    pub code: &'static str,
    /// Who has to mend it.
    pub blame: Blame,
    /// What to do.
    pub remedy: &'static str,
}

/// A code of the Nitro Enclaves driver, by the numbers of `linux/nitro_enclaves.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum DriverCode {
    /// `NE_ERR_VCPU_ALREADY_USED`.
    CpuAlreadyUsed = 256,
    /// `NE_ERR_VCPU_NOT_IN_CPU_POOL`.
    CpuNotInPool = 257,
    /// `NE_ERR_VCPU_INVALID_CPU_CORE`.
    CpuCoreInvalid = 258,
    /// `NE_ERR_INVALID_MEM_REGION_SIZE`.
    RegionSize = 259,
    /// `NE_ERR_INVALID_MEM_REGION_ADDR`.
    RegionAddress = 260,
    /// `NE_ERR_UNALIGNED_MEM_REGION_ADDR`.
    RegionUnaligned = 261,
    /// `NE_ERR_MEM_REGION_ALREADY_USED`.
    RegionAlreadyUsed = 262,
    /// `NE_ERR_MEM_NOT_HUGE_PAGE`.
    NotHugePage = 263,
    /// `NE_ERR_MEM_DIFFERENT_NUMA_NODE`.
    OtherNode = 264,
    /// `NE_ERR_MEM_MAX_REGIONS`.
    TooManyRegions = 265,
    /// `NE_ERR_NO_MEM_REGIONS_ADDED`.
    NoMemory = 266,
    /// `NE_ERR_NO_VCPUS_ADDED`.
    NoCpus = 267,
    /// `NE_ERR_ENCLAVE_MEM_MIN_SIZE`.
    MemoryBelowMinimum = 268,
    /// `NE_ERR_FULL_CORES_NOT_USED`.
    HalfCore = 269,
    /// `NE_ERR_NOT_IN_INIT_STATE`.
    AlreadyStarted = 270,
    /// `NE_ERR_INVALID_VCPU`.
    CpuOutOfRange = 271,
    /// `NE_ERR_NO_CPUS_AVAIL_IN_POOL`.
    PoolEmpty = 272,
    /// `NE_ERR_INVALID_PAGE_SIZE`.
    PageSize = 273,
    /// `NE_ERR_INVALID_FLAG_VALUE`.
    Flag = 274,
    /// `NE_ERR_INVALID_ENCLAVE_CID`.
    Cid = 275,
}

impl DriverCode {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 20] = [
        Self::CpuAlreadyUsed,
        Self::CpuNotInPool,
        Self::CpuCoreInvalid,
        Self::RegionSize,
        Self::RegionAddress,
        Self::RegionUnaligned,
        Self::RegionAlreadyUsed,
        Self::NotHugePage,
        Self::OtherNode,
        Self::TooManyRegions,
        Self::NoMemory,
        Self::NoCpus,
        Self::MemoryBelowMinimum,
        Self::HalfCore,
        Self::AlreadyStarted,
        Self::CpuOutOfRange,
        Self::PoolEmpty,
        Self::PageSize,
        Self::Flag,
        Self::Cid,
    ];

    /// What it means.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::CpuAlreadyUsed => "the processor is given to this enclave already",
            Self::CpuNotInPool => "the processor is not free in the enclaves' pool",
            Self::CpuCoreInvalid => "the processor's core is outside the pool",
            Self::RegionSize => "a memory region is no multiple of 2 MiB",
            Self::RegionAddress => "a memory region has an invalid address",
            Self::RegionUnaligned => "a memory region is not aligned to 2 MiB",
            Self::RegionAlreadyUsed => "a memory region was given twice",
            Self::NotHugePage => "a memory region is not made of huge pages",
            Self::OtherNode => "memory and processors belong to different NUMA nodes",
            Self::TooManyRegions => "the memory is in more pieces than an enclave may have",
            Self::NoMemory => "no memory was given before the start",
            Self::NoCpus => "no processor was given before the start",
            Self::MemoryBelowMinimum => "an enclave needs 64 MiB of memory at least",
            Self::HalfCore => "only some threads of a core were given; cores are given whole",
            Self::AlreadyStarted => "the enclave is started already",
            Self::CpuOutOfRange => "there is no processor with this number",
            Self::PoolEmpty => "no processor is free in the enclaves' pool",
            Self::PageSize => "a page is no multiple of 2 MiB",
            Self::Flag => "a flag is not known to the driver",
            Self::Cid => "the CID is reserved",
        }
    }

    /// What it is called, whose fault it is, what to do.
    #[must_use]
    pub const fn explain(self) -> Explanation {
        let (code, blame, remedy) = match self {
            Self::CpuAlreadyUsed => (
                "cpu-already-used",
                Blame::You,
                "name each processor once in --cpu-ids",
            ),
            Self::CpuNotInPool => (
                "cpu-not-in-pool",
                Blame::You,
                "name processors of /sys/module/nitro_enclaves/parameters/ne_cpus that no other \
                 enclave has, or give a number with --cpus",
            ),
            Self::CpuCoreInvalid | Self::CpuOutOfRange => (
                "cpu-unknown",
                Blame::You,
                "name processors of /sys/module/nitro_enclaves/parameters/ne_cpus",
            ),
            Self::OtherNode => (
                "other-numa-node",
                Blame::Machine,
                "reserve the huge pages on the node of the pool's processors: write their number \
                 to /sys/devices/system/node/nodeN/hugepages/hugepages-*/nr_hugepages",
            ),
            Self::TooManyRegions => (
                "memory-in-pieces",
                Blame::Machine,
                "reserve fewer, larger pages (1 GiB), or reserve them right after the instance has \
                 booted, while its memory is in one piece",
            ),
            Self::MemoryBelowMinimum => (
                "memory-too-small",
                Blame::You,
                "give at least 64 MiB with --memory",
            ),
            Self::HalfCore => (
                "half-core",
                Blame::You,
                "where cores have two threads, give an even number of processors, both threads of \
                 each core",
            ),
            Self::PoolEmpty => (
                "cpu-pool-empty",
                Blame::Machine,
                "set processors aside in /sys/module/nitro_enclaves/parameters/ne_cpus, or end \
                 another enclave; docs/deploy-nitro.md",
            ),
            Self::Cid => (
                "cid-reserved",
                Blame::You,
                "choose a --cid from 4 to 4294967294, or none",
            ),
            Self::RegionSize
            | Self::RegionAddress
            | Self::RegionUnaligned
            | Self::RegionAlreadyUsed
            | Self::NotHugePage
            | Self::NoMemory
            | Self::NoCpus
            | Self::AlreadyStarted
            | Self::PageSize
            | Self::Flag => (
                "driver-refused",
                Blame::Quorate,
                "report this, with the kernel's version and its log",
            ),
        };
        Explanation {
            code,
            blame,
            remedy,
        }
    }
}

/// What the driver answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// One of its own codes.
    Driver(DriverCode),
    /// An ordinary error of the kernel.
    Kernel(Errno),
}

impl Refused {
    /// The answer behind an error number.
    #[must_use]
    pub fn from_raw(number: i32) -> Self {
        let code = DriverCode::ALL.into_iter().find(|c| *c as i32 == number);
        code.map_or_else(|| Self::Kernel(Errno::from_raw(number)), Self::Driver)
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Driver(code) => write!(f, "{} (NE {})", code.meaning(), *code as i32),
            Self::Kernel(errno) => write!(f, "{} ({errno:?})", errno.desc()),
        }
    }
}

/// A step of a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A slot for the enclave.
    Create,
    /// Where the image goes.
    LoadInfo,
    /// Memory given.
    Memory,
    /// A processor given.
    Cpu,
    /// The start itself.
    Start,
    /// Listening for the sign of life.
    Listen,
    /// Watching over it.
    Watch,
}

impl Step {
    const fn words(self) -> &'static str {
        match self {
            Self::Create => "create an enclave",
            Self::LoadInfo => "ask where the image goes",
            Self::Memory => "give memory to the enclave",
            Self::Cpu => "give a processor to the enclave",
            Self::Start => "start the enclave",
            Self::Listen => "listen for the enclave's sign of life",
            Self::Watch => "watch over the enclave",
        }
    }
}

/// Why an enclave could not be started, found or ended.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// The image cannot be opened.
    #[error("the image {} cannot be read: {kind}", .path.display())]
    ImageUnreadable {
        /// The image.
        path: PathBuf,
        /// What the system says.
        kind: std::io::ErrorKind,
    },
    /// The image is none.
    #[error("{} is no usable image: {rule}", .path.display())]
    ImageUnusable {
        /// The image.
        path: PathBuf,
        /// Which rule it breaks.
        rule: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// It changed between being measured and being loaded.
    #[error("the image changed while it was loaded: it measured {} and is {}", .before.pcr0, .now.pcr0)]
    ImageChanged {
        /// What was measured first.
        before: Box<Measurements>,
        /// What was loaded.
        now: Box<Measurements>,
    },
    /// It does not measure what is expected.
    #[error("PCR{index} of the image is {found}, expected is {expected}")]
    OtherImage {
        /// The register.
        index: u8,
        /// What the image measures.
        found: String,
        /// What is expected.
        expected: String,
    },
    /// Too little memory for this image.
    #[error("the enclave would have {} MiB of memory; this image of {image} bytes needs {} MiB", .given >> 20, .needed >> 20)]
    MemoryTooSmall {
        /// Bytes given.
        given: u64,
        /// Bytes needed.
        needed: u64,
        /// Bytes of the image.
        image: u64,
    },
    /// Too few huge pages are free.
    #[error("the enclave needs {} MiB of huge pages, {} MiB are free", .needed >> 20, .free >> 20)]
    HugePages {
        /// Bytes needed.
        needed: u64,
        /// Bytes free.
        free: u64,
    },
    /// A number of processors that is no number of whole cores.
    #[error("{given} processors are no whole cores of {threads} threads")]
    HalfCore {
        /// Processors asked for.
        given: u32,
        /// Threads of one core.
        threads: u32,
    },
    /// More processors than the pool has.
    #[error("the enclave would have {given} processors, the pool has {pool}")]
    PoolTooSmall {
        /// Processors asked for.
        given: u32,
        /// Processors in the pool, those of other enclaves included.
        pool: u32,
    },
    /// No driver.
    #[error("there is no {}", .path.display())]
    NoDevice {
        /// The device.
        path: PathBuf,
    },
    /// Not allowed.
    #[error("this user may not open {}", .path.display())]
    DeviceDenied {
        /// The device.
        path: PathBuf,
    },
    /// The device cannot be opened.
    #[error("{} cannot be opened: {}", .path.display(), .errno.desc())]
    Device {
        /// The device.
        path: PathBuf,
        /// What the kernel says.
        errno: Errno,
    },
    /// A step of the start was refused.
    #[error("could not {}: {refused}", .step.words())]
    Refused {
        /// Which.
        step: Step,
        /// What the kernel says.
        refused: Refused,
    },
    /// Another enclave is being started.
    #[error("another enclave is being started on this instance: vsock port 9000 is taken")]
    StartUnderWay,
    /// No sign of life.
    #[error("the enclave gave no sign of life within {} seconds", .allowed.as_secs())]
    Silent {
        /// How long was waited.
        allowed: Duration,
    },
    /// It ended by itself.
    #[error("the enclave ended by itself {}", if *.started { "" } else { "before its first sign of life" })]
    Ended {
        /// Whether it had given its sign of life.
        started: bool,
    },
    /// The name is taken.
    #[error("an enclave named {name} runs already")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// No enclave of this name runs.
    #[error("no enclave named {name} runs")]
    NotRunning {
        /// The name.
        name: String,
    },
    /// The folder of names is of no use.
    #[error("the folder {} cannot be used: {why}", .path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Whoever holds the name does not answer.
    #[error("the supervisor of {name} does not answer: {why}")]
    Supervisor {
        /// The name.
        name: String,
        /// Why.
        why: String,
    },
    /// No console.
    #[error("{name} does not run in debug mode and has no console")]
    NoConsole {
        /// The name.
        name: String,
    },
    /// The console cannot be reached.
    #[error("the console at {address} cannot be reached: {kind}")]
    Console {
        /// Where.
        address: String,
        /// What the system says.
        kind: std::io::ErrorKind,
    },
    /// What the console said could not be written.
    #[error("what the console says cannot be written: {kind}")]
    Output {
        /// What the system says.
        kind: std::io::ErrorKind,
    },
}

impl LaunchError {
    pub(crate) fn image(path: &std::path::Path, error: &EifError) -> Self {
        Self::ImageUnusable {
            path: path.into(),
            rule: error.to_string(),
            remedy: error.remedy(),
        }
    }

    pub(crate) const fn kernel(step: Step) -> impl Fn(Errno) -> Self {
        move |errno| Self::Refused {
            step,
            refused: Refused::Kernel(errno),
        }
    }

    pub(crate) const fn refused(step: Step) -> impl Fn(Refused) -> Self {
        move |refused| Self::Refused { step, refused }
    }

    /// What it is called, whose fault it is, what to do.
    #[must_use]
    pub const fn explain(&self) -> Explanation {
        let (code, blame, remedy) = match self {
            Self::ImageUnreadable { .. } => (
                "image-unreadable",
                Blame::You,
                "name an enclave image file (.eif) that this user may read",
            ),
            Self::ImageUnusable { remedy, .. } => ("image-unusable", Blame::Sender, *remedy),
            Self::ImageChanged { .. } => (
                "image-changed",
                Blame::Machine,
                "somebody writes to the image file: copy it where only its owner may, and start \
                 again",
            ),
            Self::OtherImage { .. } => (
                "other-image",
                Blame::Sender,
                "start the image that was approved, or compare with what belongs to this one",
            ),
            Self::MemoryTooSmall { .. } => (
                "memory-too-small",
                Blame::You,
                "give more with --memory, or leave it out: the least that is needed is chosen",
            ),
            Self::HugePages { .. } => (
                "no-huge-pages",
                Blame::Machine,
                "reserve huge pages on the pool's NUMA node, or end another enclave; \
                 docs/deploy-nitro.md",
            ),
            Self::HalfCore { .. } => DriverCode::HalfCore.explain_parts(),
            Self::PoolTooSmall { .. } => (
                "cpu-pool-too-small",
                Blame::Machine,
                "ask for fewer with --cpus, or set more aside in \
                 /sys/module/nitro_enclaves/parameters/ne_cpus",
            ),
            Self::NoDevice { .. } => (
                "no-device",
                Blame::Machine,
                "run this on an EC2 instance that was launched with enclaves enabled, with the \
                 nitro_enclaves module loaded; elsewhere: quorate emulate",
            ),
            Self::DeviceDenied { .. } => (
                "device-denied",
                Blame::Machine,
                "add this user to the group that owns the device, and log in again; \
                 docs/deploy-nitro.md",
            ),
            Self::Device { .. } => (
                "device-unusable",
                Blame::Machine,
                "look at the kernel's log: the driver is there and refuses to be opened",
            ),
            Self::Refused { refused, .. } => return refused.explain(),
            Self::StartUnderWay => (
                "start-under-way",
                Blame::Machine,
                "try again when it has started",
            ),
            Self::Silent { .. } => (
                "enclave-silent",
                Blame::Enclave,
                "look at its console: start it with --debug, then quorate enclave console",
            ),
            Self::Ended { .. } => (
                "enclave-ended",
                Blame::Enclave,
                "look at its console: start it with --debug, then quorate enclave console",
            ),
            Self::NameTaken { .. } => (
                "name-taken",
                Blame::You,
                "choose another --name, or end it: quorate enclave terminate NAME",
            ),
            Self::NotRunning { .. } => (
                "not-running",
                Blame::You,
                "quorate enclave describe shows which run; those of another user are in that \
                 user's --state-dir",
            ),
            Self::Folder { .. } => (
                "state-folder",
                Blame::You,
                "name a folder with --state-dir that this user owns and nobody else may enter",
            ),
            Self::Supervisor { .. } => (
                "supervisor-silent",
                Blame::Machine,
                "repeat the command; the process of `quorate enclave run` is stopped or busy",
            ),
            Self::NoConsole { .. } => (
                "no-console",
                Blame::You,
                "start it with --debug to look into it; such an enclave's registers are zero and \
                 nobody gives it a share",
            ),
            Self::Console { .. } => (
                "console-unreachable",
                Blame::Machine,
                "see whether it still runs: quorate enclave describe",
            ),
            Self::Output { .. } => ("output-closed", Blame::You, "give it an open output"),
        };
        Explanation {
            code,
            blame,
            remedy,
        }
    }
}

impl DriverCode {
    const fn explain_parts(self) -> (&'static str, Blame, &'static str) {
        let Explanation {
            code,
            blame,
            remedy,
        } = self.explain();
        (code, blame, remedy)
    }
}

impl Refused {
    const fn explain(self) -> Explanation {
        let (code, blame, remedy) = match self {
            Self::Driver(code) => code.explain_parts(),
            Self::Kernel(Errno::ENOMEM) => (
                "kernel-memory",
                Blame::Machine,
                "the kernel has no memory left: free some on the instance, or reserve fewer huge \
                 pages",
            ),
            Self::Kernel(Errno::ENOTTY) => (
                "not-the-driver",
                Blame::Machine,
                "whatever is behind the device is not the Nitro Enclaves driver: load the module \
                 nitro_enclaves",
            ),
            Self::Kernel(_) => (
                "kernel-refused",
                Blame::Machine,
                "look at the kernel's log (dmesg): the driver says there what the hypervisor \
                 answered",
            ),
        };
        Explanation {
            code,
            blame,
            remedy,
        }
    }
}
