//! Writes the seeds of the targets that are not objects of the contract: `made-*` files below
//! `protocol/corpus/`. `cargo run -p quorate-fuzz-targets --example seeds`; the seeds of objects
//! come from `cargo run -p quorate-vectors`.

use std::path::Path;
use std::{fs, io};

use quorate_chain::ethereum::{Access, Address, Eip1559, Parity, Signature, Signed, Unsigned};
use quorate_chain::{U256, to_hex};
use quorate_es256::{SigningKey as _, portable, sha256};
use quorate_fuzz_targets::development;
use quorate_init::nsm::wire::{Request, Response};
use quorate_protocol::atoms::Name;
use quorate_protocol::call::call_message;
use quorate_protocol::digest::Digest;
use quorate_quorum_ceremony::pins::Pins;
use quorate_quorum_ceremony::place::Binding;
use quorate_quorum_ceremony::plan::CeremonyId;
use quorate_request::Stamp;
use quorate_transcript::words;
use quorate_vectors::committed::{cases, folder};
use quorate_vectors::hex;
use quorate_wallet::Mnemonic;
use sha2::{Digest as _, Sha256};

/// Plans with measurements in them and beside them.
fn plans() -> [String; 2] {
    let head = "format = 1\nid = \"00112233445566778899aabbccddeeff\"\nnamespace = \"treasury\"\n\
                members = [\"alice\", \"bob\"]\nshare_threshold = 2\nmanifest_threshold = 2\n\
                manifest_members = [\"carol\", \"bob\"]\npartition = \"development\"\n";
    let root = format!("root = \"{}\"\n", "5a".repeat(32));
    let pcr = "a5".repeat(48);
    let here = format!(
        "[measurements]\npcr0 = \"{pcr}\"\npcr1 = \"{pcr}\"\npcr2 = \"{pcr}\"\n\
         role_arn = \"arn:aws:iam::1:role/a\"\n"
    );
    [
        format!("{head}{root}{here}"),
        format!("{head}{root}measurements = \"image.json\"\n"),
    ]
}

fn main() -> io::Result<()> {
    let mut seeds = security_module();
    seeds.push(("trust-anchor", development::root().to_vec()));
    for case in cases("evidence") {
        seeds.push(("evidence-verification", case.bytes));
    }
    seeds.extend(vectors());
    let name = Name::new("alice").expect("a name");
    seeds.push(("pins", Pins::new(name).to_bytes()));
    seeds.push(("key-file", key_file()));
    for text in plans() {
        seeds.push(("ceremony-plan", text.into_bytes()));
    }
    for id in [None, Some(CeremonyId([7; 16]))] {
        let folder = "/srv/ceremony".into();
        let binding = Binding { folder, id }.to_bytes();
        seeds.push(("ceremony-binding", binding.expect("a path of text")));
    }
    for text in [
        "echo=target/echo",
        "echo=echo,port=5100,port=5101,memory=67108864,restarts=3,arg=--log,env=A=b",
        "=,port=-1",
        "fetch=fetch,egress=api.example.com:443+b.example:8443,port=5102",
    ] {
        seeds.push(("application-spec", text.as_bytes().to_vec()));
    }
    for case in cases("transcript") {
        seeds.push(("transcript-verification", case.bytes));
    }
    seeds.extend(spoken());
    seeds.extend(calls());
    seeds.extend(requests());
    seeds.extend(transactions());
    let count = seeds.len();
    for (target, bytes) in seeds {
        let folder = folder().join("corpus").join(target);
        fs::create_dir_all(&folder)?;
        write(&folder, &bytes)?;
    }
    println!("{count} seeds written");
    Ok(())
}

fn write(folder: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = format!("made-{}", hex(&Sha256::digest(bytes)[..8]));
    fs::write(folder.join(name), bytes)
}

/// A conversation with the emulated device, and the documents it signs.
fn security_module() -> Vec<(&'static str, Vec<u8>)> {
    let mut device = development::device().expect("a device");
    let requests = [
        Request::DescribeNsm,
        Request::DescribePcr { index: 0 },
        Request::DescribePcr { index: 99 },
        Request::ExtendPcr {
            index: 16,
            data: &[1; 48],
        },
        Request::LockPcr { index: 16 },
        Request::LockPcrs { range: 17 },
        Request::GetRandom,
        Request::Attestation {
            user_data: Some(b"user data"),
            nonce: Some(&[0x5a; 32]),
            public_key: Some(&[4; 130]),
        },
        Request::Attestation {
            user_data: None,
            nonce: None,
            public_key: None,
        },
    ];
    let mut seeds = Vec::new();
    for request in requests {
        let request = request.encode().expect("a short request");
        let response = device.process(&request, development::NOW_MS);
        if let Ok(Response::Attestation { document }) = Response::decode(&response) {
            seeds.push(("attestation-document", document.to_vec()));
            seeds.push(("attestation-verification", document.to_vec()));
        }
        seeds.push(("nsm-request", request));
        seeds.push(("nsm-response", response));
    }
    seeds
}

