//! From an image to a started enclave, on a double of the driver.
#![allow(missing_docs)]

mod model;

use std::fs;
use std::path::{Path, PathBuf};

use model::{Driver, Instance};
use nix::errno::Errno;
use quorate_eif::{Architecture, Eif, Parts, PcrValue};
use quorate_launcher::device::{Cid, Device as _, Mode, Vm as _};
use quorate_launcher::error::{Blame, DriverCode, LaunchError, Refused, Step};
use quorate_launcher::image::{Expected, Image};
use quorate_launcher::launch::{Started, Wish, start};
use quorate_launcher::machine::{Cpus, Machine};

struct Place {
    folder: tempfile::TempDir,
    driver: Driver,
    machine: Machine,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let pages = folder.path().join("kernel/mm/hugepages/hugepages-2048kB");
        fs::create_dir_all(&pages).expect("a folder");
        fs::write(pages.join("free_hugepages"), "64\n").expect("a file");
        let driver = Driver::new(Instance::new(folder.path().join("heartbeat")));
        let machine = Machine::at(folder.path());
        Self {
            folder,
            driver,
            machine,
        }
    }

    fn image(&self, kernel: usize) -> PathBuf {
        let path = self.folder.path().join("image.eif");
        fs::write(&path, eif(kernel)).expect("written");
        path
    }

    fn start(&self, wish: &Wish) -> Result<Started<model::Slot, model::Listener>, LaunchError> {
        let mut image = open(&self.image(3 << 20));
        start(&mut self.driver.clone(), &self.machine, &mut image, wish)
    }

    /// Everything is free again.
    fn assert_free(&self) {
        let free = self.driver.with(|i| (i.pages, i.pool.len()));
        assert_eq!(free, (64, 4));
    }
}

fn eif(kernel: usize) -> Vec<u8> {
    let kernel: Vec<u8> = (0..kernel).map(|at| (at % 251) as u8).collect();
    let parts = Parts {
        architecture: Architecture::X86_64,
        kernel: &kernel,
        command_line: "console=ttyS0",
        ramdisks: &[b"first ramdisk", b"second ramdisk"],
        metadata: b"{}",
    };
    Eif::assemble(&parts).expect("an image").to_bytes()
}

fn open(path: &Path) -> Image {
    Image::open(path, |_, _| {}).expect("an image")
}

fn wish() -> Wish {
    Wish {
        mode: Mode::Production,
        cid: None,
        memory: None,
        cpus: Cpus::Count(2),
    }
}

#[test]
fn what_is_started_is_what_was_measured() {
    let place = Place::new();
    let image = open(&place.image(3 << 20));
    let expected = *image.measurements();
    let started = place.start(&wish()).expect("started");
    assert_eq!(place.driver.with(|i| i.measured), Some(expected));
    assert_eq!(started.cid, Cid::new(16).expect("free"));
    assert_eq!(started.memory, 64 << 20);
    assert_eq!(started.cpus, [4, 5]);
    assert_eq!(place.driver.with(|i| (i.pages, i.pool.len())), (32, 2));
    // A second one beside it would listen at the same place, so it waits for the first.
    assert_eq!(place.start(&wish()).err(), Some(LaunchError::StartUnderWay));
    drop(started);
    place.assert_free();
    let named = Wish {
        mode: Mode::Debug,
        cid: Some(Cid::new(77).expect("free")),
        memory: Some(70 << 20),
        cpus: Cpus::These(vec![7, 6]),
    };
    let started = place.start(&named).expect("started");
    assert_eq!(started.cid.number(), 77);
    assert_eq!((started.memory, started.cpus), (70 << 20, vec![7, 6]));
}

#[test]
fn memory_below_four_times_the_image_fails_closed() {
    let place = Place::new();
    let image = open(&place.image(30 << 20));
    let needed = (image.size() * 4).div_ceil(2 << 20) * (2 << 20);
    let short = Wish {
        memory: Some(needed - 1),
        ..wish()
    };
    let error = LaunchError::MemoryTooSmall {
        given: needed - 1,
        needed,
        image: image.size(),
    };
    assert_eq!(short.memory_for(&image), Err(error));
    let small = open(&place.image(1 << 20));
    assert_eq!(wish().memory_for(&small), Ok(64 << 20));
    assert_eq!(place.driver.with(|i| i.requests), 0);
}

