//! `quorate demo`: the whole path on this machine, with real processes.
//!
//! An emulator with a development root, an enclave that makes the key, one process for every act of
//! every person, an enclave that is given the key, applications in it that make a wallet and sign a
//! transfer, and a stranger who verifies the evidence. What people do goes through the same commands
//! they would type ([`crate::stage`]); this file only says in which order, and shows it.
//!
//! Guarantees: nothing is left behind but the results; with the first failure everything ends.
//!
//! Does not: prove anything about hardware. The root is a development root, and everything says so.

mod client;
mod results;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use self::client::{Client, Outcomes};
use self::results::Results;
use crate::arguments::Demo;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::stage::cast::{Binaries, Machine};
use crate::stage::children::EnclaveSockets;
use crate::stage::enclave::await_running;
use crate::stage::folder::{Maker, Out};
use crate::stage::party::Party;
use crate::stage::{Stage, check_threshold, interruption, mistake, show, text};

/// The role of the parent instances of a demo that forwards the key: an enclave gives it only to one
/// of its own role.
const ROLE: &str = "arn:aws:iam::000000000000:role/demo";

/// Runs it.
pub(crate) fn run(demo: &Demo, output: Output) -> Result<Exit, Failure> {
    check_threshold(demo.members, demo.threshold)?;
    let out = Out::check(&demo.out, Maker::Demo)?;
    let machine = match demo.machine {
        true => Machine::Of(demo.image.as_deref()),
        false => Machine::No,
    };
    let binaries = Binaries::find(demo.binaries.as_deref(), machine)?;
    let interrupted = interruption()?;
    let role = demo.forward.then_some(ROLE);
    let stage = Stage::set(binaries, role, output, Arc::clone(&interrupted))?;
    let party = Party::gather(
        &stage.workshop,
        (demo.members, demo.threshold),
        "demo",
        None,
    )?;
    let mut play = Play { stage, party };
    let enclave = play
        .perform(&out)
        .inspect_err(|_| play.stage.show_consoles())?;
    if demo.keep {
        play.keep(&enclave, &interrupted);
    }
    Ok(Exit::Success)
}

/// A demo under way.
struct Play {
    stage: Stage,
    party: Party,
}

impl Play {
    fn perform(&mut self, out: &Out) -> Result<EnclaveSockets, Failure> {
        let Self { stage, party } = self;
        stage.progress.say(&format!(
            "{} people, any {} of whom open the key; enclaves are {}, under a development root",
            party.people.len(),
            party.threshold,
            stage.binaries.base.words()
        ));
        let measurements = stage.measure()?;
        stage.define(party, &measurements)?;
        stage.consent(party)?;
        let born = stage.hold_genesis(party)?;
        let genesis = stage.receive(party, &born)?;
        stage.approve(party, &measurements)?;
        let enclave = stage.boot(party)?;
        stage.provision(party, &party.threshold_places(), &enclave)?;
        let outcomes = wallet(stage, &enclave, &genesis)?;
        let results = self.prove(&enclave, genesis, outcomes)?;
        let Self { stage, party } = self;
        stage.verify(results.evidence(), results.genesis())?;
        let enclave = match stage.emulator.role() {
            Some(_) => forward(stage, party, &enclave, &results)?,
            None => enclave,
        };
        let transcript = results.beside("transcript.cbor");
        stage.close(party, &transcript, results.genesis())?;
        let report = results.beside("report.html");
        stage.report(&transcript, results.evidence(), results.genesis(), &report)?;
        stage.step("publish", "the results are put in place", |stage| {
            out.publish(&results.files(stage.emulator.root())?)
        })?;
        let finished = results.finish(out.path(), stage.timings());
        stage.output.print(&finished)?;
        Ok(enclave)
    }

