//! `quorate egress-proxy`: connects the enclaves of this parent instance to where a manifest allows.
//!
//! Guarantees: serves until it is ended; one line for each connection on standard output, which holds
//! listed names and numbers only. Which destinations are listed is shown before the first is served.
//!
//! Does not: verify the manifest. A wrong one costs connections or allows more than init does, never
//! more than init allows.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process;

use clap::Args;
use quorate_egress_proxy::{
    AllowList, DEFAULT_CONNECTIONS, IDLE, Listener, MAX_CONNECTIONS, Network, Proxy, ProxyError,
    Record, Resolver, Settings,
};
use quorate_protocol::cbor::{Object as _, from_bytes};
use quorate_protocol::egress::{Destination, Host};
use quorate_protocol::manifest::Manifest;
use quorate_protocol::ports;
use serde_json::{Value, json};

use crate::emulate::signals;
use crate::failure::{Exit, Failure, Fault};
use crate::files;
use crate::output::{Format, Output};

/// Serve egress.
#[derive(Debug, Args)]
#[command(after_help = "\
Applications in an enclave reach the outside only through this: init lets each connect to the
destinations of its manifest entry, and this proxy compares once more, resolves the name and carries
the bytes. TLS ends inside the enclave; nothing that is carried can be read here.

Names that lead into this machine's own networks (loopback, link-local with the instance's metadata,
private and reserved ones) are refused; --allow-network allows one. One line is printed for each
connection when it has ended.

Examples:
  quorate egress-proxy --manifest manifest.cbor --vsock
      on a parent instance, for all its enclaves
  quorate egress-proxy --manifest manifest.cbor --socket quorate-up/one/parent-5010.sock
      for an enclave that is a process: the socket is in its folder
  quorate egress-proxy --destination db.internal:5432 --vsock --cid 16 --allow-network 10.0.0.0/8
      one destination in a private network, for one enclave

Exit codes: 1 it cannot listen or go on, 2 the command or a file it names is unusable.")]
pub(crate) struct EgressProxy {
    /// A manifest: every destination of its applications is listed
    #[arg(long, value_name = "FILE", required_unless_present = "destination")]
    manifest: Option<PathBuf>,

    /// A destination to list besides, repeatable
    #[arg(long, value_name = "HOST:PORT", value_parser = Destination::parse)]
    destination: Vec<Destination>,

    /// Listen on a Unix socket, for an enclave that is a process
    #[arg(
        long,
        value_name = "PATH",
        required_unless_present = "vsock",
        conflicts_with = "vsock"
    )]
    socket: Option<PathBuf>,

    /// Listen on the vsock port 5010
    #[arg(long)]
    vsock: bool,

    /// Take connections of this enclave only [default: of all]
    #[arg(long, value_name = "CID", requires = "vsock")]
    cid: Option<u32>,

    /// Connect into this network although it is not of the public internet, repeatable
    #[arg(long, value_name = "ADDRESS/BITS")]
    allow_network: Vec<Network>,

    /// Take this address for a host and ask no resolver, repeatable
    #[arg(long, value_name = "HOST=ADDRESS", value_parser = fixed)]
    resolve: Vec<(Host, IpAddr)>,

    /// Connections at a time
    #[arg(long, value_name = "COUNT", default_value_t = count(DEFAULT_CONNECTIONS),
          value_parser = clap::value_parser!(u64).range(1..=count(MAX_CONNECTIONS)))]
    connections: u64,
}

const fn count(connections: usize) -> u64 {
    connections as u64
}

/// `HOST=ADDRESS`.
fn fixed(text: &str) -> Result<(Host, IpAddr), String> {
    let (host, address) = text.split_once('=').ok_or("it is HOST=ADDRESS")?;
    let host = Host::new(host).map_err(|error| error.to_string())?;
    let address = address.parse().map_err(|_| "the address is none")?;
    Ok((host, address))
}

/// Serves until it is ended.
pub(crate) fn run(a: &EgressProxy, output: Output) -> Result<Exit, Failure> {
    let list = list(a)?;
    let listener = match &a.socket {
        Some(path) => Listener::unix(path),
        None => Listener::vsock(ports::EGRESS, a.cid),
    };
    let listener = listener.map_err(|error| explain(&error))?;
    remove_at_end(a.socket.clone())?;
    for destination in list.iter() {
        output.note(&format!("egress: connects to {destination}"));
    }
    if list.iter().next().is_none() {
        output.note("egress: the manifest lists no destination; everything is refused");
    }
    let settings = Settings {
        list,
        resolver: Resolver::new(a.allow_network.clone(), a.resolve.clone()),
        connections: usize::try_from(a.connections).unwrap_or(MAX_CONNECTIONS),
        idle: IDLE,
    };
    let proxy = Proxy::new(settings, move |record| {
        // A log that nobody reads any more does not stop what it is about.
        let _ = match output.format() {
            Format::Text => output.text_line(&record.to_string()),
            Format::Json => output.line(&shown(record)),
        };
    });
    proxy.serve(&listener).map_err(|error| explain(&error))?;
    Ok(Exit::Success)
}

fn list(a: &EgressProxy) -> Result<AllowList, Failure> {
    let mut list = AllowList::from_iter(a.destination.iter().cloned());
    if let Some(path) = &a.manifest {
        let bytes = files::read(path, Manifest::MAX, "manifest")?;
        let manifest = from_bytes::<Manifest>(&bytes).map_err(|error| {
            Failure::usage(
                "manifest-unusable",
                format!("{} is no manifest: {error}", path.display()),
                "name the manifest.cbor of a ceremony's folder, of this version",
            )
        })?;
        list.extend(AllowList::of_manifest(&manifest));
    }
    Ok(list)
}

/// Removes the socket's file when a signal ends this process.
fn remove_at_end(socket: Option<PathBuf>) -> Result<(), Failure> {
    ctrlc::set_handler(move || {
        if let Some(path) = &socket {
            let _ = std::fs::remove_file(path);
        }
        process::exit(0);
    })
    .map_err(|error| signals(&error))
}

fn shown(record: &Record) -> Value {
    json!({
        "outcome": record.outcome.name(),
        "cid": record.cid,
        "destination": record.destination.as_ref().map(ToString::to_string),
        "address": record.address.map(|address| address.to_string()),
        "sent": record.sent,
        "received": record.received,
        "lasted_ms": u64::try_from(record.lasted.as_millis()).unwrap_or(u64::MAX),
    })
}

fn explain(error: &ProxyError) -> Failure {
    let fault = match error {
        ProxyError::Taken { .. } => Fault::Caller,
        _ => Fault::Machine,
    };
    Failure::refused(fault, error.code(), error.to_string(), error.remedy())
}
