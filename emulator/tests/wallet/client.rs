//! The system of four applications, and a client of it.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use p256::ecdsa::SigningKey as P256;
use quorate_chain::ethereum::{Address, Eip1559, Unsigned};
use quorate_chain::{U256, to_hex};
use quorate_es256::{SigningKey as _, portable};
use quorate_protocol::activity::{
    AppReason, Completed, Denied, Outcome, PolicyRequest, PolicyResponse, Submission,
};
use quorate_protocol::application::ApplicationProof;
use quorate_protocol::atoms::{Bytes, Name, Text};
use quorate_protocol::cbor::{Object, from_bytes, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::evidence::Evidence;
use quorate_protocol::frame::{Assembler, Sizes, frame};
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::manifest::Application;
use quorate_protocol::message::{BootRequest, EvidenceRequest, Request, Response};
use quorate_protocol::organization::{Founding, Organization, Uuid, Wei};
use quorate_protocol::ticket::{MadeWallet, Redeem, Redeemed, SignedTransaction};
use quorate_protocol::wallet::SealedAccount;
use quorate_replayer::{ReplayRequest, ReplayResponse};
use quorate_request::{
    Account, AddressFormat, CreateWallet, Curve, Identifier, KeyReference, Label, PathFormat,
    SignTransaction, Stamp, Submit, TransactionFormat,
};

use crate::common::{self, Instance, World};

/// The most that one transaction may cost, in wei.
pub(crate) const LIMIT: u128 = 1_000_000;
const CHAIN: u64 = 11_155_111;
/// No wait of these tests is longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// The static binary of an application, built before the tests by `./test`.
fn binary(name: &str) -> Vec<u8> {
    let folder = std::env::var_os("QUORATE_BINARIES").map_or_else(
        || {
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("../target/x86_64-unknown-linux-musl/release")
        },
        PathBuf::from,
    );
    let path = folder.join(format!("quorate-{name}"));
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}. These tests start real applications: build them with `cargo build \
             --release --target x86_64-unknown-linux-musl -p quorate-{name}`, or run ./test",
            path.display()
        )
    })
}

fn entry(name: &str, binary: &[u8], port: Option<u32>, calls: &[&str]) -> Application {
    let mut entry = common::application(name, binary);
    entry.ports = port.into_iter().collect();
    entry.calls = calls.iter().map(|name| Name::new(name).unwrap()).collect();
    entry.memory_limit = 1 << 30;
    entry.restart.restarts = 20;
    entry
}

/// An instance with the four applications.
pub(crate) struct System {
    pub(crate) world: World,
    pub(crate) instance: Instance,
}

impl System {
    pub(crate) fn start() -> Self {
        let mut world = World::new(2, 2);
        let (record, shares) = world.genesis();
        let names = ["key-generation", "policy", "replayer", "signing"];
        let binaries = names.map(binary);
        let mut fields = world.manifest_fields(&record, &binaries[0]);
        fields.applications = vec![
            entry("key-generation", &binaries[0], None, &[]),
            entry(
                "policy",
                &binaries[1],
                Some(5100),
                &["key-generation", "signing"],
            ),
            entry("replayer", &binaries[2], Some(5101), &["signing"]),
            entry("signing", &binaries[3], None, &[]),
        ];
        fields.applications[0].shares = vec![Name::new("signing").unwrap()];
        let chain = vec![world.approved(fields)];
        let enclave = world.start();
        binaries.iter().for_each(|binary| enclave.upload(binary));
        let request = BootRequest {
            record: record.clone(),
            chain: chain.clone(),
        };
        let booted = match enclave.ask(&Request::Boot(request)) {
            Response::Booted(booted) => *booted,
            other => panic!("{other:?}"),
        };
        let instance = Instance {
            enclave,
            record,
            chain,
            shares,
            booted,
        };
        instance.provision(&world, &[0, 1]);
        Self { world, instance }
    }

    pub(crate) fn connect(&self, port: u32) -> UnixStream {
        let folder = &self.instance.enclave.started.directory;
        connect(&folder.join(format!("port-{port}.sock")))
    }

    /// Shows signing a ticket through the replayer; the reason of its refusal.
    pub(crate) fn replay(&self, redeem: &Redeem) -> Option<AppReason> {
        let request = ReplayRequest::Show(Box::new(redeem.clone()));
        match ask(&mut self.connect(5101), &request) {
            Some(ReplayResponse::Answered(answer)) => match *answer {
                Redeemed::Refused(refusal) => Some(refusal.reason),
                _ => None,
            },
            other => panic!("signing did not answer: {other:?}"),
        }
    }