/// Fingerprints as they are typed: well, in rows, and with a word too few.
fn spoken() -> Vec<(&'static str, Vec<u8>)> {
    let fingerprint = Digest::from_bytes(core::array::from_fn(|at| (at as u8).wrapping_mul(31)));
    let words = words::words(&fingerprint);
    let typed = [
        words.join(" "),
        words::rows(&fingerprint).join("\n"),
        words[1..].join(", "),
    ];
    typed
        .map(|text| ("transcript-words", text.into_bytes()))
        .into()
}

/// Messages of a call edge: empty, several, without an end, and one that is too long.
fn calls() -> Vec<(&'static str, Vec<u8>)> {
    let message = |number, payload: &[u8]| call_message(number, payload).expect("a short message");
    let several: Vec<u8> = (1..=4)
        .flat_map(|number| message(number, &[7; 300][..75 * number as usize]))
        .collect();
    let too_long = [[0x00, 0x10, 0x00, 0x01].as_slice(), &[0; 8], &[1; 20]].concat();
    let streams = [
        message(1, &[]),
        several.clone(),
        several[..several.len() - 5].to_vec(),
        too_long.clone(),
        [several, too_long].concat(),
    ];
    let cut = |stream: Vec<u8>| ("calls", [&[3], stream.as_slice()].concat());
    streams.map(cut).into()
}

/// Bodies and stamps as clients send them, their signatures, and words and paths of wallets.
fn requests() -> Vec<(&'static str, Vec<u8>)> {
    let mut seeds = Vec::new();
    let secret = portable::SigningKey::from_scalar(&[7; 32]).expect("a key");
    for body in [
        r#"{"type":"ACTIVITY_TYPE_CREATE_WALLET","timestampMs":"1764100000000","organizationId":"a1-b2","parameters":{"walletName":"W \"\u00e9\ud834\udd1e","accounts":[{"curve":"CURVE_SECP256K1","pathFormat":"PATH_FORMAT_BIP32","path":"m/44'/60'/0'/0/0","addressFormat":"ADDRESS_FORMAT_ETHEREUM","name":"a"}],"mnemonicLength":24}}"#,
        r#"{"type":"ACTIVITY_TYPE_SIGN_TRANSACTION_V2","timestampMs":"1764100000000","organizationId":"o","parameters":{"signWith":"0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf","unsignedTransaction":"02c0","type":"TRANSACTION_TYPE_ETHEREUM"},"generateAppProofs":null}"#,
        r#"{"type":"ACTIVITY_TYPE_SIGN_TRANSACTION","parameters":{"privateKeyId":"k","unsignedTransaction":"0x02c0","type":"TRANSACTION_TYPE_ETHEREUM"},"organizationId":"o","timestampMs":"0"}"#,
        r#"[null, true, false, -12, "", {"a": {"a": []}, "b": 0}]"#,
        r#"{"a":1,"a":2}"#,
    ] {
        seeds.push(("activity-request", body.as_bytes().to_vec()));
        let header = Stamp::make(&secret, body.as_bytes()).expect("a stamp");
        seeds.push(("stamp", header.into_bytes()));
        let signature = secret.sign(body.as_bytes()).expect("a signature");
        let parts = [
            &sha256(body.as_bytes())[..],
            &signature.to_raw(),
            &secret.public_key(),
        ];
        seeds.push(("es256", parts.concat()));
        seeds.push(("es256", signature.to_der()));
    }
    for text in [
        "m",
        "m/44'/60'/0'/0/0",
        "m/2147483647h/0H",
        "m/00",
        "m/1/2/3/4/5/6/7/8/9/10/11",
    ] {
        seeds.push(("derivation-path", text.as_bytes().to_vec()));
    }
    for length in [16, 20, 24, 28, 32] {
        let mnemonic = Mnemonic::from_entropy(&vec![length; length.into()]).expect("a length");
        seeds.push(("mnemonic", mnemonic.phrase().as_bytes().to_vec()));
    }
    seeds
}

