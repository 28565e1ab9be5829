//! Egress from end to end: `fetch` in a real emulated enclave, the real proxy, real TLS servers.
//!
//! The servers are on this machine, under names that the proxy was given addresses for; everything
//! else is as it would be: the manifest lists destinations, init compares, the proxy compares again,
//! and TLS ends in the application, which knows the tests' root from its manifest entry.

#[path = "../common/mod.rs"]
mod common;

mod certificates;
mod outside;

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use certificates::{LATER, NOW, OVER, Root};
use common::{Instance, World};
use outside::{End, parent, proxy, server};
use quorate_fetch::{Failure, Fetch, FetchRequest, FetchResponse, Fetched, MAX_ANSWER, Step};
use quorate_protocol::atoms::{Name, Text};
use quorate_protocol::cbor::{from_bytes, to_bytes};
use quorate_protocol::egress::Destination;
use quorate_protocol::frame::{Assembler, frame};
use quorate_protocol::manifest::Application;
use quorate_protocol::message::EvidenceRequest;
use quorate_protocol::message::{Request, Response};

const PORT: u32 = 5102;
/// The application that may connect nowhere.
const ALONE: u32 = 5103;
const HOST: &str = "api.example";
const LOOPBACK: &[&str] = &["127.0.0.0/8"];

/// The static `fetch`, built before the tests by `./test`.
fn fetch_binary() -> Vec<u8> {
    common::binary("fetch")
}

fn destination(host: &str, port: u16) -> Destination {
    Destination::parse(&format!("{host}:{port}")).unwrap()
}

fn entry(name: &str, port: u32, root: &[u8], egress: Vec<Destination>) -> Application {
    let mut entry = common::application(name, &fetch_binary());
    entry.ports = vec![port];
    let root: String = root.iter().map(|byte| format!("{byte:02x}")).collect();
    let arguments = [
        format!("port={port}"),
        format!("root={root}"),
        "timeout=2000".into(),
    ];
    entry.arguments = arguments.map(|text| Text::new(&text).unwrap()).into();
    entry.memory_limit = 1 << 30;
    entry.egress = egress;
    entry
}

/// A running instance with `fetch`, which may connect to `egress`, and `fetch-alone`, which may not.
struct Stage {
    instance: Instance,
    _world: World,
}

impl Stage {
    fn start(root: &Root, egress: &[Destination]) -> Self {
        let mut world = World::new(2, 2);
        let (record, shares) = world.genesis();
        let binary = fetch_binary();
        let mut fields = world.manifest_fields(&record, &binary);
        let mut egress = egress.to_vec();
        egress.sort();
        fields.applications = vec![
            entry("fetch", PORT, &root.der, egress),
            entry("fetch-alone", ALONE, &root.der, Vec::new()),
        ];
        let link = world.approved(fields);
        let instance = world.boot_with(record, shares, vec![link], &binary);
        instance.provision(&world, &[0, 1]);
        Self {
            instance,
            _world: world,
        }
    }

    fn directory(&self) -> PathBuf {
        self.instance.enclave.started.directory.clone()
    }

    fn console(&self) -> String {
        std::fs::read_to_string(&self.instance.enclave.started.console).unwrap()
    }

