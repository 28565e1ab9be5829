//! The example of an application that connects to the outside: it fetches a path from a destination
//! of its manifest entry and proves what came back.
//!
//! Its arguments are part of the manifest: `port=N`; `root=HEX` for each certificate, in DER, that may
//! vouch for destinations, instead of those of the web; `timeout=MS`.
//!
//! What it proves is what an answer was. That it is true is the destination's word, and that the name
//! is the right one that of the roots.

#![forbid(unsafe_code)]

use std::io::{Read as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use quorate_app::serve::serve;
use quorate_app::{App, AppError, Clock, Prover};
use quorate_egress::{BadRoot, Egress, EgressError, Roots, TIMEOUT};
use quorate_fetch::{
    Failure, Fetch, FetchRequest, FetchResponse, Fetched, MAX_ANSWER, PORT, PROOF_KIND, Step,
};
use quorate_protocol::atoms::{Bytes, Name, Text};
use quorate_protocol::cbor::{from_bytes, to_bytes};

/// Why it ends.
#[derive(Debug)]
enum End {
    App(AppError),
    Argument(String),
    Egress(EgressError),
    Root(BadRoot),
}

impl From<AppError> for End {
    fn from(error: AppError) -> Self {
        Self::App(error)
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(end) => {
            match end {
                End::App(error) => eprintln!("quorate-fetch: {error}"),
                End::Argument(text) => eprintln!("quorate-fetch: {text} is no argument of it"),
                End::Egress(error) => eprintln!("quorate-fetch: {error}"),
                End::Root(error) => eprintln!("quorate-fetch: {error}"),
            }
            ExitCode::FAILURE
        }
    }
}

/// What the manifest says.
struct Arguments {
    port: u32,
    timeout: Duration,
    roots: Vec<Vec<u8>>,
}

impl Arguments {
    fn read(all: impl Iterator<Item = String>) -> Result<Self, End> {
        let mut read = Self {
            port: PORT,
            timeout: TIMEOUT,
            roots: Vec::new(),
        };
        for text in all {
            let wrong = || End::Argument(text.clone());
            let (key, value) = text.split_once('=').ok_or_else(wrong)?;
            match key {
                "port" => read.port = value.parse().map_err(|_| wrong())?,
                "timeout" => {
                    read.timeout = Duration::from_millis(value.parse().map_err(|_| wrong())?);
                }
                "root" => read.roots.push(bytes(value).ok_or_else(wrong)?),
                _ => return Err(wrong()),
            }
        }
        Ok(read)
    }

    fn roots(&self) -> Result<Roots, End> {
        if self.roots.is_empty() {
            return Ok(Roots::web());
        }
        Roots::of(self.roots.iter().map(Vec::as_slice)).map_err(End::Root)
    }
}

/// Bytes from hexadecimal.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let digit = |c: u8| {
        char::from(c)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let byte = |[high, low]: &[u8; 2]| Some(digit(*high)? << 4 | digit(*low)?);
    pairs
        .iter()
        .map(byte)
        .collect::<Option<_>>()
        .filter(|_| rest.is_empty())
}

fn run() -> Result<(), End> {
    let arguments = Arguments::read(std::env::args().skip(1))?;
    let mut app = App::start()?;
    let listener = app.listener(arguments.port)?;
    let egress = Egress::new(&app, arguments.roots()?).map_err(End::Egress)?;
    let fetcher = Fetcher {
        egress: egress.with_timeout(arguments.timeout),
        clock: app.clock(),
        prover: app.prover(),
    };
    thread::spawn(move || {
        serve::<FetchRequest, _>(&listener, move |payload| fetcher.answer(payload));
        // Without its listener it is of no use; init starts it again.
        std::process::exit(1);
    });
    app.ready()?;
    Ok(app.wait_for_stop()?)
}

struct Fetcher {
    egress: Egress,
    clock: Clock,
    prover: Arc<Prover>,
}

impl Fetcher {
    /// The answer to a request; `None` for what is none.
    fn answer(&self, payload: &[u8]) -> Option<Vec<u8>> {
        let FetchRequest::Fetch(fetch) = from_bytes(payload).ok()?;
        let response = match self.fetch(&fetch) {
            Ok(answer) => {
                let fetched = Fetched {
                    fetch,
                    time: self.clock.now(),
                    answer: Bytes::new(answer).ok()?,
                };
                let kind = Name::new(PROOF_KIND).ok()?;
                let proof = self.prover.prove(&kind, to_bytes(&fetched)).ok()?;
                FetchResponse::Fetched(Box::new(proof))
            }
            Err((step, detail)) => FetchResponse::Failed(Failure {
                step,
                detail: Text::new(&detail).unwrap_or_default(),
            }),
        };
        Some(to_bytes(&response))
    }

    fn fetch(&self, fetch: &Fetch) -> Result<Vec<u8>, (Step, String)> {
        let path = fetch.path.as_str();
        if !path.starts_with('/') || !path.bytes().all(|b| b.is_ascii_graphic()) {
            return Err((Step::Path, String::new()));
        }
        let connected = self.egress.dial_to(&fetch.destination);
        let mut connection = connected.map_err(|error| match &error {
            EgressError::Dial(_) => (Step::Dial, error.to_string()),
            _ => (Step::Tls, error.to_string()),
        })?;
        let host = &fetch.destination.host;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept-Encoding: identity\r\n\
             Connection: close\r\n\r\n"
        );
        let failed = |error: std::io::Error| (Step::Answer, error.to_string());
        connection.write_all(request.as_bytes()).map_err(failed)?;
        connection.flush().map_err(failed)?;
        let mut answer = Vec::new();
        // A connection that is cut off gives an error, so what ends here is whole.
        let limit = u64::try_from(MAX_ANSWER).unwrap_or(u64::MAX);
        let mut bounded = (&mut connection).take(limit.saturating_add(1));
        bounded.read_to_end(&mut answer).map_err(failed)?;
        if answer.len() > MAX_ANSWER {
            return Err((Step::Answer, format!("more than {MAX_ANSWER} bytes")));
        }
        Ok(answer)
    }
}
