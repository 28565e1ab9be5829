//! Fetching from mirrors that lie, break off, forget and repeat: a real HTTP server on loopback.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use quorate_builder::digest::Sha256;
use quorate_builder::fetch::{Fetched, fetch};
use quorate_builder::lock::Package;
use quorate_builder::mirror::Mirror;
use quorate_builder::progress::Silent;
use quorate_builder::store::Store;
use quorate_builder::{Blame, Error, Refusal};

const GOOD: &[u8] = b"a good package, long enough to be broken off in the middle of its bytes";

/// What the server does with one path.
#[derive(Clone, Copy)]
enum Manner {
    /// Serves it, ranges included.
    Whole,
    /// Breaks off after so many bytes of each answer, though it announced all.
    BreaksOff(usize),
    /// Serves it from the beginning whatever was asked.
    NoRanges,
    /// Sends this status.
    Status(u16),
    /// Sends bytes without end.
    Endless,
}

struct Server {
    address: String,
    /// Each request's path and first byte asked for.
    asked: Arc<Mutex<Vec<(String, u64)>>>,
}

/// A mirror on loopback, for as long as the test runs.
fn serve(files: &[(&str, &[u8], Manner)]) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let files: BTreeMap<String, (Vec<u8>, Manner)> = files
        .iter()
        .map(|(path, content, manner)| (format!("/debian/{path}"), (content.to_vec(), *manner)))
        .collect();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = answer(stream, &files, &log);
        }
    });
    Server { address, asked }
}

fn answer(
    mut stream: TcpStream,
    files: &BTreeMap<String, (Vec<u8>, Manner)>,
    log: &Mutex<Vec<(String, u64)>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut from = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let header = header.trim().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(range) = header.strip_prefix("range: bytes=") {
            from = range.trim_end_matches('-').parse().unwrap();
        }
    }
    log.lock().unwrap().push((path.clone(), from));
    let Some((content, manner)) = files.get(&path) else {
        return write!(
            stream,
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
    };
    let total = content.len();
    let part = |from: u64| content.get(from as usize..).unwrap_or_default();
    let mut head = |status: &str, length: usize, more: &str| {
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{more}\r\n"
        )
    };
    match manner {
        Manner::Status(status) => head(&format!("{status} No"), 0, ""),
        Manner::NoRanges => {
            head("200 OK", total, "")?;
            stream.write_all(content)
        }
        Manner::Endless => {
            head("200 OK", 1 << 40, "")?;
            loop {
                stream.write_all(&[0; 4096])?;
            }
        }
        Manner::Whole | Manner::BreaksOff(_) => {
            let rest = part(from);
            if from > 0 {
                let range = format!("Content-Range: bytes {from}-{}/{total}\r\n", total - 1);
                head("206 Partial Content", rest.len(), &range)?;
            } else {
                head("200 OK", rest.len(), "")?;
            }
            let sent = match manner {
                Manner::BreaksOff(after) => rest.get(..*after).unwrap_or(rest),
                _ => rest,
            };
            stream.write_all(sent)
        }
    }
}

fn package(content: &[u8]) -> Package {
    Package {
        name: "thing".into(),
        version: "1.0-1".into(),
        size: content.len() as u64,
        sha256: Sha256::of(content),
        archive: "debian".into(),
        path: "pool/main/t/thing.deb".into(),
    }
}

const PATH: &str = "pool/main/t/thing.deb";

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("Vorrat für 構築")).unwrap();
    (folder, store)
}

fn get(servers: &[&Server], store: &Store) -> Result<Fetched, Error> {
    let mirrors: Vec<_> = servers
        .iter()
        .map(|server| Mirror::parse(&server.address).unwrap())
        .collect();
    fetch([&package(GOOD)].into_iter(), &mirrors, store, &Silent)
}

fn refused(outcome: Result<Fetched, Error>) -> (Error, Vec<Refusal>) {
    match outcome {
        Err(Error::Unfetched { name, tried }) => {
            let why = tried.iter().map(|(_, why)| why.clone()).collect();
            (Error::Unfetched { name, tried }, why)
        }
        other => panic!("{other:?}"),
    }
}

/// The store has the good package, whole, and nothing half.
fn assert_good(store: &Store) {
    let path = store.verified(&Sha256::of(GOOD), "thing").unwrap();
    assert_eq!(fs::read(path).unwrap(), GOOD);
    let partial = store.folder().join("partial");
    assert_eq!(fs::read_dir(partial).unwrap().count(), 0);
}

fn good() -> Server {
    serve(&[(PATH, GOOD, Manner::Whole)])
}

const ONE: Fetched = Fetched {
    present: 0,
    fetched: 1,
    bytes: GOOD.len() as u64,
};

#[test]
fn a_package_is_fetched_once() {
    let (_folder, store) = store();
    let server = good();
    assert_eq!(get(&[&server], &store), Ok(ONE));
    assert_good(&store);
    assert_eq!(get(&[&server], &store).unwrap().present, 1);
    assert_eq!(server.asked.lock().unwrap().len(), 1);
}

#[test]
fn a_mirror_that_lies_fails_closed() {
    let mut evil = GOOD.to_vec();
    evil[3] ^= 1;
    let liar = serve(&[(PATH, &evil, Manner::Whole)]);
    let (_folder, store) = store();
    let (error, why) = refused(get(&[&liar], &store));
    let found = Sha256::of(&evil);
    assert_eq!(why, [Refusal::Content { found }]);
    assert_eq!(
        (error.code(), error.blame()),
        ("fetch-failed", Blame::Mirror)
    );
    assert!(!store.has(&Sha256::of(GOOD), None));
    // An honest mirror behind it is enough, and nothing of the lie is left in front.
    assert_eq!(get(&[&liar, &good()], &store), Ok(ONE));
    assert_good(&store);
}