/// Transactions as bytes and as text, and other lists.
fn transactions() -> Vec<(&'static str, Vec<u8>)> {
    let mut seeds = Vec::new();
    let signature = Signature::new(Parity::Odd, &[0x11; 32], &[0x22; 32]).expect("in range");
    let access = Access {
        address: Address::new([1; 20]),
        storage_keys: vec![[2; 32], [3; 32]],
    };
    for (to, data, access_list) in [
        (Some(Address::new([0x35; 20])), vec![], vec![]),
        (None, vec![0x60; 80], vec![]),
        (Some(Address::new([0; 20])), vec![1; 300], vec![access]),
    ] {
        let unsigned = Unsigned::new(Eip1559 {
            chain_id: 1,
            nonce: 0,
            max_priority_fee_per_gas: 1,
            max_fee_per_gas: u128::from(u64::MAX),
            gas_limit: 21_000,
            to,
            value: U256::from(1_000_000_000_000_000_000u64),
            data,
            access_list,
        })
        .expect("keeps the rules");
        let bytes = unsigned.as_bytes().to_vec();
        seeds.push(("rlp", bytes[1..].to_vec()));
        seeds.push(("unsigned-transaction", to_hex(&bytes).into_bytes()));
        seeds.push(("unsigned-transaction", bytes));
        let signed = Signed::new(unsigned, signature).expect("small");
        seeds.push(("signed-transaction", signed.as_bytes().to_vec()));
    }
    seeds.push(("rlp", vec![0xc7, 0xc0, 0xc1, 0xc0, 0xc3, 0xc0, 0xc1, 0xc0]));
    for text in [
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0x52908400098527886e0f7030069857d2e4169ee7",
        "1000000000000000000",
        "115792089237316195423570985008687907853269984665640564039457584007913129639936",
        "0xde0b6b3a7640000",
    ] {
        seeds.push(("chain-text", text.as_bytes().to_vec()));
    }
    seeds
}

/// Parts of the committed attestation vectors, and edits of them.
fn vectors() -> Vec<(&'static str, Vec<u8>)> {
    let document = include_bytes!("../../../verify/testdata/attestation/shapes/2021.bin");
    // Head, protected header, empty unprotected header, then the payload's head and the payload.
    let (before, rest) = document.split_at(7);
    let length = usize::from(u16::from_be_bytes([rest[1], rest[2]]));
    let (payload, after) = rest[3..].split_at(length);
    let certificate = |key: &[u8]| {
        let at = payload
            .windows(key.len())
            .position(|part| part == key)
            .expect("the field");
        let head = &payload[at + key.len()..];
        let length = usize::from(u16::from_be_bytes([head[1], head[2]]));
        head[3..3 + length].to_vec()
    };
    let mut seeds = vec![
        ("attestation-payload", payload.to_vec()),
        ("attestation-certificate", certificate(b"\x6bcertificate")),
        // After an array of four.
        ("attestation-certificate", certificate(b"\x68cabundle\x84")),
        ("attestation-cose", [&[7], before, after].concat()),
        ("attestation-cose", [&[8, 0xd2], before, after].concat()),
    ];
    // Each kind of edit, of items near the beginning, in the bundle and at the end.
    for operation in 0..10 {
        for place in [0, 4, 20, 47, 58] {
            let edit = vec![operation % 2, 0, place, operation, 0, 3, 1, 2];
            seeds.push(("attestation-mutation", edit));
        }
    }
    seeds
}

/// A key file as the contract of the ceremony writes it, with the least cost it accepts. It opens
/// with no passphrase.
fn key_file() -> Vec<u8> {
    let member = quorate_vectors::keys::verification("alice signing").to_compressed();
    let other = quorate_vectors::keys::encryption("alice encryption").to_compressed();
    let mut bytes = Vec::new();
    let mut e = minicbor::Encoder::new(&mut bytes);
    let written = e
        .map(2)
        .and_then(|e| e.u8(0)?.map(7))
        .and_then(|e| e.u8(0)?.u8(1)?.u8(1)?.str("alice"))
        .and_then(|e| e.u8(2)?.bytes(&member)?.u8(3)?.bytes(&other))
        .and_then(|e| {
            e.u8(4)?
                .map(3)?
                .u8(0)?
                .u32(65_536)?
                .u8(1)?
                .u8(3)?
                .u8(2)?
                .u8(4)
        })
        .and_then(|e| e.u8(5)?.bytes(&[1; 16])?.u8(6)?.bytes(&[2; 12]))
        .and_then(|e| e.u8(1)?.bytes(&[3; 80]).map(|_| ()));
    written.expect("a Vec takes all");
    bytes
}
