//! The proxy over a real Unix socket, to real TCP servers of this machine.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use quorate_egress_proxy::{
    AllowList, IDLE, Listener, Outcome, Proxy, ProxyError, Record, Resolver, Settings,
};
use quorate_protocol::cbor::{from_bytes, to_bytes};
use quorate_protocol::egress::{Destination, EgressReason, EgressRequest, EgressResponse, Host};
use quorate_protocol::frame::{Assembler, frame};

const PATIENCE: Duration = Duration::from_secs(30);

/// A proxy in threads of its own, and what it says.
struct Running {
    socket: PathBuf,
    records: Receiver<Record>,
    _folder: tempfile::TempDir,
}

fn loopback() -> Resolver {
    fixed("127.0.0.1", &["127.0.0.0/8"])
}

fn fixed(address: &str, allowed: &[&str]) -> Resolver {
    let host = Host::new("api.example").unwrap();
    let address: IpAddr = address.parse().unwrap();
    let allowed = allowed.iter().map(|network| network.parse().unwrap());
    Resolver::new(allowed.collect(), vec![(host, address)])
}

fn destination(port: u16) -> Destination {
    Destination::parse(&format!("api.example:{port}")).unwrap()
}

fn settings(port: u16, resolver: Resolver) -> Settings {
    Settings {
        list: AllowList::from_iter([destination(port)]),
        resolver,
        connections: 8,
        idle: IDLE,
    }
}

impl Running {
    fn start(settings: Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("parent-5010.sock");
        let listener = Listener::unix(&socket).unwrap();
        let (said, records) = channel();
        let proxy = Proxy::new(settings, move |record| {
            let _ = said.send(record.clone());
        });
        thread::spawn(move || proxy.serve(&listener));
        Self {
            socket,
            records,
            _folder: folder,
        }
    }

    /// Connects and sends these bytes, as an enclave would.
    fn send(&self, bytes: &[u8]) -> UnixStream {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(bytes).unwrap();
        stream
    }

    fn ask(&self, destination: &Destination) -> (UnixStream, EgressResponse) {
        let mut stream = self.send(&framed(destination));
        let answer = answer(&mut stream);
        (stream, answer)
    }

    fn record(&self) -> Record {
        self.records.recv_timeout(PATIENCE).unwrap()
    }

    fn outcome(&self) -> Outcome {
        self.record().outcome
    }
}

fn framed(destination: &Destination) -> Vec<u8> {
    frame(&to_bytes(&EgressRequest::Connect(destination.clone()))).unwrap()
}

fn answer(stream: &mut UnixStream) -> EgressResponse {
    let mut assembler = Assembler::new();
    loop {
        let mut buffer = vec![0; assembler.wanted::<EgressResponse>().unwrap()];
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "closed without an answer");
        if let Some(payload) = assembler.push::<EgressResponse>(&buffer[..count]).unwrap() {
            return from_bytes(&payload).unwrap();
        }
    }
}

/// A server for one connection.
fn server(serve: impl FnOnce(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || serve(listener.accept().unwrap().0));
    port
}

/// Gives back what it is sent, once all of it has come: the two halves close one by one.
fn echo(mut stream: TcpStream) {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    stream.write_all(&all).unwrap();
}

