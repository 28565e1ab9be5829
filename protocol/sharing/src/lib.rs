//! Verifiable secret sharing (Feldman) over P-256.
