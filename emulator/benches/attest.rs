//! What an attestation costs while the leaf is cached, and what making a device costs.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use getrandom::SysRng;
use quorate_emulator::device::{Config, Mode, NsmDevice};
use quorate_emulator::identity::InstanceId;
use quorate_emulator::measurements::process_measurements;
use quorate_emulator::pki::DevelopmentRoot;
use quorate_init::nsm::wire::Request;

const NOW_MS: u64 = 1_795_219_200_000;

fn attest(c: &mut Criterion) {
    let root = Arc::new(DevelopmentRoot::generate(&mut SysRng, NOW_MS).expect("entropy"));
    let config = Config {
        measurements: process_measurements(b"an init"),
        instance: InstanceId::generate(&mut SysRng).expect("entropy"),
        role_arn: None,
        mode: Mode::Normal,
    };
    let make = || NsmDevice::new(config.clone(), Arc::clone(&root), SysRng, NOW_MS);
    c.bench_function("nsm/device", |b| b.iter(|| black_box(make().is_ok())));

    let mut device = make().expect("the configuration is good");
    let nonce = [7; 32];
    let request = Request::Attestation {
        user_data: None,
        nonce: Some(&nonce),
        public_key: Some(&[4; 130]),
    };
    let request = request.encode().expect("the request fits");
    c.bench_function("nsm/attest", |b| {
        b.iter(|| black_box(device.process(&request, NOW_MS)))
    });
}

criterion_group!(benches, attest);
criterion_main!(benches);