#[test]
fn a_truncated_package_on_the_mirror_fails_closed() {
    let (_folder, store) = store();
    let short = serve(&[(PATH, &GOOD[..10], Manner::Whole)]);
    let (_, why) = refused(get(&[&short], &store));
    let length = Refusal::Length {
        expected: GOOD.len() as u64,
        found: 10,
    };
    assert_eq!(why, [length]);
    assert_eq!(get(&[&good()], &store), Ok(ONE));
    assert_good(&store);
}

#[test]
fn a_mirror_that_never_ends_fails_closed() {
    let (_folder, store) = store();
    let endless = serve(&[(PATH, GOOD, Manner::Endless)]);
    let (_, why) = refused(get(&[&endless], &store));
    assert!(matches!(why[..], [Refusal::Length { .. }]), "{why:?}");
    assert_eq!(get(&[&good()], &store), Ok(ONE));
    assert_good(&store);
}

#[test]
fn a_vanished_package_names_the_remedy_fails_closed() {
    let (_folder, store) = store();
    let empty = serve(&[]);
    let (error, why) = refused(get(&[&empty], &store));
    assert_eq!(why, [Refusal::Missing]);
    assert!(
        error
            .to_string()
            .starts_with("thing 1.0-1 could not be fetched")
    );
    assert!(error.remedy().contains("quorate image store import"));
    assert!(error.remedy().contains("quorate image lock"));
    assert_eq!(get(&[&empty, &good()], &store), Ok(ONE));
}

#[test]
fn a_renamed_package_fails_closed() {
    let (_folder, store) = store();
    let renamed = serve(&[("pool/main/t/thing_1.0-2.deb", GOOD, Manner::Whole)]);
    assert_eq!(refused(get(&[&renamed], &store)).1, [Refusal::Missing]);
}

#[test]
fn a_mirror_with_a_fault_of_its_own_fails_closed() {
    let (_folder, store) = store();
    let broken = serve(&[(PATH, GOOD, Manner::Status(503))]);
    assert_eq!(refused(get(&[&broken], &store)).1, [Refusal::Status(503)]);
    assert_eq!(get(&[&broken, &good()], &store), Ok(ONE));
}

#[test]
fn no_mirror_in_reach_is_the_machines_fault_fails_closed() {
    let (_folder, store) = store();
    // A port nobody listens on: it was ours a moment ago.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let nobody = Server {
        address: format!("http://{port}"),
        asked: Arc::default(),
    };
    let (error, why) = refused(get(&[&nobody], &store));
    assert_eq!(why, [Refusal::Unreachable]);
    assert_eq!(error.blame(), Blame::Machine);
    assert!(error.remedy().contains("check the network"));
}

#[test]
fn a_transfer_that_breaks_off_goes_on_where_it_stopped() {
    let (_folder, store) = store();
    let breaking = serve(&[(PATH, GOOD, Manner::BreaksOff(30))]);
    assert_eq!(get(&[&breaking], &store), Ok(ONE));
    assert_good(&store);
    let asked: Vec<u64> = breaking
        .asked
        .lock()
        .unwrap()
        .iter()
        .map(|(_, from)| *from)
        .collect();
    assert_eq!(asked, [0, 30, 60]);
}

#[test]
fn what_an_interrupted_run_left_is_gone_on_with() {
    let (_folder, store) = store();
    let partial = store
        .folder()
        .join("partial")
        .join(Sha256::of(GOOD).to_string());
    fs::write(&partial, &GOOD[..40]).unwrap();
    let server = good();
    assert_eq!(get(&[&server], &store), Ok(ONE));
    assert_good(&store);
    assert_eq!(server.asked.lock().unwrap()[0].1, 40);
}

#[test]
fn a_damaged_part_of_an_interrupted_run_does_not_stay_fails_closed() {
    let (_folder, store) = store();
    let partial = store
        .folder()
        .join("partial")
        .join(Sha256::of(GOOD).to_string());
    fs::write(&partial, [b'x'; 40]).unwrap();
    let server = good();
    // The whole has another digest; the next mirror, here the same one, starts from nothing.
    assert_eq!(get(&[&server, &server], &store), Ok(ONE));
    assert_good(&store);
}

#[test]
fn a_mirror_without_ranges_starts_again() {
    let (_folder, store) = store();
    let partial = store
        .folder()
        .join("partial")
        .join(Sha256::of(GOOD).to_string());
    fs::write(&partial, &GOOD[..40]).unwrap();
    let server = serve(&[(PATH, GOOD, Manner::NoRanges)]);
    assert_eq!(get(&[&server], &store), Ok(ONE));
    assert_good(&store);
}

#[test]
fn a_folder_is_a_mirror_too() {
    let (folder, store) = store();
    let base = folder.path().join("Spiegel mit Raum");
    let path = base.join("debian").join(PATH);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, GOOD).unwrap();
    let mirror = [Mirror::parse(base.to_str().unwrap()).unwrap()];
    let outcome = fetch([&package(GOOD)].into_iter(), &mirror, &store, &Silent);
    assert_eq!(outcome, Ok(ONE));
    assert_good(&store);
}
