//! The contract every part shares: objects, deterministic CBOR, COSE_Sign1, frames, messages.