#[test]
fn bytes_go_both_ways_and_each_half_closes_alone() {
    let port = server(echo);
    let proxy = Running::start(settings(port, loopback()));
    let (mut stream, connected) = proxy.ask(&destination(port));
    assert_eq!(connected, EgressResponse::Connected);
    let sent: Vec<u8> = (0..3_000_000_u32).map(|n| (n * 7 % 251) as u8).collect();
    let mut writer = stream.try_clone().unwrap();
    let bytes = sent.clone();
    let writing = thread::spawn(move || {
        writer.write_all(&bytes).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    writing.join().unwrap();
    assert!(received == sent, "{} bytes came back", received.len());
    drop(stream);
    let record = proxy.record();
    assert_eq!(record.outcome, Outcome::Ended);
    assert_eq!((record.sent, record.received), (3_000_000, 3_000_000));
    assert_eq!(record.destination, Some(destination(port)));
    let line = record.to_string();
    let start = format!("egress outcome=ended destination=api.example:{port} address=127.0.0.1:");
    assert!(line.starts_with(&start), "{line}");
}

/// Data right behind the request, before the answer, is carried first.
#[test]
fn data_sent_with_the_request_is_not_lost() {
    let port = server(echo);
    let proxy = Running::start(settings(port, loopback()));
    let mut stream = proxy.send(&[framed(&destination(port)), b"early".to_vec()].concat());
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(answer(&mut stream), EgressResponse::Connected);
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    assert_eq!(received, b"early");
}

#[test]
fn a_destination_the_proxy_does_not_list_fails_closed() {
    let port = server(echo);
    let proxy = Running::start(settings(port, loopback()));
    for other in ["api.example:1", "example:443", "169-254.example:443"] {
        let other = Destination::parse(other).unwrap();
        let (mut stream, refused) = proxy.ask(&other);
        let reason = EgressReason::NotListed;
        assert_eq!(refused, EgressResponse::Refused(reason));
        assert_eq!(stream.read(&mut [0; 8]).unwrap(), 0, "and it is closed");
        let record = proxy.record();
        assert_eq!(record.outcome, Outcome::Refused(reason));
        assert_eq!(
            record.destination, None,
            "names of strangers are not logged"
        );
    }
    let (_stream, connected) = proxy.ask(&destination(port));
    assert_eq!(connected, EgressResponse::Connected);
}

#[test]
fn a_malformed_request_fails_closed() {
    let port = server(echo);
    let proxy = Running::start(settings(port, loopback()));
    let good = framed(&destination(port));
    let mut wrong_version = good.clone();
    wrong_version[0] = 2;
    let mut longer = good.clone();
    longer[4] += 1;
    longer.push(0);
    let cut = good[..good.len() - 1].to_vec();
    for bytes in [
        Vec::new(),
        b"CONNECT api.example:443 HTTP/1.1\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        vec![1, 0, 0, 0, 0],
        vec![1, 0xff, 0xff, 0xff, 0xff, 0x82, 1],
        vec![1, 0, 0, 1, 0x21, 0x82, 1],
        vec![1, 0, 0, 0, 2, 0x82, 2],
        // An address where a name should be: {0: "127.0.0.1", 1: 443}.
        [
            &[1, 0, 0, 0, 17, 0x82, 1, 0xa2, 0, 0x69][..],
            b"127.0.0.1",
            &[1, 0x19, 1, 0xbb],
        ]
        .concat(),
        wrong_version,
        longer,
        cut,
    ] {
        let mut stream = proxy.send(&bytes);
        stream.shutdown(Shutdown::Write).unwrap();
        let reason = EgressReason::Malformed;
        assert_eq!(
            answer(&mut stream),
            EgressResponse::Refused(reason),
            "{bytes:02x?}"
        );
        assert_eq!(proxy.outcome(), Outcome::Refused(reason));
    }
    let (_stream, connected) = proxy.ask(&destination(port));
    assert_eq!(connected, EgressResponse::Connected);
}

/// The name leads to this machine, or to where an instance's credentials are.
#[test]
fn an_address_of_the_hosts_network_fails_closed() {
    let port = server(echo);
    for address in [
        "127.0.0.1",
        "169.254.169.254",
        "10.0.0.1",
        "::1",
        "::ffff:127.0.0.1",
    ] {
        let proxy = Running::start(settings(port, fixed(address, &["192.168.0.0/16"])));
        let (_stream, refused) = proxy.ask(&destination(port));
        let reason = EgressReason::AddressForbidden;
        assert_eq!(refused, EgressResponse::Refused(reason), "{address}");
        assert_eq!(proxy.outcome(), Outcome::Refused(reason));
    }
}

#[test]
fn a_destination_that_takes_no_connection_fails_closed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let proxy = Running::start(settings(port, loopback()));
    let (_stream, refused) = proxy.ask(&destination(port));
    let reason = EgressReason::Unreachable;
    assert_eq!(refused, EgressResponse::Refused(reason));
    assert_eq!(proxy.outcome(), Outcome::Refused(reason));
}

#[test]
fn more_connections_than_allowed_fails_closed() {
    let port = server(echo);
    let mut settings = settings(port, loopback());
    settings.connections = 1;
    let proxy = Running::start(settings);
    let (stream, connected) = proxy.ask(&destination(port));
    assert_eq!(connected, EgressResponse::Connected);
    let (_second, refused) = proxy.ask(&destination(port));
    let reason = EgressReason::Busy;
    assert_eq!(refused, EgressResponse::Refused(reason));
    assert_eq!(proxy.outcome(), Outcome::Refused(reason));
    // When the first has ended there is room again.
    drop(stream);
    assert!(matches!(proxy.outcome(), Outcome::Ended | Outcome::Broken));
}

/// A flood of connections that say nothing takes a bounded number of threads and nobody's place.
#[test]
fn a_flood_of_silent_connections_fails_closed() {
    let port = server(echo);
    let mut settings = settings(port, loopback());
    settings.connections = 1;
    let proxy = Running::start(settings);
    let (mut stream, connected) = proxy.ask(&destination(port));
    assert_eq!(connected, EgressResponse::Connected);
    let silent: Vec<_> = (0..64).map(|_| proxy.send(&[])).collect();
    // Those that are told too, when they have said nothing for a while.
    for mut one in silent {
        let mut said = Vec::new();
        let _ = one.read_to_end(&mut said);
        let busy = frame(&to_bytes(&EgressResponse::Refused(EgressReason::Busy))).unwrap();
        assert!(said.is_empty() || said == busy, "{said:02x?}");
    }
    for _ in 0..64 {
        assert_eq!(proxy.outcome(), Outcome::Refused(EgressReason::Busy));
    }
    // The one that was there has noticed nothing.
    stream.write_all(b"hello").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut back = Vec::new();
    stream.read_to_end(&mut back).unwrap();
    assert_eq!(back, b"hello");
}

#[test]
fn a_connection_over_which_nothing_goes_ends() {
    let port = server(|mut stream| {
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let mut settings = settings(port, loopback());
    settings.idle = Duration::from_millis(20);
    let proxy = Running::start(settings);
    let (mut stream, connected) = proxy.ask(&destination(port));
    assert_eq!(connected, EgressResponse::Connected);
    assert_eq!(stream.read(&mut [0; 8]).unwrap(), 0);
    assert_eq!(proxy.outcome(), Outcome::Idle);
}

/// A destination that neither sends nor closes keeps no connection of an enclave that has gone.
#[test]
fn an_enclave_that_has_gone_leaves_nothing_behind() {
    let (keep, kept) = channel::<()>();
    let port = server(move |_stream| {
        let _ = kept.recv_timeout(PATIENCE);
    });
    let proxy = Running::start(settings(port, loopback()));
    let (stream, connected) = proxy.ask(&destination(port));
    assert_eq!(connected, EgressResponse::Connected);
    drop(stream);
    assert_eq!(proxy.outcome(), Outcome::Broken);
    drop(keep);
}

#[test]
fn a_socket_that_is_taken_fails_closed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let first = Listener::unix(&path).unwrap();
    let taken = ProxyError::Taken { path: path.clone() };
    assert_eq!(Listener::unix(&path).err(), Some(taken.clone()));
    drop(first);
    assert!(!path.exists());
    // One that nobody listens on any more is no obstacle; any other file is.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    drop(Listener::unix(&path).unwrap());
    std::fs::write(&path, "a diary").unwrap();
    assert_eq!(Listener::unix(&path).err(), Some(taken));
    assert_eq!(std::fs::read(&path).unwrap(), b"a diary");
}