    /// Waits for a line of the console. A machine's arrives after the answer that it is about.
    fn says(&self, line: &str) {
        let until = Instant::now() + Duration::from_secs(60);
        while !self.console().contains(line) {
            assert!(Instant::now() < until, "no {line}:\n{}", self.console());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn ask(&self, port: u32, destination: &Destination, path: &str) -> FetchResponse {
        let path = Text::new(path).unwrap();
        let request = FetchRequest::Fetch(Fetch {
            destination: destination.clone(),
            path,
        });
        let socket = self.directory().join(format!("port-{port}.sock"));
        let mut stream = UnixStream::connect(socket).unwrap();
        let patience = Some(Duration::from_secs(30));
        stream.set_read_timeout(patience).unwrap();
        let request = frame(&to_bytes(&request)).unwrap();
        stream.write_all(&request).unwrap();
        let mut assembler = Assembler::new();
        loop {
            let mut buffer = vec![0; assembler.wanted::<FetchResponse>().unwrap()];
            let count = stream.read(&mut buffer).unwrap();
            assert!(count > 0, "closed without an answer");
            let received = &buffer[..count];
            if let Some(payload) = assembler.push::<FetchResponse>(received).unwrap() {
                return from_bytes(&payload).unwrap();
            }
        }
    }

    /// What was fetched, after its proof was checked.
    fn fetched(&self, destination: &Destination) -> Fetched {
        let proof = match self.ask(PORT, destination, "/price?of=time") {
            FetchResponse::Fetched(proof) => proof,
            FetchResponse::Failed(failure) => panic!("{failure:?}\n{}", self.console()),
        };
        let nonce = common::nonce();
        let request = Request::Evidence(EvidenceRequest { nonce });
        let Response::Evidence(evidence) = self.instance.enclave.ask(&request) else {
            panic!("no evidence")
        };
        let starts = evidence.applications.iter();
        let mut certificates = starts.map(|start| start.certificate.unverified());
        let own = |name: &Name| name.as_str() == "fetch";
        let certificate = certificates.find(|c| own(&c.application)).unwrap();
        let claim = proof.verify(&certificate.live).expect("fetch proved it");
        assert_eq!(claim.kind.as_str(), quorate_fetch::PROOF_KIND);
        from_bytes(claim.payload.as_slice()).unwrap()
    }

    fn failed(&self, destination: &Destination) -> (Step, String) {
        match self.ask(PORT, destination, "/") {
            FetchResponse::Failed(Failure { step, detail }) => (step, detail.as_str().into()),
            FetchResponse::Fetched(_) => panic!("fetched from {destination}"),
        }
    }

    /// Nothing is fetched from there, for a reason that has these words; and all is well after it.
    fn refused(&self, destination: &Destination, step: Step, words: &str) {
        let (found, detail) = self.failed(destination);
        assert!(
            found == step && detail.contains(words),
            "{found:?} {detail:?}, expected {step:?} {words:?}\n{}",
            self.console()
        );
    }
}

#[test]
fn what_was_fetched_over_tls_is_proved() {
    let root = Root::new("test root");
    let port = server(&root.server(HOST, NOW), b"a body".into(), End::Orderly);
    let listed = destination(HOST, port);
    let stage = Stage::start(&root, std::slice::from_ref(&listed));
    proxy(&stage.directory(), std::slice::from_ref(&listed), LOOPBACK);
    for _ in 0..3 {
        let fetched = stage.fetched(&listed);
        let answer = fetched.answer.as_slice();
        assert!(answer.ends_with(b"\r\n\r\na body"), "{answer:?}");
        assert_eq!(fetched.fetch.destination, listed);
        assert_eq!(fetched.fetch.path.as_str(), "/price?of=time");
    }
}

#[test]
fn a_destination_that_the_manifest_does_not_list_fails_closed() {
    let root = Root::new("test root");
    let port = server(&root.server(HOST, NOW), b"a body".into(), End::Orderly);
    let listed = destination(HOST, port);
    let others = [
        destination(HOST, port.wrapping_add(1).max(1)),
        destination("other.example", port),
        destination("example", port),
    ];
    let stage = Stage::start(&root, std::slice::from_ref(&listed));
    // The proxy would connect to all of them.
    let all = [&others[..], std::slice::from_ref(&listed)].concat();
    proxy(&stage.directory(), &all, LOOPBACK);
    for other in &others {
        stage.refused(other, Step::Dial, "not in this application's egress list");
    }
    // The list of one application is not that of another.
    let FetchResponse::Failed(failure) = stage.ask(ALONE, &listed, "/") else {
        panic!("fetched by the application that may connect nowhere")
    };
    assert_eq!(failure.step, Step::Dial);
    stage.says("not-dialed application=fetch start=1 reason=NotAllowed");
    stage.says("not-dialed application=fetch-alone start=1 reason=NotAllowed");
    stage.fetched(&listed);
}

#[test]
fn a_destination_that_the_proxy_does_not_list_fails_closed() {
    let root = Root::new("test root");
    let port = server(&root.server(HOST, NOW), b"a body".into(), End::Orderly);
    let (listed, other) = (destination(HOST, port), destination("other.example", port));
    let stage = Stage::start(&root, &[listed.clone(), other.clone()]);
    proxy(&stage.directory(), std::slice::from_ref(&listed), LOOPBACK);
    stage.refused(&other, Step::Dial, "does not have this destination");
    stage.fetched(&listed);
}

#[test]
fn a_name_that_leads_into_the_hosts_network_fails_closed() {
    let root = Root::new("test root");
    let port = server(&root.server(HOST, NOW), b"a body".into(), End::Orderly);
    let (listed, local) = (destination(HOST, port), destination("localhost", port));
    let stage = Stage::start(&root, &[listed.clone(), local.clone()]);
    // `api.example` is given as 127.0.0.1; what `localhost` is, the machine's own resolver says.
    proxy(&stage.directory(), &[listed.clone(), local.clone()], &[]);
    for destination in [&listed, &local] {
        stage.refused(destination, Step::Dial, "the host's own network");
    }
}

/// One server for each certificate that is wrong, and a good one to show that all is well.
#[test]
fn a_certificate_that_is_not_good_fails_closed() {
    let root = Root::new("test root");
    let (namesake, stranger) = (Root::new("test root"), Root::new("a stranger"));
    let identities = [
        (root.server("other.example", NOW), "not valid for name"),
        (root.server("api.example.com", NOW), "not valid for name"),
        (root.server(HOST, OVER), "expired"),
        (root.server(HOST, LATER), "not valid yet"),
        (namesake.server(HOST, NOW), "BadSignature"),
        (stranger.server(HOST, NOW), "UnknownIssuer"),
    ];
    let wrong = identities.map(|(identity, words)| {
        let port = server(&identity, b"a lie".into(), End::Orderly);
        (destination(HOST, port), words)
    });
    let port = server(&root.server(HOST, NOW), b"a body".into(), End::Orderly);
    let good = destination(HOST, port);
    let mut all: Vec<_> = wrong.iter().map(|(d, _)| d.clone()).collect();
    all.push(good.clone());
    let stage = Stage::start(&root, &all);
    proxy(&stage.directory(), &all, LOOPBACK);
    for (destination, words) in &wrong {
        stage.refused(destination, Step::Tls, words);
        stage.fetched(&good);
    }
}

#[test]
fn an_answer_that_is_cut_off_or_too_long_fails_closed() {
    let root = Root::new("test root");
    let identity = root.server(HOST, NOW);
    let cut = destination(HOST, server(&identity, b"half a".into(), End::Cut));
    let long = server(&identity, vec![b'x'; MAX_ANSWER], End::Orderly);
    let long = destination(HOST, long);
    let stage = Stage::start(&root, &[cut.clone(), long.clone()]);
    proxy(&stage.directory(), &[cut.clone(), long.clone()], LOOPBACK);
    stage.refused(&cut, Step::Answer, "close_notify");
    stage.refused(&long, Step::Answer, "more than");
}

#[test]
fn no_proxy_fails_closed() {
    let root = Root::new("test root");
    let port = server(&root.server(HOST, NOW), b"a body".into(), End::Orderly);
    let listed = destination(HOST, port);
    let stage = Stage::start(&root, std::slice::from_ref(&listed));
    stage.refused(&listed, Step::Dial, "no egress proxy runs on the parent");
    let line = "not-dialed application=fetch start=1 reason=NoProxy";
    stage.says(line);
    // It may come later.
    proxy(&stage.directory(), std::slice::from_ref(&listed), LOOPBACK);
    stage.fetched(&listed);
}

/// The parent is hostile: whatever it answers, the application gets an error and goes on.
#[test]
fn a_parent_that_answers_as_it_likes_fails_closed() {
    let root = Root::new("test root");
    let listed = destination(HOST, 443);
    let cases: [(&'static [u8], Step, &str); 6] = [
        (b"", Step::Dial, "without an answer"),
        (b"HTTP/1.1 200 OK\r\n\r\n", Step::Dial, "no answer"),
        (&[1, 0, 0, 0, 2, 0x81], Step::Dial, "without an answer"),
        (
            &[1, 0xff, 0xff, 0xff, 0xff, 0x82, 2],
            Step::Dial,
            "no answer",
        ),
        // Connected, and then no TLS.
        (&[1, 0, 0, 0, 2, 0x81, 1], Step::Tls, "ended before TLS"),
        (
            b"\x01\0\0\0\x02\x81\x01HTTP/1.1 200 OK\r\n\r\n",
            Step::Tls,
            "corrupt message",
        ),
    ];
    let stage = Stage::start(&root, std::slice::from_ref(&listed));
    let (next, answers) = std::sync::mpsc::channel::<&'static [u8]>();
    let answers = std::sync::Mutex::new(answers);
    parent(&stage.directory(), move |mut stream| {
        // Read first what init and the application send, so that closing loses nothing.
        let _ = stream.read(&mut [0; 4096]);
        let answer = answers.lock().unwrap().recv().unwrap();
        let _ = stream.write_all(answer);
        if answer.starts_with(&[1, 0, 0, 0, 2, 0x81, 1]) {
            let _ = stream.read(&mut [0; 4096]);
        }
    });
    for (answer, step, words) in cases {
        next.send(answer).unwrap();
        stage.refused(&listed, step, words);
    }
}

/// Whoever says nothing, or little by little, keeps nobody waiting for longer than was allowed.
#[test]
fn a_parent_that_is_slow_fails_closed() {
    let root = Root::new("test root");
    let listed = destination(HOST, 443);
    let stage = Stage::start(&root, std::slice::from_ref(&listed));
    let turn = std::sync::atomic::AtomicUsize::new(0);
    parent(&stage.directory(), move |mut stream| {
        let drip = match turn.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 => Vec::new(),
            1 => [&[1, 0, 0, 0, 2, 0x81, 1][..], &[0x16, 3, 3, 0x40, 0, 2, 0]].concat(),
            _ => vec![1],
        };
        for byte in drip {
            let _ = stream.write_all(&[byte]);
        }
        // Until the application gives up.
        let _ = stream.read_to_end(&mut Vec::new());
    });
    stage.refused(&listed, Step::Dial, "not made in time");
    stage.refused(&listed, Step::Tls, "not agreed on in time");
    stage.refused(&listed, Step::Dial, "not made in time");
}
