//! Large binaries, from the operator's side into a real emulated enclave: memory of both sides stays
//! what it was, and what does not fit is refused by name.
//!
//! One test, because what it measures is the memory of this process: it is the operator's tool here.

#[path = "../common/mod.rs"]
mod common;

use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use common::{Enclave, World};
use quorate_protocol::atoms::{Bytes, Name, Sha256};
use quorate_protocol::manifest::MAX_BINARY;
use quorate_protocol::message::{MAX_CHUNK, Reason, Refusal, Request, Upload};
use quorate_quorum_ceremony::CeremonyError;
use quorate_quorum_ceremony::address::Address;
use quorate_quorum_ceremony::binary::BinaryFile;
use quorate_quorum_ceremony::client::{Client, ClientError};
use quorate_quorum_ceremony::upload::upload;

/// Both sides may grow by this much while half a gibibyte goes through them.
const GROWTH: u64 = 24 << 20;
const MIB: u64 = 1 << 20;

/// The largest resident size of a process, in bytes, since it was last reset.
fn peak(process: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kibibytes: u64 = line
        .trim()
        .strip_suffix("kB")
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    kibibytes * 1024
}

/// Whether enclaves are machines here.
fn machines() -> bool {
    std::env::var_os("QUORATE_ENCLAVES").is_some()
}

/// Forgets how large the process has been, and says how large it is. A process that lets nobody look
/// into its memory is measured from its start, where this user may not reset it.
fn reset_peak(process: &str) -> u64 {
    match std::fs::write(format!("/proc/{process}/clear_refs"), "5") {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {}
        reset => reset.unwrap(),
    }
    peak(process)
}

/// A file of zeros with this mark at its end. Zeros take no room on disk.
fn file(folder: &Path, size: u64, mark: u8) -> PathBuf {
    let path = folder.join(format!("binary-{size}-{mark}"));
    let mut file = File::create(&path).unwrap();
    file.seek(SeekFrom::Start(size - 1)).unwrap();
    file.write_all(&[mark]).unwrap();
    path
}

fn send(enclave: &Enclave, binary: &mut BinaryFile) -> Result<u64, CeremonyError> {
    let name = Name::new("large").unwrap();
    let socket = Address::Unix(enclave.started.operator.clone());
    let mut client = Client::connect(&socket).unwrap();
    upload(&socket, &mut client, &name, binary, &mut |_| {})
}

fn refusal(outcome: Result<u64, CeremonyError>) -> Refusal {
    match outcome {
        Err(CeremonyError::Client(ClientError::Refused(refusal))) => *refusal,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn half_a_gibibyte_goes_through_with_constant_memory_and_more_fails_closed() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::new(2, 2);
    let enclave = world.start_with(Some(2 << 30));
    let init = enclave.started.pid.to_string();

    // A small one first, so that what is made once does not count.
    let mut small = BinaryFile::open(&file(folder.path(), 3 * MIB, 1)).unwrap();
    assert_eq!(send(&enclave, &mut small), Ok(3 * MIB));
    let before = (reset_peak("self"), reset_peak(&init));

    let path = file(folder.path(), MAX_BINARY, 2);
    let mut large = BinaryFile::open(&path).unwrap();
    // Interrupted after some pieces: the connection is gone, the rest is sent over another.
    let mut client = Client::connect(&enclave.started.operator).unwrap();
    let zeros = vec![0; MAX_CHUNK];
    for piece in 0..5 {
        let offset = piece * MAX_CHUNK as u64;
        let taken = client.upload_piece(large.sha256(), MAX_BINARY, offset, &zeros);
        assert_eq!(taken.unwrap().received, offset + MAX_CHUNK as u64);
    }
    drop(client);
    let since = std::time::Instant::now();
    let sent = MAX_BINARY - 5 * MAX_CHUNK as u64;
    assert_eq!(send(&enclave, &mut large), Ok(sent));
    let rate = sent as f64 / (1 << 20) as f64 / since.elapsed().as_secs_f64();
    println!("{rate:.0} MiB/s from file to sealed binary");
    assert_eq!(send(&enclave, &mut large), Ok(0), "all of it is there");

    let after = (peak("self"), peak(&init));
    println!("peaks before and after, tool and init: {before:?} {after:?}");
    assert!(
        after.0 < before.0 + GROWTH,
        "the tool grew: {before:?} {after:?}"
    );
    // The process of a machine is all of its memory.
    if !machines() {
        assert!(after.1 < before.1 + GROWTH, "init: {before:?} {after:?}");
    }

    // One byte more than any binary may have.
    let too_long = Request::Upload(Upload {
        sha256: Sha256([1; 32]),
        size: MAX_BINARY + 1,
        offset: 0,
        data: Bytes::new(vec![0; 10]).unwrap(),
    });
    assert_eq!(enclave.refused(&too_long).reason, Reason::UploadTooLarge);

    // The last byte is another than that which was hashed.
    let path = file(folder.path(), 3 * MIB, 3);
    let mut altered = BinaryFile::open(&path).unwrap();
    let mut written = File::options().write(true).open(&path).unwrap();
    written.seek(SeekFrom::End(-1)).unwrap();
    written.write_all(&[4]).unwrap();
    let refused = refusal(send(&enclave, &mut altered));
    assert_eq!(refused.reason, Reason::UploadHashMismatch);
    // Nothing of it is kept, and the right one is taken.
    let mut whole = BinaryFile::open(&path).unwrap();
    assert_eq!(send(&enclave, &mut whole), Ok(3 * MIB));

    // A machine with too little memory says so, before the first byte is kept.
    let enclave = world.start_with(Some(256 * MIB));
    let refused = refusal(send(&enclave, &mut large));
    assert_eq!(refused.reason, Reason::UploadMemory);
    let detail = "512 MiB more are needed, 256 MiB can be had, of which 32 MiB are kept back";
    // A machine has less of its memory than it was given.
    assert!(machines() || refused.detail.as_str() == detail);
    assert!(refused.to_string().contains("--memory"));
    assert_eq!(send(&enclave, &mut small), Ok(3 * MIB));
}
