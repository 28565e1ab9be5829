//! Requests and stamps against Turnkey's own clients, run by node.
//!
//! `./test --only oracles` installs the packages that `oracles/turnkey/package-lock.json` pins and names
//! their folder in `QUORATE_TURNKEY`. Without it these tests say so and do nothing.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use quorate_es256::{SigningKey as _, VerifyingKey as _, portable};
use quorate_request::{Fingerprint, Request, STAMP_HEADER, Stamp, VerifyError};
use serde_json::{Value, json};

fn client() -> Option<PathBuf> {
    let folder = std::env::var_os("QUORATE_TURNKEY");
    if folder.is_none() {
        println!("QUORATE_TURNKEY is unset: nothing is compared with Turnkey's clients");
    }
    folder.map(PathBuf::from)
}

/// Answers to commands, by one run of node.
fn ask(folder: PathBuf, commands: &[Value]) -> Vec<Value> {
    let mut child = Command::new("node")
        .arg("client.mjs")
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node runs");
    let text: String = commands
        .iter()
        .map(|command| format!("{command}\n"))
        .collect();
    let mut input = child.stdin.take().expect("a pipe");
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = child.wait_with_output().expect("node ends");
    writer.join().expect("no panic").expect("node reads");
    assert!(output.status.success(), "see the error of node above");
    let text = String::from_utf8(output.stdout).expect("text");
    let answers: Vec<_> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(answers.len(), commands.len());
    answers
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn secret(number: u8) -> [u8; 32] {
    let mut bytes = [number; 32];
    bytes[0] = 0x2a;
    bytes
}

fn create_wallet(number: u8) -> Value {
    let account = |index: u32| {
        json!({
            "curve": "CURVE_SECP256K1", "pathFormat": "PATH_FORMAT_BIP32",
            "path": format!("m/44'/60'/0'/0/{index}"), "addressFormat": "ADDRESS_FORMAT_ETHEREUM",
        })
    };
    let accounts: Vec<Value> = (0..u32::from(number % 4)).map(account).collect();
    json!({
        "type": "ACTIVITY_TYPE_CREATE_WALLET", "timestampMs": format!("17641000000{number:02}"),
        "organizationId": "7f1d1f0a-5a3e-4c0b-9a34-2f9f4c0d8e11",
        // Letters, quotes, a letter of two UTF-16 units.
        "parameters": {"walletName": format!("Wallet \"№{number}\" \\ 𝄞"), "accounts": accounts, "mnemonicLength": 24},
    })
}

fn sign_transaction(number: u8) -> Value {
    json!({
        "type": "ACTIVITY_TYPE_SIGN_TRANSACTION_V2", "timestampMs": format!("17641000000{number:02}"),
        "organizationId": "7f1d1f0a-5a3e-4c0b-9a34-2f9f4c0d8e11",
        "parameters": {
            "signWith": "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf",
            "unsignedTransaction": "02".repeat(usize::from(number) + 1), "type": "TRANSACTION_TYPE_ETHEREUM",
        },
        "generateAppProofs": number.is_multiple_of(2),
    })
}

/// What their clients send, with each of their two signers, is authentic and reads as a request;
/// and a body with one more byte is not.
#[test]
fn what_their_clients_send_is_taken() {
    let Some(folder) = client() else { return };
    let mut commands = Vec::new();
    for number in 0..24 {
        let key = portable::SigningKey::from_scalar(&secret(number)).expect("a key");
        let (call, input) = match number % 2 {
            0 => ("stampCreateWallet", create_wallet(number)),
            _ => ("stampSignTransaction", sign_transaction(number)),
        };
        let runtime = if number % 3 == 0 { "purejs" } else { "node" };
        commands.push(json!({
            "op": "submit", "publicKey": hex(&key.public_key()), "privateKey": hex(&secret(number)),
            "runtime": runtime, "call": call, "input": input,
        }));
    }
    for (command, answer) in commands.iter().zip(ask(folder, &commands)) {
        let text = |key: &str| answer[key].as_str().expect("text");
        assert_eq!(text("header"), STAMP_HEADER);
        let stamp = Stamp::decode(text("stamp")).expect("a stamp");
        assert_eq!(hex(stamp.public_key()), command["publicKey"]);
        let key = portable::VerifyingKey::from_sec1(stamp.public_key()).expect("a key");
        let body = text("body");
        let authentic = stamp.verify(&key, body.as_bytes()).expect("authentic");
        assert_eq!(authentic.fingerprint().to_string(), text("fingerprint"));
        let request = authentic.request().expect("a request");
        let timestamp = command["input"]["timestampMs"].as_str().expect("text");
        assert_eq!(request.timestamp_ms().to_string(), timestamp);
        let longer = format!("{body} ");
        assert_eq!(
            stamp.verify(&key, longer.as_bytes()),
            Err(VerifyError::BadSignature)
        );
    }
}

/// Our bodies are what their clients would write for the same request, byte for byte, and our stamps
/// verify with their library; changed ones do not.
#[test]
fn what_we_send_they_take() {
    let Some(folder) = client() else { return };
    let (mut commands, mut expected) = (Vec::new(), Vec::new());
    for number in 0..24 {
        let key = portable::SigningKey::from_scalar(&secret(number)).expect("a key");
        let input = if number % 2 == 0 {
            create_wallet(number)
        } else {
            sign_transaction(number)
        };
        let theirs = input.to_string();
        let request = Request::parse(theirs.as_bytes()).expect("a request");
        let body = request.to_json();
        assert_eq!(Request::parse(body.as_bytes()), Ok(request));
        let stamp = Stamp::make(&key, body.as_bytes()).expect("a stamp");
        commands.push(json!({"op": "verify", "body": body, "stamp": stamp}));
        expected.push((true, hex(&key.public_key())));
        commands.push(json!({"op": "verify", "body": format!("{body} "), "stamp": stamp}));
        expected.push((false, hex(&key.public_key())));
        assert_eq!(Fingerprint::of(body.as_bytes()).to_string().len(), 71);
    }
    for (answer, (good, key)) in ask(folder, &commands).iter().zip(expected) {
        assert_eq!(answer["good"], good);
        assert_eq!(answer["publicKey"], key);
        assert_eq!(answer["scheme"], "SIGNATURE_SCHEME_TK_API_P256");
    }
}
