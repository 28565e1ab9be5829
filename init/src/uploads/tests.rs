//! Binaries of all kinds, in order and not.

use quorate_protocol::atoms::Bytes;

use super::*;

/// Takes a piece now, on a machine with plenty of memory.
fn take(uploads: &mut Uploads, piece: &Upload) -> Result<Uploaded, Refused> {
    uploads.take(piece, Instant::now(), |_| Some(1 << 40))
}

fn piece(binary: &[u8], offset: usize, length: usize) -> Upload {
    Upload {
        sha256: Sha256::of(binary),
        size: binary.len() as u64,
        offset: offset as u64,
        data: Bytes::new(binary[offset..offset + length].to_vec()).unwrap(),
    }
}

#[test]
fn pieces_in_order_make_a_sealed_binary() {
    let binary: Vec<u8> = (0..=255).cycle().take(1000).collect();
    let mut uploads = Uploads::default();
    let first = take(&mut uploads, &piece(&binary, 0, 600)).unwrap();
    assert_eq!(
        first,
        Uploaded {
            received: 600,
            complete: false
        }
    );
    assert!(uploads.complete(&Sha256::of(&binary), 1000).is_none());
    let asked = take(&mut uploads, &piece(&binary, 0, 0)).unwrap();
    assert_eq!(asked.received, 600);
    let last = take(&mut uploads, &piece(&binary, 600, 400)).unwrap();
    assert_eq!(
        last,
        Uploaded {
            received: 1000,
            complete: true
        }
    );
    let complete = uploads.remove(&Sha256::of(&binary), 1000).unwrap();
    let mut file = complete.file;
    assert!(file.write_all(b"x").is_err(), "the seal holds");
}

#[test]
fn piece_out_of_order_fails_closed() {
    let binary = vec![7; 100];
    let mut uploads = Uploads::default();
    assert_eq!(
        take(&mut uploads, &piece(&binary, 10, 10)),
        Err(Refused::OutOfOrder)
    );
    take(&mut uploads, &piece(&binary, 0, 10)).unwrap();
    assert_eq!(
        take(&mut uploads, &piece(&binary, 0, 10)),
        Err(Refused::OutOfOrder)
    );
    assert_eq!(
        take(&mut uploads, &piece(&binary, 20, 10)),
        Err(Refused::OutOfOrder)
    );
    let rest = take(&mut uploads, &piece(&binary, 10, 90)).unwrap();
    assert!(rest.complete, "refused pieces changed nothing");
}

#[test]
fn wrong_size_announced_by_another_takes_nobodys_place() {
    let binary = vec![7; 100];
    let mut uploads = Uploads::default();
    let mut wrong = piece(&binary, 0, 10);
    wrong.size = 5000;
    take(&mut uploads, &wrong).unwrap();
    assert_eq!(
        take(&mut uploads, &piece(&binary, 0, 0)).unwrap().received,
        0
    );
    assert!(
        take(&mut uploads, &piece(&binary, 0, 100))
            .unwrap()
            .complete
    );
    assert!(uploads.complete(&Sha256::of(&binary), 100).is_some());
}

#[test]
fn refused_piece_keeps_no_junk_alive() {
    let (junk, good) = (vec![1; 100], vec![2; 100]);
    let mut uploads = Uploads::default();
    assert_eq!(
        take(
            &mut uploads,
            &Upload {
                size: 10,
                ..piece(&junk, 0, 50)
            }
        ),
        Err(Refused::OutOfOrder)
    );
    assert!(uploads.entries.is_empty());
    take(&mut uploads, &piece(&junk, 0, 10)).unwrap();
    take(&mut uploads, &piece(&good, 0, 10)).unwrap();
    take(&mut uploads, &piece(&junk, 50, 10)).unwrap_err();
    for n in 0..14_u8 {
        take(&mut uploads, &piece(&[n; 10], 0, 5)).unwrap();
    }
    take(&mut uploads, &piece(&[99; 10], 0, 5)).unwrap();
    assert_eq!(take(&mut uploads, &piece(&junk, 0, 0)).unwrap().received, 0);
    assert_eq!(
        take(&mut uploads, &piece(&good, 0, 0)).unwrap().received,
        10
    );
}

#[test]
fn another_hash_fails_closed() {
    let mut uploads = Uploads::default();
    let mut wrong = piece(&[1; 64], 0, 64);
    wrong.sha256 = Sha256([9; 32]);
    assert_eq!(take(&mut uploads, &wrong), Err(Refused::HashMismatch));
    assert!(uploads.complete(&Sha256([9; 32]), 64).is_none());
}

