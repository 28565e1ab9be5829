//! Objects of the contract, alone and signed.

use std::sync::LazyLock;

use quorate_protocol::cbor::{Object, from_bytes, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::keys::VerificationKey;
use quorate_twins::Twin;

/// The generator of P-256 (SEC 2, section 2.4.2), whose secret scalar is 1: a key for which the
/// seeds of the corpora are not signed.
static STRANGER: LazyLock<VerificationKey> = LazyLock::new(|| {
    let generator = [
        0x03, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4,
        0x40, 0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8,
        0x98, 0xc2, 0x96,
    ];
    VerificationKey::from_sec1(&generator).expect("a point")
});

/// An object that has a twin.
pub(crate) fn object<T: Object + Twin>(data: &[u8]) {
    if let Some(value) = decode::<T>(data) {
        let _ = value.twin().to_string();
    }
}

/// An object that has none.
pub(crate) fn secret<T: Object>(data: &[u8]) {
    decode::<T>(data);
}

/// A COSE_Sign1.
pub(crate) fn signed<T: Object + Twin + Clone>(data: &[u8]) {
    let Some(value) = decode::<Signed<T>>(data) else {
        return;
    };
    let _ = value.twin().to_string();
    assert!(value.verify(&STRANGER).is_err(), "a stranger's signature");
    let payload = value.unverified();
    assert!(
        from_bytes::<T>(&to_bytes(payload)).is_ok(),
        "the payload alone"
    );
    let again = Signed::from_parts(payload.clone(), &value.signature());
    let again = again.map(|signed| to_bytes(&signed));
    assert!(
        again.is_ok_and(|bytes| bytes == data),
        "put together from its parts"
    );
}

fn decode<T: Object>(data: &[u8]) -> Option<T> {
    let value = match from_bytes::<T>(data) {
        Ok(value) => value,
        Err(error) => {
            let _ = error.to_string();
            return None;
        }
    };
    assert!(data.len() <= T::MAX, "longer than the object may be");
    assert!(
        to_bytes(&value) == data,
        "decoded from other than its canonical bytes"
    );
    assert!(
        Digest::of(&value) == Digest::of(&value),
        "the digest of a value"
    );
    Some(value)
}
