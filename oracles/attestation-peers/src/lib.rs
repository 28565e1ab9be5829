//! Nothing: `benches/attestation_peers` is all there is.
//!
//! It times other people's verifiers of attestation documents beside ours, on the same genuine
//! document, in one run. The peers are dev-dependencies, so not even this library contains them.
//!
//! Trusts: nothing. Does not: ship.

#![forbid(unsafe_code)]
