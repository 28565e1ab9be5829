//! Enclaves on a Nitro parent instance: started, supervised, described and ended.
//!
//! * [`image`] reads an image within bounds, measures it, and measures again what is loaded.
//! * [`machine`] is what the instance set aside: processors and huge pages.
//! * [`device`] is the driver's interface as types; [`sys`] is `/dev/nitro_enclaves` itself.
//! * [`launch`] goes from an image to a started enclave, one checked step after another.
//! * [`seat`] is the name under which one enclave runs; [`supervise`] watches over it to its end.
//! * [`console`] shows what an enclave in debug mode prints; [`notify`] tells systemd that one runs.
//! * [`error`] says whose fault a failure is and what to do.
//!
//! Guarantees: nothing is asked of the kernel before the image was read to its end, measured and
//! compared with what is expected, and its memory and processors were found sufficient; the bytes
//! that are started are the bytes that were measured; an enclave never outlives its supervisor,
//! and a supervisor never outlives its enclave; no process is ended by a number that may meanwhile
//! be another's.
//!
//! Trusts: the kernel of the instance. Does not: prove anything about what runs. The instance is
//! the host, and hostile to everyone but its owner: who wants to know what runs asks the enclave
//! for an attestation.
//!
//! Nothing of this was tried on an instance yet; docs/design/0013 and docs/deploy-nitro.md say what
//! was tested and how.

pub mod console;
pub mod device;
pub mod error;
pub mod image;
pub mod launch;
pub mod machine;
pub mod notify;
pub mod seat;
pub mod supervise;
pub mod sys;