#[test]
fn another_image_than_expected_fails_closed() {
    let place = Place::new();
    let image = open(&place.image(1 << 20));
    let found = *image.measurements();
    let good = Expected {
        pcr0: found.pcr0,
        pcr1: found.pcr1,
        pcr2: found.pcr2,
        pcr8: None,
    };
    assert_eq!(image.expect(&good), Ok(()));
    let other = PcrValue::from_bytes([7; 48]);
    let cases = [
        (
            0,
            found.pcr0.to_string(),
            Expected {
                pcr0: other,
                ..good
            },
        ),
        (
            1,
            found.pcr1.to_string(),
            Expected {
                pcr1: other,
                ..good
            },
        ),
        (
            2,
            found.pcr2.to_string(),
            Expected {
                pcr2: other,
                ..good
            },
        ),
        (
            8,
            "0".repeat(96),
            Expected {
                pcr8: Some(other),
                ..good
            },
        ),
    ];
    for (index, found, expected) in cases {
        let error = LaunchError::OtherImage {
            index,
            found,
            expected: other.to_string(),
        };
        assert_eq!(image.expect(&expected), Err(error));
    }
}

#[test]
fn an_image_that_changes_while_it_is_loaded_fails_closed() {
    let place = Place::new();
    let path = place.image(1 << 20);
    let mut image = open(&path);
    let before = Box::new(*image.measurements());
    let mut pages: Vec<_> = (0..8)
        .map(|_| place.driver.clone().page(2 << 20).expect("free"))
        .collect();
    // The same length, other content, written over the open file.
    let changed = {
        let mut parts = eif(1 << 20);
        let at = 600;
        parts[at] ^= 1;
        let covered = parts.len();
        let crc = crc(&parts, covered);
        parts[544..548].copy_from_slice(&crc.to_be_bytes());
        parts
    };
    fs::write(&path, &changed).expect("written");
    let now = Box::new(*open(&path).measurements());
    let error = image.load(&mut pages, 8 << 20);
    assert_eq!(error, Err(LaunchError::ImageChanged { before, now }));
    // Longer, shorter, damaged: no image any more.
    for bytes in [[&changed[..], b"x"].concat(), changed[..5000].to_vec(), {
        let mut bytes = changed.clone();
        bytes[700] ^= 1;
        bytes
    }] {
        fs::write(&path, &bytes).expect("written");
        let error = image.load(&mut pages, 8 << 20);
        assert!(
            matches!(error, Err(LaunchError::ImageUnusable { .. })),
            "{error:?}"
        );
    }
    fs::write(&path, eif(1 << 20)).expect("written");
    assert_eq!(image.load(&mut pages, 8 << 20), Ok(()));
    // Where it lies is where the driver said, over the borders of pages too.
    let memory = contents(&pages);
    assert_eq!(&memory[8 << 20..][..eif(1 << 20).len()], &eif(1 << 20)[..]);
    assert!(memory[..8 << 20].iter().all(|byte| *byte == 0));
    let odd = (2 << 20) - 5;
    assert_eq!(image.load(&mut pages, odd), Ok(()));
    let memory = contents(&pages);
    let from = usize::try_from(odd).expect("small");
    assert_eq!(&memory[from..][..eif(1 << 20).len()], &eif(1 << 20)[..]);
    let error = image.load(&mut pages[..4], 8 << 20);
    let given = 8 << 20;
    let size = eif(1 << 20).len() as u64;
    let error_expected = LaunchError::MemoryTooSmall {
        given,
        needed: (8 << 20) + size,
        image: size,
    };
    assert_eq!(error, Err(error_expected));
}

fn contents(pages: &[model::Page]) -> Vec<u8> {
    let pages: Vec<&[u8]> = pages.iter().map(|page| &page.bytes[..]).collect();
    pages.concat()
}

/// The checksum of an image: CRC-32 over everything but the field itself.
fn crc(bytes: &[u8], end: usize) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes[..544].iter().chain(&bytes[548..end]) {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (0_u32.wrapping_sub(crc & 1)));
        }
    }
    !crc
}

