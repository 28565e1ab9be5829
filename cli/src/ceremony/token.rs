//! `quorate ceremony token`: what the tokens of this machine are, can do and lack, without a PIN.

use quorate_quorum_ceremony::CeremonyError;
use quorate_quorum_ceremony::keys::LockedKeys;
use quorate_quorum_ceremony::private::PrivateFolder;
use quorate_quorum_ceremony::steps::join::JoinedToken;
use quorate_quorum_ceremony::token::TokenKeysError;
use quorate_screens::{Body, Page, PinTries, Verdict};
use quorate_token::{Module, TokenReport, Tries};
use quorate_twins::Twin as _;
use serde_json::{Value, json};

use super::arguments::{TokenCheckArguments, TokenCommand, TokenListArguments};
use super::report::Report;
use super::screen::{self, Way};
use super::{protect, unlock};
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Looks at tokens.
pub(super) fn run(command: &TokenCommand, output: Output) -> Result<Exit, Failure> {
    protect(output)?;
    match command {
        TokenCommand::List(a) => list(a, output)?,
        TokenCommand::Check(a) => check(a, output)?,
    }
    Ok(Exit::Success)
}

fn list(a: &TokenListArguments, output: Output) -> Result<(), Failure> {
    let module = Module::load(&a.module).map_err(CeremonyError::from)?;
    let tokens = module.tokens().map_err(CeremonyError::from)?;
    let mut lines = Vec::new();
    for token in &tokens {
        lines.push(token.uri().to_string());
        lines.extend(about(token).into_iter().map(|line| format!("  {line}")));
    }
    let title = match tokens.len() {
        0 => "no token is there".to_owned(),
        1 => "1 token is there".to_owned(),
        count => format!("{count} tokens are there"),
    };
    let values = tokens.iter().map(value).collect();
    let mut report = Report::new("token-list", title).row("tokens", "tokens", lines, values);
    if tokens.is_empty() {
        report = report.note(
            "put one in, or name another module with --module; a token that was never set up needs \
             its own tool first (SoftHSM: softhsm2-util --init-token --free --label NAME)",
        );
    }
    output.print(&report)
}

/// Everything about the pinned token, or why it does not serve.
fn check(a: &TokenCheckArguments, output: Output) -> Result<(), Failure> {
    let private = PrivateFolder::open(&a.private).map_err(CeremonyError::from)?;
    let keys = private.keys()?;
    let LockedKeys::Token(pinned) = &keys else {
        return Err(CeremonyError::from(TokenKeysError::NeedsPassphrase).into());
    };
    let module = unlock::load(a.module.as_deref().or(pinned.module.as_deref()))?;
    let token = pinned.file.find(module)?;
    let (now, then) = (token.report(), pinned.file.identity());
    let title = format!("the token of {} is there", keys.name());
    let mut report = Report::new("token-check", title)
        .fact("name", "name", keys.name())
        .row("token", "token", about(now), value(now))
        .row(
            "joined_with",
            "joined with",
            vec![then.to_string()],
            then.twin(),
        )
        .fact("signing_key", "signing key", keys.public().signing)
        .row(
            "module",
            "module",
            vec![token.module().display().to_string()],
            token.module().display().to_string().into(),
        );
    if now.identity.firmware != then.firmware {
        report = report.note("its firmware is another one than when you joined");
    }
    if now.tries != Tries::NotReduced {
        report = report.note(now.tries.to_string());
    }
    let way = Way::of_reader(output);
    if way == Way::Screen {
        screen::read(output, way, page(&report, now.tries), None)?;
    }
    output.print(&report)
}

/// The same as a page.
fn page(report: &Report, tries: Tries) -> Page {
    Page {
        title: report.title().into(),
        verdict: Verdict::ForInformation,
        development: false,
        age: None,
        body: Body::Token {
            rows: report.rows(|_| None),
            tries: match tries {
                Tries::NotReduced => PinTries::NotReduced,
                Tries::Reduced => PinTries::Reduced,
                Tries::Last => PinTries::Last,
                Tries::Locked => PinTries::Locked,
            },
        },
        notes: report.notes(),
        confirm: None,
    }
}

/// Rows about the token somebody joined with, if they did.
pub(super) fn joined(report: Report, token: Option<&JoinedToken>) -> Report {
    let Some(token) = token else { return report };
    let drawn = match token.drawn_on_token {
        Some(true) => "made by the token itself",
        Some(false) => "brought into the token from outside: copies may exist",
        None => "the token does not tell where they come from",
    };
    let text = token.identity.to_string();
    report
        .row("token", "token", vec![text], token.identity.twin())
        .row("drawn_on_token", "keys", vec![drawn.into()], {
            json!(token.drawn_on_token)
        })
}

fn about(token: &TokenReport) -> Vec<String> {
    let mut lines = vec![token.identity.to_string()];
    let pin = match (token.has_pin, token.pin_on_token) {
        (false, _) => "no user PIN was set yet: set one with the token's own tool".to_owned(),
        (true, false) => format!("PIN: {}", token.tries),
        (true, true) => format!("PIN, typed on the token: {}", token.tries),
    };
    lines.push(pin);
    let missing = token.abilities.missing();
    if missing.is_empty() {
        lines.push("signs and derives on P-256".to_owned());
    }
    lines.extend(missing.iter().map(|ability| format!("MISSING: {ability}")));
    if !token.abilities.generate || token.write_protected {
        lines.push("makes no keys here: make them with its own tool and name them".to_owned());
    }
    lines
}

fn value(token: &TokenReport) -> Value {
    let missing: Vec<_> = token.abilities.missing();
    let missing: Vec<_> = missing.iter().map(ToString::to_string).collect();
    json!({
        "uri": token.uri().to_string(),
        "label": token.label.as_str(),
        "identity": token.identity.twin(),
        "tries": token.tries.name(),
        "has_pin": token.has_pin,
        "pin_on_token": token.pin_on_token,
        "write_protected": token.write_protected,
        "makes_keys": token.abilities.generate && !token.write_protected,
        "missing": missing,
    })
}
