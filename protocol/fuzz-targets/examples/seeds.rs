//! Writes the seeds of the targets that are not objects of the contract: `made-*` files below
//! `protocol/corpus/`. `cargo run -p quorate-fuzz-targets --example seeds`; the seeds of objects
//! come from `cargo run -p quorate-vectors`.

use std::path::Path;
use std::{fs, io};

use quorate_fuzz_targets::development;
use quorate_init::nsm::wire::{Request, Response};
use quorate_protocol::atoms::Name;
use quorate_quorum_ceremony::pins::Pins;
use quorate_vectors::committed::{cases, folder};
use quorate_vectors::hex;
use sha2::{Digest as _, Sha256};

fn main() -> io::Result<()> {
    let mut seeds = security_module();
    seeds.push(("trust-anchor", development::root().to_vec()));
    for case in cases("evidence") {
        seeds.push(("evidence-verification", case.bytes));
    }
    let name = Name::new("alice").expect("a name");
    seeds.push(("pins", Pins::new(name).to_bytes()));
    seeds.push(("key-file", key_file()));
    for text in [
        "echo=target/echo",
        "echo=echo,port=5100,port=5101,memory=67108864,restarts=3,arg=--log,env=A=b",
        "=,port=-1",
    ] {
        seeds.push(("application-spec", text.as_bytes().to_vec()));
    }
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
