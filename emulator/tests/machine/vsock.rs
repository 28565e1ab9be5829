//! The vsock between a real guest and sockets of the parent.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;
use std::time::{Duration, Instant};

use quorate_emulator::machine::vsock::ports::parent_socket;

use crate::guest::{Bench, PATIENCE, name, patient};

/// Bytes that are not the same anywhere.
fn bytes(len: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum: u64, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

fn echo(stream: &mut UnixStream, sent: &[u8]) {
    let mut writer = stream.try_clone().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || writer.write_all(sent).unwrap());
        let mut back = vec![0; sent.len()];
        stream.read_exact(&mut back).unwrap();
        assert!(back == sent, "{} bytes came back changed", sent.len());
    });
}

#[test]
fn any_number_of_bytes_comes_back_unchanged() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let guest = bench.start_test("one", &[]);
    for len in [
        1,
        63,
        64,
        3700,
        4096,
        16 * 1024,
        65_536,
        65_537,
        300_000,
        4 << 20,
    ] {
        echo(&mut guest.connect(7000), &bytes(len));
    }
    // By the socket whose first line names the port; and a port nobody listens on.
    let (mut stream, line) = guest.greet(7000);
    assert!(line.starts_with("OK "), "{line}");
    echo(&mut stream, b"greeted");
    assert_eq!(guest.greet(9).1, "");
    // A socket made while the machine runs.
    let path = bench.hypervisor.open_port(&name("one"), 7010).unwrap();
    let mut refused = patient(UnixStream::connect(path).unwrap());
    assert_eq!(refused.read(&mut [0]).unwrap(), 0);
}

#[test]
fn large_transfers_arrive_whole_in_both_directions() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let guest = bench.start_test("one", &[]);
    let sent = bytes(32 << 20);
    let mut stream = guest.connect(7001);
    let since = Instant::now();
    stream.write_all(&sent).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut told = Vec::new();
    stream.read_to_end(&mut told).unwrap();
    let up = since.elapsed();
    let mut expected = (sent.len() as u64).to_be_bytes().to_vec();
    expected.extend(sum(&sent).to_be_bytes());
    assert_eq!(told, expected);

    let since = Instant::now();
    let mut stream = guest.connect(7002);
    stream
        .write_all(&(sent.len() as u64).to_be_bytes())
        .unwrap();
    let mut came = Vec::new();
    stream.read_to_end(&mut came).unwrap();
    println!("32 MiB up in {up:?}, down in {:?}", since.elapsed());
    assert!(came == sent, "{} of {} bytes", came.len(), sent.len());

    // A reader that stops for a while loses nothing.
    let mut stream = guest.connect(7002);
    stream.write_all(&(8_u64 << 20).to_be_bytes()).unwrap();
    thread::sleep(Duration::from_secs(2));
    let mut came = Vec::new();
    stream.read_to_end(&mut came).unwrap();
    assert!(came == sent[..8 << 20], "{} bytes", came.len());
}

#[test]
fn three_hundred_connections_are_served_at_once() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let guest = bench.start_test("one", &[]);
    let mut streams: Vec<_> = (0..300).map(|_| guest.connect(7000)).collect();
    for round in 0..2_u8 {
        for (number, stream) in streams.iter_mut().enumerate() {
            stream
                .write_all(&[round, number as u8, (number >> 8) as u8])
                .unwrap();
        }
        for (number, stream) in streams.iter_mut().enumerate() {
            let mut back = [0; 3];
            stream.read_exact(&mut back).unwrap();
            assert_eq!(back, [round, number as u8, (number >> 8) as u8]);
        }
    }
    drop(streams);
    echo(&mut guest.connect(7000), &bytes(100_000));
}