    /// The evidence is collected, with what the applications stated.
    fn prove(
        &mut self,
        enclave: &EnclaveSockets,
        genesis: String,
        outcomes: Outcomes,
    ) -> Result<Results, Failure> {
        let Self { stage, party } = self;
        let collected = stage.workshop.join("boot-proof.cbor");
        stage.step("evidence", "anyone collects the evidence", |stage| {
            party.coordinator(stage, "evidence", |arguments| {
                arguments.extend([text("--socket"), show(&enclave.operator)]);
                arguments.extend([text("--out"), show(&collected)]);
            })
        })?;
        let complete = stage.workshop.join("evidence.cbor");
        Results::collect(&collected, &complete, outcomes, &party.shared, genesis)
    }

    /// Leaves the system running until the person has had enough.
    fn keep(&self, enclave: &EnclaveSockets, interrupted: &AtomicBool) {
        let say = |line: String| self.stage.progress.say(&line);
        say(format!("operators    {}", enclave.operator.display()));
        say(format!("public       {}", enclave.public.display()));
        say(format!(
            "policy       {}",
            enclave.directory.join("port-5100.sock").display()
        ));
        say(format!("ceremony     {}", self.party.shared.display()));
        say("running until Ctrl-C".into());
        while !interrupted.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// An owner has a wallet made and a transfer signed; what must be refused is.
fn wallet(stage: &mut Stage, enclave: &EnclaveSockets, genesis: &str) -> Result<Outcomes, Failure> {
    let sockets = enclave.directory.clone();
    let mut client = stage.step(
        "organize",
        "an owner founds an organization with a spending limit",
        |_| Client::found(&sockets, genesis),
    )?;
    let mut wallet = stage.step("wallet", "key-generation makes it a wallet", |_| {
        client.wallet()
    })?;
    let account = match wallet.accounts.pop() {
        Some(account) if wallet.accounts.is_empty() => account,
        _ => return Err(mistake("the wallet has not the one account asked for")),
    };
    let transfer = stage.step("sign", "policy allows a transfer, signing signs it", |_| {
        client.transfer(&account)
    })?;
    let denied = stage.step(
        "deny",
        "one wei over the limit is refused by policy",
        |_| client.too_much(&account),
    )?;
    let replayed = stage.step(
        "replay",
        "the ticket shown again is refused by signing",
        |_| client.replay(&account, &transfer),
    )?;
    Ok(client.finish(&account, transfer, &denied, replayed))
}

/// The key goes on to a third enclave, which is given no share; the second one ends. A stranger
/// verifies the evidence of the third.
fn forward(
    stage: &mut Stage,
    party: &Party,
    from: &EnclaveSockets,
    results: &Results,
) -> Result<EnclaveSockets, Failure> {
    let to = stage.step(
        "enclave-3",
        "a third enclave without a key starts",
        |stage| {
            stage
                .emulator
                .start_enclave("successor", &stage.binaries.base)
        },
    )?;
    stage.step(
        "boot-3",
        "it checks the same manifest, and itself",
        |stage| party.boot(stage, &to),
    )?;
    stage.step(
        "forward",
        "the second verifies it, gives it the key and ends",
        |stage| {
            party.coordinator(stage, "forward", |arguments| {
                arguments.extend([text("--from"), show(&from.operator)]);
                arguments.extend([text("--to"), show(&to.operator)]);
            })
        },
    )?;
    stage.step("ready-3", "the applications run in the third", |_| {
        await_running(&to.public)
    })?;
    let evidence = show(&results.beside(results::SUCCESSOR));
    stage.step(
        "verify-3",
        "a stranger verifies where its key came from",
        |stage| {
            party.coordinator(stage, "evidence", |arguments| {
                arguments.extend([text("--socket"), show(&to.operator)]);
                arguments.extend([text("--out"), evidence.clone()]);
            })?;
            let root = show(stage.emulator.root());
            let command = ["verify", "evidence", &evidence, "--genesis"];
            let arguments = [&command[..], &[results.genesis(), "--root", &root]].concat();
            let told = stage.quorate.run(&arguments, None)?;
            if told["verdict"] == "accept" && told["facts"]["forwarded_from"].is_object() {
                return Ok(());
            }
            Err(mistake("the evidence does not say where the key came from"))
        },
    )?;
    Ok(to)
}
