//! Third-party verification of attestation documents and evidence.