#[test]
fn a_guest_reaches_the_parent() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let guest = bench.start_test("one", &[]);
    let listener = UnixListener::bind(guest.folder.join(parent_socket(1234))).unwrap();
    let serve = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut stream = patient(stream);
        let mut question = Vec::new();
        // The guest's end of sending is seen, and the answer still gets through.
        stream.read_to_end(&mut question).unwrap();
        assert!(question == bytes(200_000));
        stream.write_all(&bytes(300_000)).unwrap();
    });
    let mut stream = guest.connect(7003);
    stream.write_all(&1234_u32.to_be_bytes()).unwrap();
    stream.write_all(&bytes(200_000)).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(answer == bytes(300_000), "{} bytes", answer.len());
    serve.join().unwrap();
    // Where nobody listens it is refused.
    let mut stream = guest.connect(7003);
    stream.write_all(&1235_u32.to_be_bytes()).unwrap();
    let mut nothing = Vec::new();
    let _ = stream.read_to_end(&mut nothing);
    assert_eq!(nothing, b"");
}

/// Times of echoes of each size, in turn, so that a busy computer is as busy for each.
fn times(stream: &mut UnixStream, sizes: &[usize], rounds: usize) -> Vec<Vec<Duration>> {
    let mut times = vec![Vec::new(); sizes.len()];
    for _ in 0..rounds {
        for (times, len) in times.iter_mut().zip(sizes) {
            let sent = bytes(*len);
            let mut back = vec![0; *len];
            let since = Instant::now();
            stream.write_all(&sent).unwrap();
            stream.read_exact(&mut back).unwrap();
            times.push(since.elapsed());
        }
    }
    for times in &mut times {
        times.sort();
    }
    times
}

#[test]
fn there_is_no_cliff_at_any_size() {
    const SIZES: [usize; 6] = [64, 1024, 4096, 16 * 1024, 64 * 1024, 256 * 1024];
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let guest = bench.start_test("one", &[]);
    let (mut near, mut far) = UnixStream::pair().unwrap();
    let plain = thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(len @ 1..) = far.read(&mut buffer) {
            far.write_all(&buffer[..len]).unwrap();
        }
    });
    let sockets = times(&mut near, &SIZES[..5], 300);
    drop(near);
    plain.join().unwrap();
    let mut stream = guest.connect(7000);
    times(&mut stream, &SIZES, 20);
    let vsock = times(&mut stream, &SIZES, 200);
    let median = |times: &[Duration]| times[times.len() / 2];
    for (number, (len, times)) in SIZES.iter().zip(&vsock).enumerate() {
        let ratio = |of: Duration, to: Duration| of.as_secs_f64() / to.as_secs_f64();
        println!(
            "echo of {len} bytes: median {:?} ({:.2} times that of 64), least {:?} ({:.2}); \
             plain Unix socket {:?}",
            median(times),
            ratio(median(times), median(&vsock[0])),
            times[0],
            ratio(times[0], vsock[0][0]),
            sockets.get(number).map(|times| median(times)),
        );
        // A cliff is a step: four times the bytes may never cost more than eight times the time.
        if let Some(before) = number.checked_sub(1).map(|before| &vsock[before]) {
            assert!(
                ratio(median(times), median(before)) < 8.0,
                "a cliff at {len} bytes"
            );
        }
    }
}

#[test]
fn a_slow_vsock_is_slow() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let guest = bench.start_test("one", &["vsock-delay=100"]);
    let since = Instant::now();
    echo(&mut guest.connect(7000), b"slow");
    // Request, response, there and back.
    assert!(since.elapsed() >= Duration::from_millis(400));
}

#[test]
fn a_vsock_that_resets_ends_connections() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let guest = bench.start_test("one", &["vsock-reset=40"]);
    let ended = (0..100).any(|_| {
        let mut stream = guest.connect(7000);
        let sent = stream.write_all(b"x");
        sent.is_err() || !matches!(stream.read(&mut [0]), Ok(1))
    });
    assert!(ended);
}

#[test]
fn a_vsock_that_goes_silent_answers_no_more() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let guest = bench.start_test("one", &["vsock-silence=40"]);
    let silent = (0..100).any(|_| {
        let mut stream = guest.connect(7000);
        stream
            .set_read_timeout(Some(Duration::from_secs(2)))
            .unwrap();
        let _ = stream.write_all(b"x");
        let answer = stream.read(&mut [0]);
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        answer.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    });
    assert!(silent);
}