    /// Kills an application and waits until its next start is ready.
    pub(crate) fn restart(&self, name: &str) {
        let starts = self.starts(name).0;
        let pid = self.process(name);
        let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
        let since = Instant::now();
        while self.starts(name) != (starts + 1, true) {
            assert!(since.elapsed() < PATIENCE, "{name} does not start again");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn starts(&self, name: &str) -> (u64, bool) {
        let status = self.instance.enclave.status();
        let mut applications = status.applications.into_iter();
        let found = applications.find(|application| application.name.as_str() == name);
        let found = found.expect("an application of the manifest");
        (found.starts, found.ready)
    }

    /// The process of an application, found by the name init gave it.
    pub(crate) fn process(&self, name: &str) -> u32 {
        let init = self.instance.enclave.started.pid;
        let children = std::fs::read_to_string(format!("/proc/{init}/task/{init}/children"));
        let children = children.unwrap();
        let mut children = children.split_whitespace();
        let found = children.find(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.split(|byte| *byte == 0).next() == Some(name.as_bytes())
        });
        found.expect("a process of that name").parse().unwrap()
    }

    /// Evidence with every statement a client has collected.
    pub(crate) fn evidence(&self, client: &Client) -> Evidence {
        let nonce = common::nonce();
        let request = Request::Evidence(EvidenceRequest { nonce });
        let mut evidence = match self.instance.enclave.ask(&request) {
            Response::Evidence(evidence) => *evidence,
            other => panic!("{other:?}"),
        };
        for proof in client.proofs.lock().unwrap().iter() {
            let claim = proof.unverified();
            let mut starts = evidence.applications.iter_mut();
            let start = starts.find(|start| {
                let certificate = start.certificate.unverified();
                certificate.application == claim.application && certificate.start == claim.start
            });
            start.expect("a certificate").proofs.push(proof.clone());
        }
        evidence
    }
}

/// The owner of an organization.
pub(crate) struct Client {
    socket: PathBuf,
    key: portable::SigningKey,
    pub(crate) organization: Signed<Organization>,
    proofs: Mutex<Vec<Signed<ApplicationProof>>>,
    /// One time for all its requests, so that the same request is the same bytes.
    now: u64,
}

impl Client {
    pub(crate) fn found(system: &System) -> Self {
        let mut scalar = [0; 32];
        getrandom::fill(&mut scalar).unwrap();
        // Below the order.
        scalar[0] &= 0x7f;
        let owner = P256::from_slice(&scalar).unwrap();
        let founding = Founding {
            genesis: system.instance.record.digest(),
            owner: VerificationKey::of(&owner),
            limit: Wei::from_u128(LIMIT),
            chain: CHAIN,
            nonce: Bytes::new(vec![0; 16]).unwrap(),
        };
        let folder = &system.instance.enclave.started.directory;
        let socket = folder.join("port-5100.sock");
        let request = PolicyRequest::Found(Box::new(Signed::sign(founding, &owner)));
        let organization = match ask(&mut connect(&socket), &request) {
            Some(PolicyResponse::Founded(organization)) => *organization,
            other => panic!("{other:?}"),
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Self {
            socket,
            key: portable::SigningKey::from_scalar(&scalar).unwrap(),
            organization,
            proofs: Mutex::default(),
            now: u64::try_from(now.as_millis()).unwrap(),
        }
    }

    pub(crate) fn wallet(&mut self) -> MadeWallet {
        let account = Account {
            curve: Curve::Secp256k1,
            path_format: PathFormat::Bip32,
            path: "m/44'/60'/0'/0/0".into(),
            address_format: AddressFormat::Ethereum,
            name: None,
        };
        let parameters = CreateWallet {
            wallet_name: Label::new("wallet").unwrap(),
            accounts: vec![account],
            mnemonic_length: None,
        };
        let request = quorate_request::Request::CreateWallet(self.around(parameters));
        let completed = completed(self.submit(&self.stamped(&request, None)));
        match completed.result {
            Outcome::Wallet(made) => *made,
            Outcome::Transaction(_) => panic!("a wallet was asked for"),
        }
    }

    /// Asks for a transfer that costs at most so much.
    pub(crate) fn pay(&self, account: &SealedAccount, cost: u128, nonce: u64) -> PolicyResponse {
        self.submit(&self.payment(account, cost, nonce))
    }

    pub(crate) fn payment(&self, account: &SealedAccount, cost: u128, nonce: u64) -> Submission {
        self.payment_from(account, account, cost, nonce)
    }

    /// As [`payment`](Self::payment), with the key of another account beside it.
    pub(crate) fn payment_from(
        &self,
        signer: &SealedAccount,
        carried: &SealedAccount,
        cost: u128,
        nonce: u64,
    ) -> Submission {
        let transaction = Unsigned::new(Eip1559 {
            chain_id: CHAIN,
            nonce,
            max_priority_fee_per_gas: 1,
            max_fee_per_gas: 1,
            gas_limit: 21_000,
            to: Some(Address::new([0x11; 20])),
            value: U256::from(cost - 21_000),
            data: Vec::new(),
            access_list: Vec::new(),
        });
        let parameters = SignTransaction {
            key: KeyReference::SignWith(
                Identifier::new(&signer.account.address.to_string()).unwrap(),
            ),
            unsigned_transaction: to_hex(transaction.unwrap().as_bytes()),
            format: TransactionFormat::Ethereum,
        };
        let request = quorate_request::Request::SignTransaction(self.around(parameters));
        let mut carried = carried.clone();
        // Whoever steals a key says that it is the account's.
        carried.account = signer.account.clone();
        self.stamped(&request, Some(carried))
    }

    fn around<P>(&self, parameters: P) -> Submit<P> {
        let id = Uuid::of(&self.organization.digest()).to_string();
        Submit {
            timestamp_ms: self.now,
            organization_id: Identifier::new(&id).unwrap(),
            parameters,
            generate_app_proofs: true,
        }
    }

    fn stamped(
        &self,
        request: &quorate_request::Request,
        account: Option<SealedAccount>,
    ) -> Submission {
        let body = request.to_json().into_bytes();
        let stamp = Stamp::make(&self.key, &body).unwrap();
        Submission {
            body: Bytes::new(body).unwrap(),
            stamp: Text::new(&stamp).unwrap(),
            organization: self.organization.clone(),
            account,
        }
    }

    pub(crate) fn submit(&self, submission: &Submission) -> PolicyResponse {
        self.try_submit(submission).expect("an answer")
    }

    fn try_submit(&self, submission: &Submission) -> Option<PolicyResponse> {
        let request = PolicyRequest::Submit(Box::new(submission.clone()));
        let answer = ask(&mut connect(&self.socket), &request)?;
        let mut new = Vec::new();
        match &answer {
            PolicyResponse::Completed(completed) => {
                new.push(completed.decision.clone());
                new.push(match &completed.result {
                    Outcome::Wallet(made) => made.proof.clone(),
                    Outcome::Transaction(signed) => signed.proof.clone(),
                });
            }
            PolicyResponse::Denied(denied) => new.push(denied.decision.clone()),
            _ => {}
        }
        let mut proofs = self.proofs.lock().unwrap();
        new.retain(|proof| !proofs.contains(proof));
        proofs.extend(new);
        Some(answer)
    }

    /// Sends the same request again until it is done, as a client would.
    pub(crate) fn until_done(&self, submission: &Submission) -> Completed {
        let since = Instant::now();
        loop {
            match self.try_submit(submission) {
                Some(PolicyResponse::Completed(completed)) => return *completed,
                Some(PolicyResponse::Refused(refusal)) => {
                    let again = [AppReason::Unavailable, AppReason::TicketForAnotherStart];
                    assert!(again.contains(&refusal.reason), "{refusal}");
                }
                None => {}
                other => panic!("{other:?}"),
            }
            assert!(since.elapsed() < PATIENCE, "it is not done");
        }
    }

    /// What somebody who saw everything could show again.
    pub(crate) fn captured(&self, completed: &Completed, account: &SealedAccount) -> Redeem {
        Redeem {
            ticket: completed.ticket.clone(),
            operation: completed.operation.clone(),
            account: Some(account.sealed.clone()),
        }
    }
}

fn connect(path: &Path) -> UnixStream {
    let stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// One question; `None` if the connection ended without an answer.
pub(crate) fn ask<Q: Object, A: Object + Sizes>(stream: &mut UnixStream, request: &Q) -> Option<A> {
    stream.write_all(&frame(&to_bytes(request)).unwrap()).ok()?;
    let mut assembler = Assembler::new();
    loop {
        let mut buffer = vec![0; assembler.wanted::<A>().unwrap().min(1 << 16)];
        let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
        if let Some(payload) = assembler.push::<A>(&buffer[..count]).unwrap() {
            return Some(from_bytes(&payload).unwrap());
        }
    }
}

#[track_caller]
pub(crate) fn completed(response: PolicyResponse) -> Completed {
    match response {
        PolicyResponse::Completed(completed) => *completed,
        other => panic!("not completed: {other:?}"),
    }
}

#[track_caller]
pub(crate) fn signed(response: PolicyResponse) -> SignedTransaction {
    match completed(response).result {
        Outcome::Transaction(signed) => *signed,
        Outcome::Wallet(_) => panic!("a signature was asked for"),
    }
}

#[track_caller]
pub(crate) fn denied(response: PolicyResponse) -> Denied {
    match response {
        PolicyResponse::Denied(denied) => *denied,
        other => panic!("not denied: {other:?}"),
    }
}

#[track_caller]
pub(crate) fn refused(response: PolicyResponse) -> AppReason {
    match response {
        PolicyResponse::Refused(refusal) => refusal.reason,
        other => panic!("not refused: {other:?}"),
    }
}
