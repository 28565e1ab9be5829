//! Attestation verification in the browser.
//!
//! One function, [`verify_attestation`]: bytes and options in, the JSON of
//! `quorate verify attestation --json` out. It is the same code, from `quorate-attestation-report`;
//! signatures are checked in pure Rust.
//!
//! Guarantees: what the report guarantees. Options that are not understood are an error and never
//! ignored, so a page cannot believe that it demanded something.
//!
//! Trusts: the page that calls it, and whoever serves that page: a verifier that comes from the party
//! it should judge proves nothing. The clock is the browser's.
//!
//! Does not: fetch anything.

mod options;

use quorate_attestation_report::Root;
use quorate_verify::attestation::Verifier;
use serde_json::{Value, json};
use wasm_bindgen::prelude::wasm_bindgen;

pub use self::options::{OptionError, Options};

/// Judges the document in `bytes`: raw, Base64 or hexadecimal.
///
/// `options` is a JSON object, each field with the meaning of the command's option: `at` (`"now"`,
/// `"signed"` or seconds since 1970), `nonce` (hexadecimal), `max_age` (seconds), `pcrs` (an object,
/// index to hexadecimal), `role_arn`, `allow_debug`, `input` (`"auto"`, `"raw"`, `"base64"`,
/// `"hex"`), `root` (DER in hexadecimal, in place of AWS's) and `partition` of that root. All may be
/// left out; the empty text is the empty object.
///
/// The result is a JSON object with `verdict`, `error`, `facts` and `checks`; where the options are
/// not usable it has `ok` false and `error`, and there is no verdict.
#[wasm_bindgen]
#[must_use]
pub fn verify_attestation(bytes: &[u8], options: &str) -> String {
    verify_at(bytes, options, now()).to_string()
}

/// The same at a moment that the caller names as now, in seconds since 1970.
#[must_use]
pub fn verify_at(bytes: &[u8], options: &str, now_unix: u64) -> Value {
    match Options::parse(options, now_unix) {
        Ok(options) => options
            .demands()
            .judge(
                &Verifier::pure_rust(),
                bytes,
                options.form(),
                options.root(),
            )
            .json(),
        Err(error) => json!({
            "ok": false,
            "error": {
                "code": error.code(),
                "message": error.to_string(),
                "remedy": OptionError::REMEDY,
            },
        }),
    }
}

/// The root that is trusted where the options name none, for a page to show.
#[wasm_bindgen]
#[must_use]
pub fn default_root() -> String {
    Root::aws().describe()
}

#[cfg(target_arch = "wasm32")]
fn now() -> u64 {
    #[wasm_bindgen]
    extern "C" {
        #[wasm_bindgen(js_namespace = Date, js_name = now)]
        fn date_now() -> f64;
    }
    // Milliseconds since 1970. Out of range is clamped by the conversion.
    (date_now() / 1000.0) as u64
}

#[cfg(not(target_arch = "wasm32"))]
fn now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |elapsed| elapsed.as_secs())
}