#[test]
fn what_the_driver_refuses_fails_closed() {
    let refused = |step, code| {
        let refused = Refused::Driver(code);
        LaunchError::Refused { step, refused }
    };
    type Change = fn(&mut Instance);
    let these = |cpus: &[u32]| Wish {
        cpus: Cpus::These(cpus.to_vec()),
        ..wish()
    };
    let cases: [(Change, Wish, LaunchError); 9] = [
        (
            |i| i.pool.clear(),
            wish(),
            refused(Step::Create, DriverCode::PoolEmpty),
        ),
        (
            |i| i.same_node = false,
            wish(),
            refused(Step::Memory, DriverCode::OtherNode),
        ),
        (
            |i| i.max_regions = 31,
            wish(),
            refused(Step::Memory, DriverCode::TooManyRegions),
        ),
        (
            |_| {},
            these(&[4, 4]),
            refused(Step::Cpu, DriverCode::CpuAlreadyUsed),
        ),
        (
            |_| {},
            these(&[2, 3]),
            refused(Step::Cpu, DriverCode::CpuNotInPool),
        ),
        (
            |_| {},
            these(&[4, 99]),
            refused(Step::Cpu, DriverCode::CpuOutOfRange),
        ),
        (
            |_| {},
            these(&[4, 6]),
            refused(Step::Start, DriverCode::HalfCore),
        ),
        (
            |_| {},
            Wish {
                cpus: Cpus::Count(6),
                ..wish()
            },
            refused(Step::Cpu, DriverCode::PoolEmpty),
        ),
        (
            |_| {},
            Wish {
                cpus: Cpus::Count(0),
                ..wish()
            },
            refused(Step::Start, DriverCode::NoCpus),
        ),
    ];
    for (change, wish, expected) in cases {
        let place = Place::new();
        let before = place.driver.with(|i| i.clone());
        place.driver.with(change);
        assert_eq!(place.start(&wish).err(), Some(expected));
        // Nothing is left of it, and a good one starts.
        place.driver.with(|i| {
            (i.pool, i.same_node, i.max_regions) =
                (before.pool, before.same_node, before.max_regions);
        });
        place.assert_free();
        place.start(&self::wish()).expect("started");
    }
}

#[test]
fn huge_pages_that_somebody_else_took_fails_closed() {
    let place = Place::new();
    place.driver.with(|i| i.pages = 10);
    let error = LaunchError::HugePages {
        needed: 64 << 20,
        free: 20 << 20,
    };
    assert_eq!(place.start(&wish()).err(), Some(error));
    assert_eq!(place.driver.with(|i| i.pages), 10);
    // The kernel itself says that there are too few.
    let pages = "kernel/mm/hugepages/hugepages-2048kB/free_hugepages";
    fs::write(place.folder.path().join(pages), "31\n").expect("written");
    let error = LaunchError::HugePages {
        needed: 64 << 20,
        free: 62 << 20,
    };
    assert_eq!(place.start(&wish()).err(), Some(error));
}

#[test]
fn a_second_start_of_one_enclave_fails_closed() {
    let mut place = Place::new();
    let mut started = place.start(&wish()).expect("started");
    let refused = Refused::Driver(DriverCode::AlreadyStarted);
    assert_eq!(started.vm.start(Mode::Debug, None), Err(refused));
    assert_eq!(started.vm.add_cpu(None), Err(refused));
    assert_eq!(started.vm.image_offset(), Err(refused));
    let page = place.driver.page(2 << 20).expect("free");
    assert_eq!(started.vm.give(page), Err(refused));
}

#[test]
fn files_that_are_no_image_fail_closed() {
    let place = Place::new();
    let missing = place.folder.path().join("nowhere");
    let error = Image::open(&missing, |_, _| {}).err();
    let kind = std::io::ErrorKind::NotFound;
    let path = missing;
    assert_eq!(error, Some(LaunchError::ImageUnreadable { path, kind }));
    let text = place.folder.path().join("text");
    fs::write(&text, b"not an image at all").expect("written");
    let error = Image::open(&text, |_, _| {}).err();
    assert!(
        matches!(error, Some(LaunchError::ImageUnusable { .. })),
        "{error:?}"
    );
    let error = Image::open(place.folder.path(), |_, _| {}).err();
    assert!(
        matches!(error, Some(LaunchError::ImageUnreadable { .. })),
        "{error:?}"
    );
}

#[test]
fn every_code_of_the_driver_has_a_cause_and_a_remedy_of_its_own() {
    let mut meanings = std::collections::BTreeSet::new();
    for (number, code) in (256..).zip(DriverCode::ALL) {
        assert_eq!(code as i32, number);
        assert_eq!(Refused::from_raw(number), Refused::Driver(code));
        assert!(meanings.insert(code.meaning()));
        let explanation = code.explain();
        assert!(!explanation.code.is_empty() && explanation.remedy.len() > 10);
        let shown = Refused::Driver(code).to_string();
        assert!(shown.contains(&number.to_string()));
    }
    for (number, errno) in [
        (0, Errno::UnknownErrno),
        (12, Errno::ENOMEM),
        (255, Errno::from_raw(255)),
        (276, Errno::from_raw(276)),
    ] {
        assert_eq!(Refused::from_raw(number), Refused::Kernel(errno));
    }
    let busy = LaunchError::Refused {
        step: Step::Create,
        refused: Refused::Driver(DriverCode::PoolEmpty),
    };
    assert_eq!(busy.explain().blame, Blame::Machine);
    assert_eq!(
        busy.to_string(),
        "could not create an enclave: no processor is free in the enclaves' pool (NE 272)"
    );
}
