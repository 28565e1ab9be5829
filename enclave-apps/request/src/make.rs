//! Writing requests, for tools and tests: the text that the contract's own clients write.
//!
//! Guarantees: what is written reads as the same [`Request`].
//! Trusts: the caller. Does not: bound the size; who reads it does.

use alloc::string::String;
use core::fmt::Write as _;

use crate::activity::{CREATE_WALLET, Request, SIGN_TRANSACTION, SIGN_TRANSACTION_V2, Submit};
use crate::parameters::{
    ADDRESS_FORMATS, Account, CURVES, CreateWallet, KeyReference, PATH_FORMATS, SignTransaction,
    TRANSACTION_FORMATS,
};

impl Request {
    /// The body of this request.
    pub fn to_json(&self) -> String {
        let mut out = Object::new();
        match self {
            Self::CreateWallet(submit) => {
                let parameters = create_wallet(&submit.parameters);
                envelope(&mut out, CREATE_WALLET, submit, parameters);
            }
            Self::SignTransaction(submit) => {
                let name = match submit.parameters.key {
                    KeyReference::PrivateKeyId(_) => SIGN_TRANSACTION,
                    KeyReference::SignWith(_) => SIGN_TRANSACTION_V2,
                };
                let parameters = sign_transaction(&submit.parameters);
                envelope(&mut out, name, submit, parameters);
            }
        }
        out.finish()
    }
}

fn envelope<P>(out: &mut Object, name: &str, submit: &Submit<P>, parameters: String) {
    out.text("type", name);
    let mut time = String::new();
    // Writing to a String cannot fail.
    let _ = write!(time, "{}", submit.timestamp_ms);
    out.text("timestampMs", &time);
    out.text("organizationId", submit.organization_id.as_str());
    out.raw("parameters", &parameters);
    if submit.generate_app_proofs {
        out.raw("generateAppProofs", "true");
    }
}

fn create_wallet(parameters: &CreateWallet) -> String {
    let mut out = Object::new();
    out.text("walletName", parameters.wallet_name.as_str());
    let mut accounts = String::from("[");
    for (at, each) in parameters.accounts.iter().enumerate() {
        if at > 0 {
            accounts.push(',');
        }
        accounts.push_str(&account(each));
    }
    accounts.push(']');
    out.raw("accounts", &accounts);
    if let Some(length) = parameters.mnemonic_length {
        let mut words = String::new();
        let _ = write!(words, "{}", length.words());
        out.raw("mnemonicLength", &words);
    }
    out.finish()
}

fn account(account: &Account) -> String {
    let mut out = Object::new();
    out.text("curve", name(&CURVES, account.curve));
    out.text("pathFormat", name(&PATH_FORMATS, account.path_format));
    out.text("path", &account.path);
    out.text(
        "addressFormat",
        name(&ADDRESS_FORMATS, account.address_format),
    );
    if let Some(name) = &account.name {
        out.text("name", name.as_str());
    }
    out.finish()
}

fn sign_transaction(parameters: &SignTransaction) -> String {
    let mut out = Object::new();
    match &parameters.key {
        KeyReference::PrivateKeyId(id) => out.text("privateKeyId", id.as_str()),
        KeyReference::SignWith(id) => out.text("signWith", id.as_str()),
    }
    out.text("unsignedTransaction", &parameters.unsigned_transaction);
    out.text("type", name(&TRANSACTION_FORMATS, parameters.format));
    out.finish()
}

/// How the contract spells a value. Every value stands in its table.
fn name<T: Copy + PartialEq>(table: &[(&'static str, T)], value: T) -> &'static str {
    let mut entries = table.iter();
    entries
        .find(|(_, other)| *other == value)
        .map_or("", |(name, _)| name)
}

/// An object that is being written.
struct Object(String);

impl Object {
    fn new() -> Self {
        Self(String::from("{"))
    }

    fn raw(&mut self, key: &str, value: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        quote(&mut self.0, key);
        self.0.push(':');
        self.0.push_str(value);
    }

    fn text(&mut self, key: &str, value: &str) {
        let mut quoted = String::with_capacity(value.len().saturating_add(2));
        quote(&mut quoted, value);
        self.raw(key, &quoted);
    }

    fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

/// Escapes what JSON demands, and nothing else.
pub(crate) fn quote(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\0'..='\x1f' => {
                let _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            _ => out.push(character),
        }
    }
    out.push('"');
}
