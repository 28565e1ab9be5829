//! A development root and an emulated security module, always the same, so that documents among
//! the seeds verify and fuzzing starts behind the signature checks.

use std::sync::{Arc, LazyLock};

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng as _;
use quorate_emulator::device::{Config, DeviceError, Mode, NsmDevice};
use quorate_emulator::identity::InstanceId;
use quorate_emulator::measurements::process_measurements;
use quorate_emulator::pki::DevelopmentRoot;
use quorate_verify::attestation::{Partition, TrustAnchor, TrustAnchors};

/// 2026-11-21T12:00:00Z, in milliseconds since 1970.
pub const NOW_MS: u64 = 1_795_262_400_000;

static ROOT: LazyLock<Arc<DevelopmentRoot>> = LazyLock::new(|| {
    let mut rng = ChaCha20Rng::from_seed([7; 32]);
    Arc::new(DevelopmentRoot::generate(&mut rng, NOW_MS).expect("a root"))
});

/// The root's certificate, DER.
pub fn root() -> &'static [u8] {
    ROOT.root_der()
}

/// Trusts AWS's root and the development root.
pub fn anchors() -> &'static TrustAnchors {
    static ANCHORS: LazyLock<TrustAnchors> = LazyLock::new(|| {
        let mut anchors = TrustAnchors::with_aws();
        let root = TrustAnchor::from_der(Partition::Development, root()).expect("a root");
        anchors.insert(root).expect("another root than AWS's");
        anchors
    });
    &ANCHORS
}

/// A security module below the root.
///
/// # Errors
/// [`DeviceError`]; does not happen with these inputs.
pub fn device() -> Result<NsmDevice<ChaCha20Rng>, DeviceError> {
    let config = Config {
        measurements: process_measurements(b"an init"),
        instance: InstanceId::parse("i-0123456789abcdef0")?,
        role_arn: Some("arn:aws:iam::123456789012:role/quorate".into()),
        mode: Mode::Normal,
    };
    NsmDevice::new(
        config,
        Arc::clone(&ROOT),
        ChaCha20Rng::from_seed([8; 32]),
        NOW_MS,
    )
}