#[test]
fn too_large_fails_closed() {
    let mut uploads = Uploads::default();
    let mut huge = piece(&[1; 64], 0, 64);
    huge.size = MAX_BINARY + 1;
    assert_eq!(take(&mut uploads, &huge), Err(Refused::TooLarge));
}

#[test]
fn junk_gives_way_to_a_new_binary() {
    let mut uploads = Uploads::default();
    for n in 0..100_u8 {
        let mut junk = piece(&[1; 64], 0, 10);
        junk.sha256 = Sha256([n; 32]);
        take(&mut uploads, &junk).unwrap();
    }
    assert_eq!(uploads.entries.len(), MAX_BINARIES);
    let good = vec![3; 500];
    assert!(take(&mut uploads, &piece(&good, 0, 500)).unwrap().complete);
}

/// Announces a binary of this size and sends its first bytes.
fn announce(
    uploads: &mut Uploads,
    name: u8,
    size: u64,
    now: Instant,
    memory: u64,
) -> Result<Uploaded, Refused> {
    let first = Upload {
        sha256: Sha256([name; 32]),
        size,
        offset: 0,
        data: Bytes::new(vec![name; 1000]).unwrap(),
    };
    uploads.take(&first, now, |held| Some(memory - held))
}

#[test]
fn a_binary_that_the_machine_has_no_memory_for_fails_closed() {
    let (mut uploads, now) = (Uploads::default(), Instant::now());
    let refused = announce(&mut uploads, 1, 100 * MIB, now, 100 * MIB + RESERVE - 1);
    let (needed, available) = (100 * MIB, 100 * MIB + RESERVE - 1);
    assert_eq!(refused, Err(Refused::Memory { needed, available }));
    assert_eq!(
        refused.unwrap_err().to_string(),
        "100 MiB more are needed, 131 MiB can be had, of which 32 MiB are kept back"
    );
    assert!(uploads.entries.is_empty(), "nothing was kept");
    announce(&mut uploads, 1, 100 * MIB, now, 100 * MIB + RESERVE).unwrap();
    // Where it is not known how much there is, there is none.
    let unknown = Uploads::default().take(&piece(&[1; 64], 0, 64), now, |_| None);
    let (needed, available) = (64, 0);
    assert_eq!(unknown, Err(Refused::Memory { needed, available }));
}

/// What has been announced counts, not only what has arrived.
#[test]
fn binaries_that_are_arriving_together_without_memory_fails_closed() {
    let (mut uploads, now) = (Uploads::default(), Instant::now());
    let memory = 150 * MIB + RESERVE;
    announce(&mut uploads, 1, 100 * MIB, now, memory).unwrap();
    let refused = announce(&mut uploads, 2, 51 * MIB, now, memory);
    let (needed, available) = (151 * MIB - 1000, memory - 1000);
    assert_eq!(refused, Err(Refused::Memory { needed, available }));
    announce(&mut uploads, 2, 50 * MIB, now, memory).unwrap();
    assert_eq!(uploads.entries.len(), 2, "nobody had to go");
}

#[test]
fn one_that_nobody_touched_for_long_gives_way_where_memory_is_short() {
    let (mut uploads, start) = (Uploads::default(), Instant::now());
    let memory = 100 * MIB + RESERVE;
    announce(&mut uploads, 1, 60 * MIB, start, memory).unwrap();
    announce(&mut uploads, 2, 20 * MIB, start, memory).unwrap();
    let almost = start + STALE - Duration::from_millis(1);
    let refused = announce(&mut uploads, 3, 60 * MIB, almost, memory);
    assert!(
        matches!(refused, Err(Refused::Memory { .. })),
        "{refused:?}"
    );
    let later = start + STALE;
    // If even that is not enough, nobody goes.
    let refused = announce(&mut uploads, 3, 101 * MIB, later, memory);
    assert!(
        matches!(refused, Err(Refused::Memory { .. })),
        "{refused:?}"
    );
    assert_eq!(uploads.entries.len(), 2);
    announce(&mut uploads, 3, 60 * MIB, later, memory).unwrap();
    let left: Vec<u8> = uploads.entries.keys().map(|(hash, _)| hash.0[0]).collect();
    assert_eq!(left, [2, 3]);
}

#[test]
fn all_binaries_together_stay_below_the_bound() {
    let (mut uploads, now) = (Uploads::default(), Instant::now());
    for name in 1..=5 {
        announce(&mut uploads, name, MAX_BINARY, now, 1 << 40).unwrap();
        let total: u64 = uploads.entries.keys().map(|(_, size)| size).sum();
        assert!(total <= MAX_TOTAL);
    }
    let left: Vec<u8> = uploads.entries.keys().map(|(hash, _)| hash.0[0]).collect();
    assert_eq!(left, [4, 5]);
}
