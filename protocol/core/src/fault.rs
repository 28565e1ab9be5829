//! Who has to mend a refused request.

use minicbor::{Decode, Encode};

/// Who has to mend a refused request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Fault {
    /// Whoever sent the request.
    #[n(1)]
    Caller,
    /// The member named in the refusal.
    #[n(2)]
    Member,
    /// Whoever put together the record, chain or binaries.
    #[n(3)]
    Ceremony,
    /// The enclave itself; it halts.
    #[n(4)]
    Enclave,
}
